//! The reference must pass its own contract; and what it can do that no port can.

use auth_conformance::{MemoryStore, at, hash_of, new_user, session_id, session_of, storage_contract};
use auth_core::account::User;
use auth_core::ports::{Accounts, Sessions};
use auth_core::token::Subject;

storage_contract!(memory, MemoryStore::default());

#[tokio::test]
async fn an_imported_account_is_found_by_its_key_and_not_by_its_number() {
    let store = MemoryStore::default();
    let alice = store.create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
    let imported = User { external_id: Some("a-1".to_owned()), ..alice.clone() };
    assert!(store.put_user(imported.clone()));
    assert_eq!(store.find_by_subject(&imported.subject()).await.unwrap(), Some(imported));
    assert_eq!(store.find_by_subject(&Subject::Id(alice.id)).await.unwrap(), None);
    assert!(store.delete(alice.id).await.unwrap());
    assert!(!store.put_user(alice));
}

#[tokio::test]
async fn a_session_is_put_past_all_rules() {
    let store = MemoryStore::default();
    let alice = store.create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
    let mut session = session_of(alice.id, session_id(1), at(0));
    for revoked_at in [Some(at(1)), None] {
        session.revoked_at = revoked_at;
        store.put_session(session.clone());
        assert_eq!(store.find_session(session.id).await.unwrap().map(|found| found.session), Some(session.clone()));
    }
}
