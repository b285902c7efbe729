//! Rate limits: what they refuse, what they do not affect, and that their answers reveal nothing.

use std::collections::BTreeSet;

use auth_tests::answers::assert_throttled;
use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::{eventually, run_concurrently};
use auth_tests::{Answer, Database, MockSmtp, PASSWORD, TestClient, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::SERVER;
use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of, options, string_list};
use crate::email::second_factors::users::{TestUser, assert_refused, different_code};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            after_ten_wrong_passwords_all_answers_are_identical,
            a_right_password_resets_the_count,
            all_spellings_of_a_login_name_share_a_count,
            a_delayed_user_keeps_sessions_and_can_reset_the_password;
        servers.optional =>
            wrong_passwords_count_at_every_endpoint;
        OnSqlite =>
            a_delay_ends,
            counts_survive_a_restart,
            failures_for_many_accounts_count_per_client_ip,
            forwarded_headers_from_untrusted_peers_are_ignored,
            a_trusted_proxy_determines_the_client_ip,
            requests_for_emails_count_per_entered_address,
            requests_for_emails_count_per_client_ip,
            email_codes_and_links_count_separately,
            nothing_is_throttled_without_limits;
        OnBothDatabases =>
            two_replicas_count_together,
            ten_of_fifty_concurrent_guesses_are_compared,
    ]
}

const HOUR: u64 = 60 * 60;
const WRONG: &str = "wrong-Password-1";
/// The client IP of an attacker behind the proxy, that of another client, and one that a client merely claims to have.
const ATTACKER_IP: &str = "198.51.100.7";
const OTHER_IP: &str = "198.51.100.8";
const CLAIMED_IP: &str = "203.0.113.9";

/// Sends `count` wrong passwords, each of which is compared.
async fn guess(fixture: &Fixture, name: &str, count: usize) {
    for _ in 0..count {
        assert_unknown(&fixture.try_login(name, WRONG).await);
    }
}

#[track_caller]
fn assert_unknown(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.json(), json!({"detail": "No active account found with the given credentials"}));
}

/// Returns the observable parts of a refusal without the remaining delay: the body and the names of the headers.
#[track_caller]
fn observable(answer: &Answer) -> (String, BTreeSet<String>) {
    let seconds = assert_throttled(answer).to_string();
    let names = answer.headers.keys().map(|name| name.to_string()).collect();
    (answer.text.replace(&seconds, "…"), names)
}

/// Sends a `POST` through the proxy with this `X-Forwarded-For` header.
async fn post_for(fixture: &Fixture, forwarded: &str, path: &str, body: Value) -> Answer {
    let request =
        fixture.client.http.post(format!("{}{path}", fixture.client.url)).header("X-Forwarded-For", forwarded);
    Answer::of(request.json(&body).send().await.expect("an answer")).await
}

async fn login_for(fixture: &Fixture, forwarded: &str, name: &str, password: &str) -> Answer {
    post_for(fixture, forwarded, "/api/token/", json!({"username": name, "password": password})).await
}

async fn after_ten_wrong_passwords_all_answers_are_identical(fixture: Fixture) {
    for name in ["alice", "bob"] {
        fixture.register(name).await;
    }
    fixture.users("deactivate", "bob");
    // An active account, a deactivated one, and none.
    for name in ["alice", "bob", "unknown"] {
        guess(&fixture, name, 10).await;
    }
    let first = fixture.try_login("alice", WRONG).await;
    assert!((1..=1800).contains(&assert_throttled(&first)), "{first:?}");
    assert!(!first.headers.contains_key("www-authenticate"), "{first:?}");
    for (name, password) in [
        ("alice", PASSWORD),
        ("alice", WRONG),
        ("bob", PASSWORD),
        ("bob", WRONG),
        ("unknown", PASSWORD),
        ("unknown", WRONG),
    ] {
        assert_eq!(observable(&fixture.try_login(name, password).await), observable(&first), "{name} {password}");
    }
    // Refused attempts do not count, so they do not extend the delay.
    let next = assert_throttled(&fixture.try_login("alice", PASSWORD).await);
    assert!(next <= assert_throttled(&first), "{next}");
    // Other users are not delayed.
    fixture.register_and_login("carol").await;
}

