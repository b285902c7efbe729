//! Emails while mail servers are slow or unreachable and replicas are killed (REL-020): each email arrives exactly once, or,
//! after a SIGKILL, perhaps again with the same message ID.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::{eventually, run_concurrently};
use auth_tests::{
    Database, MockSmtp, PASSWORD, ReceivedEmail, ServerOptions, TestClient, TestServer, TokenPair, cases,
};
use libtest_mimic::Trial;
use serde_json::json;
use tokio::task::{JoinSet, block_in_place};

use crate::SERVER;
use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD, options};
use crate::email::password_reset::RESET;

const ALICE: &str = "alice@example.com";
/// How many emails a server delivers concurrently.
const WORKERS: usize = 4;
/// How often the server is killed.
const KILLS: usize = 4;

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![
        OnSqlite =>
            waiting_emails_arrive_once_the_mail_server_is_up,
            a_stalled_mail_server_delays_no_answers,
            an_email_refused_temporarily_arrives_once,
            a_refused_recipient_does_not_block_others_and_can_be_retried,
            an_email_is_given_up_after_the_last_attempt,
            shutdown_finishes_the_current_delivery_and_starts_no_other;
        OnBothDatabases =>
            two_replicas_send_each_email_once,
            a_killed_server_loses_no_acknowledged_email,
            an_interrupted_delivery_is_repeated_with_the_same_message_id,
    ]
}

/// Every new account gets an email, and failed deliveries are retried soon.
fn with_quick_retries(options: ServerOptions) -> ServerOptions {
    let options = options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional");
    let options = options.env("AUTH__MAIL__FIRST_RETRY_SECONDS", "1").env("AUTH__MAIL__SMTP_TIMEOUT_SECONDS", "100");
    let options = options.env("AUTH__THROTTLE__EMAIL_REQUESTS_PER_CLIENT_IP_PER_HOUR", "10000");
    options.env("AUTH__MAIL__WORKERS", &WORKERS.to_string())
}

