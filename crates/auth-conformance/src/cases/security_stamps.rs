//! The security stamp: what advances it, and which writes are refused afterwards. Also promotions, which grant rights
//! and revoke what was started without them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use auth_accounts::account::ProfileChange;
use auth_accounts::code::{CodeId, CodePurpose};
use auth_accounts::ports::{EmailUpdate, IssueIf, NewPassword, PasswordUpdate, ProfileUpdate, Store, VerifiedEmail};
use auth_accounts::second_factor::{Method, NewFactor, VerifiedFactor};
use auth_core::effects::Effects;
use auth_core::ports::Swap;
use auth_core::time::UnixTime;
use auth_core::token::{RevokeReason, Session};
use auth_core::user::{SecurityStamp, User, UserId};
use macro_rules_attribute::apply;

use super::account_fixture::AccountFixture;
use super::concurrency::{Gate, ROUNDS, answers};
use super::fixture::{
    all_users, created, enrolled, issued, password_set, session_now, started, stored, totp, user_now,
};
use crate::{at, code_id, code_of, email, hash_of, mac, new_user, session_id, session_of, successor_of, username};

async fn stamp(store: &dyn Store, id: &UserId) -> SecurityStamp {
    user_now(store, id).await.security_stamp
}

/// Asserts that the stamp has advanced since `before` was read, and that no write conditional on the old stamp
/// succeeds. Returns the current account.
async fn assert_advanced(store: &dyn Store, before: &User, what: &str) -> User {
    let now = user_now(store, &before.id).await;
    assert_ne!(now.security_stamp, before.security_stamp, "{what}");
    let login = session_of(&before.id, session_id(900), at(0));
    assert!(!store.start(&login, before, None, &Effects::NONE).await.unwrap(), "{what}");
    assert_eq!(store.find_session(login.id).await.unwrap(), None, "{what}");
    let code = code_of(&before.id, code_id(900), CodePurpose::Login, at(0));
    assert!(!store.issue(&code, &Effects::NONE, &IssueIf::still(before)).await.unwrap(), "{what}");
    assert_eq!(store.find_code(code.id).await.unwrap(), None, "{what}");
    let only_at = Some(before.security_stamp);
    let password = NewPassword { only_at, ..NewPassword::new(before.id.clone(), hash_of("overtaken")) };
    assert_eq!(store.set_password(&password, at(900)).await.unwrap(), PasswordUpdate::Overtaken, "{what}");
    let change = ProfileChange { email: Some(email("overtaken@example.com")), only_at, ..ProfileChange::default() };
    assert_eq!(store.update_profile(&before.id, &change).await.unwrap(), ProfileUpdate::Overtaken, "{what}");
    let code = code_of(
        &before.id,
        CodeId::from_bytes([now.security_stamp.get() as u8; 16]),
        CodePurpose::EmailChange,
        at(900),
    );
    assert!(store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap(), "{what}");
    let email = email("overtaken@example.com");
    let verified = VerifiedEmail {
        user: before.id.clone(),
        code: code.id,
        email,
        is_change: true,
        only_at,
        effects: Effects::default(),
    };
    assert_eq!(store.confirm_email(&verified, at(900).into()).await.unwrap(), EmailUpdate::Overtaken, "{what}");
    store.redeem(code.id, VerifiedFactor::Email, &Effects::NONE, at(900)).await.unwrap();
    let factors = store.factors_of(&before.id).await.unwrap();
    assert!(!store.remove_factors(&before.id, &factors.on(), only_at, &Effects::NONE).await.unwrap(), "{what}");
    assert!(!store.replace_recovery_codes(&before.id, &[mac(9)], only_at, &Effects::NONE).await.unwrap(), "{what}");
    assert_eq!(store.factors_of(&before.id).await.unwrap(), factors, "{what}");
    assert_eq!(user_now(store, &before.id).await, now, "{what}");
    now
}

