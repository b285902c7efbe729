//! SIGKILL under load, again and again (REL-001): nothing that was acknowledged is lost, and no token forks.

use auth_tests::cases::OnBothDatabases;
use auth_tests::{Database, TestClient, cases};
use libtest_mimic::Trial;
use tokio::task::{JoinSet, block_in_place};

use crate::SERVER;
use crate::operation::fixture::options;
use crate::operation::refresh_ledger::{Client, Ledger};

/// How often the server is killed.
const KILLS: usize = 5;
/// How many clients refresh.
const ROTATORS: usize = 8;
/// How many refreshes are acknowledged between two kills, at least.
const REFRESHES: usize = 150;

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnBothDatabases =>
            nothing_acknowledged_is_lost_when_the_server_is_killed]
}

async fn nothing_acknowledged_is_lost_when_the_server_is_killed(database: Database) {
    let options = options(&database, "development");
    let server = options.env("AUTH__TOKENS__ON_RETRY", "replay").start(SERVER);
    let ledger = Ledger::new();
    let mut crowd = Client::crowd(&TestClient::new(&server.url()), &ledger, ROTATORS).await;
    for kill in 0..KILLS {
        let api = TestClient::new(&server.url());
        let mut working: JoinSet<_> = crowd.into_iter().map(|client| client.work(api.clone())).collect();
        // Each time at another moment of whatever is under way.
        tokio::select! {
            () = ledger.more_refreshes(REFRESHES + 7 * kill) => {}
            stopped = working.join_next() => panic!("a client stopped before the kill: {:?}", stopped.map(|it| it.err())),
        }
        block_in_place(|| server.kill());
        crowd = working.join_all().await;
        block_in_place(|| server.restart());
        let api = TestClient::new(&server.url());
        for client in &mut crowd {
            client.check(&api).await;
        }
    }
    assert!(ledger.refreshes() >= KILLS * REFRESHES);
    assert!(crowd.iter().all(|client| client.acknowledged() > 0), "some client got nothing done");
    if database.is_sqlite() {
        assert_eq!(database.query("PRAGMA integrity_check"), ["ok"]);
    }
}
