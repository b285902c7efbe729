//! Recovery codes: for the day the authenticator is lost.

use std::fmt;

use auth_core::ports::Randomness;
use auth_core::user::UserId;

use crate::secret::{KeyedHash, Mac, MacPurpose, user_context};

/// A code to be written down: 80 random bits as 16 letters and digits, in groups of four. Good once. Secret.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(String);

impl RecoveryCode {
    /// Letters and digits that are not mistaken for each other: no i, l, o, u (Crockford's base 32).
    const ALPHABET: &'static [u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    const LENGTH: usize = 16;

    /// A new one.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        let mut bytes = [0; Self::LENGTH];
        randomness.fill(&mut bytes);
        // 32 divides 256: each character is as likely as any other.
        Self(bytes.iter().map(|byte| char::from(Self::ALPHABET[usize::from(byte % 32)])).collect())
    }

    /// Reads one, however it was written: letter case, blanks and hyphens do not count, and what looks alike is the same.
    pub fn parse(text: &str) -> Option<Self> {
        let read = |c: char| match c.to_ascii_lowercase() {
            'o' => '0',
            'i' | 'l' => '1',
            other => other,
        };
        let code: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).map(read).collect();
        let is_plain = code.len() == Self::LENGTH && code.bytes().all(|b| Self::ALPHABET.contains(&b));
        is_plain.then_some(Self(code))
    }

    /// What is stored of it: bound to its account.
    pub fn mac(&self, user: &UserId, keyed_hash: &dyn KeyedHash) -> Mac {
        keyed_hash.mac(MacPurpose::RecoveryCode, &self.message(user))
    }

    /// Whether it is one whose hash was stored.
    pub fn matches(&self, user: &UserId, mac: &Mac, keyed_hash: &dyn KeyedHash) -> bool {
        keyed_hash.matches(MacPurpose::RecoveryCode, &self.message(user), mac)
    }

    /// For people: four groups of four.
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
    fn one_code_may_be_written_in_many_ways() {
        let code = RecoveryCode::parse("01ab-cdef-ghjk-mnpq").unwrap();
        for text in ["01abcdefghjkmnpq", "O1AB CDEF GHJK MNPQ", "olab-cdef-ghjk-mnpq", "0i-ab-cd-ef-gh-jk-mn-pq"] {
            assert_eq!(RecoveryCode::parse(text), Some(code.clone()), "{text}");
        }
        assert_eq!(code.expose(), "01ab-cdef-ghjk-mnpq");
        for text in ["", "123456", "01ab-cdef-ghjk-mnpu", "01ab-cdef-ghjk-mnp", "01ab-cdef-ghjk-mnpqq", "é"] {
            assert_eq!(RecoveryCode::parse(text), None, "{text}");
        }
    }
}
