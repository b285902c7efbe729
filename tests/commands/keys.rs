//! `keys …`: a new key signs after a restart, an old one is accepted until it is retired.

use std::os::unix::fs::PermissionsExt;

use libtest_mimic::Trial;
use serde_json::Value;

use crate::desk::{Desk, affordable, cases, header};
use crate::support::{Database, Pair};

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        once:
            a_new_key_signs_after_a_restart_and_the_old_one_still_verifies,
            tokens_of_a_retired_key_are_refused_after_a_restart,
            a_key_in_use_is_not_retired,
            keys_can_be_made_before_the_first_start,
            keys_of_a_shared_secret_algorithm_are_made_too,
            a_configured_key_is_not_the_services_to_change,
            the_secret_of_the_installation_is_no_signing_key
    ]
}

/// A server that makes its own keys.
fn desk() -> Desk {
    let options = affordable(Database::Sqlite.server("development")).without("AUTH__TOKENS__SIGNING_KEY");
    Desk::with(Database::Sqlite, options)
}

/// A key in `keys list`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Listed {
    name: String,
    algorithm: String,
    role: String,
    kid: String,
}

fn list(desk: &Desk) -> Vec<Listed> {
    let said = desk.run(&["keys", "list"]);
    let rows = said.done().lines().map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let listed = |row: Vec<String>| match row.as_slice() {
        [name, algorithm, role, _, kid] => {
            Listed { name: name.clone(), algorithm: algorithm.clone(), role: role.clone(), kid: kid.clone() }
        }
        other => panic!("{other:?}"),
    };
    rows.map(listed).collect()
}

fn kid(token: &str) -> String {
    header(token)["kid"].as_str().expect("a kid").to_owned()
}

async fn published(desk: &Desk) -> Vec<String> {
    let keys = desk.api.get("/.well-known/jwks.json").await.json();
    let kid = |key: &Value| key["kid"].as_str().expect("a kid").to_owned();
    keys["keys"].as_array().expect("keys").iter().map(kid).collect()
}

async fn a_new_key_signs_after_a_restart_and_the_old_one_still_verifies() {
    let mut desk = desk();
    let old = desk.api.newcomer("alice").await;
    let [first] = list(&desk).try_into().expect("one key");
    assert_eq!((first.role.as_str(), first.algorithm.as_str()), ("signs", "EdDSA"));
    assert_eq!(first.kid, kid(&old.access));

    let said = desk.run(&["keys", "generate"]);
    let [before, second] = list(&desk).try_into().expect("two keys");
    assert!(said.done().contains(&second.name), "{said}");
    assert_eq!(before, Listed { role: "verifies".to_owned(), ..first.clone() });
    assert_eq!(second.role, "signs");
    assert_ne!(second.kid, first.kid);
    let folder = desk.server.dir().join("auth-data/keys");
    for entry in folder.read_dir().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.path());
    }
    // The server that is running knows nothing of it.
    assert_eq!(kid(&desk.api.login("alice").await.access), first.kid);

    desk.restart();
    let new = desk.api.login("alice").await;
    assert_eq!(kid(&new.access), second.kid);
    assert_eq!(published(&desk).await, [second.kid.clone(), first.kid.clone()]);
    assert_eq!(desk.api.me(&old.access).await.status, 200);
    let next = Pair::of(&desk.api.refresh(&old.refresh).await);
    assert_eq!((kid(&next.access), kid(&next.refresh)), (second.kid.clone(), second.kid));
    assert_eq!(desk.api.me(&new.access).await.status, 200);
}

async fn tokens_of_a_retired_key_are_refused_after_a_restart() {
    let mut desk = desk();
    let old = desk.api.newcomer("alice").await;
    desk.run(&["keys", "generate"]).done();
    desk.restart();
    let new = desk.api.login("alice").await;
    let [first, second] = list(&desk).try_into().expect("two keys");

    let said = desk.run(&["keys", "retire", &first.name]);
    assert!(said.done().contains(&first.name), "{said}");
    assert_eq!(list(&desk), std::slice::from_ref(&second));
    assert_eq!(desk.api.me(&old.access).await.status, 200);
    desk.restart();
    let answer = desk.api.me(&old.access).await;
    assert_eq!(answer.status, 401);
    assert_eq!(answer.json()["messages"][0]["message"], "Token is invalid");
    assert!(answer.json()["reason"].is_null(), "{}", answer.text);
    assert_eq!(desk.api.refresh(&old.refresh).await.status, 401);
    assert_eq!(desk.api.me(&new.access).await.status, 200);
    assert_eq!(desk.api.refresh(&new.refresh).await.status, 200);
    assert_eq!(published(&desk).await, [second.kid]);
    // Once is enough.
    assert!(desk.run(&["keys", "retire", &first.name]).failed().contains(&first.name));
}

