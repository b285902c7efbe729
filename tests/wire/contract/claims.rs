//! The claims of the service's tokens (docs/wire-contract.md, section 3; further claims: section 12a).

use serde_json::{Map, Value, json};

use crate::contract::answer::ensure;
use crate::contract::forge::{Kind, now};
use crate::contract::users::Account;
use crate::contract::variant::Variant;

/// How many seconds the time of issue may differ from the current time on a busy machine.
const PATIENCE: i64 = 60;
/// Claims that a new token does not copy from the presented one.
const OWN: [&str; 8] = ["exp", "iat", "refresh_exp", "email", "role", "sid", "gen", "amr"];
/// How many seconds a sliding token can be refreshed.
const SLIDING_PERIOD: i64 = 24 * 60 * 60;

const fn lifetime(kind: Kind) -> i64 {
    match kind {
        Kind::Access => 30 * 60,
        Kind::Refresh => 7 * 24 * 60 * 60,
        Kind::Sliding => 5 * 60,
    }
}

/// Checks a token that was issued to an account in exchange for one with the `presented` claims.
pub(crate) fn check(
    token: &str,
    kind: Kind,
    account: &Account,
    presented: &Map<String, Value>,
    variant: &Variant,
) -> Result<(), String> {
    let (header, mut claims) = variant.key.open(token)?;
    check_header(&header, &usual_header(variant))?;
    check_registered(&mut claims, kind, account, variant)?;
    check_successor(&mut claims, kind, presented, variant)?;
    let profile =
        [("email", account.email.as_str()), ("role", "user")].into_iter().filter(|_| variant.has_profile_claims);
    for (name, expected) in profile.chain(variant.claims.iter().copied()) {
        let value = claims.remove(name);
        ensure(value == Some(json!(expected)), || format!("{name} is {value:?}, not {expected}"))?;
    }
    let sid = claims.remove("sid");
    ensure(sid.as_ref().is_none_or(Value::is_string), || format!("sid is {sid:?}"))?;
    // The authentication methods of a session that started here are known.
    let amr = claims.remove("amr");
    ensure(amr.as_ref().is_none_or(|amr| *amr == json!(["pwd"])), || format!("amr is {amr:?}"))?;
    let generation = claims.remove("gen");
    let may_have_generation = kind == Kind::Refresh && generation.as_ref().is_some_and(Value::is_u64);
    ensure(generation.is_none() || may_have_generation, || format!("gen is {generation:?} in {kind:?}"))?;
    ensure(claims == carried(presented, variant), || format!("further claims are {}", json!(claims)))
}

/// Returns the claims that a new token copies from the presented one.
fn carried(presented: &Map<String, Value>, variant: &Variant) -> Map<String, Value> {
    let mut carried = presented.clone();
    let named = [variant.type_claim, variant.id_claim, variant.user_claim];
    let further = variant.claims.iter().map(|(name, _)| *name);
    let own: Vec<_> = OWN.into_iter().chain(named).chain(further).collect();
    carried.retain(|name, _| !own.contains(&name.as_str()));
    carried
}

fn usual_header(variant: &Variant) -> Value {
    json!({"alg": variant.key.algorithm(), "typ": "JWT"})
}

fn check_header(header: &Value, expected: &Value) -> Result<(), String> {
    let mut header = header.clone();
    header.as_object_mut().and_then(|header| header.remove("kid"));
    ensure(header == *expected, || format!("the header of the token is {header}, not {expected}"))
}

