//! Mails whose servers are slow, away or killed (REL-020): each arrives, and once; after a SIGKILL perhaps again, by the
//! same name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use auth_tests::cases::{OnBothDatabases, OnSqlite};
use auth_tests::concurrency::{at_once, eventually};
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
/// How many mails a server sends at once here.
const WORKERS: usize = 4;
/// How often a server is killed.
const KILLS: usize = 4;

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![
        OnSqlite =>
            what_waits_for_a_mail_server_arrives_once_it_is_up,
            a_mail_server_that_is_stuck_delays_no_answer,
            a_mail_that_is_put_off_arrives_once,
            a_recipient_that_is_refused_holds_up_nobody_and_is_tried_again,
            what_was_tried_often_enough_is_kept_as_failed,
            a_stopped_server_finishes_the_mail_in_flight_and_begins_no_other;
        OnBothDatabases =>
            two_replicas_send_each_mail_once,
            a_killed_server_loses_no_mail_that_it_promised,
            a_mail_that_is_broken_off_by_a_stop_comes_again_by_the_same_name,
    ]
}

/// Every new account gets a mail, and what fails is tried again soon.
fn eager(options: ServerOptions) -> ServerOptions {
    let options = options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional");
    let options = options.env("AUTH__MAIL__FIRST_RETRY_SECONDS", "1").env("AUTH__MAIL__SMTP_TIMEOUT_SECONDS", "100");
    let options = options.env("AUTH__THROTTLE__MAIL_REQUESTS_PER_ADDRESS_PER_HOUR", "10000");
    options.env("AUTH__MAIL__WORKERS", &WORKERS.to_string())
}

