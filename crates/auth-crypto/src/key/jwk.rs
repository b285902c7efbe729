//! Reading public keys as JSON Web Keys (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};

use crate::key::algorithm::KeyKind;
use crate::key::public::PublicKey;
use crate::key::{Algorithm, KeyError, from_base64url, is_sane_kid};

/// A JWK that holds no secret and may verify signatures. Whether it holds a key is not known yet.
pub(super) struct Jwk<'a>(&'a Map<String, Value>);

impl<'a> Jwk<'a> {
    /// The members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1, RFC 8037 §2).
    const SECRET: [&'static str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

    pub(super) fn of(value: &'a Value) -> Result<Self, KeyError> {
        let jwk = Self(value.as_object().ok_or(KeyError::NotJwk)?);
        if jwk.text("kty")? == Some("oct") {
            return Err(KeyError::SecretJwk);
        }
        if Self::SECRET.iter().any(|name| jwk.0.contains_key(*name)) {
            return Err(KeyError::NotPublic);
        }
        if jwk.is_for_verifying()? { Ok(jwk) } else { Err(KeyError::NotForVerifying) }
    }

    /// What `use` and `key_ops` allow (RFC 7517 §4.2, §4.3). Either may be absent.
    fn is_for_verifying(&self) -> Result<bool, KeyError> {
        let is_for_signatures = self.text("use")?.is_none_or(|purpose| purpose == "sig");
        let may_verify = match self.0.get("key_ops") {
            None => true,
            Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
            Some(_) => return Err(KeyError::NotJwk),
        };
        Ok(is_for_signatures && may_verify)
    }

    /// The algorithm: the one asked for, else the one that the JWK names (RFC 7517 §4.4), else none. They cannot
    /// differ.
    pub(super) fn algorithm(&self, asked: Option<Algorithm>) -> Result<Option<Algorithm>, KeyError> {
        let named = self.text("alg")?.map(str::parse).transpose()?;
        match (asked, named) {
            (Some(asked), Some(named)) if asked != named => Err(KeyError::OtherAlgorithm { asked, named }),
            _ => Ok(asked.or(named)),
        }
    }

    /// The key id (RFC 7517 §4.5), if a token could name it.
    pub(super) fn kid(&self) -> Option<&'a str> {
        self.0.get("kid").and_then(Value::as_str).filter(|kid| is_sane_kid(kid))
    }

    pub(super) fn public_key(&self) -> Result<PublicKey, KeyError> {
        match (self.text("kty")?, self.text("crv")?) {
            (None, _) => Err(KeyError::NotJwk),
            (Some("RSA"), _) => PublicKey::from_rsa_numbers(&self.bytes("n")?, &self.bytes("e")?),
            (Some("EC"), Some("P-256")) => {
                PublicKey::from_coordinates(KeyKind::P256, &self.bytes("x")?, &self.bytes("y")?)
            }
            (Some("EC"), Some("P-384")) => {
                PublicKey::from_coordinates(KeyKind::P384, &self.bytes("x")?, &self.bytes("y")?)
            }
            (Some("OKP"), Some("Ed25519")) => PublicKey::from_ed25519(self.bytes("x")?),
            _ => Err(KeyError::Unsupported),
        }
    }

    /// A member that must be text if it is there.
    fn text(&self, name: &str) -> Result<Option<&'a str>, KeyError> {
        self.0.get(name).map(|value| value.as_str().ok_or(KeyError::NotJwk)).transpose()
    }

    /// A member that must be there, in base64url.
    fn bytes(&self, name: &str) -> Result<Vec<u8>, KeyError> {
        self.text(name)?.and_then(from_base64url).ok_or(KeyError::NotJwk)
    }
}
