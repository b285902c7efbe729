//! How and when a user was authenticated, before any token was issued.

use std::error::Error;
use std::fmt;

use crate::time::UnixTime;
use crate::token::Session;
use crate::user::User;

/// How and when a user was authenticated, by `auth-accounts` or by a host in its own way, such as single sign-on or a
/// passkey.
///
/// ```
/// use auth_core::time::UnixTime;
/// use auth_core::token::Authentication;
/// let authentication = Authentication::new(["hwk", "mfa"], UnixTime::from_seconds(1_000)).unwrap();
/// assert_eq!(authentication.amr(), "hwk mfa");
/// assert!(authentication.is_multi_factor());
/// assert!(Authentication::new(["two words"], UnixTime::from_seconds(1_000)).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authentication {
    amr: String,
    at: UnixTime,
}

impl Authentication {
    /// The maximum length of all methods together, in characters, including the spaces between them.
    pub const MAX_CHARS: usize = 255;
    /// The method that stands for more than one factor (RFC 8176 §2).
    pub const MULTI_FACTOR: &'static str = "mfa";

    /// Creates an authentication by these methods: values of the claim `amr`, such as `pwd`, `otp`, `hwk`, `mfa` (RFC
    /// 8176 §2).
    ///
    /// # Errors
    /// [`BadAuthentication`] if there is no method, if one is empty or contains a character other than visible ASCII,
    /// or if they exceed [`MAX_CHARS`](Self::MAX_CHARS).
    pub fn new<'a>(methods: impl IntoIterator<Item = &'a str>, at: UnixTime) -> Result<Self, BadAuthentication> {
        let methods: Vec<&str> = methods.into_iter().collect();
        let is_visible = |method: &&str| !method.is_empty() && method.bytes().all(|byte| byte.is_ascii_graphic());
        let amr = methods.join(" ");
        if amr.is_empty() || amr.len() > Self::MAX_CHARS || !methods.iter().all(is_visible) {
            return Err(BadAuthentication);
        }
        Ok(Self { amr, at })
    }

    /// An authentication by password alone.
    pub fn by_password(at: UnixTime) -> Self {
        Self { amr: "pwd".to_owned(), at }
    }

    /// An authentication by password and a code: from an email or an authenticator, or a recovery code.
    pub fn by_password_and_code(at: UnixTime) -> Self {
        Self { amr: format!("pwd otp {}", Self::MULTI_FACTOR), at }
    }

    /// The authentication that a session started with.
    pub(crate) fn of(session: &Session) -> Self {
        Self { amr: session.amr.clone(), at: session.authenticated_at }
    }

    /// The methods, separated by spaces.
    pub fn amr(&self) -> &str {
        &self.amr
    }

    /// When the user was authenticated.
    pub const fn at(&self) -> UnixTime {
        self.at
    }

    /// Whether the methods include [`MULTI_FACTOR`](Self::MULTI_FACTOR).
    pub fn is_multi_factor(&self) -> bool {
        is_multi_factor(&self.amr)
    }
}

/// The users whose sessions must start with more than one authentication factor (SEC-134).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RequiredFor {
    /// No user: second factors are optional.
    #[default]
    Nobody,
    /// Staff and superusers.
    Staff,
    /// All users.
    All,
}

impl RequiredFor {
    /// Whether it is required of this user.
    pub const fn includes(self, user: &User) -> bool {
        match self {
            Self::Nobody => false,
            Self::Staff => user.is_staff || user.is_superuser,
            Self::All => true,
        }
    }
}

/// Whether space-separated methods include [`Authentication::MULTI_FACTOR`].
pub(crate) fn is_multi_factor(amr: &str) -> bool {
    amr.split(' ').any(|method| method == Authentication::MULTI_FACTOR)
}

/// The error for authentication methods that cannot be values of the claim `amr`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAuthentication;

impl fmt::Display for BadAuthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "authentication methods must be one or more words of visible ASCII characters, at most {} in total",
            Authentication::MAX_CHARS
        )
    }
}

impl Error for BadAuthentication {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_words_of_visible_ascii() {
        let (longest, longer) = ("x".repeat(255), "x".repeat(256));
        for (methods, expected) in [
            (&["pwd"][..], Some(("pwd", false))),
            (&["pwd", "otp", "mfa"], Some(("pwd otp mfa", true))),
            (&["mfa2"], Some(("mfa2", false))),
            (&[&longest], Some((&*longest, false))),
            (&[&longer], None),
            (&[], None),
            (&[""], None),
            (&["pwd", ""], None),
            (&["pwd mfa"], None),
            (&["pwd\n"], None),
            (&["käse"], None),
        ] {
            let authentication = Authentication::new(methods.iter().copied(), UnixTime::default());
            let found = authentication.as_ref().ok().map(|found| (found.amr(), found.is_multi_factor()));
            assert_eq!(found, expected, "{methods:?}");
        }
    }
}
