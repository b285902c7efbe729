//! Parsing of values. Errors follow the name of the setting, as in "LEEWAY: is negative".

use auth_core::token::{ClaimNames, SubjectField};
use auth_crypto::Algorithm;
use auth_http::{CredentialHeader, CredentialHeaderError};
use serde_json::Value;

use super::duration::whole_seconds;
use super::settings::Outcome;

/// Longest lifetime, in seconds, as in the checks of the configuration.
const CENTURY: u64 = 100 * 365 * 24 * 60 * 60;
/// Greatest leeway, in seconds, as in the checks of the configuration.
const HOUR: u64 = 60 * 60;

/// Formats an untrusted string for a message: on one line, quoted where necessary, and truncated.
pub(super) fn displayed(text: &str) -> String {
    const MAX_CHARS: usize = 80;
    if text.chars().count() > MAX_CHARS {
        let start: String = text.chars().take(MAX_CHARS).collect();
        return format!("{start:?}…");
    }
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { text.to_owned() } else { format!("{text:?}") }
}

pub(super) fn string(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "must be a string".to_owned())
}

pub(super) fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "must be true or false".to_owned())
}

pub(super) fn lifetime(value: &Value) -> Result<i64, String> {
    match whole_seconds(value)? {
        0 => Err("is zero: such a token would never be valid".to_owned()),
        seconds => at_most(CENTURY, seconds),
    }
}

/// `LEEWAY`: null, a number or a duration.
pub(super) fn leeway(value: &Value) -> Result<i64, String> {
    if value.is_null() { Ok(0) } else { at_most(HOUR, whole_seconds(value)?) }
}

fn at_most(most: u64, seconds: u64) -> Result<i64, String> {
    let seconds = Some(seconds).filter(|seconds| *seconds <= most).and_then(|seconds| i64::try_from(seconds).ok());
    seconds.ok_or_else(|| format!("is too long: at most {most} seconds are allowed"))
}

pub(super) fn algorithm(value: &Value) -> Result<&'static str, String> {
    let reason = match string(value)? {
        "ES512" | "ES521" => "its curve, P-521, is not supported; use ES256, ES384 or EdDSA",
        "ES256K" => "its curve, secp256k1, is not supported; use ES256, ES384 or EdDSA",
        name => match name.parse::<Algorithm>() {
            Ok(algorithm) => return Ok(algorithm.name()),
            Err(_) => return Err(format!("must be one of {}", Algorithm::ALL.map(Algorithm::name).join(", "))),
        },
    };
    Err(reason.to_owned())
}

/// An issuer or audience: null or a string. An empty string is refused: in SimpleJWT it is a value, here it means none.
pub(super) fn party(value: &Value) -> Result<&str, String> {
    match value {
        Value::Null => Ok(""),
        Value::String(party) if party.is_empty() => Err("is empty; use null for none".to_owned()),
        Value::String(party) => Ok(party),
        _ => Err("must be a string or null".to_owned()),
    }
}

pub(super) fn audience(value: &Value) -> Result<&str, String> {
    match value {
        Value::Array(parties) => match parties.as_slice() {
            [one] if one.is_string() => party(one),
            _ => Err("must be one audience, or a list of one".to_owned()),
        },
        one => party(one),
    }
}

/// The name of a claim. Only reserved names are refused here, not those that another setting uses.
pub(super) fn claim_name(value: &Value) -> Result<&str, String> {
    let name = string(value)?;
    // Placeholders for the other three claims, which no setting can equal.
    let others = ["\u{0}1", "\u{0}2", "\u{0}3"];
    match ClaimNames::new(name, others[0], others[1], others[2]) {
        Ok(_) => Ok(name),
        Err(clash) => Err(clash.to_string()),
    }
}

/// The name of a claim that is optional in SimpleJWT and required here.
pub(super) fn required_claim_name<'a>(value: &'a Value, why: &str) -> Result<&'a str, String> {
    if value.is_null() { Err(format!("must name a claim: {why}")) } else { claim_name(value) }
}

