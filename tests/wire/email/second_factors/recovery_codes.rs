//! Recovery codes: for the day the authenticator is lost.

use libtest_mimic::Trial;
use serde_json::json;

use super::users::{Person, amr, answers_at_once, assert_refused};
use auth_tests::concurrency::eventually;
use auth_tests::{PASSWORD, cases};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, texts};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            each_is_good_once_however_it_is_written,
            one_on_two_challenges_at_once_opens_one,
            another_ones_open_nothing,
            new_ones_end_those_before;
        servers.off_postgres => one_on_two_challenges_at_once_opens_one,
    ]
}

/// What may answer where an authenticator is on.
const METHODS: [&str; 2] = ["totp", "recovery_code"];

async fn each_is_good_once_however_it_is_written(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let (_, codes) = alice.enrol_authenticator().await;
    let mut different = codes.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 10, "{codes:?}");

    let written = [
        codes[0].clone(),
        codes[1].to_uppercase(),
        codes[2].replace('-', ""),
        codes[3].replace('-', " ").to_uppercase(),
        format!("  {}  ", codes[4].replace('-', "--")),
    ];
    for (used, code) in written.iter().enumerate() {
        let challenge = alice.asked(&METHODS).await;
        let pair = alice.logs_in_with(&challenge, code).await;
        assert_eq!(amr(&pair.access), ["pwd", "otp", "mfa"]);
        let left = 9 - used;
        assert_eq!(alice.has().await, (vec!["totp".to_owned()], u64::try_from(left).unwrap()));
        // Its owner is told, and how many are left.
        let received = || fixture.received_to(&alice.email).into_iter();
        let is_told = || received().any(|one| one.text.contains(&format!("There are {left} left")));
        eventually("a mail tells of it", async || is_told()).await;
    }
    for used in written.iter().chain(&codes[..5]) {
        assert_refused(&fixture.answer(&alice.asked(&METHODS).await, used).await, "code_not_valid");
    }
    alice.logs_in_with(&alice.asked(&METHODS).await, &codes[5]).await;
}

async fn one_on_two_challenges_at_once_opens_one(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let (_, codes) = alice.enrol_authenticator().await;
    for code in codes.iter().take(5) {
        let challenges = [alice.asked(&METHODS).await, alice.asked(&METHODS).await];
        let answers = answers_at_once(&fixture, challenges.map(|challenge| (challenge, code.clone()))).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "{answers:?}");
    }
    assert_eq!(alice.has().await.1, 5);
}

async fn another_ones_open_nothing(fixture: Fixture) {
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    let (_, of_alice) = alice.enrol_authenticator().await;
    let (_, of_bob) = bob.enrol_authenticator().await;
    let challenge = alice.asked(&METHODS).await;
    assert_refused(&fixture.answer(&challenge, &of_bob[0]).await, "code_not_valid");
    alice.logs_in_with(&challenge, &of_alice[0]).await;
    bob.logs_in_with(&bob.asked(&METHODS).await, &of_bob[0]).await;
}

async fn new_ones_end_those_before(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let proof = |challenge: &str, code: &str| json!({"password": PASSWORD, "challenge": challenge, "code": code});
    let nothing_on = alice.post("recovery-codes/", proof("a", "b")).await;
    nothing_on.refuses("method", "This second factor is not on.");
    let old = alice.enrol_by_mail().await;

    let (of_login, code_of_login) = alice.asked_by_mail(&["email", "recovery_code"]).await;
    let refused = alice.post("recovery-codes/", proof(&of_login, &code_of_login)).await;
    refused.refuses("challenge", "Challenge is invalid or expired.");
    let missing = alice.post("recovery-codes/", json!({"password": PASSWORD})).await;
    missing.refuses("challenge", "This field is required.");
    let (challenge, code) = alice.challenge_by_mail().await;
    let wrong = alice.post("recovery-codes/", json!({"password": "wrong", "challenge": challenge, "code": code})).await;
    wrong.refuses("password", "Wrong password.");

    let made = alice.post("recovery-codes/", proof(&challenge, &code)).await;
    assert_eq!(made.status, 200, "{}", made.text);
    let new = texts(&made.json()["recovery_codes"]);
    assert!(new.len() == 10 && new.iter().all(|code| !old.contains(code)), "{}", made.text);
    assert_eq!(alice.has().await.1, 10);
    let told = fixture.with_subject(&alice.email, "New recovery codes").await;
    assert!(new.iter().all(|code| !told.raw.contains(code)), "{}", told.raw);
    assert_refused(&fixture.answer(&of_login, &code_of_login).await, "challenge_not_valid");
    let (of_login, _) = alice.asked_by_mail(&["email", "recovery_code"]).await;
    for code in [&old[0], &old[9]] {
        assert_refused(&fixture.answer(&of_login, code).await, "code_not_valid");
    }
    alice.logs_in_with(&of_login, &new[0]).await;
}
