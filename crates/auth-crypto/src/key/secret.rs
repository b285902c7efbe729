//! Which shared secrets are good enough.
//!
//! Nothing here guesses at randomness: a secret is refused for its length, for being a key that is public by nature, or
//! for standing word by word in a list that every attacker has.

use zeroize::Zeroizing;

use crate::key::algorithm::KeyKind;
use crate::key::public::PublicKey;
use crate::key::{Algorithm, KeyError, from_base64url};

/// Secrets that are published as examples or defaults, long enough to pass for good ones.
const PUBLISHED: [&str; 13] = [
    // jwt.io, now and before.
    "a-string-secret-at-least-256-bits-long",
    "a-valid-string-secret-that-is-at-least-384-bits-long",
    "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
    "your-256-bit-secret",
    "your-384-bit-secret",
    "your-512-bit-secret",
    // Supabase, for self-hosting and for development.
    "your-super-secret-jwt-token-with-at-least-32-characters-long",
    "super-secret-jwt-token-with-at-least-32-characters-long",
    // The tutorial of FastAPI, and the best known one for Spring.
    "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    "404E635266556A586E3272357538782F413F4428472B4B6250645367566B5970",
    // Apache Superset (CVE-2023-27524).
    "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET",
    "YOUR_OWN_RANDOM_GENERATED_SECRET_KEY",
    // RFC 7515 §A.1.1.
    "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
];

/// Defaults too short by themselves, which people repeat until they fit.
const REPEATED: [&str; 5] = ["changeme", "change-me", "change_me", "secret", "password"];

/// Lets a secret through that is good enough for an algorithm of the HMAC family.
pub(super) fn check(algorithm: Algorithm, secret: &[u8]) -> Result<(), KeyError> {
    let Some(least) = least_len(algorithm) else {
        return Err(KeyError::WrongKind { algorithm, key: KeyKind::Secret.name() });
    };
    check_unpublished(secret)?;
    if secret.len() < least {
        return Err(KeyError::SecretTooShort { algorithm, bytes: secret.len(), least });
    }
    Ok(())
}

/// Lets a secret through, whatever its length, that is neither on the list nor a key.
pub(crate) fn check_unpublished(secret: &[u8]) -> Result<(), KeyError> {
    if is_published(secret) {
        return Err(KeyError::SecretPublished);
    }
    if is_key_text(secret) {
        return Err(KeyError::SecretIsKeyText);
    }
    Ok(())
}

/// As many bytes as the hash has: "a key of the same size as the hash output or larger MUST be used" (RFC 7518 §3.2).
const fn least_len(algorithm: Algorithm) -> Option<usize> {
    match algorithm {
        Algorithm::Hs256 => Some(32),
        Algorithm::Hs384 => Some(48),
        Algorithm::Hs512 => Some(64),
        _ => None,
    }
}

fn is_published(secret: &[u8]) -> bool {
    let repeats = |word: &str| {
        let mut parts = secret.chunks(word.len());
        !secret.is_empty() && parts.all(|part| part == word.as_bytes())
    };
    PUBLISHED.iter().any(|known| known.as_bytes() == secret) || REPEATED.iter().any(|word| repeats(word))
}

/// Whether the secret is a key in one of the forms in which keys are passed around: PEM, OpenSSH, JWK, or DER, bare or
/// in base64.
fn is_key_text(secret: &[u8]) -> bool {
    if is_public_key(secret) {
        return true;
    }
    let Ok(text) = str::from_utf8(secret) else { return false };
    let text = text.trim();
    let starts = ["ssh-rsa ", "ssh-ed25519 ", "ecdsa-sha2-nistp"];
    text.contains("-----BEGIN ")
        || starts.iter().any(|start| text.starts_with(start))
        || (text.starts_with('{') && text.contains("\"kty\""))
        || from_any_base64(text).is_some_and(|der| is_public_key(&der))
}

/// The bytes of base64 in either alphabet, with or without padding and line breaks.
fn from_any_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let common = |letter| match letter {
        '+' => '-',
        '/' => '_',
        other => other,
    };
    let letters = text.trim_end_matches('=').chars().filter(|letter| !letter.is_ascii_whitespace());
    let packed: Zeroizing<String> = Zeroizing::new(letters.map(common).collect());
    from_base64url(&packed).map(Zeroizing::new)
}

/// Whether this is the DER of a public key, good or not.
fn is_public_key(der: &[u8]) -> bool {
    matches!(PublicKey::from_spki(der), Ok(_) | Err(KeyError::RsaSize))
}
