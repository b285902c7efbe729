//! What the tests over the wire share: a client for the endpoints, and a list of databases to run on.
#![allow(dead_code, unreachable_pub, reason = "each test target uses its part of this module")]

use std::sync::Arc;
use std::time::Duration;

use auth_tests::postgres;
use auth_tests::server::ServerOptions;
use reqwest::{Client, Response, StatusCode};
use serde_json::{Value, json};

/// The program under test.
pub const BINARY: &str = env!("CARGO_BIN_EXE_server-under-test");
/// A password that passes the policy.
pub const PASSWORD: &str = "Correct-horse-42";

/// How long an answer may take: far longer than any that is on its way.
const PATIENCE: Duration = Duration::from_secs(60);

/// A database for one test. PostgreSQL's is dropped with it.
pub enum Database {
    Sqlite,
    Postgres(postgres::TestDatabase),
}

impl Database {
    /// Options of a server of this profile on this database.
    pub fn server(&self, profile: &str) -> ServerOptions {
        match self {
            Self::Sqlite => ServerOptions::new(profile, None),
            Self::Postgres(database) => ServerOptions::new(profile, Some(database.url())),
        }
    }
}

/// An answer, read whole.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: reqwest::header::HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        Self::try_of(response).await.expect("a body")
    }

    /// As [`of`](Self::of), where the server may be killed in the middle of it.
    pub async fn try_of(response: Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// A text in the body.
    pub fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.text)).to_owned()
    }
}

/// A pair of tokens.
#[derive(Clone, Debug)]
pub struct Pair {
    pub access: String,
    pub refresh: String,
}

impl Pair {
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text);
        Self { access: answer.field("access"), refresh: answer.field("refresh") }
    }
}

/// A client of one server. Clones share its connections.
#[derive(Clone)]
pub struct Api {
    pub client: Client,
    pub url: Arc<str>,
}

impl Api {
    pub fn new(url: &str) -> Self {
        // A request that hangs fails the test, and does not stop it.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(PATIENCE);
        Self { client: client.build().expect("a client"), url: url.into() }
    }

    pub async fn try_post(&self, path: &str, bearer: Option<&str>, body: &Value) -> reqwest::Result<Answer> {
        let mut request = self.client.post(format!("{}{path}", self.url)).json(body);
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        Answer::try_of(request.send().await?).await
    }

    pub async fn post(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.try_post(path, bearer, &body).await.expect("an answer")
    }

    pub async fn register(&self, name: &str) -> Answer {
        let email = format!("{name}@example.com");
        let body = json!({
            "username": name, "email": email, "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
        });
        self.post("/api/register/", None, body).await
    }

    pub async fn login(&self, name: &str) -> Pair {
        Pair::of(&self.post("/api/token/", None, json!({"username": name, "password": PASSWORD})).await)
    }

    /// Registers and logs in.
    pub async fn newcomer(&self, name: &str) -> Pair {
        let registered = self.register(name).await;
        assert_eq!(registered.status, 201, "{}", registered.text);
        self.login(name).await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/api/token/refresh/", None, json!({"refresh": token})).await
    }

    /// `GET` of a path, without credentials.
    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.client.get(format!("{}{path}", self.url)).send().await.expect("an answer")).await
    }

    pub async fn me(&self, bearer: &str) -> Answer {
        let request = self.client.get(format!("{}/api/users/me/", self.url)).bearer_auth(bearer);
        Answer::of(request.send().await.expect("an answer")).await
    }

    /// The profile, asked for until the answer has this status: what another process changes is obeyed within a second.
    pub async fn me_becomes(&self, bearer: &str, status: u16) -> Answer {
        loop {
            let answer = self.me(bearer).await;
            if answer.status == status {
                return answer;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    pub async fn logout(&self, bearer: &str, body: Value) -> Answer {
        self.post("/api/logout/", Some(bearer), body).await
    }
}
