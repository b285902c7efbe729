//! Recovery codes, which replace a lost second factor.

use libtest_mimic::Trial;
use serde_json::json;

use super::users::{TestUser, amr, answer_concurrently, assert_refused};
use auth_tests::concurrency::eventually;
use auth_tests::{PASSWORD, cases};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, string_list};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            each_code_works_once_in_any_notation,
            a_code_for_two_concurrent_challenges_completes_one,
            codes_of_another_user_are_refused,
            new_codes_replace_the_old_ones;
        servers.off_postgres => a_code_for_two_concurrent_challenges_completes_one,
    ]
}

/// The methods offered to a user with an authenticator.
const METHODS: [&str; 2] = ["totp", "recovery_code"];

async fn each_code_works_once_in_any_notation(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
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
        let challenge = alice.login_challenge(&METHODS).await;
        let pair = alice.complete_login(&challenge, code).await;
        assert_eq!(amr(&pair.access), ["pwd", "otp", "mfa"]);
        let left = 9 - used;
        assert_eq!(alice.factors().await, (vec!["totp".to_owned()], u64::try_from(left).unwrap()));
        // A notice tells the user how many codes are left.
        let received = || fixture.received_to(&alice.email).into_iter();
        let has_notice = || received().any(|one| one.text.contains(&format!("There are {left} left")));
        eventually("a notice arrives", async || has_notice()).await;
    }
    for used in written.iter().chain(&codes[..5]) {
        assert_refused(&fixture.answer_challenge(&alice.login_challenge(&METHODS).await, used).await, "code_not_valid");
    }
    alice.complete_login(&alice.login_challenge(&METHODS).await, &codes[5]).await;
}

async fn a_code_for_two_concurrent_challenges_completes_one(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let (_, codes) = alice.enrol_authenticator().await;
    for code in codes.iter().take(5) {
        let challenges = [alice.login_challenge(&METHODS).await, alice.login_challenge(&METHODS).await];
        let answers = answer_concurrently(&fixture, challenges.map(|challenge| (challenge, code.clone()))).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401], "{answers:?}");
    }
    assert_eq!(alice.factors().await.1, 5);
}

async fn codes_of_another_user_are_refused(fixture: Fixture) {
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    let (_, of_alice) = alice.enrol_authenticator().await;
    let (_, of_bob) = bob.enrol_authenticator().await;
    let challenge = alice.login_challenge(&METHODS).await;
    assert_refused(&fixture.answer_challenge(&challenge, &of_bob[0]).await, "code_not_valid");
    alice.complete_login(&challenge, &of_alice[0]).await;
    bob.complete_login(&bob.login_challenge(&METHODS).await, &of_bob[0]).await;
}

async fn new_codes_replace_the_old_ones(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let body = |challenge: &str, code: &str| json!({"password": PASSWORD, "challenge": challenge, "code": code});
    let nothing_on = alice.post("recovery-codes/", body("a", "b")).await;
    nothing_on.assert_field_error("method", "This second factor is not enabled.");
    let old = alice.enrol_email().await;

    let (of_login, code_of_login) = alice.login_challenge_by_email(&["email", "recovery_code"]).await;
    let refused = alice.post("recovery-codes/", body(&of_login, &code_of_login)).await;
    refused.assert_field_error("challenge", "Challenge is invalid or expired.");
    let missing = alice.post("recovery-codes/", json!({"password": PASSWORD})).await;
    missing.assert_field_error("challenge", "This field is required.");
    let (challenge, code) = alice.challenge_by_email().await;
    let wrong = alice.post("recovery-codes/", json!({"password": "wrong", "challenge": challenge, "code": code})).await;
    wrong.assert_field_error("password", "Wrong password.");

    let replaced = alice.post("recovery-codes/", body(&challenge, &code)).await;
    assert_eq!(replaced.status, 200, "{}", replaced.text);
    let new = string_list(&replaced.json()["recovery_codes"]);
    assert!(new.len() == 10 && new.iter().all(|code| !old.contains(code)), "{}", replaced.text);
    assert_eq!(alice.factors().await.1, 10);
    let notice = fixture.wait_for_subject(&alice.email, "New recovery codes").await;
    assert!(new.iter().all(|code| !notice.raw.contains(code)), "{}", notice.raw);
    assert_refused(&fixture.answer_challenge(&of_login, &code_of_login).await, "challenge_not_valid");
    let (of_login, _) = alice.login_challenge_by_email(&["email", "recovery_code"]).await;
    for code in [&old[0], &old[9]] {
        assert_refused(&fixture.answer_challenge(&of_login, code).await, "code_not_valid");
    }
    alice.complete_login(&of_login, &new[0]).await;
}
