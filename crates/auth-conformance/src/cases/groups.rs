//! Accounts: groups.

use std::collections::BTreeSet;
use std::sync::Arc;

use auth_accounts::account::{LoginName, ProfileChange};
use auth_accounts::ports::{ProfileUpdate, Store};
use auth_core::effects::Effects;
use auth_core::time::Timestamp;
use auth_core::token::{RevokeReason, Subject};
use auth_core::user::{GroupName, SecurityStamp, User, UserId};
use macro_rules_attribute::apply;

use super::fixture::{all_users, password_set, session_now, started, stored, user_now};
use crate::{at, hash_of, new_user, session_id, session_of, username};

fn groups(names: &[&str]) -> BTreeSet<GroupName> {
    names.iter().map(|name| GroupName::parse(name).unwrap()).collect()
}

#[apply(account_case!)]
async fn set_groups_replaces_all_groups(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let bystander = stored(&*store, "bystander").await;
    let session = started(&*store, &user.id, 1).await;
    let longest = "g".repeat(GroupName::MAX_CHARS);
    let widest = "\u{1F600}".repeat(GroupName::MAX_CHARS);
    let many: Vec<_> = (0..100).map(|number| format!("{number}-{}", "x".repeat(60))).collect();
    let many: Vec<_> = many.iter().map(String::as_str).collect();
    for names in [
        &["editors"][..],
        &["editors"],
        &["editors", "Editors", "staff"],
        &["b", "a"],
        &["._:-", "0", "A", "Z", "a", "z", &longest],
        &["two words", "two", "words", "two  words"],
        &["caf\u{E9}", "cafe\u{301}", "\u{7DE8}\u{96C6}\u{8005}", "\u{10FFFF}", "\u{FFFD}", &widest],
        &["a,b;c", "'); DROP TABLE groups; --", "%", "\\", "\"", "NULL", "{}"],
        &many,
        &[],
        &[],
        &["administrators"],
    ] {
        let groups = groups(names);
        assert!(store.set_groups(&user.id, &groups, &Effects::NONE).await.unwrap());
        let now = user_now(&*store, &user.id).await;
        assert_eq!(now, User { groups, security_stamp: now.security_stamp, ..user.clone() });
    }
    assert_eq!(user_now(&*store, &bystander.id).await, bystander);
    assert_eq!(session_now(&*store, session.id).await, session);
}

#[apply(account_case!)]
async fn every_lookup_returns_the_groups(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    assert_eq!(user.groups, groups(&[]), "a new account is in no group");
    let session = started(&*store, &user.id, 1).await;
    let expected = User { groups: groups(&["editors", "writers"]), security_stamp: SecurityStamp::new(1), ..user };
    assert!(store.set_groups(&expected.id, &expected.groups, &Effects::NONE).await.unwrap());
    assert_eq!(store.find_user(&expected.id).await.unwrap().as_ref(), Some(&expected));
    let email = expected.email.clone().unwrap();
    for subject in
        [Subject::Id(expected.id.clone()), Subject::Username(expected.username.clone()), Subject::Email(email.clone())]
    {
        assert_eq!(store.find_by_subject(&subject).await.unwrap().as_ref(), Some(&expected), "{subject:?}");
    }
    for name in [LoginName::Username(expected.username.clone()), LoginName::Email(email)] {
        let (found, _) = store.find_for_login(&name).await.unwrap().unwrap();
        assert_eq!(found, expected, "{name:?}");
    }
    assert_eq!(store.find_session(session.id).await.unwrap().unwrap().user, expected);
    assert_eq!(all_users(&*store).await, std::slice::from_ref(&expected));
    let answer = store.update_profile(&expected.id, &ProfileChange::default()).await.unwrap();
    assert_eq!(answer, ProfileUpdate::Done(expected.clone()));
    let change = ProfileChange { username: Some(username("alicia")), ..ProfileChange::default() };
    let expected = User { username: "alicia".to_owned(), ..expected };
    assert_eq!(store.update_profile(&expected.id, &change).await.unwrap(), ProfileUpdate::Done(expected));
}

#[apply(account_case!)]
async fn other_changes_keep_the_groups(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let expected = groups(&["editors", "writers"]);
    assert!(store.set_groups(&user.id, &expected, &Effects::NONE).await.unwrap());
    assert!(store.set_active(&user.id, false, &Effects::NONE).await.unwrap());
    assert!(store.set_active(&user.id, true, &Effects::NONE).await.unwrap());
    assert!(store.set_staff(&user.id, true, &Effects::NONE).await.unwrap());
    assert!(store.set_staff(&user.id, false, &Effects::NONE).await.unwrap());
    password_set(&*store, &user.id, "new", at(1)).await;
    assert_eq!(
        store.revoke_all(&user.id, None, RevokeReason::LogoutAll, &Effects::NONE, at(2)).await.unwrap(),
        Some(0)
    );
    let now = user_now(&*store, &user.id).await;
    let login = Timestamp::from(at(3));
    assert!(store.start(&session_of(&user.id, session_id(1), at(3)), &now, Some(login), &Effects::NONE).await.unwrap());
    let now = User { last_login: Some(login), ..now };
    assert_eq!(user_now(&*store, &user.id).await, now);
    assert_eq!(now.groups, expected);
}

#[apply(account_case!)]
async fn set_groups_refuses_a_missing_user(store: Arc<dyn Store>) {
    let bystander = stored(&*store, "bystander").await;
    let gone = stored(&*store, "gone").await;
    assert!(store.delete(&gone.id, &Effects::NONE).await.unwrap());
    for id in [gone.id, UserId::new(i64::MAX), UserId::new(0), UserId::new(-1)] {
        assert!(!store.set_groups(&id, &groups(&["editors"]), &Effects::NONE).await.unwrap(), "{id:?}");
        assert!(!store.set_groups(&id, &groups(&[]), &Effects::NONE).await.unwrap(), "{id:?}");
    }
    assert_eq!(all_users(&*store).await, [bystander]);
    // A new account with the same username does not get the groups of the deleted one.
    let again = store.create(&new_user("gone"), &hash_of("x")).await.unwrap().unwrap();
    assert_eq!(again.groups, groups(&[]));
}
