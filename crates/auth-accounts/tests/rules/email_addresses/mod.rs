//! Email addresses: verified and changed.

mod unverified_change;
mod verification;
mod verification_requests;
mod verified_change;

use auth_accounts::account::{AccountFault, ProfileChange, Taken};
use auth_accounts::email::{EmailKind, EmailRequest, Fact, Queued};
use auth_accounts::service::{Action, EmailVerification, ProfileUpdated};
use auth_core::event::EventKind;
use auth_core::service::{Caller, LogoutRequest};
use auth_core::time::Seconds;
use auth_core::user::GroupName;

use crate::fixture::*;

const HOUR: u64 = 60 * 60;

fn verifying(email_verification: EmailVerification) -> TestPolicy {
    with_accounts(|accounts| accounts.email_verification = email_verification)
}

fn is_taken<T>(outcome: &Result<T, AccountError>) -> bool {
    matches!(outcome, Err(AccountError::Account(AccountFault::Taken(Taken::Email))))
}

/// Changes the email address, as the user.
async fn change(
    service: &TestService,
    name: &str,
    to: &str,
    password: Option<&str>,
) -> Result<ProfileUpdated, AccountError> {
    let caller = Caller { user: service.user(name).await, session: None };
    let change = ProfileChange { email: Some(email(to)), ..ProfileChange::default() };
    service.accounts.update_profile(caller, change, password.map(shown).as_ref(), &client()).await
}

/// Anyone can request links. This must not keep the user from logging in (SEC-122).
#[tokio::test]
async fn requested_links_do_not_use_up_login_codes() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_email("alice").await;
    for number in 0..10 {
        service
            .accounts
            .request_reset(&email("alice@example.com"), &from(&format!("198.51.100.{number}")))
            .await
            .unwrap();
    }
    service.deliver_emails().await;
    let challenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    assert!(service.logins.answer_challenge(challenge.challenge.expose(), &code, client()).await.is_ok());
}

#[tokio::test]
async fn links_that_expire_during_the_request_are_refused() {
    let Fixture { service, eventful, .. } = fixture(verifying(EmailVerification::Optional));
    service.register("alice").await;
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    service.advance(24 * HOUR - 1);
    let clock = service.clock.clone();
    eventful.before("find_user", async move { clock.advance(Seconds::new(1)) });
    assert!(is_bad_link(&service.accounts.verify_email(&token, None, &client()).await));
}

/// A password reset between the authentication of the caller and the change: no link is sent to the new email address.
#[tokio::test]
async fn no_link_is_sent_after_a_concurrent_password_reset() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    service.deliver_emails().await;
    let caller = service.caller(&service.login("alice").await).await;
    let link = reset_link(&service, "alice").await;
    // The same password as before, but the caller was authenticated before the reset.
    reset_password(&service, &link, PASSWORD).await.unwrap();
    service.deliver_emails().await;
    let change = ProfileChange { email: Some(email("thief@example.com")), ..ProfileChange::default() };
    let refused = service.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await;
    assert!(matches!(refused, Err(AccountError::Auth(AuthError::Store(_)))), "{refused:?}");
    assert_eq!(service.enqueued(), []);
}
