//! Refused starts: one line names what to fix (REL-019, SEC-004).

use std::net::TcpListener;
use std::process::Output;

use auth_tests::cases::{OnBothEmptyDatabases, OnSqlite, Once};
use auth_tests::{Database, ServerOptions, TestClient, cases};
use libtest_mimic::Trial;
use tempfile::TempDir;

use crate::SERVER;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        Once => refuses_an_unreachable_database;
        OnSqlite =>
            refuses_an_unknown_key,
            refuses_an_invalid_value,
            refuses_a_weak_secret,
            refuses_an_unreadable_file,
            refuses_an_incomplete_production_configuration,
            refuses_an_invalid_email_configuration,
            refuses_a_port_in_use,
            refuses_wrong_usage;
        OnBothEmptyDatabases =>
            refuses_pending_migrations_until_they_are_applied]
}

/// Options with real hashing, because cheap hashing causes a warning.
fn server_options(database: &Database, profile: &str) -> ServerOptions {
    database.server(profile).with_real_hashing()
}

fn serve(options: &ServerOptions) -> Output {
    options.run_to_exit(SERVER, &["serve", "--bind", "127.0.0.1:0"])
}

/// Panics unless the program exited with code 1 and one line that contains all of these strings; returns the line.
fn assert_refused(output: &Output, names: &[&str]) -> String {
    let (printed, log) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{names:?}: {printed}{log}");
    assert_eq!(printed, "", "{names:?}");
    let lines: Vec<_> = log.lines().collect();
    assert_eq!(lines.len(), 1, "{names:?}: {log}");
    assert!(lines[0].starts_with("error: ") && names.iter().all(|name| lines[0].contains(name)), "{names:?}: {log}");
    log.into_owned()
}

async fn refuses_an_unknown_key(database: Database) {
    let options = server_options(&database, "development");
    for (variable, key) in [
        ("AUTH__TOKENS__ACESS_TTL_SECONDS", "tokens.acess_ttl_seconds"),
        ("AUTH__TOKNES__ISSUER", "toknes"),
        ("AUTH__TOKENS__ISSUER__X", "tokens.issuer"),
    ] {
        assert_refused(&serve(&options.clone().env(variable, "7")), &[key]);
    }
    let folder = TempDir::new().expect("a temporary folder");
    let file = folder.path().join("auth.toml");
    for (text, key) in
        [("[tokens]\nacess_ttl_seconds = 7\n", "tokens.acess_ttl_seconds"), ("[toknes]\nx = 1\n", "toknes")]
    {
        std::fs::write(&file, text).expect("a file");
        let args = ["serve", "--bind", "127.0.0.1:0", "--config", file.to_str().expect("UTF-8")];
        assert_refused(&options.run_to_exit(SERVER, &args), &[key]);
    }
}

