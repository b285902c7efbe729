//! The table of changes on SQLite.

use std::sync::Arc;
use std::time::Duration;
use std::time::Instant;

use auth_accounts::ports::Accounts;
use auth_conformance::at;
use auth_core::effects::Effects;
use auth_core::ports::{Change, InvalidationFeed, Sessions};
use auth_core::token::RevokeReason;
use diesel::connection::SimpleConnection;
use libtest_mimic::Trial;
use tokio::task::spawn_blocking;

use super::{IN_TIME, assert_fails, assert_recovers, changed, fixture};
use crate::database::{Database, Kind};
use crate::on;

pub(super) fn trials() -> Vec<Trial> {
    let kind = Kind::Sqlite;
    vec![
        on(kind, "keeps_a_limited_number_of_changes", keeps_a_limited_number_of_changes),
        on(kind, "reports_a_gap_after_an_error", reports_a_gap_after_an_error),
        on(kind, "reports_a_gap_after_a_restored_backup", reports_a_gap_after_a_restored_backup),
        on(kind, "a_dropped_feed_ends_its_thread", a_dropped_feed_ends_its_thread),
    ]
}

async fn keeps_a_limited_number_of_changes(database: Arc<Database>) {
    let (store, user, session, mut feed) = fixture(&database).await;
    for _ in 0..3 {
        // In one transaction, so that the feed reads all of them at once.
        let toggle = "UPDATE users SET is_staff = 1 - is_staff;".repeat(2_100);
        spawn_blocking({
            let mut connection = database.sqlite();
            move || connection.batch_execute(&format!("BEGIN IMMEDIATE; {toggle} COMMIT")).unwrap()
        })
        .await
        .unwrap();
    }
    assert_eq!(database.count_rows()["changes"], 5_000);
    // Either all changes are reported or a gap, never nothing.
    assert!(!feed.next().await.unwrap().is_empty());
    let toggle = "UPDATE users SET is_staff = 1 - is_staff;".repeat(5_001);
    let mut connection = database.sqlite();
    spawn_blocking(move || connection.batch_execute(&format!("BEGIN IMMEDIATE; {toggle} COMMIT")).unwrap())
        .await
        .unwrap();
    let answer = feed.next().await.unwrap();
    assert_eq!((answer[0].clone(), answer.len()), (Change::Gap, 5_001));
    assert!(store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
    assert_eq!(feed.next().await.unwrap(), [Change::SessionEnded(session.id)]);
    assert_eq!(database.count_rows()["changes"], 5_000);
    // Changes that are deleted before they are read are reported as a gap.
    database.query("UPDATE users SET is_staff = 1 - is_staff");
    database.query("DELETE FROM changes");
    let answers = [feed.next().await.unwrap(), feed.next().await.unwrap()].concat();
    assert!(answers == [Change::Gap] || answers == [changed(&user)], "{answers:?}");
}

async fn reports_a_gap_after_an_error(database: Arc<Database>) {
    let (store, user, _, mut feed) = fixture(&database).await;
    let with_triggers_off = "PRAGMA legacy_alter_table = ON";
    let mut connection = database.sqlite();
    connection.batch_execute(&format!("{with_triggers_off}; ALTER TABLE changes RENAME TO gone")).unwrap();
    assert_fails(&mut feed).await;
    assert_fails(&mut feed).await;
    connection.batch_execute("ALTER TABLE gone RENAME TO changes").unwrap();
    assert_recovers(&mut feed).await;
    assert!(store.set_active(&user.id, false, &Effects::NONE).await.unwrap());
    assert_eq!(feed.next().await.unwrap(), [changed(&user)]);
}

/// The sequence numbers go back and are assigned again.
async fn reports_a_gap_after_a_restored_backup(database: Arc<Database>) {
    let (store, user, _, mut feed) = fixture(&database).await;
    for staff in [true, false] {
        assert!(store.set_staff(&user.id, staff, &Effects::NONE).await.unwrap());
    }
    assert_eq!(feed.next().await.unwrap().len(), 2);
    let mut connection = database.sqlite();
    connection
        .batch_execute("BEGIN; DELETE FROM changes; UPDATE sqlite_sequence SET seq = 1 WHERE name = 'changes'; COMMIT")
        .unwrap();
    assert_eq!(feed.next().await.unwrap(), [Change::Gap]);
    assert!(store.set_staff(&user.id, true, &Effects::NONE).await.unwrap());
    assert_eq!(feed.next().await.unwrap(), [changed(&user)]);
}

/// The connection of the thread is closed too: the process has one descriptor of the file less.
async fn a_dropped_feed_ends_its_thread(database: Arc<Database>) {
    let (_, _, _, feed) = fixture(&database).await;
    let path = database.path().canonicalize().unwrap();
    let open = || {
        let files = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| entry.ok()?.path().read_link().ok());
        files.filter(|file| *file == path).count()
    };
    let with_feed = open();
    drop(feed);
    let deadline = Instant::now() + IN_TIME;
    while open() >= with_feed {
        assert!(Instant::now() < deadline, "the connection is still open");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
