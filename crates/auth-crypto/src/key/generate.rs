//! New keys. Where they are stored, and with which rights, is the caller's business.

use aws_lc_rs::signature::Ed25519KeyPair;
use pem::{EncodeConfig, LineEnding, Pem};
use zeroize::Zeroizing;

use crate::key::{KeyError, to_base64url};

/// A new private key for EdDSA as PEM text (PKCS#8 version 1, which OpenSSL reads as well), wiped when dropped.
///
/// # Errors
/// [`KeyError::GenerationFailed`] if there is no randomness.
pub fn generate_ed25519_pem() -> Result<Zeroizing<String>, KeyError> {
    let pkcs8 =
        Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(|_| KeyError::GenerationFailed)?;
    let block = Pem::new("PRIVATE KEY", pkcs8.as_ref());
    let text = pem::encode_config(&block, EncodeConfig::new().set_line_ending(LineEnding::LF));
    let _wiped = Zeroizing::new(block.into_contents());
    Ok(Zeroizing::new(text))
}

/// A new shared secret, good for every algorithm of the HMAC family and for an application secret: 64 characters of base64url, which hold 384 random
/// bits, wiped when dropped.
///
/// # Errors
/// [`KeyError::GenerationFailed`] if there is no randomness.
pub fn generate_secret() -> Result<Zeroizing<String>, KeyError> {
    let mut bytes = Zeroizing::new([0; 48]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| KeyError::GenerationFailed)?;
    Ok(Zeroizing::new(to_base64url(bytes.as_slice())))
}
