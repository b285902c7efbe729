//! No other way in goes round a second factor (SEC-134), and nothing of it is good for anything else.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::users::{Person, amr, assert_refused, keys, other_than};
use auth_tests::cases::OnSqlite;
use auth_tests::{Answer, Database, PASSWORD, TokenPair, cases};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            a_change_of_the_password_takes_a_code_too,
            a_new_password_does_not_switch_it_off,
            a_new_password_ends_open_challenges,
            whoever_is_deactivated_meanwhile_does_not_get_in,
            a_session_that_is_open_goes_on,
            a_reset_that_verifies_the_address_removes_a_strangers_authenticator,
            a_link_to_verify_the_address_keeps_no_strangers_authenticator;
        servers.off_postgres =>
            a_reset_that_verifies_the_address_removes_a_strangers_authenticator;
        servers.optional =>
            a_pending_change_of_the_email_address_ends_when_a_second_factor_is_added,
            an_authenticator_takes_a_verified_email_address;
        servers.optional_postgres =>
            a_pending_change_of_the_email_address_ends_when_a_second_factor_is_added;
        OnSqlite =>
            a_sliding_login_is_asked_too,
            a_challenge_opens_nothing_by_itself,
    ]
}

const BY_MAIL: [&str; 2] = ["email", "recovery_code"];

const CHANGE_PASSWORD: &str = "/api/users/me/password/";

/// Changes the password of somebody who gets codes by mail, with such a code.
async fn change_password(person: &Person<'_>, fixture: &Fixture, pair: &TokenPair, old: &str, new: &str) -> Answer {
    let before = person.codes().len();
    let path = "/api/users/me/second-factors/challenge/";
    let challenge = fixture.client.post(path, Some(&pair.access), json!({})).await.field("challenge");
    let code = person.code_after(before).await;
    let body = json!({"old_password": old, "new_password": new, "challenge": challenge, "code": code});
    fixture.client.post(CHANGE_PASSWORD, Some(&pair.access), body).await
}

/// Sets a new password with the link of a mail.
async fn reset_password(fixture: &Fixture, email: &str, password: &str) {
    assert_eq!(fixture.forget(email).await.status, 202);
    let message = fixture.with_subject(email, "Set a new password").await;
    let confirmed = fixture.confirm_reset(message.token(), password).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
}

async fn a_change_of_the_password_takes_a_code_too(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    alice.enrol_by_mail().await;
    let mut body = json!({"old_password": PASSWORD, "new_password": NEW_PASSWORD});
    let change =
        async |body: &Value| fixture.client.post(CHANGE_PASSWORD, Some(&alice.pair.access), body.clone()).await;
    change(&body).await.refuses("challenge", "This field is required.");
    let (challenge, code) = alice.challenge_by_mail().await;
    body["challenge"] = challenge.into();
    change(&body).await.refuses("challenge", "This field is required.");
    body["code"] = other_than(&code).into();
    change(&body).await.refuses("code", "Invalid code.");
    challenge_of(&fixture.try_login("alice", PASSWORD).await, &BY_MAIL);
    body["code"] = code.into();
    let next = TokenPair::of(&change(&body).await);
    assert_eq!(fixture.client.me(&next.access).await.status, 200);
    challenge_of(&fixture.try_login("alice", NEW_PASSWORD).await, &BY_MAIL);
}

async fn a_new_password_does_not_switch_it_off(fixture: Fixture) {
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    let carol = Person::registered(&fixture, "carol").await;
    for person in [&alice, &bob, &carol] {
        person.enrol_by_mail().await;
    }
    reset_password(&fixture, &alice.email, NEW_PASSWORD).await;
    let changed = change_password(&bob, &fixture, &bob.pair, PASSWORD, NEW_PASSWORD).await;
    assert_eq!(amr(&TokenPair::of(&changed).access), ["pwd"], "the session goes on as it began");
    let name = fixture.own("carol");
    let args = ["users", "set-password", "--password-stdin", &name];
    let output = fixture.server.run_with_input(args, &format!("{NEW_PASSWORD}\n"));
    assert!(output.status.success(), "{output:?}");

    for person in [&alice, &bob, &carol] {
        let before = person.codes().len();
        let challenge = challenge_of(&fixture.try_login(person.name, NEW_PASSWORD).await, &BY_MAIL);
        let pair = person.logs_in_with(&challenge, &person.code_after(before).await).await;
        assert_eq!(amr(&pair.refresh), ["pwd", "otp", "mfa"]);
    }
}

