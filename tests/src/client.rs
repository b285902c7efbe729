//! A client of the HTTP API.
#![expect(clippy::expect_used, clippy::panic, reason = "a test that gets no answer has failed")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};

use crate::PATIENCE;

/// A password that passes the policy.
pub const PASSWORD: &str = "Correct-horse-42";

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub text: String,
}

impl Answer {
    /// Reads an answer. Panics if the connection breaks.
    pub async fn of(response: Response) -> Self {
        Self::try_of(response).await.expect("a body")
    }

    /// Reads an answer of a server that may be killed while it answers.
    pub async fn try_of(response: Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    /// The body as JSON; `null` if it is not valid JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// A string in the body. Panics if it is missing.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.text)).to_owned()
    }

    /// A header; empty if it is missing or not text.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Panics unless it has this status. Gives the body.
    #[track_caller]
    pub fn with(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// Panics unless it has this status and body.
    #[track_caller]
    pub fn is(&self, status: u16, body: Value) {
        assert_eq!((self.status.as_u16(), self.json()), (status, body));
    }

    /// Panics unless it is a 400 with this one message for this one field.
    #[track_caller]
    pub fn refuses(&self, field: &str, message: &str) {
        self.is(400, json!({field: [message]}));
    }
}

/// What a login answers.
#[derive(Clone, Debug)]
pub struct TokenPair {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

impl TokenPair {
    /// The tokens of a 200. Panics if there are none.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text);
        Self { access: answer.field("access"), refresh: answer.field("refresh") }
    }
}

/// A client of one server. Clones share its connections.
#[derive(Clone, Debug)]
pub struct TestClient {
    /// The connections, for requests that no method here makes.
    pub http: Client,
    /// `http://ADDRESS:PORT`, without a slash at its end.
    pub url: Arc<str>,
}

impl TestClient {
    /// A client of the server at this URL.
    pub fn new(url: &str) -> Self {
        Self::with_headers(url, HeaderMap::new())
    }

    /// A client with an IP address of its own, for a server that trusts `X-Forwarded-For` of 127.0.0.1: rate limits of
    /// other clients do not concern it.
    pub fn forwarded_for(url: &str, client_ip: &str) -> Self {
        let client_ip = HeaderValue::from_str(client_ip).expect("an IP address");
        Self::with_headers(url, HeaderMap::from_iter([("x-forwarded-for".parse().expect("a name"), client_ip)]))
    }

    fn with_headers(url: &str, headers: HeaderMap) -> Self {
        // A request that hangs fails the test, and does not stop it. No connection is used that the server is about to
        // close, since it has been idle.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(PATIENCE);
        let client = client.pool_idle_timeout(Duration::from_secs(2));
        Self { http: client.default_headers(headers).build().expect("a client"), url: url.into() }
    }

    /// Sends a request; an error if the connection breaks.
    pub async fn try_send(
        &self,
        method: Method,
        path: &str,
        bearer: Option<&str>,
        body: Option<&Value>,
    ) -> reqwest::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.url));
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        Answer::try_of(request.send().await?).await
    }

    /// Sends a request with the bearer's access token, and JSON, if given.
    pub async fn send(&self, method: Method, path: &str, bearer: Option<&str>, body: Option<Value>) -> Answer {
        self.try_send(method, path, bearer, body.as_ref()).await.expect("an answer")
    }

    /// `POST` of JSON to a server that may be killed meanwhile.
    pub async fn try_post(&self, path: &str, bearer: Option<&str>, body: &Value) -> reqwest::Result<Answer> {
        self.try_send(Method::POST, path, bearer, Some(body)).await
    }

    /// `POST` of JSON.
    pub async fn post(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.send(Method::POST, path, bearer, Some(body)).await
    }

    /// `GET` without credentials.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await
    }

    /// `GET` with credentials.
    pub async fn get_as(&self, bearer: &str, path: &str) -> Answer {
        self.send(Method::GET, path, Some(bearer), None).await
    }

    /// Registers an account, `NAME@example.com`.
    pub async fn register(&self, name: &str) -> Answer {
        let email = format!("{name}@example.com");
        let body = json!({
            "username": name, "email": email, "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
        });
        self.post("/api/register/", None, body).await
    }

    /// Logs in, whatever comes of it.
    pub async fn try_login(&self, name: &str, password: &str) -> Answer {
        self.post("/api/token/", None, json!({"username": name, "password": password})).await
    }

    /// Logs in.
    pub async fn login(&self, name: &str) -> TokenPair {
        TokenPair::of(&self.try_login(name, PASSWORD).await)
    }

    /// Registers and logs in.
    pub async fn newcomer(&self, name: &str) -> TokenPair {
        let registered = self.register(name).await;
        assert_eq!(registered.status, 201, "{}", registered.text);
        self.login(name).await
    }

    /// Exchanges a refresh token.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/api/token/refresh/", None, json!({"refresh": token})).await
    }

    /// The profile.
    pub async fn me(&self, bearer: &str) -> Answer {
        self.get_as(bearer, "/api/users/me/").await
    }

    /// `GET` of a path until the answer has this status: changes by another process take effect within a second.
    pub async fn becomes(&self, bearer: &str, path: &str, status: u16) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get_as(bearer, path).await;
            if answer.status == status {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} stays {}, and does not become {status}", answer.status);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The profile, as [`becomes`](Self::becomes).
    pub async fn me_becomes(&self, bearer: &str, status: u16) -> Answer {
        self.becomes(bearer, "/api/users/me/", status).await
    }

    /// Logs out.
    pub async fn logout(&self, bearer: &str, body: Value) -> Answer {
        self.post("/api/logout/", Some(bearer), body).await
    }
}
