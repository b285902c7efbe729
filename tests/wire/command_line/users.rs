//! `users …`, and the effects on a running server.

use auth_tests::cases::{OnBothDatabases, OnSqlite, Once};
use auth_tests::tokens::claims_of;
use auth_tests::{Answer, Database, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;

use super::fixture::{CommandOutput, Fixture};

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        OnSqlite =>
            lists_accounts_with_their_rights,
            a_deleted_user_is_refused_and_the_username_is_free,
            the_next_refresh_carries_a_changed_role,
            tokens_carry_the_configured_claims,
            a_new_password_revokes_every_session,
            removes_second_factors;
        OnBothDatabases =>
            a_deactivated_user_is_refused_until_activated;
        Once =>
            commands_for_unknown_users_fail_and_change_nothing,
            refuses_to_set_a_weak_password,
            actions_are_idempotent,
            every_action_is_recorded_in_the_audit_log
    ]
}

const ACTIONS: [&str; 6] = ["activate", "deactivate", "promote", "demote", "delete", "remove-second-factors"];

/// Returns a row of `users list`: user ID, active, admin, username, email address, groups.
fn listed(fixture: &Fixture, username: &str) -> Option<Vec<String>> {
    let output = fixture.run(&["users", "list"]);
    let rows =
        output.success().lines().skip(1).map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    rows.into_iter().find(|row| row[3] == username)
}

#[track_caller]
fn assert_401(answer: &Answer, detail: &str) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.field("detail"), detail);
}

const NO_LOGIN: &str = "No active account found with the given credentials";
const NO_REFRESH: &str = "No active account found for the given token.";

async fn lists_accounts_with_their_rights(database: Database) {
    let fixture = Fixture::new(database, "development");
    let empty = fixture.run(&["users", "list"]);
    assert_eq!(empty.success().lines().count(), 1, "{empty}");
    let header: Vec<_> = empty.result.split_whitespace().collect();
    assert_eq!(header, ["id", "active", "admin", "username", "email", "groups"]);
    for name in ["alice", "bob", "carol"] {
        fixture.client.register_and_login(name).await;
    }
    fixture.run(&["users", "deactivate", "bob"]).success();
    fixture.run(&["users", "promote", "carol"]).success();
    fixture.run(&["users", "set-groups", "alice", "two words", "authors"]).success();
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
    assert_eq!(list.success().lines().count(), 4, "{list}");
    assert!(!list.result.contains("argon2"), "{list}");
}

async fn a_deactivated_user_is_refused_until_activated(database: Database) {
    let fixture = Fixture::new(database, "development");
    let (pair, other) =
        (fixture.client.register_and_login("alice").await, fixture.client.register_and_login("bob").await);
    assert_eq!(fixture.run(&["users", "deactivate", "alice"]).success(), "alice is inactive\n");
    assert_401(&fixture.log_in("alice", PASSWORD).await, NO_LOGIN);
    assert_401(&fixture.client.refresh(&pair.refresh).await, NO_REFRESH);
    assert_401(&fixture.client.me(&pair.access).await, "User is inactive");
    assert_eq!(fixture.client.me(&other.access).await.status, 200);
    assert_eq!(fixture.client.refresh(&other.refresh).await.status, 200);

    assert_eq!(fixture.run(&["users", "activate", "alice"]).success(), "alice is active\n");
    fixture.client.wait_for_me(&pair.access, 200).await;
    // The refused refresh did not use the token.
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 200);
    fixture.client.login("alice").await;
}

async fn a_deleted_user_is_refused_and_the_username_is_free(database: Database) {
    let fixture = Fixture::new(database, "development");
    let (pair, other) =
        (fixture.client.register_and_login("alice").await, fixture.client.register_and_login("bob").await);
    assert_eq!(fixture.run(&["users", "delete", "alice"]).success(), "alice is deleted\n");
    assert_401(&fixture.log_in("alice", PASSWORD).await, NO_LOGIN);
    assert_401(&fixture.client.refresh(&pair.refresh).await, NO_REFRESH);
    assert_401(&fixture.client.me(&pair.access).await, "User not found");
    assert!(listed(&fixture, "alice").is_none());
    assert_eq!(fixture.client.me(&other.access).await.status, 200);

    // The username is free again, and the tokens of the deleted user are not valid for the new one.
    let successor = fixture.client.register_and_login("alice").await;
    assert_ne!(claims_of(&successor.access)["user_id"], claims_of(&pair.access)["user_id"]);
    assert_401(&fixture.client.me(&pair.access).await, "User not found");
    assert_401(&fixture.client.refresh(&pair.refresh).await, NO_REFRESH);
}

async fn the_next_refresh_carries_a_changed_role(database: Database) {
    let fixture = Fixture::new(database, "simplejwt");
    let mut pair = fixture.client.register_and_login("alice").await;
    assert_eq!(claims_of(&pair.access)["role"], "user");
    for (action, output, role) in
        [("promote", "alice has staff rights\n", "admin"), ("demote", "alice does not have staff rights\n", "user")]
    {
        assert_eq!(fixture.run(&["users", action, "alice"]).success(), output);
        // The profile shows the current account, whatever the token says.
        assert_eq!(fixture.client.me(&pair.access).await.json()["is_staff"], role == "admin");
        pair = TokenPair::of(&fixture.client.refresh(&pair.refresh).await);
        assert_eq!(claims_of(&pair.access)["role"], role);
        assert_eq!(claims_of(&pair.refresh)["role"], role);
        assert_eq!(claims_of(&fixture.client.login("alice").await.access)["role"], role);
    }
}

