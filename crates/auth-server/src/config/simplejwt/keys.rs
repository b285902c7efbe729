//! Keys. They are checked but never printed: the configuration names a file into which the operator puts the key.

use auth_crypto::{Algorithm, KeyError, SigningKey, VerifyingKey};
use serde_json::Value;

use super::dictionary::Dictionary;
use super::read;
use super::settings::Outcome;
use crate::jwks;

const SIGNING_SECRET_FILE: &str = "signing.key";
const SIGNING_PEM_FILE: &str = "signing.pem";
const VERIFYING_PEM_FILE: &str = "verifying.pem";

/// `tokens.generate_key`: off.
pub(super) fn never_generated() -> Outcome {
    let note = "without a key, the server does not start. With a generated one, it would refuse all existing tokens.";
    Outcome::of(false).with_note(note)
}

/// `SIGNING_KEY`. Its default is Django's SECRET_KEY, which the dictionary does not contain.
pub(super) fn signing(dictionary: &Dictionary) -> Result<Outcome, String> {
    let Some(value) = dictionary.get("SIGNING_KEY") else { return Ok(signing_key_missing(dictionary.algorithm())) };
    let key = key_string(value)?;
    // An unsupported algorithm is refused as the setting ALGORITHM.
    if let Some(algorithm) = dictionary.algorithm() {
        signing_key(algorithm, key)?;
    }
    let is_secret = dictionary.algorithm().is_none_or(Algorithm::is_symmetric);
    let file = if is_secret { SIGNING_SECRET_FILE } else { SIGNING_PEM_FILE };
    Ok(Outcome::of(file).with_note("put the key into this file, readable by its owner only (chmod 600)."))
}

fn signing_key_missing(algorithm: Option<Algorithm>) -> Outcome {
    let (file, note) = match algorithm {
        Some(algorithm) if !algorithm.is_symmetric() => (
            SIGNING_PEM_FILE,
            format!(
                "the default is Django's SECRET_KEY, which is not a private key for {algorithm}: SimpleJWT\n\
                 can only verify. To sign, put a private key in PEM into a file, readable by its owner only\n\
                 (chmod 600), and set its path here:"
            ),
        ),
        _ => (
            SIGNING_SECRET_FILE,
            "the default is Django's SECRET_KEY. Put it into a file, readable by its owner only\n\
             (chmod 600), and set its path here:"
                .to_owned(),
        ),
    };
    Outcome { is_commented_out: true, ..Outcome::of(file).with_note(note) }
}

/// `VERIFYING_KEY`.
pub(super) fn verifying(value: &Value, dictionary: &Dictionary) -> Result<Outcome, String> {
    let none = Outcome::empty_list;
    let key = if value.is_null() { "" } else { key_string(value)? };
    let (false, Some(algorithm)) = (key.is_empty(), dictionary.algorithm()) else { return Ok(none()) };
    if algorithm.is_symmetric() {
        return Ok(none().with_note(format!("SimpleJWT ignores it with {algorithm}, which uses only SIGNING_KEY.")));
    }
    let key = VerifyingKey::from_pem(Some(algorithm), key.trim_end()).map_err(|error| error.to_string())?;
    if has_jwk_url(dictionary) {
        return Ok(none().with_note("SimpleJWT ignores it if JWK_URL is set."));
    }
    let signing = dictionary.get("SIGNING_KEY").and_then(|value| signing_key(algorithm, value.as_str()?).ok());
    if signing.is_some_and(|signing| signing.kid() == key.kid()) {
        return Ok(none().with_note("not needed: it is the public half of SIGNING_KEY."));
    }
    let file = toml::Value::Array(vec![VERIFYING_PEM_FILE.into()]);
    Ok(Outcome::of(file).with_note("put the key into this file. It is not the public half of SIGNING_KEY."))
}

/// `JWK_URL`.
pub(super) fn jwk_url(value: &Value, dictionary: &Dictionary) -> Result<Outcome, String> {
    let url = if value.is_null() { "" } else { read::string(value)? };
    if !url.is_empty() && jwks::safe_url(url).is_none() {
        return Err(format!("must be {}", jwks::SAFE_URL));
    }
    match dictionary.algorithm() {
        Some(algorithm) if algorithm.is_symmetric() && !url.is_empty() => {
            Ok(Outcome::of("")
                .with_note(format!("SimpleJWT ignores it with {algorithm}, which uses only SIGNING_KEY.")))
        }
        _ if url.is_empty() => Ok(Outcome::of("")),
        _ => Ok(Outcome::of(url).with_note("tokens that this service signs are accepted too.")),
    }
}

fn has_jwk_url(dictionary: &Dictionary) -> bool {
    dictionary.get("JWK_URL").and_then(Value::as_str).is_some_and(|url| !url.is_empty())
}

/// Returns the key as a string. The error does not contain it.
fn key_string(value: &Value) -> Result<&str, String> {
    let key = read::string(value)?;
    let is_bytes = ["b'", "b\""].iter().any(|start| key.starts_with(start));
    if is_bytes && key.ends_with(['\'', '"']) {
        return Err(
            "is bytes in Python, which JSON cannot represent; convert it to a string with `.decode()`".to_owned()
        );
    }
    Ok(key)
}

/// Parses and checks a signing key. The error does not contain any part of it.
fn signing_key(algorithm: Algorithm, key: &str) -> Result<SigningKey, String> {
    if !algorithm.is_symmetric() {
        return SigningKey::from_pem(Some(algorithm), key.trim_end()).map_err(|error| error.to_string());
    }
    // The service strips trailing line breaks from key files, because editors add them.
    if key.ends_with(['\r', '\n']) {
        return Err("ends with a line break, which the service strips from key files".to_owned());
    }
    SigningKey::from_secret(algorithm, key).map_err(|error| match error {
        KeyError::SecretTooShort { .. } => format!("{error} (RFC 7518 §3.2)"),
        _ => error.to_string(),
    })
}
