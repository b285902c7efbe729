//! Tests of the translation: one row for each setting and each refusal.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::settings::SETTINGS;
use super::translate;
use crate::config::{Sources, load};

const SECRET: &str = "0123456789-abcdefghij-0123456789-abcdefghij-0123456789-abcdefghij";
const RSA: &str = include_str!("../../../../auth-crypto/tests/vectors/keys/rsa2048.pem");
const RSA_PUBLIC: &str = include_str!("../../../../auth-crypto/tests/vectors/keys/rsa2048.pub.pem");
const P256: &str = include_str!("../../../../auth-crypto/tests/vectors/keys/p256.pem");
const P256_PUBLIC: &str = include_str!("../../../../auth-crypto/tests/vectors/keys/p256.pub.pem");

fn translated(dictionary: &Value) -> String {
    translate(&dictionary.to_string()).unwrap_or_else(|refusals| panic!("{dictionary}: {refusals:?}"))
}

fn refusals(dictionary: &Value) -> Vec<String> {
    translate(&dictionary.to_string()).err().unwrap_or_else(|| panic!("{dictionary} is accepted"))
}

/// The parsed value of a key, `section.key`.
fn key(configuration: &str, key: &str) -> Option<toml::Value> {
    let table: toml::Table = configuration.parse().unwrap_or_else(|error| panic!("{error}: {configuration}"));
    let (section, key) = key.split_once('.').unwrap();
    table.get(section)?.get(key).cloned()
}

