//! Accounts imported from a system in which usernames differ by letter case.

use std::sync::Arc;

use auth_accounts::account::{NewUser, ProfileChange, Taken};
use auth_accounts::ports::{ProfileUpdate, Store};
use auth_core::effects::Effects;
use auth_core::token::Subject;
use auth_core::user::User;
use macro_rules_attribute::apply;

use super::concurrency::{Gate, ROUNDS, answers, count};
use super::fixture::{all_users, by_username, created, stored, user_now};
use crate::{email, hash_of, login_email, new_user, person_name, username};

/// A new imported user with this username and a unique email address.
fn imported(name: &str, address: &str) -> NewUser {
    NewUser { is_imported: true, email: login_email(&format!("{address}@example.com")), ..new_user(name) }
}

fn registered(name: &str) -> NewUser {
    NewUser { username: username(name), ..new_user("another") }
}

async fn assert_taken(store: &dyn Store, new: &NewUser, expected: Taken) {
    assert_eq!(store.create(new, &hash_of("x")).await.unwrap(), Err(expected), "{:?}", new.username);
}

fn renamed(name: &str) -> ProfileChange {
    ProfileChange { username: Some(username(name)), ..ProfileChange::default() }
}

#[apply(account_case!)]
async fn imported_usernames_may_differ_only_in_letter_case(store: Arc<dyn Store>) {
    let upper = created(&*store, &imported("Alice", "one")).await;
    let lower = created(&*store, &imported("alice", "two")).await;
    assert_eq!((upper.username.as_str(), lower.username.as_str()), ("Alice", "alice"));
    for user in [&upper, &lower] {
        assert_eq!(by_username(&*store, &user.username).await.as_ref(), Some(user));
        let subject = Subject::Username(user.username.clone());
        assert_eq!(store.find_by_subject(&subject).await.unwrap().as_ref(), Some(user));
    }
    assert_eq!(by_username(&*store, "ALICE").await, None);
    // A registration is compared with the reserved canonical form and with every exact username.
    for name in ["ALICE", "Alice", "alice", "\u{FF41}lice"] {
        assert_taken(&*store, &registered(name), Taken::Username).await;
    }
    for name in ["Alice", "alice"] {
        assert_taken(&*store, &imported(name, "three"), Taken::Username).await;
    }
    assert_taken(&*store, &imported("ALICE", "ONE"), Taken::Email).await;
    assert_eq!(all_users(&*store).await, [upper, lower]);
    created(&*store, &imported("ALICE", "three")).await;
}

#[apply(account_case!)]
async fn an_imported_username_may_differ_from_a_registered_one_only_in_case(store: Arc<dyn Store>) {
    let registered_one = stored(&*store, "alice").await;
    let imported_one = created(&*store, &imported("ALICE", "one")).await;
    assert_eq!(by_username(&*store, "alice").await, Some(registered_one));
    assert_eq!(by_username(&*store, "ALICE").await, Some(imported_one));
    // If no other username has its canonical form, an imported one reserves it like a registered one.
    created(&*store, &imported("Bob", "two")).await;
    assert_taken(&*store, &registered("bob"), Taken::Username).await;
}

#[apply(account_case!)]
async fn a_second_imported_username_reserves_only_its_exact_spelling(store: Arc<dyn Store>) {
    let upper = created(&*store, &imported("Alice", "one")).await;
    let lower = created(&*store, &imported("alice", "two")).await;
    assert!(store.delete(&upper.id, &Effects::NONE).await.unwrap());
    assert_taken(&*store, &registered("alice"), Taken::Username).await;
    let heir = created(&*store, &registered("ALICE")).await;
    assert_eq!(by_username(&*store, "ALICE").await, Some(heir));
    assert_eq!(by_username(&*store, "alice").await, Some(lower));
}

#[apply(account_case!)]
async fn an_imported_username_can_be_changed(store: Arc<dyn Store>) {
    let upper = created(&*store, &imported("Alice", "one")).await;
    let lower = created(&*store, &imported("alice", "two")).await;
    stored(&*store, "bob").await;
    for taken in ["ALICE", "Alice", "bob", "BOB"] {
        let answer = store.update_profile(&lower.id, &renamed(taken)).await.unwrap();
        assert_eq!(answer, ProfileUpdate::Taken(Taken::Username), "{taken}");
        assert_eq!(user_now(&*store, &lower.id).await, lower);
    }
    // Keeping the username is not a change, whatever else changes.
    let kept = ProfileChange { first_name: Some(person_name("Al")), ..renamed("alice") };
    let lower = User { first_name: "Al".to_owned(), ..lower };
    assert_eq!(store.update_profile(&lower.id, &kept).await.unwrap(), ProfileUpdate::Done(lower.clone()));
    let of_upper = ProfileChange { email: Some(email("ONE@example.com")), ..renamed("alice") };
    assert_eq!(store.update_profile(&lower.id, &of_upper).await.unwrap(), ProfileUpdate::Taken(Taken::Email));
    assert_taken(&*store, &registered("aLICE"), Taken::Username).await;
    // The other user may respell its own username.
    let respelt = User { username: "ALICE".to_owned(), ..upper };
    assert_eq!(store.update_profile(&respelt.id, &renamed("ALICE")).await.unwrap(), ProfileUpdate::Done(respelt));
    // A new username is reserved in every spelling, and the old one is released.
    let answer = store.update_profile(&lower.id, &renamed("Alicia")).await.unwrap();
    assert_eq!(answer, ProfileUpdate::Done(User { username: "Alicia".to_owned(), ..lower }));
    assert_taken(&*store, &registered("ALICIA"), Taken::Username).await;
    created(&*store, &imported("alice", "three")).await;
}

#[apply(account_case!)]
async fn concurrent_imports_succeed_and_one_reserves_the_canonical_form(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let spellings = ["alice", "ALICE", "Alice", "aLICE"].into_iter().zip(0..);
        let news: Vec<_> = spellings
            .map(|(spelling, rival)| imported(&format!("{spelling}{round}"), &format!("rival{rival}of{round}")))
            .collect();
        let gate = Gate::of(news.len(), round, &store);
        let calls = news
            .into_iter()
            .map(|new| gate.send(move |store| async move { store.create(&new, &hash_of("x")).await.unwrap() }));
        let made = answers(calls.collect()).await;
        assert_eq!(count(&made, Result::is_ok), made.len(), "{made:?}");
        assert_taken(&*store, &registered(&format!("alicE{round}")), Taken::Username).await;
    }
}
