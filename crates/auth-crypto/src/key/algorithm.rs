//! The supported signature algorithms.

use std::fmt;
use std::str::FromStr;

use crate::key::KeyError;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
///
/// ```
/// use auth_crypto::Algorithm;
/// assert_eq!("ES256".parse(), Ok(Algorithm::Es256));
/// assert_eq!(Algorithm::EdDsa.name(), "EdDSA");
/// assert!("none".parse::<Algorithm>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    Rs256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    Rs384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    Rs512,
    /// RSASSA-PSS with SHA-256.
    Ps256,
    /// RSASSA-PSS with SHA-384.
    Ps384,
    /// RSASSA-PSS with SHA-512.
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// EdDSA on Ed25519.
    EdDsa,
}

/// A kind of key. Each kind works with one or more algorithms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Secret,
    Rsa,
    P256,
    P384,
    Ed25519,
}

impl Algorithm {
    /// All supported algorithms.
    pub const ALL: [Self; 12] = [
        Self::Hs256,
        Self::Hs384,
        Self::Hs512,
        Self::Rs256,
        Self::Rs384,
        Self::Rs512,
        Self::Ps256,
        Self::Ps384,
        Self::Ps512,
        Self::Es256,
        Self::Es384,
        Self::EdDsa,
    ];

    /// Returns the value of `alg` in the header of a token.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Hs384 => "HS384",
            Self::Hs512 => "HS512",
            Self::Rs256 => "RS256",
            Self::Rs384 => "RS384",
            Self::Rs512 => "RS512",
            Self::Ps256 => "PS256",
            Self::Ps384 => "PS384",
            Self::Ps512 => "PS512",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Returns whether one shared secret both signs and verifies, so that there is no public key to publish.
    pub const fn is_symmetric(self) -> bool {
        matches!(self.kind(), KeyKind::Secret)
    }

    /// Returns the kind of key that the algorithm works with.
    pub(crate) const fn kind(self) -> KeyKind {
        match self {
            Self::Hs256 | Self::Hs384 | Self::Hs512 => KeyKind::Secret,
            Self::Rs256 | Self::Rs384 | Self::Rs512 | Self::Ps256 | Self::Ps384 | Self::Ps512 => KeyKind::Rsa,
            Self::Es256 => KeyKind::P256,
            Self::Es384 => KeyKind::P384,
            Self::EdDsa => KeyKind::Ed25519,
        }
    }

    /// Converts to the type of `jsonwebtoken`.
    pub(crate) const fn to_jsonwebtoken(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Hs256 => jsonwebtoken::Algorithm::HS256,
            Self::Hs384 => jsonwebtoken::Algorithm::HS384,
            Self::Hs512 => jsonwebtoken::Algorithm::HS512,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
            Self::Rs384 => jsonwebtoken::Algorithm::RS384,
            Self::Rs512 => jsonwebtoken::Algorithm::RS512,
            Self::Ps256 => jsonwebtoken::Algorithm::PS256,
            Self::Ps384 => jsonwebtoken::Algorithm::PS384,
            Self::Ps512 => jsonwebtoken::Algorithm::PS512,
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::Es384 => jsonwebtoken::Algorithm::ES384,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

impl FromStr for Algorithm {
    type Err = KeyError;

    /// Parses an exact name. Names are case-sensitive (RFC 7515 §4.1.1), and `none` is not supported.
    ///
    /// # Errors
    /// [`KeyError::UnknownAlgorithm`].
    fn from_str(name: &str) -> Result<Self, KeyError> {
        Self::ALL.into_iter().find(|algorithm| algorithm.name() == name).ok_or(KeyError::UnknownAlgorithm)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl KeyKind {
    /// Returns the algorithm of a key of this kind for which none is requested.
    pub(crate) const fn default_algorithm(self) -> Algorithm {
        match self {
            Self::Secret => Algorithm::Hs256,
            Self::Rsa => Algorithm::Rs256,
            Self::P256 => Algorithm::Es256,
            Self::P384 => Algorithm::Es384,
            Self::Ed25519 => Algorithm::EdDsa,
        }
    }

    /// Returns `requested` if it works with a key of this kind, or the default algorithm if it is `None`.
    pub(crate) fn algorithm(self, requested: Option<Algorithm>) -> Result<Algorithm, KeyError> {
        match requested {
            None => Ok(self.default_algorithm()),
            Some(algorithm) if algorithm.kind() == self => Ok(algorithm),
            Some(algorithm) => Err(KeyError::WrongKind { algorithm, key: self.name() }),
        }
    }

    /// Returns the name for error messages; for an elliptic curve, also the value of `crv` in a JWK (RFC 7518
    /// §6.2.1.1).
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Secret => "secret",
            Self::Rsa => "RSA",
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::Ed25519 => "Ed25519",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_exact_names_only() {
        for algorithm in Algorithm::ALL {
            assert_eq!(algorithm.name().parse(), Ok(algorithm));
            assert_eq!(format!("{:?}", algorithm.to_jsonwebtoken()), algorithm.name());
        }
        for name in ["", "none", "None", "NONE", "hs256", "HS256 ", "HS1", "ES512", "ES256K", "Ed25519", "RSA1_5"] {
            assert_eq!(name.parse::<Algorithm>(), Err(KeyError::UnknownAlgorithm), "{name:?}");
        }
    }

    #[test]
    fn a_key_works_with_the_algorithms_of_its_kind_only() {
        for kind in [KeyKind::Secret, KeyKind::Rsa, KeyKind::P256, KeyKind::P384, KeyKind::Ed25519] {
            assert_eq!(kind.algorithm(None).map(Algorithm::kind), Ok(kind));
            for algorithm in Algorithm::ALL {
                let fits = algorithm.kind() == kind;
                assert_eq!(kind.algorithm(Some(algorithm)).is_ok(), fits, "{algorithm} {}", kind.name());
            }
        }
    }
}