async fn a_right_password_resets_the_count(fixture: Fixture) {
    fixture.register("alice").await;
    for _ in 0..3 {
        guess(&fixture, "alice", 9).await;
        fixture.login("alice").await;
    }
    guess(&fixture, "alice", 10).await;
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
}

async fn a_delay_ends(database: Database) {
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "1");
        let options = options.env("AUTH__THROTTLE__PASSWORD_FIRST_DELAY_SECONDS", "1");
        options.env("AUTH__THROTTLE__PASSWORD_LONGEST_DELAY_SECONDS", "1")
    });
    fixture.register("alice").await;
    guess(&fixture, "alice", 1).await;
    eventually("the delay ends", async || match fixture.try_login("alice", PASSWORD).await {
        answer if answer.status == 429 => {
            assert_eq!(assert_throttled(&answer), 1);
            false
        }
        // Login name and account have separate delays in whole seconds, so that of the account may end a second later.
        answer if answer.status == 401 => {
            assert_unknown(&answer);
            false
        }
        answer => {
            TokenPair::of(&answer);
            true
        }
    })
    .await;
}

async fn all_spellings_of_a_login_name_share_a_count(fixture: Fixture) {
    let spellings = |name: &str| {
        let wide: String = name.bytes().map(|byte| char::from_u32(0xfee0 + u32::from(byte)).unwrap()).collect();
        let names = [name.to_owned(), name.to_uppercase(), format!("  {name}\t"), wide, format!("{name}\u{200b}")];
        let address = format!("{name}@example.com");
        let addresses = [address.clone(), address.to_uppercase(), format!(" {address} ")];
        let names = names.map(|name| ("username", name)).into_iter();
        names.chain(addresses.map(|address| ("email", address))).collect::<Vec<_>>()
    };
    let login = async |(field, name): &(&str, String), password: &str| {
        fixture.post("/api/token/", json!({*field: name, "password": password})).await
    };
    fixture.register("alice").await;
    fixture.register("bob").await;
    // The login names of an account and unknown ones get the same answers.
    for (name, password) in [("alice", PASSWORD), ("unknown", WRONG)] {
        let all = spellings(&fixture.own(name));
        let (names, addresses) = all.split_at(5);
        for _ in 0..10 {
            assert_unknown(&login(&names[0], WRONG).await);
        }
        // The account is already delayed, so even the right password is refused, but the answer does not reveal that the email
        // address belongs to that account.
        for spelling in addresses.iter().cycle().take(10) {
            assert_unknown(&login(spelling, password).await);
        }
        for spelling in &all {
            let answer = login(spelling, password).await;
            assert_eq!(answer.status, 429, "{spelling:?}: {}", answer.text);
        }
    }
    fixture.login("bob").await;
}

async fn counts_survive_a_restart(database: Database) {
    let mut fixture = Fixture::with(database, |options| options);
    fixture.register("alice").await;
    guess(&fixture, "alice", 7).await;
    fixture.server.restart();
    fixture.client = TestClient::new(&fixture.server.url());
    guess(&fixture, "alice", 3).await;
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
    fixture.server.restart();
    fixture.client = TestClient::new(&fixture.server.url());
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
}

async fn two_replicas_count_together(database: Database) {
    let smtp = MockSmtp::open();
    let options = options(&database, &smtp);
    let replica = options.clone().start(SERVER);
    let fixture = Fixture::at(database, smtp, |_| options);
    let other = TestClient::new(&replica.url());
    let login_there = async |password: &str| {
        other.post("/api/token/", None, json!({"username": "alice", "password": password})).await
    };
    fixture.register("alice").await;
    for _ in 0..5 {
        guess(&fixture, "alice", 1).await;
        assert_unknown(&login_there(WRONG).await);
    }
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
    assert_throttled(&login_there(PASSWORD).await);
}

