//! A server that sends its emails to a [`MockSmtp`], and a client.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use auth_tests::cases::Shared;
use auth_tests::database::DatabaseKind;
use auth_tests::{
    Answer, Database, MockSmtp, PASSWORD, ReceivedEmail, ServerOptions, TestClient, TestServer, TokenPair,
};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use crate::SERVER;

/// Another password that passes the policy.
pub(crate) const NEW_PASSWORD: &str = "Battery-staple-43";

/// Options of a server that sends its emails to `smtp` with one worker, so that emails of one kind arrive in order. Email
/// addresses need no verification, the login delay and the replay window outlast any case, and `X-Forwarded-For` is
/// trusted.
pub(crate) fn options(database: &Database, smtp: &MockSmtp) -> ServerOptions {
    database.server("development").with_smtp(smtp).envs(&[
        ("AUTH__MAIL__WORKERS", "1"),
        ("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "off"),
        ("AUTH__THROTTLE__PASSWORD_FIRST_DELAY_SECONDS", "1800"),
        // All cases share one client IP, and open many challenges.
        ("AUTH__THROTTLE__CHALLENGES_PER_ACCOUNT_AND_CLIENT_IP_PER_TEN_MINUTES", "100"),
        ("AUTH__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600"),
        // A call waits for a connection, however busy the machine is.
        ("AUTH__DATABASE__ACQUIRE_TIMEOUT_MILLISECONDS", "60000"),
    ])
}

/// The servers that several cases share, each with its own users, email addresses and client IP.
pub(crate) struct SharedServers {
    /// Email verification is off.
    pub(crate) off: SharedServer,
    /// Email verification is optional.
    pub(crate) optional: SharedServer,
    /// Like `optional`, on PostgreSQL.
    pub(crate) optional_postgres: SharedServer,
    /// Email verification is required before the first login.
    pub(crate) required: SharedServer,
    /// Like `off`, on PostgreSQL.
    pub(crate) off_postgres: SharedServer,
}

impl SharedServers {
    pub(crate) fn new() -> Self {
        Self {
            off: SharedServer::new(DatabaseKind::Sqlite, "off"),
            off_postgres: SharedServer::new(DatabaseKind::Postgres, "off"),
            optional: SharedServer::new(DatabaseKind::Sqlite, "optional"),
            optional_postgres: SharedServer::new(DatabaseKind::Postgres, "optional"),
            required: SharedServer::new(DatabaseKind::Sqlite, "required"),
        }
    }
}

/// Sets the mode of email verification.
pub(crate) fn with_verification(options: ServerOptions, mode: &str) -> ServerOptions {
    options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", mode)
}

/// A server that several cases share.
pub(crate) struct SharedServer(Arc<Shared<Arc<EmailServer>>>);

impl SharedServer {
    fn new(kind: DatabaseKind, mode: &'static str) -> Self {
        let start =
            move |database| EmailServer::start(database, MockSmtp::open(), |options| with_verification(options, mode));
        Self(Shared::new(kind.name(), kind, start))
    }

    /// Returns the trial.
    pub(crate) fn trials(&self, name: String, case: impl AsyncFn(Fixture) + Send + 'static) -> Vec<Trial> {
        self.0.trials(name, async move |server: &Arc<EmailServer>| case(Fixture::shared(server.clone())).await)
    }
}

/// A server, and the SMTP server that receives its emails.
pub(crate) struct EmailServer {
    pub(crate) server: TestServer,
    pub(crate) smtp: MockSmtp,
    pub(crate) database: Database,
}

impl EmailServer {
    fn start(database: Database, smtp: MockSmtp, change: impl FnOnce(ServerOptions) -> ServerOptions) -> Arc<Self> {
        let server = change(options(&database, &smtp)).start(SERVER);
        Arc::new(Self { server, smtp, database })
    }
}

/// The server and the client of one case. Dereferences to its server.
pub(crate) struct Fixture {
    /// Sends requests from `client_ip`.
    pub(crate) client: TestClient,
    /// A client IP that no other case uses.
    pub(crate) client_ip: String,
    server: Arc<EmailServer>,
    suffix: String,
}

impl Deref for Fixture {
    type Target = EmailServer;

    fn deref(&self) -> &EmailServer {
        &self.server
    }
}

impl Fixture {
    /// Starts a server for this case.
    pub(crate) fn of(database: Database) -> Self {
        Self::with(database, |options| options)
    }

    /// Starts a server for this case with changed options.
    pub(crate) fn with(database: Database, change: impl FnOnce(ServerOptions) -> ServerOptions) -> Self {
        Self::at(database, MockSmtp::open(), change)
    }

    /// Starts a server for this case that sends to this SMTP server.
    pub(crate) fn at(database: Database, smtp: MockSmtp, change: impl FnOnce(ServerOptions) -> ServerOptions) -> Self {
        Self::on(EmailServer::start(database, smtp, change), String::new())
    }

    /// Uses a server that other cases share.
    fn shared(server: Arc<EmailServer>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let suffix = format!(".c{}", COUNT.fetch_add(1, Ordering::Relaxed));
        Self::on(server, suffix)
    }

    fn on(server: Arc<EmailServer>, suffix: String) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let [.., high, low] = COUNT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let client_ip = format!("10.1.{high}.{low}");
        let client = TestClient::forwarded_for(&server.server.url(), &client_ip);
        Self { client, client_ip, server, suffix }
    }

    /// Makes a username or an email address unique among the cases on this server: `alice.c7` for `alice` and
    /// `alice.c7@example.com` for `alice@example.com`; on a server of its own, it stays the same. The methods below that take
    /// either one call this.
    pub(crate) fn own(&self, name: &str) -> String {
        let (stem, domain) = name.split_at(name.find('@').unwrap_or(name.len()));
        format!("{stem}{}{domain}", self.suffix)
    }

    /// Registers the user `name` with the email address `NAME@example.com`.
    pub(crate) async fn register(&self, name: &str) -> Answer {
        self.client.register(&self.own(name)).await
    }

    pub(crate) async fn login(&self, name: &str) -> TokenPair {
        self.client.login(&self.own(name)).await
    }

    /// Registers a user and logs in.
    pub(crate) async fn register_and_login(&self, name: &str) -> TokenPair {
        self.client.register_and_login(&self.own(name)).await
    }

    pub(crate) async fn try_login(&self, name: &str, password: &str) -> Answer {
        self.client.try_login(&self.own(name), password).await
    }

    /// Returns a query for the IDs of the users of this case.
    pub(crate) fn own_user_ids(&self) -> String {
        format!("SELECT id FROM users WHERE username LIKE '%{}'", self.suffix)
    }

    /// Runs `users ACTION NAME`.
    pub(crate) fn users(&self, action: &str, name: &str) {
        self.server.server.users(action, &self.own(name));
    }

    /// Returns all emails so far to [email addresses of this case](Self::own), with the recipients as the case names them. On a
    /// shared server, emails to other addresses are left out.
    pub(crate) fn received(&self) -> Vec<ReceivedEmail> {
        let suffix = format!("{}@", self.suffix);
        let received = self.smtp.received().into_iter();
        received
            .filter(|email| email.to.iter().any(|to| to.contains(&suffix)))
            .map(|email| self.as_named(email))
            .collect()
    }

    /// Returns how many emails to this case, and requests for them, wait in the outbox, without those that were given up.
    pub(crate) fn waiting(&self) -> usize {
        let recipients = format!("lower(recipient) LIKE '%{}@%'", self.suffix);
        let sql = format!("SELECT count(*) FROM outbox WHERE failed_at IS NULL AND {recipients}");
        block_in_place(|| self.database.query(&sql)[0].parse().expect("a number"))
    }

    /// Renames the recipients as the case names them.
    fn as_named(&self, email: ReceivedEmail) -> ReceivedEmail {
        let suffix = format!("{}@", self.suffix);
        ReceivedEmail { to: email.to.iter().map(|to| to.replace(&suffix, "@")).collect(), ..email }
    }

    /// Returns all emails so far to an email address of this case.
    pub(crate) fn received_to(&self, address: &str) -> Vec<ReceivedEmail> {
        self.received().into_iter().filter(|email| email.to == [address]).collect()
    }

    /// Waits until `count` emails to an email address of this case have arrived; returns the last of them.
    pub(crate) async fn wait_for_nth(&self, address: &str, count: usize) -> ReceivedEmail {
        self.as_named(self.smtp.wait_for_nth(&self.own(address), count).await)
    }

    /// Waits for an email to an email address of this case whose subject contains `text`.
    pub(crate) async fn wait_for_subject(&self, address: &str, text: &str) -> ReceivedEmail {
        self.as_named(self.smtp.wait_for_subject(&self.own(address), text).await)
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.client.post(path, None, body).await
    }

    /// Marks the email address of an account as verified, without an email.
    pub(crate) fn mark_verified(&self, name: &str) {
        let name = self.own(name);
        self.database.execute(&format!("UPDATE users SET email_verified_at = date_joined WHERE username = '{name}'"));
    }

    /// Returns an SQL assignment that moves a time back by this many seconds.
    fn earlier(&self, column: &str, seconds: u32) -> String {
        match &self.database {
            Database::Postgres(_) => format!("{column} = {column} - interval '{seconds} seconds'"),
            Database::Sqlite(_) => format!("{column} = {column} - {seconds} * 1000000"),
        }
    }

    /// Moves the last use of every session back.
    pub(crate) fn age_sessions(&self, seconds: u32) {
        self.database.execute(&format!("UPDATE sessions SET {}", self.earlier("last_used_at", seconds)));
    }

    /// Moves the one-time codes of an account back, as if time had passed.
    pub(crate) fn age_codes(&self, name: &str, seconds: u32) {
        let earlier = |column: &str| self.earlier(column, seconds);
        let owner = format!("(SELECT id FROM users WHERE username = '{}')", self.own(name));
        let assignments = [earlier("created_at"), earlier("expires_at")].join(", ");
        self.database.execute(&format!("UPDATE one_time_codes SET {assignments} WHERE user_id = {owner}"));
    }

    /// Requests a password reset for this email address.
    pub(crate) async fn request_reset(&self, email: &str) -> Answer {
        self.post("/api/password-reset/", json!({"email": self.own(email)})).await
    }

    pub(crate) async fn confirm_reset(&self, token: &str, password: &str) -> Answer {
        self.post("/api/password-reset/confirm/", json!({"token": token, "new_password": password})).await
    }

    pub(crate) async fn verify(&self, token: &str) -> Answer {
        self.post("/api/email/verify/", json!({"token": token})).await
    }

    /// Answers the challenge of a login.
    pub(crate) async fn answer_challenge(&self, challenge: &str, code: &str) -> Answer {
        self.post("/api/token/second-factor/", json!({"challenge": challenge, "code": code})).await
    }

    /// Enables codes by email for a logged-in user; returns the recovery codes. The user receives two emails.
    pub(crate) async fn enrol_email(&self, pair: &TokenPair, email: &str) -> Vec<String> {
        self.enrol_email_with(pair, email, None).await
    }

    /// Like [`enrol_email`](Self::enrol_email), with a challenge and its code.
    pub(crate) async fn enrol_email_with(
        &self,
        pair: &TokenPair,
        email: &str,
        answer: Option<(&str, &str)>,
    ) -> Vec<String> {
        let before = self.received_to(email).len();
        let mut body = json!({"method": "email", "password": PASSWORD});
        if let Some((challenge, code)) = answer {
            body["challenge"] = challenge.into();
            body["code"] = code.into();
        }
        let begun = self.client.post("/api/users/me/second-factors/", Some(&pair.access), body).await;
        assert_eq!(begun.status, 201, "{}", begun.text);
        let code = self.wait_for_nth(email, before + 1).await;
        let body = json!({"challenge": begun.field("challenge"), "code": code.code()});
        let confirmed = self.client.post("/api/users/me/second-factors/confirm/", Some(&pair.access), body).await;
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        self.wait_for_nth(email, before + 2).await;
        string_list(&confirmed.json()["recovery_codes"])
    }
}

/// Returns a list of strings.
pub(crate) fn string_list(list: &Value) -> Vec<String> {
    let list = list.as_array().unwrap_or_else(|| panic!("{list} is not a list"));
    list.iter().map(|text| text.as_str().expect("a string").to_owned()).collect()
}

/// Panics unless a login requires a second factor by one of these methods; returns the challenge.
#[track_caller]
pub(crate) fn challenge_of(answer: &Answer, methods: &[&str]) -> String {
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.field("code"), "second_factor_required");
    assert_eq!(string_list(&answer.json()["methods"]), methods);
    assert_eq!(answer.json().get("access"), None);
    answer.field("challenge")
}
