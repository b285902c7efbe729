//! Signing and verifying keys: parsing, generation, and the rejection of weak ones.
//!
//! Each key has one fixed algorithm, so it is never chosen by a token (RFC 8725 §3.1).

mod algorithm;
mod error;
mod generate;
mod jwk;
mod pem;
mod private;
mod public;
mod secret;
mod signing;
mod verifying;

pub use algorithm::Algorithm;
pub use error::KeyError;
pub use generate::{generate_ed25519_pem, generate_secret};
#[cfg(feature = "sealing")]
pub(crate) use secret::check_unpublished;
pub use signing::SigningKey;
pub use verifying::VerifyingKey;
pub(crate) use verifying::is_valid_kid;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Encodes bytes as base64url without padding (RFC 7515 §2).
pub(crate) fn to_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes base64url; returns `None` if it has padding, non-zero trailing bits or characters outside the alphabet.
pub(crate) fn from_base64url(encoded: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(encoded).ok()
}
