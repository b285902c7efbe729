//! Mails whose servers are slow, away or killed (REL-020): each arrives, and once; after a SIGKILL perhaps again, by the
//! same name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use auth_tests::server::{Server, ServerOptions};
use libtest_mimic::Trial;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::{JoinSet, block_in_place};

use crate::postbox::{Letter, Postbox};
use crate::reset::{RESET, at_once, in_turn};
use crate::stage::{NEW_PASSWORD, Stage, cases, eventually, options, shared};
use crate::support::{Api, BINARY, Database, PASSWORD, Pair};

const ALICE: &str = "alice@example.com";
/// How many mails a server sends at once here.
const WORKERS: usize = 4;
/// How often a server is killed.
const KILLS: usize = 4;

pub(crate) fn trials() -> Vec<Trial> {
    cases!(on_both:
        what_waits_for_a_mail_server_arrives_once_it_is_up,
        a_mail_server_that_is_stuck_delays_no_answer,
        a_mail_that_is_put_off_arrives_once,
        a_recipient_that_is_refused_holds_up_nobody_and_is_tried_again,
        what_was_tried_often_enough_is_kept_as_failed,
        two_replicas_send_each_mail_once,
        a_killed_server_loses_no_mail_that_it_promised,
        a_stopped_server_finishes_the_mail_in_flight_and_begins_no_other,
        a_mail_that_is_broken_off_by_a_stop_comes_again_by_the_same_name,
    )
}

/// Every new account gets a mail, and what fails is tried again soon.
fn eager(options: ServerOptions) -> ServerOptions {
    let options = options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional");
    let options = options.env("AUTH__MAIL__FIRST_RETRY_SECONDS", "1").env("AUTH__MAIL__SMTP_TIMEOUT_SECONDS", "100");
    let options = options.env("AUTH__THROTTLE__MAIL_REQUESTS_PER_ADDRESS_PER_HOUR", "10000");
    options.env("AUTH__MAIL__WORKERS", &WORKERS.to_string())
}

/// Runs SQL past the server.
pub(crate) fn sql(stage: &Stage, statement: &str) {
    block_in_place(|| match &stage.database {
        Database::Postgres(database) => drop(database.psql(statement)),
        Database::Sqlite => {
            let connection = open(&stage.server.dir().join("auth-data/auth.sqlite3"));
            connection.execute_batch(statement).expect("SQL");
        }
    });
}

fn open(file: &std::path::Path) -> rusqlite::Connection {
    let connection = rusqlite::Connection::open(file).expect("the database");
    connection.busy_timeout(Duration::from_secs(30)).expect("a timeout");
    connection
}

/// What `outbox list` prints below its titles.
fn outbox(server: &Server, args: &[&str]) -> Vec<String> {
    let output = block_in_place(|| server.run([&["outbox", "list"], args].concat()));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().skip(1).map(str::to_owned).collect()
}

