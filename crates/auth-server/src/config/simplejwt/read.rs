//! How values are read. An error says what a value has to be; it stands behind the name of the setting.

use auth_core::token::{ClaimNames, SubjectField};
use auth_crypto::Algorithm;
use auth_http::{CredentialHeader, CredentialHeaderError};
use serde_json::Value;

use super::duration::whole_seconds;
use super::settings::Outcome;

/// The longest lifetime, as in the checks of the configuration.
const CENTURY: u64 = 100 * 365 * 24 * 60 * 60;
/// The greatest leeway, likewise.
const HOUR: u64 = 60 * 60;

/// A text from elsewhere, for a message: on one line, and not too long.
pub(super) fn shown(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() > MOST {
        let start: String = text.chars().take(MOST).collect();
        return format!("{start:?}…");
    }
    let is_plain = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if is_plain { text.to_owned() } else { format!("{text:?}") }
}

pub(super) fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| "must be a text".to_owned())
}

pub(super) fn flag(value: &Value) -> Result<bool, String> {
    value.as_bool().ok_or_else(|| "must be true or false".to_owned())
}

pub(super) fn lifetime(value: &Value) -> Result<i64, String> {
    match whole_seconds(value)? {
        0 => Err("is zero: such a token would never be good".to_owned()),
        seconds => at_most(CENTURY, seconds),
    }
}

/// `LEEWAY`: none, a number or a duration.
pub(super) fn leeway(value: &Value) -> Result<i64, String> {
    if value.is_null() { Ok(0) } else { at_most(HOUR, whole_seconds(value)?) }
}

fn at_most(most: u64, seconds: u64) -> Result<i64, String> {
    let seconds = Some(seconds).filter(|seconds| *seconds <= most).and_then(|seconds| i64::try_from(seconds).ok());
    seconds.ok_or_else(|| format!("is too long: {most} seconds are the most"))
}

pub(super) fn algorithm(value: &Value) -> Result<&'static str, String> {
    let reason = match text(value)? {
        "ES512" | "ES521" => "its curve, P-521, is not offered here; use ES256, ES384 or EdDSA",
        "ES256K" => "its curve, secp256k1, is not offered here; use ES256, ES384 or EdDSA",
        name => match name.parse::<Algorithm>() {
            Ok(algorithm) => return Ok(algorithm.name()),
            Err(_) => return Err(format!("must be one of {}", Algorithm::ALL.map(Algorithm::name).join(", "))),
        },
    };
    Err(reason.to_owned())
}

/// An issuer or audience: none or a text. One that is empty would be written and required; here it would be neither.
pub(super) fn party(value: &Value) -> Result<&str, String> {
    match value {
        Value::Null => Ok(""),
        Value::String(party) if party.is_empty() => Err("is empty; null is for none".to_owned()),
        Value::String(party) => Ok(party),
        _ => Err("must be a text or null".to_owned()),
    }
}

pub(super) fn audience(value: &Value) -> Result<&str, String> {
    match value {
        Value::Array(parties) => match parties.as_slice() {
            [one] if one.is_string() => party(one),
            _ => Err("must be one audience; there can be no more and no fewer in a list here".to_owned()),
        },
        one => party(one),
    }
}

/// The name of a claim that is this setting's to choose.
pub(super) fn claim_name(value: &Value) -> Result<&str, String> {
    let name = text(value)?;
    // Whether two settings choose the same name is not decided here.
    let others = ["\u{0}1", "\u{0}2", "\u{0}3"];
    match ClaimNames::new(name, others[0], others[1], others[2]) {
        Ok(_) => Ok(name),
        Err(clash) => Err(clash.to_string()),
    }
}

/// The name of a claim that SimpleJWT lets go without, and this service does not.
pub(super) fn claim_that_must_be<'a>(value: &'a Value, why: &str) -> Result<&'a str, String> {
    if value.is_null() { Err(format!("must name a claim: {why}")) } else { claim_name(value) }
}

