//! Switching second factors off.

use libtest_mimic::Trial;
use serde_json::json;

use super::users::{Authenticator, Person, assert_refused, other_than};
use auth_tests::{PASSWORD, TokenPair, cases};

use crate::email::SharedServers;
use crate::email::fixture::Fixture;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            it_takes_the_password_and_a_code_for_this_and_is_told_by_mail,
            of_two_the_other_one_stays,
            recovery_codes_go_with_the_last_one,
            an_operator_removes_all_of_somebody_who_has_lost_theirs,
    ]
}

const BY_MAIL: [&str; 2] = ["email", "recovery_code"];

async fn it_takes_the_password_and_a_code_for_this_and_is_told_by_mail(fixture: Fixture) {
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    alice.enrol_by_mail().await;
    bob.enrol_by_mail().await;
    let over = "Challenge is invalid or expired.";

    let missing = alice.post("remove/", json!({"method": "email", "password": PASSWORD})).await;
    missing.refuses("challenge", "This field is required.");
    let (of_login, code_of_login) = alice.asked_by_mail(&BY_MAIL).await;
    alice.remove("email", &of_login, &code_of_login).await.refuses("challenge", over);
    let (of_bob, code_of_bob) = bob.challenge_by_mail().await;
    alice.remove("email", &of_bob, &code_of_bob).await.refuses("challenge", over);
    let (challenge, code) = alice.challenge_by_mail().await;
    alice.remove("email", &challenge, &other_than(&code)).await.refuses("code", "Invalid code.");
    alice.remove("email", &challenge, &code_of_bob).await.refuses("code", "Invalid code.");
    alice.remove("totp", &challenge, &code).await.refuses("method", "This second factor is not on.");
    let kept = alice.remove("recovery_code", &challenge, &code).await;
    kept.refuses("method", "Not a valid choice.");
    let body = json!({"method": "email", "password": "wrong", "challenge": challenge, "code": code});
    alice.post("remove/", body.clone()).await.refuses("password", "Wrong password.");
    assert_eq!(fixture.post("/api/users/me/second-factors/remove/", body).await.status, 401, "nobody is logged in");
    // Bob knows all but who he is.
    bob.remove("email", &challenge, &code).await.refuses("challenge", over);
    alice.asked(&BY_MAIL).await;

    let removed = alice.remove("email", &challenge, &code).await;
    assert_eq!((removed.status.as_u16(), removed.json()), (200, json!({"detail": "Second factor removed."})));
    assert_eq!(alice.has().await, (vec![], 0));
    fixture.with_subject(&alice.email, "second factor was removed").await;
    TokenPair::of(&alice.try_login().await);
    let again = alice.remove("email", &challenge, &code).await;
    again.refuses("method", "This second factor is not on.");
    bob.asked(&BY_MAIL).await;
}

async fn of_two_the_other_one_stays(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let recovery_codes = alice.enrol_by_mail().await;
    let (challenge, code) = alice.challenge_by_mail().await;
    let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
    let begun = alice.post("", body).await;
    let authenticator = Authenticator::scan(&begun.field("otpauth_uri"));
    let body = json!({"challenge": begun.field("challenge"), "code": authenticator.code(0)});
    assert_eq!(alice.post("confirm/", body).await.status, 200);

    let challenge = alice.challenge().await;
    assert_eq!(alice.remove("email", &challenge, &authenticator.code(1)).await.status, 200);
    assert_eq!(alice.has().await, (vec!["totp".to_owned()], 10));
    let challenge = alice.asked(&["totp", "recovery_code"]).await;
    alice.logs_in_with(&challenge, &recovery_codes[0]).await;
}

async fn recovery_codes_go_with_the_last_one(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let (_, old) = alice.enrol_authenticator().await;
    assert_eq!(alice.remove("totp", &alice.challenge().await, &old[0]).await.status, 200);
    assert_eq!(alice.has().await, (vec![], 0));
    fixture.with_subject(&alice.email, "second factor was removed").await;

    let body = json!({"method": "totp", "password": PASSWORD});
    let begun = alice.post("", body).await;
    let authenticator = Authenticator::scan(&begun.field("otpauth_uri"));
    let body = json!({"challenge": begun.field("challenge"), "code": authenticator.code(0)});
    let confirmed = alice.post("confirm/", body).await;
    let new = crate::email::fixture::texts(&confirmed.json()["recovery_codes"]);
    let challenge = alice.asked(&["totp", "recovery_code"]).await;
    assert_refused(&fixture.answer(&challenge, &old[1]).await, "code_not_valid");
    alice.logs_in_with(&challenge, &new[0]).await;
}

async fn an_operator_removes_all_of_somebody_who_has_lost_theirs(fixture: Fixture) {
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    alice.enrol_authenticator().await;
    bob.enrol_by_mail().await;
    fixture.users("remove-second-factors", "alice");
    TokenPair::of(&alice.try_login().await);
    assert_eq!(alice.has().await, (vec![], 0));
    fixture.with_subject(&alice.email, "second factor was removed").await;
    bob.asked(&BY_MAIL).await;
    let unknown = fixture.server.run(["users", "remove-second-factors", "nobody"]);
    assert!(!unknown.status.success() && !unknown.stderr.is_empty(), "{unknown:?}");
}
