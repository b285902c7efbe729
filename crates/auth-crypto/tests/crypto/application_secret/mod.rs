//! The application secret: which secrets are accepted, and what is sealed and hashed with them.

mod accepted_secrets;
mod keyed_hashes;
mod one_time_passwords;
mod sealing;

use auth_crypto::ApplicationSecret;

use crate::fixture::{OTHER_SECRET, SECRET};

fn application_secret() -> ApplicationSecret {
    ApplicationSecret::new(SECRET, &[]).unwrap()
}

/// An application secret of the same deployment, after its secret was replaced.
fn successor() -> ApplicationSecret {
    ApplicationSecret::new(OTHER_SECRET, &["in use until last year, by some of us", SECRET]).unwrap()
}

/// An application secret of another deployment.
fn stranger() -> ApplicationSecret {
    ApplicationSecret::new(OTHER_SECRET, &[]).unwrap()
}

fn from_hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}
