//! Keys. They are checked, and never printed: the configuration names a file that the operator puts them into.

use auth_crypto::{Algorithm, KeyError, SigningKey, VerifyingKey};
use serde_json::Value;

use super::dictionary::Dictionary;
use super::read;
use super::settings::Outcome;
use crate::jwks;

const SIGNING_SECRET_FILE: &str = "signing.key";
const SIGNING_PEM_FILE: &str = "signing.pem";
const VERIFYING_PEM_FILE: &str = "verifying.pem";

/// Whether a key is made where none is configured.
pub(super) fn none_made_up() -> Outcome {
    let note = "a missing key stops the start. A new one would refuse every token that is out there.";
    Outcome::of(false).with_note(note)
}

/// `SIGNING_KEY`. Without one, Django's SECRET_KEY is the key, which is no part of the dictionary.
pub(super) fn signing(dictionary: &Dictionary) -> Result<Outcome, String> {
    let Some(value) = dictionary.get("SIGNING_KEY") else { return Ok(signing_key_missing(dictionary.algorithm())) };
    let text = key_text(value)?;
    // Otherwise the algorithm is refused already.
    if let Some(algorithm) = dictionary.algorithm() {
        signing_key(algorithm, text)?;
    }
    let is_secret = dictionary.algorithm().is_none_or(Algorithm::is_symmetric);
    let file = if is_secret { SIGNING_SECRET_FILE } else { SIGNING_PEM_FILE };
    Ok(Outcome::of(file).with_note("put it into this file, readable by its owner only (chmod 600)."))
}

fn signing_key_missing(algorithm: Option<Algorithm>) -> Outcome {
    let (file, note) = match algorithm {
        Some(algorithm) if !algorithm.is_symmetric() => (
            SIGNING_PEM_FILE,
            format!(
                "Django's SECRET_KEY is the key then, and no private key for {algorithm}: SimpleJWT can\n\
                 only verify. To sign, put a private key in PEM into a file, readable by its owner only\n\
                 (chmod 600), and name it here:"
            ),
        ),
        _ => (
            SIGNING_SECRET_FILE,
            "Django's SECRET_KEY is the key then. Put it into a file, readable by its owner only\n\
             (chmod 600), and name it here:"
                .to_owned(),
        ),
    };
    Outcome { is_proposal: true, ..Outcome::of(file).with_note(note) }
}

/// `VERIFYING_KEY`.
pub(super) fn verifying(value: &Value, dictionary: &Dictionary) -> Result<Outcome, String> {
    let none = Outcome::of_no_entries;
    let text = if value.is_null() { "" } else { key_text(value)? };
    let (false, Some(algorithm)) = (text.is_empty(), dictionary.algorithm()) else { return Ok(none()) };
    if algorithm.is_symmetric() {
        return Ok(none().with_note(format!("SimpleJWT ignores it with {algorithm}, whose one key is SIGNING_KEY.")));
    }
    let key = VerifyingKey::from_pem(Some(algorithm), text.trim_end()).map_err(|error| error.to_string())?;
    if has_jwk_url(dictionary) {
        return Ok(none().with_note("SimpleJWT ignores it beside JWK_URL."));
    }
    let signing = dictionary.get("SIGNING_KEY").and_then(|value| signing_key(algorithm, value.as_str()?).ok());
    if signing.is_some_and(|signing| signing.kid() == key.kid()) {
        return Ok(none().with_note("it is the public half of SIGNING_KEY, from which it is known here."));
    }
    let file = toml::Value::Array(vec![VERIFYING_PEM_FILE.into()]);
    Ok(Outcome::of(file).with_note("put it into this file. It is not the public half of SIGNING_KEY."))
}

/// `JWK_URL`.
pub(super) fn jwk_url(value: &Value, dictionary: &Dictionary) -> Result<Outcome, String> {
    let url = if value.is_null() { "" } else { read::text(value)? };
    if !url.is_empty() && jwks::safe_url(url).is_none() {
        return Err(format!("must be {}", jwks::SAFE_URL));
    }
    match dictionary.algorithm() {
        Some(algorithm) if algorithm.is_symmetric() && !url.is_empty() => {
            Ok(Outcome::of("")
                .with_note(format!("SimpleJWT ignores it with {algorithm}, whose one key is SIGNING_KEY.")))
        }
        _ if url.is_empty() => Ok(Outcome::of("")),
        _ => Ok(Outcome::of(url).with_note("tokens that this service signs are accepted beside those of the set.")),
    }
}

fn has_jwk_url(dictionary: &Dictionary) -> bool {
    dictionary.get("JWK_URL").and_then(Value::as_str).is_some_and(|url| !url.is_empty())
}

/// The text of a key. The error says nothing of it.
fn key_text(value: &Value) -> Result<&str, String> {
    let text = read::text(value)?;
    let is_bytes = ["b'", "b\""].iter().any(|start| text.starts_with(start));
    if is_bytes && text.ends_with(['\'', '"']) {
        return Err("is bytes in Python, which JSON has no form for; make it a text, with `.decode()`".to_owned());
    }
    Ok(text)
}

/// The key, if it is good enough; no error has a part of it.
fn signing_key(algorithm: Algorithm, text: &str) -> Result<SigningKey, String> {
    if !algorithm.is_symmetric() {
        return SigningKey::from_pem(Some(algorithm), text.trim_end()).map_err(|error| error.to_string());
    }
    // The service takes the line break at the end of a file for the editor's.
    if text.ends_with(['\r', '\n']) {
        return Err("ends with a line break, which no file of the service can hold".to_owned());
    }
    SigningKey::from_secret(algorithm, text).map_err(|error| match error {
        KeyError::SecretTooShort { .. } => format!("{error} (RFC 7518 §3.2)"),
        _ => error.to_string(),
    })
}
