//! Floods of registrations: what they are refused, and what they must not delay.

use auth_tests::answers::assert_unavailable;
use auth_tests::cases::OnBothDatabases;
use auth_tests::concurrency::{eventually, run_concurrently};
use auth_tests::{Answer, Database, MockSmtp, PASSWORD, ServerOptions, TestClient, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::SERVER;
use crate::email::SharedServers;
use crate::email::fixture::{Fixture, challenge_of, options, with_verification};
use crate::email::password_reset::RESET;

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![
        OnBothDatabases =>
            a_client_ip_may_register_twenty_users_per_hour,
            replicas_share_the_count_of_a_client_ip,
            logins_succeed_while_registrations_fill_the_hash_queue,
            codes_and_resets_are_delivered_before_verification_emails,
            emails_to_unverified_addresses_contain_no_user_input,
            emails_to_verified_addresses_contain_the_first_name,
    ]
}

const HOUR: u64 = 60 * 60;
const VICTIM: &str = "victim@example.com";

/// Restores the limit of the profile, which test servers raise.
fn with_registration_limit(options: ServerOptions) -> ServerOptions {
    options.without("AUTH__THROTTLE__REGISTRATIONS_PER_CLIENT_IP_PER_HOUR")
}

fn body(username: &str, email: &str) -> Value {
    json!({"username": username, "email": email, "first_name": "Al", "password": PASSWORD, "password2": PASSWORD})
}

async fn register_from(client: &TestClient, client_ip: &str, body: &Value) -> Answer {
    let request = client.http.post(format!("{}/api/register/", client.url)).header("X-Forwarded-For", client_ip);
    Answer::of(request.json(body).send().await.expect("an answer")).await
}

#[track_caller]
fn assert_too_many(answer: &Answer) {
    assert_eq!(answer.status, 429, "{}", answer.text);
    let seconds: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=HOUR).contains(&seconds), "{seconds}");
    assert_eq!(answer.field("code"), "too_many_registrations");
    assert!(answer.field("detail").contains(&format!("{seconds} second")), "{}", answer.text);
}