#[test]
fn translates_every_setting_to_its_key() {
    let class = "rest_framework_simplejwt.tokens";
    for (setting, value, name, expected) in [
        ("ACCESS_TOKEN_LIFETIME", json!("0:30:00"), "tokens.access_ttl_seconds", json!(1800)),
        ("ACCESS_TOKEN_LIFETIME", json!(1), "tokens.access_ttl_seconds", json!(1)),
        ("ACCESS_TOKEN_LIFETIME", json!(3_153_600_000_u64), "tokens.access_ttl_seconds", json!(3_153_600_000_u64)),
        ("REFRESH_TOKEN_LIFETIME", json!("7 days, 12:30:00"), "tokens.refresh_ttl_seconds", json!(649_800)),
        ("SLIDING_TOKEN_LIFETIME", json!("P0DT00H05M00S"), "tokens.sliding_ttl_seconds", json!(300)),
        ("SLIDING_TOKEN_REFRESH_LIFETIME", json!("P7D"), "tokens.sliding_refresh_ttl_seconds", json!(604_800)),
        ("SLIDING_TOKEN_REFRESH_EXP_CLAIM", json!("until"), "tokens.sliding_refresh_exp_claim", json!("until")),
        ("ROTATE_REFRESH_TOKENS", json!(true), "tokens.rotate_refresh_tokens", json!(true)),
        ("BLACKLIST_AFTER_ROTATION", json!(true), "tokens.blacklist_after_rotation", json!(true)),
        ("UPDATE_LAST_LOGIN", json!(true), "tokens.update_last_login", json!(true)),
        ("CHECK_REVOKE_TOKEN", json!(true), "tokens.check_session_on_access", json!(true)),
        ("CHECK_USER_IS_ACTIVE", json!(false), "tokens.check_user_is_active", json!(false)),
        ("ALGORITHM", json!("HS512"), "tokens.algorithm", json!("HS512")),
        ("ALGORITHM", json!("EdDSA"), "tokens.algorithm", json!("EdDSA")),
        ("VERIFYING_KEY", json!(null), "tokens.verifying_key_files", json!([])),
        ("AUDIENCE", json!("them"), "tokens.audience", json!("them")),
        ("AUDIENCE", json!(["them"]), "tokens.audience", json!("them")),
        ("AUDIENCE", json!(null), "tokens.audience", json!("")),
        ("ISSUER", json!("https://us"), "tokens.issuer", json!("https://us")),
        (
            "ISSUER",
            json!("a \"quoted\"\nissuer \\ 'with' ü"),
            "tokens.issuer",
            json!("a \"quoted\"\nissuer \\ 'with' ü"),
        ),
        ("LEEWAY", json!(10), "tokens.leeway_seconds", json!(10)),
        ("LEEWAY", json!(10.0), "tokens.leeway_seconds", json!(10)),
        ("LEEWAY", json!("1:00:00"), "tokens.leeway_seconds", json!(3600)),
        ("LEEWAY", json!(null), "tokens.leeway_seconds", json!(0)),
        ("AUTH_HEADER_TYPES", json!("JWT"), "http.auth_header_types", json!(["JWT"])),
        ("AUTH_HEADER_TYPES", json!(["JWT", "Bearer"]), "http.auth_header_types", json!(["JWT", "Bearer"])),
        ("AUTH_HEADER_NAME", json!("HTTP_X_ACCESS_TOKEN"), "http.auth_header_name", json!("X-Access-Token")),
        ("AUTH_HEADER_NAME", json!("HTTP_AUTHORIZATION"), "http.auth_header_name", json!("Authorization")),
        ("USER_ID_FIELD", json!("pk"), "tokens.user_id_field", json!("id")),
        ("USER_ID_FIELD", json!("username"), "tokens.user_id_field", json!("username")),
        ("USER_ID_FIELD", json!("email"), "tokens.user_id_field", json!("email")),
        ("USER_ID_CLAIM", json!("sub"), "tokens.user_id_claim", json!("sub")),
        ("USER_ID_CLAIM", json!("the \"user\"'s"), "tokens.user_id_claim", json!("the \"user\"'s")),
        ("TOKEN_TYPE_CLAIM", json!("typ_"), "tokens.token_type_claim", json!("typ_")),
        ("JTI_CLAIM", json!("id_"), "tokens.jti_claim", json!("id_")),
        ("AUTH_TOKEN_CLASSES", json!([format!("{class}.AccessToken")]), "tokens.accepted_kinds", json!(["access"])),
        (
            "AUTH_TOKEN_CLASSES",
            json!(["SlidingToken", "AccessToken"]),
            "tokens.accepted_kinds",
            json!(["sliding", "access"]),
        ),
        (
            "AUTH_TOKEN_CLASSES",
            json!([format!("<class '{class}.AccessToken'>"), format!("<class '{class}.AccessToken'>")]),
            "tokens.accepted_kinds",
            json!(["access"]),
        ),
        (
            "AUTH_TOKEN_CLASSES",
            json!(format!("('{class}.SlidingToken',)")),
            "tokens.accepted_kinds",
            json!(["sliding"]),
        ),
        (
            "AUTH_TOKEN_CLASSES",
            json!(format!("(<class '{class}.AccessToken'>, <class '{class}.SlidingToken'>)")),
            "tokens.accepted_kinds",
            json!(["access", "sliding"]),
        ),
    ] {
        let configuration = translated(&json!({ setting: value }));
        let found = serde_json::to_value(key(&configuration, name)).unwrap();
        assert_eq!(found, expected, "{setting} = {value}: {configuration}");
        let lines: Vec<_> = configuration.lines().collect();
        let named = lines.iter().position(|line| line.starts_with(&format!("# {setting}"))).unwrap();
        assert!(!lines[named].contains("(default)"), "{configuration}");
    }
}

