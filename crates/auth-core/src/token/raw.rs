//! A token as it arrived.

use std::fmt;

use crate::token::TokenFault;

/// A token as it arrived: nothing in it has been checked, not even who wrote it.
///
/// Secret: no `Display`, and a `Debug` that prints `RawToken(***)`. Only [`expose`](Self::expose) gives the text, so
/// one search finds every place where it can leak.
///
/// ```
/// use auth_core::token::RawToken;
/// assert!(RawToken::parse("header.payload.signature").is_ok());
/// assert!(RawToken::parse("Bearer header.payload.signature").is_err());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct RawToken(String);

impl RawToken {
    /// Longest token accepted, in bytes: longer ones cost no decoding.
    pub const MAX_LEN: usize = 8 * 1024;

    /// Checks the outer shape: a compact JWS is three parts of base64url without padding (RFC 7515 §3.1, §2).
    pub fn parse(text: &str) -> Result<Self, TokenFault> {
        let is_base64url = |part: &str| part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        let fits = text.len() <= Self::MAX_LEN;
        if fits && text.split('.').count() == 3 && text.split('.').all(|part| !part.is_empty() && is_base64url(part)) {
            Ok(Self(text.to_owned()))
        } else {
            Err(TokenFault::NotOurs)
        }
    }

    /// The text.
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
    fn only_the_outer_shape_of_a_compact_jws_is_let_in() {
        let longest = format!("{}.b.c", "a".repeat(RawToken::MAX_LEN - 4));
        let too_long = format!("a{longest}");
        for (text, accepted) in [
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
            assert_eq!(RawToken::parse(text).is_ok(), accepted, "{text:?}");
        }
    }

    #[test]
    fn debug_shows_no_token() {
        assert_eq!(format!("{:?}", RawToken::parse("a.b.c")), "Ok(RawToken(***))");
    }
}
