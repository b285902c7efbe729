//! Guesses at second factors: few of them are compared, however many come, from wherever and to whichever server.

use auth_tests::answers::assert_throttled;
use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::at_once;
use auth_tests::{Answer, Database, MockSmtp, PASSWORD, ServerOptions, TestClient, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;

use crate::SERVER;
use crate::email::SharedServers;
use crate::email::fixture::{Fixture, options};
use crate::email::second_factors::users::{Person, answers_at_once, assert_refused, other_than};

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![
        OnSqlite =>
            five_wrong_codes_use_a_challenge_up,
            the_budget_of_an_account_is_reset_by_nothing,
            wrong_codes_count_wherever_they_are_shown,
            right_codes_use_no_budget_up;
        OnBothDatabases =>
            of_a_thousand_guesses_at_once_five_are_compared,
            one_budget_is_for_all_challenges_and_replicas_at_once,
    ]
}

const METHODS: [&str; 2] = ["email", "recovery_code"];
const HOUR: u64 = 60 * 60;

/// So many wrong codes a day, and as many mails as it takes.
fn budget(options: ServerOptions, codes: u32) -> ServerOptions {
    let options = options.env("AUTH__THROTTLE__SECOND_FACTOR_PER_DAY", &codes.to_string());
    options
        .env("AUTH__THROTTLE__CODE_MAILS_PER_ACCOUNT_PER_HOUR", "1000")
        .env("AUTH__THROTTLE__CHALLENGES_PER_ACCOUNT_PER_HOUR", "1000")
}

/// So many codes, all of them different and wrong.
fn wrong_codes(right: &str, count: usize) -> Vec<String> {
    let following = std::iter::successors(Some(other_than(right)), |code| Some(other_than(code)));
    following.take(count).collect()
}

/// So many wrong codes, one after the other.
async fn guess(fixture: &Fixture, challenge: &str, right: &str, count: usize) {
    for code in wrong_codes(right, count) {
        assert_refused(&fixture.answer(challenge, &code).await, "code_not_valid");
    }
}

fn count(answers: &[Answer], code: &str) -> usize {
    answers.iter().filter(|answer| answer.json()["code"] == code).count()
}

async fn five_wrong_codes_use_a_challenge_up(database: Database) {
    let fixture = Fixture::with(database, |options| budget(options, 1000));
    let alice = Person::registered(&fixture, "alice").await;
    let recovery_codes = alice.enrol_by_mail().await;
    let (challenge, code) = alice.asked_by_mail(&METHODS).await;
    guess(&fixture, &challenge, &code, 4).await;
    alice.logs_in_with(&challenge, &code).await;

    let (challenge, code) = alice.asked_by_mail(&METHODS).await;
    guess(&fixture, &challenge, &code, 5).await;
    for right in [&code, &recovery_codes[0], &code] {
        assert_refused(&fixture.answer(&challenge, right).await, "challenge_not_valid");
    }
    // So does one of somebody who is logged in, and one of an enrolment.
    let (challenge, code) = alice.challenge_by_mail().await;
    for wrong in wrong_codes(&code, 5) {
        alice.remove("email", &challenge, &wrong).await.refuses("code", "Invalid code.");
    }
    alice.remove("email", &challenge, &code).await.refuses("challenge", "Challenge is invalid or expired.");
    let bob = Person::registered(&fixture, "bob").await;
    let begun = bob.post("", json!({"method": "email", "password": PASSWORD})).await;
    let (challenge, code) = (begun.field("challenge"), bob.code_after(0).await);
    for wrong in wrong_codes(&code, 5) {
        let refused = bob.post("confirm/", json!({"challenge": challenge, "code": wrong})).await;
        refused.refuses("code", "Invalid code.");
    }
    let refused = bob.post("confirm/", json!({"challenge": challenge, "code": code})).await;
    refused.refuses("challenge", "Challenge is invalid or expired.");
    assert_eq!(bob.has().await, (vec![], 0));
}

async fn of_a_thousand_guesses_at_once_five_are_compared(database: Database) {
    // However slow the machine is, each of them waits for a connection to the database until there is one.
    let fixture = Fixture::with(database, |options| budget(options, 20));
    let alice = Person::registered(&fixture, "alice").await;
    let recovery_codes = alice.enrol_by_mail().await;
    let (challenge, code) = alice.asked_by_mail(&METHODS).await;
    let guesses = wrong_codes(&code, 1000).into_iter().map(|wrong| (challenge.clone(), wrong));
    let answers = answers_at_once(&fixture, guesses).await;
    for answer in &answers {
        match answer.status.as_u16() {
            429 => assert!(assert_throttled(answer) <= 24 * HOUR),
            _ if answer.json()["code"] == "code_not_valid" => assert_refused(answer, "code_not_valid"),
            _ => assert_refused(answer, "challenge_not_valid"),
        }
    }
    assert_eq!((answers.len(), count(&answers, "code_not_valid")), (1000, 5));
    for right in [&code, &recovery_codes[0]] {
        assert_refused(&fixture.answer(&challenge, right).await, "challenge_not_valid");
    }

    // Those that were not compared are not counted: fifteen of the budget are left.
    for _ in 0..3 {
        let (challenge, code) = alice.asked_by_mail(&METHODS).await;
        guess(&fixture, &challenge, &code, 5).await;
    }
    let (challenge, code) = alice.asked_by_mail(&METHODS).await;
    assert_throttled(&fixture.answer(&challenge, &code).await);
}

