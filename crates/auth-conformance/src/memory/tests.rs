//! The methods of the in-memory store that bypass the ports.

use auth_accounts::ports::Accounts;
use auth_core::effects::Effects;
use auth_core::ports::{Change, InvalidationFeed, Sessions};
use auth_core::token::Session;
use auth_core::user::User;

use crate::{MemoryStore, at, hash_of, new_user, session_id, session_of};

#[tokio::test]
async fn put_session_checks_no_rule() {
    let store = MemoryStore::default();
    let alice = store.create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
    let mut session = session_of(&alice.id, session_id(1), at(0));
    for revoked_at in [Some(at(1)), None] {
        session.revoked_at = revoked_at;
        store.put_session(session.clone());
        assert_eq!(store.find_session(session.id).await.unwrap().map(|found| found.session), Some(session.clone()));
    }
}

#[tokio::test]
async fn reports_changes_that_bypass_the_ports() {
    let store = MemoryStore::default();
    let mut feed = store.changes();
    let alice = store.create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
    let session = session_of(&alice.id, session_id(1), at(0));
    for revoked_at in [None, Some(at(1)), Some(at(2)), None] {
        store.put_session(Session { revoked_at, ..session.clone() });
    }
    assert!(store.put_user(User { last_login: Some(at(1).into()), ..alice.clone() }));
    assert!(store.put_user(User { email_verified_at: Some(at(1).into()), ..alice.clone() }));
    let expected = [Change::Gap, Change::SessionEnded(session.id), Change::AccountChanged(alice.id)];
    assert_eq!(feed.next().await.unwrap(), expected);
}

#[tokio::test]
async fn a_full_feed_drops_the_oldest_changes() {
    let store = MemoryStore::default();
    let mut feed = store.changes();
    let alice = store.create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
    assert_eq!(feed.next().await.unwrap(), [Change::Gap]);
    for round in 0..20_000 {
        assert!(store.set_staff(&alice.id, round % 2 == 0, &Effects::NONE).await.unwrap());
    }
    let changes = feed.next().await.unwrap();
    assert!(changes[0] == Change::Gap && changes.len() < 20_000, "{}", changes.len());
    assert_eq!(feed.next().await.unwrap(), []);
    drop(store);
    assert!(feed.next().await.is_err());
}
