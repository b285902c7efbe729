//! The secret of the installation: which texts are good for it, and what it makes of others.

// Clippy knows test functions only, not what they share.
#![allow(clippy::unwrap_used)]

mod hashes;
mod one_time_passwords;
mod sealing;
mod secrets;
#[path = "../support/mod.rs"]
mod support;

use auth_crypto::SecretVault;

use support::{OTHER_SECRET, SECRET};

fn vault() -> SecretVault {
    SecretVault::new(SECRET, &[]).unwrap()
}

/// A vault of the same installation, after its secret was changed.
fn successor() -> SecretVault {
    SecretVault::new(OTHER_SECRET, &["in use until last year, by some of us", SECRET]).unwrap()
}

/// A vault of another installation.
fn stranger() -> SecretVault {
    SecretVault::new(OTHER_SECRET, &[]).unwrap()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}
