//! `check-config --from-simplejwt`: prints a usable configuration, or says what prevents it.

use std::path::{Path, PathBuf};

use auth_tests::cases::Once;
use auth_tests::{ServerOptions, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::fixture::CommandOutput;
use crate::SERVER;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        Once =>
            the_printed_configuration_takes_effect,
            an_empty_dictionary_means_simplejwts_defaults,
            unsupported_settings_are_listed_and_nothing_is_printed,
            no_key_is_printed,
            an_unreadable_file_is_a_one_line_error
    ]
}

const SECRET: &str = "django-insecure-mnu0%6@zks*gyaghaj!e2&9r3^kb6qs9zmjpyqel+52-w=41y3";

/// A folder with a dictionary of settings.
struct Fixture {
    folder: TempDir,
}

impl Fixture {
    fn with(dictionary: impl AsRef<[u8]>) -> Self {
        let fixture = Self { folder: TempDir::new().unwrap() };
        std::fs::write(fixture.path("settings.json"), dictionary).unwrap();
        fixture
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn translate(&self) -> CommandOutput {
        translate(&self.path("settings.json"))
    }

    /// Saves a printed configuration with its key file, and returns what `check-config` prints for it.
    fn effective(&self, printed: &str) -> String {
        let file = self.path("auth.toml");
        std::fs::write(self.path("signing.key"), format!("{SECRET}\n")).unwrap();
        let key = self.path("signing.key");
        std::fs::write(&file, printed.replace("\"signing.key\"", &format!("{key:?}"))).unwrap();
        let args = ["--config", file.to_str().unwrap(), "check-config"];
        run(&args).success().to_owned()
    }
}

/// Runs the program with the profile `simplejwt`.
fn run(args: &[&str]) -> CommandOutput {
    let options = ServerOptions::new("simplejwt", None).without("AUTH__TOKENS__SIGNING_KEY");
    CommandOutput::of(options.run_to_exit(SERVER, args), args)
}

fn translate(path: &Path) -> CommandOutput {
    run(&["check-config", "--from-simplejwt", path.to_str().unwrap()])
}

/// Panics unless a section contains this line.
#[track_caller]
fn assert_effective(shown: &str, section: &str, line: &str) {
    let (_, section) = shown.split_once(&format!("[{section}]\n")).unwrap_or_else(|| panic!("no {section}: {shown}"));
    let mut lines = section.lines().take_while(|line| !line.starts_with('['));
    assert!(lines.any(|other| other == line), "no `{line}` in {section}");
}

async fn the_printed_configuration_takes_effect() {
    let fixture = Fixture::with(
        json!({
            "ACCESS_TOKEN_LIFETIME": "0:30:00",
            "REFRESH_TOKEN_LIFETIME": "7 days, 0:00:00",
            "ROTATE_REFRESH_TOKENS": true,
            "BLACKLIST_AFTER_ROTATION": true,
            "UPDATE_LAST_LOGIN": true,
            "ALGORITHM": "HS256",
            "SIGNING_KEY": SECRET,
            "VERIFYING_KEY": null,
            "AUDIENCE": ["them"],
            "ISSUER": "https://us.example",
            "LEEWAY": 10,
            "AUTH_HEADER_TYPES": ["JWT", "Bearer"],
            "AUTH_HEADER_NAME": "HTTP_X_ACCESS_TOKEN",
            "USER_ID_FIELD": "username",
            "USER_ID_CLAIM": "the \"user\"",
            "AUTH_TOKEN_CLASSES": "(<class 'rest_framework_simplejwt.tokens.SlidingToken'>,)",
            "CHECK_REVOKE_TOKEN": true,
            "CHECK_USER_IS_ACTIVE": false,
        })
        .to_string(),
    );
    let output = fixture.translate();
    let shown = fixture.effective(output.success());
    for (section, line) in [
        ("http", r#"auth_header_name = "X-Access-Token""#),
        ("http", r#"auth_header_types = ["JWT", "Bearer"]"#),
        ("tokens", "access_ttl_seconds = 1800"),
        ("tokens", "refresh_ttl_seconds = 604800"),
        ("tokens", "rotate_refresh_tokens = true"),
        ("tokens", "blacklist_after_rotation = true"),
        ("tokens", "update_last_login = true"),
        ("tokens", r#"algorithm = "HS256""#),
        ("tokens", r#"signing_key = "********""#),
        ("tokens", "generate_key = false"),
        ("tokens", "verifying_key_files = []"),
        ("tokens", r#"audience = "them""#),
        ("tokens", r#"issuer = "https://us.example""#),
        ("tokens", "leeway_seconds = 10"),
        ("tokens", r#"user_id_field = "username""#),
        ("tokens", r#"user_id_claim = 'the "user"'"#),
        ("tokens", r#"accepted_kinds = ["sliding"]"#),
        ("tokens", "check_session_on_access = true"),
        ("tokens", "check_user_is_active = false"),
        // From the profile.
        ("tokens", "adopt_foreign_tokens = true"),
        ("http", "error_reasons = false"),
    ] {
        assert_effective(&shown, section, line);
    }
    assert_eq!(output.errors, "");
}

async fn an_empty_dictionary_means_simplejwts_defaults() {
    let fixture = Fixture::with("{}");
    let output = fixture.translate();
    let shown = fixture.effective(output.success());
    for line in [
        "access_ttl_seconds = 300",
        "refresh_ttl_seconds = 86400",
        "rotate_refresh_tokens = false",
        "blacklist_after_rotation = false",
        "update_last_login = false",
        "check_session_on_access = false",
        "claims = []",
        r#"signing_key_file = """#,
    ] {
        assert_effective(&shown, "tokens", line);
    }
    // Django's key must be configured; none is generated.
    assert!(output.result.contains("SECRET_KEY") && output.result.contains("\n# signing_key_file = "), "{output}");
    let file = fixture.path("auth.toml");
    let refused = run(&["--config", file.to_str().unwrap(), "serve"]);
    assert!(refused.errors.contains("tokens.signing_key: is not set"), "{refused}");
}

async fn unsupported_settings_are_listed_and_nothing_is_printed() {
    let dictionary = json!({
        "ALGORITHM": "ES512",
        "TOKEN_OBTAIN_SERIALIZER": "accounts.serializers.MyTokenObtainPairSerializer",
        "ACCESS_TOKEN_LIFETIM": "0:30:00",
    });
    let output = Fixture::with(dictionary.to_string()).translate();
    assert_eq!((output.code, output.result.as_str()), (Some(1), ""), "{output}");
    let lines: Vec<_> = output.errors.lines().collect();
    assert_eq!(lines.len(), 3, "{output}");
    for (line, expected) in lines.iter().zip([
        ("ALGORITHM: ", "P-521"),
        ("TOKEN_OBTAIN_SERIALIZER: ", "tokens.claims"),
        ("ACCESS_TOKEN_LIFETIM: ", "not a setting of SimpleJWT"),
    ]) {
        let reason = line.strip_prefix("error: --from-simplejwt: ").unwrap_or_else(|| panic!("{output}"));
        assert!(reason.starts_with(expected.0) && reason.contains(expected.1), "{line}");
    }
}

async fn no_key_is_printed() {
    let with = |name: &str, value: Value| {
        let mut dictionary = json!({"SIGNING_KEY": SECRET});
        dictionary[name] = value;
        Fixture::with(dictionary.to_string()).translate()
    };
    for output in [
        with("LEEWAY", json!(0)),
        with("LEEWAY", json!("soon")),
        with("VERIFYING_KEY", json!(SECRET)),
        with("SECRET_KEY", json!(SECRET)),
        with("SIGNING_KEY", json!([SECRET])),
        with("SIGNING_KEY", json!(format!("{SECRET}\n"))),
        with("ALGORITHM", json!("ES256")),
        Fixture::with(format!("{{\"SIGNING_KEY\": \"{SECRET}\"")).translate(),
        Fixture::with(format!("\"{SECRET}\"")).translate(),
    ] {
        assert!(!output.to_string().contains("django-insecure"), "{output}");
    }
}

async fn an_unreadable_file_is_a_one_line_error() {
    let long = format!("{{\"ISSUER\": \"{}\"}}", "x".repeat(1024 * 1024));
    for (content, reason) in [
        (b"6 objects imported automatically (use -v 2 for details).\n{}".as_slice(), "not valid JSON (line 1)"),
        (b"", "not valid JSON"),
        (b"[]", "does not contain a JSON object"),
        (b"\xff\xfe{\0}\0", "not valid UTF-8"),
        (long.as_bytes(), "longer than 1048576 bytes"),
    ] {
        let output = Fixture::with(content).translate();
        assert!(output.failure().contains(reason), "{output}");
    }
    let fixture = Fixture::with("{}");
    for missing in [fixture.path("nowhere.json"), fixture.folder.path().to_owned()] {
        let output = translate(&missing);
        assert!(output.failure().contains("cannot be read"), "{output}");
    }
    // The longest accepted file.
    let padded = format!("{{}}{}", " ".repeat(1024 * 1024 - 2));
    Fixture::with(padded).translate().success();
}
