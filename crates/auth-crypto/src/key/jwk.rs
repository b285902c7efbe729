//! Public keys in the form of a JSON Web Key (RFC 7517 §4, RFC 7518 §6, RFC 8037 §2).

use serde_json::{Map, Value};

use crate::key::algorithm::KeyKind;
use crate::key::public::PublicKey;
use crate::key::{Algorithm, KeyError, from_base64url, is_valid_kid};

/// A JWK without private members that may be used to verify signatures. The key itself is not checked yet.
pub(super) struct Jwk<'a>(&'a Map<String, Value>);

impl<'a> Jwk<'a> {
    /// Members that only a private or symmetric key has (RFC 7518 §6.2.2, §6.3.2, §6.4.1, RFC 8037 §2).
    const PRIVATE_MEMBERS: [&'static str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

    pub(super) fn parse(value: &'a Value) -> Result<Self, KeyError> {
        let jwk = Self(value.as_object().ok_or(KeyError::NotJwk)?);
        if jwk.string("kty")? == Some("oct") {
            return Err(KeyError::SecretJwk);
        }
        if Self::PRIVATE_MEMBERS.iter().any(|name| jwk.0.contains_key(*name)) {
            return Err(KeyError::NotPublic);
        }
        if jwk.is_for_verifying()? { Ok(jwk) } else { Err(KeyError::NotForVerifying) }
    }

    /// Returns whether `use` and `key_ops` allow verification (RFC 7517 §4.2, §4.3). Both are optional.
    fn is_for_verifying(&self) -> Result<bool, KeyError> {
        let is_for_signatures = self.string("use")?.is_none_or(|purpose| purpose == "sig");
        let may_verify = match self.0.get("key_ops") {
            None => true,
            Some(Value::Array(operations)) => operations.iter().any(|operation| operation == "verify"),
            Some(_) => return Err(KeyError::NotJwk),
        };
        Ok(is_for_signatures && may_verify)
    }

    /// Returns `requested` or, if it is `None`, the algorithm in `alg` (RFC 7517 §4.4), if any.
    ///
    /// # Errors
    /// [`KeyError::UnknownAlgorithm`], and [`KeyError::AlgorithmMismatch`] if both are present and differ.
    pub(super) fn algorithm(&self, requested: Option<Algorithm>) -> Result<Option<Algorithm>, KeyError> {
        let declared = self.string("alg")?.map(str::parse).transpose()?;
        match (requested, declared) {
            (Some(requested), Some(declared)) if requested != declared => {
                Err(KeyError::AlgorithmMismatch { requested, declared })
            }
            _ => Ok(requested.or(declared)),
        }
    }

    /// Returns the key ID (RFC 7517 §4.5), unless it would be rejected in the header of a token.
    pub(super) fn kid(&self) -> Option<&'a str> {
        self.0.get("kid").and_then(Value::as_str).filter(|kid| is_valid_kid(kid))
    }

    pub(super) fn public_key(&self) -> Result<PublicKey, KeyError> {
        match (self.string("kty")?, self.string("crv")?) {
            (None, _) => Err(KeyError::NotJwk),
            (Some("RSA"), _) => PublicKey::from_rsa_components(&self.bytes("n")?, &self.bytes("e")?),
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

    /// Returns an optional member, which must be a string.
    fn string(&self, name: &str) -> Result<Option<&'a str>, KeyError> {
        self.0.get(name).map(|value| value.as_str().ok_or(KeyError::NotJwk)).transpose()
    }

    /// Decodes a required member, which must be base64url.
    fn bytes(&self, name: &str) -> Result<Vec<u8>, KeyError> {
        self.string(name)?.and_then(from_base64url).ok_or(KeyError::NotJwk)
    }
}