/// What `outbox list` prints below its titles.
fn outbox(server: &TestServer, args: &[&str]) -> Vec<String> {
    let output = block_in_place(|| server.run([&["outbox", "list"], args].concat()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().skip(1).map(str::to_owned).collect()
}

/// What `outbox retry` prints.
fn retry(server: &TestServer, which: &str) -> String {
    let output = block_in_place(|| server.run(["outbox", "retry", which]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn all_is_sent(server: &TestServer) {
    eventually("the outbox is empty", async || outbox(server, &[]).is_empty()).await;
}

/// Waits until this stands so often in the log.
async fn logged(server: &TestServer, text: &str, count: usize) {
    eventually(text, async || server.log().matches(text).count() >= count).await;
}

/// Recipients and subjects of what arrived, in order.
fn arrived(smtp: &MockSmtp) -> Vec<(String, String)> {
    let received = smtp.received().into_iter();
    let mut arrived: Vec<_> = received.map(|mut message| (message.to.remove(0), message.subject)).collect();
    arrived.sort();
    arrived
}

fn verification(name: &str) -> (String, String) {
    (format!("{name}@example.com"), "Confirm your address for app.example.com".to_owned())
}

async fn what_waits_for_a_mail_server_arrives_once_it_is_up(database: Database) {
    let fixture = Fixture::at(database, MockSmtp::closed(), eager);
    let names = ["alice", "bob", "carol", "dave"];
    for name in names {
        assert_eq!(fixture.register(name).await.status, 201);
    }
    let pair = fixture.login("alice").await;
    TokenPair::of(&fixture.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    assert_eq!(fixture.forget("bob@example.com").await.status, 202);
    logged(&fixture.server, "an email was not delivered", 6).await;
    fixture.smtp.listen();
    all_is_sent(&fixture.server).await;
    let mut expected: Vec<_> = names.iter().map(|name| verification(name)).collect();
    expected.push((ALICE.to_owned(), "Your password for app.example.com was changed".to_owned()));
    expected.push(("bob@example.com".to_owned(), format!("{RESET} for app.example.com")));
    expected.sort();
    assert_eq!(arrived(&fixture.smtp), expected);
    let reset = fixture.with_subject("bob@example.com", RESET).await;
    assert_eq!(fixture.confirm_reset(reset.token(), NEW_PASSWORD).await.status, 200);
}

async fn a_mail_server_that_is_stuck_delays_no_answer(database: Database) {
    let fixture = Fixture::with(database, eager);
    fixture.smtp.set_stalled(true);
    let names: Vec<_> = (0..2 * WORKERS).map(|n| format!("early{n}")).collect();
    for name in &names {
        assert_eq!(fixture.register(name).await.status, 201);
    }
    block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
    // Whatever causes a mail is answered while none is taken.
    let pair = fixture.newcomer("alice").await;
    assert_eq!(fixture.forget(ALICE).await.status, 202);
    assert_eq!(fixture.forget("nobody@example.com").await.status, 202);
    TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
    TokenPair::of(&fixture.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    assert_eq!(fixture.client.get("/readyz").await.status, 200);
    assert_eq!(fixture.received().len(), 0, "none was taken yet");
    fixture.smtp.set_stalled(false);
    all_is_sent(&fixture.server).await;
    let mut expected: Vec<_> = names.iter().map(|name| verification(name)).collect();
    expected.push(verification("alice"));
    expected.push((ALICE.to_owned(), format!("{RESET} for app.example.com")));
    expected.push((ALICE.to_owned(), "Your password for app.example.com was changed".to_owned()));
    expected.sort();
    assert_eq!(arrived(&fixture.smtp), expected);
}

async fn a_mail_that_is_put_off_arrives_once(database: Database) {
    let fixture = Fixture::with(database, eager);
    fixture.smtp.fail_temporarily(2);
    fixture.register("alice").await;
    let message = fixture.nth(ALICE, 1).await;
    all_is_sent(&fixture.server).await;
    assert_eq!(arrived(&fixture.smtp), [verification("alice")]);
    logged(&fixture.server, "an email was not delivered", 2).await;
    assert_eq!(fixture.server.log().matches("an email was not delivered").count(), 2);
    assert_eq!(fixture.verify(message.token()).await.status, 200);
}

async fn a_recipient_that_is_refused_holds_up_nobody_and_is_tried_again(database: Database) {
    let fixture = Fixture::with(database, eager);
    fixture.smtp.refuse(ALICE);
    for name in ["alice", "bob"] {
        assert_eq!(fixture.register(name).await.status, 201);
    }
    fixture.nth("bob@example.com", 1).await;
    eventually("it is given up", async || outbox(&fixture.server, &["--failed"]).len() == 1).await;
    let failed = outbox(&fixture.server, &["--failed"]).remove(0);
    let words: Vec<_> = failed.split_whitespace().collect();
    assert_eq!(words[1..3], ["email_verification", ALICE], "{failed}");
    assert!(failed.contains("failed 2") && failed.contains("550"), "{failed}");
    // Its name, its kind, and why; nothing of what it says.
    assert!(!failed.contains("token") && !failed.contains("http") && words.len() < 25, "{failed}");
    assert!(words.iter().skip(1).all(|word| word.len() < 60), "{failed}");
    eventually("nothing else is left", async || outbox(&fixture.server, &[]) == std::slice::from_ref(&failed)).await;

    fixture.smtp.accept_all();
    assert_eq!(retry(&fixture.server, words[0]), "due again: 1\n");
    let message = fixture.nth(ALICE, 1).await;
    all_is_sent(&fixture.server).await;
    assert_eq!(arrived(&fixture.smtp), [verification("alice"), verification("bob")]);
    assert!(message.id.starts_with(words[0]), "{} {}", message.id, words[0]);
    assert_eq!(fixture.verify(message.token()).await.status, 200);
}

async fn what_was_tried_often_enough_is_kept_as_failed(database: Database) {
    let closed = MockSmtp::closed();
    let fixture = Fixture::at(database, closed, |options| eager(options).env("AUTH__MAIL__MAX_ATTEMPTS", "2"));
    for name in ["alice", "bob"] {
        assert_eq!(fixture.register(name).await.status, 201);
    }
    eventually("both are given up", async || outbox(&fixture.server, &["--failed"]).len() == 2).await;
    for line in outbox(&fixture.server, &["--failed"]) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!((words[1], words[4]), ("email_verification", "2"), "{line}");
        assert!(line.contains("127.0.0.1 port"), "{line}");
    }
    logged(&fixture.server, "an email was given up", 2).await;
    assert_eq!(fixture.server.log().matches("an email was given up").count(), 2);
    fixture.smtp.listen();
    // Nobody sends it by themselves: what is caused later arrives, and those are still kept.
    fixture.register("carol").await;
    fixture.nth("carol@example.com", 1).await;
    eventually("the other one is sent", async || outbox(&fixture.server, &[]).len() == 2).await;
    assert_eq!(arrived(&fixture.smtp), [verification("carol")]);
    assert_eq!(retry(&fixture.server, "--all"), "due again: 2\n");
    all_is_sent(&fixture.server).await;
    assert_eq!(arrived(&fixture.smtp), [verification("alice"), verification("bob"), verification("carol")]);
}

/// How many mails are being sent at the moment, by whichever server.
fn in_flight(database: &Database) -> usize {
    let sql = "SELECT count(*) FROM outbox WHERE claimed_until IS NOT NULL AND kind = 'email_verification'";
    block_in_place(|| database.query(sql)[0].parse().expect("a number"))
}

async fn two_replicas_send_each_mail_once(database: Database) {
    const MAILS: usize = 40;
    let smtp = MockSmtp::open();
    let options = eager(options(&database, &smtp));
    let replicas = block_in_place(|| [options.clone().start(SERVER), options.start(SERVER)]);
    let apis = replicas.each_ref().map(|replica| TestClient::new(&replica.url()));
    smtp.set_stalled(true);
    // At both of them at once, but not so fast that one answers that it is busy.
    let calls = apis.into_iter().enumerate().map(|(n, api)| async move {
        for user in 0..MAILS / 2 {
            let registered = api.register(&format!("user{n}x{user}")).await;
            assert_eq!(registered.status, 201, "{}", registered.text);
        }
    });
    at_once(calls).await;
    // More than one of them can send at once: both are at it.
    eventually("all workers send", async || in_flight(&database) == 2 * WORKERS).await;
    smtp.set_stalled(false);
    all_is_sent(&replicas[0]).await;
    let received = smtp.received();
    let recipients: BTreeSet<_> = received.iter().flat_map(|message| message.to.clone()).collect();
    let ids: BTreeSet<_> = received.iter().map(|message| message.id.clone()).collect();
    assert_eq!((received.len(), recipients.len(), ids.len()), (MAILS, MAILS, MAILS));
}

/// Registers, and asks for links to reset passwords, until it is told nothing; gives what was acknowledged, as recipients
/// and subjects.
async fn cause(api: TestClient, prefix: String, acknowledged: Arc<AtomicUsize>) -> Vec<(String, String)> {
    let mut promised = Vec::new();
    for n in 0.. {
        let name = format!("{prefix}x{n}");
        let email = format!("{name}@example.com");
        let body = json!({
            "username": name, "email": email, "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
        });
        let Ok(registered) = api.try_post("/api/register/", None, &body).await else { break };
        assert_eq!(registered.status, 201, "{}", registered.text);
        promised.push(verification(&name));
        acknowledged.fetch_add(1, Ordering::Relaxed);
        let Ok(asked) = api.try_post("/api/password-reset/", None, &json!({"email": email})).await else { break };
        assert_eq!(asked.status, 202, "{}", asked.text);
        promised.push((email, format!("{RESET} for app.example.com")));
        acknowledged.fetch_add(1, Ordering::Relaxed);
    }
    promised
}

async fn a_killed_server_loses_no_mail_that_it_promised(database: Database) {
    let fixture = Fixture::with(database, eager);
    let mut promised = Vec::new();
    for kill in 0..KILLS {
        // In the middle of conversations that have come to their end but for the answer, or wherever they are.
        let is_stalled = kill % 2 == 0;
        fixture.smtp.set_stalled(is_stalled);
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let causes = (0..3).map(|n| cause(fixture.client.clone(), format!("c{kill}x{n}"), acknowledged.clone()));
        let causing: JoinSet<_> = causes.collect();
        eventually("some are caused", async || acknowledged.load(Ordering::Relaxed) >= 20 + 3 * kill).await;
        if is_stalled {
            block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
        }
        block_in_place(|| fixture.server.kill());
        promised.extend(causing.join_all().await.into_iter().flatten());
        // What its mail server has, it keeps, though nobody hears of it.
        fixture.smtp.set_stalled(false);
        // As after the time for which the killed one kept them.
        fixture.database.execute("UPDATE outbox SET claimed_until = queued_at WHERE claimed_until IS NOT NULL");
        block_in_place(|| fixture.server.restart());
    }
    all_is_sent(&fixture.server).await;

    let mut ids: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for mut message in fixture.received() {
        ids.entry((message.to.remove(0), message.subject)).or_default().push(message.id);
    }
    assert!(promised.len() >= 20 * KILLS, "{}", promised.len());
    for mail in &promised {
        assert!(ids.contains_key(mail), "{mail:?} is lost");
    }
    let mut repeated = 0;
    for (mail, ids) in &ids {
        repeated += ids.len() - 1;
        assert!(ids.iter().all(|id| *id == ids[0]), "{mail:?} has come by several names: {ids:?}");
    }
    assert!(repeated <= WORKERS * KILLS, "{repeated} have come again");
    assert!(repeated >= KILLS / 2, "{repeated}: it was not killed between the answer and the note of it");
    // The links in them are good.
    let (address, _) = &promised[0];
    let received = fixture.received_to(address);
    let find = |part: &str| received.iter().find(|message| message.subject.contains(part)).expect("a mail");
    assert_eq!(fixture.verify(find("Confirm").token()).await.status, 200);
    assert_eq!(fixture.confirm_reset(find(RESET).token(), NEW_PASSWORD).await.status, 200);
}

async fn a_stopped_server_finishes_the_mail_in_flight_and_begins_no_other(database: Database) {
    let patient = |options| eager(options).env("AUTH__SERVER__SHUTDOWN_TIMEOUT_SECONDS", "60");
    let fixture = Fixture::with(database, patient);
    fixture.smtp.set_stalled(true);
    fixture.register("alice").await;
    block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
    fixture.register("bob").await;
    fixture.server.terminate();
    logged(&fixture.server, "stopping", 1).await;
    fixture.smtp.set_stalled(false);
    let status = block_in_place(|| fixture.server.wait());
    assert!(status.success(), "{status}: {}", fixture.server.log());
    assert_eq!(arrived(&fixture.smtp), [verification("alice")]);
    let waiting = outbox(&fixture.server, &[]);
    assert!(waiting.len() == 1 && waiting[0].contains("bob@example.com"), "{waiting:?}");
    block_in_place(|| fixture.server.restart());
    all_is_sent(&fixture.server).await;
    assert_eq!(arrived(&fixture.smtp), [verification("alice"), verification("bob")]);
}

async fn a_mail_that_is_broken_off_by_a_stop_comes_again_by_the_same_name(database: Database) {
    let hasty = |options| eager(options).env("AUTH__SERVER__SHUTDOWN_TIMEOUT_SECONDS", "1");
    let fixture = Fixture::with(database, hasty);
    fixture.smtp.set_stalled(true);
    fixture.register("alice").await;
    block_in_place(|| fixture.smtp.wait_for_a_waiting_client());
    fixture.server.terminate();
    let status = block_in_place(|| fixture.server.wait());
    assert!(status.success(), "{status}: {}", fixture.server.log());
    assert!(fixture.server.log().contains("delivery of an email was interrupted"), "{}", fixture.server.log());
    fixture.smtp.set_stalled(false);
    fixture.database.execute("UPDATE outbox SET claimed_until = queued_at WHERE claimed_until IS NOT NULL");
    block_in_place(|| fixture.server.restart());
    all_is_sent(&fixture.server).await;
    let received: Vec<ReceivedEmail> = fixture.received_to(ALICE);
    assert_eq!(received.len(), 2, "it was taken, and sent again");
    assert_eq!(received[0].id, received[1].id);
}
