//! Limits of attempts: whom they stop, whom they leave alone, and that they tell nothing.

use std::collections::BTreeSet;

use auth_tests::answers::assert_throttled;
use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::{at_once, eventually};
use auth_tests::{Answer, Database, MockSmtp, PASSWORD, TestClient, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::SERVER;
use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, challenge_of, options, texts};
use crate::email::second_factors::users::{Person, assert_refused, other_than};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            after_ten_wrong_passwords_every_guess_gets_one_answer,
            a_right_password_begins_the_count_anew,
            other_spellings_give_no_new_counter,
            whoever_is_guessed_at_goes_on_and_gets_in_by_a_reset;
        servers.optional =>
            a_password_is_guessed_nowhere_else_either;
        OnSqlite =>
            a_wait_ends_by_itself,
            a_restart_forgets_no_count,
            many_accounts_are_guessed_at_from_one_address,
            nobody_but_a_proxy_says_who_the_client_is,
            a_proxy_says_who_the_client_is,
            requests_for_mails_are_counted_by_the_address_that_was_typed,
            requests_for_mails_are_counted_by_client,
            codes_by_mail_are_counted_apart_from_links,
            without_limits_nobody_waits;
        OnBothDatabases =>
            two_replicas_count_together,
            of_fifty_guesses_at_once_ten_are_looked_at,
    ]
}

const HOUR: u64 = 60 * 60;
const WRONG: &str = "wrong-Password-1";
/// An address that somebody forwards for, one that nobody guesses from, and one that somebody claims to have.
const CLIENT: &str = "198.51.100.7";
const NEIGHBOUR: &str = "198.51.100.8";
const CLAIMED: &str = "203.0.113.9";

/// So many wrong passwords, each of them looked at.
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

/// What can be seen of a refusal, but for how long is left to wait: the body and the names of the headers.
#[track_caller]
fn seen(answer: &Answer) -> (String, BTreeSet<String>) {
    let seconds = assert_throttled(answer).to_string();
    let names = answer.headers.keys().map(|name| name.to_string()).collect();
    (answer.text.replace(&seconds, "…"), names)
}

/// `POST` as from a client behind a proxy, by what stands in `X-Forwarded-For`.
async fn post_for(fixture: &Fixture, forwarded: &str, path: &str, body: Value) -> Answer {
    let request =
        fixture.client.http.post(format!("{}{path}", fixture.client.url)).header("X-Forwarded-For", forwarded);
    Answer::of(request.json(&body).send().await.expect("an answer")).await
}

async fn login_for(fixture: &Fixture, forwarded: &str, name: &str, password: &str) -> Answer {
    post_for(fixture, forwarded, "/api/token/", json!({"username": name, "password": password})).await
}

async fn after_ten_wrong_passwords_every_guess_gets_one_answer(fixture: Fixture) {
    for name in ["alice", "bob"] {
        fixture.register(name).await;
    }
    fixture.users("deactivate", "bob");
    // Whoever is known, locked out, or nobody.
    for name in ["alice", "bob", "nobody"] {
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
        ("nobody", PASSWORD),
        ("nobody", WRONG),
    ] {
        assert_eq!(seen(&fixture.try_login(name, password).await), seen(&first), "{name} {password}");
    }
    // What is refused is not counted: it makes no wait longer.
    let next = assert_throttled(&fixture.try_login("alice", PASSWORD).await);
    assert!(next <= assert_throttled(&first), "{next}");
    // Others do not wait.
    fixture.newcomer("carol").await;
}

async fn a_right_password_begins_the_count_anew(fixture: Fixture) {
    fixture.register("alice").await;
    for _ in 0..3 {
        guess(&fixture, "alice", 9).await;
        fixture.login("alice").await;
    }
    guess(&fixture, "alice", 10).await;
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
}

