//! Authenticators (RFC 6238); an independent implementation generates the codes.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use libtest_mimic::Trial;
use serde_json::json;

use super::users::{
    Authenticator, TestUser, amr, answer_concurrently, assert_refused, in_one_step, keys, reset_last_steps,
};
use auth_tests::{PASSWORD, TokenPair, cases};

use crate::email::SharedServers;
use crate::email::fixture::Fixture;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            any_authenticator_logs_in,
            accepts_codes_one_step_off_at_most,
            a_code_works_only_once,
            a_code_for_concurrent_challenges_completes_one,
            codes_of_another_user_are_refused,
            an_authenticator_can_be_added_to_email_codes,
            a_new_authenticator_replaces_the_old_one;
        servers.off_postgres =>
            a_code_for_concurrent_challenges_completes_one,
    ]
}

/// The methods offered to a user with an authenticator.
const METHODS: [&str; 2] = ["totp", "recovery_code"];

async fn any_authenticator_logs_in(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let begun = alice.post("", json!({"method": "totp", "password": PASSWORD})).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    assert_eq!(keys(&begun.json()), ["challenge", "method", "otpauth_uri", "qr_png", "qr_svg", "secret"]);
    let (uri, svg) = (begun.field("otpauth_uri"), begun.field("qr_svg"));
    let png = begun.field("qr_png");
    let png = BASE64_STANDARD.decode(png.strip_prefix("data:image/png;base64,").expect("a data URL")).expect("base64");
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n"), "{png:?}");
    assert!(svg.contains("<svg") && svg.trim_end().ends_with("</svg>"), "{svg}");
    assert!(uri.contains(&format!("secret={}", begun.field("secret"))), "{uri}");

    let authenticator = Authenticator::scan(&uri);
    assert_eq!(authenticator.0.issuer(), Some("app.example.com"));
    assert_eq!(authenticator.0.account_name(), fixture.own("alice"));
    assert!(authenticator.0.secret().as_ref().len() >= 20, "160 bits (RFC 4226 §4)");
    TokenPair::of(&alice.try_login().await);
    let confirmed =
        alice.post("confirm/", json!({"challenge": begun.field("challenge"), "code": authenticator.code(0)}));
    let confirmed = confirmed.await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(alice.factors().await, (vec!["totp".to_owned()], 10));
    assert!(!alice.status().await.to_string().contains(&begun.field("secret")), "the secret is shown once");

    let challenge = alice.login_challenge(&METHODS).await;
    // Enrolment used the current step.
    let pair = alice.complete_login(&challenge, &authenticator.code(1)).await;
    for token in [&pair.access, &pair.refresh, &TokenPair::of(&fixture.client.refresh(&pair.refresh).await).access] {
        assert_eq!(amr(token), ["pwd", "otp", "mfa"]);
    }
    assert!(alice.codes().is_empty(), "no code was sent by email");
}

async fn accepts_codes_one_step_off_at_most(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    for (drift, status) in [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401), (-20, 401), (20, 401)] {
        let answer = in_one_step(async || {
            reset_last_steps(&fixture);
            fixture.answer_challenge(&alice.login_challenge(&METHODS).await, &authenticator.code(drift)).await
        });
        assert_eq!(answer.await.status, status, "{drift} steps off");
    }
}

async fn a_code_works_only_once(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    // Up to three steps are within the tolerance, but a used step invalidates it and all earlier ones.
    let (early, late) = (authenticator.code(0), authenticator.code(1));
    let challenge = alice.login_challenge(&METHODS).await;
    alice.complete_login(&challenge, &late).await;
    assert_refused(&fixture.answer_challenge(&challenge, &late).await, "challenge_not_valid");
    let challenge = alice.login_challenge(&METHODS).await;
    for code in [&late, &early, &late] {
        assert_refused(&fixture.answer_challenge(&challenge, code).await, "code_not_valid");
    }
    // The codes are still within the tolerance; they were refused only because they had been used.
    reset_last_steps(&fixture);
    alice.complete_login(&challenge, &authenticator.code(0)).await;
}

