//! Public keys: validation, members of a JWK (RFC 7517) and thumbprints (RFC 7638).

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey, RsaPublicKeyComponents,
    VerificationAlgorithm,
};
use jsonwebtoken::DecodingKey;

use crate::key::algorithm::KeyKind;
use crate::key::pem::{Block, Label};
use crate::key::{KeyError, to_base64url};

/// A validated public key.
#[derive(Clone)]
pub(super) enum PublicKey {
    /// Big-endian without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// An uncompressed point: the byte 4, then x and y of equal length (SEC 1 §2.3.3).
    Ec { kind: KeyKind, point: Vec<u8> },
    /// 32 bytes (RFC 8032 §5.1.5).
    Ed25519(Vec<u8>),
}

impl PublicKey {
    const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
    /// Length of a SubjectPublicKeyInfo of Ed25519, in bytes; there is only one encoding (RFC 8410 §4).
    const ED25519_SPKI_LEN: usize = 44;

    pub(super) fn from_block(block: &Block) -> Result<Self, KeyError> {
        match block.label {
            Label::Public => Self::from_spki(&block.der),
            Label::RsaPublic => Self::from_rsa_der(&block.der),
            Label::Private | Label::RsaPrivate | Label::EcPrivate => Err(KeyError::NotPublic),
        }
    }

