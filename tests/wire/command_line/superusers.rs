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
            a_created_superuser_logs_in_as_staff,
            refuses_a_second_superuser_with_the_same_username_or_email_address;
        OnBothDatabases =>
            make_superuser_creates_only_the_first_superuser;
        Once =>
            refuses_a_weak_password_with_the_reason,
            refuses_an_invalid_username_or_email_address,
            refuses_to_create_a_superuser_without_a_password,
            reads_the_password_up_to_the_line_break,
            trims_the_password_where_login_trims_it,
            a_superuser_can_be_created_before_the_first_start
    ]
}

/// Runs `create-superuser --password-stdin`.
fn create(fixture: &Fixture, username: &str, email: &str, input: &str) -> CommandOutput {
    let args = ["create-superuser", "--username", username, "--email", email, "--password-stdin"];
    fixture.run_with(&args, input)
}

async fn a_created_superuser_logs_in_as_staff(database: Database) {
    let fixture = Fixture::new(database, "simplejwt");
    let output = create(&fixture, "root", "root@example.com", PASSWORD);
    assert_eq!(output.success(), "root is a superuser\n");
    assert!(!output.to_string().contains(PASSWORD), "{output}");
    let pair = fixture.client.login("root").await;
    for token in [&pair.access, &pair.refresh] {
        assert_eq!(claims_of(token)["role"], "admin");
        assert_eq!(claims_of(token)["email"], "root@example.com");
    }
    let me = fixture.client.me(&pair.access).await.json();
    assert_eq!((&me["username"], &me["is_staff"]), (&json!("root"), &json!(true)));
    assert_eq!(claims_of(&fixture.client.register_and_login("alice").await.access)["role"], "user");
}

async fn refuses_a_second_superuser_with_the_same_username_or_email_address(database: Database) {
    let fixture = Fixture::new(database, "development");
    create(&fixture, "root", "root@example.com", PASSWORD).success();
    let line = |output: CommandOutput| output.failure().to_owned();
    assert!(line(create(&fixture, "root", "other@example.com", PASSWORD)).contains("account with this username"));
    assert!(line(create(&fixture, "ROOT", "other@example.com", PASSWORD)).contains("account with this username"));
    assert!(line(create(&fixture, "other", "Root@Example.com", PASSWORD)).contains("account with this email address"));
    // A different username and email address are accepted.
    create(&fixture, "second", "second@example.com", PASSWORD).success();
    fixture.client.login("root").await;
    fixture.client.login("second").await;
    assert_eq!(fixture.run(&["users", "list"]).success().lines().count(), 3);
}

async fn refuses_a_weak_password_with_the_reason() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    for (password, flaws) in [
        ("12345", ["TooShort(8)", "TooCommon", "EntirelyNumeric"].as_slice()),
        ("password123", &["TooCommon"]),
        ("8273645190", &["EntirelyNumeric"]),
        ("gwendolyn77", &["TooSimilar(Username)"]),
        ("quartzberg.fox", &["TooSimilar(Email)"]),
        (&"x9#K".repeat(257), &["TooLong(1024)"]),
    ] {
        let output = create(&fixture, "gwendolyn77", "quartzberg.fox@example.com", password);
        let line = output.failure();
        assert!(line.contains("password") && flaws.iter().all(|flaw| line.contains(flaw)), "{line}");
        assert!(!line.contains(password) || password == "gwendolyn77", "{line}");
    }
    assert_eq!(fixture.run(&["users", "list"]).success().lines().count(), 1);
}

async fn refuses_an_invalid_username_or_email_address() {
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
        let output = create(&fixture, username, email, PASSWORD);
        assert!(output.failure().contains(option), "{output}");
    }
    assert_eq!(fixture.run(&["users", "list"]).success().lines().count(), 1);
}

async fn refuses_to_create_a_superuser_without_a_password() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    for input in ["", "\n", "\r\n"] {
        create(&fixture, "root", "root@example.com", input).failure();
    }
    // Without a terminal there is no prompt.
    let given = ["create-superuser", "--username", "root", "--email", "root@example.com"];
    assert!(fixture.run(&given).failure().contains("--password-stdin"));
    assert!(fixture.run_with(&given, PASSWORD).failure().contains("--password-stdin"));
    assert!(fixture.run_with(&["create-superuser", "--password-stdin"], PASSWORD).failure().contains("Username"));
    assert!(fixture.run_with(&given[..3], PASSWORD).failure().contains("Email"));
    // There is no option for the password: every user of the machine could read it.
    fixture.run(&[&given[..], &["--password", PASSWORD]].concat()).usage_error();
    fixture.run(&[&given[..], &["--password-stdin", PASSWORD]].concat()).usage_error();
    assert_eq!(fixture.run(&["users", "list"]).success().lines().count(), 1);
}