async fn ten_of_fifty_concurrent_guesses_are_compared(database: Database) {
    let fixture = Fixture::of(database);
    fixture.register("alice").await;
    for name in ["alice", "unknown"] {
        let calls = (0..50).map(|number| {
            let (api, body) =
                (fixture.client.clone(), json!({"username": name, "password": format!("{WRONG}{number}")}));
            async move { api.post("/api/token/", None, body).await }
        });
        let answers = run_concurrently(calls).await;
        let (throttled, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 429);
        throttled.iter().for_each(|answer| assert!(assert_throttled(answer) > 0));
        others.iter().for_each(|answer| assert_unknown(answer));
        assert_eq!((others.len(), throttled.len()), (10, 40), "{name}");
    }
}

async fn a_delayed_user_keeps_sessions_and_can_reset_the_password(fixture: Fixture) {
    let pair = fixture.register_and_login("alice").await;
    guess(&fixture, "alice", 10).await;
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
    let pair = TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);

    assert_eq!(fixture.request_reset("alice@example.com").await.status, 202);
    let message = fixture.wait_for_subject("alice@example.com", "Set a new password").await;
    let confirmed = fixture.confirm_reset(message.token(), NEW_PASSWORD).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
    guess(&fixture, "alice", 10).await;
    assert_throttled(&fixture.try_login("alice", NEW_PASSWORD).await);
}

async fn wrong_passwords_count_at_every_endpoint(fixture: Fixture) {
    let alice = TestUser::register(&fixture, "alice").await;
    let change = async |password: &str| {
        let body = json!({"old_password": password, "new_password": NEW_PASSWORD});
        fixture.client.post("/api/users/me/password/", Some(&alice.pair.access), body).await
    };
    let change_email = async |password: &str| {
        let request =
            fixture.client.http.patch(format!("{}/api/users/me/", fixture.client.url)).bearer_auth(&alice.pair.access);
        let request = request.json(&json!({"email": "other@example.com", "password": password}));
        Answer::of(request.send().await.unwrap()).await
    };
    let enrol = async |password: &str| alice.post("", json!({"method": "totp", "password": password})).await;
    guess(&fixture, "alice", 1).await;
    for _ in 0..3 {
        change(WRONG).await.assert_field_error("old_password", "Wrong password.");
        change_email(WRONG).await.assert_field_error("password", "Wrong password.");
        enrol(WRONG).await.assert_field_error("password", "Wrong password.");
    }
    for password in [PASSWORD, WRONG] {
        assert_throttled(&change(password).await);
        assert_throttled(&change_email(password).await);
        assert_throttled(&enrol(password).await);
        assert_throttled(&fixture.try_login("alice", password).await);
    }
    assert_eq!(fixture.client.me(&alice.pair.access).await.status, 200);
}

async fn failures_for_many_accounts_count_per_client_ip(database: Database) {
    let fixture =
        Fixture::with(database, |options| options.env("AUTH__THROTTLE__FAILURES_PER_CLIENT_IP_PER_HOUR", "15"));
    let alice = TestUser::register(&fixture, "alice").await;
    let bob = fixture.register_and_login("bob").await;
    alice.enrol_email().await;
    // Successful attempts do not count.
    for _ in 0..3 {
        fixture.login("bob").await;
    }
    for number in 0..12 {
        guess(&fixture, &format!("nobody{number}"), 1).await;
    }
    let (challenge, code) = alice.login_challenge_by_email(&["email", "recovery_code"]).await;
    for _ in 0..3 {
        assert_refused(&fixture.answer_challenge(&challenge, &different_code(&code)).await, "code_not_valid");
    }
    // An account without failures can still log in; a wrong password is answered like one that was not compared.
    fixture.login("bob").await;
    let known = fixture.try_login("bob", WRONG).await;
    assert!((1..=HOUR).contains(&assert_throttled(&known)), "{known:?}");
    for (name, password) in
        [("bob", PASSWORD), ("bob", WRONG), ("unknown", WRONG), ("unknown", WRONG), ("nobody0", PASSWORD)]
    {
        assert_eq!(observable(&fixture.try_login(name, password).await), observable(&known), "{name}");
    }
    assert_eq!(observable(&fixture.answer_challenge(&challenge, &code).await), observable(&known));
    // Open sessions are not affected.
    assert_eq!(fixture.client.me(&bob.access).await.status, 200);
    TokenPair::of(&fixture.client.refresh(&bob.refresh).await);
}