    /// Parses a DER-encoded SubjectPublicKeyInfo (RFC 5280 §4.1). The kind of key is the one that the library parses
    /// successfully.
    pub(super) fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        const SEQUENCE: u8 = 0x30;
        // The library also accepts bare keys, and any 32 bytes are a bare Ed25519 key.
        if der.first() != Some(&SEQUENCE) {
            return Err(KeyError::Unsupported);
        }
        if der.len() == Self::ED25519_SPKI_LEN
            && let Some(key) = bare_key(&ED25519, der, 32)
        {
            return Ok(Self::Ed25519(key));
        }
        if let Some(point) = bare_key(&ECDSA_P256_SHA256_FIXED, der, 65) {
            return Self::from_point(KeyKind::P256, &point);
        }
        if let Some(point) = bare_key(&ECDSA_P384_SHA384_FIXED, der, 97) {
            return Self::from_point(KeyKind::P384, &point);
        }
        Self::from_rsa_der(der)
    }

    /// Parses a DER-encoded RSA public key, PKCS#1 or SubjectPublicKeyInfo.
    pub(super) fn from_rsa_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_rsa(&rsa::PublicKey::from_der(der).map_err(|_| KeyError::Unsupported)?)
    }

    pub(super) fn from_rsa(key: &rsa::PublicKey) -> Result<Self, KeyError> {
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key);
        Self::check_rsa_size(&n)?;
        Ok(Self::Rsa { modulus: n, exponent: e })
    }

    /// Creates an RSA key from modulus and exponent, both big-endian. Ignores leading zeros, which some libraries write
    /// (RFC 7518 §6.3.1.1).
    pub(super) fn from_rsa_components(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let n = without_leading_zeros(modulus);
        // First, so that the library never processes a modulus of unlimited length from another issuer.
        Self::check_rsa_size(n)?;
        let components = RsaPublicKeyComponents { n, e: without_leading_zeros(exponent) };
        // Encoded as DER so that the library validates it like a key in PEM.
        let der: PublicKeyX509Der<'_> = components.as_der().map_err(|_| KeyError::Unsupported)?;
        Self::from_rsa_der(der.as_ref())
    }

    fn check_rsa_size(modulus: &[u8]) -> Result<(), KeyError> {
        // Leading zero bits of the most significant byte do not count.
        let unused_bits = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if Self::RSA_BITS.contains(&(modulus.len() * 8 - unused_bits)) { Ok(()) } else { Err(KeyError::RsaSize) }
    }

    /// Creates an elliptic curve key from coordinates, which must have the full length (RFC 7518 §6.2.1.2) and be a
    /// point on the curve.
    pub(super) fn from_coordinates(kind: KeyKind, x: &[u8], y: &[u8]) -> Result<Self, KeyError> {
        let (algorithm, len) = match kind {
            KeyKind::P256 => (&ECDSA_P256_SHA256_FIXED, 32),
            KeyKind::P384 => (&ECDSA_P384_SHA384_FIXED, 48),
            KeyKind::Secret | KeyKind::Rsa | KeyKind::Ed25519 => return Err(KeyError::Unsupported),
        };
        if (x.len(), y.len()) != (len, len) {
            return Err(KeyError::Unsupported);
        }
        let point = [&[4], x, y].concat();
        // Fails if the point is not on the curve.
        ParsedPublicKey::new(algorithm, &point).map_err(|_| KeyError::Unsupported)?;
        Ok(Self::Ec { kind, point })
    }

    /// Creates an Ed25519 key from 32 bytes. Does not check that they encode a point: if not, no signature verifies.
    pub(super) fn from_ed25519(key: Vec<u8>) -> Result<Self, KeyError> {
        if key.len() == 32 { Ok(Self::Ed25519(key)) } else { Err(KeyError::Unsupported) }
    }

    /// Creates an elliptic curve key from an uncompressed point that the library has validated.
    pub(super) fn from_point(kind: KeyKind, point: &[u8]) -> Result<Self, KeyError> {
        match point {
            [4, ..] => Ok(Self::Ec { kind, point: point.to_vec() }),
            _ => Err(KeyError::Unsupported),
        }
    }

    pub(super) const fn kind(&self) -> KeyKind {
        match self {
            Self::Rsa { .. } => KeyKind::Rsa,
            Self::Ec { kind, .. } => *kind,
            Self::Ed25519(_) => KeyKind::Ed25519,
        }
    }

    /// Converts to the type of `jsonwebtoken`.
    pub(super) fn decoding_key(&self) -> DecodingKey {
        match self {
            Self::Rsa { modulus, exponent } => DecodingKey::from_rsa_raw_components(modulus, exponent),
            Self::Ec { point, .. } => DecodingKey::from_ec_der(point),
            Self::Ed25519(key) => DecodingKey::from_ed_der(key),
        }
    }

    /// Returns the required members of the JWK, ordered by name (RFC 7638 §3.2, RFC 7518 §6, RFC 8037 §2).
    pub(super) fn jwk_members(&self) -> Vec<(&'static str, String)> {
        let string = str::to_owned;
        match self {
            Self::Rsa { modulus, exponent } => {
                vec![("e", to_base64url(exponent)), ("kty", string("RSA")), ("n", to_base64url(modulus))]
            }
            Self::Ec { kind, point } => {
                let coordinates = point.get(1..).unwrap_or_default();
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                let curve = ("crv", string(kind.name()));
                vec![curve, ("kty", string("EC")), ("x", to_base64url(x)), ("y", to_base64url(y))]
            }
            Self::Ed25519(key) => vec![("crv", string("Ed25519")), ("kty", string("OKP")), ("x", to_base64url(key))],
        }
    }

    /// Returns the SHA-256 thumbprint in base64url (RFC 7638 §3).
    pub(super) fn thumbprint(&self) -> String {
        // No value contains a character that JSON escapes.
        let members: Vec<_> = self.jwk_members().iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
        let canonical = format!("{{{}}}", members.join(","));
        to_base64url(digest(&SHA256, canonical.as_bytes()))
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// Parses a key for this algorithm and returns the last `len` bytes of its canonical SubjectPublicKeyInfo, which ends
/// with the bare key. Returns `None` if the key cannot be parsed.
fn bare_key(algorithm: &'static dyn VerificationAlgorithm, der: &[u8], len: usize) -> Option<Vec<u8>> {
    let key = ParsedPublicKey::new(algorithm, der).ok()?;
    let canonical: PublicKeyX509Der<'_> = key.as_der().ok()?;
    let canonical = canonical.as_ref();
    canonical.get(canonical.len().checked_sub(len)?..).map(<[u8]>::to_vec)
}
