//! Link tokens, challenges and 6-digit codes, as users receive them.

use std::fmt;

use auth_core::ports::Randomness;

use crate::code::{CodeId, OneTimeCode};
use crate::secret::{KeyedHash, Mac, MacPurpose};

/// A link token: the ID of its code and 256 random bits, as 96 lower-case hex digits. Secret.
///
/// The row is found by the ID, so the secret is compared in constant time and never part of a query.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkToken {
    id: CodeId,
    secret: [u8; 32],
}

impl LinkToken {
    /// Generates a token for this code.
    pub fn generate(id: CodeId, randomness: &dyn Randomness) -> Self {
        let mut secret = [0; 32];
        randomness.fill(&mut secret);
        Self { id, secret }
    }

    /// Parses a token; `None` if it is not valid.
    pub fn parse(input: &str) -> Option<Self> {
        let (id, secret) = input.split_at_checked(32)?;
        Some(Self { id: CodeId::from_bytes(from_hex(id)?), secret: from_hex(secret)? })
    }

    /// The ID of the code that it belongs to.
    pub const fn id(&self) -> CodeId {
        self.id
    }

    /// The keyed hash to be stored.
    pub fn mac(&self, keyed_hash: &dyn KeyedHash) -> Mac {
        keyed_hash.mac(MacPurpose::Link, &self.message())
    }

    /// Whether this is the token of `code`.
    pub fn matches(&self, code: &OneTimeCode, keyed_hash: &dyn KeyedHash) -> bool {
        code.id == self.id && code.mac.is_some_and(|mac| keyed_hash.matches(MacPurpose::Link, &self.message(), &mac))
    }

    /// The token string.
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

/// A challenge: the ID of its code and a keyed hash of the ID, as 96 lower-case hex digits. It cannot be created without the
/// key, and gives access to nothing without a second factor.
#[derive(Clone, PartialEq, Eq)]
pub struct ChallengeToken(String);

impl ChallengeToken {
    /// Creates the challenge for a code.
    pub fn of(id: CodeId, keyed_hash: &dyn KeyedHash) -> Self {
        Self(to_hex(&id.bytes()) + &to_hex(keyed_hash.mac(MacPurpose::Challenge, &id.bytes()).bytes()))
    }

    /// Parses a challenge and returns the ID of its code; `None` if this deployment did not issue it.
    pub fn read(input: &str, keyed_hash: &dyn KeyedHash) -> Option<CodeId> {
        let (id, mac) = input.split_at_checked(32)?;
        let (id, mac) = (from_hex(id)?, Mac::from_bytes(from_hex(mac)?));
        keyed_hash.matches(MacPurpose::Challenge, &id, &mac).then(|| CodeId::from_bytes(id))
    }

    /// The challenge string.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ChallengeToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ChallengeToken(***)")
    }
}

/// A 6-digit code, from an email or an authenticator. Secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SixDigitCode(u32);

impl SixDigitCode {
    /// The number of different codes.
    pub const COUNT: u32 = 1_000_000;

    /// Generates a code, uniformly distributed.
    pub fn generate(randomness: &dyn Randomness) -> Self {
        // The largest multiple of COUNT that fits. Numbers from there on would make small codes more likely.
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

    /// The last six decimal digits of a number.
    pub const fn of_number(number: u32) -> Self {
        Self(number % Self::COUNT)
    }

    /// Parses six ASCII digits, ignoring spaces and hyphens; `None` for any other string.
    pub fn parse(input: &str) -> Option<Self> {
        let digits: String = input.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
        let is_six = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_digit());
        is_six.then(|| digits.parse().ok()).flatten().map(Self)
    }

    /// The keyed hash to be stored, bound to the challenge with this ID.
    pub fn mac(self, id: CodeId, keyed_hash: &dyn KeyedHash) -> Mac {
        keyed_hash.mac(MacPurpose::Code, &self.message(id))
    }

    /// Whether this is the code that was sent by email for this challenge.
    pub fn matches(self, code: &OneTimeCode, keyed_hash: &dyn KeyedHash) -> bool {
        code.mac.is_some_and(|mac| keyed_hash.matches(MacPurpose::Code, &self.message(code.id), &mac))
    }

    /// The six digits.
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

/// Encodes bytes as lower-case hex.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Decodes hex. Accepts only lower case, so that each secret has exactly one token string.
fn from_hex<const N: usize>(input: &str) -> Option<[u8; N]> {
    let digits = input.as_bytes();
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
    fn link_tokens_have_one_spelling() {
        let token = LinkToken::generate(CodeId::from_bytes([0xAB; 16]), &Ones);
        let input = token.expose();
        assert_eq!(input.len(), 96);
        assert_eq!(LinkToken::parse(&input), Some(token));
        for bad in
            [input.to_uppercase(), input[1..].to_owned(), format!("{input}0"), input.replace('a', "g"), "é".repeat(48)]
        {
            assert_eq!(LinkToken::parse(&bad), None, "{bad}");
        }
    }

    #[test]
    fn six_digits_are_parsed_with_spaces_and_hyphens() {
        for (input, expected) in [
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
            assert_eq!(SixDigitCode::parse(input).map(SixDigitCode::expose).as_deref(), expected, "{input:?}");
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
