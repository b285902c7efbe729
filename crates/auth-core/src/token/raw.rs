//! Presented tokens, before verification.

use std::fmt;

use crate::token::TokenFault;

/// A presented token: neither its signature nor its claims have been checked.
///
/// It is secret: it has no `Display`, and `Debug` prints `RawToken(***)`. Only [`expose`](Self::expose) returns the
/// token string, so a search for it finds every place that could leak one (SEC-042).
///
/// ```
/// use auth_core::token::RawToken;
/// assert!(RawToken::parse("header.payload.signature").is_ok());
/// assert!(RawToken::parse("Bearer header.payload.signature").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RawToken(String);

impl RawToken {
    /// The maximum length, in bytes. Longer tokens are refused before they are decoded.
    pub const MAX_LEN: usize = 8 * 1024;

    /// Checks the shape of a compact JWS: three parts of base64url without padding (RFC 7515 §2, §3.1).
    ///
    /// # Errors
    /// [`TokenFault::NotOurs`].
    pub fn parse(string: &str) -> Result<Self, TokenFault> {
        let is_base64url = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let fits = string.len() <= Self::MAX_LEN;
        if fits
            && string.split('.').count() == 3
            && string.split('.').all(|part| !part.is_empty() && is_base64url(part))
        {
            Ok(Self(string.to_owned()))
        } else {
            Err(TokenFault::NotOurs)
        }
    }

    /// The token string.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RawToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RawToken(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_shape_of_a_compact_jws_is_accepted() {
        let longest = format!("{}.b.c", "a".repeat(RawToken::MAX_LEN - 4));
        let too_long = format!("a{longest}");
        for (string, accepted) in [
            ("a.b.c", true),
            ("aZ0-_.b.c", true),
            (&*longest, true),
            (&*too_long, false),
            ("", false),
            ("abc", false),
            ("a.b", false),
            ("a.b.c.d", false),
            ("a.b.", false),
            (".b.c", false),
            ("a..c", false),
            ("a=.b.c", false),
            ("a+.b.c", false),
            ("a.b.c\n", false),
            (" a.b.c", false),
            ("\u{E4}.b.c", false),
            ("Bearer a.b.c", false),
        ] {
            assert_eq!(RawToken::parse(string).is_ok(), accepted, "{string:?}");
        }
    }

    #[test]
    fn debug_output_hides_the_token() {
        assert_eq!(format!("{:?}", RawToken::parse("a.b.c")), "Ok(RawToken(***))");
    }
}
