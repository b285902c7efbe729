//! The policy for accounts.

use auth_core::user::User;

use crate::account::{NewUserIds, UsernameRules};
use crate::password::PasswordPolicy;
use crate::throttle::ThrottlePolicy;

/// Whether the email addresses of accounts are verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmailVerification {
    /// They are not verified. A changed email address takes effect immediately.
    #[default]
    Off,
    /// New users get an email to verify their email address. A changed email address takes effect when it is verified.
    Optional,
    /// As `Optional`, and users cannot log in until their email address is verified.
    Required,
}

/// The policy for accounts, which all services share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPolicy {
    /// Whether emails are sent. If not, nothing is enqueued.
    pub sends_emails: bool,
    /// Whether email addresses are verified.
    pub email_verification: EmailVerification,
    /// The rate limits; `None` for unlimited attempts.
    pub throttle: Option<ThrottlePolicy>,
    /// The rules for new passwords.
    pub passwords: PasswordPolicy,
    /// The rules for new usernames.
    pub usernames: UsernameRules,
    /// Which IDs new users get. A change affects new users only.
    pub new_user_ids: NewUserIds,
    /// The name of the service that authenticators display.
    pub service_name: String,
}

impl AccountPolicy {
    /// Whether a user may add an authenticator. Where email addresses are verified, this requires a verified one; otherwise an
    /// attacker who registers someone else's email address could lock its owner out of the account.
    ///
    /// A user whose email address is not a login name may add one: the password cannot be reset through that email address, so
    /// its owner cannot be locked out.
    pub fn allows_authenticator(&self, user: &User) -> bool {
        let is_asked = self.sends_emails && !matches!(self.email_verification, EmailVerification::Off);
        !is_asked || user.email_verified_at.is_some() || user.login_email().is_none()
    }
}

impl Default for AccountPolicy {
    /// No emails and no verification, with the default rate limits.
    fn default() -> Self {
        Self {
            sends_emails: false,
            email_verification: EmailVerification::Off,
            throttle: Some(ThrottlePolicy::default()),
            passwords: PasswordPolicy::default(),
            usernames: UsernameRules::default(),
            new_user_ids: NewUserIds::default(),
            service_name: "auth".to_owned(),
        }
    }
}