pub(super) fn user_id_field(value: &Value) -> Result<Outcome, String> {
    let name = if value == "pk" { "id" } else { text(value)? };
    let field = SubjectField::ALL.into_iter().find(|field| field.name() == name);
    let field = field.ok_or(
        "must be id, pk, username or email; import keys of another field as external ids, and tokens name those",
    )?;
    let note = match field {
        SubjectField::Id => "",
        _ => {
            "a name may be somebody else's later: tokens that are older than the account which has it now are refused."
        }
    };
    Ok(Outcome::of(field.name()).with_note(note))
}

/// The name of a request header, from its spelling in WSGI (PEP 3333).
pub(super) fn header_name(value: &Value) -> Result<String, String> {
    let wsgi = text(value)?;
    let name = wsgi.strip_prefix("HTTP_").filter(|name| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    });
    let name = name.ok_or(
        "must be a header as WSGI spells it, HTTP_ and capital letters: HTTP_X_ACCESS_TOKEN is X-Access-Token",
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

/// One scheme, or several.
pub(super) fn header_types(value: &Value) -> Result<Vec<String>, String> {
    const SHAPE: &str = "must be a text, or a list of texts";
    let schemes = match value {
        Value::String(one) => Some(vec![one.clone()]),
        Value::Array(several) => several.iter().map(|one| one.as_str().map(str::to_owned)).collect(),
        _ => None,
    };
    let schemes = schemes.ok_or(SHAPE)?;
    match CredentialHeader::new("Authorization", &schemes) {
        Ok(_) => Ok(schemes),
        Err(CredentialHeaderError::BadScheme) if schemes.is_empty() => Err("names no scheme".to_owned()),
        Err(error) => Err(format!("has one that is {error}")),
    }
}

/// The kinds of token, from classes of SimpleJWT.
pub(super) fn token_classes(value: &Value) -> Result<Vec<String>, String> {
    let mut kinds = Vec::new();
    for class in classes(value).ok_or("must be a list of classes")? {
        let kind = match class.strip_prefix("rest_framework_simplejwt.tokens.").unwrap_or(class) {
            "AccessToken" => "access".to_owned(),
            "SlidingToken" => "sliding".to_owned(),
            "UntypedToken" => {
                return Err("UntypedToken takes every kind: a refresh token would open guarded routes \
                            (RFC 8725 §3.11)"
                    .to_owned());
            }
            "RefreshToken" => return Err("a refresh token would open guarded routes (RFC 8725 §3.11)".to_owned()),
            _ => {
                let class = shown(class);
                return Err(format!("{class} cannot run here; there are AccessToken and SlidingToken"));
            }
        };
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    if kinds.is_empty() { Err("names no class: no token would open a guarded route".to_owned()) } else { Ok(kinds) }
}

/// The names of classes: a list, or the text that `str()` makes of a tuple, list or set.
fn classes(value: &Value) -> Option<Vec<&str>> {
    let of_text = |text| -> Vec<&str> {
        let inner = str::trim_matches(text, ['(', ')', '[', ']', '{', '}', ' ']);
        inner.split(',').map(class).filter(|name| !name.is_empty()).collect()
    };
    match value {
        Value::String(text) => Some(of_text(text)),
        Value::Array(list) => list.iter().map(|one| one.as_str().map(class)).collect(),
        _ => None,
    }
}

/// The dotted path of a class: as it is, in quotes, or as `str()` shows the class.
fn class(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("<class ").and_then(|text| text.strip_suffix('>')).unwrap_or(text);
    inner.trim_matches(['\'', '"'])
}

/// Lets SimpleJWT's own code through, and none at all.
pub(super) fn code(value: &Value, own: Option<&str>, reason: &str) -> Result<(), String> {
    match value {
        Value::Null => Ok(()),
        Value::String(path) if own == Some(class(path)) => Ok(()),
        _ => Err(reason.to_owned()),
    }
}
