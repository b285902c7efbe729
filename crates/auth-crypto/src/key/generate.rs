//! Key generation. Storing the keys with the right permissions is the responsibility of the host.

use aws_lc_rs::signature::Ed25519KeyPair;
use pem::{EncodeConfig, LineEnding, Pem};
use zeroize::Zeroizing;

use crate::key::{KeyError, to_base64url};

/// Generates a private key for EdDSA (Ed25519) in PEM (PKCS#8 version 1, which OpenSSL reads as well), wiped when
/// dropped.
///
/// # Errors
/// [`KeyError::GenerationFailed`] if no random bytes are available.
pub fn generate_ed25519_pem() -> Result<Zeroizing<String>, KeyError> {
    let pkcs8 =
        Ed25519KeyPair::generate().and_then(|pair| pair.to_pkcs8v1()).map_err(|_| KeyError::GenerationFailed)?;
    let block = Pem::new("PRIVATE KEY", pkcs8.as_ref());
    let pem = pem::encode_config(&block, EncodeConfig::new().set_line_ending(LineEnding::LF));
    // The block does not wipe its copy of the key.
    let _wiped = Zeroizing::new(block.into_contents());
    Ok(Zeroizing::new(pem))
}

/// Generates a secret that is long enough for every HMAC algorithm and for an
/// [`ApplicationSecret`](crate::ApplicationSecret): 384 random bits as 64 characters of base64url, wiped when dropped.
///
/// # Errors
/// [`KeyError::GenerationFailed`] if no random bytes are available.
pub fn generate_secret() -> Result<Zeroizing<String>, KeyError> {
    let mut bytes = Zeroizing::new([0; 48]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|_| KeyError::GenerationFailed)?;
    Ok(Zeroizing::new(to_base64url(bytes.as_slice())))
}