async fn a_wait_ends_by_itself(database: Database) {
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "1");
        let options = options.env("AUTH__THROTTLE__PASSWORD_FIRST_WAIT_SECONDS", "1");
        options.env("AUTH__THROTTLE__PASSWORD_LONGEST_WAIT_SECONDS", "1")
    });
    fixture.register("alice").await;
    guess(&fixture, "alice", 1).await;
    eventually("the wait ends", async || match fixture.try_login("alice", PASSWORD).await {
        answer if answer.status == 429 => {
            assert_eq!(assert_throttled(&answer), 1);
            false
        }
        // Name and account have a delay each, in whole seconds: that of the account may end a second later.
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

async fn other_spellings_give_no_new_counter(fixture: Fixture) {
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
    // The name and the address of an account, and those of nobody, are answered alike.
    for (name, password) in [("alice", PASSWORD), ("nobody", WRONG)] {
        let all = spellings(&fixture.own(name));
        let (names, addresses) = all.split_at(5);
        for _ in 0..10 {
            assert_unknown(&login(&names[0], WRONG).await);
        }
        // The account has had its guesses, and the right password is none any more; but that it is the account with this
        // address, nobody is told.
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

async fn a_restart_forgets_no_count(database: Database) {
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

async fn of_fifty_guesses_at_once_ten_are_looked_at(database: Database) {
    let fixture = Fixture::of(database);
    fixture.register("alice").await;
    for name in ["alice", "nobody"] {
        let calls = (0..50).map(|number| {
            let (api, body) =
                (fixture.client.clone(), json!({"username": name, "password": format!("{WRONG}{number}")}));
            async move { api.post("/api/token/", None, body).await }
        });
        let answers = at_once(calls).await;
        let (throttled, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 429);
        throttled.iter().for_each(|answer| assert!(assert_throttled(answer) > 0));
        others.iter().for_each(|answer| assert_unknown(answer));
        assert_eq!((others.len(), throttled.len()), (10, 40), "{name}");
    }
}

async fn whoever_is_guessed_at_goes_on_and_gets_in_by_a_reset(fixture: Fixture) {
    let pair = fixture.newcomer("alice").await;
    guess(&fixture, "alice", 10).await;
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
    let pair = TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);

    assert_eq!(fixture.forget("alice@example.com").await.status, 202);
    let message = fixture.with_subject("alice@example.com", "Set a new password").await;
    let confirmed = fixture.confirm_reset(message.token(), NEW_PASSWORD).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
    guess(&fixture, "alice", 10).await;
    assert_throttled(&fixture.try_login("alice", NEW_PASSWORD).await);
}

async fn a_password_is_guessed_nowhere_else_either(fixture: Fixture) {
    let alice = Person::registered(&fixture, "alice").await;
    let change = async |password: &str| {
        let body = json!({"old_password": password, "new_password": NEW_PASSWORD});
        fixture.client.post("/api/users/me/password/", Some(&alice.pair.access), body).await
    };
    let move_to = async |password: &str| {
        let request =
            fixture.client.http.patch(format!("{}/api/users/me/", fixture.client.url)).bearer_auth(&alice.pair.access);
        let request = request.json(&json!({"email": "other@example.com", "password": password}));
        Answer::of(request.send().await.unwrap()).await
    };
    let enrol = async |password: &str| alice.post("", json!({"method": "totp", "password": password})).await;
    guess(&fixture, "alice", 1).await;
    for _ in 0..3 {
        change(WRONG).await.refuses("old_password", "Wrong password.");
        move_to(WRONG).await.refuses("password", "Wrong password.");
        enrol(WRONG).await.refuses("password", "Wrong password.");
    }
    for password in [PASSWORD, WRONG] {
        assert_throttled(&change(password).await);
        assert_throttled(&move_to(password).await);
        assert_throttled(&enrol(password).await);
        assert_throttled(&fixture.try_login("alice", password).await);
    }
    assert_eq!(fixture.client.me(&alice.pair.access).await.status, 200);
}

async fn many_accounts_are_guessed_at_from_one_address(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__THROTTLE__FAILURES_PER_ADDRESS_PER_HOUR", "15"));
    let alice = Person::registered(&fixture, "alice").await;
    let bob = fixture.newcomer("bob").await;
    alice.enrol_by_mail().await;
    // Right ones do not count.
    for _ in 0..3 {
        fixture.login("bob").await;
    }
    for number in 0..12 {
        guess(&fixture, &format!("nobody{number}"), 1).await;
    }
    let (challenge, code) = alice.asked_by_mail(&["email", "recovery_code"]).await;
    for _ in 0..3 {
        assert_refused(&fixture.answer(&challenge, &other_than(&code)).await, "code_not_valid");
    }
    // A right one for an account without failures is let in; a wrong one is answered as one that is not compared.
    fixture.login("bob").await;
    let known = fixture.try_login("bob", WRONG).await;
    assert!((1..=HOUR).contains(&assert_throttled(&known)), "{known:?}");
    for (name, password) in
        [("bob", PASSWORD), ("bob", WRONG), ("nobody", WRONG), ("nobody", WRONG), ("nobody0", PASSWORD)]
    {
        assert_eq!(seen(&fixture.try_login(name, password).await), seen(&known), "{name}");
    }
    assert_eq!(seen(&fixture.answer(&challenge, &code).await), seen(&known));
    // Whoever is in stays in.
    assert_eq!(fixture.client.me(&bob.access).await.status, 200);
    TokenPair::of(&fixture.client.refresh(&bob.refresh).await);
}

async fn nobody_but_a_proxy_says_who_the_client_is(database: Database) {
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__SERVER__TRUSTED_PROXIES", "192.0.2.1, 10.0.0.0/8");
        options.env("AUTH__THROTTLE__FAILURES_PER_ADDRESS_PER_HOUR", "3")
    });
    fixture.register("alice").await;
    // With a failure of its own, the account is no exception to the limit of a client IP.
    assert_unknown(&login_for(&fixture, "127.0.0.1", "alice", WRONG).await);
    for number in 0..2 {
        let claimed = format!("198.51.100.{number}");
        assert_unknown(&login_for(&fixture, &claimed, &format!("nobody{number}"), WRONG).await);
    }
    for claimed in ["198.51.100.9", "127.0.0.1", "10.0.0.1", "192.0.2.1", "::1", "", "unknown"] {
        let answer = login_for(&fixture, claimed, "alice", PASSWORD).await;
        assert_throttled(&answer);
        assert_eq!(logged_address(&fixture, &answer).await, "127.0.0.1", "{claimed}");
    }
    assert_throttled(&fixture.try_login("alice", PASSWORD).await);
    let warnings = fixture.server.log().matches("X-Forwarded-For from a peer that is not a trusted proxy").count();
    assert_eq!(warnings, 1, "{}", fixture.server.log());
}

async fn a_proxy_says_who_the_client_is(database: Database) {
    let fixture = Fixture::with(database, |options| options.env("AUTH__THROTTLE__FAILURES_PER_ADDRESS_PER_HOUR", "3"));
    fixture.register("alice").await;
    // What a client puts before the last hop changes nothing.
    for (number, forwarded) in
        [CLIENT.to_owned(), format!("{CLAIMED}, {CLIENT}"), format!("::1,{CLIENT}")].iter().enumerate()
    {
        assert_unknown(&login_for(&fixture, forwarded, &format!("nobody{number}"), WRONG).await);
    }
    let forms = [
        CLIENT.to_owned(),
        format!("{CLIENT}:4711"),
        format!("{CLAIMED}, {CLIENT}"),
        format!("{CLAIMED}, {CLIENT}, 127.0.0.1"),
        format!("unknown, {CLIENT}"),
        format!("::ffff:{CLIENT}"),
    ];
    for forwarded in &forms {
        let answer = login_for(&fixture, forwarded, "bob", WRONG).await;
        assert_throttled(&answer);
        assert_eq!(logged_address(&fixture, &answer).await, CLIENT, "{forwarded}");
    }
    // Nobody else waits, whoever they claim to be.
    for (forwarded, client) in
        [(NEIGHBOUR, NEIGHBOUR), (&format!("{CLIENT}, {NEIGHBOUR}"), NEIGHBOUR), (CLAIMED, CLAIMED)]
    {
        let answer = login_for(&fixture, forwarded, "alice", PASSWORD).await;
        TokenPair::of(&answer);
        assert_eq!(logged_address(&fixture, &answer).await, client, "{forwarded}");
    }
    fixture.login("alice").await;

    // Of IPv6 a subnet counts as one client.
    for host in 1..=3 {
        assert_unknown(&login_for(&fixture, &format!("2001:db8::{host}"), &format!("nobody{host}"), WRONG).await);
    }
    assert_throttled(&login_for(&fixture, "2001:db8::ffff:0:0:4", "carol", WRONG).await);
    TokenPair::of(&login_for(&fixture, "2001:db8:0:1::1", "alice", PASSWORD).await);
}

/// What the log says of the client of a request.
async fn logged_address(fixture: &Fixture, answer: &Answer) -> String {
    let id = answer.headers["x-request-id"].to_str().expect("a request id").to_owned();
    let address = || {
        let log = fixture.server.log();
        let records = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let mut spans =
            records.filter(|record| record["fields"]["message"] == "answered").map(|record| record["span"].clone());
        let span = spans.find(|span| span["request_id"] == id.as_str())?;
        Some(span["address"].as_str().expect("an address").to_owned())
    };
    eventually("a record in the log", async || address().is_some()).await;
    address().expect("it is there")
}

async fn requests_for_mails_are_counted_by_the_address_that_was_typed(database: Database) {
    let fixture =
        Fixture::with(database, |options| options.env("AUTH__THROTTLE__MAIL_REQUESTS_PER_EMAIL_PER_HOUR", "3"));
    for name in ["alice", "bob"] {
        fixture.register(name).await;
    }
    fixture.users("deactivate", "bob");
    for path in ["/api/password-reset/", "/api/email/verify/resend/"] {
        let mut answers = Vec::new();
        for name in ["alice", "bob", "nobody"] {
            let address = format!("{name}@example.com");
            for spelling in [&address, &address.to_uppercase(), &format!(" {address} ")] {
                assert_eq!(fixture.post(path, json!({"email": spelling})).await.status, 202, "{path} {spelling}");
            }
            // One more every five minutes, so that no stranger keeps the owner from being answered.
            assert_eq!(fixture.post(path, json!({"email": address})).await.status, 202, "{path} {address}");
            // From wherever: it is the address that is counted.
            let answer = post_for(&fixture, CLIENT, path, json!({"email": address.to_uppercase()})).await;
            assert!((1..=HOUR).contains(&assert_throttled(&answer)), "{answer:?}");
            answers.push(seen(&answer));
        }
        assert_eq!((&answers[0], &answers[0]), (&answers[1], &answers[2]), "{path}");
        assert_eq!(fixture.post(path, json!({"email": "other@example.com"})).await.status, 202, "{path}");
    }
}

async fn requests_for_mails_are_counted_by_client(database: Database) {
    let fixture =
        Fixture::with(database, |options| options.env("AUTH__THROTTLE__MAIL_REQUESTS_PER_ADDRESS_PER_HOUR", "4"));
    fixture.register("alice").await;
    let (reset, resend) = ("/api/password-reset/", "/api/email/verify/resend/");
    for (number, path) in [reset, resend, reset, resend].into_iter().enumerate() {
        let body = json!({"email": format!("nobody{number}@example.com")});
        let answer = post_for(&fixture, &format!("203.0.113.{number}, {CLIENT}"), path, body).await;
        assert_eq!(answer.status, 202, "{}", answer.text);
    }
    let first = post_for(&fixture, CLIENT, reset, json!({"email": "alice@example.com"})).await;
    assert!((1..=HOUR).contains(&assert_throttled(&first)), "{first:?}");
    for path in [reset, resend] {
        for email in ["alice@example.com", "nobody0@example.com", "nobody9@example.com"] {
            assert_eq!(seen(&post_for(&fixture, CLIENT, path, json!({"email": email})).await), seen(&first), "{email}");
        }
    }
    // What was refused is not sent; what somebody else asks for is.
    let answer = post_for(&fixture, NEIGHBOUR, reset, json!({"email": "alice@example.com"})).await;
    assert_eq!(answer.status, 202, "{}", answer.text);
    fixture.with_subject("alice@example.com", "Set a new password").await;
    TokenPair::of(&login_for(&fixture, CLIENT, "alice", PASSWORD).await);
}

async fn codes_by_mail_are_counted_apart_from_links(database: Database) {
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__THROTTLE__CODE_MAILS_PER_ACCOUNT_PER_HOUR", "1");
        options.env("AUTH__THROTTLE__MAILS_PER_ACCOUNT_PER_HOUR", "1")
    });
    let (alice, bob) = (Person::registered(&fixture, "alice").await, Person::registered(&fixture, "bob").await);
    // Strangers use up the links, and not the codes that the owner needs.
    let link = "Set a new password";
    for _ in 0..3 {
        assert_eq!(fixture.forget(&alice.email).await.status, 202);
    }
    fixture.with_subject(&alice.email, link).await;
    alice.enrol_by_mail().await;
    // Five times as many for logins.
    for _ in 0..5 {
        let (challenge, code) = alice.asked_by_mail(&["email", "recovery_code"]).await;
        alice.logs_in_with(&challenge, &code).await;
    }
    // There is another way in, which takes no mail; and what is asked for with a token is counted apart.
    challenge_of(&alice.try_login().await, &["recovery_code"]);
    let asked = alice.post("challenge/", json!({})).await;
    assert_eq!(texts(&asked.json()["methods"]), ["email", "recovery_code"], "{}", asked.text);
    assert_unknown(&fixture.try_login("alice", WRONG).await);
    let received = fixture.received_to(&alice.email);
    assert_eq!(received.iter().filter(|message| message.subject.contains(link)).count(), 1);

    // Whoever has an authenticator as well is asked for that alone.
    let (authenticator, recovery_codes) = bob.enrol_authenticator().await;
    let mut proven = json!({"method": "email", "password": PASSWORD});
    proven["challenge"] = bob.challenge().await.into();
    proven["code"] = recovery_codes[0].as_str().into();
    let begun = bob.post("", proven).await;
    assert_eq!(begun.status, 201, "{}", begun.text);
    let body = json!({"challenge": begun.field("challenge"), "code": bob.code_after(0).await});
    assert_eq!(bob.post("confirm/", body).await.status, 200);
    for _ in 0..5 {
        bob.asked_by_mail(&["totp", "email", "recovery_code"]).await;
    }
    let challenge = bob.asked(&["totp", "recovery_code"]).await;
    bob.logs_in_with(&challenge, &authenticator.code(0)).await;
    assert_eq!(bob.codes().len(), 6);
}

