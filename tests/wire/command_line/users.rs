//! `users …`, and what it changes for a server that is running.

use auth_tests::cases::{OnBothDatabases, OnSqlite, Once};
use auth_tests::tokens::claims_of;
use auth_tests::{Answer, Database, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;

use super::fixture::{CommandOutput, Fixture};

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        OnSqlite =>
            all_accounts_are_listed_with_what_they_may,
            a_deleted_account_is_gone,
            a_promotion_shows_at_the_next_refresh,
            groups_and_names_are_in_the_tokens_where_they_are_asked_for,
            a_new_password_ends_every_login,
            lost_second_factors_are_removed;
        OnBothDatabases =>
            a_deactivated_account_is_out_until_it_is_activated;
        Once =>
            commands_about_nobody_fail_and_change_nothing,
            a_weak_password_is_not_set,
            an_action_may_be_repeated,
            every_action_is_in_the_audit_log
    ]
}

const ACTIONS: [&str; 6] = ["activate", "deactivate", "promote", "demote", "delete", "remove-second-factors"];

/// The line of an account in `users list`: number, active, admin, name, address.
fn listed(fixture: &Fixture, username: &str) -> Option<Vec<String>> {
    let said = fixture.run(&["users", "list"]);
    let rows = said.done().lines().skip(1).map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    rows.into_iter().find(|row| row[3] == username)
}

#[track_caller]
fn assert_401(answer: &Answer, detail: &str) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.field("detail"), detail);
}

const NO_LOGIN: &str = "No active account found with the given credentials";
const NO_REFRESH: &str = "No active account found for the given token.";

async fn all_accounts_are_listed_with_what_they_may(database: Database) {
    let fixture = Fixture::new(database, "development");
    let empty = fixture.run(&["users", "list"]);
    assert_eq!(empty.done().lines().count(), 1, "{empty}");
    let titles: Vec<_> = empty.result.split_whitespace().collect();
    assert_eq!(titles, ["id", "active", "admin", "username", "email", "groups"]);
    for name in ["alice", "bob", "carol"] {
        fixture.client.newcomer(name).await;
    }
    fixture.run(&["users", "deactivate", "bob"]).done();
    fixture.run(&["users", "promote", "carol"]).done();
    fixture.run(&["users", "set-groups", "alice", "two words", "authors"]).done();
    for (name, active, admin, groups) in [
        ("alice", "yes", "no", &["authors,", "two", "words"][..]),
        ("bob", "no", "no", &[]),
        ("carol", "yes", "yes", &[]),
    ] {
        let row = listed(&fixture, name).unwrap_or_else(|| panic!("{name} is not listed"));
        assert_eq!(row[1..5], [active, admin, name, &format!("{name}@example.com")], "{name}");
        assert_eq!(row[5..], *groups, "{name}");
    }
    let list = fixture.run(&["users", "list"]);
    assert_eq!(list.done().lines().count(), 4, "{list}");
    assert!(!list.result.contains("argon2"), "{list}");
}

async fn a_deactivated_account_is_out_until_it_is_activated(database: Database) {
    let fixture = Fixture::new(database, "development");
    let (pair, other) = (fixture.client.newcomer("alice").await, fixture.client.newcomer("bob").await);
    assert_eq!(fixture.run(&["users", "deactivate", "alice"]).done(), "alice is inactive\n");
    assert_401(&fixture.log_in("alice", PASSWORD).await, NO_LOGIN);
    assert_401(&fixture.client.refresh(&pair.refresh).await, NO_REFRESH);
    assert_401(&fixture.client.me(&pair.access).await, "User is inactive");
    assert_eq!(fixture.client.me(&other.access).await.status, 200);
    assert_eq!(fixture.client.refresh(&other.refresh).await.status, 200);

    assert_eq!(fixture.run(&["users", "activate", "alice"]).done(), "alice is active\n");
    fixture.client.me_becomes(&pair.access, 200).await;
    // The refused refresh spent nothing.
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 200);
    fixture.client.login("alice").await;
}

