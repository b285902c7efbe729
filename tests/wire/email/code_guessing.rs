//! Guessing second factors: however many codes arrive, from any client IP and at any replica, only a few are compared.

use auth_tests::answers::assert_throttled;
use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::run_concurrently;
use auth_tests::{Answer, Database, MockSmtp, PASSWORD, ServerOptions, TestClient, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;

use crate::SERVER;
use crate::email::SharedServers;
use crate::email::fixture::{Fixture, options};
use crate::email::second_factors::users::{TestUser, answer_concurrently, assert_refused, different_code};

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![
        OnSqlite =>
            five_wrong_codes_use_up_a_challenge,
            nothing_resets_the_code_limit_of_an_account,
            wrong_codes_count_at_every_endpoint,
            right_codes_do_not_count;
        OnBothDatabases =>
            five_of_a_thousand_concurrent_guesses_are_compared,
            challenges_and_replicas_share_one_limit,
    ]
}

const METHODS: [&str; 2] = ["email", "recovery_code"];
const HOUR: u64 = 60 * 60;

/// Allows `codes` wrong codes per day, and as many emails as the case needs.
fn with_code_limit(options: ServerOptions, codes: u32) -> ServerOptions {
    let options = options.env("AUTH__THROTTLE__SECOND_FACTOR_PER_DAY", &codes.to_string());
    options
        .env("AUTH__THROTTLE__CODE_EMAILS_PER_ACCOUNT_PER_HOUR", "1000")
        .env("AUTH__THROTTLE__CHALLENGES_PER_ACCOUNT_PER_HOUR", "1000")
}

/// Returns `count` different wrong codes.
fn wrong_codes(right: &str, count: usize) -> Vec<String> {
    let wrong = std::iter::successors(Some(different_code(right)), |code| Some(different_code(code)));
    wrong.take(count).collect()
}

/// Sends `count` wrong codes, one after the other.
async fn guess(fixture: &Fixture, challenge: &str, right: &str, count: usize) {
    for code in wrong_codes(right, count) {
        assert_refused(&fixture.answer_challenge(challenge, &code).await, "code_not_valid");
    }
}

fn count(answers: &[Answer], code: &str) -> usize {
    answers.iter().filter(|answer| answer.json()["code"] == code).count()
}

async fn five_wrong_codes_use_up_a_challenge(database: Database) {
    let fixture = Fixture::with(database, |options| with_code_limit(options, 1000));
    let alice = TestUser::register(&fixture, "alice").await;
    let recovery_codes = alice.enrol_email().await;
    let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
    guess(&fixture, &challenge, &code, 4).await;
    alice.complete_login(&challenge, &code).await;

    let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
    guess(&fixture, &challenge, &code, 5).await;
    for right in [&code, &recovery_codes[0], &code] {
        assert_refused(&fixture.answer_challenge(&challenge, right).await, "challenge_not_valid");
    }
    // The same holds for the challenges of reauthentication and enrolment.
    let (challenge, code) = alice.challenge_by_email().await;
    for wrong in wrong_codes(&code, 5) {
        alice.remove("email", &challenge, &wrong).await.assert_field_error("code", "Invalid code.");
    }
    alice.remove("email", &challenge, &code).await.assert_field_error("challenge", "Challenge is invalid or expired.");
    let bob = TestUser::register(&fixture, "bob").await;
    let begun = bob.post("", json!({"method": "email", "password": PASSWORD})).await;
    let (challenge, code) = (begun.field("challenge"), bob.code_after(0).await);
    for wrong in wrong_codes(&code, 5) {
        let refused = bob.post("confirm/", json!({"challenge": challenge, "code": wrong})).await;
        refused.assert_field_error("code", "Invalid code.");
    }
    let refused = bob.post("confirm/", json!({"challenge": challenge, "code": code})).await;
    refused.assert_field_error("challenge", "Challenge is invalid or expired.");
    assert_eq!(bob.factors().await, (vec![], 0));
}

async fn five_of_a_thousand_concurrent_guesses_are_compared(database: Database) {
    let fixture = Fixture::with(database, |options| with_code_limit(options, 20));
    let alice = TestUser::register(&fixture, "alice").await;
    let recovery_codes = alice.enrol_email().await;
    let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
    let guesses = wrong_codes(&code, 1000).into_iter().map(|wrong| (challenge.clone(), wrong));
    let answers = answer_concurrently(&fixture, guesses).await;
    for answer in &answers {
        match answer.status.as_u16() {
            429 => assert!(assert_throttled(answer) <= 24 * HOUR),
            _ if answer.json()["code"] == "code_not_valid" => assert_refused(answer, "code_not_valid"),
            _ => assert_refused(answer, "challenge_not_valid"),
        }
    }
    assert_eq!((answers.len(), count(&answers, "code_not_valid")), (1000, 5));
    for right in [&code, &recovery_codes[0]] {
        assert_refused(&fixture.answer_challenge(&challenge, right).await, "challenge_not_valid");
    }

    // Only compared codes count, so fifteen are left.
    for _ in 0..3 {
        let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
        guess(&fixture, &challenge, &code, 5).await;
    }
    let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
    assert_throttled(&fixture.answer_challenge(&challenge, &code).await);
}

