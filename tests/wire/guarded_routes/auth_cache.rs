//! The auth cache: callers in it are accepted without the database.

use auth_tests::cases::OnBothDatabases;
use auth_tests::concurrency::eventually;
use auth_tests::{Database, ServerOptions, TokenPair, cases};
use libtest_mimic::Trial;

use crate::guarded_routes::fixture::Blog;

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnBothDatabases =>
            cached_callers_are_accepted_without_a_read,
            without_a_cache_every_request_reads]
}

/// A blog whose table of sessions can be renamed.
struct Fixture {
    blog: Blog,
    database: Database,
}

impl Fixture {
    fn new(database: Database, cache_ttl: &str) -> Self {
        let options: ServerOptions = database.server("development").env("AUTH__GUARDS__CACHE_TTL_SECONDS", cache_ttl);
        Self { blog: Blog::start(options), database }
    }

    /// Sends a request while the table of sessions is missing, so that every read fails. No change event reports the renaming.
    async fn status_without_table(&self, pair: &TokenPair) -> u16 {
        self.rename("sessions", "renamed");
        let answer = self.blog.protected(&pair.access).await;
        self.rename("renamed", "sessions");
        answer.status.as_u16()
    }

    fn rename(&self, from: &str, to: &str) {
        self.database.execute(&format!("ALTER TABLE {from} RENAME TO {to}"));
    }
}

async fn cached_callers_are_accepted_without_a_read(database: Database) {
    let fixture = Fixture::new(database, "3600");
    let known = fixture.blog.client.register_and_login("known").await;
    // Nothing is cached until the invalidation feed has started.
    eventually("the caller is cached", async || {
        assert_eq!(fixture.blog.protected(&known.access).await.status, 200);
        fixture.status_without_table(&known).await == 200
    })
    .await;
    let unknown = fixture.blog.client.login("known").await;
    for _ in 0..5 {
        assert_eq!(fixture.status_without_table(&known).await, 200);
        assert_ne!(fixture.status_without_table(&unknown).await, 200, "a caller that is not cached requires a read");
    }
}

async fn without_a_cache_every_request_reads(database: Database) {
    let fixture = Fixture::new(database, "0");
    let pair = fixture.blog.client.register_and_login("other").await;
    for _ in 0..20 {
        assert_eq!(fixture.blog.protected(&pair.access).await.status, 200);
        assert_ne!(fixture.status_without_table(&pair).await, 200);
    }
}
