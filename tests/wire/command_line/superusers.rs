//! `create-superuser` and `make-superuser`.

use crate::SERVER;
use auth_tests::ServerOptions;
use auth_tests::cases::{OnBothDatabases, OnSqlite, Once};
use auth_tests::tokens::claims_of;
use auth_tests::{Database, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::json;

use super::fixture::{CommandOutput, Fixture};

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        OnSqlite =>
            a_superuser_that_was_created_logs_in_as_an_administrator,
            a_superuser_is_created_once;
        OnBothDatabases =>
            only_the_first_superuser_is_made_by_itself;
        Once =>
            a_weak_password_is_refused_and_named,
            a_bad_name_or_address_is_refused_and_named,
            without_a_password_nothing_is_created,
            a_password_is_read_whole_but_for_its_line_break,
            a_password_is_set_as_it_would_arrive_at_a_login,
            a_superuser_can_be_created_before_the_first_start
    ]
}

/// `create-superuser --password-stdin`.
fn create(fixture: &Fixture, username: &str, email: &str, input: &str) -> CommandOutput {
    let args = ["create-superuser", "--username", username, "--email", email, "--password-stdin"];
    fixture.run_with(&args, input)
}

async fn a_superuser_that_was_created_logs_in_as_an_administrator(database: Database) {
    let fixture = Fixture::new(database, "simplejwt");
    let said = create(&fixture, "root", "root@example.com", PASSWORD);
    assert_eq!(said.done(), "root is an administrator\n");
    assert!(!said.to_string().contains(PASSWORD), "{said}");
    let pair = fixture.client.login("root").await;
    for token in [&pair.access, &pair.refresh] {
        assert_eq!(claims_of(token)["role"], "admin");
        assert_eq!(claims_of(token)["email"], "root@example.com");
    }
    let me = fixture.client.me(&pair.access).await.json();
    assert_eq!((&me["username"], &me["is_staff"]), (&json!("root"), &json!(true)));
    assert_eq!(claims_of(&fixture.client.newcomer("alice").await.access)["role"], "user");
}

async fn a_superuser_is_created_once(database: Database) {
    let fixture = Fixture::new(database, "development");
    create(&fixture, "root", "root@example.com", PASSWORD).done();
    let line = |said: CommandOutput| said.failed().to_owned();
    assert!(line(create(&fixture, "root", "other@example.com", PASSWORD)).contains("account with this name"));
    assert!(line(create(&fixture, "ROOT", "other@example.com", PASSWORD)).contains("account with this name"));
    assert!(line(create(&fixture, "other", "Root@Example.com", PASSWORD)).contains("account with this address"));
    // One of another name is another one.
    create(&fixture, "second", "second@example.com", PASSWORD).done();
    fixture.client.login("root").await;
    fixture.client.login("second").await;
    assert_eq!(fixture.run(&["users", "list"]).done().lines().count(), 3);
}

async fn a_weak_password_is_refused_and_named() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    for (password, flaws) in [
        ("12345", ["TooShort(8)", "TooCommon", "EntirelyNumeric"].as_slice()),
        ("password123", &["TooCommon"]),
        ("8273645190", &["EntirelyNumeric"]),
        ("gwendolyn77", &["TooSimilar(Username)"]),
        ("quartzberg.fox", &["TooSimilar(Email)"]),
        (&"x9#K".repeat(257), &["TooLong(1024)"]),
    ] {
        let said = create(&fixture, "gwendolyn77", "quartzberg.fox@example.com", password);
        let line = said.failed();
        assert!(line.contains("password") && flaws.iter().all(|flaw| line.contains(flaw)), "{line}");
        assert!(!line.contains(password) || password == "gwendolyn77", "{line}");
    }
    assert_eq!(fixture.run(&["users", "list"]).done().lines().count(), 1);
}

async fn a_bad_name_or_address_is_refused_and_named() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    for (username, email, option) in [
        ("a b", "root@example.com", "--username"),
        ("", "root@example.com", "--username"),
        ("a\nb", "root@example.com", "--username"),
        ("\u{200B}", "root@example.com", "--username"),
        (&"x".repeat(151), "root@example.com", "--username"),
        ("root", "root", "--email"),
        ("root", "", "--email"),
        ("root", "root@example.com\r\nBcc: x@example.com", "--email"),
        ("root", "root@example.com,x@example.com", "--email"),
    ] {
        let said = create(&fixture, username, email, PASSWORD);
        assert!(said.failed().contains(option), "{said}");
    }
    assert_eq!(fixture.run(&["users", "list"]).done().lines().count(), 1);
}

