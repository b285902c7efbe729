//! Other passwords: by those who know theirs, and by those who forgot it.

mod change;
mod reset;
mod reset_request;

use crate::fixture::*;
use auth_core::AuthError;
use auth_core::account::{AccountFault, ProfileChange};
use auth_core::code::CodePurpose;
use auth_core::event::EventKind;
use auth_core::mail::{Fact, MailKind, MailRequest, Queued};
use auth_core::password::{Attribute, PasswordFlaw};
use auth_core::ports::{Accounts, NewPassword, Sessions};
use auth_core::rotation::{OnRefresh, OnRetry, RotationPolicy};
use auth_core::service::{Action, Caller, EmailVerification, LogoutRequest, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::{RawToken, RevokeReason, TokenFault, TokenKind};

const MINUTE: u64 = 60;

fn fault<T>(result: Result<T, AuthError>) -> Option<TokenFault> {
    match result {
        Err(AuthError::Token(fault)) => Some(fault),
        _ => None,
    }
}

fn is_bad_link<T>(outcome: &Result<T, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::BadLink))
}

#[tokio::test]
async fn an_administrators_password_ends_all_and_is_told() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let (pair, link) = (world.login("alice").await, world.reset_link("alice").await);
    let new = auth_core::password::PasswordPolicy::default().check(raw(NEW_PASSWORD), &[]).unwrap();
    world.act("alice", Action::SetPassword(new)).await;
    assert_eq!(fault(world.refresh(&pair).await), Some(TokenFault::Revoked));
    assert!(is_bad_link(&world.reset(&link, "Third-horse-45").await));
    let sent: Vec<_> = world.deliver_all().await.iter().map(|mail| mail.kind).collect();
    assert_eq!(sent, [MailKind::PasswordChanged]);
}
