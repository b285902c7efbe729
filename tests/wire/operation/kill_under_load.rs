//! Repeated SIGKILL under load (REL-001): no acknowledged write is lost, and no token has two successors.

use auth_tests::cases::OnBothDatabases;
use auth_tests::{Database, TestClient, cases};
use libtest_mimic::Trial;
use tokio::task::{JoinSet, block_in_place};

use crate::SERVER;
use crate::operation::fixture::options;
use crate::operation::refresh_ledger::{Client, Ledger};

/// How often the server is killed.
const KILLS: usize = 5;
/// How many clients refresh sessions.
const ROTATORS: usize = 8;
/// How many refreshes are acknowledged between two kills, at least.
const REFRESHES: usize = 150;

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnBothDatabases =>
            kills_lose_no_acknowledged_writes]
}

async fn kills_lose_no_acknowledged_writes(database: Database) {
    let options = options(&database, "development");
    let server = options.env("AUTH__TOKENS__ON_RETRY", "replay").start(SERVER);
    let ledger = Ledger::new();
    let mut clients = Client::create_all(&TestClient::new(&server.url()), &ledger, ROTATORS).await;
    for kill in 0..KILLS {
        let api = TestClient::new(&server.url());
        let mut working: JoinSet<_> = clients.into_iter().map(|client| client.work(api.clone())).collect();
        // Each kill happens after a different number of refreshes.
        tokio::select! {
            () = ledger.more_refreshes(REFRESHES + 7 * kill) => {}
            stopped = working.join_next() => panic!("a client stopped before the kill: {:?}", stopped.map(|it| it.err())),
        }
        block_in_place(|| server.kill());
        clients = working.join_all().await;
        block_in_place(|| server.restart());
        let api = TestClient::new(&server.url());
        for client in &mut clients {
            client.check(&api).await;
        }
    }
    assert!(ledger.refreshes() >= KILLS * REFRESHES);
    assert!(clients.iter().all(|client| client.acknowledged() > 0), "some client has no acknowledged request");
    if database.is_sqlite() {
        assert_eq!(database.query("PRAGMA integrity_check"), ["ok"]);
    }
}