async fn a_client_ip_may_register_twenty_users_per_hour(database: Database) {
    let fixture = Fixture::with(database, with_registration_limit);
    // Invalid requests do not count.
    for _ in 0..30 {
        assert_eq!(fixture.post("/api/register/", json!({"username": "alice"})).await.status, 400);
    }
    assert_eq!(fixture.register("alice").await.status, 201);
    // Attempts with names and email addresses that are taken count, which limits probing.
    for _ in 0..10 {
        let taken = fixture.post("/api/register/", body("other", "alice@example.com")).await;
        assert_eq!(taken.status, 400, "{}", taken.text);
    }
    for number in 0..9 {
        assert_eq!(fixture.register(&format!("user{number}")).await.status, 201, "{number}");
    }
    for (username, email) in [("another", "another@example.com"), ("alice", "alice@example.com")] {
        assert_too_many(&fixture.post("/api/register/", body(username, email)).await);
    }
    fixture.login("alice").await;
    let other_ip = "198.51.100.7";
    let answer = register_from(&fixture.client, other_ip, &body("another", "another@example.com")).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    // An IPv6 /64 counts as one client IP.
    for number in 0..20 {
        let body = body(&format!("six{number}"), &format!("six{number}@example.com"));
        let answer = register_from(&fixture.client, &format!("2001:db8::{number}"), &body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
    }
    let body = body("seven", "seven@example.com");
    assert_too_many(&register_from(&fixture.client, "2001:db8::ffff:1", &body).await);
    assert_eq!(register_from(&fixture.client, "2001:db8:0:1::1", &body).await.status, 201);
}

async fn replicas_share_the_count_of_a_client_ip(database: Database) {
    let smtp = MockSmtp::open();
    let options = with_registration_limit(options(&database, &smtp));
    let replica = block_in_place(|| options.clone().start(SERVER));
    let fixture = Fixture::at(database, smtp, |_| options);
    let other = TestClient::forwarded_for(&replica.url(), &fixture.client_ip);
    let calls = (0..40).map(|number| {
        let client = if number % 2 == 0 { fixture.client.clone() } else { other.clone() };
        async move { client.register(&format!("user{number}")).await }
    });
    let answers = run_concurrently(calls).await;
    let (registered, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((registered.len(), refused.len()), (20, 20));
    refused.into_iter().for_each(assert_too_many);
    assert_eq!(fixture.database.query("SELECT count(*) FROM users"), ["20"]);
}

async fn logins_succeed_while_registrations_fill_the_hash_queue(database: Database) {
    const FLOOD: usize = 120;
    let fixture = Fixture::with(database, |options| {
        let options = options.env("AUTH__PASSWORDS__HASH_THREADS", "1").env("AUTH__PASSWORDS__HASH_QUEUE", "16");
        let options = options.env("AUTH__PASSWORDS__ARGON2_MEMORY_KIB", "8192");
        options.env("AUTH__DATABASE__ACQUIRE_TIMEOUT_MILLISECONDS", "60000")
    });
    fixture.register("alice").await;
    let flood = async {
        run_concurrently((0..FLOOD).map(|number| {
            let client = fixture.client.clone();
            async move { client.register(&format!("user{number}")).await }
        }))
        .await
    };
    let logins = async {
        let mut answers = Vec::new();
        for _ in 0..20 {
            answers.push(fixture.try_login("alice", PASSWORD).await);
        }
        answers
    };
    let (registrations, logins) = tokio::join!(flood, logins);
    logins.iter().for_each(|answer| drop(TokenPair::of(answer)));
    let refused: Vec<_> = registrations.iter().filter(|answer| answer.status != 201).collect();
    assert!(!refused.is_empty(), "the queue was never full");
    refused.into_iter().for_each(|answer| assert_unavailable("a registration", answer));
}

async fn codes_and_resets_are_delivered_before_verification_emails(database: Database) {
    const NEW_ACCOUNTS: usize = 10;
    let fixture = Fixture::with(database, |options| with_verification(options, "optional"));
    let pair = fixture.register_and_login("alice").await;
    let alice = "alice@example.com";
    let verified = fixture.wait_for_nth(alice, 1).await;
    assert_eq!(fixture.verify(verified.token()).await.status, 200);
    fixture.enrol_email(&pair, alice).await;
    fixture.register("bob").await;
    let before = fixture.smtp.received().len() + 1;
    eventually("all emails are sent", async || fixture.smtp.received().len() == before).await;
    fixture.smtp.set_stalled(true);
    for number in 0..NEW_ACCOUNTS {
        assert_eq!(fixture.register(&format!("user{number}")).await.status, 201);
    }
    block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
    assert_eq!(fixture.request_reset("bob@example.com").await.status, 202);
    challenge_of(&fixture.try_login("alice", PASSWORD).await, &["email", "recovery_code"]);
    fixture.smtp.set_stalled(false);
    let all = before + NEW_ACCOUNTS + 2;
    eventually("all emails have arrived", async || fixture.smtp.received().len() == all).await;
    let received = fixture.smtp.received().split_off(before);
    // The delivery of this email had already started.
    assert!(received[0].to[0].starts_with("user"), "{:?}", received[0].to);
    assert_eq!(received[1].to, [alice]);
    assert!(!received[1].code().is_empty());
    assert_eq!(received[2].to, ["bob@example.com"]);
    assert!(received[2].subject.contains(RESET), "{}", received[2].subject);
    assert!(received[3..].iter().all(|email| email.to[0].starts_with("user")));
}

async fn emails_to_unverified_addresses_contain_no_user_input(database: Database) {
    let fixture = Fixture::with(database, |options| with_verification(options, "optional"));
    let request = fixture.client.http.post(format!("{}/api/register/", fixture.client.url));
    let mut account = body("call-0900-4711-now", VICTIM);
    account["first_name"] = json!("You won a prize, ring us");
    let request = request.header("User-Agent", "evil: read this").json(&account);
    let registered = Answer::of(request.send().await.unwrap()).await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    let pair = fixture.login("call-0900-4711-now").await;
    assert_eq!(fixture.request_reset(VICTIM).await.status, 202);
    fixture.wait_for_nth(VICTIM, 2).await;
    // The notice must not contain the new email address, which the attacker chose.
    let change = json!({"email": "prize@evil.example", "password": PASSWORD});
    assert_eq!(fixture.patch_me(&pair.access, change).await.status, 200);
    fixture.wait_for_nth(VICTIM, 3).await;
    fixture.wait_for_nth("prize@evil.example", 1).await;
    let received = fixture.smtp.received();
    assert_eq!(received.len(), 4);
    for email in received {
        let raw = email.raw.replace("prize@evil.example", "the recipient");
        for text in ["You won", "ring us", "0900-4711", "evil", "read this", "prize"] {
            assert!(!raw.contains(text), "{text} in {raw}");
        }
        assert!(email.text.starts_with("Hello,"), "{}", email.text);
    }
}

async fn emails_to_verified_addresses_contain_the_first_name(database: Database) {
    let fixture = Fixture::with(database, |options| with_verification(options, "optional"));
    fixture.register("alice").await;
    let alice = "alice@example.com";
    let email = fixture.wait_for_nth(alice, 1).await;
    assert!(
        email.text.starts_with("Hello,") && email.text.lines().any(|line| line == "Account: alice"),
        "{}",
        email.text
    );
    assert_eq!(fixture.verify(email.token()).await.status, 200);
    assert_eq!(fixture.request_reset(alice).await.status, 202);
    let email = fixture.wait_for_nth(alice, 2).await;
    assert!(email.text.starts_with("Hello Al,"), "{}", email.text);
}
