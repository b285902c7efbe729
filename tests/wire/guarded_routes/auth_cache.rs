//! The steady state: whoever is known is let in without the database.

use auth_tests::cases::OnBothDatabases;
use auth_tests::concurrency::eventually;
use auth_tests::{Database, ServerOptions, TokenPair, cases};
use libtest_mimic::Trial;

use crate::guarded_routes::fixture::Blog;

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnBothDatabases =>
            who_is_known_is_let_in_without_a_read,
            without_a_memory_every_request_reads]
}

/// A blog whose tables can be taken away.
struct Fixture {
    blog: Blog,
    database: Database,
}

impl Fixture {
    fn new(database: Database, remember: &str) -> Self {
        let options: ServerOptions = database.server("development").env("AUTH__GUARDS__MEMORY_TTL_SECONDS", remember);
        Self { blog: Blog::start(options), database }
    }

    /// What a bearer is answered while there is no table of sessions, so that any read fails. No trigger reports this.
    async fn without_the_table(&self, pair: &TokenPair) -> u16 {
        self.rename("sessions", "away");
        let answer = self.blog.protected(&pair.access).await;
        self.rename("away", "sessions");
        answer.status.as_u16()
    }

    fn rename(&self, from: &str, to: &str) {
        self.database.execute(&format!("ALTER TABLE {from} RENAME TO {to}"));
    }
}

async fn who_is_known_is_let_in_without_a_read(database: Database) {
    let fixture = Fixture::new(database, "3600");
    let known = fixture.blog.client.newcomer("known").await;
    // It takes a moment until the feed has begun: before, nobody is remembered.
    eventually("whoever was let in is known", async || {
        assert_eq!(fixture.blog.protected(&known.access).await.status, 200);
        fixture.without_the_table(&known).await == 200
    })
    .await;
    let unknown = fixture.blog.client.login("known").await;
    for _ in 0..5 {
        assert_eq!(fixture.without_the_table(&known).await, 200);
        assert_ne!(fixture.without_the_table(&unknown).await, 200, "who is not known has to be looked up");
    }
}

async fn without_a_memory_every_request_reads(database: Database) {
    let fixture = Fixture::new(database, "0");
    let pair = fixture.blog.client.newcomer("somebody").await;
    for _ in 0..20 {
        assert_eq!(fixture.blog.protected(&pair.access).await.status, 200);
        assert_ne!(fixture.without_the_table(&pair).await, 200);
    }
}
