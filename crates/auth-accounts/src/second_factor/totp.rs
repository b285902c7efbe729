//! TOTP codes (RFC 6238) with SHA-1, six digits and time steps of 30 seconds, which every authenticator supports.

use std::fmt;

use auth_core::ports::Randomness;
use auth_core::time::UnixTime;
use auth_core::user::UserId;

use crate::code::SixDigitCode;
use crate::secret::{KeyedHash, user_context};

/// The length of a time step, in seconds (RFC 6238 §5.2).
pub const TOTP_STEP: i64 = 30;

/// The secret that an authenticator shares with the service: 160 bits (RFC 4226 §4, R6). `Debug` does not print it.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Vec<u8>);

impl TotpSecret {
    /// Generates a secret.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        let mut bytes = vec![0; 20];
        randomness.fill(&mut bytes);
        Self(bytes)
    }

    /// Creates a secret from its bytes.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes of the secret.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    /// The secret in base32 (RFC 4648 §6) without padding, for typing it into an authenticator.
    pub fn expose_base32(&self) -> String {
        const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let bit = |place: usize| self.0.get(place / 8).is_some_and(|byte| byte >> (7 - place % 8) & 1 == 1);
        let digit = |start: usize| (start..start + 5).fold(0, |value, place| value << 1 | usize::from(bit(place)));
        (0..self.0.len() * 8).step_by(5).map(|start| char::from(ALPHABET[digit(start)])).collect()
    }

    /// The `otpauth` URI that authenticators read from a QR code (the "Key Uri Format" of Google Authenticator). Authenticators
    /// display the issuer and the account.
    pub fn expose_uri(&self, issuer: &str, account: &str) -> String {
        let (issuer, account) = (percent_encoded(issuer), percent_encoded(account));
        let secret = self.expose_base32();
        format!("otpauth://totp/{issuer}:{account}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30")
    }

    /// The context with which the secret of an account is sealed, so that it cannot be opened for another account.
    pub fn context(user: &UserId) -> Vec<u8> {
        [b"totp ", &user_context(user)[..]].concat()
    }
}

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(***)")
    }
}

/// Percent-encodes everything except unreserved characters (RFC 3986 §2.3).
fn percent_encoded(input: &str) -> String {
    let encode = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    input.bytes().map(encode).collect()
}

/// The time step at a given time (RFC 6238 §4.2).
pub const fn step_of(now: UnixTime) -> u64 {
    now.seconds().div_euclid(TOTP_STEP).unsigned_abs()
}

/// The time step that a code belongs to; `None` if the code is wrong.
///
/// Accepts the current step and, since clocks differ, the steps before and after it. Steps up to `last_step` are refused,
/// so that no code is accepted twice (RFC 6238 §5.2).
pub fn matching_step(
    secret: &TotpSecret,
    code: SixDigitCode,
    last_step: Option<u64>,
    now: UnixTime,
    keyed_hash: &dyn KeyedHash,
) -> Option<u64> {
    let current = step_of(now);
    let is_new = |step: &u64| last_step.is_none_or(|last| *step > last);
    // All three codes are computed, so that the timing does not reveal which step matched.
    let right = [current.saturating_sub(1), current, current + 1]
        .map(|step| (SixDigitCode::of_number(keyed_hash.hotp(secret.expose(), step)) == code).then_some(step));
    right.into_iter().flatten().find(is_new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base32_matches_the_test_vectors_of_rfc_4648() {
        for (bytes, expected) in
            [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foob", "MZXW6YQ"), ("foobar", "MZXW6YTBOI")]
        {
            assert_eq!(TotpSecret::from_bytes(bytes.into()).expose_base32(), expected);
        }
    }

    #[test]
    fn uri_components_are_percent_encoded() {
        let uri = TotpSecret::from_bytes(b"foo".to_vec()).expose_uri("A&B: Ltd", "bob?secret=x");
        assert_eq!(
            uri,
            "otpauth://totp/A%26B%3A%20Ltd:bob%3Fsecret%3Dx?secret=MZXW6&issuer=A%26B%3A%20Ltd&algorithm=SHA1&digits=6\
             &period=30"
        );
    }
}
