//! Holds a lock on the tables of a database, so that writes block.

use std::sync::Arc;

use auth_tests::Database;
use auth_tests::concurrency::eventually;
use tokio::task::{JoinHandle, spawn_blocking};

/// Holds the tables of a database. On SQLite others can still read,
/// on PostgreSQL they cannot.
pub(crate) enum Lock {
    /// In this process, which is another one than the server's.
    Sqlite(rusqlite::Connection),
    Postgres(Arc<Database>, JoinHandle<()>),
}

/// Releases the lock once `let_go` has a row, at the latest after a minute.
const HOLD: &str = "
    LOCK TABLE users, sessions IN ACCESS EXCLUSIVE MODE;
    DO $$ BEGIN
        FOR n IN 1..3000 LOOP
            EXIT WHEN EXISTS (SELECT FROM let_go);
            PERFORM pg_sleep(0.02);
        END LOOP;
    END $$";

const IS_HELD: &str = "SELECT count(*) FROM pg_locks
    WHERE relation = 'sessions'::regclass AND mode = 'AccessExclusiveLock' AND granted";

impl Lock {
    pub(crate) async fn take(database: &Arc<Database>) -> Self {
        let Database::Postgres(postgres) = &**database else { return Self::Sqlite(begin(database)) };
        postgres.psql("CREATE TABLE let_go (at timestamptz)");
        let kept = database.clone();
        let holder = spawn_blocking(move || drop(kept.postgres().psql(HOLD)));
        eventually("the tables are locked", async || postgres.psql(IS_HELD) == "1").await;
        Self::Postgres(database.clone(), holder)
    }

    pub(crate) async fn release(self) {
        match self {
            Self::Sqlite(connection) => connection.execute_batch("ROLLBACK").expect("the end of a transaction"),
            Self::Postgres(database, holder) => {
                database.postgres().psql("INSERT INTO let_go VALUES (now())");
                holder.await.expect("the tables are let go");
            }
        }
    }
}

fn begin(database: &Database) -> rusqlite::Connection {
    let connection = database.connection();
    connection.execute_batch("BEGIN IMMEDIATE").expect("the one write lock");
    connection
}
