//! A tour of everything that a server can do, which collects expected events and secrets.

mod accounts;

use std::process::Output;

use auth_core::token::{Generation, SessionId, TokenId};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::block_in_place;

use accounts::SeenEmails;

use super::secrets::Secrets;
use auth_tests::server::{APPLICATION_SECRET, SIGNING_KEY};
use auth_tests::tokens::{claims_of, sign};
use auth_tests::{Answer, Database, TestClient, TestServer, TokenPair};

use crate::SERVER;
use crate::operation::fixture::options;

const DATABASE_PASSWORD: &str = "Vermilion-database-5501";
const PASSWORD: &str = "Cobalt-lantern-7302";
const WRONG: &str = "Cobalt-lantern-7303-wrong";
const NEW: &str = "Ochre-walrus-4410-new";
const ADMIN: &str = "Umber-falcon-9921-admin";
const UNEQUAL: &str = "Sepia-badger-1187-unequal";

/// An event that must be in the log of the server.
#[derive(Debug)]
pub(super) struct Event {
    pub(super) name: &'static str,
    pub(super) user: Option<i64>,
    pub(super) session: Option<String>,
    pub(super) request_id: String,
}

/// A command that was run.
pub(super) struct Command {
    pub(super) line: String,
    /// The event that it must log.
    pub(super) event: Option<&'static str>,
    /// The account that the event is about.
    pub(super) user: Option<i64>,
    pub(super) printed: String,
    pub(super) log: String,
}

/// A finished tour.
pub(super) struct Tour {
    pub(super) secrets: Secrets,
    pub(super) events: Vec<Event>,
    pub(super) commands: Vec<Command>,
    pub(super) log: String,
    pub(super) printed: String,
    seen_emails: SeenEmails,
    client: TestClient,
    server: TestServer,
}

