//! What the topics share: a server that mails to a [`Postbox`], and a client of it.

use std::future::Future;
use std::time::{Duration, Instant};

use auth_tests::postgres;
use auth_tests::server::{Server, ServerOptions};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::postbox::Postbox;
use crate::support::{Answer, Api, BINARY, Database, PASSWORD, Pair};

/// How long something outside may take: far more than it needs, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the links of these servers begin with.
pub(crate) const BASE_URL: &str = "https://app.example.com";
/// Another password that passes the policy.
pub(crate) const NEW_PASSWORD: &str = "Battery-staple-43";

/// A case on both databases: `topic::case::sqlite` and `topic::case::postgres`.
pub(crate) fn on_both<F>(name: &str, case: fn(Database) -> F) -> Vec<Trial>
where
    F: Future<Output = ()> + 'static,
{
    let on_sqlite = Trial::test(format!("{name}::sqlite"), move || {
        run(case(Database::Sqlite));
        Ok(())
    });
    let on_postgres = postgres::trial(format!("{name}::postgres"), move || {
        run(case(Database::Postgres(postgres::fresh_database())));
        Ok(())
    });
    vec![on_sqlite, on_postgres]
}

fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(case);
}

/// Makes trials of functions; their names are the functions' own, after the module's.
macro_rules! cases {
    ($($maker:ident: $($case:ident),+ $(,)?);+) => {
        [$($(
            $crate::stage::$maker(&format!("{}::{}", $crate::stage::topic(module_path!()), stringify!($case)), $case),
        )+)+].into_iter().flatten().collect()
    };
}
pub(crate) use cases;

/// The last part of the path of a module.
pub(crate) fn topic(module: &str) -> &str {
    module.rsplit("::").next().unwrap_or(module)
}

/// A server whose passwords cost next to nothing and whose mails go to a postbox.
pub(crate) fn options(database: &Database, postbox: &Postbox) -> ServerOptions {
    let options = database.server("development");
    let options = options.env("AUTH__PASSWORDS__ARGON2_MEMORY_KIB", "8").env("AUTH__PASSWORDS__ARGON2_ITERATIONS", "1");
    let options = options.env("AUTH__MAIL__TRANSPORT", "smtp").env("AUTH__MAIL__SMTP_HOST", "127.0.0.1");
    let options = options.env("AUTH__MAIL__SMTP_PORT", &postbox.port().to_string());
    let options = options.env("AUTH__MAIL__SMTP_TLS", "none").env("AUTH__MAIL__BASE_URL", BASE_URL);
    options.env("AUTH__MAIL__FROM", "Auth <no-reply@app.example.com>").env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "off")
}

/// Options with which any number of servers share one database: on SQLite, a file in `folder`.
pub(crate) fn shared(database: &Database, options: ServerOptions, folder: &TempDir) -> ServerOptions {
    let file = folder.path().join("shared.sqlite3");
    match database {
        Database::Sqlite => options.env("DATABASE_URL", &format!("sqlite://{}", file.display())),
        Database::Postgres(_) => options,
    }
}

/// A server, a client of it, and the postbox that its mails arrive in.
pub(crate) struct Stage {
    pub(crate) api: Api,
    pub(crate) postbox: Postbox,
    pub(crate) server: Server,
    pub(crate) database: Database,
}

impl Stage {
    pub(crate) fn of(database: Database) -> Self {
        Self::with(database, |options| options)
    }

    pub(crate) fn with(database: Database, change: impl FnOnce(ServerOptions) -> ServerOptions) -> Self {
        Self::at(database, Postbox::open(), change)
    }

    pub(crate) fn at(
        database: Database,
        postbox: Postbox,
        change: impl FnOnce(ServerOptions) -> ServerOptions,
    ) -> Self {
        let server = change(options(&database, &postbox)).start(BINARY);
        Self { api: Api::new(&server.url()), postbox, server, database }
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.api.post(path, None, body).await
    }

    pub(crate) async fn try_login(&self, name: &str, password: &str) -> Answer {
        self.post("/api/token/", json!({"username": name, "password": password})).await
    }

    /// Asks to reset the password of whoever has this address.
    pub(crate) async fn forget(&self, email: &str) -> Answer {
        self.post("/api/password-reset/", json!({"email": email})).await
    }

    pub(crate) async fn confirm_reset(&self, token: &str, password: &str) -> Answer {
        self.post("/api/password-reset/confirm/", json!({"token": token, "new_password": password})).await
    }

    pub(crate) async fn verify(&self, token: &str) -> Answer {
        self.post("/api/email/verify/", json!({"token": token})).await
    }

    /// Answers the challenge of a login.
    pub(crate) async fn answer(&self, challenge: &str, code: &str) -> Answer {
        self.post("/api/token/second-factor/", json!({"challenge": challenge, "code": code})).await
    }

    /// Switches codes by mail on for somebody who is logged in; their recovery codes. Takes two mails of theirs.
    pub(crate) async fn enrol_by_mail(&self, pair: &Pair, email: &str) -> Vec<String> {
        self.enrol_by_mail_with(pair, email, None).await
    }

    /// The same with a challenge and the code that answers it.
    pub(crate) async fn enrol_by_mail_with(
        &self,
        pair: &Pair,
        email: &str,
        answer: Option<(&str, &str)>,
    ) -> Vec<String> {
        let before = self.postbox.letters_to(email).len();
        let mut body = json!({"method": "email", "password": PASSWORD});
        if let Some((challenge, code)) = answer {
            body["challenge"] = challenge.into();
            body["code"] = code.into();
        }
        let begun = self.api.post("/api/users/me/second-factors/", Some(&pair.access), body).await;
        assert_eq!(begun.status, 201, "{}", begun.text);
        let code = self.postbox.nth(email, before + 1).await;
        let body = json!({"challenge": begun.field("challenge"), "code": code.code()});
        let confirmed = self.api.post("/api/users/me/second-factors/confirm/", Some(&pair.access), body).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        self.postbox.nth(email, before + 2).await;
        texts(&confirmed.json()["recovery_codes"])
    }
}

/// A list of texts.
pub(crate) fn texts(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list} is no list"));
    list.iter().map(|text| text.as_str().expect("a text").to_owned()).collect()
}

/// Panics unless a login asks for a second factor by these methods; the challenge.
#[track_caller]
pub(crate) fn challenge_of(answer: &Answer, methods: &[&str]) -> String {
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.field("code"), "second_factor_required");
    assert_eq!(texts(&answer.json()["methods"]), methods);
    assert_eq!(answer.json().get("access"), None);
    answer.field("challenge")
}

/// Panics unless it is a 429 in JSON that says when to try again; in how many seconds.
#[track_caller]
pub(crate) fn assert_throttled(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 429, "{}", answer.text);
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let seconds: u64 = header("retry-after").parse().unwrap_or_else(|_| panic!("{:?}", answer.headers));
    assert!(seconds > 0, "{:?}", answer.headers);
    let unit = if seconds == 1 { "second" } else { "seconds" };
    let detail = format!("Request was throttled. Expected available in {seconds} {unit}.");
    assert_eq!(answer.json(), json!({"detail": detail}));
    seconds
}

/// Waits until something outside is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
