//! `check-config` and `openapi`.

use auth_tests::cases::Once;
use auth_tests::server::{APPLICATION_SECRET, SIGNING_KEY};
use auth_tests::{Database, ServerOptions, cases};
use libtest_mimic::Trial;
use serde_json::Value;
use tempfile::TempDir;

use super::fixture::{CommandOutput, Fixture};
use crate::SERVER;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        Once =>
            later_configuration_sources_override_earlier_ones,
            check_config_prints_the_values_of_each_profile,
            secrets_are_masked,
            a_configuration_error_is_one_line_with_the_key,
            check_config_has_no_side_effects,
            openapi_prints_the_document_that_the_server_serves,
            routes_prints_each_route_with_its_rule
    ]
}

/// Runs the program in a new folder, without a server.
fn run(options: &ServerOptions, args: &[&str]) -> CommandOutput {
    CommandOutput::of(options.run_to_exit(SERVER, args), args)
}

/// Returns the value of a key as `check-config` prints it.
fn value<'a>(shown: &'a str, section: &str, key: &str) -> &'a str {
    let section = shown.split_once(&format!("[{section}]\n")).unwrap_or_else(|| panic!("no {section} in {shown}")).1;
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let mut members = lines.filter_map(|line| line.split_once(" = "));
    members.find(|(name, _)| *name == key).unwrap_or_else(|| panic!("no {key} in {section}")).1
}

async fn later_configuration_sources_override_earlier_ones() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("auth.toml");
    let text = "[tokens]\nrefresh_ttl_seconds = 1001\nleeway_seconds = 11\nclaims = [\"username\"]\n\
                [server]\nbind = \"127.0.0.1:1001\"\nworkers = 3\n";
    std::fs::write(&file, text).unwrap();
    let options = ServerOptions::new("simplejwt", None)
        .env("AUTH__TOKENS__LEEWAY_SECONDS", "12")
        .env("AUTH__TOKENS__VERIFYING_KEY_FILES", "/a.pem, /b.pem")
        .env("AUTH__SERVER__BIND", "127.0.0.1:1002")
        .env("AUTH__SERVER__WORKERS", "4")
        .env("AUTH__HTTP__ALIASES", "true");
    let output = run(&options, &["check-config", "--config", file.to_str().unwrap(), "--bind", "127.0.0.1:1003"]);
    let shown = output.success();
    for (section, key, expected, source) in [
        ("tokens", "retry_window_seconds", "10", "default"),
        ("tokens", "access_ttl_seconds", "1800", "profile"),
        ("tokens", "refresh_ttl_seconds", "1001", "file"),
        ("tokens", "claims", "[\"username\"]", "file"),
        ("tokens", "leeway_seconds", "12", "environment"),
        ("tokens", "verifying_key_files", "[\"/a.pem\", \"/b.pem\"]", "environment"),
        ("server", "workers", "4", "environment"),
        ("http", "aliases", "true", "environment"),
        ("server", "bind", "\"127.0.0.1:1003\"", "command line"),
        ("log", "format", "\"json\"", "environment"),
    ] {
        assert_eq!(value(shown, section, key), expected, "{section}.{key}, from the {source}: {shown}");
    }
    assert_eq!(output.errors.lines().count(), 1, "{}", output.errors);
    assert!(output.errors.starts_with("warning: server.trusted_proxies: is empty"), "{}", output.errors);
    for (name, value, warning) in [
        ("AUTH__SERVER__TRUSTED_PROXIES", "127.0.0.1", ""),
        ("AUTH__SERVER__TRUSTED_PROXIES", "203.0.113.0/24", "warning: server.trusted_proxies: 203.0.113.0/24 "),
        ("AUTH__THROTTLE__ENABLED", "false", "warning: throttle.enabled: is false"),
    ] {
        let errors = run(&options.clone().env(name, value), &["check-config"]).errors;
        assert_eq!(errors.lines().count(), usize::from(!warning.is_empty()), "{name}={value}: {errors}");
        assert!(errors.starts_with(warning), "{name}={value}: {errors}");
    }
}

