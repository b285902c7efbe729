//! All kinds of invalid tokens, and some unusual valid ones.

use auth_tests::server::SIGNING_KEY;
use serde_json::{Value, json};

use crate::contract::forge::{Draft, HUGE, LIFETIME, now};
use crate::contract::keys::{RSA_PUBLIC, hs256, hs512};

/// A time longer than every lifetime, in seconds.
const MONTH: i64 = 30 * 86_400;
const ANOTHER_KEY: &str = "another-key-for-tests-0123456789-abcdefghijkl";

/// Forges a token from a valid one.
pub(crate) type Recipe = fn(Draft) -> String;

/// How to forge the token of a row from a valid one. The key is the end of the row's ID, because the same tokens are sent
/// to four endpoints; the title of the row describes it.
pub(crate) const RECIPES: &[(&str, Recipe)] = &[
    ("forged", Draft::sign),
    // Times.
    ("expired", |t| t.with("iat", now() - LIFETIME).with("exp", now() - 1).sign()),
    ("exp-now", |t| t.with("iat", now() - LIFETIME).with("exp", now()).sign()),
    ("no-exp", |t| t.without("exp").sign()),
    ("exp-string", |t| t.with("exp", (now() + LIFETIME).to_string()).sign()),
    ("exp-word", |t| t.with("exp", "tomorrow").sign()),
    ("exp-float", |t| t.with("exp", now() as f64 + 600.5).sign()),
    ("exp-huge", |t| t.with("exp", 10_i64.pow(18)).sign()),
    // The expiry implies that the token is not older than the account, as in the recording.
    ("no-iat", |t| t.without("iat").with("exp", now() + MONTH).sign()),
    ("iat-future", |t| t.with("iat", now() + 300).sign()),
    ("nbf-future", |t| t.with("nbf", now() + 300).sign()),
    // Signature.
    ("tampered", |t| {
        let good = t.clone().sign();
        let signature = good.rsplit('.').next().unwrap_or_default();
        format!("{}.{signature}", t.with("role", "admin").message())
    }),
    ("wrong-key", |t| hs256(t.message(), ANOTHER_KEY)),
    ("alg-none", |t| format!("{}.", t.header("alg", "none").message())),
    ("alg-none-case", |t| format!("{}.", t.header("alg", "nOnE").message())),
    ("alg-hs512", |t| hs512(t.header("alg", "HS512").message(), SIGNING_KEY)),
    ("alg-rs256", |t| t.header("alg", "RS256").sign()),
    ("no-sig", |t| format!("{}.", t.message())),
    ("two-parts", |t| t.message()),
    // Other claims.
    ("sliding", |t| t.with("token_type", "sliding").sign()),
    ("no-type", |t| t.without("token_type").sign()),
    ("no-jti", |t| t.without("jti").sign()),
    ("jti-int", |t| t.with("jti", 5).sign()),
    ("sub-int", |t| t.with("sub", 5).sign()),
    ("aud", |t| t.with("aud", "other").sign()),
    ("iss", |t| t.with("iss", "other").sign()),
    ("payload-list", |t| hs256(t.message_with("[1,2]"), SIGNING_KEY)),
    // User.
    ("no-user", |t| t.without("user_id").sign()),
    ("user-unknown", |t| t.with("user_id", "999999999").sign()),
    ("user-int", |t| t.user_as_number().sign()),
    ("user-word", |t| t.with("user_id", "abc").sign()),
    ("user-null", |t| t.with("user_id", Value::Null).sign()),
    ("user-list", |t| t.with("user_id", json!([1])).sign()),
    ("user-huge", |t| t.with("user_id", HUGE).sign()),
    ("user-blank", |t| t.with("user_id", "").sign()),
    // Header.
    ("hdr-extra", |t| t.header("kid", "somewhere").header("cty", "text").sign()),
    ("hdr-crit", |t| t.header("crit", json!(["x"])).header("x", 1).sign()),
    ("hdr-typ", |t| t.header("typ", "at+jwt").sign()),
    ("hdr-notyp", |t| t.without_header("typ").sign()),
    // Unknown claims.
    ("custom", |t| t.with("email", "forged@example.com").with("custom", json!({"a": [1]})).with("nbf", 1).sign()),
    // Rows about settings.
    ("refresh-expired-refresh", |t| t.with("refresh_exp", now() - 1).sign()),
    ("refresh-expired", |t| t.with("exp", now() - 1).sign()),
    ("refresh-norefexp", |t| t.without("refresh_exp").sign()),
    ("noaud", |t| t.without("aud").without("iss").sign()),
    ("wrongaud", |t| t.with("aud", "other").sign()),
    ("wrongiss", |t| t.with("iss", "other").sign()),
    ("audlist", |t| t.with("aud", json!(["other", "peer-aud"])).sign()),
    // No older than the account, as above.
    ("in", |t| t.with("iat", now()).with("exp", now() - 5).sign()),
    ("out", |t| t.with("iat", now() - LIFETIME).with("exp", now() - 15).sign()),
    // No session, and older than the preceding password change.
    ("noclaim", |t| t.with("iat", now() - LIFETIME).sign()),
    ("unknown", |t| t.with("sub", "nobody-at-all").sign()),
    ("confusion", |t| hs256(t.message(), RSA_PUBLIC)),
    ("hs", Draft::sign),
];
