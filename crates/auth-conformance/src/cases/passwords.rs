//! Accounts: setting a password, and the conditions for it.

use std::sync::Arc;

use auth_accounts::code::{CodePurpose, OneTimeCode};
use auth_accounts::ports::{IssueIf, NewPassword, PasswordUpdate, Store};
use auth_accounts::second_factor::{Factors, Method, NewFactor, VerifiedFactor};
use auth_core::effects::Effects;
use auth_core::ports::{KeptSession, ReplacedSession, Swap};
use auth_core::time::Timestamp;
use auth_core::token::{Generation, RevokeReason, Session, SessionId};
use auth_core::user::{User, UserId};
use macro_rules_attribute::apply;

use super::account_fixture::{AccountFixture, AccountState, exhaust, unusable_codes, usable_codes};
use super::fixture::{code_now, effects, enrolled, queued, session_now, started, stored, totp, user_now};
use crate::{at, code_id, email, hash_of, mac, session_id, session_of, successor_of};

/// The password "new", with an email to enqueue.
fn new_password(user: &UserId) -> NewPassword {
    NewPassword { effects: effects(&[1]), ..NewPassword::new(user.clone(), hash_of("new")) }
}

/// The session as a [`KeptSession`], with its next rotation generation.
async fn kept(store: &dyn Store, id: SessionId) -> KeptSession {
    let session = session_now(store, id).await;
    KeptSession { id, from: session.generation, next: successor_of(&session, at(60)) }
}

async fn assert_overtaken(store: &dyn Store, fixture: &AccountFixture<'_>, new: &NewPassword, why: &str) {
    let new = NewPassword { effects: effects(&[99]), ..new.clone() };
    let before = fixture.state().await;
    assert_eq!(store.set_password(&new, at(60)).await.unwrap(), PasswordUpdate::Overtaken, "{why}");
    assert_eq!(fixture.state().await, before, "{why}");
}

#[apply(account_case!)]
async fn sets_a_password_only_at_the_stamp_that_was_read(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    stored(&*store, "other").await;
    let read = user_now(&*store, &fixture.id).await.security_stamp;
    let only_at = |stamp| NewPassword { only_at: Some(stamp), ..new_password(&fixture.id) };
    assert_overtaken(&*store, &fixture, &only_at(read.next()), "wrong stamp").await;
    assert_eq!(store.set_password(&only_at(read), at(60)).await.unwrap(), PasswordUpdate::Done);
    assert_eq!(fixture.state().await.hash, hash_of("new"));
    assert_overtaken(&*store, &fixture, &only_at(read), "former stamp").await;
    assert_eq!(queued(&*store).await, [1]);
}

#[apply(account_case!)]
async fn sets_a_password_only_with_a_usable_code(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let other = stored(&*store, "other").await.id;
    let by = |code| NewPassword { code: Some(code), effects: Effects::default(), ..new_password(&fixture.id) };
    for (fault, code) in unusable_codes(&*store, &fixture.id, other, at(60)).await {
        assert_overtaken(&*store, &fixture, &by(code), fault).await;
    }
    for code in usable_codes(&fixture.id, at(60)) {
        assert!(store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap());
        assert_eq!(store.set_password(&by(code.id), at(60)).await.unwrap(), PasswordUpdate::Done, "{code:?}");
        assert_eq!(code_now(&*store, code.id).await, OneTimeCode { consumed_at: Some(at(60)), ..code.clone() });
        assert_overtaken(&*store, &fixture, &by(code.id), "used by a new password").await;
    }
}

#[apply(account_case!)]
async fn an_exhausted_code_still_sets_a_password(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let code = fixture.code(CodePurpose::PasswordReset);
    exhaust(&*store, code, at(1)).await;
    let new = NewPassword { code: Some(code), ..new_password(&fixture.id) };
    assert_eq!(store.set_password(&new, at(60)).await.unwrap(), PasswordUpdate::Done);
    assert_eq!(code_now(&*store, code).await.consumed_at, Some(at(60)));
}