async fn a_deleted_account_is_gone(database: Database) {
    let fixture = Fixture::new(database, "development");
    let (pair, other) = (fixture.client.newcomer("alice").await, fixture.client.newcomer("bob").await);
    assert_eq!(fixture.run(&["users", "delete", "alice"]).done(), "alice is deleted\n");
    assert_401(&fixture.log_in("alice", PASSWORD).await, NO_LOGIN);
    assert_401(&fixture.client.refresh(&pair.refresh).await, NO_REFRESH);
    assert_401(&fixture.client.me(&pair.access).await, "User not found");
    assert!(listed(&fixture, "alice").is_none());
    assert_eq!(fixture.client.me(&other.access).await.status, 200);

    // The name is free again, and the tokens of the one before open nothing of the one after.
    let heir = fixture.client.newcomer("alice").await;
    assert_ne!(claims_of(&heir.access)["user_id"], claims_of(&pair.access)["user_id"]);
    assert_401(&fixture.client.me(&pair.access).await, "User not found");
    assert_401(&fixture.client.refresh(&pair.refresh).await, NO_REFRESH);
}

async fn a_promotion_shows_at_the_next_refresh(database: Database) {
    let fixture = Fixture::new(database, "simplejwt");
    let mut pair = fixture.client.newcomer("alice").await;
    assert_eq!(claims_of(&pair.access)["role"], "user");
    for (action, said, role) in
        [("promote", "alice is an administrator\n", "admin"), ("demote", "alice is no administrator\n", "user")]
    {
        assert_eq!(fixture.run(&["users", action, "alice"]).done(), said);
        // The account itself is asked at once, whatever the token says.
        assert_eq!(fixture.client.me(&pair.access).await.json()["is_staff"], role == "admin");
        pair = TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
        assert_eq!(claims_of(&pair.access)["role"], role);
        assert_eq!(claims_of(&pair.refresh)["role"], role);
        assert_eq!(claims_of(&fixture.client.login("alice").await.access)["role"], role);
    }
}

async fn groups_and_names_are_in_the_tokens_where_they_are_asked_for(database: Database) {
    let options = database.server("development").env("AUTH__TOKENS__CLAIMS", "username,groups");
    let fixture = Fixture::with(database, options);
    fixture.client.newcomer("alice").await;
    fixture.run(&["users", "set-groups", "alice", "two words", "authors"]).done();
    let pair = fixture.client.login("alice").await;
    for token in [&pair.access, &pair.refresh] {
        let claims = claims_of(token);
        assert_eq!((&claims["username"], &claims["groups"]), (&json!("alice"), &json!(["authors", "two words"])));
        assert_eq!((claims.get("email"), claims.get("role")), (None, None), "nobody asked for them");
    }
    fixture.run(&["users", "set-groups", "alice", "Éditeurs"]).done();
    let next = fixture.client.post("/api/token/refresh/", None, json!({"refresh": pair.refresh})).await;
    assert_eq!(claims_of(&next.field("access"))["groups"], json!(["Éditeurs"]), "{}", next.text);
}

async fn a_new_password_ends_every_login(database: Database) {
    const NEW: &str = "Another-horse-43";
    let fixture = Fixture::new(database, "development");
    let logins = [fixture.client.newcomer("alice").await, fixture.client.login("alice").await];
    let other = fixture.client.newcomer("bob").await;
    let said = fixture.run_with(&["users", "set-password", "alice", "--password-stdin"], &format!("{NEW}\n"));
    assert_eq!(said.done(), "alice has a new password and no sessions\n");
    assert!(!said.errors.contains(NEW), "{said}");
    for login in &logins {
        assert_401(&fixture.client.refresh(&login.refresh).await, "Token is blacklisted");
        let answer = fixture.client.me(&login.access).await;
        assert_eq!((answer.status.as_u16(), answer.field("reason").as_str()), (401, "password_changed"));
    }
    assert_401(&fixture.log_in("alice", PASSWORD).await, NO_LOGIN);
    let pair = TokenPair::of(&fixture.log_in("alice", NEW).await);
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 200);
    assert_eq!(fixture.client.refresh(&other.refresh).await.status, 200);
}