async fn a_new_password_ends_open_challenges(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let recovery_codes = alice.enrol_by_mail().await;
    let (challenge, code) = alice.asked_by_mail(&BY_MAIL).await;
    let (confirmation, confirmation_code) = alice.challenge_by_mail().await;
    let mut pair = TokenPair::of(&change_password(&alice, &fixture, &alice.pair, PASSWORD, NEW_PASSWORD).await);
    for code in [&code, &recovery_codes[0]] {
        assert_refused(&fixture.answer(&challenge, code).await, "challenge_not_valid");
    }
    let body =
        json!({"method": "email", "password": NEW_PASSWORD, "challenge": confirmation, "code": confirmation_code});
    let refused = fixture.client.post("/api/users/me/second-factors/remove/", Some(&pair.access), body).await;
    assert_eq!(refused.json(), json!({"challenge": ["Challenge is invalid or expired."]}));

    pair = TokenPair::of(&change_password(&alice, &fixture, &pair, NEW_PASSWORD, PASSWORD).await);
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    let (challenge, code) = alice.asked_by_mail(&BY_MAIL).await;
    reset_password(&fixture, &alice.email, NEW_PASSWORD).await;
    assert_refused(&fixture.answer(&challenge, &code).await, "challenge_not_valid");
}

async fn whoever_is_deactivated_meanwhile_does_not_get_in(fixture: Fixture) {
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    alice.enrol_by_mail().await;
    bob.enrol_by_mail().await;
    let (of_alice, of_bob) = (alice.asked_by_mail(&BY_MAIL).await, bob.asked_by_mail(&BY_MAIL).await);
    fixture.users("deactivate", "alice");
    assert_refused(&fixture.answer(&of_alice.0, &of_alice.1).await, "challenge_not_valid");
    bob.logs_in_with(&of_bob.0, &of_bob.1).await;
    fixture.users("delete", "bob");
    assert_refused(&fixture.answer(&of_bob.0, &of_bob.1).await, "challenge_not_valid");
}

async fn a_session_that_is_open_goes_on(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let other = fixture.login("alice").await;
    alice.enrol_by_mail().await;
    for pair in [&alice.pair, &other] {
        let refreshed = TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
        assert_eq!(fixture.client.me(&refreshed.access).await.status, 200);
        assert_eq!(amr(&refreshed.access), ["pwd"], "it does not claim what nobody showed");
    }
}

async fn a_sliding_login_is_asked_too(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__TOKENS__ACCEPTED_KINDS", "access,sliding"));
    let alice = Person::registered(&fixture, "alice").await;
    let recovery_codes = alice.enrol_by_mail().await;
    let (before, body) = (alice.codes().len(), json!({"username": "alice", "password": PASSWORD}));
    let challenge = challenge_of(&fixture.post("/api/token/sliding/", body).await, &BY_MAIL);
    let code = alice.code_after(before).await;
    let answer = fixture.answer(&challenge, &code).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(keys(&answer.json()), ["token"]);
    let token = answer.field("token");
    assert_eq!(fixture.client.me(&token).await.status, 200);
    let refreshed = fixture.post("/api/token/sliding/refresh/", json!({"token": token})).await;
    for token in [token, refreshed.field("token")] {
        assert_eq!(amr(&token), ["pwd", "otp", "mfa"]);
    }
    assert_refused(&fixture.answer(&challenge, &recovery_codes[0]).await, "challenge_not_valid");
    // A login for a pair is answered with one here as well.
    let (challenge, code) = alice.asked_by_mail(&BY_MAIL).await;
    let answer = fixture.answer(&challenge, &code).await;
    assert_eq!(keys(&answer.json()), ["access", "refresh"]);
}