/// What `outbox retry` prints.
fn retry(server: &Server, which: &str) -> String {
    let output = block_in_place(|| server.run(["outbox", "retry", which]));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn all_is_sent(server: &Server) {
    eventually("the outbox is empty", async || outbox(server, &[]).is_empty()).await;
}

/// Waits until this stands so often in the log.
async fn logged(server: &Server, text: &str, count: usize) {
    eventually(text, async || server.log().matches(text).count() >= count).await;
}

/// Recipients and subjects of what arrived, in order.
fn arrived(postbox: &Postbox) -> Vec<(String, String)> {
    let letters = postbox.letters().into_iter();
    let mut arrived: Vec<_> = letters.map(|mut letter| (letter.to.remove(0), letter.subject)).collect();
    arrived.sort();
    arrived
}

fn verification(name: &str) -> (String, String) {
    (format!("{name}@example.com"), "Confirm your address for app.example.com".to_owned())
}

async fn what_waits_for_a_mail_server_arrives_once_it_is_up(database: Database) {
    let stage = Stage::at(database, Postbox::closed(), eager);
    let names = ["alice", "bob", "carol", "dave"];
    for name in names {
        assert_eq!(stage.api.register(name).await.status, 201);
    }
    let pair = stage.api.login("alice").await;
    Pair::of(&stage.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    assert_eq!(stage.forget("bob@example.com").await.status, 202);
    logged(&stage.server, "a mail was not sent", 6).await;
    stage.postbox.listen();
    all_is_sent(&stage.server).await;
    let mut expected: Vec<_> = names.iter().map(|name| verification(name)).collect();
    expected.push((ALICE.to_owned(), "Your password for app.example.com was changed".to_owned()));
    expected.push(("bob@example.com".to_owned(), format!("{RESET} for app.example.com")));
    expected.sort();
    assert_eq!(arrived(&stage.postbox), expected);
    let reset = stage.postbox.with_subject("bob@example.com", RESET).await;
    assert_eq!(stage.confirm_reset(reset.token(), NEW_PASSWORD).await.status, 200);
}

async fn a_mail_server_that_is_stuck_delays_no_answer(database: Database) {
    let stage = Stage::with(database, eager);
    stage.postbox.set_stuck(true);
    let names: Vec<_> = (0..2 * WORKERS).map(|n| format!("early{n}")).collect();
    for name in &names {
        assert_eq!(stage.api.register(name).await.status, 201);
    }
    block_in_place(|| stage.postbox.wait_for_a_waiting_one());
    // Whatever causes a mail is answered while none is taken.
    let pair = stage.api.newcomer("alice").await;
    assert_eq!(stage.forget(ALICE).await.status, 202);
    assert_eq!(stage.forget("nobody@example.com").await.status, 202);
    Pair::of(&stage.api.refresh(&pair.refresh).await);
    Pair::of(&stage.change_password(&pair.access, PASSWORD, NEW_PASSWORD).await);
    assert_eq!(stage.api.get("/readyz").await.status, 200);
    assert_eq!(stage.postbox.letters().len(), 0, "none was taken yet");
    stage.postbox.set_stuck(false);
    all_is_sent(&stage.server).await;
    let mut expected: Vec<_> = names.iter().map(|name| verification(name)).collect();
    expected.push(verification("alice"));
    expected.push((ALICE.to_owned(), format!("{RESET} for app.example.com")));
    expected.push((ALICE.to_owned(), "Your password for app.example.com was changed".to_owned()));
    expected.sort();
    assert_eq!(arrived(&stage.postbox), expected);
}

async fn a_mail_that_is_put_off_arrives_once(database: Database) {
    let stage = Stage::with(database, eager);
    stage.postbox.put_off(2);
    stage.api.register("alice").await;
    let letter = stage.postbox.nth(ALICE, 1).await;
    all_is_sent(&stage.server).await;
    assert_eq!(arrived(&stage.postbox), [verification("alice")]);
    assert_eq!(stage.server.log().matches("a mail was not sent").count(), 2);
    assert_eq!(stage.verify(letter.token()).await.status, 200);
}

async fn a_recipient_that_is_refused_holds_up_nobody_and_is_tried_again(database: Database) {
    let stage = Stage::with(database, eager);
    stage.postbox.refuse(ALICE);
    for name in ["alice", "bob"] {
        assert_eq!(stage.api.register(name).await.status, 201);
    }
    stage.postbox.nth("bob@example.com", 1).await;
    eventually("it is given up", async || outbox(&stage.server, &["--failed"]).len() == 1).await;
    let failed = outbox(&stage.server, &["--failed"]).remove(0);
    let words: Vec<_> = failed.split_whitespace().collect();
    assert_eq!(words[1..3], ["email_verification", ALICE], "{failed}");
    assert!(failed.contains("failed 2") && failed.contains("550"), "{failed}");
    // Its name, its kind, and why; nothing of what it says.
    assert!(!failed.contains("token") && !failed.contains("http") && words.len() < 25, "{failed}");
    assert!(words.iter().skip(1).all(|word| word.len() < 60), "{failed}");
    assert_eq!(outbox(&stage.server, &[]), std::slice::from_ref(&failed));

    stage.postbox.refuse_nobody();
    assert_eq!(retry(&stage.server, words[0]), "due again: 1\n");
    let letter = stage.postbox.nth(ALICE, 1).await;
    all_is_sent(&stage.server).await;
    assert_eq!(arrived(&stage.postbox), [verification("alice"), verification("bob")]);
    assert!(letter.id.starts_with(words[0]), "{} {}", letter.id, words[0]);
    assert_eq!(stage.verify(letter.token()).await.status, 200);
}

async fn what_was_tried_often_enough_is_kept_as_failed(database: Database) {
    let closed = Postbox::closed();
    let stage = Stage::at(database, closed, |options| eager(options).env("AUTH__MAIL__MAX_ATTEMPTS", "2"));
    for name in ["alice", "bob"] {
        assert_eq!(stage.api.register(name).await.status, 201);
    }
    eventually("both are given up", async || outbox(&stage.server, &["--failed"]).len() == 2).await;
    for line in outbox(&stage.server, &["--failed"]) {
        let words: Vec<_> = line.split_whitespace().collect();
        assert_eq!((words[1], words[4]), ("email_verification", "2"), "{line}");
        assert!(line.contains("127.0.0.1 port"), "{line}");
    }
    assert_eq!(stage.server.log().matches("a mail was given up").count(), 2);
    stage.postbox.listen();
    // Nobody sends it by themselves: what is caused later arrives, and those are still kept.
    stage.api.register("carol").await;
    stage.postbox.nth("carol@example.com", 1).await;
    eventually("the other one is sent", async || outbox(&stage.server, &[]).len() == 2).await;
    assert_eq!(arrived(&stage.postbox), [verification("carol")]);
    assert_eq!(retry(&stage.server, "--all"), "due again: 2\n");
    all_is_sent(&stage.server).await;
    assert_eq!(arrived(&stage.postbox), [verification("alice"), verification("bob"), verification("carol")]);
}

/// How many mails are being sent at the moment, by whichever server.
fn in_flight(database: &Database, folder: &TempDir) -> usize {
    let sql = "SELECT count(*) FROM outbox WHERE claimed_until IS NOT NULL AND kind = 'email_verification'";
    block_in_place(|| match database {
        Database::Postgres(database) => database.psql(sql).parse().expect("a number"),
        Database::Sqlite => {
            let count: i64 =
                open(&folder.path().join("shared.sqlite3")).query_one(sql, [], |row| row.get(0)).expect("a row");
            usize::try_from(count).expect("a number")
        }
    })
}

async fn two_replicas_send_each_mail_once(database: Database) {
    const MAILS: usize = 40;
    let (folder, postbox) = (TempDir::new().expect("a temporary folder"), Postbox::open());
    let options = shared(&database, eager(options(&database, &postbox)), &folder);
    let replicas = block_in_place(|| [options.clone().start(BINARY), options.start(BINARY)]);
    let apis = replicas.each_ref().map(|replica| Api::new(&replica.url()));
    postbox.set_stuck(true);
    // At both of them at once, but not so fast that one answers that it is busy.
    let calls = apis.into_iter().enumerate().map(|(n, api)| async move {
        for user in 0..MAILS / 2 {
            let registered = api.register(&format!("user{n}x{user}")).await;
            assert_eq!(registered.status, 201, "{}", registered.text);
        }
    });
    at_once(calls).await;
    // More than one of them can send at once: both are at it.
    eventually("all workers send", async || in_flight(&database, &folder) == 2 * WORKERS).await;
    postbox.set_stuck(false);
    all_is_sent(&replicas[0]).await;
    let letters = postbox.letters();
    let recipients: BTreeSet<_> = letters.iter().flat_map(|letter| letter.to.clone()).collect();
    let ids: BTreeSet<_> = letters.iter().map(|letter| letter.id.clone()).collect();
    assert_eq!((letters.len(), recipients.len(), ids.len()), (MAILS, MAILS, MAILS));
}

/// Registers, and asks for links to reset passwords, until it is told nothing; gives what was acknowledged, as recipients
/// and subjects.
async fn cause(api: Api, prefix: String, acknowledged: Arc<AtomicUsize>) -> Vec<(String, String)> {
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
    let mut stage = Stage::with(database, eager);
    let mut promised = Vec::new();
    for kill in 0..KILLS {
        // In the middle of conversations that have come to their end but for the answer, or wherever they are.
        let is_stuck = kill % 2 == 0;
        stage.postbox.set_stuck(is_stuck);
        let acknowledged = Arc::new(AtomicUsize::new(0));
        let causes = (0..3).map(|n| cause(stage.api.clone(), format!("c{kill}x{n}"), acknowledged.clone()));
        let causing: JoinSet<_> = causes.collect();
        eventually("some are caused", async || acknowledged.load(Ordering::Relaxed) >= 20 + 3 * kill).await;
        if is_stuck {
            block_in_place(|| stage.postbox.wait_for_a_waiting_one());
        }
        block_in_place(|| stage.server.kill());
        promised.extend(causing.join_all().await.into_iter().flatten());
        // What its mail server has, it keeps, though nobody hears of it.
        stage.postbox.set_stuck(false);
        // As after the time for which the killed one kept them.
        sql(&stage, "UPDATE outbox SET claimed_until = queued_at WHERE claimed_until IS NOT NULL");
        block_in_place(|| stage.server.restart());
    }
    all_is_sent(&stage.server).await;

    let mut ids: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for mut letter in stage.postbox.letters() {
        ids.entry((letter.to.remove(0), letter.subject)).or_default().push(letter.id);
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
    let letters = stage.postbox.letters_to(address);
    let find = |part: &str| letters.iter().find(|letter| letter.subject.contains(part)).expect("a mail");
    assert_eq!(stage.verify(find("Confirm").token()).await.status, 200);
    assert_eq!(stage.confirm_reset(find(RESET).token(), NEW_PASSWORD).await.status, 200);
}

async fn a_stopped_server_finishes_the_mail_in_flight_and_begins_no_other(database: Database) {
    let patient = |options| in_turn(eager(options)).env("AUTH__SERVER__SHUTDOWN_TIMEOUT_SECONDS", "60");
    let mut stage = Stage::with(database, patient);
    stage.postbox.set_stuck(true);
    stage.api.register("alice").await;
    block_in_place(|| stage.postbox.wait_for_a_waiting_one());
    stage.api.register("bob").await;
    stage.server.terminate();
    logged(&stage.server, "stopping", 1).await;
    stage.postbox.set_stuck(false);
    let status = block_in_place(|| stage.server.wait());
    assert!(status.success(), "{status}: {}", stage.server.log());
    assert_eq!(arrived(&stage.postbox), [verification("alice")]);
    let waiting = outbox(&stage.server, &[]);
    assert!(waiting.len() == 1 && waiting[0].contains("bob@example.com"), "{waiting:?}");
    block_in_place(|| stage.server.restart());
    all_is_sent(&stage.server).await;
    assert_eq!(arrived(&stage.postbox), [verification("alice"), verification("bob")]);
}

async fn a_mail_that_is_broken_off_by_a_stop_comes_again_by_the_same_name(database: Database) {
    let hasty = |options| in_turn(eager(options)).env("AUTH__SERVER__SHUTDOWN_TIMEOUT_SECONDS", "1");
    let mut stage = Stage::with(database, hasty);
    stage.postbox.set_stuck(true);
    stage.api.register("alice").await;
    block_in_place(|| stage.postbox.wait_for_a_waiting_one());
    stage.server.terminate();
    let status = block_in_place(|| stage.server.wait());
    assert!(status.success(), "{status}: {}", stage.server.log());
    assert!(stage.server.log().contains("a mail in flight was broken off"), "{}", stage.server.log());
    stage.postbox.set_stuck(false);
    sql(&stage, "UPDATE outbox SET claimed_until = queued_at WHERE claimed_until IS NOT NULL");
    block_in_place(|| stage.server.restart());
    all_is_sent(&stage.server).await;
    let letters: Vec<Letter> = stage.postbox.letters_to(ALICE);
    assert_eq!(letters.len(), 2, "it was taken, and sent again");
    assert_eq!(letters[0].id, letters[1].id);
}