#[apply(account_case!)]
async fn every_change_of_rights_advances_the_stamp(store: Arc<dyn Store>) {
    let other = stored(&*store, "other").await;
    let mut user = stored(&*store, "alice").await;
    let id = user.id.clone();
    for active in [false, true] {
        assert!(store.set_active(&id, active, &Effects::NONE).await.unwrap());
        user = assert_advanced(&*store, &user, "is_active").await;
    }
    for staff in [true, false] {
        assert!(store.set_staff(&id, staff, &Effects::NONE).await.unwrap());
        user = assert_advanced(&*store, &user, "is_staff").await;
    }
    for groups in [vec!["editors"], vec!["editors", "writers"], vec![]] {
        let groups = groups.into_iter().map(|name| auth_core::user::GroupName::parse(name).unwrap()).collect();
        assert!(store.set_groups(&id, &groups, &Effects::NONE).await.unwrap());
        user = assert_advanced(&*store, &user, "groups").await;
    }
    assert!(store.promote(&id, &Effects::NONE, at(1)).await.unwrap());
    assert_advanced(&*store, &user, "promotion").await;
    assert_eq!(user_now(&*store, &other.id).await, other);
}

#[apply(account_case!)]
async fn every_change_of_password_and_factors_advances_the_stamp(store: Arc<dyn Store>) {
    let other = stored(&*store, "other").await;
    let mut user = stored(&*store, "alice").await;
    let id = user.id.clone();
    password_set(&*store, &id, "new", at(1)).await;
    user = assert_advanced(&*store, &user, "a new password").await;
    store.revoke_all(&id, None, RevokeReason::LogoutAll, &Effects::NONE, at(2)).await.unwrap();
    user = assert_advanced(&*store, &user, "revoke_all").await;
    for (number, factor) in (0..).zip([NewFactor::Email, totp(1), totp(2)]) {
        issued(&*store, &id, number, CodePurpose::TotpEnrolment).await;
        let added =
            store.add_factor(&id, &factor, code_id(number), &[mac(1)], &Effects::NONE, at(3).into()).await.unwrap();
        assert!(added.is_some());
        user = assert_advanced(&*store, &user, "a factor added or replaced").await;
    }
    assert!(store.replace_recovery_codes(&id, &[mac(2)], None, &Effects::NONE).await.unwrap());
    user = assert_advanced(&*store, &user, "recovery codes replaced").await;
    for method in [Method::RecoveryCode, Method::Totp, Method::Email] {
        assert!(store.remove_factors(&id, &[method], None, &Effects::NONE).await.unwrap());
        user = assert_advanced(&*store, &user, "a factor removed").await;
    }
    assert_eq!(user_now(&*store, &other.id).await, other);
}

#[apply(account_case!)]
async fn every_change_of_the_email_address_advances_the_stamp(store: Arc<dyn Store>) {
    let other = stored(&*store, "other").await;
    let mut user = stored(&*store, "alice").await;
    let id = user.id.clone();
    let moved = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
    assert!(matches!(store.update_profile(&id, &moved).await.unwrap(), ProfileUpdate::Done(_)));
    user = assert_advanced(&*store, &user, "an unverified email address").await;
    let code = issued(&*store, &id, 1, CodePurpose::EmailChange).await.id;
    let (email, only_at) = (email("newest@example.com"), Some(user.security_stamp));
    let verified = VerifiedEmail { user: id, code, email, is_change: true, only_at, effects: Effects::default() };
    assert!(matches!(store.confirm_email(&verified, at(0).into()).await.unwrap(), EmailUpdate::Done(_)));
    assert_advanced(&*store, &user, "a verified email address").await;
    assert_eq!(user_now(&*store, &other.id).await, other);
}

