//! One-time codes: what the storage keeps of links, challenges and enrolments.

mod link;
mod token;

use std::fmt;

use auth_core::ports::Randomness;
use auth_core::time::{MAX_SKEW, Seconds, UnixTime};
use auth_core::token::random_uuid;
use auth_core::user::UserId;
use uuid::Uuid;

use crate::email::names;
use crate::secret::Mac;

pub use link::{LinkCondition, LinkTarget};
pub(crate) use token::to_hex;
pub use token::{ChallengeToken, LinkToken, SixDigitCode};

/// The ID of a one-time code: a random UUID (version 4, RFC 9562 §5.4). Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeId([u8; 16]);

impl CodeId {
    /// Generates a random ID.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        Self(random_uuid(randomness).into_bytes())
    }

    /// Creates an ID from its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes of the ID.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }
}

impl fmt::Display for CodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Uuid::from_bytes(self.0).simple().fmt(f)
    }
}

names! {
    /// The only purpose that a one-time code is valid for (SEC-133).
    CodePurpose {
        /// A link in an email that sets a new password.
        PasswordReset = "password_reset",
        /// A link in an email that verifies the email address of an account. Payload: the [`LinkTarget`].
        EmailVerification = "email_verification",
        /// A link in an email that changes the email address of an account. Payload: the [`LinkTarget`].
        EmailChange = "email_change",
        /// A challenge that completes a login.
        Login = "login",
        /// A challenge that completes a login for a sliding token.
        SlidingLogin = "sliding_login",
        /// A challenge for the reauthentication of a logged-in user.
        Confirmation = "confirmation",
        /// The enrolment of codes by email. Payload: the email address.
        EmailEnrolment = "email_enrolment",
        /// The enrolment of an authenticator. Payload: its secret, sealed.
        TotpEnrolment = "totp_enrolment",
    }
}

impl CodePurpose {
    /// The purposes of challenges and enrolments.
    pub const OF_SECOND_FACTORS: [Self; 5] =
        [Self::Login, Self::SlidingLogin, Self::Confirmation, Self::EmailEnrolment, Self::TotpEnrolment];

    /// The purposes whose codes end when a second factor is added, replaced or removed, when the recovery codes are replaced,
    /// and when a user becomes staff who must have a second factor. Challenges and enrolments were issued while other factors
    /// were required. A change of the email address may have been requested without any, and codes by email would then go to
    /// the new email address.
    pub const ENDED_BY_FACTOR_CHANGES: [Self; 6] = [
        Self::EmailChange,
        Self::Login,
        Self::SlidingLogin,
        Self::Confirmation,
        Self::EmailEnrolment,
        Self::TotpEnrolment,
    ];

    /// Whether this is the purpose of a challenge that completes a login.
    pub const fn is_login(self) -> bool {
        matches!(self, Self::Login | Self::SlidingLogin)
    }

    /// Whether a new code ends the older ones of the same account and purpose (SEC-116). Challenges do not, because an attacker
    /// who knows the password could otherwise end those of the user. Neither do password-reset links, which anyone can
    /// request: all of them stay valid until one is used.
    pub const fn ends_older(self) -> bool {
        !self.is_login() && !matches!(self, Self::PasswordReset | Self::Confirmation)
    }

    /// The purposes that share the limit of [`MAX_OPEN`](OneTimeCode::MAX_OPEN) open challenges with this one; empty if this is
    /// not the purpose of a challenge. [`Confirmation`](Self::Confirmation) has a limit of its own, so that a stolen access
    /// token cannot end the challenges of a login.
    pub const fn bounded_with(self) -> &'static [Self] {
        match self {
            Self::Login | Self::SlidingLogin => &[Self::Login, Self::SlidingLogin],
            Self::Confirmation => &[Self::Confirmation],
            _ => &[],
        }
    }

    /// How long a code is valid.
    pub const fn ttl(self) -> Seconds {
        match self {
            Self::PasswordReset => Seconds::new(30 * 60),
            Self::EmailVerification | Self::EmailChange => Seconds::new(24 * 60 * 60),
            Self::Login | Self::SlidingLogin | Self::Confirmation | Self::EmailEnrolment | Self::TotpEnrolment => {
                Seconds::new(10 * 60)
            }
        }
    }
}

/// A stored one-time code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeCode {
    /// The ID.
    pub id: CodeId,
    /// The user that it belongs to.
    pub user_id: UserId,
    /// The purpose.
    pub purpose: CodePurpose,
    /// The keyed hash of the link token or of the 6-digit code; `None` if neither was sent by email.
    pub mac: Option<Mac>,
    /// Data that depends on the purpose (see [`CodePurpose`]).
    pub payload: Option<Vec<u8>>,
    /// How many attempts have been counted.
    pub attempts: u32,
    /// When it was created.
    pub created_at: UnixTime,
    /// When it expires.
    pub expires_at: UnixTime,
    /// When it was used, or ended by another event.
    pub consumed_at: Option<UnixTime>,
}

impl OneTimeCode {
    /// The maximum number of attempts (SEC-132).
    pub const MAX_ATTEMPTS: u32 = 5;
    /// The maximum number of open challenges of one account. One more ends the oldest.
    pub const MAX_OPEN: usize = 20;
    /// How far the clock of the machine that created the code may be ahead.
    pub const MAX_SKEW: Seconds = MAX_SKEW;

    /// Creates a code without a secret and without a payload.
    pub fn new(id: CodeId, user_id: UserId, purpose: CodePurpose, now: UnixTime) -> Self {
        let expires_at = now.plus(purpose.ttl());
        Self {
            id,
            user_id,
            purpose,
            mac: None,
            payload: None,
            attempts: 0,
            created_at: now,
            expires_at,
            consumed_at: None,
        }
    }

    /// Whether the code can be used: it was neither used nor ended, has attempts left, and has not expired. A code created in
    /// the future, by more than [`MAX_SKEW`](Self::MAX_SKEW), dates from before the clock was moved back. It counts as expired,
    /// so that its lifetime does not start over (REL-008).
    pub fn is_open(&self, now: UnixTime) -> bool {
        self.consumed_at.is_none()
            && self.attempts < Self::MAX_ATTEMPTS
            && now < self.expires_at
            && self.created_at <= now.plus(Self::MAX_SKEW)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_open_until_they_are_used_exhausted_or_expired() {
        let at = UnixTime::from_seconds;
        let fresh = OneTimeCode::new(CodeId::from_bytes([1; 16]), UserId::new(1), CodePurpose::Login, at(1_000));
        for (attempts, consumed, now, expected) in [
            (0, false, 1_000, true),
            (4, false, 1_000, true),
            (5, false, 1_000, false),
            (0, true, 1_000, false),
            (0, false, 1_599, true),
            (0, false, 1_600, false),
            (0, false, 940, true),
            (0, false, 939, false),
        ] {
            let code = OneTimeCode { attempts, consumed_at: consumed.then_some(at(1_001)), ..fresh.clone() };
            assert_eq!(code.is_open(at(now)), expected, "{attempts} {consumed} {now}");
        }
    }

    #[test]
    fn lifetimes_depend_on_the_purpose() {
        let minutes = |purpose: CodePurpose| purpose.ttl().get() / 60;
        assert_eq!(minutes(CodePurpose::PasswordReset), 30);
        assert_eq!(minutes(CodePurpose::Login), 10);
        assert!(CodePurpose::EmailVerification.ends_older() && !CodePurpose::PasswordReset.ends_older());
    }
}
