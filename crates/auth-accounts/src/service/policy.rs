//! How accounts are looked after, beside their tokens.

use auth_core::user::User;

use crate::account::{NewUserIds, UsernameRules};
use crate::password::PasswordPolicy;
use crate::throttle::ThrottlePolicy;

/// What is asked of the address of an account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EmailVerification {
    /// Nothing: it counts as it is, and a changed one takes effect at once.
    #[default]
    Off,
    /// A mail asks to prove it; a changed one takes effect when it is proven.
    Optional,
    /// The same, and nobody logs in before.
    Required,
}

/// How accounts are looked after. Every service that changes something takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPolicy {
    /// Whether there is somebody who sends what is in the outbox. Without, nothing is put in.
    pub sends_mail: bool,
    /// What is asked of addresses.
    pub email_verification: EmailVerification,
    /// Limits of attempts; `None`: any number.
    pub throttle: Option<ThrottlePolicy>,
    /// Which passwords may be set.
    pub passwords: PasswordPolicy,
    /// Which usernames may be registered.
    pub usernames: UsernameRules,
    /// Which IDs new users get. A change concerns new users only.
    pub new_user_ids: NewUserIds,
    /// What an authenticator calls the service.
    pub service_name: String,
}

impl AccountPolicy {
    /// Whether an account may add an authenticator: only with a verified email address, where they are verified at all.
    /// Without [`EmailVerification`], or without emails, no user could. A user whose email address is not a login name may:
    /// no password is reset through that address, so the factor locks out no owner of it.
    pub fn lets_add_authenticator(&self, user: &User) -> bool {
        let is_asked = self.sends_mail && !matches!(self.email_verification, EmailVerification::Off);
        !is_asked || user.email_verified_at.is_some() || user.login_email().is_none()
    }
}

impl Default for AccountPolicy {
    /// No mails, no verification, no second factor but where somebody switches it on; with limits of attempts.
    fn default() -> Self {
        Self {
            sends_mail: false,
            email_verification: EmailVerification::Off,
            throttle: Some(ThrottlePolicy::default()),
            passwords: PasswordPolicy::default(),
            usernames: UsernameRules::default(),
            new_user_ids: NewUserIds::default(),
            service_name: "auth".to_owned(),
        }
    }
}
