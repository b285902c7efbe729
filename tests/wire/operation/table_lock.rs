//! Locks the tables of a database, so that writes block.

use std::sync::Arc;

use auth_tests::Database;
use auth_tests::concurrency::eventually;
use tokio::task::{JoinHandle, spawn_blocking};

/// A lock on the tables of a database. Readers are not blocked on SQLite, but are on PostgreSQL.
pub(crate) enum Lock {
    /// A connection of this process, which is not the server's process.
    Sqlite(rusqlite::Connection),
    Postgres(Arc<Database>, JoinHandle<()>),
}

/// Holds the lock until `release_lock` has a row, for a minute at most.
const LOCK_TABLES: &str = "
    LOCK TABLE users, sessions IN ACCESS EXCLUSIVE MODE;
    DO $$ BEGIN
        FOR n IN 1..3000 LOOP
            EXIT WHEN EXISTS (SELECT FROM release_lock);
            PERFORM pg_sleep(0.02);
        END LOOP;
    END $$";

const IS_HELD: &str = "SELECT count(*) FROM pg_locks
    WHERE relation = 'sessions'::regclass AND mode = 'AccessExclusiveLock' AND granted";

impl Lock {
    pub(crate) async fn take(database: &Arc<Database>) -> Self {
        let Database::Postgres(postgres) = &**database else { return Self::Sqlite(begin(database)) };
        postgres.psql("CREATE TABLE release_lock (at timestamptz)");
        let kept = database.clone();
        let holder = spawn_blocking(move || drop(kept.postgres().psql(LOCK_TABLES)));
        eventually("the tables are locked", async || postgres.psql(IS_HELD) == "1").await;
        Self::Postgres(database.clone(), holder)
    }

    pub(crate) async fn release(self) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch("ROLLBACK").expect("the transaction ends"),
            Self::Postgres(database, holder) => {
                database.postgres().psql("INSERT INTO release_lock VALUES (now())");
                holder.await.expect("the lock is released");
            }
        }
    }
}

fn begin(database: &Database) -> rusqlite::Connection {
    let connection = database.connection();
    connection.execute_batch("BEGIN IMMEDIATE").expect("the write lock");
    connection
}
