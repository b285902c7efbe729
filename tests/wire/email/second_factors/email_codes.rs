//! Codes by email.

use libtest_mimic::Trial;
use serde_json::json;

use super::users::{TestUser, amr, answer_concurrently, assert_refused, different_code, keys};
use auth_tests::cases::OnSqlite;
use auth_tests::{Answer, Database, PASSWORD, TokenPair, cases};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, challenge_of, string_list};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            login_requires_the_code_from_the_email,
            the_factor_is_enabled_by_its_first_code,
            a_code_answers_only_its_own_challenge,
            a_challenge_works_only_for_its_purpose,
            concurrent_uses_of_a_code_start_one_session;
        servers.off_postgres =>
            concurrent_uses_of_a_code_start_one_session;
        OnSqlite =>
            the_password_alone_gives_no_tokens,
    ]
}

/// The methods offered to a user with email codes.
const METHODS: [&str; 2] = ["email", "recovery_code"];
const WITH_CODE: [&str; 3] = ["pwd", "otp", "mfa"];

async fn login_requires_the_code_from_the_email(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    assert_eq!(alice.status().await, json!({"required": false, "methods": [], "recovery_codes_left": 0}));
    assert_eq!(amr(&alice.pair.access), ["pwd"]);

    let recovery_codes = alice.enrol_email().await;
    assert_eq!(recovery_codes.len(), 10);
    let status = alice.status().await;
    assert_eq!(keys(&status), ["methods", "recovery_codes_left", "required"]);
    assert_eq!(keys(&status["methods"][0]), ["method", "since"]);
    assert_eq!(alice.factors().await, (vec!["email".to_owned()], 10));
    let notice = fixture.wait_for_subject(&alice.email, "second factor was added").await;
    // Recovery codes are shown only once: no email and no later answer contains them.
    for code in &recovery_codes {
        assert!(!status.to_string().contains(code) && !notice.raw.contains(code), "{code}");
    }

    let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
    let pair = alice.complete_login(&challenge, &code).await;
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    assert_eq!(
        (amr(&pair.access), amr(&pair.refresh)),
        (WITH_CODE.map(String::from).into(), WITH_CODE.map(String::from).into())
    );
    let refreshed = TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    assert_eq!(amr(&refreshed.access), WITH_CODE);
    assert_eq!(amr(&refreshed.refresh), WITH_CODE);

    assert_refused(&fixture.answer_challenge(&challenge, &code).await, "challenge_not_valid");
    // The code was sent only to alice.
    let alice = fixture.own(&alice.email);
    for message in fixture.smtp.received().iter().filter(|message| message.raw.contains(&code)) {
        assert_eq!(message.to, [alice.as_str()], "{}", message.raw);
    }
}

async fn the_password_alone_gives_no_tokens(database: Database) {
    let fixture = Fixture::with(database, |options| {
        options
            .env("AUTH__THROTTLE__CODE_EMAILS_PER_ACCOUNT_PER_HOUR", "1000")
            .env("AUTH__THROTTLE__CHALLENGES_PER_ACCOUNT_PER_HOUR", "1000")
    });
    let alice = TestUser::register(&fixture, "alice").await;
    let recovery_codes = alice.enrol_email().await;
    let (challenge, code) = alice.login_challenge_by_email(&METHODS).await;
    let extras = [
        json!({}),
        json!({"access": alice.pair.access, "refresh": alice.pair.refresh, "token": alice.pair.access}),
        json!({"method": "email"}),
        json!({"method": "none", "methods": []}),
        json!({"challenge": challenge, "code": code}),
        json!({"challenge": challenge, "code": recovery_codes[0], "method": "recovery_code"}),
        json!({"second_factor": false, "second_factor_required": false, "required": false, "mfa": true}),
        json!({"amr": ["pwd", "otp", "mfa"], "is_staff": true, "user_id": 1}),
        json!({"email": "unknown@example.com", "challenge": null, "code": null}),
    ];
    for extra in extras {
        let mut body = json!({"username": "alice", "password": PASSWORD});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let form = fixture.client.http.post(format!("{}/api/token/", fixture.client.url)).form(&flat(&body));
        for answer in [fixture.post("/api/token/", body).await, Answer::of(form.send().await.unwrap()).await] {
            challenge_of(&answer, &METHODS);
            assert_eq!(keys(&answer.json()), ["challenge", "code", "detail", "methods"], "{extra}");
            // Every token starts with `eyJ`.
            assert!(!format!("{answer:?}").contains("eyJ"), "{extra}: {answer:?}");
        }
    }
    // None of these requests used the code.
    alice.complete_login(&challenge, &code).await;
}