async fn a_code_for_concurrent_challenges_completes_one(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    for _ in 0..5 {
        reset_last_steps(&fixture);
        let code = authenticator.code(0);
        let challenges = [
            alice.login_challenge(&METHODS).await,
            alice.login_challenge(&METHODS).await,
            alice.login_challenge(&METHODS).await,
        ];
        let answers = answer_concurrently(&fixture, challenges.map(|challenge| (challenge, code.clone()))).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401, 401], "{answers:?}");
    }
}

async fn codes_of_another_user_are_refused(fixture: Fixture) {
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    let (of_alice, _) = alice.enrol_authenticator().await;
    let (of_bob, _) = bob.enrol_authenticator().await;
    let challenge = alice.login_challenge(&METHODS).await;
    assert_refused(&fixture.answer_challenge(&challenge, &of_bob.code(0)).await, "code_not_valid");
    alice.complete_login(&challenge, &of_alice.code(0)).await;
}

async fn an_authenticator_can_be_added_to_email_codes(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    alice.enrol_email().await;
    let begin = json!({"method": "totp", "password": PASSWORD});
    let with = |challenge: &str, code: &str| {
        let mut body = begin.clone();
        body.as_object_mut().unwrap().extend([("challenge".into(), challenge.into()), ("code".into(), code.into())]);
        body
    };
    // Adding a factor requires the password and the code of a challenge that does not belong to a login.
    alice.post("", begin.clone()).await.assert_field_error("challenge", "This field is required.");
    let (challenge, code) = alice.challenge_by_email().await;
    let (of_login, code_of_login) = alice.login_challenge_by_email(&["email", "recovery_code"]).await;
    let refused = alice.post("", with(&of_login, &code_of_login)).await;
    refused.assert_field_error("challenge", "Challenge is invalid or expired.");
    alice.post("", with(&challenge, &code_of_login)).await.assert_field_error("code", "Invalid code.");
    let mut wrong = with(&challenge, &code);
    wrong["password"] = "wrong".into();
    alice.post("", wrong).await.assert_field_error("password", "Wrong password.");

    let begun = alice.post("", with(&challenge, &code)).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let authenticator = Authenticator::scan(&begun.field("otpauth_uri"));
    let body = json!({"challenge": begun.field("challenge"), "code": authenticator.code(0)});
    let confirmed = alice.post("confirm/", body).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(confirmed.json(), json!({"method": "totp"}), "the recovery codes are kept");
    assert_eq!(alice.factors().await, (vec!["totp".to_owned(), "email".to_owned()], 10));

    let both = ["totp", "email", "recovery_code"];
    let (challenge, code) = alice.login_challenge_by_email(&both).await;
    alice.complete_login(&challenge, &code).await;
    let (challenge, code) = alice.login_challenge_by_email(&both).await;
    alice.complete_login(&challenge, &authenticator.code(1)).await;
    assert_refused(&fixture.answer_challenge(&challenge, &code).await, "challenge_not_valid");
}

async fn a_new_authenticator_replaces_the_old_one(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let (old, recovery_codes) = alice.enrol_authenticator().await;
    let challenge = alice.challenge().await;
    let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": recovery_codes[0]});
    let begun = alice.post("", body).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    // The old authenticator works until the new one is confirmed.
    alice.complete_login(&alice.login_challenge(&METHODS).await, &old.code(0)).await;
    let new = Authenticator::scan(&begun.field("otpauth_uri"));
    let body = json!({"challenge": begun.field("challenge"), "code": new.code(0)});
    assert_eq!(alice.post("confirm/", body).await.status, 200);
    let challenge = alice.login_challenge(&METHODS).await;
    assert_refused(&fixture.answer_challenge(&challenge, &old.code(1)).await, "code_not_valid");
    alice.complete_login(&challenge, &new.code(1)).await;
}