/// The defaults are SimpleJWT's, not those of the profile.
#[test]
fn missing_settings_get_simplejwts_defaults() {
    let configuration = translated(&json!({}));
    for (name, expected) in [
        ("http.auth_header_name", json!("Authorization")),
        ("http.auth_header_types", json!(["Bearer"])),
        ("tokens.algorithm", json!("HS256")),
        ("tokens.generate_key", json!(false)),
        ("tokens.signing_key_file", json!(null)),
        ("tokens.verifying_key_files", json!([])),
        ("tokens.jwks_url", json!("")),
        ("tokens.issuer", json!("")),
        ("tokens.audience", json!("")),
        ("tokens.leeway_seconds", json!(0)),
        ("tokens.token_type_claim", json!("token_type")),
        ("tokens.jti_claim", json!("jti")),
        ("tokens.user_id_claim", json!("user_id")),
        ("tokens.user_id_field", json!("id")),
        ("tokens.claims", json!([])),
        ("tokens.accepted_kinds", json!(["access"])),
        ("tokens.access_ttl_seconds", json!(300)),
        ("tokens.refresh_ttl_seconds", json!(86_400)),
        ("tokens.sliding_ttl_seconds", json!(300)),
        ("tokens.sliding_refresh_ttl_seconds", json!(86_400)),
        ("tokens.sliding_refresh_exp_claim", json!("refresh_exp")),
        ("tokens.rotate_refresh_tokens", json!(false)),
        ("tokens.blacklist_after_rotation", json!(false)),
        ("tokens.check_session_on_access", json!(false)),
        ("tokens.check_user_is_active", json!(true)),
        ("tokens.update_last_login", json!(false)),
    ] {
        assert_eq!(serde_json::to_value(key(&configuration, name)).unwrap(), expected, "{name}: {configuration}");
    }
    let keys = SETTINGS.iter().filter_map(super::settings::Setting::key);
    for name in keys.filter(|name| *name != "tokens.signing_key_file") {
        assert!(key(&configuration, name).is_some(), "{name}: {configuration}");
    }
}

#[test]
fn keys_become_file_names_and_are_never_printed() {
    let (hs, rs) = ("HS256", "RS256");
    let pair = json!({"ALGORITHM": rs, "SIGNING_KEY": RSA, "VERIFYING_KEY": RSA_PUBLIC});
    let url = "https://us.example/jwks";
    for (dictionary, signing, verifying, note) in [
        (json!({}), None, json!([]), "the default is Django's SECRET_KEY"),
        (json!({"ALGORITHM": rs}), None, json!([]), "not a private key for RS256"),
        (json!({"ALGORITHM": hs, "SIGNING_KEY": SECRET}), Some("signing.key"), json!([]), "owner only"),
        (json!({"ALGORITHM": rs, "SIGNING_KEY": RSA.trim_end()}), Some("signing.pem"), json!([]), "owner only"),
        (json!({"ALGORITHM": "ES256", "SIGNING_KEY": P256}), Some("signing.pem"), json!([]), "owner only"),
        (json!({"SIGNING_KEY": SECRET, "VERIFYING_KEY": "x"}), Some("signing.key"), json!([]), "SimpleJWT ignores it"),
        (json!({"SIGNING_KEY": SECRET, "VERIFYING_KEY": ""}), Some("signing.key"), json!([]), "owner only"),
        (pair.clone(), Some("signing.pem"), json!([]), "not needed: it is the public half of SIGNING_KEY"),
        (json!({"ALGORITHM": rs, "VERIFYING_KEY": RSA_PUBLIC}), None, json!(["verifying.pem"]), "into this file"),
        (
            json!({"ALGORITHM": "ES256", "VERIFYING_KEY": P256_PUBLIC, "JWK_URL": url}),
            None,
            json!([]),
            "SimpleJWT ignores it if JWK_URL is set",
        ),
    ] {
        let configuration = translated(&dictionary);
        let files = |name| serde_json::to_value(key(&configuration, name)).unwrap();
        assert_eq!(files("tokens.signing_key_file"), json!(signing), "{configuration}");
        assert_eq!(files("tokens.verifying_key_files"), verifying, "{configuration}");
        assert!(configuration.contains(note), "{note}: {configuration}");
        assert_eq!(signing.is_none(), configuration.contains("\n# signing_key_file = "), "{configuration}");
        assert!(!configuration.contains("BEGIN") && !configuration.contains(SECRET), "{configuration}");
    }
}

