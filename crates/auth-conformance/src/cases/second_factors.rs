//! Second factors and recovery codes: adding and removing them.

use std::sync::Arc;

use auth_accounts::code::{CodeId, CodePurpose};
use auth_accounts::ports::Store;
use auth_accounts::second_factor::{Factors, Method, NewFactor, TotpFactor, VerifiedFactor};
use auth_accounts::secret::{Mac, Sealed};
use auth_core::effects::Effects;
use auth_core::time::Timestamp;
use auth_core::user::{SecurityStamp, User, UserId};
use macro_rules_attribute::apply;

use super::account_fixture::{AccountFixture, exhaust};
use super::fixture::{code_now, effects, enrolled, issued, number_of, queued, stored, totp, user_now};
use crate::{at, code_id, mac};

const NOW: Timestamp = Timestamp::from_micros(1_000_000_060_123_457);

/// The factors of an account, with sorted recovery codes.
async fn factors_now(store: &dyn Store, user: &UserId) -> Factors {
    let mut factors = store.factors_of(user).await.unwrap();
    factors.recovery_codes.sort_unstable();
    factors
}

/// Adds a factor with this code, and enqueues an email with this number.
async fn added(
    store: &dyn Store,
    user: &UserId,
    factor: &NewFactor,
    code: CodeId,
    codes: &[Mac],
    mail: u64,
) -> Option<bool> {
    store.add_factor(user, factor, code, codes, &effects(&[mail]), NOW).await.unwrap()
}

#[apply(account_case!)]
async fn a_new_account_has_no_second_factor(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for id in [user, UserId::new(i64::MAX)] {
        assert_eq!(store.factors_of(&id).await.unwrap(), Factors::default());
    }
}

#[apply(account_case!)]
async fn factor_changes_end_challenges_enrolments_and_email_changes(store: Arc<dyn Store>) {
    let links = [CodePurpose::PasswordReset, CodePurpose::EmailVerification];
    let (adding, removing) =
        (AccountFixture::of(&*store, "adding").await, AccountFixture::of(&*store, "removing").await);
    let spared = AccountFixture::of(&*store, "spared").await;
    let code = adding.code(CodePurpose::EmailEnrolment);
    assert_eq!(added(&*store, &adding.id, &NewFactor::Email, code, &[], 1).await, Some(true));
    assert_eq!(adding.state().await.open(), links);

    let code = removing.code(CodePurpose::TotpEnrolment);
    assert_eq!(added(&*store, &removing.id, &totp(5), code, &[], 2).await, Some(true));
    // Issued after the factor was added, so that the addition did not end them.
    let later = [(91, CodePurpose::Confirmation), (92, CodePurpose::EmailChange)];
    for (number, purpose) in later {
        issued(&*store, &removing.id, number, purpose).await;
    }
    assert!(!store.remove_factors(&removing.id, &[Method::Email], None, &Effects::NONE).await.unwrap());
    for (number, _) in later {
        assert_eq!(code_now(&*store, code_id(number)).await.consumed_at, None, "no factor was removed");
    }
    assert!(store.remove_factors(&removing.id, &[Method::Totp], None, &Effects::NONE).await.unwrap());
    for (number, purpose) in later {
        assert!(code_now(&*store, code_id(number)).await.consumed_at.is_some(), "{purpose:?}");
    }
    assert_eq!(removing.state().await.open(), links);
    assert_eq!(spared.state().await.open(), CodePurpose::ALL);
}

#[apply(account_case!)]
async fn new_recovery_codes_end_challenges_enrolments_and_email_changes(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let replaced = async |number: u64, is_on: bool| {
        for (place, purpose) in (number..).zip(CodePurpose::ALL) {
            issued(&*store, &user, place, *purpose).await;
        }
        assert_eq!(store.replace_recovery_codes(&user, &[mac(1)], None, &Effects::NONE).await.unwrap(), is_on);
        let mut open = Vec::new();
        for (place, purpose) in (number..).zip(CodePurpose::ALL) {
            let is_open = code_now(&*store, code_id(place)).await.consumed_at.is_none();
            open.extend(is_open.then_some(*purpose));
        }
        open
    };
    assert_eq!(replaced(100, false).await, CodePurpose::ALL, "the account has no factor");
    enrolled(&*store, &user, &totp(1), &[mac(2)]).await;
    assert_eq!(replaced(200, true).await, [CodePurpose::PasswordReset, CodePurpose::EmailVerification]);
}