async fn forwarded_headers_from_untrusted_peers_are_ignored(database: Database) {
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__SERVER__TRUSTED_PROXIES", "192.0.2.1, 10.0.0.0/8");
        options.env("AUTH__THROTTLE__FAILURES_PER_CLIENT_IP_PER_HOUR", "3")
    });
    fixture.register("alice").await;
    // After a failure, the account is not exempt from the limit of the client IP.
    assert_unknown(&login_for(&fixture, "127.0.0.1", "alice", WRONG).await);
    for number in 0..2 {
        let claimed = format!("198.51.100.{number}");
        assert_unknown(&login_for(&fixture, &claimed, &format!("nobody{number}"), WRONG).await);
    }
    for claimed in ["198.51.100.9", "127.0.0.1", "10.0.0.1", "192.0.2.1", "::1", "", "unknown"] {
        let answer = login_for(&fixture, claimed, "alice", PASSWORD).await;
        assert_throttled(&answer);
        assert_eq!(logged_client_ip(&fixture, &answer).await, "127.0.0.1", "{claimed}");
    }
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
    let warnings = fixture.server.log().matches("X-Forwarded-For from a peer that is not a trusted proxy").count();
    assert_eq!(warnings, 1, "{}", fixture.server.log());
}

async fn a_trusted_proxy_determines_the_client_ip(database: Database) {
    let fixture =
        Fixture::with(database, |options| options.env("AUTH__THROTTLE__FAILURES_PER_CLIENT_IP_PER_HOUR", "3"));
    fixture.register("alice").await;
    // Hops that a client adds have no effect.
    for (number, forwarded) in
        [ATTACKER_IP.to_owned(), format!("{CLAIMED_IP}, {ATTACKER_IP}"), format!("::1,{ATTACKER_IP}")]
            .iter()
            .enumerate()
    {
        assert_unknown(&login_for(&fixture, forwarded, &format!("nobody{number}"), WRONG).await);
    }
    let forms = [
        ATTACKER_IP.to_owned(),
        format!("{ATTACKER_IP}:4711"),
        format!("{CLAIMED_IP}, {ATTACKER_IP}"),
        format!("{CLAIMED_IP}, {ATTACKER_IP}, 127.0.0.1"),
        format!("unknown, {ATTACKER_IP}"),
        format!("::ffff:{ATTACKER_IP}"),
    ];
    for forwarded in &forms {
        let answer = login_for(&fixture, forwarded, "bob", WRONG).await;
        assert_throttled(&answer);
        assert_eq!(logged_client_ip(&fixture, &answer).await, ATTACKER_IP, "{forwarded}");
    }
    // Other client IPs are not throttled.
    for (forwarded, client) in
        [(OTHER_IP, OTHER_IP), (&format!("{ATTACKER_IP}, {OTHER_IP}"), OTHER_IP), (CLAIMED_IP, CLAIMED_IP)]
    {
        let answer = login_for(&fixture, forwarded, "alice", PASSWORD).await;
        TokenPair::of(&answer);
        assert_eq!(logged_client_ip(&fixture, &answer).await, client, "{forwarded}");
    }
    fixture.login("alice").await;

    // An IPv6 /64 counts as one client IP.
    for host in 1..=3 {
        assert_unknown(&login_for(&fixture, &format!("2001:db8::{host}"), &format!("nobody{host}"), WRONG).await);
    }
    assert_throttled(&login_for(&fixture, "2001:db8::ffff:0:0:4", "carol", WRONG).await);
    TokenPair::of(&login_for(&fixture, "2001:db8:0:1::1", "alice", PASSWORD).await);
}