#[apply(account_case!)]
async fn changes_factors_only_at_the_stamp_that_was_read(store: Arc<dyn Store>) {
    let id = stored(&*store, "alice").await.id;
    enrolled(&*store, &id, &NewFactor::Email, &[mac(1)]).await;
    let only_at = Some(stamp(&*store, &id).await);
    assert!(store.replace_recovery_codes(&id, &[mac(2)], only_at, &Effects::NONE).await.unwrap());
    assert!(!store.remove_factors(&id, &[Method::Email], only_at, &Effects::NONE).await.unwrap());
    let only_at = Some(stamp(&*store, &id).await);
    assert!(store.remove_factors(&id, &[Method::Email], only_at, &Effects::NONE).await.unwrap());
}

#[apply(account_case!)]
async fn other_changes_keep_the_stamp(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let id = user.id;
    enrolled(&*store, &id, &NewFactor::Email, &[mac(1), mac(2)]).await;
    let before = stamp(&*store, &id).await;
    let session = started(&*store, &id, 1).await;
    assert_eq!(
        store.advance(session.id, session.generation, successor_of(&session, at(1)), &Effects::NONE).await.unwrap(),
        Swap::Done
    );
    assert!(store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(2)).await.unwrap());
    assert!(store.upgrade_hash(&id, &hash_of("alice"), &hash_of("upgraded")).await.unwrap());
    let renamed = ProfileChange { username: Some(username("alicia")), ..ProfileChange::default() };
    assert!(matches!(store.update_profile(&id, &renamed).await.unwrap(), ProfileUpdate::Done(_)));
    let respelt = ProfileChange { email: Some(email("ALICE@example.com")), ..ProfileChange::default() };
    assert!(matches!(store.update_profile(&id, &respelt).await.unwrap(), ProfileUpdate::Done(_)));
    // A login uses these up.
    let code = issued(&*store, &id, 1, CodePurpose::Login).await.id;
    assert!(store.redeem(code, VerifiedFactor::RecoveryCode(mac(1)), &Effects::NONE, at(3)).await.unwrap());
    let code = issued(&*store, &id, 2, CodePurpose::EmailVerification).await.id;
    let verified = VerifiedEmail {
        user: id.clone(),
        code,
        email: email("alice@example.com"),
        is_change: false,
        only_at: None,
        effects: Effects::default(),
    };
    assert!(matches!(store.confirm_email(&verified, at(0).into()).await.unwrap(), EmailUpdate::Done(_)));
    // No-ops and refused calls.
    assert!(store.set_active(&id, true, &Effects::NONE).await.unwrap());
    assert!(store.set_staff(&id, false, &Effects::NONE).await.unwrap());
    assert!(store.set_groups(&id, &user.groups, &Effects::NONE).await.unwrap());
    assert!(!store.remove_factors(&id, &[Method::Totp], None, &Effects::NONE).await.unwrap());
    let enrolment = CodeId::from_bytes([9; 16]);
    assert_eq!(store.add_factor(&id, &totp(1), enrolment, &[], &Effects::NONE, at(4).into()).await.unwrap(), None);
    assert_eq!(stamp(&*store, &id).await, before);
}

#[apply(account_case!)]
async fn changes_a_profile_only_at_the_stamp_that_was_read(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    stored(&*store, "other").await;
    let only_at = Some(user.security_stamp);
    let change = ProfileChange { email: Some(email("new@example.com")), only_at, ..ProfileChange::default() };
    let ProfileUpdate::Done(changed) = store.update_profile(&user.id, &change).await.unwrap() else { panic!() };
    assert_eq!(
        (changed.email.as_deref(), changed.security_stamp),
        (Some("new@example.com"), user.security_stamp.next())
    );
    let nothing = ProfileChange { only_at, ..ProfileChange::default() };
    let taken = ProfileChange { email: Some(email("other@example.com")), ..nothing.clone() };
    for overtaken in [nothing, taken] {
        assert_eq!(store.update_profile(&user.id, &overtaken).await.unwrap(), ProfileUpdate::Overtaken);
        assert_eq!(store.update_profile(&UserId::new(i64::MAX), &overtaken).await.unwrap(), ProfileUpdate::Gone);
    }
}

