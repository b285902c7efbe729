//! Signatures, forged like a client would and verified without the code under test.

use auth_tests::server::SIGNING_KEY;
use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use ring::signature::{RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use serde_json::{Map, Value};
use sha2::{Sha256, Sha512};

macro_rules! key_file {
    ($name:literal) => {
        concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/auth-crypto/tests/vectors/keys/", $name)
    };
}

/// The private key of the variant `rs256`.
pub(crate) const RSA_FILE: &str = key_file!("rsa2048.pem");
/// Its public half, as a service publishes it.
pub(crate) const RSA_PUBLIC: &str = include_str!(key_file!("rsa2048.pub.pem"));
/// The same as a bare RSAPublicKey (RFC 8017 §A.1.1).
const RSA_PUBLIC_PKCS1: &str = include_str!(key_file!("rsa2048-pkcs1.pub.pem"));

/// The key of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// HMAC-SHA256 with [`SIGNING_KEY`].
    Secret,
    /// RSASSA-PKCS1-v1_5 with the key in [`RSA_FILE`].
    Rsa,
}

impl Key {
    /// Returns the algorithm as the header of a token names it.
    pub(crate) const fn algorithm(self) -> &'static str {
        match self {
            Self::Secret => "HS256",
            Self::Rsa => "RS256",
        }
    }

    /// Verifies a token; returns its header and its payload.
    pub(crate) fn open(self, token: &str) -> Result<(Value, Map<String, Value>), String> {
        let (message, signature) = token.rsplit_once('.').unwrap_or_default();
        if !self.verifies(message, signature) {
            return Err(format!("not signed with the key of the service: {token}"));
        }
        let part = |number: usize| -> Result<Value, String> {
            let bytes = decode(message.split('.').nth(number).unwrap_or_default())?;
            serde_json::from_slice(&bytes).map_err(|error| error.to_string())
        };
        Ok((part(0)?, part(1)?.as_object().cloned().ok_or("the payload is not an object")?))
    }

    fn verifies(self, message: &str, signature: &str) -> bool {
        match self {
            Self::Secret => hs256(message.to_owned(), SIGNING_KEY).rsplit('.').next() == Some(signature),
            Self::Rsa => {
                let base64: String = RSA_PUBLIC_PKCS1.lines().filter(|line| !line.starts_with('-')).collect();
                let key = BASE64_STANDARD.decode(base64).expect("a key in PEM");
                let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key);
                decode(signature).is_ok_and(|signature| key.verify(message.as_bytes(), &signature).is_ok())
            }
        }
    }
}

/// Signs with HMAC-SHA256 (RFC 7515 §5.1).
pub(crate) fn hs256(message: String, key: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key of any length");
    mac.update(message.as_bytes());
    format!("{message}.{}", encode(mac.finalize().into_bytes()))
}

/// Signs with HMAC-SHA512.
pub(crate) fn hs512(message: String, key: &str) -> String {
    let mut mac = Hmac::<Sha512>::new_from_slice(key.as_bytes()).expect("a key of any length");
    mac.update(message.as_bytes());
    format!("{message}.{}", encode(mac.finalize().into_bytes()))
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    BASE64_URL_SAFE_NO_PAD.decode(text).map_err(|error| error.to_string())
}
