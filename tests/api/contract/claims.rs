//! What a token of the service says (section 3 of the contract; what it may say beyond that: section 12a).

use serde_json::{Map, Value, json};

use crate::answer::ensure;
use crate::forge::{Kind, now, open};
use crate::stage::Account;

/// How far a token's time of issue may be from now, in seconds: a busy machine takes its time.
const PATIENCE: i64 = 60;
/// The claims that a token does not take over from the one before.
const OWN: [&str; 9] = ["token_type", "exp", "iat", "jti", "user_id", "email", "role", "sid", "gen"];

const fn lifetime(kind: Kind) -> i64 {
    match kind {
        Kind::Access => 30 * 60,
        Kind::Refresh => 7 * 24 * 60 * 60,
    }
}

/// Checks a token that was issued to an account, in exchange for one with the `presented` claims.
pub(crate) fn check(token: &str, kind: Kind, account: &Account, presented: &Map<String, Value>) -> Result<(), String> {
    let (header, mut claims) = open(token)?;
    check_header(&header)?;
    check_registered(&mut claims, kind, account)?;
    for (name, expected) in [("email", account.email.as_str()), ("role", "user")] {
        let value = claims.remove(name);
        ensure(value == Some(json!(expected)), || format!("{name} is {value:?}, not {expected}"))?;
    }
    let sid = claims.remove("sid");
    ensure(sid.as_ref().is_none_or(Value::is_string), || format!("sid is {sid:?}"))?;
    let generation = claims.remove("gen");
    let may_have_generation = kind == Kind::Refresh && generation.as_ref().is_some_and(Value::is_u64);
    ensure(generation.is_none() || may_have_generation, || format!("gen is {generation:?} in {kind:?}"))?;
    let mut carried = presented.clone();
    carried.retain(|name, _| !OWN.contains(&name.as_str()));
    ensure(claims == carried, || format!("further claims are {}, not {}", json!(claims), json!(carried)))
}

fn check_header(header: &Value) -> Result<(), String> {
    let mut header = header.clone();
    header.as_object_mut().and_then(|header| header.remove("kid"));
    ensure(header == json!({"alg": "HS256", "typ": "JWT"}), || format!("the header of the token is {header}"))
}

fn check_registered(claims: &mut Map<String, Value>, kind: Kind, account: &Account) -> Result<(), String> {
    let mut take = |name: &str| claims.remove(name).ok_or(format!("no {name} in the token"));
    let (token_type, user_id, jti) = (take("token_type")?, take("user_id")?, take("jti")?);
    let (exp, iat) = (take("exp")?, take("iat")?);
    ensure(token_type == kind.name(), || format!("token_type is {token_type}"))?;
    ensure(user_id == json!(account.id.to_string()), || format!("user_id is {user_id}, not \"{}\"", account.id))?;
    ensure(jti.as_str().is_some_and(is_uuid_4), || format!("jti is {jti}"))?;
    let (Some(exp), Some(iat)) = (exp.as_i64(), iat.as_i64()) else {
        return Err(format!("exp and iat are no whole numbers: {exp}, {iat}"));
    };
    ensure(exp - iat == lifetime(kind), || format!("the token lives for {} seconds", exp - iat))?;
    ensure((now() - iat).abs() <= PATIENCE, || format!("iat is {iat}, and it is {}", now()))
}

/// A random UUID without its dashes (RFC 9562 §5.4).
fn is_uuid_4(text: &str) -> bool {
    text.len() == 32
        && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && text.as_bytes()[12] == b'4'
        && b"89ab".contains(&text.as_bytes()[16])
}

/// Compares a token with the claims that the recording shows of one: all of them, with or without the header, or a few.
pub(crate) fn compare(token: &str, recorded: &Value) -> Result<(), String> {
    let (header, claims) = open(token)?;
    check_header(&header)?;
    let whole = recorded.get("claims").unwrap_or(recorded);
    let mut expected = whole.as_object().cloned().unwrap_or_default();
    let mut actual = claims.clone();
    if expected.contains_key("token_type") {
        actual.retain(|name, _| name != "sid" && name != "gen");
    } else {
        actual.retain(|name, _| expected.contains_key(name));
    }
    for claims in [&mut expected, &mut actual] {
        for (name, value) in claims.iter_mut() {
            hide(name, value);
        }
    }
    ensure(actual == expected, || format!("claims are {}\n  expected   {}", json!(actual), json!(expected)))?;
    let Some(lifetime) = recorded.get("exp-iat") else { return Ok(()) };
    let lives = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map(|(exp, iat)| exp - iat);
    ensure(lives == lifetime.as_i64(), || format!("the token lives for {lives:?} seconds, not {lifetime}"))
}

/// Replaces what differs from token to token by its type.
fn hide(claim: &str, value: &mut Value) {
    let shape = match (claim, &*value) {
        ("exp" | "iat", value) if value.is_i64() => "<seconds>",
        ("jti", Value::String(jti)) if is_uuid_4(jti) => "<uuid>",
        ("user_id", Value::String(id)) if id.bytes().all(|b| b.is_ascii_digit()) => "<id>",
        _ => return,
    };
    *value = shape.into();
}
