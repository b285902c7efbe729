//! Keys: which algorithm one is for, where it comes from, and which ones are too weak to use.
//!
//! A key knows its algorithm from the start, so nothing later asks a token for it (RFC 8725 §3.1).

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
pub(crate) use verifying::is_sane_kid;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Base64url without padding (RFC 7515 §2).
pub(crate) fn to_base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The bytes of base64url text; `None` for padding, stray trailing bits and any other character.
pub(crate) fn from_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