async fn check_config_prints_the_values_of_each_profile() {
    for (profile, body_limit, generate_key, trim, transport, verification, registrations, failures) in [
        ("development", "65536", "true", "false", "folder", "optional", "20", "100"),
        ("production", "65536", "false", "false", "", "optional", "20", "100"),
        ("simplejwt", "2621440", "true", "true", "folder", "off", "1000", "300"),
    ] {
        let options = ServerOptions::new(profile, None).without("AUTH__MAIL__TRANSPORT");
        let options = options.without("AUTH__THROTTLE__REGISTRATIONS_PER_CLIENT_IP_PER_HOUR");
        let output = run(&options, &["check-config"]);
        let shown = output.success();
        assert_eq!(value(shown, "throttle", "registrations_per_client_ip_per_hour"), registrations, "{profile}");
        let sessions = if profile == "simplejwt" { "0" } else { "100" };
        assert_eq!(value(shown, "accounts", "max_sessions"), sessions, "{profile}");
        assert_eq!(value(shown, "throttle", "failures_per_client_ip_per_hour"), failures, "{profile}");
        assert_eq!(value(shown, "secrets", "generate_key"), generate_key, "{profile}");
        assert_eq!(value(shown, "mail", "transport"), format!("{transport:?}"), "{profile}");
        assert_eq!(value(shown, "accounts", "email_verification"), format!("{verification:?}"), "{profile}");
        assert_eq!(value(shown, "throttle", "enabled"), "true", "{profile}");
        assert_eq!(value(shown, "second_factor", "required_for"), "\"nobody\"", "{profile}");
        assert_eq!(value(shown, "http", "body_limit_bytes"), body_limit, "{profile}");
        assert_eq!(value(shown, "tokens", "generate_key"), generate_key, "{profile}");
        assert_eq!(value(shown, "passwords", "trim"), trim, "{profile}");
    }
    // The command line overrides `AUTH_PROFILE`.
    let options = ServerOptions::new("simplejwt", None).env("AUTH_PROFILE", "production");
    assert_eq!(value(run(&options, &["check-config"]).success(), "passwords", "trim"), "true");
}

async fn secrets_are_masked() {
    let folder = TempDir::new().unwrap();
    let (key, url) = (folder.path().join("key"), folder.path().join("url"));
    const IN_FILE: &str = "another-signing-key-0123456789-abcdefghij";
    std::fs::write(&key, format!("{IN_FILE}\n")).unwrap();
    std::fs::write(&url, "postgres://auth:pw-in-the-file@127.0.0.1/auth\n").unwrap();
    let given = ServerOptions::new("development", Some("postgres://auth:pw-in-the-url@127.0.0.1/auth"))
        .env("AUTH__MAIL__SMTP_PASSWORD", "pw-of-the-mailer");
    let in_files = ServerOptions::new("development", None)
        .without("AUTH__TOKENS__SIGNING_KEY")
        .without("AUTH__SECRETS__KEY")
        .env("AUTH__SECRETS__KEY_FILE", key.to_str().unwrap())
        .env("AUTH__MAIL__SMTP_PASSWORD_FILE", key.to_str().unwrap())
        .env("AUTH__TOKENS__SIGNING_KEY_FILE", key.to_str().unwrap())
        .env("AUTH__DATABASE__URL_FILE", url.to_str().unwrap());
    for options in [given, in_files] {
        let output = run(&options, &["check-config"]);
        let shown = output.success();
        assert_eq!(value(shown, "tokens", "signing_key"), "\"********\"");
        assert_eq!(value(shown, "secrets", "key"), "\"********\"");
        assert_eq!(value(shown, "mail", "smtp_password"), "\"********\"");
        assert_eq!(value(shown, "database", "url"), "\"********\"");
        for secret in [SIGNING_KEY, APPLICATION_SECRET, IN_FILE, "pw-in-the-url", "pw-in-the-file", "pw-of-the-mailer"]
        {
            assert!(!shown.contains(secret) && !output.errors.contains(secret), "{secret}: {output}");
        }
    }
    // A missing secret is shown as empty.
    let none = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY");
    assert_eq!(value(run(&none, &["check-config"]).success(), "tokens", "signing_key"), "\"\"");
}