#[apply(account_case!)]
async fn stores_every_field_of_a_factor(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let spared = AccountFixture::of(&*store, "other").await;
    let before = fixture.state().await;
    let every_byte: Vec<u8> = (0..=255).collect();
    // A time step of more than 32 bits.
    let factor = NewFactor::Totp { secret: Sealed::new(every_byte), step: 8_446_743_359 };
    let NewFactor::Totp { secret, step } = factor.clone() else { panic!("not a TOTP factor") };
    let code = fixture.code(CodePurpose::TotpEnrolment);
    assert_eq!(added(&*store, &fixture.id, &factor, code, &[mac(1), mac(2)], 1).await, Some(true));
    let totp = Some(TotpFactor { secret, last_step: Some(step), since: NOW.unix() });
    let mut expected = Factors { email_since: None, totp, recovery_codes: vec![mac(1), mac(2)] };
    assert_eq!(factors_now(&*store, &fixture.id).await, expected);
    let after = fixture.state().await;
    let multi_factor_since = Some(NOW.unix());
    let user = User { security_stamp: SecurityStamp::new(1), multi_factor_since, ..before.user };
    assert_eq!((&after.user, &after.sessions, &after.hash), (&user, &before.sessions, &before.hash));
    assert_eq!(code_now(&*store, code).await.consumed_at, Some(NOW.unix()));
    assert!(after.open().contains(&CodePurpose::PasswordReset), "links stay open");

    let code = issued(&*store, &fixture.id, 90, CodePurpose::EmailEnrolment).await.id;
    assert_eq!(added(&*store, &fixture.id, &NewFactor::Email, code, &[mac(3)], 2).await, Some(false));
    expected.email_since = Some(NOW.unix());
    assert_eq!(factors_now(&*store, &fixture.id).await, expected);
    assert_eq!(queued(&*store).await, [1, 2]);
    assert_eq!(spared.state().await.factors, Factors::default());
    assert_eq!(spared.state().await.open(), CodePurpose::ALL);
}

#[apply(account_case!)]
async fn a_factor_replaces_one_of_the_same_method(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    enrolled(&*store, &user, &totp(500), &[mac(1)]).await;
    enrolled(&*store, &user, &NewFactor::Email, &[]).await;
    let secret = Sealed::new(b"another".to_vec());
    let factor = NewFactor::Totp { secret: secret.clone(), step: 400 };
    let code = issued(&*store, &user, 1, CodePurpose::TotpEnrolment).await.id;
    assert_eq!(added(&*store, &user, &factor, code, &[mac(2)], 1).await, Some(false));
    let code = issued(&*store, &user, 2, CodePurpose::EmailEnrolment).await.id;
    assert_eq!(added(&*store, &user, &NewFactor::Email, code, &[], 2).await, Some(false));
    // Each keeps the start time of the first one of its method.
    let totp = Some(TotpFactor { secret, last_step: Some(400), since: at(0) });
    let expected = Factors { email_since: Some(at(0)), totp, recovery_codes: vec![mac(1)] };
    assert_eq!(factors_now(&*store, &user).await, expected);
}

/// Tokens that were issued externally while the account had a factor are not adopted after a change of factors.
#[apply(account_case!)]
async fn multi_factor_since_is_when_the_account_first_had_a_factor(store: Arc<dyn Store>) {
    for (name, first, second) in [("one", totp(1), NewFactor::Email), ("two", NewFactor::Email, totp(1))] {
        let user = stored(&*store, name).await.id;
        let number = 10 * number_of(&user);
        let add = async |factor: &NewFactor, place: u64| {
            let code = issued(&*store, &user, number + place, CodePurpose::TotpEnrolment).await.id;
            assert!(added(&*store, &user, factor, code, &[], number + place).await.is_some());
        };
        let remove = async |factor: &NewFactor| {
            assert!(store.remove_factors(&user, &[factor.method()], None, &Effects::NONE).await.unwrap());
        };
        let on = async || {
            let factors = store.factors_of(&user).await.unwrap();
            (factors.on(), user_now(&*store, &user).await.multi_factor_since)
        };
        enrolled(&*store, &user, &first, &[]).await;
        add(&second, 1).await;
        remove(&first).await;
        assert_eq!(on().await, (vec![second.method()], Some(at(0))));
        remove(&second).await;
        assert_eq!(on().await, (vec![], None));
        add(&first, 2).await;
        assert_eq!(on().await, (vec![first.method()], Some(at(0))));
    }
}

