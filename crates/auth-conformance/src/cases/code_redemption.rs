//! One-time codes: redeeming them with the second factor that answers them.

use std::sync::Arc;

use auth_accounts::code::{CodeId, CodePurpose, OneTimeCode};
use auth_accounts::ports::Store;
use auth_accounts::second_factor::{NewFactor, VerifiedFactor};
use auth_core::effects::Effects;
use auth_core::time::Seconds;
use auth_core::user::UserId;
use macro_rules_attribute::apply;

use super::account_fixture::exhaust;
use super::fixture::{code_now, effects, enrolled, issued, queued, stored, totp};
use crate::{at, code_id, mac};

async fn last_step(store: &dyn Store, user: &UserId) -> Option<u64> {
    store.factors_of(user).await.unwrap().totp.and_then(|totp| totp.last_step)
}

/// Asserts that the code is not redeemed and that code, factors and outbox are unchanged.
async fn assert_refused(store: &dyn Store, user: &UserId, code: CodeId, factor: VerifiedFactor) {
    let (before, factors, mails) =
        (code_now(store, code).await, store.factors_of(user).await.unwrap(), queued(store).await);
    assert!(!store.redeem(code, factor, &effects(&[99]), at(9)).await.unwrap(), "{factor:?}");
    assert_eq!(code_now(store, code).await, before, "{factor:?}");
    assert_eq!(store.factors_of(user).await.unwrap(), factors, "{factor:?}");
    assert_eq!(queued(store).await, mails, "{factor:?}");
}

#[apply(account_case!)]
async fn a_code_is_redeemed_only_once(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let (code, other) =
        (issued(&*store, &user, 1, CodePurpose::Login).await, issued(&*store, &user, 2, CodePurpose::Login).await);
    assert!(store.redeem(code.id, VerifiedFactor::Email, &effects(&[1, 2]), at(5)).await.unwrap());
    assert_refused(&*store, &user, code.id, VerifiedFactor::Email).await;
    assert_eq!(code_now(&*store, code.id).await, OneTimeCode { consumed_at: Some(at(5)), ..code });
    assert_eq!(code_now(&*store, other.id).await, other);
    assert_eq!(queued(&*store).await, [1, 2]);
    assert!(
        !store.redeem(code_id(3), VerifiedFactor::Email, &effects(&[3]), at(5)).await.unwrap(),
        "the code does not exist"
    );
    assert_eq!(queued(&*store).await, [1, 2]);
}

/// `try_code` has checked both, and the last attempt may have been correct.
#[apply(account_case!)]
async fn redeem_checks_neither_attempts_nor_expiry(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let code = issued(&*store, &user, 1, CodePurpose::Login).await;
    exhaust(&*store, code.id, at(1)).await;
    let late = code.expires_at.plus(Seconds::new(1));
    assert!(store.redeem(code.id, VerifiedFactor::Email, &Effects::NONE, late).await.unwrap());
    let expected = OneTimeCode { attempts: OneTimeCode::MAX_ATTEMPTS, consumed_at: Some(late), ..code };
    assert_eq!(code_now(&*store, expected.id).await, expected);
}

#[apply(account_case!)]
async fn refuses_to_redeem_an_ended_code(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let ended = issued(&*store, &user, 1, CodePurpose::EmailEnrolment).await;
    issued(&*store, &user, 2, CodePurpose::EmailEnrolment).await;
    assert_refused(&*store, &user, ended.id, VerifiedFactor::Email).await;
}

#[apply(account_case!)]
async fn a_time_step_is_good_once_and_invalidates_earlier_ones(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let other = stored(&*store, "other").await.id;
    enrolled(&*store, &user, &totp(100), &[]).await;
    enrolled(&*store, &other, &totp(100), &[]).await;
    // A time step of more than 32 bits, far in the future.
    let late = 8_446_743_359;
    for (number, step, is_new) in [
        (1, 100, false),
        (2, 99, false),
        (3, 0, false),
        (4, 101, true),
        (5, 101, false),
        (6, 100, false),
        (7, 105, true),
        (8, 104, false),
        (9, late, true),
    ] {
        let code = issued(&*store, &user, number, CodePurpose::Login).await.id;
        if is_new {
            assert!(store.redeem(code, VerifiedFactor::Totp(step), &Effects::NONE, at(1)).await.unwrap(), "{step}");
            assert_eq!(last_step(&*store, &user).await, Some(step));
            assert_eq!(code_now(&*store, code).await.consumed_at, Some(at(1)));
        } else {
            assert_refused(&*store, &user, code, VerifiedFactor::Totp(step)).await;
        }
    }
    assert_eq!(last_step(&*store, &other).await, Some(100));
}

#[apply(account_case!)]
async fn refuses_a_time_step_without_an_authenticator(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let other = stored(&*store, "other").await.id;
    enrolled(&*store, &other, &totp(1), &[]).await;
    let code = issued(&*store, &user, 1, CodePurpose::Login).await.id;
    assert_refused(&*store, &user, code, VerifiedFactor::Totp(2)).await;
    enrolled(&*store, &user, &NewFactor::Email, &[]).await;
    let code = issued(&*store, &user, 2, CodePurpose::Login).await.id;
    assert_refused(&*store, &user, code, VerifiedFactor::Totp(2)).await;
    assert_eq!(last_step(&*store, &other).await, Some(1));
    assert!(store.redeem(code, VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
}

#[apply(account_case!)]
async fn a_recovery_code_is_good_once(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let other = stored(&*store, "other").await.id;
    enrolled(&*store, &user, &totp(1), &[mac(1), mac(2), mac(3)]).await;
    enrolled(&*store, &other, &totp(1), &[mac(2), mac(4)]).await;
    let first = issued(&*store, &user, 1, CodePurpose::Login).await.id;
    let second = issued(&*store, &user, 2, CodePurpose::Login).await.id;
    assert!(store.redeem(first, VerifiedFactor::RecoveryCode(mac(2)), &effects(&[1]), at(1)).await.unwrap());
    assert_refused(&*store, &user, second, VerifiedFactor::RecoveryCode(mac(2))).await;
    assert_refused(&*store, &user, second, VerifiedFactor::RecoveryCode(mac(4))).await;
    // Trying to redeem a used code does not use up a recovery code.
    assert_refused(&*store, &user, first, VerifiedFactor::RecoveryCode(mac(1))).await;
    assert!(store.redeem(second, VerifiedFactor::RecoveryCode(mac(3)), &Effects::NONE, at(1)).await.unwrap());
    assert_eq!(store.factors_of(&user).await.unwrap().recovery_codes, [mac(1)]);
    assert_eq!(store.factors_of(&other).await.unwrap().recovery_codes.len(), 2);
    assert_eq!(queued(&*store).await, [1]);
}