async fn the_budget_of_an_account_is_reset_by_nothing(database: Database) {
    let mut fixture = Fixture::with(database, |options| budget(options, 7));
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    let recovery_codes = alice.enrol_by_mail().await;
    bob.enrol_by_mail().await;
    let (first, first_code) = alice.asked_by_mail(&METHODS).await;
    let (second, second_code) = alice.asked_by_mail(&METHODS).await;
    guess(&fixture, &first, &first_code, 5).await;
    guess(&fixture, &second, &second_code, 2).await;

    // Right or wrong, mailed or written down, on an old challenge or a new one: all the same.
    let (third, third_code) = alice.asked_by_mail(&METHODS).await;
    for (challenge, code) in [
        (&second, &other_than(&second_code)),
        (&second, &second_code),
        (&third, &third_code),
        (&third, &other_than(&third_code)),
        (&third, &recovery_codes[0]),
    ] {
        let wait = assert_throttled(&fixture.answer(challenge, code).await);
        assert!((HOUR + 1..=24 * HOUR).contains(&wait), "{wait} seconds");
    }
    let (confirmation, code) = alice.challenge_by_mail().await;
    assert_throttled(&alice.remove("email", &confirmation, &code).await);
    for client in ["198.51.100.7", "203.0.113.9", "2001:db8::1"] {
        let request = fixture.client.http.post(format!("{}/api/token/second-factor/", fixture.client.url));
        let request = request.header("X-Forwarded-For", client);
        let request = request.json(&json!({"challenge": third, "code": third_code}));
        assert_throttled(&Answer::of(request.send().await.unwrap()).await);
    }
    // Nobody else waits, and what is open goes on.
    let (of_bob, code_of_bob) = bob.asked_by_mail(&METHODS).await;
    bob.logs_in_with(&of_bob, &code_of_bob).await;
    TokenPair::of(&fixture.client.refresh(&alice.pair.refresh).await);
    assert_eq!(alice.has().await, (vec!["email".to_owned()], 10));

    fixture.server.restart();
    fixture.client = TestClient::new(&fixture.server.url());
    assert_throttled(&fixture.answer(&third, &third_code).await);
}

async fn one_budget_is_for_all_challenges_and_replicas_at_once(database: Database) {
    let smtp = MockSmtp::open();
    let options = budget(options(&database, &smtp), 7);
    let replica = options.clone().start(SERVER);
    let fixture = Fixture::at(database, smtp, |_| options);
    let other = TestClient::new(&replica.url());
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    alice.enrol_by_mail().await;
    bob.enrol_by_mail().await;

    let mut guesses = Vec::new();
    for _ in 0..6 {
        let (challenge, code) = alice.asked_by_mail(&METHODS).await;
        guesses.extend(wrong_codes(&code, 5).into_iter().map(|wrong| (challenge.clone(), wrong)));
    }
    let calls = guesses.into_iter().enumerate().map(|(place, (challenge, code))| {
        let api = [&fixture.client, &other][place % 2].clone();
        async move { api.post("/api/token/second-factor/", None, json!({"challenge": challenge, "code": code})).await }
    });
    let answers = at_once(calls).await;
    let throttled = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((count(&answers, "code_not_valid"), throttled), (7, 23), "{answers:?}");

    let (challenge, code) = alice.asked_by_mail(&METHODS).await;
    let (of_bob, code_of_bob) = bob.asked_by_mail(&METHODS).await;
    let answer = async |challenge: &str, code: &str| {
        other.post("/api/token/second-factor/", None, json!({"challenge": challenge, "code": code})).await
    };
    assert_throttled(&fixture.answer(&challenge, &code).await);
    assert_throttled(&answer(&challenge, &code).await);
    // A challenge of one server is answered at the other.
    TokenPair::of(&answer(&of_bob, &code_of_bob).await);
}

async fn wrong_codes_count_wherever_they_are_shown(database: Database) {
    let fixture = Fixture::with(database, |options| budget(options, 4));
    let alice = Person::registered(&fixture, "alice").await;
    let begun = alice.post("", json!({"method": "email", "password": PASSWORD})).await;
    let (enrolment, code) = (begun.field("challenge"), alice.code_after(0).await);
    let wrong = json!({"challenge": enrolment, "code": other_than(&code)});
    alice.post("confirm/", wrong).await.refuses("code", "Invalid code.");
    let right = alice.post("confirm/", json!({"challenge": enrolment, "code": code})).await;
    assert_eq!(right.status, 200, "{}", right.text);

    let (challenge, code) = alice.challenge_by_mail().await;
    let with = |code: &str| json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
    let paths = ["remove/", "recovery-codes/", ""];
    let mut bodies = [with(&other_than(&code)), with(&other_than(&code)), with(&other_than(&code))];
    bodies[0]["method"] = "email".into();
    for (path, body) in paths.into_iter().zip(bodies.clone()) {
        alice.post(path, body).await.refuses("code", "Invalid code.");
    }
    for (path, mut body) in paths.into_iter().zip(bodies) {
        body["code"] = code.as_str().into();
        assert_throttled(&alice.post(path, body).await);
    }
    let (challenge, code) = alice.asked_by_mail(&METHODS).await;
    assert_throttled(&fixture.answer(&challenge, &code).await);
}

async fn right_codes_use_no_budget_up(database: Database) {
    let fixture = Fixture::with(database, |options| budget(options, 3));
    let alice = Person::registered(&fixture, "alice").await;
    alice.enrol_by_mail().await;
    for round in 0..6 {
        let (challenge, code) = alice.asked_by_mail(&METHODS).await;
        guess(&fixture, &challenge, &code, usize::from(round < 2)).await;
        alice.logs_in_with(&challenge, &code).await;
        assert_refused(&fixture.answer(&challenge, &code).await, "challenge_not_valid");
    }
    let (challenge, code) = alice.asked_by_mail(&METHODS).await;
    guess(&fixture, &challenge, &code, 1).await;
    assert_throttled(&fixture.answer(&challenge, &code).await);
}
