//! The steady state: whoever is known is let in without the database.

use auth_tests::server::ServerOptions;
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::stage::{Blog, cases, eventually, options, shared};
use crate::support::{Database, Pair};

pub(crate) fn trials() -> Vec<Trial> {
    cases![on_both: who_is_known_is_let_in_without_a_read, without_a_memory_every_request_reads]
}

/// A blog whose tables can be taken away.
struct Stage {
    blog: Blog,
    database: Database,
    folder: TempDir,
}

impl Stage {
    fn new(database: Database, remember: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let options: ServerOptions = shared(&database, options(&database, "development"), &folder)
            .env("AUTH__GUARDS__MEMORY_TTL_SECONDS", remember);
        Self { blog: Blog::start(options), database, folder }
    }

    /// What a bearer is answered while there is no table of sessions, so that any read fails. No trigger reports this.
    async fn without_the_table(&self, pair: &Pair) -> u16 {
        self.rename("sessions", "away");
        let answer = self.blog.protected(&pair.access).await;
        self.rename("away", "sessions");
        answer.status.as_u16()
    }

    fn rename(&self, from: &str, to: &str) {
        let sql = format!("ALTER TABLE {from} RENAME TO {to}");
        match &self.database {
            Database::Postgres(database) => drop(database.psql(&sql)),
            Database::Sqlite => {
                let file = rusqlite::Connection::open(self.folder.path().join("auth.sqlite3")).unwrap();
                file.execute_batch(&sql).unwrap();
            }
        }
    }
}

async fn who_is_known_is_let_in_without_a_read(database: Database) {
    let stage = Stage::new(database, "3600");
    let known = stage.blog.api.newcomer("known").await;
    // It takes a moment until the feed has begun: before, nobody is remembered.
    eventually("whoever was let in is known", async || {
        assert_eq!(stage.blog.protected(&known.access).await.status, 200);
        stage.without_the_table(&known).await == 200
    })
    .await;
    let unknown = stage.blog.api.login("known").await;
    for _ in 0..5 {
        assert_eq!(stage.without_the_table(&known).await, 200);
        assert_ne!(stage.without_the_table(&unknown).await, 200, "who is not known has to be looked up");
    }
}

async fn without_a_memory_every_request_reads(database: Database) {
    let stage = Stage::new(database, "0");
    let pair = stage.blog.api.newcomer("somebody").await;
    for _ in 0..20 {
        assert_eq!(stage.blog.protected(&pair.access).await.status, 200);
        assert_ne!(stage.without_the_table(&pair).await, 200);
    }
}
