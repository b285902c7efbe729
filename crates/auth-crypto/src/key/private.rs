//! Parsing of private keys.

use aws_lc_rs::error::KeyRejected;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair,
};
use jsonwebtoken::EncodingKey;

use crate::key::KeyError;
use crate::key::algorithm::KeyKind;
use crate::key::pem::{Block, Label};
use crate::key::public::PublicKey;

/// A private key as `jsonwebtoken` expects it, which wipes it when dropped, and its public key.
pub(super) struct PrivateKey {
    pub(super) encoding: EncodingKey,
    pub(super) public: PublicKey,
}

impl PrivateKey {
    pub(super) fn from_block(block: &Block) -> Result<Self, KeyError> {
        match block.label {
            // The block does not say which kind of key it has: try each.
            Label::Private => Self::ed25519(block)
                .or_else(|_| Self::ec(block))
                .or_else(|_| Self::rsa(block, RsaKeyPair::from_pkcs8(&block.der))),
            Label::EcPrivate => Self::ec(block),
            Label::RsaPrivate => Self::rsa(block, RsaKeyPair::from_der(&block.der)),
            Label::Public | Label::RsaPublic => Err(KeyError::NotPrivate),
        }
    }

    fn ed25519(block: &Block) -> Result<Self, KeyError> {
        let pair = Ed25519KeyPair::from_pkcs8(&block.der).map_err(|_| KeyError::Unsupported)?;
        let public = PublicKey::Ed25519(pair.public_key().as_ref().to_vec());
        Ok(Self { encoding: EncodingKey::from_ed_der(&block.der), public })
    }

    fn ec(block: &Block) -> Result<Self, KeyError> {
        let curves =
            [(KeyKind::P256, &ECDSA_P256_SHA256_FIXED_SIGNING), (KeyKind::P384, &ECDSA_P384_SHA384_FIXED_SIGNING)];
        let read = |(kind, curve)| Some((kind, EcdsaKeyPair::from_private_key_der(curve, &block.der).ok()?));
        let (kind, pair) = curves.into_iter().find_map(read).ok_or(KeyError::Unsupported)?;
        let public = PublicKey::from_point(kind, pair.public_key().as_ref())?;
        let pkcs8 = pair.to_pkcs8v1().map_err(|_| KeyError::Unsupported)?;
        Ok(Self { encoding: EncodingKey::from_ec_der(pkcs8.as_ref()), public })
    }

    fn rsa(block: &Block, pair: Result<RsaKeyPair, KeyRejected>) -> Result<Self, KeyError> {
        let pair = pair.map_err(|reason| match reason.to_string().as_str() {
            // The library exposes the reason only as a string.
            "TooSmall" | "TooLarge" => KeyError::RsaSize,
            _ => KeyError::Unsupported,
        })?;
        let public = PublicKey::from_rsa(pair.public_key())?;
        let encoding = match block.label {
            Label::RsaPrivate => EncodingKey::from_rsa_der(&block.der),
            // `jsonwebtoken` expects PKCS#1 and converts from PKCS#8 only if the key is in PEM.
            _ => EncodingKey::from_rsa_pem(block.to_private_key_pem().as_bytes()).map_err(|_| KeyError::Unsupported)?,
        };
        Ok(Self { encoding, public })
    }
}