/// Returns the rows that `outbox list` prints below its header.
fn outbox(server: &TestServer, args: &[&str]) -> Vec<String> {
    let output = block_in_place(|| server.run([&["outbox", "list"], args].concat()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().skip(1).map(str::to_owned).collect()
}

/// Returns what `outbox retry` prints.
fn retry(server: &TestServer, which: &str) -> String {
    let output = block_in_place(|| server.run(["outbox", "retry", which]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn wait_until_sent(server: &TestServer) {
    eventually("the outbox is empty", async || outbox(server, &[]).is_empty()).await;
}

/// Waits until the log contains this `count` times.
async fn wait_for_log(server: &TestServer, text: &str, count: usize) {
    eventually(text, async || server.log().matches(text).count() >= count).await;
}

/// Returns the recipients and subjects of the received emails, sorted.
fn arrived(smtp: &MockSmtp) -> Vec<(String, String)> {
    let received = smtp.received().into_iter();
    let mut arrived: Vec<_> = received.map(|mut message| (message.to.remove(0), message.subject)).collect();
    arrived.sort();
    arrived
}

fn verification(name: &str) -> (String, String) {
    (format!("{name}@example.com"), "Confirm your email address for app.example.com".to_owned())
}

async fn waiting_emails_arrive_once_the_mail_server_is_up(database: Database) {
    let fixture = Fixture::at(database, MockSmtp::closed(), with_quick_retries);
    let names = ["alice", "bob", "carol", "dave"];
    for name in names {
        assert_eq!(fixture.register(name).await.status, 201);
    }
    let pair = fixture.login("alice").await;
    TokenPair::of(&fixture.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    assert_eq!(fixture.request_reset("bob@example.com").await.status, 202);
    wait_for_log(&fixture.server, "email not delivered", 6).await;
    fixture.smtp.listen();
    wait_until_sent(&fixture.server).await;
    let mut expected: Vec<_> = names.iter().map(|name| verification(name)).collect();
    expected.push((ALICE.to_owned(), "Your password for app.example.com was changed".to_owned()));
    expected.push(("bob@example.com".to_owned(), format!("{RESET} for app.example.com")));
    expected.sort();
    assert_eq!(arrived(&fixture.smtp), expected);
    let reset = fixture.wait_for_subject("bob@example.com", RESET).await;
    assert_eq!(fixture.confirm_reset(reset.token(), NEW_PASSWORD).await.status, 200);
}

async fn a_stalled_mail_server_delays_no_answers(database: Database) {
    let fixture = Fixture::with(database, with_quick_retries);
    fixture.smtp.set_stalled(true);
    let names: Vec<_> = (0..2 * WORKERS).map(|n| format!("early{n}")).collect();
    for name in &names {
        assert_eq!(fixture.register(name).await.status, 201);
    }
    block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
    // Requests that enqueue emails are answered while none can be delivered.
    let pair = fixture.register_and_login("alice").await;
    assert_eq!(fixture.request_reset(ALICE).await.status, 202);
    assert_eq!(fixture.request_reset("unknown@example.com").await.status, 202);
    TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    TokenPair::of(&fixture.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    assert_eq!(fixture.client.get("/readyz").await.status, 200);
    assert_eq!(fixture.received().len(), 0, "nothing was delivered yet");
    fixture.smtp.set_stalled(false);
    wait_until_sent(&fixture.server).await;
    let mut expected: Vec<_> = names.iter().map(|name| verification(name)).collect();
    expected.push(verification("alice"));
    expected.push((ALICE.to_owned(), format!("{RESET} for app.example.com")));
    expected.push((ALICE.to_owned(), "Your password for app.example.com was changed".to_owned()));
    expected.sort();
    assert_eq!(arrived(&fixture.smtp), expected);
}

async fn an_email_refused_temporarily_arrives_once(database: Database) {
    let fixture = Fixture::with(database, with_quick_retries);
    fixture.smtp.fail_temporarily(2);
    fixture.register("alice").await;
    let message = fixture.wait_for_nth(ALICE, 1).await;
    wait_until_sent(&fixture.server).await;
    assert_eq!(arrived(&fixture.smtp), [verification("alice")]);
    wait_for_log(&fixture.server, "email not delivered", 2).await;
    assert_eq!(fixture.server.log().matches("email not delivered").count(), 2);
    assert_eq!(fixture.verify(message.token()).await.status, 200);
}

async fn a_refused_recipient_does_not_block_others_and_can_be_retried(database: Database) {
    let fixture = Fixture::with(database, with_quick_retries);
    fixture.smtp.refuse(ALICE);
    for name in ["alice", "bob"] {
        assert_eq!(fixture.register(name).await.status, 201);
    }
    fixture.wait_for_nth("bob@example.com", 1).await;
    eventually("the email is given up", async || outbox(&fixture.server, &["--failed"]).len() == 1).await;
    let failed = outbox(&fixture.server, &["--failed"]).remove(0);
    let words: Vec<_> = failed.split_whitespace().collect();
    assert_eq!(words[1..3], ["email_verification", ALICE], "{failed}");
    assert!(failed.contains("failed 2") && failed.contains("550"), "{failed}");
    // The message ID, the kind and the error, but nothing of the content.
    assert!(!failed.contains("token") && !failed.contains("http") && words.len() < 25, "{failed}");
    assert!(words.iter().skip(1).all(|word| word.len() < 60), "{failed}");
    eventually("nothing else is left", async || outbox(&fixture.server, &[]) == std::slice::from_ref(&failed)).await;

    fixture.smtp.accept_all();
    assert_eq!(retry(&fixture.server, words[0]), "rescheduled: 1\n");
    let message = fixture.wait_for_nth(ALICE, 1).await;
    wait_until_sent(&fixture.server).await;
    assert_eq!(arrived(&fixture.smtp), [verification("alice"), verification("bob")]);
    assert!(message.id.starts_with(words[0]), "{} {}", message.id, words[0]);
    assert_eq!(fixture.verify(message.token()).await.status, 200);
}

async fn an_email_is_given_up_after_the_last_attempt(database: Database) {
    let closed = MockSmtp::closed();
    let fixture =
        Fixture::at(database, closed, |options| with_quick_retries(options).env("AUTH__MAIL__MAX_ATTEMPTS", "2"));
    for name in ["alice", "bob"] {
        assert_eq!(fixture.register(name).await.status, 201);
    }
    eventually("both are given up", async || outbox(&fixture.server, &["--failed"]).len() == 2).await;
    for line in outbox(&fixture.server, &["--failed"]) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!((words[1], words[4]), ("email_verification", "2"), "{line}");
        assert!(line.contains("127.0.0.1 port"), "{line}");
    }
    wait_for_log(&fixture.server, "gave up on an email", 2).await;
    assert_eq!(fixture.server.log().matches("gave up on an email").count(), 2);
    fixture.smtp.listen();
    // Emails that were given up are not retried on their own; later ones arrive.
    fixture.register("carol").await;
    fixture.wait_for_nth("carol@example.com", 1).await;
    eventually("the third email is delivered", async || outbox(&fixture.server, &[]).len() == 2).await;
    assert_eq!(arrived(&fixture.smtp), [verification("carol")]);
    assert_eq!(retry(&fixture.server, "--all"), "rescheduled: 2\n");
    wait_until_sent(&fixture.server).await;
    assert_eq!(arrived(&fixture.smtp), [verification("alice"), verification("bob"), verification("carol")]);
}

/// Returns how many emails all servers are delivering at the moment.
fn in_flight(database: &Database) -> usize {
    let sql = "SELECT count(*) FROM outbox WHERE claimed_until IS NOT NULL AND kind = 'email_verification'";
    block_in_place(|| database.query(sql)[0].parse().expect("a number"))
}

async fn two_replicas_send_each_email_once(database: Database) {
    const EMAILS: usize = 40;
    let smtp = MockSmtp::open();
    let options = with_quick_retries(options(&database, &smtp));
    let replicas = block_in_place(|| [options.clone().start(SERVER), options.start(SERVER)]);
    let apis = replicas.each_ref().map(|replica| TestClient::new(&replica.url()));
    smtp.set_stalled(true);
    // Concurrent on both, but not so many that one answers 503.
    let calls = apis.into_iter().enumerate().map(|(n, api)| async move {
        for user in 0..EMAILS / 2 {
            let registered = api.register(&format!("user{n}x{user}")).await;
            assert_eq!(registered.status, 201, "{}", registered.text);
        }
    });
    run_concurrently(calls).await;
    // All workers of both replicas are busy.
    eventually("all workers are busy", async || in_flight(&database) == 2 * WORKERS).await;
    smtp.set_stalled(false);
    wait_until_sent(&replicas[0]).await;
    let received = smtp.received();
    let recipients: BTreeSet<_> = received.iter().flat_map(|message| message.to.clone()).collect();
    let ids: BTreeSet<_> = received.iter().map(|message| message.id.clone()).collect();
    assert_eq!((received.len(), recipients.len(), ids.len()), (EMAILS, EMAILS, EMAILS));
}

/// Registers users and requests password resets until the server is killed; returns the acknowledged emails as recipients
/// and subjects.
async fn enqueue_emails(api: TestClient, prefix: String, acknowledged: Arc<AtomicUsize>) -> Vec<(String, String)> {
    let mut expected = Vec::new();
    for n in 0.. {
        let name = format!("{prefix}x{n}");
        let email = format!("{name}@example.com");
        let body = json!({
            "username": name, "email": email, "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
        });
        let Ok(registered) = api.try_post("/api/register/", None, &body).await else { break };
        assert_eq!(registered.status, 201, "{}", registered.text);
        expected.push(verification(&name));
        acknowledged.fetch_add(1, Ordering::Relaxed);
        let Ok(asked) = api.try_post("/api/password-reset/", None, &json!({"email": email})).await else { break };
        assert_eq!(asked.status, 202, "{}", asked.text);
        expected.push((email, format!("{RESET} for app.example.com")));
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    expected
}

async fn a_killed_server_loses_no_acknowledged_email(database: Database) {
    let fixture = Fixture::with(database, with_quick_retries);
    let mut expected = Vec::new();
    for kill in 0..KILLS {
        // Either during deliveries that lack only the answer, or at any point.
        let is_stalled = kill % 2 == 0;
        fixture.smtp.set_stalled(is_stalled);
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let tasks =
            (0..3).map(|n| enqueue_emails(fixture.client.clone(), format!("c{kill}x{n}"), acknowledged.clone()));
        let tasks: JoinSet<_> = tasks.collect();
        eventually("emails are enqueued", async || acknowledged.load(Ordering::Relaxed) >= 20 + 3 * kill).await;
        if is_stalled {
            block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
        }
        block_in_place(|| fixture.server.kill());
        expected.extend(tasks.join_all().await.into_iter().flatten());
        // The mail server keeps these emails although no client learns of it.
        fixture.smtp.set_stalled(false);
        // As if the leases of the killed server had ended.
        fixture.database.execute("UPDATE outbox SET claimed_until = queued_at WHERE claimed_until IS NOT NULL");
        block_in_place(|| fixture.server.restart());
    }
    wait_until_sent(&fixture.server).await;

    let mut ids: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for mut message in fixture.received() {
        ids.entry((message.to.remove(0), message.subject)).or_default().push(message.id);
    }
    assert!(expected.len() >= 20 * KILLS, "{}", expected.len());
    for email in &expected {
        assert!(ids.contains_key(email), "{email:?} is lost");
    }
    let mut repeated = 0;
    for (email, ids) in &ids {
        repeated += ids.len() - 1;
        assert!(ids.iter().all(|id| *id == ids[0]), "{email:?} has several message IDs: {ids:?}");
    }
    assert!(repeated <= WORKERS * KILLS, "{repeated} emails were repeated");
    assert!(
        repeated >= KILLS / 2,
        "{repeated}: the server was not killed between the answer and the update of the outbox"
    );
    // The links work.
    let (address, _) = &expected[0];
    let received = fixture.received_to(address);
    let find = |part: &str| received.iter().find(|message| message.subject.contains(part)).expect("an email");
    assert_eq!(fixture.verify(find("Confirm").token()).await.status, 200);
    assert_eq!(fixture.confirm_reset(find(RESET).token(), NEW_PASSWORD).await.status, 200);
}

async fn shutdown_finishes_the_current_delivery_and_starts_no_other(database: Database) {
    let with_long_shutdown = |options| with_quick_retries(options).env("AUTH__SERVER__SHUTDOWN_TIMEOUT_SECONDS", "60");
    let fixture = Fixture::with(database, with_long_shutdown);
    fixture.smtp.set_stalled(true);
    fixture.register("alice").await;
    block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
    fixture.register("bob").await;
    fixture.server.terminate();
    wait_for_log(&fixture.server, "stopping", 1).await;
    fixture.smtp.set_stalled(false);
    let status = block_in_place(|| fixture.server.wait());
    assert!(status.success(), "{status}: {}", fixture.server.log());
    assert_eq!(arrived(&fixture.smtp), [verification("alice")]);
    let waiting = outbox(&fixture.server, &[]);
    assert!(waiting.len() == 1 && waiting[0].contains("bob@example.com"), "{waiting:?}");
    block_in_place(|| fixture.server.restart());
    wait_until_sent(&fixture.server).await;
    assert_eq!(arrived(&fixture.smtp), [verification("alice"), verification("bob")]);
}

async fn an_interrupted_delivery_is_repeated_with_the_same_message_id(database: Database) {
    let with_short_shutdown = |options| with_quick_retries(options).env("AUTH__SERVER__SHUTDOWN_TIMEOUT_SECONDS", "1");
    let fixture = Fixture::with(database, with_short_shutdown);
    fixture.smtp.set_stalled(true);
    fixture.register("alice").await;
    block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
    fixture.server.terminate();
    let status = block_in_place(|| fixture.server.wait());
    assert!(status.success(), "{status}: {}", fixture.server.log());
    assert!(fixture.server.log().contains("email delivery interrupted"), "{}", fixture.server.log());
    fixture.smtp.set_stalled(false);
    fixture.database.execute("UPDATE outbox SET claimed_until = queued_at WHERE claimed_until IS NOT NULL");
    block_in_place(|| fixture.server.restart());
    wait_until_sent(&fixture.server).await;
    let received: Vec<ReceivedEmail> = fixture.received_to(ALICE);
    assert_eq!(received.len(), 2, "the email was accepted and sent again");
    assert_eq!(received[0].id, received[1].id);
}
