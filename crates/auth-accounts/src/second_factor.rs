//! Second factors: which are on, which methods a login offers, and how codes are checked.
//!
//! A code by email shows access to a mailbox, which NIST SP 800-63B-4 §3.1.3.1 and OWASP ASVS V6.3.6 do not accept as a second
//! factor. The stronger methods are authenticators (TOTP, RFC 6238), with recovery codes in case one is lost.

mod recovery;
mod totp;

pub use recovery::RecoveryCode;
pub use totp::{TOTP_STEP, TotpSecret, matching_step, step_of};

use auth_core::time::UnixTime;

use crate::email::names;
use crate::secret::{Mac, Sealed};

names! {
    /// A method of second-factor authentication.
    Method {
        /// A 6-digit code by email.
        Email = "email",
        /// A 6-digit code from an authenticator (RFC 6238).
        Totp = "totp",
        /// A recovery code.
        RecoveryCode = "recovery_code",
    }
}

/// The stored second factors of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Factors {
    /// When codes by email were enabled; `None` if they are off.
    pub email_since: Option<UnixTime>,
    /// The authenticator; `None` if there is none.
    pub totp: Option<TotpFactor>,
    /// The keyed hashes of the unused recovery codes.
    pub recovery_codes: Vec<Mac>,
}

/// A stored authenticator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TotpFactor {
    /// The secret, sealed with [`TotpSecret::context`].
    pub secret: Sealed,
    /// The time step of the last code that was used. Codes of this step and earlier ones are refused (RFC 6238 §5.2).
    pub last_step: Option<u64>,
    /// When the first authenticator was added; a replacement keeps this time.
    pub since: UnixTime,
}

impl Factors {
    /// The number of recovery codes in a new set.
    pub const RECOVERY_CODES: usize = 10;

    /// Whether a method can be used now.
    pub const fn has(&self, method: Method) -> bool {
        match method {
            Method::Email => self.email_since.is_some(),
            Method::Totp => self.totp.is_some(),
            Method::RecoveryCode => !self.recovery_codes.is_empty(),
        }
    }

    /// Whether a second factor is on. Recovery codes do not count as one.
    pub const fn is_on(&self) -> bool {
        self.email_since.is_some() || self.totp.is_some()
    }

    /// The factors that are on.
    pub fn on(&self) -> Vec<Method> {
        [Method::Email, Method::Totp].into_iter().filter(|method| self.has(*method)).collect()
    }

    /// The methods that a login offers in addition to the password; empty if the password is enough. If a second factor is
    /// required and none is on, a code is sent by email.
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

/// The second factor that answered a challenge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VerifiedFactor {
    /// The code from the email.
    Email,
    /// A code from the authenticator, of this time step.
    Totp(u64),
    /// The recovery code with this keyed hash, which is removed on use.
    RecoveryCode(Mac),
}

impl VerifiedFactor {
    /// The method that was used.
    pub const fn method(self) -> Method {
        match self {
            Self::Email => Method::Email,
            Self::Totp(_) => Method::Totp,
            Self::RecoveryCode(_) => Method::RecoveryCode,
        }
    }
}

/// A second factor to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NewFactor {
    /// Codes by email.
    Email,
    /// An authenticator.
    Totp {
        /// The secret, sealed with [`TotpSecret::context`].
        secret: Sealed,
        /// The time step of the code that confirmed the enrolment; it cannot be used again.
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
    fn methods_depend_on_the_factors_and_on_the_requirement() {
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
            // Codes by email are weaker and do not replace an authenticator.
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