async fn without_limits_nobody_waits(database: Database) {
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__THROTTLE__ENABLED", "false");
        let options = options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "1");
        let options = options.env("AUTH__THROTTLE__PASSWORD_FIRST_WAIT_SECONDS", "1800");
        let options = options.env("AUTH__THROTTLE__SECOND_FACTOR_PER_DAY", "1");
        let options = options.env("AUTH__THROTTLE__FAILURES_PER_ADDRESS_PER_HOUR", "1");
        let options = options.env("AUTH__THROTTLE__MAIL_REQUESTS_PER_EMAIL_PER_HOUR", "1");
        let options = options.env("AUTH__THROTTLE__MAIL_REQUESTS_PER_ADDRESS_PER_HOUR", "1");
        let options = options.env("AUTH__THROTTLE__MAILS_PER_ACCOUNT_PER_HOUR", "1");
        options.env("AUTH__THROTTLE__CODE_MAILS_PER_ACCOUNT_PER_HOUR", "1")
    });
    let alice = Person::registered(&fixture, "alice").await;
    guess(&fixture, "alice", 15).await;
    fixture.login("alice").await;
    for _ in 0..3 {
        assert_eq!(fixture.forget(&alice.email).await.status, 202);
    }
    let received = || fixture.received_to(&alice.email).into_iter();
    eventually("three links", async || received().filter(|one| one.subject.contains("Set a new")).count() == 3).await;

    alice.enrol_by_mail().await;
    for _ in 0..3 {
        let (challenge, code) = alice.asked_by_mail(&["email", "recovery_code"]).await;
        // A challenge takes five all the same.
        for _ in 0..5 {
            assert_refused(&fixture.answer(&challenge, &other_than(&code)).await, "code_not_valid");
        }
        assert_refused(&fixture.answer(&challenge, &code).await, "challenge_not_valid");
    }
    let (challenge, code) = alice.asked_by_mail(&["email", "recovery_code"]).await;
    alice.logs_in_with(&challenge, &code).await;
}
