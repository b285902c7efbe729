//! Users: finding them by the subject of a token.

use std::sync::Arc;

use auth_core::ports::TokenStore;
use auth_core::token::Subject;
use auth_core::user::{User, UserId};
use macro_rules_attribute::apply;

use super::TokenHost;
use super::token_fixture::{added, added_as, changed, set_active, unused_id};
use crate::user_of;

async fn named(store: &dyn TokenStore, name: &str) -> Option<User> {
    store.find_by_subject(&Subject::Username(name.to_owned())).await.unwrap()
}

async fn addressed(store: &dyn TokenStore, address: &str) -> Option<User> {
    store.find_by_subject(&Subject::Email(address.to_owned())).await.unwrap()
}

#[apply(token_case!)]
async fn a_subject_is_compared_exactly(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let alice =
        added_as(&*host, &User { email: Some("Alice@Example.com".to_owned()), ..user_of(unused_id(), "Alice") }).await;
    let bob = added(&*host, "bob").await;
    assert_eq!(named(&*store, "Alice").await.as_ref(), Some(&alice));
    assert_eq!(addressed(&*store, "Alice@Example.com").await.as_ref(), Some(&alice));
    assert_eq!(named(&*store, "bob").await.as_ref(), Some(&bob));
    let full_width = "\u{FF21}\u{FF4C}\u{FF49}\u{FF43}\u{FF45}";
    let number = alice.id.to_string();
    for other in ["alice", "ALICE", "Alice ", " Alice", "Alic", "A%", "_lice", full_width, &number, "Alice@Example.com"]
    {
        assert_eq!(named(&*store, other).await, None, "{other:?}");
    }
    for other in ["alice@example.com", "Alice@example.com", "Alice@Example.com ", " Alice@Example.com", "%", "Alice"] {
        assert_eq!(addressed(&*store, other).await, None, "{other:?}");
    }
}

/// The subject of an externally issued token may be any string. Such a string matches no user and is never an error.
#[apply(token_case!)]
async fn a_subject_may_be_any_string(host: Arc<dyn TokenHost>) {
    let store = host.store();
    added(&*host, "alice").await;
    let long = "x".repeat(100_000);
    let far = format!("alice@{long}.com");
    for text in
        ["alice\0", "alice@example.com\0", "\0", "", "' OR ''='", "\\", "\u{FFFF}\u{10FFFF}", "\r\n", &long, &far]
    {
        assert_eq!(named(&*store, text).await, None, "{:?}", text.get(..20));
        assert_eq!(addressed(&*store, text).await, None, "{:?}", text.get(..20));
        if let Ok(id) = UserId::parse(text) {
            assert_eq!(store.find_by_subject(&Subject::Id(id)).await.unwrap(), None, "{:?}", text.get(..20));
        }
    }
}

#[apply(token_case!)]
async fn a_released_name_finds_no_user_until_it_is_taken_again(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let alice = added(&*host, "alice").await;
    let (username, email) = ("Alice".to_owned(), Some("alicia@example.com".to_owned()));
    let security_stamp = alice.security_stamp.next();
    let alice = changed(&*host, User { username, email, security_stamp, ..alice }).await;
    assert_eq!(named(&*store, "alice").await, None);
    assert_eq!(addressed(&*store, "alice@example.com").await, None);
    assert_eq!(named(&*store, "Alice").await.as_ref(), Some(&alice));
    assert_eq!(addressed(&*store, "alicia@example.com").await.as_ref(), Some(&alice));

    host.delete_user(&alice.id).await;
    assert_eq!(named(&*store, "Alice").await, None);
    assert_eq!(addressed(&*store, "alicia@example.com").await, None);
    let other = added(&*host, "Alice").await;
    assert_ne!(other.id, alice.id);
    assert_eq!(named(&*store, "Alice").await, Some(other));
}

#[apply(token_case!)]
async fn an_inactive_account_is_found_by_its_subject(host: Arc<dyn TokenHost>) {
    let store = host.store();
    let alice = added(&*host, "alice").await;
    let inactive = set_active(&*host, &alice.id, false).await;
    assert_eq!(inactive, User { is_active: false, security_stamp: inactive.security_stamp, ..alice });
    assert_eq!(named(&*store, "alice").await.as_ref(), Some(&inactive));
    assert_eq!(addressed(&*store, "alice@example.com").await.as_ref(), Some(&inactive));
    let by_number = store.find_by_subject(&Subject::Id(inactive.id.clone())).await.unwrap();
    assert_eq!(by_number.as_ref(), Some(&inactive));
}
