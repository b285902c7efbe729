//! Passwords: changed by users who know theirs, reset by users who do not.

mod change;
mod reset;
mod reset_request;

use auth_accounts::account::{AccountFault, ProfileChange};
use auth_accounts::code::CodePurpose;
use auth_accounts::email::{EmailKind, EmailRequest, Fact, Queued};
use auth_accounts::password::{Attribute, PasswordFlaw};
use auth_accounts::ports::{Accounts, NewPassword, SecondFactors};
use auth_accounts::second_factor::{Factors, Method};
use auth_accounts::service::{Action, EmailVerification, Enrolment};
use auth_core::event::EventKind;
use auth_core::ports::Sessions;
use auth_core::rotation::{OnRefresh, OnRetry, RotationPolicy};
use auth_core::service::{Caller, LogoutRequest, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::{RawToken, RevokeReason, TokenFault, TokenKind};

use crate::fixture::*;

const MINUTE: u64 = 60;

#[tokio::test]
async fn a_password_set_by_an_operator_ends_sessions_and_links_and_sends_a_notice() {
    let service = service(mailing());
    service.register("alice").await;
    let (pair, link) = (service.login("alice").await, reset_link(&service, "alice").await);
    let new = auth_accounts::password::PasswordPolicy::default().check(raw(NEW_PASSWORD), &[]).unwrap();
    service.act("alice", Action::SetPassword(new)).await;
    assert_eq!(fault(service.try_refresh(&pair).await), Some(TokenFault::Revoked));
    assert!(is_bad_link(&reset_password(&service, &link, "Third-horse-45").await));
    let sent: Vec<_> = service.deliver_emails().await.iter().map(|email| email.kind).collect();
    assert_eq!(sent, [EmailKind::PasswordChanged]);
}