#[apply(account_case!)]
async fn sets_a_password_only_if_the_kept_session_is_live(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let other = stored(&*store, "other").await.id;
    let foreign = started(&*store, &other, 1).await.id;
    let [id, ended] = fixture.sessions;
    let good = kept(&*store, id).await;
    let keeping = |keep| NewPassword { keep: Some(keep), ..new_password(&fixture.id) };
    assert!(store.revoke(ended, RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
    for (fault, keep) in [
        ("revoked", kept(&*store, ended).await),
        ("of another user", kept(&*store, foreign).await),
        ("unknown", KeptSession { id: session_id(2), ..good }),
        ("of a later generation", KeptSession { from: Generation::new(1), ..good }),
    ] {
        assert_overtaken(&*store, &fixture, &keeping(keep), fault).await;
    }
    assert_eq!(store.advance(id, good.from, good.next, &Effects::NONE).await.unwrap(), Swap::Done);
    assert_overtaken(&*store, &fixture, &keeping(good), "rotated meanwhile").await;
    assert!(session_now(&*store, foreign).await.revoked_at.is_none());
}

#[apply(account_case!)]
async fn a_new_password_revokes_all_sessions_but_the_kept_one(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let spared = AccountFixture::of(&*store, "other").await;
    let (before, others) = (fixture.state().await, spared.state().await);
    let [id, _] = fixture.sessions;
    let keep = kept(&*store, id).await;

    let new = NewPassword { keep: Some(keep), effects: Effects::default(), ..new_password(&fixture.id) };
    assert_eq!(store.set_password(&new, at(60)).await.unwrap(), PasswordUpdate::Done);

    let after = fixture.state().await;
    let [goes_on, ends] = before.sessions;
    let goes_on = Session {
        generation: keep.next.generation,
        rotated_at: keep.next.rotated_at,
        last_used_at: keep.next.rotated_at,
        expires_at: keep.next.expires_at,
        ..goes_on
    };
    let reason = Some(RevokeReason::PasswordChanged);
    let ends = Session { revoked_at: Some(at(60)), revoke_reason: reason, ..ends };
    assert_eq!(after.sessions, [goes_on.clone(), ends]);
    let security_stamp = before.user.security_stamp.next();
    assert_eq!(after.user, User { token_epoch: at(60), security_stamp, ..before.user.clone() });
    assert_eq!(spared.state().await, others);
    // A token of the previous rotation generation is no longer live, and a login in progress must not start a session.
    assert_eq!(store.advance(id, keep.from, keep.next, &Effects::NONE).await.unwrap(), Swap::LostRace);
    let login = session_of(&fixture.id, session_id(1), at(60));
    assert!(!store.start(&login, &before.user, None, &Effects::NONE).await.unwrap());
    let next = successor_of(&goes_on, at(61));
    assert_eq!(store.advance(id, goes_on.generation, next, &Effects::NONE).await.unwrap(), Swap::Done);
    assert_eq!(store.prune_sessions(goes_on.expires_at, 10).await.unwrap(), 3, "the kept session expires later");
}

#[apply(account_case!)]
async fn a_new_password_can_replace_a_session(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let other = stored(&*store, "other").await.id;
    let foreign = started(&*store, &other, 1).await.id;
    let [id, ended] = fixture.sessions;
    let begins = Session { amr: "pwd otp mfa".to_owned(), ..session_of(&fixture.id, session_id(2), at(60)) };
    let replacing = |ends| {
        let replace = Some(ReplacedSession { ends, begins: begins.clone() });
        NewPassword { replace, effects: Effects::default(), ..new_password(&fixture.id) }
    };
    assert!(store.revoke(ended, RevokeReason::Logout, &Effects::NONE, at(1)).await.unwrap());
    for (fault, ends) in [("revoked", ended), ("of another user", foreign), ("unknown", session_id(3))] {
        assert_overtaken(&*store, &fixture, &replacing(ends), fault).await;
        assert_eq!(store.find_session(begins.id).await.unwrap(), None, "{fault}");
    }
    assert_eq!(store.set_password(&replacing(id), at(60)).await.unwrap(), PasswordUpdate::Done);
    assert_eq!(session_now(&*store, begins.id).await, begins);
    let replaced = session_now(&*store, id).await;
    let end = (replaced.revoked_at, replaced.revoke_reason);
    assert_eq!(end, (Some(at(60)), Some(RevokeReason::PasswordChanged)));
    assert_eq!(session_now(&*store, ended).await.revoke_reason, Some(RevokeReason::Logout));
    assert_eq!(session_now(&*store, foreign).await.revoked_at, None);
}

#[apply(account_case!)]
async fn a_new_password_ends_all_open_codes(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let spared = AccountFixture::of(&*store, "other").await;
    let others = spared.state().await;
    let used = fixture.code(CodePurpose::Login);
    assert!(store.redeem(used, VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
    let new = NewPassword { effects: Effects::default(), ..new_password(&fixture.id) };
    assert_eq!(store.set_password(&new, at(60)).await.unwrap(), PasswordUpdate::Done);
    for code in fixture.state().await.codes {
        assert_eq!(code.consumed_at, Some(if code.id == used { at(1) } else { at(60) }), "{code:?}");
        assert_eq!(store.try_code(code.id, at(60)).await.unwrap(), None);
    }
    assert_eq!(spared.state().await, others);
}

#[apply(account_case!)]
async fn a_new_password_verifies_only_the_current_email_address(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    stored(&*store, "other").await;
    for (now, address, expected) in [
        (1, None, None),
        (2, Some("other@example.com"), None),
        (3, Some("former@example.com"), None),
        (4, Some("ALICE@example.COM"), Some(Timestamp::from(at(4)))),
        (5, None, Some(at(4).into())),
        (6, Some("former@example.com"), Some(at(4).into())),
    ] {
        let new = NewPassword { verifies: address.map(email), ..NewPassword::new(user.id.clone(), hash_of("new")) };
        assert_eq!(store.set_password(&new, at(now)).await.unwrap(), PasswordUpdate::Done, "{address:?}");
        let security_stamp = user_now(&*store, &user.id).await.security_stamp;
        let expected = User { email_verified_at: expected, token_epoch: at(now), security_stamp, ..user.clone() };
        assert_eq!(user_now(&*store, &user.id).await, expected, "{address:?}");
    }
}

#[apply(account_case!)]
async fn sets_a_password_only_if_all_conditions_hold(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let code = fixture.code(CodePurpose::PasswordReset);
    let keep = kept(&*store, fixture.sessions[0]).await;
    let read = user_now(&*store, &fixture.id).await.security_stamp;
    let good = NewPassword {
        only_at: Some(read),
        code: Some(code),
        verifies: Some(email("alice@example.com")),
        keep: Some(keep),
        effects: effects(&[1, 2]),
        ..new_password(&fixture.id)
    };
    for (fault, bad) in [
        ("wrong stamp", NewPassword { only_at: Some(read.next()), ..good.clone() }),
        ("unknown code", NewPassword { code: Some(code_id(5)), ..good.clone() }),
        ("unknown session", NewPassword { keep: Some(KeptSession { id: session_id(1), ..keep }), ..good.clone() }),
    ] {
        assert_overtaken(&*store, &fixture, &bad, fault).await;
    }
    let unknown_user = NewPassword { user: UserId::new(i64::MAX), ..good.clone() };
    assert_ne!(store.set_password(&unknown_user, at(60)).await.unwrap(), PasswordUpdate::Done);
    assert!(queued(&*store).await.is_empty());
    assert_eq!(store.set_password(&good, at(60)).await.unwrap(), PasswordUpdate::Done);
    assert_eq!(queued(&*store).await, [1, 2]);
    assert_eq!(user_now(&*store, &fixture.id).await.email_verified_at, Some(at(60).into()));
}

/// Sets a new password that verifies the email address and removes these factors, with an email to enqueue.
async fn removed(store: &dyn Store, user: &UserId, address: Option<&str>, removes: &[Method]) -> PasswordUpdate {
    let new = NewPassword { verifies: address.map(email), removes: removes.to_vec(), ..new_password(user) };
    store.set_password(&new, at(60)).await.unwrap()
}

#[apply(account_case!)]
async fn verifying_with_a_new_password_removes_earlier_factors(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let spared = AccountFixture::of(&*store, "other").await;
    for id in [fixture.id.clone(), spared.id.clone()] {
        enrolled(&*store, &id, &totp(1), &[mac(1), mac(2)]).await;
    }
    let (before, others) = (fixture.state().await, spared.state().await);
    let own = Some("Alice@example.com");
    for (address, removes) in [
        (own, &[][..]),
        (own, &[Method::Email]),
        (own, &[Method::Email, Method::Totp]),
        (None, &[Method::Totp]),
        (Some("former@example.com"), &[Method::Totp]),
    ] {
        let outcome = removed(&*store, &fixture.id, address, removes).await;
        assert_eq!(outcome, PasswordUpdate::Overtaken, "{address:?} {removes:?}");
        assert_eq!(fixture.state().await, before, "{address:?} {removes:?}");
    }
    assert_eq!(removed(&*store, &fixture.id, own, &[Method::Totp]).await, PasswordUpdate::Done);
    let after = fixture.state().await;
    assert_eq!((after.factors, after.user.email_verified_at), (Factors::default(), Some(at(60).into())));
    assert_eq!(queued(&*store).await, [1]);
    assert_eq!(AccountState { outbox: Vec::new(), ..spared.state().await }, others);
    // The recovery codes of the removed factor are not valid with the next one.
    enrolled(&*store, &fixture.id, &NewFactor::Email, &[mac(3)]).await;
    assert_eq!(store.factors_of(&fixture.id).await.unwrap().recovery_codes, [mac(3)]);
}

#[apply(account_case!)]
async fn a_new_password_keeps_the_factors_of_a_verified_address(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    enrolled(&*store, &user, &NewFactor::Email, &[mac(1)]).await;
    enrolled(&*store, &user, &totp(1), &[]).await;
    let before = store.factors_of(&user).await.unwrap();
    let both = [Method::Totp, Method::Email];
    for address in [Some("alice@example.com"), None] {
        assert_eq!(removed(&*store, &user, address, &both).await, PasswordUpdate::Overtaken, "{address:?}");
    }
    assert_eq!(removed(&*store, &user, Some("alice@example.com"), &[]).await, PasswordUpdate::Done);
    assert_eq!(store.factors_of(&user).await.unwrap(), before);
}