/// Returns the fields of a body as a form.
fn flat(body: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    body.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

async fn the_factor_is_enabled_by_its_first_code(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let wrong = alice.post("", json!({"method": "email", "password": "wrong"})).await;
    wrong.assert_field_error("password", "Wrong password.");
    alice.post("", json!({"method": "email"})).await.assert_field_error("password", "This field is required.");

    let begun = alice.post("", json!({"method": "email", "password": PASSWORD})).await;
    assert_eq!((begun.status.as_u16(), keys(&begun.json())), (201, vec!["challenge", "method"]));
    let (challenge, code) = (begun.field("challenge"), alice.code_after(0).await);
    TokenPair::of(&alice.try_login().await);
    let wrong = alice.post("confirm/", json!({"challenge": challenge, "code": different_code(&code)})).await;
    wrong.assert_field_error("code", "Invalid code.");
    assert_eq!(alice.factors().await, (vec![], 0));
    TokenPair::of(&alice.try_login().await);

    let confirmed = alice.post("confirm/", json!({"challenge": challenge, "code": code})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(keys(&confirmed.json()), ["method", "recovery_codes"]);
    assert_eq!(string_list(&confirmed.json()["recovery_codes"]).len(), 10);
    let again = alice.post("confirm/", json!({"challenge": challenge, "code": code})).await;
    again.assert_field_error("challenge", "Challenge is invalid or expired.");
    alice.login_challenge(&METHODS).await;
}

async fn a_code_answers_only_its_own_challenge(fixture: Fixture) {
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    alice.enrol_email().await;
    bob.enrol_email().await;
    let (first, second) =
        (alice.login_challenge_by_email(&METHODS).await, alice.login_challenge_by_email(&METHODS).await);
    let (of_bob, used_up) =
        (bob.login_challenge_by_email(&METHODS).await, alice.login_challenge_by_email(&METHODS).await);
    alice.complete_login(&used_up.0, &used_up.1).await;
    for (challenge, code) in [
        (&first.0, &second.1),
        (&second.0, &first.1),
        (&first.0, &of_bob.1),
        (&of_bob.0, &first.1),
        (&first.0, &used_up.1),
    ] {
        assert_refused(&fixture.answer_challenge(challenge, code).await, "code_not_valid");
    }
    // Challenges are independent: a later one does not invalidate earlier ones.
    for (challenge, code) in [first, second, of_bob] {
        TokenPair::of(&fixture.answer_challenge(&challenge, &code).await);
    }
}

async fn a_challenge_works_only_for_its_purpose(fixture: Fixture) {
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    let begun = alice.post("", json!({"method": "email", "password": PASSWORD})).await;
    let (enrolment, enrolment_code) = (begun.field("challenge"), alice.code_after(0).await);
    assert_refused(&fixture.answer_challenge(&enrolment, &enrolment_code).await, "challenge_not_valid");
    // Another user cannot confirm it.
    let stolen = bob.post("confirm/", json!({"challenge": enrolment, "code": enrolment_code})).await;
    stolen.assert_field_error("challenge", "Challenge is invalid or expired.");
    assert_eq!(bob.factors().await, (vec![], 0));
    let confirmed = alice.post("confirm/", json!({"challenge": enrolment, "code": enrolment_code})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);

    let (confirmation, confirmation_code) = alice.challenge_by_email().await;
    assert_refused(&fixture.answer_challenge(&confirmation, &confirmation_code).await, "challenge_not_valid");
    let (login, login_code) = alice.login_challenge_by_email(&METHODS).await;
    for challenge in [&login, &confirmation] {
        let body = json!({"challenge": challenge, "code": login_code});
        alice.post("confirm/", body).await.assert_field_error("challenge", "Challenge is invalid or expired.");
    }
    alice.complete_login(&login, &login_code).await;
    assert_eq!(
        alice.remove("email", &confirmation, &confirmation_code).await.status,
        200,
        "the challenge was not used up"
    );
}

async fn concurrent_uses_of_a_code_start_one_session(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    alice.enrol_email().await;
    let asked = alice.login_challenge_by_email(&METHODS).await;
    let answers = answer_concurrently(&fixture, vec![asked; 5]).await;
    let opened = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(opened, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| [200, 401].contains(&answer.status.as_u16())), "{answers:?}");
}