/// Returns the client IP in the log record of a request.
async fn logged_client_ip(fixture: &Fixture, answer: &Answer) -> String {
    let id = answer.headers["x-request-id"].to_str().expect("a request ID").to_owned();
    let address = || {
        let log = fixture.server.log();
        let records = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut spans =
            records.filter(|record| record["fields"]["message"] == "answered").map(|record| record["span"].clone());
        let span = spans.find(|span| span["request_id"] == id.as_str())?;
        Some(span["address"].as_str().expect("an address").to_owned())
    };
    eventually("a record in the log", async || address().is_some()).await;
    address().expect("the record exists")
}

async fn requests_for_emails_count_per_entered_address(database: Database) {
    let fixture = Fixture::with(database, |options| {
        options.env("AUTH__THROTTLE__EMAIL_REQUESTS_PER_EMAIL_ADDRESS_PER_HOUR", "3")
    });
    for name in ["alice", "bob"] {
        fixture.register(name).await;
    }
    fixture.users("deactivate", "bob");
    for path in ["/api/password-reset/", "/api/email/verify/resend/"] {
        let mut answers = Vec::new();
        for name in ["alice", "bob", "unknown"] {
            let address = format!("{name}@example.com");
            for spelling in [&address, &address.to_uppercase(), &format!(" {address} ")] {
                assert_eq!(fixture.post(path, json!({"email": spelling})).await.status, 202, "{path} {spelling}");
            }
            // One more request is allowed every five minutes, so that an attacker cannot block the user.
            assert_eq!(fixture.post(path, json!({"email": address})).await.status, 202, "{path} {address}");
            // The email address is counted, whatever the client IP.
            let answer = post_for(&fixture, ATTACKER_IP, path, json!({"email": address.to_uppercase()})).await;
            assert!((1..=HOUR).contains(&assert_throttled(&answer)), "{answer:?}");
            answers.push(observable(&answer));
        }
        assert_eq!((&answers[0], &answers[0]), (&answers[1], &answers[2]), "{path}");
        assert_eq!(fixture.post(path, json!({"email": "other@example.com"})).await.status, 202, "{path}");
    }
}