async fn a_configuration_error_is_one_line_with_the_key() {
    let options = ServerOptions::new("development", None);
    for (name, wrong, key) in [
        ("AUTH__TOKENS__ACESS_TTL", "7", "tokens.acess_ttl"),
        ("AUTH__TOKENS__ACCESS_TTL_SECONDS", "0", "tokens.access_ttl_seconds"),
        ("AUTH__TOKENS__ON_RETRY", "maybe", "tokens.on_retry"),
        ("AUTH__TOKENS__CLAIMS", "email,shoe_size", "tokens.claims"),
        ("AUTH__THROTTLE__SECOND_FACTOR_PER_DAY", "0", "throttle.second_factor_per_day"),
        ("AUTH__MAIL__TRANSPORT", "pigeon", "mail.transport"),
        ("AUTH__MAIL__TRANSPORT", "none", "accounts.email_verification"),
        ("AUTH__SECRETS__KEY_FILE", "/nowhere/key", "secrets.key"),
        ("AUTH__SERVER__BIND", "nowhere", "server.bind"),
        ("AUTH__HTTP__BODY_LIMIT_BYTES", "-1", "body_limit_bytes"),
        ("AUTH__TOKENS__SIGNING_KEY_FILE", "/nowhere/key", "tokens.signing_key"),
    ] {
        let output = run(&options.clone().env(name, wrong), &["check-config"]);
        assert!(output.failure().contains(key), "{name}={wrong}: {output}");
    }
    // Every command that reads the configuration reports the error and stops.
    let broken = options.env("AUTH__TOKENS__ON_RETRY", "maybe");
    for args in [
        ["check-config"].as_slice(),
        &["serve"],
        &[],
        &["migrate"],
        &["flush-expired-tokens"],
        &["healthcheck"],
        &["keys", "list"],
        &["users", "list"],
        &["make-superuser"],
    ] {
        assert!(run(&broken, args).failure().contains("tokens.on_retry"), "{args:?}");
    }
}

async fn check_config_has_no_side_effects() {
    let folder = TempDir::new().unwrap();
    let data = folder.path().join("data");
    let options = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY");
    let options = options.without("AUTH__SECRETS__KEY").env("AUTH__DATA__DIR", data.to_str().unwrap());
    for args in [["check-config"], ["openapi"]] {
        run(&options, &args).success();
        assert!(!data.exists(), "{args:?}");
    }
    // The database is not contacted either.
    let unreachable = options.env("DATABASE_URL", "postgres://auth:x@127.0.0.1:1/auth");
    run(&unreachable, &["check-config"]).success();
}

async fn openapi_prints_the_document_that_the_server_serves() {
    let fixture = Fixture::new(Database::sqlite(), "development");
    let printed = fixture.run(&["openapi"]);
    let document: Value = serde_json::from_str(printed.success()).expect("JSON");
    assert_eq!(document, fixture.client.get("/api/schema/").await.json());
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")));
    assert!(!printed.result.contains("/api/token/sliding/"), "sliding tokens are not in use");
    let sliding = ServerOptions::new("development", None).env("AUTH__TOKENS__ACCEPTED_KINDS", "access,sliding");
    assert!(run(&sliding, &["openapi"]).success().contains("/api/token/sliding/"));
}

async fn routes_prints_each_route_with_its_rule() {
    let options = ServerOptions::new("development", None);
    let printed = run(&options, &["routes"]);
    let row = |path: &str| {
        let line = printed.success().lines().find(|line| line.split_whitespace().next() == Some(path));
        line.unwrap_or_else(|| panic!("{path}: {printed}")).to_owned()
    };
    assert!(row("/api/users/me/").ends_with("GET, HEAD, PUT, PATCH, OPTIONS  IsAuthenticated"));
    assert!(row("/api/token/").ends_with("AllowAny, credentials not read"));
    assert!(!printed.result.contains("/accounts/token/") && !printed.result.contains("/api/token/sliding/"));
    let all = options.env("AUTH__TOKENS__ACCEPTED_KINDS", "sliding").env("AUTH__HTTP__ALIASES", "true");
    let all = run(&all, &["routes"]);
    assert!(all.success().contains("/accounts/token/") && all.result.contains("/api/token/sliding/"));
}