#[test]
fn jwk_url_applies_only_to_asymmetric_algorithms() {
    let url = "https://us.example/jwks";
    for (dictionary, expected) in [
        (json!({"ALGORITHM": "RS256", "JWK_URL": url}), url),
        (json!({"ALGORITHM": "HS256", "JWK_URL": url}), ""),
        (json!({"ALGORITHM": "RS256", "JWK_URL": ""}), ""),
        (json!({"ALGORITHM": "RS256", "JWK_URL": null}), ""),
    ] {
        let found = key(&translated(&dictionary), "tokens.jwks_url");
        assert_eq!(found, Some(expected.into()), "{dictionary}");
    }
}

#[test]
fn refuses_what_cannot_be_translated_and_names_the_setting() {
    for (setting, value, reason) in [
        ("ACCESS_TOKEN_LIFETIME", json!(0), "zero"),
        ("ACCESS_TOKEN_LIFETIME", json!("0:00:00"), "zero"),
        ("ACCESS_TOKEN_LIFETIME", json!(3_153_600_001_u64), "too long"),
        ("ACCESS_TOKEN_LIFETIME", json!(null), "must be a number of seconds"),
        ("REFRESH_TOKEN_LIFETIME", json!("-1 day, 23:59:30"), "negative"),
        ("SLIDING_TOKEN_LIFETIME", json!("0:00:00.500000"), "fraction of a second"),
        ("SLIDING_TOKEN_REFRESH_LIFETIME", json!(true), "must be a number of seconds"),
        ("SLIDING_TOKEN_REFRESH_EXP_CLAIM", json!(null), "must be a string"),
        ("LEEWAY", json!(0.5), "fraction of a second"),
        ("LEEWAY", json!(-1), "negative"),
        ("LEEWAY", json!(3601), "too long"),
        ("LEEWAY", json!("soon"), "must be a number of seconds"),
        ("ROTATE_REFRESH_TOKENS", json!(1), "true or false"),
        ("BLACKLIST_AFTER_ROTATION", json!("True"), "true or false"),
        ("UPDATE_LAST_LOGIN", json!(null), "true or false"),
        ("CHECK_REVOKE_TOKEN", json!("yes"), "true or false"),
        ("CHECK_USER_IS_ACTIVE", json!([]), "true or false"),
        ("ALGORITHM", json!("ES512"), "P-521, is not supported; use ES256, ES384 or EdDSA"),
        ("ALGORITHM", json!("ES521"), "P-521"),
        ("ALGORITHM", json!("ES256K"), "secp256k1"),
        ("ALGORITHM", json!("none"), "one of HS256"),
        ("ALGORITHM", json!(null), "must be a string"),
        ("AUDIENCE", json!(["us", "them"]), "one audience"),
        ("AUDIENCE", json!([]), "one audience"),
        ("AUDIENCE", json!([1]), "one audience"),
        ("AUDIENCE", json!([""]), "is empty"),
        ("AUDIENCE", json!(1), "a string or null"),
        ("ISSUER", json!(""), "is empty"),
        ("ISSUER", json!(["us"]), "a string or null"),
        ("JWK_URL", json!("file:///etc/keys"), "https://"),
        ("JWK_URL", json!(1), "must be a string"),
        ("AUTH_HEADER_TYPES", json!([]), "no scheme"),
        ("AUTH_HEADER_TYPES", json!(["two words"]), "not the name of a scheme"),
        ("AUTH_HEADER_TYPES", json!([1]), "list of strings"),
        ("AUTH_HEADER_TYPES", json!(null), "list of strings"),
        ("AUTH_HEADER_NAME", json!("CONTENT_TYPE"), "HTTP_X_ACCESS_TOKEN"),
        ("AUTH_HEADER_NAME", json!("X-Access-Token"), "HTTP_X_ACCESS_TOKEN"),
        ("AUTH_HEADER_NAME", json!("HTTP_X_Access_Token"), "HTTP_X_ACCESS_TOKEN"),
        ("AUTH_HEADER_NAME", json!("HTTP_"), "HTTP_X_ACCESS_TOKEN"),
        ("AUTH_HEADER_NAME", json!("HTTP_COOKIE"), "Cookie is not the name of a header that can carry a token"),
        ("AUTH_HEADER_NAME", json!(null), "must be a string"),
        ("USER_ID_FIELD", json!("uuid"), "the user IDs of the accounts"),
        ("USER_ID_FIELD", json!(null), "must be a string"),
        ("USER_ID_CLAIM", json!("exp"), "another claim"),
        ("USER_ID_CLAIM", json!(""), "must not be empty"),
        ("USER_ID_CLAIM", json!(null), "must be a string"),
        ("TOKEN_TYPE_CLAIM", json!(null), "RFC 8725 §3.11"),
        ("TOKEN_TYPE_CLAIM", json!("sid"), "another claim"),
        ("JTI_CLAIM", json!(null), "cannot be revoked"),
        ("JTI_CLAIM", json!(1), "must be a string"),
        ("JTI_CLAIM", json!("user_id"), "different names"),
        ("REVOKE_TOKEN_CLAIM", json!(1), "must be a string"),
        ("AUTH_TOKEN_CLASSES", json!([]), "no class"),
        ("AUTH_TOKEN_CLASSES", json!("()"), "no class"),
        ("AUTH_TOKEN_CLASSES", json!(null), "list of classes"),
        ("AUTH_TOKEN_CLASSES", json!([1]), "list of classes"),
        ("AUTH_TOKEN_CLASSES", json!(["rest_framework_simplejwt.tokens.UntypedToken"]), "RFC 8725 §3.11"),
        ("AUTH_TOKEN_CLASSES", json!(["rest_framework_simplejwt.tokens.RefreshToken"]), "RFC 8725 §3.11"),
        ("AUTH_TOKEN_CLASSES", json!(["shop.tokens.AccessToken"]), "\"shop.tokens.AccessToken\" cannot run"),
        ("JSON_ENCODER", json!("shop.Encoder"), "plain JSON"),
        ("TOKEN_USER_CLASS", json!("shop.User"), "cannot run in this service"),
        ("USER_AUTHENTICATION_RULE", json!("<function rule at 0x7f>"), "exists and is active"),
        ("TOKEN_OBTAIN_SERIALIZER", json!("shop.Obtain"), "(email, role, username, groups)"),
        ("TOKEN_OBTAIN_SERIALIZER", json!("shop.Obtain"), "`tokens.claims`"),
        ("SLIDING_TOKEN_OBTAIN_SERIALIZER", json!("shop.Obtain"), "`ClaimsProvider`"),
        ("TOKEN_REFRESH_SERIALIZER", json!("shop.Refresh"), "cannot run in this service"),
        ("TOKEN_VERIFY_SERIALIZER", json!("shop.Verify"), "cannot run in this service"),
        ("TOKEN_BLACKLIST_SERIALIZER", json!("shop.Blacklist"), "cannot run in this service"),
        ("SLIDING_TOKEN_REFRESH_SERIALIZER", json!("shop.Refresh"), "cannot run in this service"),
        ("ON_LOGIN_SUCCESS", json!("shop.welcome"), "security events in the log"),
        ("ON_LOGIN_FAILED", json!(7), "security events in the log"),
        ("AUTH_HEADER_TYPE", json!("Bearer"), "use AUTH_HEADER_TYPES"),
        ("AUTH_TOKEN_CLASS", json!("x"), "use AUTH_TOKEN_CLASSES"),
        ("SECRET_KEY", json!(SECRET), "use SIGNING_KEY"),
        ("TOKEN_BACKEND_CLASS", json!(null), "use ALGORITHM, SIGNING_KEY"),
        ("ACESS_TOKEN_LIFETIME", json!(SECRET), "silently ignores"),
        ("access_token_lifetime", json!(300), "silently ignores"),
    ] {
        let found = refusals(&json!({ setting: value }));
        assert!(found.len() == 1 && found[0].contains(setting) && found[0].contains(reason), "{value}: {found:?}");
        assert!(!found[0].contains(SECRET) && !found[0].contains('\n'), "{found:?}");
    }
}