async fn without_a_password_nothing_is_created() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    for input in ["", "\n", "\r\n"] {
        create(&fixture, "root", "root@example.com", input).failed();
    }
    // There is nobody to ask: a pipe is no terminal.
    let given = ["create-superuser", "--username", "root", "--email", "root@example.com"];
    assert!(fixture.run(&given).failed().contains("--password-stdin"));
    assert!(fixture.run_with(&given, PASSWORD).failed().contains("--password-stdin"));
    assert!(fixture.run_with(&["create-superuser", "--password-stdin"], PASSWORD).failed().contains("Username"));
    assert!(fixture.run_with(&given[..3], PASSWORD).failed().contains("Email"));
    // A password is no argument: everybody on the machine could read it.
    fixture.run(&[&given[..], &["--password", PASSWORD]].concat()).misused();
    fixture.run(&[&given[..], &["--password-stdin", PASSWORD]].concat()).misused();
    assert_eq!(fixture.run(&["users", "list"]).done().lines().count(), 1);
}

async fn a_password_is_read_whole_but_for_its_line_break() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    for (username, input, password) in [
        ("unix", "Correct-horse-42\n", "Correct-horse-42"),
        ("windows", "Correct-horse-42\r\n", "Correct-horse-42"),
        ("blanks", " Correct horse 42 \n", " Correct horse 42 "),
        ("accents", "Pr\u{E9}cis-\u{10D0}\u{10D1}-42", "Pr\u{E9}cis-\u{10D0}\u{10D1}-42"),
    ] {
        create(&fixture, username, &format!("{username}@example.com"), input).done();
        assert_eq!(fixture.log_in(username, password).await.status, 200, "{username}");
        assert_eq!(fixture.log_in(username, &format!("{password}!")).await.status, 401, "{username}");
    }
}

async fn a_password_is_set_as_it_would_arrive_at_a_login() {
    // Here a login cuts the blanks off, so that a password with blanks at its edges could never be typed.
    let fixture = Fixture::new(Database::sqlite(), "simplejwt");
    create(&fixture, "root", "root@example.com", "  Correct horse 42  ").done();
    let set = ["users", "set-password", "alice", "--password-stdin"];
    fixture.client.newcomer("alice").await;
    fixture.run_with(&set, "\tAnother horse 43 \n").done();
    for (username, password) in [("root", "Correct horse 42"), ("alice", "Another horse 43")] {
        for typed in [password.to_owned(), format!("  {password} ")] {
            assert_eq!(fixture.log_in(username, &typed).await.status, 200, "{username}: {typed:?}");
        }
    }
}

async fn a_superuser_can_be_created_before_the_first_start() {
    let folder = tempfile::TempDir::new().unwrap();
    let place = folder.path().join("data");
    let options = ServerOptions::new("development", None).env("AUTH__DATA__DIR", place.to_str().unwrap());
    let args = ["make-superuser", "--username", "root", "--email", "root@example.com"];
    let said = CommandOutput::of(options.run_to_end(SERVER, &args), &args);
    let password = password_in(said.done());
    let fixture = Fixture::with(Database::sqlite(), options);
    assert_eq!(fixture.log_in("root", &password).await.status, 200);
}

/// The password that `make-superuser` prints.
fn password_in(printed: &str) -> String {
    let password = printed.lines().find_map(|line| line.strip_prefix("password: "));
    password.unwrap_or_else(|| panic!("no password in {printed}")).to_owned()
}

async fn only_the_first_superuser_is_made_by_itself(database: Database) {
    let fixture = Fixture::new(database, "simplejwt");
    // An ordinary administrator is not the owner.
    fixture.client.newcomer("alice").await;
    fixture.run(&["users", "promote", "alice"]).done();
    let said = fixture.run(&["make-superuser"]);
    let password = password_in(said.done());
    assert!(said.result.contains("username: admin"), "{said}");
    assert!(password.len() >= 22 && !said.errors.contains(&password), "{said}");
    let pair = TokenPair::of(&fixture.log_in("admin", &password).await);
    assert_eq!(claims_of(&pair.access)["role"], "admin");

    let again = fixture.run(&["make-superuser"]);
    assert!(again.done().contains("nothing changed") && !again.result.contains("password"), "{again}");
    let other = fixture.run(&["make-superuser", "--username", "other", "--email", "other@example.com"]);
    assert!(other.done().contains("nothing changed"), "{other}");
    assert_eq!(fixture.log_in("admin", &password).await.status, 200);
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 200);
    let list = fixture.run(&["users", "list"]);
    assert_eq!(list.done().lines().count(), 3, "{list}");
    assert!(!list.result.contains("other"), "{list}");
    // Another password each time.
    let elsewhere = Fixture::new(Database::sqlite(), "simplejwt");
    assert_ne!(password_in(elsewhere.run(&["make-superuser"]).done()), password);
}
