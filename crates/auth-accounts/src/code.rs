//! One-time codes: what a link, a challenge or an enrolment leaves in the storage.

mod link;
mod text;

use std::fmt;

use auth_core::ports::Randomness;
use auth_core::time::{MAX_SKEW, Seconds, UnixTime};
use auth_core::token::random_uuid;
use auth_core::user::UserId;
use uuid::Uuid;

use crate::mail::names;
use crate::secret::Mac;

pub use link::{LinkCondition, LinkTarget};
pub(crate) use text::to_hex;
pub use text::{ChallengeToken, LinkToken, SixDigitCode};

/// The name of a one-time code: a random UUID (version 4). Not secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CodeId([u8; 16]);

impl CodeId {
    /// A new name, drawn at random.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        Self(random_uuid(randomness).into_bytes())
    }

    /// The name with these bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
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
    /// What a one-time code is good for, and nothing else (SEC-133).
    CodePurpose {
        /// The link of a mail sets a new password.
        PasswordReset = "password_reset",
        /// The link of a mail proves the address of an account; payload: the address.
        EmailVerification = "email_verification",
        /// The link of a mail changes the address of an account; payload: the new address.
        EmailChange = "email_change",
        /// A second factor completes a login.
        Login = "login",
        /// A second factor completes a login that is to answer a sliding token.
        SlidingLogin = "sliding_login",
        /// A second factor confirms something that somebody who is logged in asks for.
        Confirmation = "confirmation",
        /// A code of a mail switches on the second factor by mail; payload: the address.
        EmailEnrolment = "email_enrolment",
        /// A code of an authenticator switches it on; payload: its secret, sealed.
        TotpEnrolment = "totp_enrolment",
    }
}

impl CodePurpose {
    /// Those of challenges and enrolments.
    pub const OF_SECOND_FACTORS: [Self; 5] =
        [Self::Login, Self::SlidingLogin, Self::Confirmation, Self::EmailEnrolment, Self::TotpEnrolment];

    /// Those that end when a second factor is added, replaced or removed, when its recovery codes are replaced, and when an
    /// account gets the rights of an administrator who must show one: challenges
    /// and enrolments, which were issued when another factor was asked for, and changes of the email address, which may
    /// have been requested without any. Codes by email would follow the new address.
    pub const ENDED_BY_FACTOR_CHANGES: [Self; 6] = [
        Self::EmailChange,
        Self::Login,
        Self::SlidingLogin,
        Self::Confirmation,
        Self::EmailEnrolment,
        Self::TotpEnrolment,
    ];

    /// Whether it is that of a challenge that completes a login.
    pub const fn is_login(self) -> bool {
        matches!(self, Self::Login | Self::SlidingLogin)
    }

    /// Whether a new one ends those before it (SEC-116). Challenges stand side by side: somebody who knows the password
    /// must not be able to end those of its owner. So do links to reset the password, which anybody can ask for: all of them
    /// are good until one is used.
    pub const fn ends_older(self) -> bool {
        !self.is_login() && !matches!(self, Self::PasswordReset | Self::Confirmation)
    }

    /// Whether it is that of a challenge, of which at most [`MAX_OPEN`](OneTimeCode::MAX_OPEN) are open: with which other
    /// purposes it is counted together. A stolen token must not be able to end the challenges of a login, so those of
    /// [`Confirmation`](Self::Confirmation) are counted apart. Empty for all that are not challenges.
    pub const fn bounded_with(self) -> &'static [Self] {
        match self {
            Self::Login | Self::SlidingLogin => &[Self::Login, Self::SlidingLogin],
            Self::Confirmation => &[Self::Confirmation],
            _ => &[],
        }
    }

    /// How long one is good for.
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

/// A one-time code at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeCode {
    /// Its name.
    pub id: CodeId,
    /// Whose it is.
    pub user_id: UserId,
    /// What it is good for.
    pub purpose: CodePurpose,
    /// The keyed hash of the link's token or of the mailed digits; `None`: no secret was mailed.
    pub mac: Option<Mac>,
    /// What it is about, by its purpose.
    pub payload: Option<Vec<u8>>,
    /// How often it was tried.
    pub attempts: u32,
    /// When it was made.
    pub created_at: UnixTime,
    /// When it ends.
    pub expires_at: UnixTime,
    /// When it was used, or ended by something else.
    pub consumed_at: Option<UnixTime>,
}

impl OneTimeCode {
    /// How often a challenge may be tried.
    pub const MAX_ATTEMPTS: u32 = 5;
    /// How many challenges of an account are open at most; the oldest ends.
    pub const MAX_OPEN: usize = 20;
    /// How far the clock of the machine that made it may be ahead.
    pub const MAX_SKEW: Seconds = MAX_SKEW;

    /// One that is made now.
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

    /// Whether it can be used: neither used nor ended, not tried too often, and its time is now. One that was made in
    /// the future was made before the clock went back, and is over: it must not live twice (REL-008).
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
    fn when_a_code_is_open() {
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
    fn how_long_each_is_good_for() {
        let minutes = |purpose: CodePurpose| purpose.ttl().get() / 60;
        assert_eq!(minutes(CodePurpose::PasswordReset), 30);
        assert_eq!(minutes(CodePurpose::Login), 10);
        assert!(CodePurpose::EmailVerification.ends_older() && !CodePurpose::PasswordReset.ends_older());
    }
}