#[apply(account_case!)]
async fn adds_a_factor_only_with_an_unused_code_of_the_account(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let other = stored(&*store, "other").await.id;
    let used = fixture.code(CodePurpose::TotpEnrolment);
    assert!(store.redeem(used, VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
    let foreign = issued(&*store, &other, 1, CodePurpose::TotpEnrolment).await.id;
    let ended = fixture.code(CodePurpose::EmailEnrolment);
    let newer = issued(&*store, &fixture.id, 2, CodePurpose::EmailEnrolment).await.id;
    let before = fixture.state().await;
    for (user, code) in [
        (fixture.id.clone(), used),
        (fixture.id.clone(), foreign),
        (fixture.id.clone(), ended),
        (fixture.id.clone(), code_id(3)),
        (UserId::new(i64::MAX), newer),
    ] {
        for factor in [NewFactor::Email, totp(1)] {
            assert_eq!(added(&*store, &user, &factor, code, &[mac(1)], 1).await, None);
            assert_eq!(fixture.state().await, before);
        }
    }
    assert_eq!(code_now(&*store, foreign).await.consumed_at, None);
    assert_eq!(store.factors_of(&other).await.unwrap(), Factors::default());
    // The code may have no attempts left: the last one may have been correct.
    exhaust(&*store, newer, at(1)).await;
    assert!(added(&*store, &fixture.id, &NewFactor::Email, newer, &[], 1).await.is_some());
    assert_eq!(added(&*store, &fixture.id, &totp(1), newer, &[], 2).await, None, "the code was used");
    assert_eq!(queued(&*store).await, [1]);
}

#[apply(account_case!)]
async fn an_email_factor_verifies_the_email_address(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    enrolled(&*store, &alice.id, &totp(1), &[]).await;
    let multi_factor_since = Some(at(0));
    let alice = User { security_stamp: SecurityStamp::new(1), multi_factor_since, ..alice };
    assert_eq!(user_now(&*store, &alice.id).await, alice, "an authenticator verifies no email address");
    let code = issued(&*store, &alice.id, 1, CodePurpose::EmailEnrolment).await.id;
    assert!(added(&*store, &alice.id, &NewFactor::Email, code, &[], 1).await.is_some());
    let verified = User { email_verified_at: Some(NOW), security_stamp: SecurityStamp::new(2), ..alice };
    assert_eq!(user_now(&*store, &verified.id).await, verified);
    let code = issued(&*store, &verified.id, 2, CodePurpose::EmailEnrolment).await.id;
    let later = at(1_000).into();
    assert!(
        store.add_factor(&verified.id, &NewFactor::Email, code, &[], &Effects::NONE, later).await.unwrap().is_some()
    );
    let verified = User { security_stamp: SecurityStamp::new(3), ..verified };
    assert_eq!(user_now(&*store, &verified.id).await, verified, "it was verified before");
}

#[apply(account_case!)]
async fn removing_the_last_factor_removes_the_recovery_codes(store: Arc<dyn Store>) {
    let other = stored(&*store, "other").await.id;
    enrolled(&*store, &other, &totp(1), &[mac(1), mac(2)]).await;
    enrolled(&*store, &other, &NewFactor::Email, &[]).await;
    let spared = factors_now(&*store, &other).await;
    for (number, methods, is_email_left, is_totp_left, codes_left) in [
        (1, &[Method::Email][..], false, true, 2),
        (2, &[Method::Totp], true, false, 2),
        (3, &[Method::RecoveryCode], true, true, 0),
        (4, &[Method::Email, Method::Totp], false, false, 0),
        (5, &[Method::Totp, Method::RecoveryCode], true, false, 0),
    ] {
        let user = stored(&*store, &format!("user{number}")).await.id;
        enrolled(&*store, &user, &totp(1), &[mac(1), mac(2)]).await;
        enrolled(&*store, &user, &NewFactor::Email, &[]).await;
        assert!(store.remove_factors(&user, methods, None, &effects(&[number])).await.unwrap(), "{methods:?}");
        let left = factors_now(&*store, &user).await;
        let found = (left.has(Method::Email), left.has(Method::Totp), left.recovery_codes.len());
        assert_eq!(found, (is_email_left, is_totp_left, codes_left), "{methods:?}");
    }
    assert_eq!(queued(&*store).await, [1, 2, 3, 4, 5]);
    assert_eq!(factors_now(&*store, &other).await, spared);
    for method in [Method::Totp, Method::Email] {
        assert!(store.remove_factors(&other, &[method], None, &Effects::NONE).await.unwrap());
    }
    assert_eq!(factors_now(&*store, &other).await, Factors::default(), "one after the other");
}

#[apply(account_case!)]
async fn removing_absent_factors_changes_nothing(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let every = [Method::Email, Method::Totp, Method::RecoveryCode];
    for unknown_user in [user.clone(), UserId::new(i64::MAX)] {
        assert!(!store.remove_factors(&unknown_user, &every, None, &effects(&[1])).await.unwrap());
    }
    enrolled(&*store, &user, &totp(1), &[]).await;
    let before = factors_now(&*store, &user).await;
    for methods in [&[Method::Email][..], &[Method::RecoveryCode], &[Method::Email, Method::RecoveryCode], &[]] {
        assert!(!store.remove_factors(&user, methods, None, &effects(&[1])).await.unwrap(), "{methods:?}");
        assert_eq!(factors_now(&*store, &user).await, before, "{methods:?}");
    }
    assert!(queued(&*store).await.is_empty());
    assert!(store.remove_factors(&user, &every, None, &Effects::NONE).await.unwrap(), "one of them exists");
    assert_eq!(factors_now(&*store, &user).await, Factors::default());
}

#[apply(account_case!)]
async fn replaces_recovery_codes_only_with_a_factor(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let other = stored(&*store, "other").await.id;
    enrolled(&*store, &other, &NewFactor::Email, &[mac(1), mac(2)]).await;
    for unknown_user in [user.clone(), UserId::new(i64::MAX)] {
        assert!(!store.replace_recovery_codes(&unknown_user, &[mac(1)], None, &effects(&[1])).await.unwrap());
        assert_eq!(store.factors_of(&unknown_user).await.unwrap(), Factors::default());
    }
    enrolled(&*store, &user, &NewFactor::Email, &[mac(1), mac(2), mac(3)]).await;
    for codes in [vec![mac(2), mac(4)], (0..Factors::RECOVERY_CODES as u8).map(mac).collect(), vec![mac(9)]] {
        assert!(store.replace_recovery_codes(&user, &codes, None, &Effects::NONE).await.unwrap());
        assert_eq!(factors_now(&*store, &user).await.recovery_codes, codes);
    }
    assert!(store.replace_recovery_codes(&user, &[mac(9)], None, &effects(&[2])).await.unwrap());
    assert_eq!(queued(&*store).await, [2]);
    assert_eq!(factors_now(&*store, &other).await.recovery_codes, [mac(1), mac(2)]);
}

#[apply(account_case!)]
async fn a_deleted_account_leaves_no_code_and_no_factor(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let spared = AccountFixture::of(&*store, "other").await;
    for id in [fixture.id.clone(), spared.id.clone()] {
        enrolled(&*store, &id, &totp(1), &[mac(1)]).await;
        enrolled(&*store, &id, &NewFactor::Email, &[]).await;
    }
    let others = spared.state().await;
    assert!(store.delete(&fixture.id, &Effects::NONE).await.unwrap());
    assert_eq!(store.factors_of(&fixture.id).await.unwrap(), Factors::default());
    for purpose in CodePurpose::ALL {
        let id = fixture.code(*purpose);
        assert_eq!(store.find_code(id).await.unwrap(), None);
        assert_eq!(store.try_code(id, at(1)).await.unwrap(), None);
        assert!(!store.redeem(id, VerifiedFactor::RecoveryCode(mac(1)), &Effects::NONE, at(1)).await.unwrap());
    }
    assert_eq!(spared.state().await, others);
}
