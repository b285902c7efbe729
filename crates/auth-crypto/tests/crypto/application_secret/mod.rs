//! The application secret: accepted secrets, keyed hashes, sealed values and one-time passwords.

mod accepted_secrets;
mod keyed_hashes;
mod one_time_passwords;
mod sealing;

use auth_crypto::ApplicationSecret;

use crate::fixture::{OTHER_SECRET, SECRET};

fn application_secret() -> ApplicationSecret {
    ApplicationSecret::new(SECRET, &[]).unwrap()
}

/// The application secret of the same deployment after the secret was changed.
fn rotated() -> ApplicationSecret {
    ApplicationSecret::new(OTHER_SECRET, &["in use until last year, by some of us", SECRET]).unwrap()
}

/// The application secret of another deployment.
fn unrelated() -> ApplicationSecret {
    ApplicationSecret::new(OTHER_SECRET, &[]).unwrap()
}

fn from_hex(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
}
