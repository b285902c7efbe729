//! Rejection of weak secrets (SEC-004).
//!
//! Randomness is not estimated. A secret is rejected if it is too short, a key or certificate, or on a list of
//! published secrets.

use zeroize::Zeroizing;

use crate::key::algorithm::KeyKind;
use crate::key::public::PublicKey;
use crate::key::{Algorithm, KeyError, from_base64url};

/// Secrets published as examples or defaults. Many are long enough to be accepted otherwise.
const PUBLISHED: [&str; 13] = [
    // jwt.io, current and former examples.
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    // Supabase: self-hosting and local development.
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    // The FastAPI tutorial, and a widely copied tutorial for Spring.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    // Apache Superset (CVE-2023-27524).
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    // RFC 7515 §A.1.1.
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
];

/// Common placeholders, rejected however often they are repeated to reach the required length.
const PLACEHOLDERS: [&str; 5] = ["changeme", "change-me", "change_me", "secret", "password"];

/// Rejects a secret that is published, a key, or too short for an HMAC algorithm.
pub(super) fn check(algorithm: Algorithm, secret: &[u8]) -> Result<(), KeyError> {
    let Some(min) = min_len(algorithm) else {
        return Err(KeyError::WrongKind { algorithm, key: KeyKind::Secret.name() });
    };
    check_unpublished(secret)?;
    if secret.len() < min {
        return Err(KeyError::SecretTooShort { algorithm, bytes: secret.len(), min });
    }
    Ok(())
}

/// Rejects a secret that is published or a key. Does not check the length.
pub(crate) fn check_unpublished(secret: &[u8]) -> Result<(), KeyError> {
    if is_published(secret) {
        return Err(KeyError::SecretPublished);
    }
    if is_key(secret) {
        return Err(KeyError::SecretIsKey);
    }
    Ok(())
}

/// Returns the shortest length accepted, in bytes: that of the hash output (RFC 7518 §3.2). `None` if the algorithm is
/// not symmetric.
const fn min_len(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::Hs256 => Some(32),
        Algorithm::Hs384 => Some(48),
        Algorithm::Hs512 => Some(64),
        _ => None,
    }
}

/// Returns whether the secret is published, or consists of repetitions of a placeholder.
fn is_published(secret: &[u8]) -> bool {
    let repeats = |word: &str| {
        // An incomplete repetition at the end never matches.
        let mut parts = secret.chunks(word.len());
        !secret.is_empty() && parts.all(|part| part == word.as_bytes())
    };
    PUBLISHED.iter().any(|known| known.as_bytes() == secret) || PLACEHOLDERS.iter().any(|word| repeats(word))
}

/// Returns whether the secret is a key or certificate in PEM, or a public key in OpenSSH format, JWK or DER (binary or
/// base64).
fn is_key(secret: &[u8]) -> bool {
    if is_public_key(secret) {
        return true;
    }
    let Ok(text) = str::from_utf8(secret) else { return false };
    let text = text.trim();
    let prefixes = ["ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-nistp"];
    text.contains("-----BEGIN ")
        || prefixes.iter().any(|prefix| text.starts_with(prefix))
        || (text.starts_with('{') && text.contains("\"kty\""))
        || from_any_base64(text).is_some_and(|der| is_public_key(&der))
}

/// Decodes base64 in the standard or the URL-safe alphabet, with or without padding and white space.
fn from_any_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let to_url_safe = |c| match c {
        '+' => '-',
        '/' => '_',
        other => other,
    };
    let chars = text.trim_end_matches('=').chars().filter(|c| !c.is_ascii_whitespace());
    let encoded: Zeroizing<String> = Zeroizing::new(chars.map(to_url_safe).collect());
    from_base64url(&encoded).map(Zeroizing::new)
}

/// Returns whether these bytes are a DER-encoded public key, even an RSA key of an unsupported size.
fn is_public_key(der: &[u8]) -> bool {
    matches!(PublicKey::from_spki(der), Ok(_) | Err(KeyError::RsaSize))
}
