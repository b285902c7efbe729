//! Second factors: what an account has switched on, what is asked of it at a login, and whether a code is right.
//!
//! A code by mail proves that somebody reads the mailbox, which is no second factor in the sense of NIST SP 800-63B-4
//! §3.1.3.1 and OWASP ASVS 6.3.5; TOTP (RFC 6238) stands beside it, and recovery codes for the day it is lost.

mod recovery;
mod totp;

pub use recovery::RecoveryCode;
pub use totp::{TOTP_STEP, TotpSecret, matching_step, step_of};

use auth_core::time::UnixTime;

use crate::mail::names;
use crate::secret::{Mac, Sealed};

names! {
    /// A way to show a second factor.
    Method {
        /// Six digits by mail.
        Email = "email",
        /// Six digits of an authenticator (RFC 6238).
        Totp = "totp",
        /// One of ten codes that were written down.
        RecoveryCode = "recovery_code",
    }
}

/// The second factors of an account at rest.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    /// Since when codes by email are on.
    pub email_since: Option<UnixTime>,
    /// The authenticator.
    pub totp: Option<TotpFactor>,
    /// The recovery codes that were not used yet.
    pub recovery_codes: Vec<Mac>,
}

/// An authenticator at rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotpFactor {
    /// Its secret, sealed for [`TotpSecret::context`].
    pub secret: Sealed,
    /// The time step of the last code that was used: no code of it or of an earlier one is accepted again
    /// (RFC 6238 §5.2).
    pub last_step: Option<u64>,
    /// Since when an authenticator is on: that of the first one, if it was replaced.
    pub since: UnixTime,
}

impl Factors {
    /// How many recovery codes there are at first.
    pub const RECOVERY_CODES: usize = 10;

    /// Whether a method can be used.
    pub const fn has(&self, method: Method) -> bool {
        match method {
            Method::Email => self.email_since.is_some(),
            Method::Totp => self.totp.is_some(),
            Method::RecoveryCode => !self.recovery_codes.is_empty(),
        }
    }

    /// Whether any second factor is on. Recovery codes alone are none.
    pub const fn is_on(&self) -> bool {
        self.email_since.is_some() || self.totp.is_some()
    }

    /// The factors that are on.
    pub fn on(&self) -> Vec<Method> {
        [Method::Email, Method::Totp].into_iter().filter(|method| self.has(*method)).collect()
    }

    /// What a login asks for beside the password; empty: nothing. Where one is required and none is on, codes go by mail.
    ///
    /// ```
    /// use auth_accounts::second_factor::{Factors, Method};
    /// let none = Factors::default();
    /// assert_eq!(none.methods(false), []);
    /// assert_eq!(none.methods(true), [Method::Email]);
    /// ```
    pub fn methods(&self, is_required: bool) -> Vec<Method> {
        if !self.is_on() {
            return if is_required { vec![Method::Email] } else { Vec::new() };
        }
        [Method::Totp, Method::Email, Method::RecoveryCode].into_iter().filter(|method| self.has(*method)).collect()
    }
}

/// How a challenge was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// With the digits of the mail.
    Email,
    /// With a code of the authenticator, of this time step.
    Totp(u64),
    /// With this recovery code, which is gone then.
    RecoveryCode(Mac),
}

impl Proof {
    /// The method.
    pub const fn method(self) -> Method {
        match self {
            Self::Email => Method::Email,
            Self::Totp(_) => Method::Totp,
            Self::RecoveryCode(_) => Method::RecoveryCode,
        }
    }
}

/// A second factor to be switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewFactor {
    /// Codes by mail.
    Email,
    /// An authenticator, with its secret sealed for [`TotpSecret::context`], and the time step of the code that proved it.
    Totp {
        /// Its secret.
        secret: Sealed,
        /// The step that was used up.
        step: u64,
    },
}

impl NewFactor {
    /// The method.
    pub const fn method(&self) -> Method {
        match self {
            Self::Email => Method::Email,
            Self::Totp { .. } => Method::Totp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_login_asks_for() {
        let totp = || TotpFactor { secret: Sealed::new(vec![]), last_step: None, since: UnixTime::default() };
        let codes = || vec![Mac::from_bytes([0; 32])];
        use Method::{Email, RecoveryCode, Totp};
        for (email, has_totp, has_codes, required, expected) in [
            (false, false, false, false, vec![]),
            (false, false, true, false, vec![]),
            (false, false, true, true, vec![Email]),
            (true, false, false, false, vec![Email]),
            (true, false, true, true, vec![Email, RecoveryCode]),
            (false, true, false, false, vec![Totp]),
            // Mail, which is weaker, does not stand in for an authenticator.
            (false, true, false, true, vec![Totp]),
            (true, true, true, false, vec![Totp, Email, RecoveryCode]),
        ] {
            let factors = Factors {
                email_since: email.then(UnixTime::default),
                totp: has_totp.then(totp),
                recovery_codes: if has_codes { codes() } else { Vec::new() },
            };
            assert_eq!(factors.methods(required), expected, "{email} {has_totp} {has_codes} {required}");
        }
    }
}