async fn reads_the_password_up_to_the_line_break() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    for (username, input, password) in [
        ("unix", "Correct-horse-42\n", "Correct-horse-42"),
        ("windows", "Correct-horse-42\r\n", "Correct-horse-42"),
        ("blanks", " Correct horse 42 \n", " Correct horse 42 "),
        ("accents", "Pr\u{E9}cis-\u{10D0}\u{10D1}-42", "Pr\u{E9}cis-\u{10D0}\u{10D1}-42"),
    ] {
        create(&fixture, username, &format!("{username}@example.com"), input).success();
        assert_eq!(fixture.log_in(username, password).await.status, 200, "{username}");
        assert_eq!(fixture.log_in(username, &format!("{password}!")).await.status, 401, "{username}");
    }
}

async fn trims_the_password_where_login_trims_it() {
    // In this profile login trims passwords, so an untrimmed one could never be entered.
    let fixture = Fixture::new(Database::sqlite(), "simplejwt");
    create(&fixture, "root", "root@example.com", "  Correct horse 42  ").success();
    let set = ["users", "set-password", "alice", "--password-stdin"];
    fixture.client.register_and_login("alice").await;
    fixture.run_with(&set, "\tAnother horse 43 \n").success();
    for (username, password) in [("root", "Correct horse 42"), ("alice", "Another horse 43")] {
        for typed in [password.to_owned(), format!("  {password} ")] {
            assert_eq!(fixture.log_in(username, &typed).await.status, 200, "{username}: {typed:?}");
        }
    }
}

async fn a_superuser_can_be_created_before_the_first_start() {
    let folder = tempfile::TempDir::new().unwrap();
    let data = folder.path().join("data");
    let options = ServerOptions::new("development", None).env("AUTH__DATA__DIR", data.to_str().unwrap());
    let args = ["make-superuser", "--username", "root", "--email", "root@example.com"];
    let output = CommandOutput::of(options.run_to_exit(SERVER, &args), &args);
    let password = password_in(output.success());
    let fixture = Fixture::with(Database::sqlite(), options);
    assert_eq!(fixture.log_in("root", &password).await.status, 200);
}

/// Returns the password that `make-superuser` prints.
fn password_in(printed: &str) -> String {
    let password = printed.lines().find_map(|line| line.strip_prefix("password: "));
    password.unwrap_or_else(|| panic!("no password in {printed}")).to_owned()
}

async fn make_superuser_creates_only_the_first_superuser(database: Database) {
    let fixture = Fixture::new(database, "simplejwt");
    // A promoted user is staff, but not a superuser.
    fixture.client.register_and_login("alice").await;
    fixture.run(&["users", "promote", "alice"]).success();
    let output = fixture.run(&["make-superuser"]);
    let password = password_in(output.success());
    assert!(output.result.contains("username: admin"), "{output}");
    assert!(password.len() >= 22 && !output.errors.contains(&password), "{output}");
    let pair = TokenPair::of(&fixture.log_in("admin", &password).await);
    assert_eq!(claims_of(&pair.access)["role"], "admin");

    let again = fixture.run(&["make-superuser"]);
    assert!(again.success().contains("nothing changed") && !again.result.contains("password"), "{again}");
    let other = fixture.run(&["make-superuser", "--username", "other", "--email", "other@example.com"]);
    assert!(other.success().contains("nothing changed"), "{other}");
    assert_eq!(fixture.log_in("admin", &password).await.status, 200);
    assert_eq!(fixture.client.refresh(&pair.refresh).await.status, 200);
    let list = fixture.run(&["users", "list"]);
    assert_eq!(list.success().lines().count(), 3, "{list}");
    assert!(!list.result.contains("other"), "{list}");
    // The password is random.
    let other_deployment = Fixture::new(Database::sqlite(), "simplejwt");
    assert_ne!(password_in(other_deployment.run(&["make-superuser"]).success()), password);
}