async fn a_key_in_use_is_not_retired() {
    let mut desk = desk();
    let pair = desk.api.newcomer("alice").await;
    let before = list(&desk);
    let said = desk.run(&["keys", "retire", &before[0].name]);
    assert!(said.failed().contains("keys generate"), "{said}");
    for name in ["nothing", "", "..", "../auth", "/etc/passwd", "000000000000"] {
        let said = desk.run(&["keys", "retire", name]);
        assert!(said.failed().contains(&format!("{name:?}")), "{said}");
    }
    assert_eq!(list(&desk), before);
    desk.restart();
    assert_eq!(desk.api.me(&pair.access).await.status, 200);
}

async fn keys_can_be_made_before_the_first_start() {
    let folder = tempfile::TempDir::new().unwrap();
    let options = affordable(Database::Sqlite.server("development")).without("AUTH__TOKENS__SIGNING_KEY");
    let options = options.env("AUTH__DATA__DIR", folder.path().join("data").to_str().unwrap());
    let run = |args: &[&str]| crate::desk::Said::of(options.run_to_end(crate::support::BINARY, args), args);
    assert_eq!(run(&["keys", "list"]).done(), "");
    for count in 1..=2 {
        run(&["keys", "generate"]).done();
        assert_eq!(run(&["keys", "list"]).done().lines().count(), count);
    }
    let desk = Desk::with(Database::Sqlite, options);
    let keys = list(&desk);
    assert_eq!(keys.len(), 2);
    assert_eq!(kid(&desk.api.newcomer("alice").await.access), keys[1].kid);
}

async fn keys_of_a_shared_secret_algorithm_are_made_too() {
    let options = affordable(Database::Sqlite.server("simplejwt")).without("AUTH__TOKENS__SIGNING_KEY");
    let mut desk = Desk::with(Database::Sqlite, options);
    let old = desk.api.newcomer("alice").await;
    assert_eq!(header(&old.access)["alg"], "HS256");
    assert_eq!(published(&desk).await, Vec::<String>::new());
    desk.run(&["keys", "generate"]).done();
    desk.restart();
    assert_eq!(desk.api.me(&old.access).await.status, 200);
    let new = desk.api.login("alice").await;
    let [first, second] = list(&desk).try_into().expect("two keys");
    assert_eq!((first.algorithm.as_str(), second.algorithm.as_str()), ("HS256", "HS256"));
    // No secret is shown.
    for file in desk.server.dir().join("auth-data/keys").read_dir().unwrap() {
        let secret = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(secret.len() >= 32 && !desk.run(&["keys", "list"]).result.contains(secret.trim()));
    }
    desk.run(&["keys", "retire", &first.name]).done();
    desk.restart();
    assert_eq!(desk.api.me(&old.access).await.status, 401);
    assert_eq!(desk.api.me(&new.access).await.status, 200);
}

async fn a_configured_key_is_not_the_services_to_change() {
    let desk = Desk::new(Database::Sqlite, "development");
    for args in [["keys", "generate"].as_slice(), &["keys", "list"], &["keys", "retire", "000000000000-first"]] {
        assert!(desk.run(args).failed().contains("tokens.signing_key"));
    }
    assert!(!desk.server.dir().join("auth-data/keys").exists());
}

async fn the_secret_of_the_installation_is_no_signing_key() {
    for profile in ["development", "simplejwt"] {
        let options = affordable(Database::Sqlite.server(profile)).without("AUTH__TOKENS__SIGNING_KEY");
        let mut desk = Desk::with(Database::Sqlite, options.without("AUTH__SECRETS__KEY"));
        let file = desk.server.dir().join("auth-data/keys/accounts.vault");
        let secret = std::fs::read_to_string(&file).unwrap();
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        desk.run(&["keys", "generate"]).done();
        assert_eq!(list(&desk).len(), 2);
        for name in ["accounts", "accounts.vault"] {
            assert!(desk.run(&["keys", "retire", name]).failed().contains(&format!("{name:?}")));
        }
        // Neither commands nor further starts make another one.
        desk.run(&["users", "list"]).done();
        desk.restart();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), secret, "{profile}");
    }
}
