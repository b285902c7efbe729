//! Tokens with a checksum in place of the signature.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hasher as _};

use async_trait::async_trait;
use auth_core::ports::{Recognised, SignError, TokenSigner, VerifyError};
use auth_core::token::{Payload, RawToken};
use serde_json::Value;

/// **Protects nothing**: signs tokens of three parts, like a JWS, whose last part is a 64-bit checksum (SipHash under a
/// seed). Anyone can forge them. For tests that need tokens but no cryptography.
///
/// Two signers accept each other's tokens if their seeds are the same.
#[derive(Clone, Debug, Default)]
pub struct PlainSigner {
    seed: u64,
}

impl PlainSigner {
    /// The first part of its tokens: `plain` in hex.
    const HEADER: &'static str = "706c61696e";

    /// A signer whose "key" is this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The payload of a token, if a signer with this seed signed it.
    pub fn open(&self, token: &RawToken) -> Option<Payload> {
        let (signed, checksum) = token.expose().rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        if header != Self::HEADER || checksum != self.checksum(signed) {
            return None;
        }
        match serde_json::from_slice(&from_hex(payload)?) {
            Ok(Value::Object(payload)) => Some(payload),
            _ => None,
        }
    }

    fn checksum(&self, text: &str) -> String {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(self.seed);
        hasher.write(text.as_bytes());
        format!("{:016x}", hasher.finish())
    }
}

#[async_trait]
impl TokenSigner for PlainSigner {
    fn sign(&self, payload: &Payload) -> Result<String, SignError> {
        let signed = format!("{}.{}", Self::HEADER, to_hex(&serde_json::to_vec(payload)?));
        let checksum = self.checksum(&signed);
        Ok(format!("{signed}.{checksum}"))
    }

    async fn verify(&self, token: &RawToken) -> Result<Recognised, VerifyError> {
        let payload = self.open(token).ok_or(VerifyError::NotOurs)?;
        Ok(Recognised { payload, is_own: true })
    }
}

fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).ok());
    digits.map(|pair| pair.and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload() -> Payload {
        json!({"jti": "a", "exp": 1, "custom": {"name": "Ren\u{e9}e \u{1F600}"}}).as_object().unwrap().clone()
    }

    fn verified(signer: &PlainSigner, text: &str) -> Option<Payload> {
        signer.open(&RawToken::parse(text).unwrap())
    }

    #[test]
    fn accepts_a_token_only_under_the_same_seed() {
        let signer = PlainSigner::new(1);
        let token = signer.sign(&payload()).unwrap();
        assert_eq!(verified(&signer, &token), Some(payload()));
        assert_eq!(verified(&PlainSigner::new(2), &token), None);
    }

    #[test]
    fn refuses_a_token_with_any_byte_changed() {
        let signer = PlainSigner::default();
        let token = signer.sign(&payload()).unwrap();
        for place in (0..token.len()).filter(|place| token.as_bytes()[*place] != b'.') {
            for other in ["0", "a", "B", "_"].into_iter().filter(|other| *other != &token[place..=place]) {
                let changed = format!("{}{other}{}", &token[..place], &token[place + 1..]);
                assert_eq!(verified(&signer, &changed), None, "{changed}");
            }
        }
        assert_eq!(verified(&signer, "a.b.c"), None);
    }
}
