//! `keys …`: a new key signs after a restart, and an old one verifies until it is retired.

use super::fixture::CommandOutput;
use crate::SERVER;
use auth_tests::ServerOptions;
use std::os::unix::fs::PermissionsExt;

use auth_tests::cases::Once;
use auth_tests::tokens::header_of;
use auth_tests::{Database, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::Value;

use super::fixture::Fixture;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        Once =>
            after_a_restart_a_new_key_signs_and_the_old_one_verifies,
            tokens_of_a_retired_key_are_refused_after_a_restart,
            the_signing_key_cannot_be_retired,
            keys_can_be_generated_before_the_first_start,
            generates_shared_secrets_too,
            a_configured_key_cannot_be_managed,
            the_application_secret_is_not_a_signing_key
    ]
}

/// Starts a server that generates its own keys.
fn fixture() -> Fixture {
    let options = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY");
    Fixture::with(Database::sqlite(), options)
}

/// A row of `keys list`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    name: String,
    algorithm: String,
    role: String,
    kid: String,
}

fn list(fixture: &Fixture) -> Vec<Listed> {
    let output = fixture.run(&["keys", "list"]);
    let rows = output.success().lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let listed = |row: Vec<String>| match row.as_slice() {
        [name, algorithm, role, _, kid] => {
            Listed { name: name.clone(), algorithm: algorithm.clone(), role: role.clone(), kid: kid.clone() }
        }
        other => panic!("{other:?}"),
    };
    rows.map(listed).collect()
}

fn kid(token: &str) -> String {
    header_of(token)["kid"].as_str().expect("a key ID").to_owned()
}

async fn published(fixture: &Fixture) -> Vec<String> {
    let keys = fixture.client.get("/.well-known/jwks.json").await.json();
    let kid = |key: &Value| key["kid"].as_str().expect("a key ID").to_owned();
    keys["keys"].as_array().expect("keys").iter().map(kid).collect()
}

async fn after_a_restart_a_new_key_signs_and_the_old_one_verifies() {
    let mut fixture = fixture();
    let old = fixture.client.register_and_login("alice").await;
    let [first] = list(&fixture).try_into().expect("one key");
    assert_eq!((first.role.as_str(), first.algorithm.as_str()), ("signs", "EdDSA"));
    assert_eq!(first.kid, kid(&old.access));

    let output = fixture.run(&["keys", "generate"]);
    let [before, second] = list(&fixture).try_into().expect("two keys");
    assert!(output.success().contains(&second.name), "{output}");
    assert_eq!(before, Listed { role: "verifies".to_owned(), ..first.clone() });
    assert_eq!(second.role, "signs");
    assert_ne!(second.kid, first.kid);
    let folder = fixture.server.dir().join("auth-data/keys");
    for entry in folder.read_dir().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
    // The running server does not use it yet.
    assert_eq!(kid(&fixture.client.login("alice").await.access), first.kid);

    fixture.restart();
    let new = fixture.client.login("alice").await;
    assert_eq!(kid(&new.access), second.kid);
    assert_eq!(published(&fixture).await, [second.kid.clone(), first.kid.clone()]);
    assert_eq!(fixture.client.me(&old.access).await.status, 200);
    let next = TokenPair::of(&fixture.client.refresh(&old.refresh).await);
    assert_eq!((kid(&next.access), kid(&next.refresh)), (second.kid.clone(), second.kid));
    assert_eq!(fixture.client.me(&new.access).await.status, 200);
}

async fn tokens_of_a_retired_key_are_refused_after_a_restart() {
    let mut fixture = fixture();
    let old = fixture.client.register_and_login("alice").await;
    fixture.run(&["keys", "generate"]).success();
    fixture.restart();
    let new = fixture.client.login("alice").await;
    let [first, second] = list(&fixture).try_into().expect("two keys");

    let output = fixture.run(&["keys", "retire", &first.name]);
    assert!(output.success().contains(&first.name), "{output}");
    assert_eq!(list(&fixture), std::slice::from_ref(&second));
    assert_eq!(fixture.client.me(&old.access).await.status, 200);
    fixture.restart();
    let answer = fixture.client.me(&old.access).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["messages"][0]["message"], "Token is invalid");
    assert!(answer.json()["reason"].is_null(), "{}", answer.text);
    assert_eq!(fixture.client.refresh(&old.refresh).await.status, 401);
    assert_eq!(fixture.client.me(&new.access).await.status, 200);
    assert_eq!(fixture.client.refresh(&new.refresh).await.status, 200);
    assert_eq!(published(&fixture).await, [second.kid]);
    // A retired key cannot be retired again.
    assert!(fixture.run(&["keys", "retire", &first.name]).failure().contains(&first.name));
}