#[test]
fn refuses_invalid_keys_and_does_not_print_them() {
    let short = |algorithm: &str, length: usize| json!({"ALGORITHM": algorithm, "SIGNING_KEY": &SECRET[..length]});
    for (dictionary, name, reason) in [
        (short("HS256", 31), "SIGNING_KEY: ", "HS256 needs at least 32 (RFC 7518 §3.2)"),
        (short("HS384", 47), "SIGNING_KEY: ", "HS384 needs at least 48"),
        (short("HS512", 63), "SIGNING_KEY: ", "HS512 needs at least 64"),
        (json!({"SIGNING_KEY": ""}), "SIGNING_KEY: ", "needs at least 32"),
        (json!({"SIGNING_KEY": null}), "SIGNING_KEY: ", "must be a string"),
        (json!({"SIGNING_KEY": 12_345}), "SIGNING_KEY: ", "must be a string"),
        (json!({"SIGNING_KEY": format!("b'{SECRET}'")}), "SIGNING_KEY: ", "bytes in Python"),
        (json!({"SIGNING_KEY": format!("{SECRET}\n")}), "SIGNING_KEY: ", "line break"),
        (json!({"SIGNING_KEY": RSA}), "SIGNING_KEY: ", "line break"),
        (json!({"SIGNING_KEY": RSA.trim_end()}), "SIGNING_KEY: ", "a key or certificate"),
        (json!({"ALGORITHM": "RS256", "SIGNING_KEY": SECRET}), "SIGNING_KEY: ", "PEM"),
        (json!({"ALGORITHM": "RS256", "SIGNING_KEY": P256}), "SIGNING_KEY: ", "RS256 does not work"),
        (json!({"ALGORITHM": "RS256", "SIGNING_KEY": RSA_PUBLIC}), "SIGNING_KEY: ", "public key"),
        (json!({"ALGORITHM": "RS256", "VERIFYING_KEY": RSA}), "VERIFYING_KEY: ", "private key"),
        (json!({"ALGORITHM": "RS256", "VERIFYING_KEY": SECRET}), "VERIFYING_KEY: ", "PEM"),
        (json!({"ALGORITHM": "RS256", "VERIFYING_KEY": format!("b'{RSA_PUBLIC}'")}), "VERIFYING_KEY: ", "bytes"),
        (json!({"VERIFYING_KEY": 1}), "VERIFYING_KEY: ", "must be a string"),
    ] {
        let found = refusals(&dictionary);
        assert!(found.len() == 1 && found[0].starts_with(name) && found[0].contains(reason), "{reason}: {found:?}");
        assert!(!found[0].contains(&SECRET[..16]) && !found[0].contains("-----BEGIN P"), "{found:?}");
    }
    for (algorithm, length) in [("HS256", 32), ("HS384", 48), ("HS512", 64)] {
        translated(&short(algorithm, length));
    }
}

