//! `accounts.new_user_ids`: integers and UUIDs in one deployment.

use auth_tests::cases::OnBothDatabases;
use auth_tests::concurrency::eventually;
use auth_tests::tokens::claims_of;
use auth_tests::{Answer, Database, PASSWORD, TestServer, TokenPair, cases};
use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use super::fixture::options;
use crate::SERVER;

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnBothDatabases => new_users_get_uuids_and_existing_ones_keep_integers]
}

/// Covers everything that contains a user ID: answers, tokens, rules, the log and the command line.
async fn new_users_get_uuids_and_existing_ones_keep_integers(database: Database) {
    let before = options(&database, "development").start(SERVER);
    let server = options(&database, "development").env("AUTH__ACCOUNTS__NEW_USER_IDS", "uuid").start(SERVER);
    let alice = before.client().register("alice").await.expect_status(201)["id"].clone();
    assert_eq!(alice, json!(1));
    let bob = server.client().register("bob").await.expect_status(201)["id"].clone();
    assert!(is_canonical_uuid(bob.as_str().unwrap()), "{bob}");
    for (name, id, subject) in [("alice", &alice, "1"), ("bob", &bob, bob.as_str().unwrap())] {
        // Both replicas accept both users.
        for server in [&before, &server] {
            exercise_user(server, name, id, subject).await;
        }
    }
    assert_logged(&server, "logged_out_all", &alice);
    assert_logged(&server, "logged_out_all", &bob);
    deactivation_reaches_the_other_replica(&before, &server, &bob).await;
}

async fn exercise_user(server: &TestServer, name: &str, id: &Value, subject: &str) {
    let api = server.client();
    let pair = TokenPair::of(&api.try_login(name, PASSWORD).await);
    assert_eq!(claims_of(&pair.access)["user_id"], subject);
    let pair = TokenPair::of(&api.refresh(&pair.refresh).await);
    assert_eq!(claims_of(&pair.refresh)["user_id"], subject);
    for _ in 0..2 {
        assert_eq!(api.me(&pair.access).await.expect_status(200)["id"], *id);
    }
    let change = json!({"old_password": PASSWORD, "new_password": PASSWORD});
    let changed = api.post("/api/users/me/password/", Some(&pair.access), change).await;
    let pair = TokenPair::of(&changed);
    let patch = api.http.request(Method::PATCH, format!("{}/api/users/me/", api.url));
    let patch = patch.bearer_auth(&pair.access).json(&json!({"first_name": "New"}));
    assert_eq!(Answer::of(patch.send().await.unwrap()).await.expect_status(200)["id"], *id);
    api.post("/api/logout/", Some(&pair.access), json!({"all": true})).await.expect_status(200);
    api.me(&pair.access).await.expect_status(401);
    api.refresh(&pair.refresh).await.expect_status(401);
}

fn assert_logged(server: &TestServer, event: &str, user: &Value) {
    let log = server.log();
    let mut records = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    assert!(records.any(|record| record["fields"]["event"] == event && record["fields"]["user"] == *user), "{user}");
}

async fn deactivation_reaches_the_other_replica(one: &TestServer, other: &TestServer, bob: &Value) {
    let listed = String::from_utf8(one.run(["users", "list"]).stdout).unwrap();
    assert!(listed.lines().any(|line| line.contains(bob.as_str().unwrap()) && line.contains("bob")), "{listed}");
    let access = TokenPair::of(&other.client().try_login("bob", PASSWORD).await).access;
    other.client().me(&access).await.expect_status(200);
    assert!(one.run(["users", "deactivate", "bob"]).status.success());
    eventually("the other replica refuses the user", async || other.client().me(&access).await.status == 401).await;
}

fn is_canonical_uuid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f' | b'-'))
}
