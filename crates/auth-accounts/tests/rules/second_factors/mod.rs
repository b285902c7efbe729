//! Second factors: enrolment, removal, and logins.

mod challenges;
mod email_change;
mod enrolment;
mod guesses;
mod login;
mod password_change;
mod removal;

use auth_accounts::code::{CodePurpose, OneTimeCode, SixDigitCode};
use auth_accounts::email::{EmailKind, Fact};
use auth_accounts::ports::{Accounts, NewPassword, PasswordUpdate, SecondFactors};
use auth_accounts::second_factor::{Factors, Method, RecoveryCode, TotpSecret};
use auth_accounts::secret::MacPurpose;
use auth_accounts::service::{
    Action, ConfirmedFactor, EmailVerification, Enrolment, LoginOutcome, LoginService, Outcome, Reauthentication,
    SecondFactorChallenge,
};
use auth_core::effects::Effects;
use auth_core::event::EventKind;
use auth_core::service::{Issued, TokenPair, TokenPolicy};
use auth_core::token::RequiredFor;
use auth_core::token::{RawToken, TokenKind};
use auth_core::user::{User, UserId};
use serde_json::json;

use crate::fixture::*;

const DAY: u64 = 24 * 60 * 60;

async fn answer(
    service: &TestService,
    challenge: &SecondFactorChallenge,
    code: &str,
) -> Result<TokenPair, AccountError> {
    match service.logins.answer_challenge(challenge.challenge.expose(), code, client()).await? {
        Issued::Pair(pair) => Ok(pair),
        Issued::Sliding(_) => panic!("a sliding token instead of a token pair"),
    }
}

fn is_wrong<T>(outcome: &Result<T, AccountError>) -> bool {
    matches!(outcome, Err(AccountError::WrongCode))
}

fn is_invalid<T>(outcome: &Result<T, AccountError>) -> bool {
    matches!(outcome, Err(AccountError::ChallengeInvalid))
}

fn is_throttled<T>(outcome: &Result<T, AccountError>) -> bool {
    matches!(outcome, Err(AccountError::Throttled { .. }))
}

/// A challenge for the reauthentication of a logged-in user.
async fn confirmation(service: &TestService, user: &User) -> SecondFactorChallenge {
    service.second_factors.challenge(user, &client()).await.unwrap()
}

fn enrolment_challenge(enrolment: &Enrolment) -> &str {
    match enrolment {
        Enrolment::Email(challenge) | Enrolment::Totp { challenge, .. } => challenge.expose(),
    }
}

/// The number of codes that were compared.
fn compared(application_secret: &CountingSecret) -> usize {
    application_secret.comparisons(MacPurpose::Code) + application_secret.numbers() / 3
}

#[tokio::test]
async fn new_recovery_codes_end_the_old_ones() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let (secret, old) = service.enrol_totp("alice").await;
    service.next_totp_step();
    let missing = service.second_factors.replace_recovery_codes(&user, shown(PASSWORD)).await;
    assert!(matches!(missing, Err(AccountError::ChallengeMissing)), "{missing:?}");
    let challenge = confirmation(&service, &user).await;
    let shown = shown_with(&challenge, &service.totp_code(&secret, 0));
    let new = service.second_factors.replace_recovery_codes(&user, shown).await.unwrap();
    assert_eq!(new.len(), Factors::RECOVERY_CODES);
    let challenge = service.second_factor_challenge("alice").await;
    assert!(is_wrong(&answer(&service, &challenge, &old[0].expose()).await));
    assert!(answer(&service, &challenge, &new[0].expose()).await.is_ok());
    let emails = service.deliver_emails().await;
    assert!(emails.iter().any(|email| email.kind == EmailKind::RecoveryCodesReplaced));
}

#[tokio::test]
async fn recovery_codes_require_another_second_factor() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let refused = service.second_factors.replace_recovery_codes(&user, shown(PASSWORD)).await;
    assert!(matches!(refused, Err(AccountError::NoSecondFactor)), "{refused:?}");
}

/// An attacker who can write to the storage might copy a hash to another row.
#[test]
fn stored_hashes_are_bound_to_their_challenge_or_account() {
    let application_secret = auth_conformance::PlainSecret::default();
    let (one, two) = (auth_conformance::code_id(1), auth_conformance::code_id(2));
    let digits = SixDigitCode::parse("123456").unwrap();
    assert_ne!(digits.mac(one, &application_secret), digits.mac(two, &application_secret));
    let (alice, mallory) = (UserId::new(1), UserId::new(2));
    let recovery = RecoveryCode::parse("01ab-cdef-ghjk-mnpq").unwrap();
    assert!(recovery.matches(&alice, &recovery.mac(&alice, &application_secret), &application_secret));
    assert!(!recovery.matches(&alice, &recovery.mac(&mallory, &application_secret), &application_secret));
    assert_ne!(TotpSecret::context(&alice), TotpSecret::context(&mallory));
}

#[tokio::test]
async fn stored_values_contain_no_plain_secrets() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let (secret, recovery) = service.enrol_totp("alice").await;
    let factors = service.store.factors_of(&user.id).await.unwrap();
    assert!(!format!("{factors:?}").contains(&secret.expose_base32()));
    for code in &recovery {
        assert!(!format!("{factors:?} {code:?}").contains(&code.expose()));
    }
    service.second_factor_challenge("alice").await;
    let stored = format!("{:?}", service.store.codes());
    assert!(stored.contains("Mac(***)") || stored.contains("mac: None"), "{stored}");
}

#[test]
fn debug_shows_no_secret() {
    let secret = TotpSecret::from_bytes(b"12345678901234567890".to_vec());
    let uri = secret.expose_uri("auth", "alice");
    let challenge = auth_accounts::code::ChallengeToken::of(
        auth_conformance::code_id(1),
        &auth_conformance::PlainSecret::default(),
    );
    let enrolment = Enrolment::Totp { challenge, secret: secret.clone(), uri };
    let shown = Reauthentication { answer: Some(("a-challenge".to_owned(), "123456".to_owned())), ..shown(PASSWORD) };
    let text = format!("{enrolment:?} {shown:?}");
    for hidden in [&*secret.expose_base32(), "otpauth", "123456", "a-challenge", PASSWORD] {
        assert!(!text.contains(hidden), "{text}");
    }
}

/// Where a second factor is required, a session that started without one is not continued (SEC-134).
#[tokio::test]
async fn a_session_without_a_required_factor_is_not_refreshed() {
    let service = service(requiring(RequiredFor::Staff));
    service.register("alice").await;
    let pair = service.login("alice").await;
    let pair = service.refresh(&pair).await;
    // An operator makes the user staff with SQL, without revoking sessions.
    let user = service.user("alice").await;
    assert!(service.store.set_staff(&user.id, true, &Effects::NONE).await.unwrap());
    assert!(service.try_refresh(&pair).await.is_err());
    let challenge = service.second_factor_challenge("alice").await;
    let pair = answer(&service, &challenge, &service.emailed_code()).await.unwrap();
    assert!(service.try_refresh(&pair).await.is_ok());
}

#[tokio::test]
async fn promotion_revokes_sessions_where_staff_need_a_factor() {
    for (required, stays_live) in [(RequiredFor::Nobody, true), (RequiredFor::Staff, false)] {
        let service = service(requiring(required));
        service.register("alice").await;
        let pair = service.login("alice").await;
        service.act("alice", Action::Promote).await;
        assert_eq!(service.tokens.authenticate(&access_of(&pair)).await.is_ok(), stays_live);
    }
}