async fn requests_for_emails_count_per_client_ip(database: Database) {
    let fixture =
        Fixture::with(database, |options| options.env("AUTH__THROTTLE__EMAIL_REQUESTS_PER_CLIENT_IP_PER_HOUR", "4"));
    fixture.register("alice").await;
    let (reset, resend) = ("/api/password-reset/", "/api/email/verify/resend/");
    for (number, path) in [reset, resend, reset, resend].into_iter().enumerate() {
        let body = json!({"email": format!("nobody{number}@example.com")});
        let answer = post_for(&fixture, &format!("203.0.113.{number}, {ATTACKER_IP}"), path, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    let first = post_for(&fixture, ATTACKER_IP, reset, json!({"email": "alice@example.com"})).await;
    assert!((1..=HOUR).contains(&assert_throttled(&first)), "{first:?}");
    for path in [reset, resend] {
        for email in ["alice@example.com", "nobody0@example.com", "nobody9@example.com"] {
            assert_eq!(
                observable(&post_for(&fixture, ATTACKER_IP, path, json!({"email": email})).await),
                observable(&first),
                "{email}"
            );
        }
    }
    // Refused requests send nothing; those of other clients do.
    let answer = post_for(&fixture, OTHER_IP, reset, json!({"email": "alice@example.com"})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    fixture.wait_for_subject("alice@example.com", "Set a new password").await;
    TokenPair::of(&login_for(&fixture, ATTACKER_IP, "alice", PASSWORD).await);
}

async fn email_codes_and_links_count_separately(database: Database) {
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__THROTTLE__CODE_EMAILS_PER_ACCOUNT_PER_HOUR", "1");
        options.env("AUTH__THROTTLE__EMAILS_PER_ACCOUNT_PER_HOUR", "1")
    });
    let (alice, bob) = (TestUser::register(&fixture, "alice").await, TestUser::register(&fixture, "bob").await);
    // Requests by others use up the links, but not the codes that the user needs.
    let link = "Set a new password";
    for _ in 0..3 {
        assert_eq!(fixture.request_reset(&alice.email).await.status, 202);
    }
    fixture.wait_for_subject(&alice.email, link).await;
    alice.enrol_email().await;
    // Logins may use five times as many.
    for _ in 0..5 {
        let (challenge, code) = alice.login_challenge_by_email(&["email", "recovery_code"]).await;
        alice.complete_login(&challenge, &code).await;
    }
    // A recovery code needs no email, and requests with an access token count separately.
    challenge_of(&alice.try_login().await, &["recovery_code"]);
    let asked = alice.post("challenge/", json!({})).await;
    assert_eq!(string_list(&asked.json()["methods"]), ["email", "recovery_code"], "{}", asked.text);
    assert_unknown(&fixture.try_login("alice", WRONG).await);
    let received = fixture.received_to(&alice.email);
    assert_eq!(received.iter().filter(|message| message.subject.contains(link)).count(), 1);

    // With an authenticator as well, only that is offered.
    let (authenticator, recovery_codes) = bob.enrol_authenticator().await;
    let mut enrolment = json!({"method": "email", "password": PASSWORD});
    enrolment["challenge"] = bob.challenge().await.into();
    enrolment["code"] = recovery_codes[0].as_str().into();
    let begun = bob.post("", enrolment).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let body = json!({"challenge": begun.field("challenge"), "code": bob.code_after(0).await});
    assert_eq!(bob.post("confirm/", body).await.status, 200);
    for _ in 0..5 {
        bob.login_challenge_by_email(&["totp", "email", "recovery_code"]).await;
    }
    let challenge = bob.login_challenge(&["totp", "recovery_code"]).await;
    bob.complete_login(&challenge, &authenticator.code(0)).await;
    assert_eq!(bob.codes().len(), 6);
}

async fn nothing_is_throttled_without_limits(database: Database) {
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__THROTTLE__ENABLED", "false");
        let options = options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "1");
        let options = options.env("AUTH__THROTTLE__PASSWORD_FIRST_DELAY_SECONDS", "1800");
        let options = options.env("AUTH__THROTTLE__SECOND_FACTOR_PER_DAY", "1");
        let options = options.env("AUTH__THROTTLE__FAILURES_PER_CLIENT_IP_PER_HOUR", "1");
        let options = options.env("AUTH__THROTTLE__EMAIL_REQUESTS_PER_EMAIL_ADDRESS_PER_HOUR", "1");
        let options = options.env("AUTH__THROTTLE__EMAIL_REQUESTS_PER_CLIENT_IP_PER_HOUR", "1");
        let options = options.env("AUTH__THROTTLE__EMAILS_PER_ACCOUNT_PER_HOUR", "1");
        options.env("AUTH__THROTTLE__CODE_EMAILS_PER_ACCOUNT_PER_HOUR", "1")
    });
    let alice = TestUser::register(&fixture, "alice").await;
    guess(&fixture, "alice", 15).await;
    fixture.login("alice").await;
    for _ in 0..3 {
        assert_eq!(fixture.request_reset(&alice.email).await.status, 202);
    }
    let received = || fixture.received_to(&alice.email).into_iter();
    eventually("three links", async || received().filter(|one| one.subject.contains("Set a new")).count() == 3).await;

    alice.enrol_email().await;
    for _ in 0..3 {
        let (challenge, code) = alice.login_challenge_by_email(&["email", "recovery_code"]).await;
        // The limit of five codes per challenge still applies.
        for _ in 0..5 {
            assert_refused(&fixture.answer_challenge(&challenge, &different_code(&code)).await, "code_not_valid");
        }
        assert_refused(&fixture.answer_challenge(&challenge, &code).await, "challenge_not_valid");
    }
    let (challenge, code) = alice.login_challenge_by_email(&["email", "recovery_code"]).await;
    alice.complete_login(&challenge, &code).await;
}