/// Asserts that the promotion at `now` revoked a session.
fn assert_ended(session: &Session, now: UnixTime) {
    let ended = (session.revoked_at, session.revoke_reason);
    assert_eq!(ended, (Some(now), Some(RevokeReason::Administrator)));
}

#[apply(account_case!)]
async fn a_promotion_grants_staff_rights_and_revokes_every_session(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let spared = AccountFixture::of(&*store, "other").await;
    let (before, others) = (fixture.state().await, spared.state().await);
    assert!(store.promote(&fixture.id, &Effects::NONE, at(60)).await.unwrap());
    let after = fixture.state().await;
    let security_stamp = after.user.security_stamp;
    assert_eq!(after.user, User { is_staff: true, token_epoch: at(60), security_stamp, ..before.user });
    after.sessions.iter().for_each(|session| assert_ended(session, at(60)));
    assert_eq!(after.open(), [CodePurpose::PasswordReset, CodePurpose::EmailVerification]);
    assert_eq!(after.hash, before.hash);
    assert_eq!(spared.state().await, others);
    assert!(!store.promote(&UserId::new(i64::MAX), &Effects::NONE, at(60)).await.unwrap());
}

#[apply(account_case!)]
async fn a_promotion_of_a_staff_user_changes_nothing(store: Arc<dyn Store>) {
    let user = created(&*store, &auth_accounts::account::NewUser { is_staff: true, ..new_user("alice") }).await;
    let session = started(&*store, &user.id, 1).await;
    assert!(store.promote(&user.id, &Effects::NONE, at(60)).await.unwrap());
    assert_eq!(all_users(&*store).await, [user]);
    assert_eq!(session_now(&*store, session.id).await, session);
}

/// No session that was started on the rights of an ordinary account stays live after the promotion.
#[apply(account_case!)]
async fn no_login_survives_a_promotion(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await;
        let id = user.id;
        let gate = Gate::of(5, round, &store);
        let sessions: Vec<_> = (0..4).map(|n| session_of(&id, session_id(4 * round + n), at(0))).collect();
        let logins = sessions.iter().cloned().map(|session| {
            gate.send_for(&id, async move |store, id| {
                // A login decides on the account as it was read.
                let read = user_now(&*store, &id).await;
                !read.is_staff && store.start(&session, &read, None, &Effects::NONE).await.unwrap()
            })
        });
        let logins = logins.collect();
        let promotion = gate.send(move |store| async move { store.promote(&id, &Effects::NONE, at(1)).await.unwrap() });
        let logins = answers(logins).await;
        assert!(promotion.await.unwrap());
        for (session, is_started) in sessions.iter().zip(logins) {
            match store.find_session(session.id).await.unwrap() {
                Some(found) => assert_ended(&found.session, at(1)),
                None => assert!(!is_started),
            }
        }
    }
}

/// A login that read the account without a second factor must not start a session after one was added.
#[apply(account_case!)]
async fn no_session_starts_for_a_user_read_before_a_factor_was_added(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await;
        issued(&*store, &user.id, round, CodePurpose::EmailEnrolment).await;
        let gate = Gate::of(2, round, &store);
        let is_on = Arc::new(AtomicBool::new(false));
        let (id, answered) = (user.id.clone(), Arc::clone(&is_on));
        let logins = gate.send_for(&id, async move |store, id| {
            let mut started_too_late = false;
            for number in 0..16 {
                let session = session_of(&id, session_id(16 * round + number), at(0));
                let is_late = is_on.load(Ordering::SeqCst);
                started_too_late |= store.start(&session, &user, None, &Effects::NONE).await.unwrap() && is_late;
            }
            started_too_late
        });
        let addition = gate.send(move |store| async move {
            let (factor, code, now) = (NewFactor::Email, code_id(round), at(1).into());
            assert!(store.add_factor(&id, &factor, code, &[], &Effects::NONE, now).await.unwrap().is_some());
            answered.store(true, Ordering::SeqCst);
        });
        addition.await.unwrap();
        assert!(!logins.await.unwrap());
    }
}
