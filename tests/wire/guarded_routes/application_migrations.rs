//! The migrations of an application.

use auth_tests::cases::OnBothEmptyDatabases;
use auth_tests::{Database, cases};
use libtest_mimic::Trial;

use crate::guarded_routes::fixture::Blog;
use crate::{BLOG, SERVER};

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnBothEmptyDatabases =>
            pending_migrations_of_the_application_prevent_a_start]
}

async fn pending_migrations_of_the_application_prevent_a_start(database: Database) {
    let options = database.server("development").env("AUTH__DATABASE__AUTO_MIGRATE", "false");
    // The tables of the service exist, those of the blog do not.
    let migrated = options.run_to_exit(SERVER, &["migrate"]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    for _ in 0..2 {
        let output = options.run_to_exit(BLOG, &["serve", "--bind", "127.0.0.1:0"]);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{log}");
        let last = log.lines().last().unwrap_or_default();
        for name in ["error: database.auto_migrate", "blog migrate"] {
            assert!(last.contains(name), "{name}: {log}");
        }
    }
    let migrated = options.run_to_exit(BLOG, &["migrate"]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let blog = Blog::start(options);
    let author = blog.client.register_and_login("author").await;
    blog.post(&author.access).await;
}
