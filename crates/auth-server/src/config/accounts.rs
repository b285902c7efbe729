//! Section `accounts`: the checks.

use anyhow::{Result, ensure};
use auth_accounts::account::UsernameRules;
use auth_accounts::service::{AccountPolicy, EmailVerification};
use auth_core::token::RequiredFor;

use super::Accounts;
use super::mail::Transport;

impl Accounts {
    /// The rules for new usernames.
    pub(super) const fn usernames(&self) -> UsernameRules {
        UsernameRules { plain_alphabet: self.plain_usernames, ignore_case: self.ignore_username_case }
    }
}

/// Refuses settings that require emails if the transport is `none`.
pub(super) fn check_requires_emails(
    policy: &AccountPolicy,
    required_for: RequiredFor,
    transport: Option<Transport>,
) -> Result<()> {
    if transport != Some(Transport::None) {
        return Ok(());
    }
    ensure!(
        policy.email_verification == EmailVerification::Off,
        "accounts.email_verification: requires emails, but mail.transport is \"none\"; set it to \"off\", or set a transport"
    );
    ensure!(
        required_for == RequiredFor::Nobody,
        "second_factor.required_for: requires emails, but mail.transport is \"none\"; set it to \"nobody\", or set a transport"
    );
    Ok(())
}