async fn lost_second_factors_are_removed(database: Database) {
    let fixture = Fixture::new(database, "development");
    fixture.client.newcomer("alice").await;
    let remove = || fixture.run(&["users", "remove-second-factors", "alice"]);
    assert_eq!(remove().done(), "alice has no second factors; nothing changed\n");
    let now = match fixture.database {
        Database::Sqlite(_) => "0",
        Database::Postgres(_) => "now()",
    };
    let switched_on =
        format!("INSERT INTO second_factors (user_id, method, since) SELECT id, 'email', {now} FROM users");
    fixture.database.execute(&switched_on);
    let answer = fixture.log_in("alice", PASSWORD).await;
    assert!(answer.json()["access"].is_null(), "{}", answer.text);
    let said = remove();
    assert_eq!(said.done(), "alice has no second factors any more\n");
    assert!(said.errors.contains(r#""event":"second_factor_removed""#), "{said}");
    fixture.client.login("alice").await;
    assert_eq!(remove().done(), "alice has no second factors; nothing changed\n");
}

async fn commands_about_nobody_fail_and_change_nothing() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    let pair = fixture.client.newcomer("alice").await;
    let before = fixture.run(&["users", "list"]).result;
    // A command names its account exactly.
    for name in ["nobody", "Alice", "alice ", "", "alice@example.com", "1", "%", "alice' OR '1'='1"] {
        for action in ACTIONS {
            let said = fixture.run(&["users", action, name]);
            assert!(said.failed().contains(&format!("{name:?}")), "{said}");
        }
        let said = fixture.run_with(&["users", "set-password", name, "--password-stdin"], "Another-horse-43");
        assert!(said.failed().contains(&format!("{name:?}")), "{said}");
    }
    assert_eq!(fixture.run(&["users", "list"]).result, before);
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
}

async fn a_weak_password_is_not_set() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    let pair = fixture.client.newcomer("gwendolyn77").await;
    let body = json!({"last_name": "Quartzberg"});
    let request = fixture.client.http.patch(format!("{}/api/users/me/", fixture.client.url)).bearer_auth(&pair.access);
    assert_eq!(request.json(&body).send().await.unwrap().status(), 200);
    let args = ["users", "set-password", "gwendolyn77", "--password-stdin"];
    for (password, flaw) in [
        ("short1!", "TooShort(8)"),
        ("password123", "TooCommon"),
        ("8273645190", "EntirelyNumeric"),
        ("gwendolyn77!", "TooSimilar(Username)"),
        ("Quartzberg1", "TooSimilar(LastName)"),
        ("", "password"),
        ("\n", "password"),
    ] {
        let said: CommandOutput = fixture.run_with(&args, password);
        assert!(said.failed().contains(flaw), "{said}");
    }
    fixture.run(&args[..3]).failed();
    fixture.run(&[&args[..3], &["Another-horse-43"]].concat()).misused();
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 200);
    fixture.client.login("gwendolyn77").await;
}

async fn an_action_may_be_repeated() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    fixture.client.newcomer("alice").await;
    for action in ["deactivate", "activate", "promote", "demote"] {
        let first = fixture.run(&["users", action, "alice"]);
        assert_eq!(fixture.run(&["users", action, "alice"]).done(), first.done());
    }
    fixture.run(&["users", "delete", "alice"]).done();
    fixture.run(&["users", "delete", "alice"]).failed();
}

async fn every_action_is_in_the_audit_log() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    fixture.client.newcomer("alice").await;
    for (args, input, event) in [
        (["users", "deactivate", "alice"].as_slice(), "", "account_deactivated"),
        (&["users", "activate", "alice"], "", "account_activated"),
        (&["users", "promote", "alice"], "", "account_promoted"),
        (&["users", "demote", "alice"], "", "account_demoted"),
        (&["users", "set-password", "alice", "--password-stdin"], "Another-horse-43", "password_changed"),
        (&["users", "delete", "alice"], "", "account_deleted"),
        (
            &["create-superuser", "--username", "root", "--email", "root@example.com", "--password-stdin"],
            PASSWORD,
            "account_administered",
        ),
    ] {
        let said = fixture.run_with(args, input);
        said.done();
        let records = said.errors.lines().filter(|line| line.contains(&format!("\"event\":\"{event}\"")));
        assert_eq!(records.count(), 1, "{said}");
    }
    // A command that did nothing says nothing of the kind.
    let said = fixture.run(&["users", "promote", "nobody"]);
    said.failed();
    assert!(!said.errors.contains("account_promoted"), "{said}");
}