#[test]
fn accepts_simplejwts_own_code() {
    for setting in SETTINGS {
        let (name, module) = (setting.name, "rest_framework_simplejwt");
        let own = match name {
            "TOKEN_USER_CLASS" => format!("{module}.models.TokenUser"),
            "USER_AUTHENTICATION_RULE" => format!("{module}.authentication.default_user_authentication_rule"),
            "TOKEN_OBTAIN_SERIALIZER" => format!("{module}.serializers.TokenObtainPairSerializer"),
            "TOKEN_REFRESH_SERIALIZER" => format!("<class '{module}.serializers.TokenRefreshSerializer'>"),
            "TOKEN_VERIFY_SERIALIZER" => format!("{module}.serializers.TokenVerifySerializer"),
            "TOKEN_BLACKLIST_SERIALIZER" => format!("{module}.serializers.TokenBlacklistSerializer"),
            "SLIDING_TOKEN_OBTAIN_SERIALIZER" => format!("{module}.serializers.TokenObtainSlidingSerializer"),
            "SLIDING_TOKEN_REFRESH_SERIALIZER" => format!("{module}.serializers.TokenRefreshSlidingSerializer"),
            "ON_LOGIN_SUCCESS" => format!("{module}.serializers.default_on_login_success"),
            "ON_LOGIN_FAILED" => format!("{module}.serializers.default_on_login_failed"),
            "JSON_ENCODER" => {
                translated(&json!({ name: null }));
                continue;
            }
            _ => continue,
        };
        assert_eq!(translated(&json!({ name: own })).replace(" (default)", ""), {
            translated(&json!({})).replace(" (default)", "")
        });
        translated(&json!({ name: null }));
    }
}

