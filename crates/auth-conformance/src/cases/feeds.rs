//! Invalidation feeds: what they report.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_accounts::account::ProfileChange;
use auth_accounts::ports::{AccountPage, NewPassword, PasswordUpdate, ProfileUpdate};
use auth_core::effects::Effects;
use auth_core::ports::{Adoption, Change, Swap};
use auth_core::time::{Seconds, Timestamp};
use auth_core::token::{RevokeReason, Session, SessionId};
use auth_core::user::{GroupName, User};
use macro_rules_attribute::apply;

use super::concurrency::answers;
use super::feed_fixture::{FeedFixture, answer, up_to};
use super::fixture::{enrolled, jti_of, password_set, session_now, started, stored, totp, user_now};
use crate::{at, email, hash_of, new_user, person_name, session_id, session_of, successor_of, username};

pub(super) fn ended(number: u64) -> Change {
    Change::SessionEnded(session_id(number))
}

pub(super) fn changed(user: &User) -> Change {
    Change::AccountChanged(user.id.clone())
}

pub(super) fn all<const N: usize>(changes: [Change; N]) -> HashSet<Change> {
    changes.into()
}

fn editors() -> BTreeSet<GroupName> {
    BTreeSet::from([GroupName::parse("editors").unwrap()])
}

fn renamed(name: &str) -> ProfileChange {
    ProfileChange { username: Some(username(name)), ..ProfileChange::default() }
}

#[apply(feed_case!)]
async fn a_feed_starts_with_a_single_gap(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    for _ in 0..3 {
        assert_eq!(followers.reports(&*store).await, []);
    }
}

#[apply(feed_case!)]
async fn returns_within_a_second_without_changes(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    followers.reports(&*store).await; // Reads all outstanding reports.
    for feed in &mut followers.feeds {
        for _ in 0..3 {
            let start = Instant::now();
            assert_eq!(answer(feed).await, []);
            assert!(start.elapsed() < Duration::from_millis(1_500), "it took {:?}", start.elapsed());
        }
    }
}

