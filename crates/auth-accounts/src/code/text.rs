//! The texts that people hold: the token of a link, the text of a challenge, six digits.

use std::fmt;

use auth_core::ports::Randomness;

use crate::code::{CodeId, OneTimeCode};
use crate::secret::KeyedHash;
use crate::secret::{Mac, MacPurpose};

/// The token of a link: the name of its code and 256 random bits, as 96 lower-case hex digits. Secret.
///
/// The name finds the row, so that the secret is never searched for, only compared.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkToken {
    id: CodeId,
    secret: [u8; 32],
}

impl LinkToken {
    /// A new one for this code.
    pub fn generate(id: CodeId, randomness: &dyn Randomness) -> Self {
        let mut secret = [0; 32];
        randomness.fill(&mut secret);
        Self { id, secret }
    }

    /// Reads one that somebody brought.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.split_at_checked(32)?;
        Some(Self { id: CodeId::from_bytes(from_hex(id)?), secret: from_hex(secret)? })
    }

    /// The code it belongs to.
    pub const fn id(&self) -> CodeId {
        self.id
    }

    /// What is stored of it.
    pub fn mac(&self, keyed_hash: &dyn KeyedHash) -> Mac {
        keyed_hash.mac(MacPurpose::Link, &self.message())
    }

    /// Whether it is the one whose hash was stored.
    pub fn matches(&self, code: &OneTimeCode, keyed_hash: &dyn KeyedHash) -> bool {
        code.id == self.id && code.mac.is_some_and(|mac| keyed_hash.matches(MacPurpose::Link, &self.message(), &mac))
    }

    /// The text.
    pub fn expose(&self) -> String {
        to_hex(&self.id.bytes()) + &to_hex(&self.secret)
    }

    fn message(&self) -> Vec<u8> {
        [&self.id.bytes()[..], &self.secret].concat()
    }
}

impl fmt::Debug for LinkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LinkToken({} ***)", self.id)
    }
}

/// The text of a challenge: the name of its code and a keyed hash of it, as 96 lower-case hex digits. Nobody can make one
/// who does not have the key; it opens nothing without a second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct ChallengeToken(String);

impl ChallengeToken {
    /// The challenge of a code.
    pub fn of(id: CodeId, keyed_hash: &dyn KeyedHash) -> Self {
        Self(to_hex(&id.bytes()) + &to_hex(keyed_hash.mac(MacPurpose::Challenge, &id.bytes()).bytes()))
    }

    /// The code of a challenge that somebody brought; `None`: it is not one of ours.
    pub fn read(text: &str, keyed_hash: &dyn KeyedHash) -> Option<CodeId> {
        let (id, mac) = text.split_at_checked(32)?;
        let (id, mac) = (from_hex(id)?, Mac::from_bytes(from_hex(mac)?));
        keyed_hash.matches(MacPurpose::Challenge, &id, &mac).then(|| CodeId::from_bytes(id))
    }

    /// The text.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ChallengeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeToken(***)")
    }
}

/// Six digits, as mailed or shown by an authenticator. Secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SixDigitCode(u32);

impl SixDigitCode {
    /// How many there are.
    pub const COUNT: u32 = 1_000_000;

    /// A new one: each as likely as any other.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        // The largest multiple of COUNT that fits; what lies above would favour the small ones.
        const LIMIT: u32 = u32::MAX - u32::MAX % SixDigitCode::COUNT;
        loop {
            let mut bytes = [0; 4];
            randomness.fill(&mut bytes);
            let number = u32::from_le_bytes(bytes);
            if number < LIMIT {
                return Self(number % Self::COUNT);
            }
        }
    }

    /// The last six digits of a number.
    pub const fn of_number(number: u32) -> Self {
        Self(number % Self::COUNT)
    }

    /// Reads six digits; blanks and hyphens between them do not count.
    pub fn parse(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let is_six = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit());
        is_six.then(|| digits.parse().ok()).flatten().map(Self)
    }

    /// What is stored of it: bound to its challenge.
    pub fn mac(self, id: CodeId, keyed_hash: &dyn KeyedHash) -> Mac {
        keyed_hash.mac(MacPurpose::Code, &self.message(id))
    }

    /// Whether it is the one that was mailed for this challenge.
    pub fn matches(self, code: &OneTimeCode, keyed_hash: &dyn KeyedHash) -> bool {
        code.mac.is_some_and(|mac| keyed_hash.matches(MacPurpose::Code, &self.message(code.id), &mac))
    }

    /// The digits.
    pub fn expose(self) -> String {
        format!("{:06}", self.0)
    }

    fn message(self, id: CodeId) -> Vec<u8> {
        [&id.bytes()[..], &self.0.to_be_bytes()].concat()
    }
}

impl fmt::Debug for SixDigitCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SixDigitCode(***)")
    }
}

/// Lower-case digits, two for each byte.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Lower-case digits only: one secret has one text.
fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Ones;
    impl Randomness for Ones {
        fn fill(&self, buffer: &mut [u8]) {
            buffer.fill(1);
        }
    }

    #[test]
    fn a_link_has_one_spelling() {
        let token = LinkToken::generate(CodeId::from_bytes([0xAB; 16]), &Ones);
        let text = token.expose();
        assert_eq!(text.len(), 96);
        assert_eq!(LinkToken::parse(&text), Some(token));
        for bad in
            [text.to_uppercase(), text[1..].to_owned(), format!("{text}0"), text.replace('a', "g"), "é".repeat(48)]
        {
            assert_eq!(LinkToken::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn what_six_digits_are() {
        for (text, expected) in [
            ("000000", Some("000000")),
            ("123456", Some("123456")),
            ("123 456", Some("123456")),
            ("123-456", Some("123456")),
            ("12345", None),
            ("1234567", None),
            ("+12345", None),
            ("\u{0661}23456", None),
            ("", None),
        ] {
            assert_eq!(SixDigitCode::parse(text).map(SixDigitCode::expose).as_deref(), expected, "{text:?}");
        }
        assert_eq!(SixDigitCode::of_number(1_284_755_224).expose(), "755224");
    }

    #[test]
    fn debug_shows_no_secret() {
        let token = LinkToken::generate(CodeId::from_bytes([0; 16]), &Ones);
        assert!(!format!("{token:?}").contains("0101"));
        assert_eq!(format!("{:?}", SixDigitCode::of_number(123_456)), "SixDigitCode(***)");
    }
}