pub(super) fn user_id_field(value: &Value) -> Result<Outcome, String> {
    let name = if value == "pk" { "id" } else { string(value)? };
    let field = SubjectField::ALL.into_iter().find(|field| field.name() == name);
    let field = field.ok_or(
        "must be id, pk, username or email; import the values of another field as the user IDs of the accounts, which tokens then carry",
    )?;
    let note = match field {
        SubjectField::Id => "",
        _ => "another user may have the same value later: tokens that are older than the account are refused.",
    };
    Ok(Outcome::of(field.name()).with_note(note))
}

/// The name of a request header, converted from its WSGI form (PEP 3333).
pub(super) fn header_name(value: &Value) -> Result<String, String> {
    let wsgi = string(value)?;
    let name = wsgi.strip_prefix("HTTP_").filter(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    });
    let name = name.ok_or(
        "must be a header name in its WSGI form, HTTP_ and capital letters: HTTP_X_ACCESS_TOKEN is X-Access-Token",
    )?;
    let name = name.split('_').map(capitalised).collect::<Vec<_>>().join("-");
    match CredentialHeader::new(&name, ["Bearer"]) {
        Ok(_) => Ok(name),
        Err(error) => Err(format!("{name} is {error}")),
    }
}

fn capitalised(word: &str) -> String {
    let (first, rest) = word.split_at(word.len().min(1));
    format!("{first}{}", rest.to_ascii_lowercase())
}

/// One or more schemes.
pub(super) fn header_types(value: &Value) -> Result<Vec<String>, String> {
    const SHAPE: &str = "must be a string or a list of strings";
    let schemes = match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(several) => several.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let schemes = schemes.ok_or(SHAPE)?;
    match CredentialHeader::new("Authorization", &schemes) {
        Ok(_) => Ok(schemes),
        Err(CredentialHeaderError::BadScheme) if schemes.is_empty() => Err("contains no scheme".to_owned()),
        Err(error) => Err(format!("contains a value that is {error}")),
    }
}

/// Token types, from SimpleJWT's token classes.
pub(super) fn token_classes(value: &Value) -> Result<Vec<String>, String> {
    let mut kinds = Vec::new();
    for class in classes(value).ok_or("must be a list of classes")? {
        let kind = match class.strip_prefix("rest_framework_simplejwt.tokens.").unwrap_or(class) {
            "AccessToken" => "access".to_owned(),
            "SlidingToken" => "sliding".to_owned(),
            "UntypedToken" => {
                return Err("UntypedToken accepts every token type: a refresh token would open guarded routes \
                            (RFC 8725 §3.11)"
                    .to_owned());
            }
            "RefreshToken" => return Err("a refresh token would open guarded routes (RFC 8725 §3.11)".to_owned()),
            _ => {
                let class = displayed(class);
                return Err(format!("{class} cannot run in this service; use AccessToken or SlidingToken"));
            }
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() { Err("contains no class: no token would open a guarded route".to_owned()) } else { Ok(kinds) }
}

/// The names of classes: a list, or a tuple, list or set converted with `str()`.
fn classes(value: &Value) -> Option<Vec<&str>> {
    let split = |list| -> Vec<&str> {
        let inner = str::trim_matches(list, ['(', ')', '[', ']', '{', '}', ' ']);
        inner.split(',').map(class).filter(|name| !name.is_empty()).collect()
    };
    match value {
        Value::String(list) => Some(split(list)),
        Value::Array(list) => list.iter().map(|one| one.as_str().map(class)).collect(),
        _ => None,
    }
}

/// The dotted path of a class: plain, quoted, or in the form of `str()`, `<class '…'>`.
fn class(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("<class ").and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    inner.trim_matches(['\'', '"'])
}

/// Accepts SimpleJWT's own code and null, and refuses everything else with `reason`.
pub(super) fn code(value: &Value, own: Option<&str>, reason: &str) -> Result<(), String> {
    match value {
        Value::Null => Ok(()),
        Value::String(path) if own == Some(class(path)) => Ok(()),
        _ => Err(reason.to_owned()),
    }
}