#[test]
fn reports_all_refusals_at_once() {
    let dictionary = json!({
        "ALGORITHM": "ES512",
        "SIGNING_KEY": SECRET,
        "TOKEN_OBTAIN_SERIALIZER": "shop.Obtain",
        "LEEWAY": 0.5,
        "TOKEN_TYPE_CLAIM": "same",
        "JTI_CLAIM": "same",
        "USER_ID_CLAIM": "refresh_exp",
        "SIGNING": SECRET,
        "with \n a line": 1,
    });
    let found = refusals(&dictionary);
    let names: Vec<_> = found.iter().filter_map(|refusal| Some(refusal.split_once(": ")?.0)).collect();
    assert_eq!(
        names,
        [
            "ALGORITHM",
            "LEEWAY",
            "TOKEN_OBTAIN_SERIALIZER",
            "TOKEN_TYPE_CLAIM, JTI_CLAIM",
            "USER_ID_CLAIM, SLIDING_TOKEN_REFRESH_EXP_CLAIM",
            "SIGNING",
            "\"with \\n a line\"",
        ]
    );
}

#[test]
fn a_file_without_a_dictionary_is_one_refusal() {
    for (text, reason) in [
        ("", "not valid JSON (line 1)"),
        ("{\n\"SIGNING_KEY\": a-secret}", "not valid JSON (line 2)"),
        ("6 objects imported automatically\n{}", "-v 0"),
        ("{} {}", "not valid JSON"),
        ("[]", "does not contain a JSON object"),
        ("\"a-secret\"", "does not contain a JSON object"),
        (&"[".repeat(100_000), "not valid JSON"),
    ] {
        let found = translate(text).unwrap_err();
        assert!(found.len() == 1 && found[0].contains(reason) && !found[0].contains("a-secret"), "{found:?}");
    }
}

#[test]
fn the_translation_is_a_valid_configuration() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("auth.toml");
    for dictionary in [
        json!({}),
        json!({"ISSUER": "a \"b\"\n'c' \\ # [x]", "JTI_CLAIM": "\"\"\"'''\u{1}", "LEEWAY": 3600}),
        json!({"ACCESS_TOKEN_LIFETIME": 3_153_600_000_u64, "AUTH_TOKEN_CLASSES": ["SlidingToken", "AccessToken"]}),
        json!({"AUTH_HEADER_NAME": "HTTP_X_TOKEN", "AUTH_HEADER_TYPES": ["JWT", "Token"], "USER_ID_FIELD": "email"}),
        json!({"ALGORITHM": "RS256", "JWK_URL": "https://us.example/jwks", "AUDIENCE": ["them"]}),
    ] {
        std::fs::write(&file, translated(&dictionary)).unwrap();
        let checked =
            load(&Sources { profile: "simplejwt".to_owned(), file: Some(file.clone()), ..Sources::default() });
        let settings = checked.unwrap_or_else(|error| panic!("{dictionary}: {error:#}")).settings;
        let wanted = |name: &str, default: &str| dictionary[name].as_str().unwrap_or(default).to_owned();
        assert_eq!(settings.tokens.issuer, wanted("ISSUER", ""));
        assert_eq!(settings.tokens.jti_claim, wanted("JTI_CLAIM", "jti"));
        assert!(settings.tokens.claims.is_empty() && !settings.tokens.rotate_refresh_tokens, "{dictionary}");
    }
}