async fn a_challenge_opens_nothing_by_itself(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__TOKENS__ACCEPTED_KINDS", "access,sliding"));
    let alice = Person::registered(&fixture, "alice").await;
    alice.enrol_by_mail().await;
    let ((login, code), confirmation) = (alice.asked_by_mail(&BY_MAIL).await, alice.challenge().await);
    for challenge in [&login, &confirmation] {
        assert_eq!(fixture.client.me(challenge).await.status, 401);
        assert_eq!(fixture.client.refresh(challenge).await.status, 401);
        assert_eq!(fixture.client.logout(challenge, json!({"all": true})).await.status, 401);
        for path in ["/api/token/verify/", "/api/token/sliding/refresh/"] {
            assert_eq!(fixture.post(path, json!({"token": challenge})).await.status, 401, "{path}");
        }
        // It looks like the token of a link.
        assert_eq!(fixture.confirm_reset(challenge, NEW_PASSWORD).await.status, 400);
        assert_eq!(fixture.verify(challenge).await.status, 400);
    }
    // Nor does anything else stand for a challenge.
    fixture.forget(&alice.email).await;
    let link = fixture.with_subject(&alice.email, "Set a new password").await;
    for other in [&alice.pair.access, &alice.pair.refresh, link.token(), &login[..64], &format!("{login}0")] {
        assert_refused(&fixture.answer(other, &code).await, "challenge_not_valid");
    }
    let last = if login.ends_with('0') { "1" } else { "0" };
    let forged = format!("{}{last}", &login[..95]);
    assert_refused(&fixture.answer(&forged, &code).await, "challenge_not_valid");
    alice.logs_in_with(&login, &code).await;
}

/// An attacker who has a token and the password requests a change of the email address before the owner adds a factor.
async fn a_pending_change_of_the_email_address_ends_when_a_second_factor_is_added(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    fixture.with_subject(&alice.email, "Confirm your address").await;
    let token = fixture.ask_for(&alice.pair.access, "mallory@example.com").await;
    fixture.with_subject(&alice.email, "new address was asked for").await;
    alice.enrol_by_mail().await;
    let followed = fixture.verify(&token).await;
    followed.refuses("token", "Token is invalid or expired.");
    assert_eq!(fixture.client.me(&alice.pair.access).await.field("email"), fixture.own(&alice.email));
    let (challenge, code) = alice.asked_by_mail(&BY_MAIL).await;
    alice.logs_in_with(&challenge, &code).await;
}

/// A stranger registers an email address and wants to lock its owner out.
async fn an_authenticator_takes_a_verified_email_address(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let body = json!({"method": "totp", "password": PASSWORD});
    alice.post("", body.clone()).await.refuses("method", "Verify your email address first.");
    let link = fixture.with_subject(&alice.email, "Confirm your address").await;
    assert_eq!(fixture.verify(link.token()).await.status, 200);
    let begun = alice.post("", body).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
}

async fn a_reset_that_verifies_the_address_removes_a_strangers_authenticator(fixture: Fixture) {
    let mut stranger = Person::registered(&fixture, "alice").await;
    stranger.enrol_authenticator().await;
    reset_password(&fixture, &stranger.email, NEW_PASSWORD).await;
    fixture.with_subject(&stranger.email, "second factor was removed").await;
    // The owner gets in with the password alone, and finds no factor.
    stranger.pair = TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
    assert_eq!(stranger.has().await, (vec![], 0));
}

/// The owner follows the link that came with the stranger's authenticator. An authenticator of their own they keep, for they
/// are logged in.
async fn a_link_to_verify_the_address_keeps_no_strangers_authenticator(fixture: Fixture) {
    const VERIFY: &str = "/api/email/verify/";
    let alice = Person::registered(&fixture, "alice").await;
    let mallory = Person::registered(&fixture, "mallory").await;
    alice.enrol_authenticator().await;
    let link = json!({"token": fixture.with_subject(&alice.email, "Confirm your address").await.token()});
    for bearer in [None, Some(&*mallory.pair.access)] {
        let refused = fixture.client.post(VERIFY, bearer, link.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.field("code").as_str()), (401, "login_required"));
    }
    let refused = fixture.client.post(VERIFY, Some("a.b.c"), link.clone()).await;
    assert_eq!((refused.status.as_u16(), refused.field("code").as_str()), (401, "token_not_valid"));
    let verified = fixture.client.post(VERIFY, Some(&alice.pair.access), link.clone()).await;
    assert_eq!(verified.status, 200, "{}", verified.text);
    let used = fixture.client.post(VERIFY, Some(&alice.pair.access), link).await;
    assert_eq!((used.status.as_u16(), used.json()), (400, json!({"token": ["Token is invalid or expired."]})));
    reset_password(&fixture, &alice.email, NEW_PASSWORD).await;
    challenge_of(&fixture.try_login("alice", NEW_PASSWORD).await, &["totp", "recovery_code"]);
}
