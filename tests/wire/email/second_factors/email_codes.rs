//! Codes by mail.

use libtest_mimic::Trial;
use serde_json::json;

use super::users::{Person, amr, answers_at_once, assert_refused, keys, other_than};
use auth_tests::cases::OnSqlite;
use auth_tests::{Answer, Database, PASSWORD, TokenPair, cases};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, challenge_of, texts};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            a_login_takes_the_code_of_the_mail,
            it_is_on_only_after_its_first_code,
            a_code_opens_its_own_challenge_only,
            a_challenge_opens_what_it_was_made_for_only,
            a_code_opens_one_session_however_many_bring_it_at_once;
        servers.off_postgres =>
            a_code_opens_one_session_however_many_bring_it_at_once;
        OnSqlite =>
            the_password_alone_gives_no_token_whatever_else_is_in_the_body,
    ]
}

/// What may answer where codes by mail are on.
const METHODS: [&str; 2] = ["email", "recovery_code"];
const WITH_CODE: [&str; 3] = ["pwd", "otp", "mfa"];

async fn a_login_takes_the_code_of_the_mail(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    assert_eq!(alice.status().await, json!({"required": false, "methods": [], "recovery_codes_left": 0}));
    assert_eq!(amr(&alice.pair.access), ["pwd"]);

    let recovery_codes = alice.enrol_by_mail().await;
    assert_eq!(recovery_codes.len(), 10);
    let status = alice.status().await;
    assert_eq!(keys(&status), ["methods", "recovery_codes_left", "required"]);
    assert_eq!(keys(&status["methods"][0]), ["method", "since"]);
    assert_eq!(alice.has().await, (vec!["email".to_owned()], 10));
    let told = fixture.with_subject(&alice.email, "second factor was added").await;
    // They are shown once, on the screen: no mail and no later answer has them.
    for code in &recovery_codes {
        assert!(!status.to_string().contains(code) && !told.raw.contains(code), "{code}");
    }

    let (challenge, code) = alice.asked_by_mail(&METHODS).await;
    let pair = alice.logs_in_with(&challenge, &code).await;
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    assert_eq!(
        (amr(&pair.access), amr(&pair.refresh)),
        (WITH_CODE.map(String::from).into(), WITH_CODE.map(String::from).into())
    );
    let refreshed = TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    assert_eq!(amr(&refreshed.access), WITH_CODE);
    assert_eq!(amr(&refreshed.refresh), WITH_CODE);

    assert_refused(&fixture.answer(&challenge, &code).await, "challenge_not_valid");
    // The code went to alice alone.
    let alice = fixture.own(&alice.email);
    for message in fixture.smtp.received().iter().filter(|message| message.raw.contains(&code)) {
        assert_eq!(message.to, [alice.as_str()], "{}", message.raw);
    }
}

async fn the_password_alone_gives_no_token_whatever_else_is_in_the_body(database: Database) {
    let fixture = Fixture::with(database, |options| {
        options
            .env("AUTH__THROTTLE__CODE_MAILS_PER_ACCOUNT_PER_HOUR", "1000")
            .env("AUTH__THROTTLE__CHALLENGES_PER_ACCOUNT_PER_HOUR", "1000")
    });
    let alice = Person::registered(&fixture, "alice").await;
    let recovery_codes = alice.enrol_by_mail().await;
    let (challenge, code) = alice.asked_by_mail(&METHODS).await;
    let extras = [
        json!({}),
        json!({"access": alice.pair.access, "refresh": alice.pair.refresh, "token": alice.pair.access}),
        json!({"method": "email"}),
        json!({"method": "none", "methods": []}),
        json!({"challenge": challenge, "code": code}),
        json!({"challenge": challenge, "code": recovery_codes[0], "method": "recovery_code"}),
        json!({"second_factor": false, "second_factor_required": false, "required": false, "mfa": true}),
        json!({"amr": ["pwd", "otp", "mfa"], "is_staff": true, "user_id": 1}),
        json!({"email": "nobody@example.com", "challenge": null, "code": null}),
    ];
    for extra in extras {
        let mut body = json!({"username": "alice", "password": PASSWORD});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        let form = fixture.client.http.post(format!("{}/api/token/", fixture.client.url)).form(&flat(&body));
        for answer in [fixture.post("/api/token/", body).await, Answer::of(form.send().await.unwrap()).await] {
            challenge_of(&answer, &METHODS);
            assert_eq!(keys(&answer.json()), ["challenge", "code", "detail", "methods"], "{extra}");
            // Nor anywhere else: each token begins so.
            assert!(!format!("{answer:?}").contains("eyJ"), "{extra}: {answer:?}");
        }
    }
    // None of these used the code up.
    alice.logs_in_with(&challenge, &code).await;
}

