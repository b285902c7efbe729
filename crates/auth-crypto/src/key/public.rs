//! Public keys: which ones are sound, and their forms as a JWK (RFC 7517) and as a thumbprint (RFC 7638).

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

/// A public key, known to be a sound one of its kind.
#[derive(Clone)]
pub(super) enum PublicKey {
    /// Big-endian without leading zeros.
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
    /// An uncompressed point: 4, then x and y of equal length (SEC 1 §2.3.3).
    Ec { kind: KeyKind, point: Vec<u8> },
    /// 32 bytes (RFC 8032 §5.1.5).
    Ed25519(Vec<u8>),
}

impl PublicKey {
    const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;
    /// Length of a SubjectPublicKeyInfo of Ed25519, which has one form only (RFC 8410 §4).
    const ED25519_SPKI_LEN: usize = 44;

    pub(super) fn from_block(block: &Block) -> Result<Self, KeyError> {
        match block.label {
            Label::Public => Self::from_spki(&block.der),
            Label::RsaPublic => Self::from_rsa_der(&block.der),
            Label::Private | Label::RsaPrivate | Label::EcPrivate => Err(KeyError::NotPublic),
        }
    }

    /// From the DER of a SubjectPublicKeyInfo (RFC 5280 §4.1). The key type written there is believed only as far as
    /// the library reads a sound key of that type.
    pub(super) fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        const SEQUENCE: u8 = 0x30;
        // The library would take bare keys as well, and for Ed25519 any 32 bytes are one.
        if der.first() != Some(&SEQUENCE) {
            return Err(KeyError::Unsupported);
        }
        if der.len() == Self::ED25519_SPKI_LEN
            && let Some(key) = tail_of_spki(&ED25519, der, 32)
        {
            return Ok(Self::Ed25519(key));
        }
        if let Some(point) = tail_of_spki(&ECDSA_P256_SHA256_FIXED, der, 65) {
            return Self::from_point(KeyKind::P256, &point);
        }
        if let Some(point) = tail_of_spki(&ECDSA_P384_SHA384_FIXED, der, 97) {
            return Self::from_point(KeyKind::P384, &point);
        }
        Self::from_rsa_der(der)
    }

    /// From the DER of an RSA public key, PKCS#1 or SubjectPublicKeyInfo.
    pub(super) fn from_rsa_der(der: &[u8]) -> Result<Self, KeyError> {
        Self::from_rsa(&rsa::PublicKey::from_der(der).map_err(|_| KeyError::Unsupported)?)
    }

    pub(super) fn from_rsa(key: &rsa::PublicKey) -> Result<Self, KeyError> {
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(key);
        Self::check_rsa_size(&n)?;
        Ok(Self::Rsa { modulus: n, exponent: e })
    }

    /// From modulus and exponent, big-endian. Zeros before them are passed over: there are libraries that write one
    /// (RFC 7518 §6.3.1.1).
    pub(super) fn from_rsa_numbers(modulus: &[u8], exponent: &[u8]) -> Result<Self, KeyError> {
        let n = without_leading_zeros(modulus);
        // Before the library gets to work: a stranger chose the length.
        Self::check_rsa_size(n)?;
        let components = RsaPublicKeyComponents { n, e: without_leading_zeros(exponent) };
        // The detour has the library look at the key as it does at one that came as PEM.
        let der: PublicKeyX509Der<'_> = components.as_der().map_err(|_| KeyError::Unsupported)?;
        Self::from_rsa_der(der.as_ref())
    }

    fn check_rsa_size(modulus: &[u8]) -> Result<(), KeyError> {
        let unused_bits = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
        if Self::RSA_BITS.contains(&(modulus.len() * 8 - unused_bits)) { Ok(()) } else { Err(KeyError::RsaSize) }
    }

    /// From the coordinates of a point, each as long as the curve wants it (RFC 7518 §6.2.1.2); they must be on it.
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
        ParsedPublicKey::new(algorithm, &point).map_err(|_| KeyError::Unsupported)?;
        Ok(Self::Ec { kind, point })
    }

    /// From 32 bytes. Those that encode no point are not told apart here: they never verify anything.
    pub(super) fn from_ed25519(key: Vec<u8>) -> Result<Self, KeyError> {
        if key.len() == 32 { Ok(Self::Ed25519(key)) } else { Err(KeyError::Unsupported) }
    }

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

    /// The same key for `jsonwebtoken`.
    pub(super) fn decoding_key(&self) -> DecodingKey {
        match self {
            Self::Rsa { modulus, exponent } => DecodingKey::from_rsa_raw_components(modulus, exponent),
            Self::Ec { point, .. } => DecodingKey::from_ec_der(point),
            Self::Ed25519(key) => DecodingKey::from_ed_der(key),
        }
    }

    /// The members that make the key, in the order of their names (RFC 7638 §3.2, RFC 7518 §6, RFC 8037 §2).
    pub(super) fn jwk_members(&self) -> Vec<(&'static str, String)> {
        let text = str::to_owned;
        match self {
            Self::Rsa { modulus, exponent } => {
                vec![("e", to_base64url(exponent)), ("kty", text("RSA")), ("n", to_base64url(modulus))]
            }
            Self::Ec { kind, point } => {
                let coordinates = point.get(1..).unwrap_or_default();
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                let curve = ("crv", text(kind.name()));
                vec![curve, ("kty", text("EC")), ("x", to_base64url(x)), ("y", to_base64url(y))]
            }
            Self::Ed25519(key) => vec![("crv", text("Ed25519")), ("kty", text("OKP")), ("x", to_base64url(key))],
        }
    }

    /// SHA-256 of the members in their one canonical form, in base64url (RFC 7638 §3).
    pub(super) fn thumbprint(&self) -> String {
        // No value has a character that JSON would escape.
        let members: Vec<_> = self.jwk_members().iter().map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
        let canonical = format!("{{{}}}", members.join(","));
        to_base64url(digest(&SHA256, canonical.as_bytes()))
    }
}

fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// The last `len` bytes of the key's canonical SubjectPublicKeyInfo, which ends with the key itself. `None` if it is no
/// key for this algorithm.
fn tail_of_spki(algorithm: &'static dyn VerificationAlgorithm, der: &[u8], len: usize) -> Option<Vec<u8>> {
    let key = ParsedPublicKey::new(algorithm, der).ok()?;
    let canonical: PublicKeyX509Der<'_> = key.as_der().ok()?;
    let canonical = canonical.as_ref();
    canonical.get(canonical.len().checked_sub(len)?..).map(<[u8]>::to_vec)
}