#[apply(feed_case!)]
async fn reports_a_revocation_once(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    let widest = Session { id: SessionId::from_bytes([0xF0; 16]), ..session_of(&user.id, session_id(0), at(0)) };
    assert!(store.start(&widest, &user, None, &Effects::NONE).await.unwrap());
    for number in 1..3 {
        started(&*store, &user.id, number).await;
    }
    assert_eq!(followers.reports(&*store).await, []);
    assert!(store.revoke(session_id(1), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
    assert_eq!(followers.reports(&*store).await, [ended(1)]);
    assert!(store.revoke(widest.id, RevokeReason::Reuse, &Effects::NONE, at(1)).await.unwrap());
    assert!(!store.revoke(session_id(1), RevokeReason::LogoutAll, &Effects::NONE, at(2)).await.unwrap());
    assert!(!store.revoke(session_id(100), RevokeReason::Logout, &Effects::NONE, at(2)).await.unwrap());
    assert_eq!(followers.reports(&*store).await, [Change::SessionEnded(widest.id)]);
}

#[apply(feed_case!)]
async fn reports_revoke_all_with_its_account(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    let (user, other) = (stored(&*store, "alice").await, stored(&*store, "other").await);
    for (number, user) in [(1, &user), (2, &user), (3, &user), (4, &user), (5, &other)] {
        started(&*store, &user.id, number).await;
    }
    assert!(store.revoke(session_id(4), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
    assert_eq!(followers.reported(&*store).await, all([ended(4)]));
    // The call also advances the epoch of the account.
    assert_eq!(
        store.revoke_all(&user.id, Some(session_id(2)), RevokeReason::LogoutAll, &Effects::NONE, at(2)).await.unwrap(),
        Some(2)
    );
    assert_eq!(followers.reported(&*store).await, all([ended(1), ended(3), changed(&user)]));
    assert_eq!(
        store.revoke_all(&user.id, None, RevokeReason::LogoutAll, &Effects::NONE, at(3)).await.unwrap(),
        Some(1)
    );
    assert_eq!(followers.reported(&*store).await, all([ended(2), changed(&user)]));
    assert_eq!(
        store.revoke_all(&user.id, None, RevokeReason::LogoutAll, &Effects::NONE, at(4)).await.unwrap(),
        Some(0)
    );
    assert_eq!(followers.reported(&*store).await, all([changed(&user)]));
}

#[apply(feed_case!)]
async fn reports_a_password_change_with_its_sessions(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    started(&*store, &user.id, 1).await;
    started(&*store, &user.id, 2).await;
    password_set(&*store, &user.id, "new", at(1)).await;
    assert_eq!(followers.reported(&*store).await, all([ended(1), ended(2), changed(&user)]));
}

#[apply(feed_case!)]
async fn reports_each_change_of_an_account(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    let session = started(&*store, &user.id, 1).await;
    assert_eq!(followers.reports(&*store).await, []);
    for change in [
        renamed("Alicia"),
        ProfileChange { email: Some(email("alicia@example.com")), ..ProfileChange::default() },
        ProfileChange { first_name: Some(person_name("Alicia")), ..ProfileChange::default() },
        ProfileChange { last_name: Some(person_name("")), ..ProfileChange::default() },
    ] {
        assert!(matches!(store.update_profile(&user.id, &change).await.unwrap(), ProfileUpdate::Done(_)));
        assert_eq!(followers.reports(&*store).await, [changed(&user)], "{change:?}");
    }
    for active in [false, true] {
        assert!(store.set_active(&user.id, active, &Effects::NONE).await.unwrap());
        assert_eq!(followers.reports(&*store).await, [changed(&user)], "{active}");
    }
    for staff in [true, false] {
        assert!(store.set_staff(&user.id, staff, &Effects::NONE).await.unwrap());
        assert_eq!(followers.reports(&*store).await, [changed(&user)], "{staff}");
    }
    for groups in [editors(), BTreeSet::new()] {
        assert!(store.set_groups(&user.id, &groups, &Effects::NONE).await.unwrap());
        assert_eq!(followers.reports(&*store).await, [changed(&user)], "{groups:?}");
    }
    assert_eq!(session_now(&*store, session.id).await, session);
}

/// An externally issued token that was accepted before may be refused now.
#[apply(feed_case!)]
async fn reports_an_added_second_factor(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    enrolled(&*store, &user.id, &totp(1), &[]).await;
    // The factor and the stamp: reported once or twice.
    assert_eq!(followers.reported(&*store).await, all([changed(&user)]));
}

#[apply(feed_case!)]
async fn reports_a_deletion(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    let (user, other) = (stored(&*store, "alice").await, stored(&*store, "other").await);
    started(&*store, &user.id, 1).await;
    assert!(store.delete(&user.id, &Effects::NONE).await.unwrap());
    assert!(store.delete(&other.id, &Effects::NONE).await.unwrap());
    assert!(!store.delete(&user.id, &Effects::NONE).await.unwrap());
    let mut reported = followers.reports(&*store).await;
    // The sessions are deleted with the account. A feed may report them too.
    reported.retain(|change| *change != ended(1));
    assert_eq!(reported, [changed(&user), changed(&other)]);
}

#[apply(feed_case!)]
async fn does_not_report_no_ops(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    stored(&*store, "bob").await;
    assert!(store.set_groups(&user.id, &editors(), &Effects::NONE).await.unwrap());
    assert_eq!(followers.reports(&*store).await, [changed(&user)]);
    // No-ops.
    assert!(store.set_active(&user.id, true, &Effects::NONE).await.unwrap());
    assert!(store.set_staff(&user.id, false, &Effects::NONE).await.unwrap());
    assert!(store.set_groups(&user.id, &editors(), &Effects::NONE).await.unwrap());
    for change in [ProfileChange::default(), renamed("alice")] {
        assert!(matches!(store.update_profile(&user.id, &change).await.unwrap(), ProfileUpdate::Done(_)));
    }
    // Refused calls.
    let taken = ProfileChange { first_name: Some(person_name("Bob")), ..renamed("bob") };
    assert!(matches!(store.update_profile(&user.id, &taken).await.unwrap(), ProfileUpdate::Taken(_)));
    assert!(store.create(&new_user("alice"), &hash_of("x")).await.unwrap().is_err());
    // Calls for a missing user.
    let unknown_user = auth_core::user::UserId::new(i64::MAX);
    assert!(!store.set_active(&unknown_user, false, &Effects::NONE).await.unwrap());
    let new = NewPassword::new(unknown_user.clone(), hash_of("x"));
    assert_eq!(store.set_password(&new, at(1)).await.unwrap(), PasswordUpdate::Gone);
    assert_eq!(
        store.revoke_all(&unknown_user, None, RevokeReason::LogoutAll, &Effects::NONE, at(1)).await.unwrap(),
        None
    );
    assert_eq!(followers.reports(&*store).await, []);
}

/// These calls are frequent and change nothing that an auth cache holds.
#[apply(feed_case!)]
async fn does_not_report_logins_and_rotations(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    let session = session_of(&user.id, session_id(1), at(0));
    assert!(store.start(&session, &user, Some(Timestamp::from(at(1))), &Effects::NONE).await.unwrap());
    let next = successor_of(&session, at(1));
    assert_eq!(store.advance(session.id, session.generation, next, &Effects::NONE).await.unwrap(), Swap::Done);
    assert_eq!(store.advance(session.id, session.generation, next, &Effects::NONE).await.unwrap(), Swap::LostRace);
    let adopted = session_of(&user.id, session_id(2), at(0));
    assert_eq!(store.adopt(&adopted, &jti_of(&adopted), Some(at(0))).await.unwrap(), Adoption::Present);
    assert!(store.upgrade_hash(&user.id, &hash_of("alice"), &hash_of("upgraded")).await.unwrap());
    assert!(store.refuse(&jti_of(&session), at(5), "test", &Effects::NONE).await.unwrap());
    assert_eq!(store.prune_blacklist(at(6), 10).await.unwrap(), 1);
    let expired = Session { expires_at: at(1), ..session_of(&user.id, session_id(3), at(0)) };
    assert!(store.start(&expired, &user, None, &Effects::NONE).await.unwrap());
    assert_eq!(store.prune_sessions(expired.expires_at.plus(Seconds::new(1)), 10).await.unwrap(), 1);
    assert_eq!(store.list(AccountPage { after: None, limit: 10 }).await.unwrap().users.len(), 2);
    assert_eq!(followers.reports(&*store).await, []);
}

#[apply(feed_case!)]
async fn reports_changes_by_another_process(fixture: FeedFixture) {
    let (store, other, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    for (number, by) in [(1, &store), (2, &other), (3, &store), (4, &other)] {
        started(&**by, &user.id, number).await;
        assert!(by.revoke(session_id(number), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
        assert_eq!(followers.reports(&**by).await, [ended(number)]);
        assert!(by.set_active(&user.id, false, &Effects::NONE).await.unwrap());
        assert_eq!(followers.reports(&**by).await, [changed(&user)]);
        assert!(by.set_active(&user.id, true, &Effects::NONE).await.unwrap());
        followers.reports(&**by).await;
    }
    assert!(other.delete(&user.id, &Effects::NONE).await.unwrap());
    assert!(followers.reports(&*store).await.contains(&changed(&user)));
}

#[apply(feed_case!)]
async fn reports_changes_in_order(fixture: FeedFixture) {
    let (store, other, mut followers) = fixture.begin().await;
    let (alice, bob) = (stored(&*store, "alice").await, stored(&*store, "bob").await);
    let mut expected = Vec::new();
    for number in 0..20 {
        let (by, user) = if number % 3 == 0 { (&other, &alice) } else { (&store, &bob) };
        started(&**by, &user.id, number).await;
        assert!(by.revoke(session_id(number), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
        assert!(by.set_staff(&user.id, !user_now(&**by, &user.id).await.is_staff, &Effects::NONE).await.unwrap());
        expected.extend([ended(number), changed(user)]);
    }
    assert_eq!(followers.reports(&*store).await, expected);
}

/// A call of `next` returns every change that was committed before it. Otherwise an auth cache could not be current.
#[apply(feed_case!)]
async fn a_call_returns_every_earlier_change(fixture: FeedFixture) {
    let (store, other, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    for number in 0..10 {
        let by = if number % 2 == 0 { &store } else { &other };
        started(&**by, &user.id, number).await;
        assert!(by.revoke(session_id(number), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
        for feed in &mut followers.feeds {
            assert_eq!(answer(feed).await, [ended(number)]);
        }
    }
}

/// A change must not be reported before it is committed.
#[apply(feed_case!)]
async fn reports_only_committed_changes(fixture: FeedFixture) {
    const SESSIONS: u64 = 100;
    let (store, other, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    for number in 0..SESSIONS {
        started(&*store, &user.id, number).await;
    }
    let writer = tokio::spawn(async move {
        for number in 0..SESSIONS {
            assert!(store.revoke(session_id(number), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
        }
    });
    let [feed, _] = &mut followers.feeds;
    let mut reported = HashSet::new();
    while reported.len() < SESSIONS as usize {
        for change in answer(feed).await {
            let Change::SessionEnded(id) = change else { panic!("{change:?}") };
            assert!(session_now(&*other, id).await.revoked_at.is_some(), "{id} is not revoked yet");
            reported.insert(id);
        }
    }
    writer.await.unwrap();
}

#[apply(feed_case!)]
async fn reports_concurrent_changes(fixture: FeedFixture) {
    const WRITERS: u64 = 50;
    let (store, other, mut followers) = fixture.begin().await;
    let mut expected = HashSet::new();
    let mut writers = Vec::new();
    for number in 0..WRITERS {
        let by = Arc::clone(if number % 2 == 0 { &store } else { &other });
        let user = stored(&*store, &format!("user{number}")).await;
        expected.extend([ended(2 * number), ended(2 * number + 1), changed(&user)]);
        writers.push(tokio::spawn(async move {
            started(&*by, &user.id, 2 * number).await;
            started(&*by, &user.id, 2 * number + 1).await;
            assert!(by.revoke(session_id(2 * number), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
            password_set(&*by, &user.id, "new", at(2)).await;
        }));
    }
    let user = stored(&*store, "last").await;
    let last = started(&*store, &user.id, 1_000).await;
    let following = tokio::spawn(async move {
        let [one, two] = &mut followers.feeds;
        let last = Change::SessionEnded(last.id);
        let (one, two) = tokio::join!(up_to(one, last.clone()), up_to(two, last));
        assert_eq!(one, two);
        one
    });
    answers(writers).await;
    assert!(store.revoke(last.id, RevokeReason::Logout, &Effects::NONE, at(3)).await.unwrap());
    assert_eq!(following.await.unwrap().into_iter().collect::<HashSet<_>>(), expected);
}

/// A feed that cannot keep all changes reports a gap.
#[apply(feed_case!)]
async fn reports_changes_made_between_calls(fixture: FeedFixture) {
    const SESSIONS: u64 = 300;
    let (store, _, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    for number in 0..SESSIONS {
        started(&*store, &user.id, number).await;
        assert!(store.revoke(session_id(number), RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
    }
    let expected: Vec<_> = (0..SESSIONS).map(ended).collect();
    for feed in &mut followers.feeds {
        let answer = answer(feed).await;
        assert!(answer == expected || answer.first() == Some(&Change::Gap), "{answer:?}");
    }
}