async fn nothing_resets_the_code_limit_of_an_account(database: Database) {
    let mut fixture = Fixture::with(database, |options| with_code_limit(options, 7));
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    let recovery_codes = alice.enrol_email().await;
    bob.enrol_email().await;
    let (first, first_code) = alice.login_challenge_by_email(&METHODS).await;
    let (second, second_code) = alice.login_challenge_by_email(&METHODS).await;
    guess(&fixture, &first, &first_code, 5).await;
    guess(&fixture, &second, &second_code, 2).await;

    // Every code is refused: right or wrong, from an email or a recovery code, for an old or a new challenge.
    let (third, third_code) = alice.login_challenge_by_email(&METHODS).await;
    for (challenge, code) in [
        (&second, &different_code(&second_code)),
        (&second, &second_code),
        (&third, &third_code),
        (&third, &different_code(&third_code)),
        (&third, &recovery_codes[0]),
    ] {
        let delay = assert_throttled(&fixture.answer_challenge(challenge, code).await);
        assert!((HOUR + 1..=24 * HOUR).contains(&delay), "{delay} seconds");
    }
    let (confirmation, code) = alice.challenge_by_email().await;
    assert_throttled(&alice.remove("email", &confirmation, &code).await);
    for client in ["198.51.100.7", "203.0.113.9", "2001:db8::1"] {
        let request = fixture.client.http.post(format!("{}/api/token/second-factor/", fixture.client.url));
        let request = request.header("X-Forwarded-For", client);
        let request = request.json(&json!({"challenge": third, "code": third_code}));
        assert_throttled(&Answer::of(request.send().await.unwrap()).await);
    }
    // Other users and live sessions are not affected.
    let (of_bob, code_of_bob) = bob.login_challenge_by_email(&METHODS).await;
    bob.complete_login(&of_bob, &code_of_bob).await;
    TokenPair::of(&fixture.client.refresh(&alice.pair.refresh).await);
    assert_eq!(alice.factors().await, (vec!["email".to_owned()], 10));

    fixture.server.restart();
    fixture.client = TestClient::new(&fixture.server.url());
    assert_throttled(&fixture.answer_challenge(&third, &third_code).await);
}

async fn challenges_and_replicas_share_one_limit(database: Database) {
    let smtp = MockSmtp::open();
    let options = with_code_limit(options(&database, &smtp), 7);
    let replica = options.clone().start(SERVER);
    let fixture = Fixture::at(database, smtp, |_| options);
    let other = TestClient::new(&replica.url());
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    alice.enrol_email().await;
    bob.enrol_email().await;

    let mut guesses = Vec::new();
    for _ in 0..6 {
        let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
        guesses.extend(wrong_codes(&code, 5).into_iter().map(|wrong| (challenge.clone(), wrong)));
    }
    let calls = guesses.into_iter().enumerate().map(|(index, (challenge, code))| {
        let api = [&fixture.client, &other][index % 2].clone();
        async move { api.post("/api/token/second-factor/", None, json!({"challenge": challenge, "code": code})).await }
    });
    let answers = run_concurrently(calls).await;
    let throttled = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((count(&answers, "code_not_valid"), throttled), (7, 23), "{answers:?}");

    let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
    let (of_bob, code_of_bob) = bob.login_challenge_by_email(&METHODS).await;
    let answer = async |challenge: &str, code: &str| {
        other.post("/api/token/second-factor/", None, json!({"challenge": challenge, "code": code})).await
    };
    assert_throttled(&fixture.answer_challenge(&challenge, &code).await);
    assert_throttled(&answer(&challenge, &code).await);
    // A challenge from one replica can be answered at another.
    TokenPair::of(&answer(&of_bob, &code_of_bob).await);
}

async fn wrong_codes_count_at_every_endpoint(database: Database) {
    let fixture = Fixture::with(database, |options| with_code_limit(options, 4));
    let alice = TestUser::register(&fixture, "alice").await;
    let begun = alice.post("", json!({"method": "email", "password": PASSWORD})).await;
    let (enrolment, code) = (begun.field("challenge"), alice.code_after(0).await);
    let wrong = json!({"challenge": enrolment, "code": different_code(&code)});
    alice.post("confirm/", wrong).await.assert_field_error("code", "Invalid code.");
    let right = alice.post("confirm/", json!({"challenge": enrolment, "code": code})).await;
    assert_eq!(right.status, 200, "{}", right.text);

    let (challenge, code) = alice.challenge_by_email().await;
    let with = |code: &str| json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
    let paths = ["remove/", "recovery-codes/", ""];
    let mut bodies = [with(&different_code(&code)), with(&different_code(&code)), with(&different_code(&code))];
    bodies[0]["method"] = "email".into();
    for (path, body) in paths.into_iter().zip(bodies.clone()) {
        alice.post(path, body).await.assert_field_error("code", "Invalid code.");
    }
    for (path, mut body) in paths.into_iter().zip(bodies) {
        body["code"] = code.as_str().into();
        assert_throttled(&alice.post(path, body).await);
    }
    let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
    assert_throttled(&fixture.answer_challenge(&challenge, &code).await);
}

async fn right_codes_do_not_count(database: Database) {
    let fixture = Fixture::with(database, |options| with_code_limit(options, 3));
    let alice = TestUser::register(&fixture, "alice").await;
    alice.enrol_email().await;
    for round in 0..6 {
        let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
        guess(&fixture, &challenge, &code, usize::from(round < 2)).await;
        alice.complete_login(&challenge, &code).await;
        assert_refused(&fixture.answer_challenge(&challenge, &code).await, "challenge_not_valid");
    }
    let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
    guess(&fixture, &challenge, &code, 1).await;
    assert_throttled(&fixture.answer_challenge(&challenge, &code).await);
}
