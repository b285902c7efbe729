//! Recovery codes, used when an authenticator is lost.

use std::fmt;

use auth_core::ports::Randomness;
use auth_core::user::UserId;

use crate::secret::{KeyedHash, Mac, MacPurpose, user_context};

/// A recovery code: 80 random bits as 16 letters and digits, in groups of four. Can be used once. Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(String);

impl RecoveryCode {
    /// Crockford's base 32: letters and digits without i, l, o and u, which are easily confused.
    const ALPHABET: &'static [u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    const LENGTH: usize = 16;

    /// Generates a code.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0; Self::LENGTH];
        randomness.fill(&mut bytes);
        // 32 divides 256, so the characters are uniformly distributed.
        Self(bytes.iter().map(|byte| char::from(Self::ALPHABET[usize::from(byte % 32)])).collect())
    }

    /// Parses a code; `None` if it is not valid. Letter case, spaces and hyphens are ignored, `o` is read as `0`, and `i` and `l`
    /// as `1`.
    pub fn parse(input: &str) -> Option<Self> {
        let read = |c: char| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        };
        let code: String = input.chars().filter(|c| !matches!(c, ' ' | '-')).map(read).collect();
        let is_plain = code.len() == Self::LENGTH && code.bytes().all(|b| Self::ALPHABET.contains(&b));
        is_plain.then_some(Self(code))
    }

    /// The keyed hash to be stored, bound to the account.
    pub fn mac(&self, user: &UserId, keyed_hash: &dyn KeyedHash) -> Mac {
        keyed_hash.mac(MacPurpose::RecoveryCode, &self.message(user))
    }

    /// Whether this is the code with the stored hash `mac`.
    pub fn matches(&self, user: &UserId, mac: &Mac, keyed_hash: &dyn KeyedHash) -> bool {
        keyed_hash.matches(MacPurpose::RecoveryCode, &self.message(user), mac)
    }

    /// The code in four groups of four characters.
    pub fn expose(&self) -> String {
        let groups: Vec<_> = (0..Self::LENGTH).step_by(4).map(|start| &self.0[start..start + 4]).collect();
        groups.join("-")
    }

    fn message(&self, user: &UserId) -> Vec<u8> {
        [&user_context(user)[..], self.0.as_bytes()].concat()
    }
}

impl fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryCode(***)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parsing_ignores_case_spacing_and_confusable_letters() {
        let code = RecoveryCode::parse("01ab-cdef-ghjk-mnpq").unwrap();
        for input in ["01abcdefghjkmnpq", "O1AB CDEF GHJK MNPQ", "olab-cdef-ghjk-mnpq", "0i-ab-cd-ef-gh-jk-mn-pq"] {
            assert_eq!(RecoveryCode::parse(input), Some(code.clone()), "{input}");
        }
        assert_eq!(code.expose(), "01ab-cdef-ghjk-mnpq");
        for input in ["", "123456", "01ab-cdef-ghjk-mnpu", "01ab-cdef-ghjk-mnp", "01ab-cdef-ghjk-mnpqq", "é"] {
            assert_eq!(RecoveryCode::parse(input), None, "{input}");
        }
    }
}
