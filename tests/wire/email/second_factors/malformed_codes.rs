//! Malformed challenges and codes: no answer is a server error or contains a token.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::users::{TestUser, assert_refused};
use auth_tests::cases::OnSqlite;
use auth_tests::{Answer, Database, PASSWORD, cases};

use crate::email::SharedServers;
use crate::email::fixture::Fixture;

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![
        OnSqlite =>
            refuses_malformed_codes,
            refuses_malformed_challenges,
            refuses_digits_of_other_scripts,
    ]
}

const METHODS: [&str; 2] = ["totp", "recovery_code"];

fn fixture(database: Database) -> Fixture {
    let many = "100000";
    Fixture::with(database, |options| {
        let options = options.env("AUTH__THROTTLE__SECOND_FACTOR_PER_DAY", many);
        options.env("AUTH__THROTTLE__FAILURES_PER_CLIENT_IP_PER_HOUR", many)
    })
}

/// Returns values that are neither a challenge nor a code.
fn malformed_values() -> Vec<Value> {
    let strings = [
        "",
        " ",
        "\0",
        "123456\0",
        "\u{0}123456",
        "12345",
        "1234567",
        "+12345",
        "-12345",
        "12345.",
        "1e5",
        "0x1234",
        "' OR 1=1 --",
        "%s%n",
        "../..",
        "\u{202e}123456",
        "\u{1f600}",
        "00000000-0000-0000-0000-000000000000",
        "null",
    ];
    let long = ["1", "a", "\0", "-", " "].map(|text| text.repeat(10_000));
    let others = [json!(null), json!(true), json!(false), json!([]), json!({}), json!(0), json!(-1), json!(1.5)];
    let nested = [json!(["123456"]), json!({"$ne": null}), json!([[["1"]]]), json!(1e300), json!(u64::MAX)];
    strings.map(Value::from).into_iter().chain(long.map(Value::from)).chain(others).chain(nested).collect()
}

/// Panics unless the answer is a refusal in JSON without a token.
#[track_caller]
fn assert_refused_without_token(what: &Value, answer: &Answer) {
    let what = what.to_string();
    let what = what.get(..60).unwrap_or(&what);
    assert!([400, 401].contains(&answer.status.as_u16()), "{what}: {} {}", answer.status, answer.text);
    assert!(answer.json().is_object(), "{what}: {}", answer.text);
    assert!(!answer.text.contains("eyJ"), "{what}: {}", answer.text);
}

async fn refuses_malformed_codes(database: Database) {
    let fixture = fixture(database);
    let alice = TestUser::register(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    for value in malformed_values() {
        // Uses a new challenge for each value, so that none is used up.
        let challenge = alice.login_challenge(&METHODS).await;
        let answer = fixture.post("/api/token/second-factor/", json!({"challenge": challenge, "code": value})).await;
        assert_refused_without_token(&value, &answer);
        assert!(answer.json().get("challenge").is_none(), "{}", answer.text);
        assert_ne!(answer.json()["code"], "challenge_not_valid", "only the code is wrong");
        let confirmation = alice.challenge().await;
        let body = json!({"method": "totp", "password": PASSWORD, "challenge": confirmation, "code": value});
        for path in ["remove/", "recovery-codes/", "confirm/", ""] {
            assert_refused_without_token(&value, &alice.post(path, body.clone()).await);
        }
    }
    assert_eq!(alice.factors().await, (vec!["totp".to_owned()], 10));
    alice.complete_login(&alice.login_challenge(&METHODS).await, &authenticator.code(0)).await;
}

async fn refuses_malformed_challenges(database: Database) {
    let fixture = fixture(database);
    let alice = TestUser::register(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    let code = authenticator.code(0);
    let challenge = alice.login_challenge(&METHODS).await;
    let altered = [challenge.to_uppercase(), format!("{challenge}\0"), format!("\0{challenge}"), "0".repeat(96)];
    for value in malformed_values().into_iter().chain(altered.map(Value::from)) {
        let body = json!({"method": "totp", "password": PASSWORD, "challenge": value, "code": code});
        assert_refused_without_token(&value, &fixture.post("/api/token/second-factor/", body.clone()).await);
        for path in ["remove/", "recovery-codes/", "confirm/", ""] {
            assert_refused_without_token(&value, &alice.post(path, body.clone()).await);
        }
    }
    for body in
        [json!({"challenge": challenge}), json!({"code": code}), json!({}), json!([]), json!("text"), json!(null)]
    {
        let answer = fixture.post("/api/token/second-factor/", body.clone()).await;
        assert_refused_without_token(&body, &answer);
        assert_eq!(answer.status, 400, "{body}");
    }
    // None of these requests used the challenge.
    alice.complete_login(&challenge, &authenticator.code(0)).await;
}

async fn refuses_digits_of_other_scripts(database: Database) {
    let fixture = fixture(database);
    let alice = TestUser::register(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    let (challenge, code) = (alice.login_challenge(&METHODS).await, authenticator.code(0));
    // Arabic-Indic, Devanagari, fullwidth and mathematical digits.
    for zero in ['\u{660}', '\u{966}', '\u{ff10}', '\u{1d7ce}'] {
        let written: String = code.bytes().map(|digit| digit_from(zero, digit)).collect();
        assert_refused(&fixture.answer_challenge(&challenge, &written).await, "code_not_valid");
    }
    alice.complete_login(&challenge, &code).await;
}

/// Returns a digit of a script whose digits begin with `zero`.
fn digit_from(zero: char, digit: u8) -> char {
    char::from_u32(u32::from(zero) + u32::from(digit - b'0')).expect("a digit")
}