/// The fields of a body as a form has them.
fn flat(body: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    body.as_object().unwrap().iter().map(|(name, value)| (name.clone(), text(value))).collect()
}

async fn it_is_on_only_after_its_first_code(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let wrong = alice.post("", json!({"method": "email", "password": "wrong"})).await;
    wrong.refuses("password", "Wrong password.");
    alice.post("", json!({"method": "email"})).await.refuses("password", "This field is required.");

    let begun = alice.post("", json!({"method": "email", "password": PASSWORD})).await;
    assert_eq!((begun.status.as_u16(), keys(&begun.json())), (201, vec!["challenge", "method"]));
    let (challenge, code) = (begun.field("challenge"), alice.code_after(0).await);
    TokenPair::of(&alice.try_login().await);
    let wrong = alice.post("confirm/", json!({"challenge": challenge, "code": other_than(&code)})).await;
    wrong.refuses("code", "Invalid code.");
    assert_eq!(alice.has().await, (vec![], 0));
    TokenPair::of(&alice.try_login().await);

    let confirmed = alice.post("confirm/", json!({"challenge": challenge, "code": code})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(keys(&confirmed.json()), ["method", "recovery_codes"]);
    assert_eq!(texts(&confirmed.json()["recovery_codes"]).len(), 10);
    let again = alice.post("confirm/", json!({"challenge": challenge, "code": code})).await;
    again.refuses("challenge", "Challenge is invalid or expired.");
    alice.asked(&METHODS).await;
}

async fn a_code_opens_its_own_challenge_only(fixture: Fixture) {
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    alice.enrol_by_mail().await;
    bob.enrol_by_mail().await;
    let (first, second) = (alice.asked_by_mail(&METHODS).await, alice.asked_by_mail(&METHODS).await);
    let (of_bob, used_up) = (bob.asked_by_mail(&METHODS).await, alice.asked_by_mail(&METHODS).await);
    alice.logs_in_with(&used_up.0, &used_up.1).await;
    for (challenge, code) in [
        (&first.0, &second.1),
        (&second.0, &first.1),
        (&first.0, &of_bob.1),
        (&of_bob.0, &first.1),
        (&first.0, &used_up.1),
    ] {
        assert_refused(&fixture.answer(challenge, code).await, "code_not_valid");
    }
    // Challenges stand side by side: a later one ends none before it.
    for (challenge, code) in [first, second, of_bob] {
        TokenPair::of(&fixture.answer(&challenge, &code).await);
    }
}

async fn a_challenge_opens_what_it_was_made_for_only(fixture: Fixture) {
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    let begun = alice.post("", json!({"method": "email", "password": PASSWORD})).await;
    let (enrolment, enrolment_code) = (begun.field("challenge"), alice.code_after(0).await);
    assert_refused(&fixture.answer(&enrolment, &enrolment_code).await, "challenge_not_valid");
    // Nor does somebody else confirm it.
    let stolen = bob.post("confirm/", json!({"challenge": enrolment, "code": enrolment_code})).await;
    stolen.refuses("challenge", "Challenge is invalid or expired.");
    assert_eq!(bob.has().await, (vec![], 0));
    let confirmed = alice.post("confirm/", json!({"challenge": enrolment, "code": enrolment_code})).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);

    let (confirmation, confirmation_code) = alice.challenge_by_mail().await;
    assert_refused(&fixture.answer(&confirmation, &confirmation_code).await, "challenge_not_valid");
    let (login, login_code) = alice.asked_by_mail(&METHODS).await;
    for challenge in [&login, &confirmation] {
        let body = json!({"challenge": challenge, "code": login_code});
        alice.post("confirm/", body).await.refuses("challenge", "Challenge is invalid or expired.");
    }
    alice.logs_in_with(&login, &login_code).await;
    assert_eq!(alice.remove("email", &confirmation, &confirmation_code).await.status, 200, "it was not used up");
}

async fn a_code_opens_one_session_however_many_bring_it_at_once(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    alice.enrol_by_mail().await;
    let asked = alice.asked_by_mail(&METHODS).await;
    let answers = answers_at_once(&fixture, vec![asked; 5]).await;
    let opened = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(opened, 1, "{answers:?}");
    assert!(answers.iter().all(|answer| [200, 401].contains(&answer.status.as_u16())), "{answers:?}");
}