impl Tour {
    /// Starts a server with the most verbose log, makes every kind of request and stops the server.
    pub(super) async fn run(database: &Database, profile: &str) -> Self {
        let options = options(database, profile);
        let options = options.env("AUTH__LOG__LEVEL", "trace").env("AUTH__DATABASE__AUTO_MIGRATE", "true");
        // Email verification is on in every profile, so that every event can occur.
        let options = options.env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "optional");
        let options = match database {
            Database::Sqlite(_) => options,
            Database::Postgres(database) => options.env("DATABASE_URL", &with_password(database.url())),
        };
        let server = options.start(SERVER);
        let mut tour = Self {
            secrets: Secrets::default(),
            events: Vec::new(),
            commands: Vec::new(),
            log: String::new(),
            printed: String::new(),
            seen_emails: SeenEmails::new(),
            client: TestClient::new(&server.url()),
            server,
        };
        tour.secrets.add("the key", SIGNING_KEY);
        tour.secrets.add("the application secret", APPLICATION_SECRET);
        tour.secrets.add("the password of the database", DATABASE_PASSWORD);
        for password in [PASSWORD, WRONG, NEW, ADMIN, UNEQUAL, accounts::RESET] {
            tour.secrets.add("a password", password);
        }
        let (alice, bob) = tour.registrations().await;
        tour.logins(alice).await;
        tour.refreshes(alice).await;
        tour.logouts(alice, bob).await;
        tour.bad_tokens(alice).await;
        if profile == "simplejwt" {
            tour.adoption(bob).await;
        }
        tour.account().await;
        tour.administration(alice, bob).await;
        tour.collect_hashes(database);
        tour.collect_emails();
        tour.server.terminate();
        block_in_place(|| tour.server.wait());
        (tour.log, tour.printed) = (tour.server.log(), tour.server.stdout());
        tour
    }

    async fn post(&mut self, path: &str, bearer: Option<&str>, body: Value, status: u16) -> Answer {
        let answer = self.client.post(path, bearer, body).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        for name in ["access", "refresh"] {
            if let Some(token) = answer.json()[name].as_str().filter(|_| answer.status == 200) {
                self.secrets.add_token(token);
            }
        }
        answer
    }

    /// Expects this event in the log, for the request with this answer.
    fn expect(&mut self, answer: &Answer, name: &'static str, user: Option<i64>, token: Option<&str>) {
        let request_id = answer.headers["x-request-id"].to_str().expect("text").to_owned();
        let session = token.map(|token| claims_of(token)["sid"].as_str().expect("a session").to_owned());
        self.events.push(Event { name, user, session, request_id });
    }

    async fn registrations(&mut self) -> (i64, i64) {
        let body = |name: &str, password: &str, password2: &str| {
            let email = format!("{name}@example.com");
            json!({"username": name, "email": email, "first_name": "Al", "password": password, "password2": password2})
        };
        let mut ids = Vec::new();
        for name in ["alice", "bob"] {
            let registered = self.post("/api/register/", None, body(name, PASSWORD, PASSWORD), 201).await;
            let id = registered.json()["id"].as_i64().expect("a number");
            self.expect(&registered, "account_registered", Some(id), None);
            ids.push(id);
        }
        self.post("/api/register/", None, body("alice", PASSWORD, PASSWORD), 400).await;
        self.post("/api/register/", None, body("carol", PASSWORD, UNEQUAL), 400).await;
        self.post("/api/register/", None, body(WRONG, WRONG, WRONG), 400).await;
        (ids[0], ids[1])
    }

    async fn login(&mut self, name: &str, user: i64) -> TokenPair {
        let answer = self.post("/api/token/", None, json!({"username": name, "password": PASSWORD}), 200).await;
        let pair = TokenPair::of(&answer);
        self.expect(&answer, "login_succeeded", Some(user), Some(&pair.refresh));
        pair
    }

    async fn logins(&mut self, alice: i64) {
        let right = json!({"email": "alice@example.com", "password": PASSWORD});
        let answer = self.post("/api/token/", None, right, 200).await;
        self.expect(&answer, "login_succeeded", Some(alice), Some(&answer.field("refresh")));
        for (name, user) in [("alice", Some(alice)), ("unknown", None), (PASSWORD, None)] {
            let answer = self.post("/api/token/", None, json!({"username": name, "password": WRONG}), 401).await;
            self.expect(&answer, "login_failed", user, None);
        }
        let long = json!({"username": "alice", "password": WRONG.repeat(100)});
        let answer = self.post("/api/token/", None, long, 401).await;
        self.expect(&answer, "login_failed", None, None);
        // Passwords in wrong places, in bodies of every type.
        self.post("/api/token/", None, json!({"username": {"password": PASSWORD}, "password": [PASSWORD]}), 400).await;
        self.raw("/api/token/", "application/json", format!(r#"{{"password": "{PASSWORD}", }}"#), 400).await;
        self.raw("/api/token/", &format!("text/{PASSWORD}"), PASSWORD.to_owned(), 415).await;
        let form = format!("username=alice&password={PASSWORD}");
        let answer = self.raw("/api/token/", "application/x-www-form-urlencoded", form.clone(), 200).await;
        self.expect(&answer, "login_succeeded", Some(alice), Some(&answer.field("refresh")));
        for token in ["access", "refresh"] {
            self.secrets.add_token(&answer.field(token));
        }
        let query = format!("/api/token/?{form}");
        self.raw(&query, "application/json", "{}".to_owned(), 400).await;
    }

    async fn raw(&self, path: &str, content_type: &str, body: String, status: u16) -> Answer {
        let request = self.client.http.post(format!("{}{path}", self.client.url)).header("content-type", content_type);
        let answer = Answer::of(request.body(body).send().await.expect("an answer")).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text);
        answer
    }

    async fn refresh(&mut self, token: &str, status: u16) -> Answer {
        self.post("/api/token/refresh/", None, json!({"refresh": token}), status).await
    }

    async fn refreshes(&mut self, alice: i64) {
        let first = self.login("alice", alice).await;
        let second = TokenPair::of(&self.refresh(&first.refresh, 200).await);
        self.refresh(&first.refresh, 401).await; // A retry causes no event.
        let third = TokenPair::of(&self.refresh(&second.refresh, 200).await);
        self.post("/api/token/verify/", None, json!({"token": third.access}), 200).await;
        self.post("/api/token/verify/", None, json!({"token": third.refresh}), 200).await;
        self.post("/api/token/verify/", None, json!({"token": second.refresh}), 400).await;
        let never_issued = with_generation(&third.refresh, 7);
        self.secrets.add_token(&never_issued);
        let answer = self.refresh(&never_issued, 401).await;
        self.expect(&answer, "refresh_token_never_issued", Some(alice), Some(&never_issued));
        let answer = self.refresh(&first.refresh, 401).await;
        self.expect(&answer, "refresh_token_reused", Some(alice), Some(&first.refresh));
        self.refresh(&third.refresh, 401).await;
    }

    async fn logouts(&mut self, alice: i64, bob: i64) {
        let bob = self.login("bob", bob).await;
        let body = json!({"first_name": "Alicia", "password": NEW});
        let own = self.login("alice", alice).await;
        let patch = self.client.http.request(Method::PATCH, format!("{}/api/users/me/", self.client.url));
        let answer = Answer::of(patch.json(&body).bearer_auth(&own.access).send().await.expect("an answer")).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.expect(&answer, "profile_changed", Some(alice), None);

        let blacklisted = self.login("alice", alice).await;
        let answer = self.post("/api/token/blacklist/", None, json!({"refresh": blacklisted.refresh}), 200).await;
        self.expect(&answer, "refresh_token_blacklisted", Some(alice), Some(&blacklisted.refresh));
        self.post("/api/token/blacklist/", None, json!({"refresh": blacklisted.refresh}), 401).await;

        let answer = self.logout(&own, json!({"refresh": bob.refresh}), 400).await;
        self.expect(&answer, "logout_of_foreign_token_refused", Some(alice), None);
        let one = self.login("alice", alice).await;
        let answer = self.logout(&own, json!({"refresh": one.refresh}), 200).await;
        self.expect(&answer, "logged_out", Some(alice), Some(&one.refresh));
        self.logout(&own, json!({"refresh_token": one.refresh}), 400).await;
        let answer = self.logout(&own, json!({"others": true}), 200).await;
        self.expect(&answer, "logged_out_others", Some(alice), None);
        let answer = self.logout(&own, json!({"all": true}), 200).await;
        self.expect(&answer, "logged_out_all", Some(alice), None);
    }

    async fn logout(&mut self, pair: &TokenPair, body: Value, status: u16) -> Answer {
        self.post("/api/logout/", Some(&pair.access), body, status).await
    }

    /// Refused tokens are secrets too: they may be valid elsewhere, or may have been valid until recently.
    async fn bad_tokens(&mut self, alice: i64) {
        let pair = self.login("alice", alice).await;
        let tampered = sign(&claims_of(&pair.refresh), "another-key-for-tests-0123456789-abcdefghij");
        let garbage = "Zm9yZ2VkLWhlYWRlcg.Zm9yZ2VkLXBheWxvYWQ.Zm9yZ2VkLXNpZ25hdHVyZQ";
        for token in [&tampered, garbage] {
            self.secrets.add_token(token);
        }
        for token in [tampered.as_str(), garbage, &pair.refresh] {
            assert_eq!(self.client.me(token).await.status, 401);
            self.post("/api/logout/", Some(token), json!({"all": true}), 401).await;
        }
        for token in [tampered.as_str(), garbage, &pair.access] {
            self.refresh(token, 401).await;
            self.post("/api/token/blacklist/", None, json!({"refresh": token}), 401).await;
        }
        for path in ["/api/users/me/?access=", "/api/users/me/?token="] {
            assert_eq!(self.client.get(&format!("{path}{}", pair.access)).await.status, 401);
        }
        let basic = BASE64_STANDARD.encode(format!("alice:{PASSWORD}"));
        self.secrets.add("Basic credentials", &basic);
        for value in [format!("Basic {basic}"), format!("Bearer {} x", pair.access), format!("bearer {}", pair.access)]
        {
            let me = self.client.http.get(format!("{}/api/users/me/", self.client.url));
            let me = me.header("authorization", value).header("cookie", format!("access={}", pair.access));
            assert_eq!(me.send().await.expect("an answer").status(), 401);
        }
    }

    /// Adopts a token of SimpleJWT signed with the same key. (Alice's would be refused after her logout of all sessions.)
    async fn adoption(&mut self, bob: i64) {
        let pair = self.login("bob", bob).await;
        let mut external = claims_of(&pair.refresh);
        let claims = external.as_object_mut().expect("claims");
        claims.retain(|name, _| name != "sid" && name != "gen");
        claims.insert("jti".to_owned(), json!("6f1a0c4de2b94a3f8c5d7e9b1a2c3d4e"));
        let external = sign(&external, SIGNING_KEY);
        self.secrets.add_token(&external);
        let answer = self.refresh(&external, 200).await;
        self.expect(&answer, "foreign_token_adopted", Some(bob), Some(&answer.field("refresh")));
    }

    async fn administration(&mut self, alice: i64, bob: i64) {
        let pair = self.login("alice", alice).await;
        let create = ["create-superuser", "--username", "root", "--email", "root@example.com", "--password-stdin"];
        self.command(&create, ADMIN, Some("account_administered"), None);
        let root = self.id_of("root");
        self.commands.last_mut().expect("a command").user = Some(root);
        for line in [&create[..], &["users", "list"], &["users", "set-password", "unknown", "--password-stdin"]] {
            self.command(line, "Too$w", None, None);
        }
        self.command(
            &["users", "set-password", "alice", "--password-stdin"],
            NEW,
            Some("password_changed"),
            Some(alice),
        );
        self.refresh(&pair.refresh, 401).await;
        for (action, event) in
            [("promote", "account_promoted"), ("demote", "account_demoted"), ("deactivate", "account_deactivated")]
        {
            self.command(&["users", action, "alice"], "", Some(event), Some(alice));
        }
        let answer = self.post("/api/token/", None, json!({"username": "alice", "password": NEW}), 401).await;
        self.expect(&answer, "login_failed", Some(alice), None);
        self.command(&["users", "activate", "alice"], "", Some("account_activated"), Some(alice));
        let answer = self.post("/api/token/", None, json!({"username": "alice", "password": NEW}), 200).await;
        self.expect(&answer, "login_succeeded", Some(alice), Some(&answer.field("refresh")));
        for line in [&["check-config"][..], &["migrate"], &["flush-expired-tokens"], &["keys", "list"], &["openapi"]] {
            self.command(line, "", None, None);
        }
        self.command(&["users", "set-groups", "alice", "editors"], "", Some("account_groups_changed"), Some(alice));
        self.command(&["users", "set-groups", "alice", " editors"], "", None, None);
        self.command(&["users", "delete", "bob"], "", Some("account_deleted"), Some(bob));
        self.command(&["make-superuser"], "", None, None);
        self.command(&["users", "delete", "root"], "", Some("account_deleted"), Some(root));
        self.first_superuser();
    }

    /// The password is printed once, and appears nowhere else.
    fn first_superuser(&mut self) {
        self.command(&["make-superuser"], "", Some("account_administered"), None);
        let admin = self.id_of("admin");
        let command = self.commands.last_mut().expect("a command");
        let password = command.printed.split_once("password: ").and_then(|(_, rest)| rest.lines().next());
        let password = password.expect("a password").to_owned();
        command.user = Some(admin);
        command.printed = command.printed.replacen(&password, "", 1);
        self.secrets.add("the password of the first superuser", &password);
    }

    /// Returns a user ID from `users list`.
    fn id_of(&self, name: &str) -> i64 {
        let listed = block_in_place(|| self.server.run(["users", "list"])).stdout;
        let listed = String::from_utf8(listed).expect("UTF-8");
        let of_name = |line: &str| {
            let columns: Vec<_> = line.split_whitespace().collect();
            (columns.get(3) == Some(&name)).then(|| columns[0].parse().expect("a number"))
        };
        listed.lines().find_map(of_name).unwrap_or_else(|| panic!("no {name} in {listed}"))
    }

    fn command(&mut self, line: &[&str], input: &str, event: Option<&'static str>, user: Option<i64>) {
        let Output { status, stdout, stderr } = block_in_place(|| self.server.run_with_input(line, input));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
        let (line, printed, log) = (line.join(" "), text(stdout), text(stderr));
        assert!(event.is_none() || status.success(), "{line}: {log}");
        self.commands.push(Command { line, event, user, printed, log });
    }

    fn collect_hashes(&mut self, database: &Database) {
        let hashes = database.query("SELECT password_hash FROM credentials");
        assert!(hashes.len() >= 2, "{hashes:?}");
        for hash in hashes {
            self.secrets.add_hash(&hash);
        }
    }
}

/// Adds a password to the URL; the test cluster does not check it.
fn with_password(url: &str) -> String {
    url.replacen("postgres@", &format!("postgres:{DATABASE_PASSWORD}@"), 1)
}

/// Returns the token with another rotation generation.
fn with_generation(token: &str, generation: u32) -> String {
    let mut claims = claims_of(token);
    let session = SessionId::parse(claims["sid"].as_str().expect("a session")).expect("an ID");
    let id = TokenId::of_generation(session, Generation::new(generation));
    claims["gen"] = json!(generation);
    claims["jti"] = json!(id.as_str());
    sign(&claims, SIGNING_KEY)
}