#[test]
fn knows_every_setting_of_simplejwt() {
    let current = [
        "ACCESS_TOKEN_LIFETIME",
        "REFRESH_TOKEN_LIFETIME",
        "ROTATE_REFRESH_TOKENS",
        "BLACKLIST_AFTER_ROTATION",
        "UPDATE_LAST_LOGIN",
        "ALGORITHM",
        "SIGNING_KEY",
        "VERIFYING_KEY",
        "AUDIENCE",
        "ISSUER",
        "JSON_ENCODER",
        "JWK_URL",
        "LEEWAY",
        "AUTH_HEADER_TYPES",
        "AUTH_HEADER_NAME",
        "USER_ID_FIELD",
        "USER_ID_CLAIM",
        "USER_AUTHENTICATION_RULE",
        "AUTH_TOKEN_CLASSES",
        "TOKEN_TYPE_CLAIM",
        "JTI_CLAIM",
        "TOKEN_USER_CLASS",
        "SLIDING_TOKEN_REFRESH_EXP_CLAIM",
        "SLIDING_TOKEN_LIFETIME",
        "SLIDING_TOKEN_REFRESH_LIFETIME",
        "TOKEN_OBTAIN_SERIALIZER",
        "TOKEN_REFRESH_SERIALIZER",
        "TOKEN_VERIFY_SERIALIZER",
        "TOKEN_BLACKLIST_SERIALIZER",
        "SLIDING_TOKEN_OBTAIN_SERIALIZER",
        "SLIDING_TOKEN_REFRESH_SERIALIZER",
        "CHECK_REVOKE_TOKEN",
        "REVOKE_TOKEN_CLAIM",
        "CHECK_USER_IS_ACTIVE",
        "ON_LOGIN_SUCCESS",
        "ON_LOGIN_FAILED",
    ];
    // SimpleJWT does not start with these.
    let removed = ["AUTH_HEADER_TYPE", "AUTH_TOKEN_CLASS", "SECRET_KEY", "TOKEN_BACKEND_CLASS"];
    let expected: BTreeSet<_> = current.into_iter().chain(removed).collect();
    let found: BTreeSet<_> = SETTINGS.iter().map(|setting| setting.name).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_documentation_lists_every_setting_with_its_key() {
    let text = include_str!("../../../../../docs/compatibility.md");
    let (text, _) = text.split_once("## Answers that differ").unwrap();
    let defaults: toml::Table = crate::config::DEFAULTS.parse().unwrap();
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect())
        .collect();
    for setting in SETTINGS {
        let named = format!("`{}`", setting.name);
        let row = rows.iter().find(|row| row[0] == named).unwrap_or_else(|| panic!("no row for {named}"));
        let key = setting.key();
        if let Some((section, name)) = key.and_then(|key| key.split_once('.')) {
            assert!(row[1].contains(&format!("`{section}.{name}`")), "{row:?} does not name {key:?}");
            assert!(defaults[section].get(name).is_some(), "config/default.toml has no {key:?}");
        }
    }
    for row in rows {
        let name = row[0].trim_matches('`');
        assert!(SETTINGS.iter().any(|setting| setting.name == name), "{name} is not a setting");
        for key in row[1].split('`').filter_map(|part| part.split_once('.')) {
            assert!(defaults.get(key.0).and_then(|section| section.get(key.1)).is_some(), "there is no key {key:?}");
        }
    }
}
