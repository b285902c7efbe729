//! Accounts: how they are found by the subject of a token.

use std::sync::Arc;

use auth_accounts::account::{NewUser, ProfileChange};
use auth_accounts::ports::{ProfileUpdate, Store};
use auth_core::token::Subject;
use auth_core::user::{SecurityStamp, User, UserId};
use macro_rules_attribute::apply;

use super::fixture::{created, stored};
use crate::{email, new_user, username};

async fn named(store: &dyn Store, name: &str) -> Option<User> {
    store.find_by_subject(&Subject::Username(name.to_owned())).await.unwrap()
}

async fn addressed(store: &dyn Store, address: &str) -> Option<User> {
    store.find_by_subject(&Subject::Email(address.to_owned())).await.unwrap()
}

#[apply(storage_case!)]
async fn an_account_is_found_by_exactly_its_name_and_address(store: Arc<dyn Store>) {
    let alice = created(&*store, &NewUser { email: email("Alice@Example.com"), ..new_user("Alice") }).await;
    let bob = stored(&*store, "bob").await;
    assert_eq!(named(&*store, "Alice").await.as_ref(), Some(&alice));
    assert_eq!(addressed(&*store, "Alice@Example.com").await.as_ref(), Some(&alice));
    assert_eq!(named(&*store, "bob").await.as_ref(), Some(&bob));
    let full_width = "\u{FF21}\u{FF4C}\u{FF49}\u{FF43}\u{FF45}";
    let number = alice.id.get().to_string();
    for other in ["alice", "ALICE", "Alice ", " Alice", "Alic", "A%", "_lice", full_width, &number, "Alice@Example.com"]
    {
        assert_eq!(named(&*store, other).await, None, "{other:?}");
    }
    for other in ["alice@example.com", "Alice@example.com", "Alice@Example.com ", " Alice@Example.com", "%", "Alice"] {
        assert_eq!(addressed(&*store, other).await, None, "{other:?}");
    }
}

/// An externally issued token may contain any text as its subject. It matches no account and is never an error.
#[apply(storage_case!)]
async fn a_subject_may_be_any_text(store: Arc<dyn Store>) {
    stored(&*store, "alice").await;
    let long = "x".repeat(100_000);
    let far = format!("alice@{long}.com");
    for text in
        ["alice\0", "alice@example.com\0", "\0", "", "' OR ''='", "\\", "\u{FFFF}\u{10FFFF}", "\r\n", &long, &far]
    {
        assert_eq!(named(&*store, text).await, None, "{:?}", text.get(..20));
        assert_eq!(addressed(&*store, text).await, None, "{:?}", text.get(..20));
        let key = Subject::External(text.to_owned());
        assert_eq!(store.find_by_subject(&key).await.unwrap(), None, "{:?}", text.get(..20));
    }
}

#[apply(storage_case!)]
async fn a_name_that_was_given_up_names_nobody_until_another_takes_it(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    let change = ProfileChange {
        username: Some(username("Alice")),
        email: Some(email("alicia@example.com")),
        ..ProfileChange::default()
    };
    let ProfileUpdate::Done(alice) = store.update_profile(alice.id, &change).await.unwrap() else {
        panic!("the name and the address are free")
    };
    assert_eq!(named(&*store, "alice").await, None);
    assert_eq!(addressed(&*store, "alice@example.com").await, None);
    assert_eq!(named(&*store, "Alice").await.as_ref(), Some(&alice));
    assert_eq!(addressed(&*store, "alicia@example.com").await.as_ref(), Some(&alice));

    assert!(store.delete(alice.id).await.unwrap());
    assert_eq!(named(&*store, "Alice").await, None);
    assert_eq!(addressed(&*store, "alicia@example.com").await, None);
    let other = stored(&*store, "Alice").await;
    assert_ne!(other.id, alice.id);
    assert_eq!(named(&*store, "Alice").await, Some(other));
}

#[apply(storage_case!)]
async fn an_inactive_account_is_found_by_its_subject(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    assert!(store.set_active(alice.id, false).await.unwrap());
    let inactive = User { is_active: false, security_stamp: SecurityStamp::new(1), ..alice };
    assert_eq!(named(&*store, "alice").await.as_ref(), Some(&inactive));
    assert_eq!(addressed(&*store, "alice@example.com").await.as_ref(), Some(&inactive));
    let by_number = store.find_by_subject(&Subject::Id(UserId::new(inactive.id.get()))).await.unwrap();
    assert_eq!(by_number.as_ref(), Some(&inactive));
}