async fn tokens_carry_the_configured_claims(database: Database) {
    let options = database.server("development").env("AUTH__TOKENS__CLAIMS", "username,groups");
    let fixture = Fixture::with(database, options);
    fixture.client.register_and_login("alice").await;
    fixture.run(&["users", "set-groups", "alice", "two words", "authors"]).success();
    let pair = fixture.client.login("alice").await;
    for token in [&pair.access, &pair.refresh] {
        let claims = claims_of(token);
        assert_eq!((&claims["username"], &claims["groups"]), (&json!("alice"), &json!(["authors", "two words"])));
        assert_eq!((claims.get("email"), claims.get("role")), (None, None), "not configured");
    }
    fixture.run(&["users", "set-groups", "alice", "Éditeurs"]).success();
    let next = fixture.client.post("/api/token/refresh/", None, json!({"refresh": pair.refresh})).await;
    assert_eq!(claims_of(&next.field("access"))["groups"], json!(["Éditeurs"]), "{}", next.text);
}

async fn a_new_password_revokes_every_session(database: Database) {
    const NEW: &str = "Another-horse-43";
    let fixture = Fixture::new(database, "development");
    let logins = [fixture.client.register_and_login("alice").await, fixture.client.login("alice").await];
    let other = fixture.client.register_and_login("bob").await;
    let output = fixture.run_with(&["users", "set-password", "alice", "--password-stdin"], &format!("{NEW}\n"));
    assert_eq!(output.success(), "alice has a new password; all sessions were revoked\n");
    assert!(!output.errors.contains(NEW), "{output}");
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

async fn removes_second_factors(database: Database) {
    let fixture = Fixture::new(database, "development");
    fixture.client.register_and_login("alice").await;
    let remove = || fixture.run(&["users", "remove-second-factors", "alice"]);
    assert_eq!(remove().success(), "alice has no second factors; nothing changed\n");
    let now = match fixture.database {
        Database::Sqlite(_) => "0",
        Database::Postgres(_) => "now()",
    };
    let switched_on =
        format!("INSERT INTO second_factors (user_id, method, since) SELECT id, 'email', {now} FROM users");
    fixture.database.execute(&switched_on);
    let answer = fixture.log_in("alice", PASSWORD).await;
    assert!(answer.json()["access"].is_null(), "{}", answer.text);
    let output = remove();
    assert_eq!(output.success(), "alice has no second factors\n");
    assert!(output.errors.contains(r#""event":"second_factor_removed""#), "{output}");
    fixture.client.login("alice").await;
    assert_eq!(remove().success(), "alice has no second factors; nothing changed\n");
}

async fn commands_for_unknown_users_fail_and_change_nothing() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    let pair = fixture.client.register_and_login("alice").await;
    let before = fixture.run(&["users", "list"]).result;
    // Commands compare usernames exactly.
    for name in ["unknown", "Alice", "alice ", "", "alice@example.com", "1", "%", "alice' OR '1'='1"] {
        for action in ACTIONS {
            let output = fixture.run(&["users", action, name]);
            assert!(output.failure().contains(&format!("{name:?}")), "{output}");
        }
        let output = fixture.run_with(&["users", "set-password", name, "--password-stdin"], "Another-horse-43");
        assert!(output.failure().contains(&format!("{name:?}")), "{output}");
    }
    assert_eq!(fixture.run(&["users", "list"]).result, before);
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
}

async fn refuses_to_set_a_weak_password() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    let pair = fixture.client.register_and_login("gwendolyn77").await;
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
        let output: CommandOutput = fixture.run_with(&args, password);
        assert!(output.failure().contains(flaw), "{output}");
    }
    fixture.run(&args[..3]).failure();
    fixture.run(&[&args[..3], &["Another-horse-43"]].concat()).usage_error();
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 200);
    fixture.client.login("gwendolyn77").await;
}

async fn actions_are_idempotent() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    fixture.client.register_and_login("alice").await;
    for action in ["deactivate", "activate", "promote", "demote"] {
        let first = fixture.run(&["users", action, "alice"]);
        assert_eq!(fixture.run(&["users", action, "alice"]).success(), first.success());
    }
    fixture.run(&["users", "delete", "alice"]).success();
    fixture.run(&["users", "delete", "alice"]).failure();
}

async fn every_action_is_recorded_in_the_audit_log() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    fixture.client.register_and_login("alice").await;
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
        let output = fixture.run_with(args, input);
        output.success();
        let records = output.errors.lines().filter(|line| line.contains(&format!("\"event\":\"{event}\"")));
        assert_eq!(records.count(), 1, "{output}");
    }
    // A failed command records nothing.
    let output = fixture.run(&["users", "promote", "unknown"]);
    output.failure();
    assert!(!output.errors.contains("account_promoted"), "{output}");
}
