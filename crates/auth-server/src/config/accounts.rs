//! Sections `accounts` and `second_factor`: what is asked of accounts, and whether it can be.

use anyhow::{Result, bail, ensure};
use auth_accounts::account::{NewUserIds, UsernameRules};
use auth_accounts::service::{AccountPolicy, EmailVerification};
use auth_core::token::RequiredFor;

use super::mail::Transport;
use super::{Accounts, SecondFactor};

impl Accounts {
    /// The rules for new usernames.
    pub(super) const fn usernames(&self) -> UsernameRules {
        UsernameRules { plain_alphabet: self.plain_usernames, ignore_case: self.ignore_username_case }
    }

    pub(super) fn new_user_ids(&self) -> Result<NewUserIds> {
        Ok(match self.new_user_ids.as_str() {
            "integer" => NewUserIds::Integer,
            "uuid" => NewUserIds::Uuid,
            other => bail!("accounts.new_user_ids: is {other:?}; has to be \"integer\" or \"uuid\""),
        })
    }

    pub(super) fn email_verification(&self) -> Result<EmailVerification> {
        Ok(match self.email_verification.as_str() {
            "off" => EmailVerification::Off,
            "optional" => EmailVerification::Optional,
            "required" => EmailVerification::Required,
            other => {
                bail!("accounts.email_verification: is {other:?}; has to be \"off\", \"optional\" or \"required\"")
            }
        })
    }
}

impl SecondFactor {
    pub(super) fn required_for(&self) -> Result<RequiredFor> {
        Ok(match self.required_for.as_str() {
            "nobody" => RequiredFor::Nobody,
            "staff" => RequiredFor::Staff,
            "all" => RequiredFor::All,
            other => bail!("second_factor.required_for: is {other:?}; has to be \"nobody\", \"staff\" or \"all\""),
        })
    }
}

/// Refuses what cannot be without mails.
pub(super) fn check_mails(
    policy: &AccountPolicy,
    required_for: RequiredFor,
    transport: Option<Transport>,
) -> Result<()> {
    if transport != Some(Transport::None) {
        return Ok(());
    }
    ensure!(
        policy.email_verification == EmailVerification::Off,
        "accounts.email_verification: needs mails, and mail.transport is \"none\"; set it to \"off\", or set a transport"
    );
    ensure!(
        required_for == RequiredFor::Nobody,
        "second_factor.required_for: needs mails, and mail.transport is \"none\"; set it to \"nobody\", or set a transport"
    );
    Ok(())
}