fn check_registered(
    claims: &mut Map<String, Value>,
    kind: Kind,
    account: &Account,
    variant: &Variant,
) -> Result<(), String> {
    let jti = claims.get(variant.id_claim).and_then(Value::as_str);
    ensure(jti.is_some_and(is_uuid_4), || format!("{} is {jti:?}", variant.id_claim))?;
    let mut take = |name: &str| claims.remove(name).ok_or(format!("no {name} in the token"));
    let (token_type, user, expected) =
        (take(variant.type_claim)?, take(variant.user_claim)?, (variant.user_of)(account));
    let (exp, iat) = (take("exp")?, take("iat")?);
    ensure(token_type == kind.name(), || format!("{} is {token_type}", variant.type_claim))?;
    ensure(user == json!(expected), || format!("{} is {user}, not \"{expected}\"", variant.user_claim))?;
    let (Some(exp), Some(iat)) = (exp.as_i64(), iat.as_i64()) else {
        return Err(format!("exp and iat are not integers: {exp}, {iat}"));
    };
    ensure(exp - iat == lifetime(kind), || format!("the lifetime is {} seconds", exp - iat))?;
    ensure((now() - iat).abs() <= PATIENCE, || format!("iat is {iat} at {}", now()))
}

/// A sliding token keeps its token ID and the end of its refresh period; other tokens get a new token ID.
fn check_successor(
    claims: &mut Map<String, Value>,
    kind: Kind,
    presented: &Map<String, Value>,
    variant: &Variant,
) -> Result<(), String> {
    let end = claims.remove("refresh_exp");
    let (id, old) = (claims.remove(variant.id_claim), presented.get(variant.id_claim));
    let is_same = id.as_ref() == old;
    if kind != Kind::Sliding {
        return ensure(end.is_none() && !is_same, || format!("{kind:?} has {end:?}, and its id is that of {old:?}"));
    }
    if presented.is_empty() {
        let period = end.as_ref().and_then(Value::as_i64).map(|end| end - now());
        let is_right = period.is_some_and(|period| (SLIDING_PERIOD - PATIENCE..=SLIDING_PERIOD).contains(&period));
        return ensure(is_right, || format!("refresh_exp is {end:?} at {}", now()));
    }
    ensure(is_same, || format!("{} is {id:?}, not {old:?}", variant.id_claim))?;
    ensure(end.as_ref() == presented.get("refresh_exp"), || format!("refresh_exp is {end:?}, not the previous one"))
}

/// Returns whether this is a random UUID without dashes (RFC 9562 §5.4).
fn is_uuid_4(text: &str) -> bool {
    text.len() == 32
        && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        && text.as_bytes()[12] == b'4'
        && b"89ab".contains(&text.as_bytes()[16])
}

/// Compares a token with the recorded claims: all of them, with or without the header, or some.
pub(crate) fn compare(token: &str, recorded: &Value, variant: &Variant) -> Result<(), String> {
    let (header, claims) = variant.key.open(token)?;
    check_header(&header, recorded.get("header").unwrap_or(&usual_header(variant)))?;
    let whole = recorded.get("claims").unwrap_or(recorded);
    let mut expected = whole.as_object().cloned().unwrap_or_default();
    let mut actual = claims.clone();
    if expected.contains_key("exp") {
        actual.retain(|name, _| !["sid", "gen", "amr"].contains(&name.as_str()));
    } else {
        actual.retain(|name, _| expected.contains_key(name));
    }
    for claims in [&mut expected, &mut actual] {
        for (name, value) in claims.iter_mut() {
            hide(name, value);
        }
    }
    ensure(actual == expected, || format!("claims are {}\n  expected   {}", json!(actual), json!(expected)))?;
    let Some(recorded) = recorded.get("exp-iat").and_then(Value::as_i64) else { return Ok(()) };
    let lives = claims["exp"].as_i64().zip(claims["iat"].as_i64()).map_or(0, |(exp, iat)| exp - iat);
    // The reference implementation reads the clock twice, so some of its tokens are a second short.
    ensure((0..=1).contains(&(lives - recorded)), || format!("the lifetime is {lives} seconds, not {recorded}"))
}

/// Replaces values that differ between tokens by a placeholder for their type.
fn hide(claim: &str, value: &mut Value) {
    let shape = match (claim, &*value) {
        ("exp" | "iat" | "refresh_exp", value) if value.is_i64() => "<seconds>",
        ("user_id", Value::String(id)) if id.bytes().all(|b| b.is_ascii_digit()) => "<id>",
        (_, Value::String(id)) if is_uuid_4(id) => "<uuid>",
        _ => return,
    };
    *value = shape.into();
}