async fn the_signing_key_cannot_be_retired() {
    let mut fixture = fixture();
    let pair = fixture.client.register_and_login("alice").await;
    let before = list(&fixture);
    let output = fixture.run(&["keys", "retire", &before[0].name]);
    assert!(output.failure().contains("keys generate"), "{output}");
    for name in ["nothing", "", "..", "../auth", "/etc/passwd", "000000000000"] {
        let output = fixture.run(&["keys", "retire", name]);
        assert!(output.failure().contains(&format!("{name:?}")), "{output}");
    }
    assert_eq!(list(&fixture), before);
    fixture.restart();
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
}

async fn keys_can_be_generated_before_the_first_start() {
    let folder = tempfile::TempDir::new().unwrap();
    let options = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY");
    let options = options.env("AUTH__DATA__DIR", folder.path().join("data").to_str().unwrap());
    let run = |args: &[&str]| CommandOutput::of(options.run_to_exit(SERVER, args), args);
    assert_eq!(run(&["keys", "list"]).success(), "");
    for count in 1..=2 {
        run(&["keys", "generate"]).success();
        assert_eq!(run(&["keys", "list"]).success().lines().count(), count);
    }
    let fixture = Fixture::with(Database::sqlite(), options);
    let keys = list(&fixture);
    assert_eq!(keys.len(), 2);
    assert_eq!(kid(&fixture.client.register_and_login("alice").await.access), keys[1].kid);
}

async fn generates_shared_secrets_too() {
    let options = ServerOptions::new("simplejwt", None).without("AUTH__TOKENS__SIGNING_KEY");
    let mut fixture = Fixture::with(Database::sqlite(), options);
    let old = fixture.client.register_and_login("alice").await;
    assert_eq!(header_of(&old.access)["alg"], "HS256");
    assert_eq!(published(&fixture).await, Vec::<String>::new());
    fixture.run(&["keys", "generate"]).success();
    fixture.restart();
    assert_eq!(fixture.client.me(&old.access).await.status, 200);
    let new = fixture.client.login("alice").await;
    let [first, second] = list(&fixture).try_into().expect("two keys");
    assert_eq!((first.algorithm.as_str(), second.algorithm.as_str()), ("HS256", "HS256"));
    // The secrets are not printed.
    for file in fixture.server.dir().join("auth-data/keys").read_dir().unwrap() {
        let secret = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(secret.len() >= 32 && !fixture.run(&["keys", "list"]).result.contains(secret.trim()));
    }
    fixture.run(&["keys", "retire", &first.name]).success();
    fixture.restart();
    assert_eq!(fixture.client.me(&old.access).await.status, 401);
    assert_eq!(fixture.client.me(&new.access).await.status, 200);
}

async fn a_configured_key_cannot_be_managed() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    for args in [["keys", "generate"].as_slice(), &["keys", "list"], &["keys", "retire", "000000000000-first"]] {
        assert!(fixture.run(args).failure().contains("tokens.signing_key"));
    }
    assert!(!fixture.server.dir().join("auth-data/keys").exists());
}

async fn the_application_secret_is_not_a_signing_key() {
    for profile in ["development", "simplejwt"] {
        let options = ServerOptions::new(profile, None).without("AUTH__TOKENS__SIGNING_KEY");
        let mut fixture = Fixture::with(Database::sqlite(), options.without("AUTH__SECRETS__KEY"));
        let file = fixture.server.dir().join("auth-data/keys/accounts.vault");
        let secret = std::fs::read_to_string(&file).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        fixture.run(&["keys", "generate"]).success();
        assert_eq!(list(&fixture).len(), 2);
        for name in ["accounts", "accounts.vault"] {
            assert!(fixture.run(&["keys", "retire", name]).failure().contains(&format!("{name:?}")));
        }
        // Neither commands nor restarts generate another one.
        fixture.run(&["users", "list"]).success();
        fixture.restart();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), secret, "{profile}");
    }
}
