//! Authenticators: the codes are those of other code than the service's (RFC 6238).

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use libtest_mimic::Trial;
use serde_json::json;

use super::users::{Authenticator, Person, amr, answers_at_once, assert_refused, forget_last_steps, in_one_step, keys};
use auth_tests::{PASSWORD, TokenPair, cases};

use crate::email::SharedServers;
use crate::email::fixture::Fixture;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            any_authenticator_logs_in,
            a_clock_may_be_one_step_off_and_no_more,
            no_code_is_good_twice,
            one_code_on_two_challenges_at_once_opens_one,
            another_ones_authenticator_opens_nothing,
            it_stands_beside_codes_by_mail,
            a_new_one_takes_the_place_of_the_old_one;
        servers.off_postgres =>
            one_code_on_two_challenges_at_once_opens_one,
    ]
}

/// What may answer where an authenticator is on.
const METHODS: [&str; 2] = ["totp", "recovery_code"];

async fn any_authenticator_logs_in(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
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
    assert_eq!(alice.has().await, (vec!["totp".to_owned()], 10));
    assert!(!alice.status().await.to_string().contains(&begun.field("secret")), "the secret is shown once");

    let challenge = alice.asked(&METHODS).await;
    // The step of the present code was used up when it was switched on.
    let pair = alice.logs_in_with(&challenge, &authenticator.code(1)).await;
    for token in [&pair.access, &pair.refresh, &TokenPair::of(&fixture.client.refresh(&pair.refresh).await).access] {
        assert_eq!(amr(token), ["pwd", "otp", "mfa"]);
    }
    assert!(alice.codes().is_empty(), "no code went by mail");
}

async fn a_clock_may_be_one_step_off_and_no_more(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    for (drift, status) in [(-2, 401), (-1, 200), (0, 200), (1, 200), (2, 401), (-20, 401), (20, 401)] {
        let answer = in_one_step(async || {
            forget_last_steps(&fixture);
            fixture.answer(&alice.asked(&METHODS).await, &authenticator.code(drift)).await
        });
        assert_eq!(answer.await.status, status, "{drift} steps off");
    }
}

async fn no_code_is_good_twice(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    // Up to three steps are within the drift; none of them is good again once a later one was used.
    let (early, late) = (authenticator.code(0), authenticator.code(1));
    let challenge = alice.asked(&METHODS).await;
    alice.logs_in_with(&challenge, &late).await;
    assert_refused(&fixture.answer(&challenge, &late).await, "challenge_not_valid");
    let challenge = alice.asked(&METHODS).await;
    for code in [&late, &early, &late] {
        assert_refused(&fixture.answer(&challenge, code).await, "code_not_valid");
    }
    // The codes are still within the drift: what refuses them is that they were used.
    forget_last_steps(&fixture);
    alice.logs_in_with(&challenge, &authenticator.code(0)).await;
}

async fn one_code_on_two_challenges_at_once_opens_one(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let (authenticator, _) = alice.enrol_authenticator().await;
    for _ in 0..5 {
        forget_last_steps(&fixture);
        let code = authenticator.code(0);
        let challenges = [alice.asked(&METHODS).await, alice.asked(&METHODS).await, alice.asked(&METHODS).await];
        let answers = answers_at_once(&fixture, challenges.map(|challenge| (challenge, code.clone()))).await;
        let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status.as_u16()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401, 401], "{answers:?}");
    }
}

async fn another_ones_authenticator_opens_nothing(fixture: Fixture) {
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    let (of_alice, _) = alice.enrol_authenticator().await;
    let (of_bob, _) = bob.enrol_authenticator().await;
    let challenge = alice.asked(&METHODS).await;
    assert_refused(&fixture.answer(&challenge, &of_bob.code(0)).await, "code_not_valid");
    alice.logs_in_with(&challenge, &of_alice.code(0)).await;
}

async fn it_stands_beside_codes_by_mail(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    alice.enrol_by_mail().await;
    let begin = json!({"method": "totp", "password": PASSWORD});
    let with = |challenge: &str, code: &str| {
        let mut body = begin.clone();
        body.as_object_mut().unwrap().extend([("challenge".into(), challenge.into()), ("code".into(), code.into())]);
        body
    };
    // The password alone does not switch a second one on, nor does a code with a wrong password, nor a login's challenge.
    alice.post("", begin.clone()).await.refuses("challenge", "This field is required.");
    let (challenge, code) = alice.challenge_by_mail().await;
    let (of_login, code_of_login) = alice.asked_by_mail(&["email", "recovery_code"]).await;
    let refused = alice.post("", with(&of_login, &code_of_login)).await;
    refused.refuses("challenge", "Challenge is invalid or expired.");
    alice.post("", with(&challenge, &code_of_login)).await.refuses("code", "Invalid code.");
    let mut wrong = with(&challenge, &code);
    wrong["password"] = "wrong".into();
    alice.post("", wrong).await.refuses("password", "Wrong password.");

    let begun = alice.post("", with(&challenge, &code)).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let authenticator = Authenticator::scan(&begun.field("otpauth_uri"));
    let body = json!({"challenge": begun.field("challenge"), "code": authenticator.code(0)});
    let confirmed = alice.post("confirm/", body).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(confirmed.json(), json!({"method": "totp"}), "the recovery codes that there are stay");
    assert_eq!(alice.has().await, (vec!["totp".to_owned(), "email".to_owned()], 10));

    let both = ["totp", "email", "recovery_code"];
    let (challenge, code) = alice.asked_by_mail(&both).await;
    alice.logs_in_with(&challenge, &code).await;
    let (challenge, code) = alice.asked_by_mail(&both).await;
    alice.logs_in_with(&challenge, &authenticator.code(1)).await;
    assert_refused(&fixture.answer(&challenge, &code).await, "challenge_not_valid");
}

async fn a_new_one_takes_the_place_of_the_old_one(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let (old, recovery_codes) = alice.enrol_authenticator().await;
    let challenge = alice.challenge().await;
    let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": recovery_codes[0]});
    let begun = alice.post("", body).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    // Until it is confirmed the old one goes on.
    alice.logs_in_with(&alice.asked(&METHODS).await, &old.code(0)).await;
    let new = Authenticator::scan(&begun.field("otpauth_uri"));
    let body = json!({"challenge": begun.field("challenge"), "code": new.code(0)});
    assert_eq!(alice.post("confirm/", body).await.status, 200);
    let challenge = alice.asked(&METHODS).await;
    assert_refused(&fixture.answer(&challenge, &old.code(1)).await, "code_not_valid");
    alice.logs_in_with(&challenge, &new.code(1)).await;
}