async fn refuses_an_invalid_value(database: Database) {
    for (variable, value, names) in [
        ("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "0", ["throttle.password_free_attempts", "1"]),
        ("AUTH__SERVER__TRUSTED_PROXIES", "proxy.example", ["server.trusted_proxies", "10.0.0.0/8"]),
        ("AUTH__TOKENS__ACCESS_TTL_SECONDS", "soon", ["tokens.access_ttl_seconds", "integer"]),
        ("AUTH__TOKENS__ACCESS_TTL_SECONDS", "0", ["tokens.access_ttl_seconds", "1"]),
        ("AUTH__TOKENS__ON_RETRY", "perhaps", ["tokens.on_retry", "replay"]),
        ("AUTH__TOKENS__ALGORITHM", "none", ["tokens.algorithm", "none"]),
        ("AUTH__TOKENS__ALGORITHM", "EdDSA", ["tokens.signing_key", ""]),
        ("AUTH__SERVER__BIND", "nowhere", ["server.bind", "HOST:PORT"]),
        ("AUTH__LOG__LEVEL", "loud=louder=loudest", ["log.level", "trace"]),
        ("AUTH__LOG__FORMAT", "xml", ["log.format", "json"]),
        ("DATABASE_URL", "mysql://127.0.0.1/auth", ["database.url", "postgres://"]),
    ] {
        let options = server_options(&database, "development").env(variable, value);
        assert_refused(&options.run_to_exit(SERVER, &["serve"]), &names);
    }
    let options = server_options(&database, "staging");
    assert_refused(&serve(&options), &["--profile", "staging", "production"]);
}

async fn refuses_a_weak_secret(database: Database) {
    for (secret, says) in [
        ("Too-short-for-a-key-by-one-byte", "at least 32"),
        ("your-256-bit-secret", "published"),
        ("a-string-secret-at-least-256-bits-long", "published"),
        ("secretsecretsecretsecretsecretsecret", "published"),
        ("CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET", "published"),
        ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9n", "key or certificate"),
    ] {
        let options = server_options(&database, "development").env("AUTH__TOKENS__ALGORITHM", "HS256");
        let options = options.env("AUTH__TOKENS__SIGNING_KEY", secret);
        let line = assert_refused(&serve(&options), &["tokens.signing_key", says]);
        assert!(!line.contains(secret), "{line}");
        let line = assert_refused(
            &serve(&server_options(&database, "development").env("AUTH__SECRETS__KEY", secret)),
            &["secrets.key"],
        );
        assert!(!line.contains(secret), "{line}");
    }
}

async fn refuses_an_unreadable_file(database: Database) {
    let options =
        server_options(&database, "development").without("AUTH__TOKENS__SIGNING_KEY").without("AUTH__SECRETS__KEY");
    let folder = TempDir::new().expect("a temporary folder");
    let empty = folder.path().join("empty");
    std::fs::write(&empty, "\n").expect("a file");
    for path in ["/nowhere/key.pem", folder.path().to_str().expect("UTF-8"), empty.to_str().expect("UTF-8")] {
        for (variable, key) in [
            ("AUTH__TOKENS__SIGNING_KEY_FILE", "tokens.signing_key_file"),
            ("AUTH__TOKENS__VERIFYING_KEY_FILES", "tokens.verifying_key_files"),
            ("AUTH__SECRETS__KEY_FILE", "secrets.key_file"),
            ("AUTH__MAIL__SMTP_PASSWORD_FILE", "mail.smtp_password_file"),
        ] {
            assert_refused(&serve(&options.clone().env(variable, path)), &[key, path]);
        }
    }
    let options = options.without("DATABASE_URL").env("AUTH__DATABASE__URL_FILE", "/nowhere/url");
    assert_refused(&serve(&options), &["database.url_file", "/nowhere/url"]);
    let args = ["serve", "--config", "/nowhere/auth.toml"];
    assert_refused(
        &server_options(&database, "development").run_to_exit(SERVER, &args),
        &["--config", "/nowhere/auth.toml"],
    );
}

async fn refuses_an_unreachable_database() {
    for (url, place) in [
        ("sqlite:///nowhere/auth.sqlite3", "/nowhere/auth.sqlite3"),
        ("postgres://auth:its-password@127.0.0.1:1/x", "127.0.0.1:1/x"),
    ] {
        let options = ServerOptions::new("development", Some(url)).with_real_hashing();
        let line = assert_refused(&serve(&options), &["database.url", place]);
        assert!(!line.contains("its-password"), "{line}");
    }
}

async fn refuses_an_incomplete_production_configuration(database: Database) {
    let options = server_options(&database, "production");
    for (variable, names) in [
        ("AUTH__TOKENS__SIGNING_KEY", ["tokens.signing_key", "AUTH__TOKENS__SIGNING_KEY_FILE"]),
        ("AUTH__SECRETS__KEY", ["secrets.key", "AUTH__SECRETS__KEY_FILE"]),
        ("AUTH__MAIL__TRANSPORT", ["mail.transport: is not set", "smtp, folder or none"]),
        ("DATABASE_URL", ["database.url", "DATABASE_URL"]),
    ] {
        assert_refused(&serve(&options.clone().without(variable)), &names);
    }
}

async fn refuses_an_invalid_email_configuration(database: Database) {
    let options = server_options(&database, "development");
    let smtp = options.clone().env("AUTH__MAIL__TRANSPORT", "smtp").env("AUTH__MAIL__SMTP_HOST", "mail.example");
    let smtp = smtp.env("AUTH__MAIL__BASE_URL", "https://app.example").env("AUTH__MAIL__FROM", "no-reply@app.example");
    for (options, variable, value, key) in [
        (&smtp, "AUTH__MAIL__SMTP_HOST", "", "mail.smtp_host"),
        (&smtp, "AUTH__MAIL__BASE_URL", "", "mail.base_url"),
        (&smtp, "AUTH__MAIL__FROM", "auth-server <no-reply@localhost.localdomain>", "mail.from"),
        (&smtp, "AUTH__MAIL__SMTP_TLS", "none", "mail.smtp_tls"),
        (&smtp, "AUTH__MAIL__SMTP_PASSWORD", "a-password-of-nobody", "mail.smtp_username"),
        (&smtp, "AUTH__MAIL__SMTP_CA_FILE", "/nowhere/ca.pem", "mail.smtp_ca_file"),
        (&options, "AUTH__MAIL__TEMPLATES_DIR", "/nowhere/templates", "mail.templates_dir"),
        (&options, "AUTH__MAIL__LANGUAGE", "tlh", "mail.language"),
        (&options, "AUTH__MAIL__FOLDER", "/dev/null/mail", "mail.folder"),
        (&options, "AUTH__MAIL__TRANSPORT", "none", "accounts.email_verification"),
    ] {
        let line = assert_refused(&serve(&options.clone().env(variable, value)), &[key]);
        assert!(!line.contains("a-password-of-nobody"), "{line}");
    }
}

async fn refuses_pending_migrations_until_they_are_applied(database: Database) {
    let options = server_options(&database, "production");
    for _ in 0..2 {
        assert_refused(&serve(&options), &["database.auto_migrate", "auth-server migrate"]);
    }
    let migrated = options.run_to_exit(SERVER, &["migrate"]);
    assert!(migrated.status.success(), "{}", String::from_utf8_lossy(&migrated.stderr));
    let server = options.start(SERVER);
    let api = TestClient::new(&server.url());
    assert_eq!(api.get("/readyz").await.status, 200);
    api.register_and_login("first").await;
}

async fn refuses_a_port_in_use(database: Database) {
    let taken = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let output = server_options(&database, "development").run_to_exit(SERVER, &["serve", "--bind", &address]);
    assert_refused(&output, &["server.bind", &address]);
}

async fn refuses_wrong_usage(database: Database) {
    for args in [
        &["frobnicate"][..],
        &["serve", "--nowhere"],
        &["users"],
        &["users", "deactivate"],
        &["users", "set-password", "other", "a-password"],
        &["keys", "retire"],
        &["create-superuser", "--password", "a-password"],
    ] {
        let output = server_options(&database, "development").run_to_exit(SERVER, args);
        let log = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {log}");
        assert!(output.stdout.is_empty() && log.contains("Usage:"), "{args:?}: {log}");
    }
}
