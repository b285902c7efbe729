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

/// An answer with its complete body.
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
    /// Reads the body. Panics if the connection breaks.
    pub async fn of(response: Response) -> Self {
        Self::try_of(response).await.expect("a body")
    }

    /// Reads the body, from a server that may be killed meanwhile.
    pub async fn try_of(response: Response) -> reqwest::Result<Self> {
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    /// Returns the body as JSON, or `null` if it is not valid JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// Returns a string of the body. Panics if it is missing.
    #[track_caller]
    pub fn field(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.text)).to_owned()
    }

    /// Returns the value of a header, or `""` if it is missing or not ASCII.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Panics unless the answer has this status; returns the body.
    #[track_caller]
    pub fn expect_status(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// Panics unless the answer has this status and body.
    #[track_caller]
    pub fn assert_json(&self, status: u16, body: Value) {
        assert_eq!((self.status.as_u16(), self.json()), (status, body));
    }

    /// Panics unless the answer is a 400 with this one message for this one field.
    #[track_caller]
    pub fn assert_field_error(&self, field: &str, message: &str) {
        self.assert_json(400, json!({field: [message]}));
    }
}

/// The tokens that a login returns.
#[derive(Clone, Debug)]
pub struct TokenPair {
    /// The access token.
    pub access: String,
    /// The refresh token.
    pub refresh: String,
}

impl TokenPair {
    /// Reads the tokens of a 200. Panics if they are missing.
    #[track_caller]
    pub fn of(answer: &Answer) -> Self {
        assert_eq!(answer.status, 200, "{}", answer.text);
        Self { access: answer.field("access"), refresh: answer.field("refresh") }
    }
}

/// A client of one server. Clones share its connections.
#[derive(Clone, Debug)]
pub struct TestClient {
    /// The underlying client, for requests that have no method here.
    pub http: Client,
    /// `http://ADDRESS:PORT`, without a trailing slash.
    pub url: Arc<str>,
}

impl TestClient {
    /// Creates a client of the server at this URL.
    pub fn new(url: &str) -> Self {
        Self::with_headers(url, HeaderMap::new())
    }

    /// Creates a client with its own client IP, for a server that trusts `X-Forwarded-For` from 127.0.0.1, so that it does not
    /// share the rate limits of other clients.
    pub fn forwarded_for(url: &str, client_ip: &str) -> Self {
        let client_ip = HeaderValue::from_str(client_ip).expect("an IP address");
        Self::with_headers(url, HeaderMap::from_iter([("x-forwarded-for".parse().expect("a name"), client_ip)]))
    }

    fn with_headers(url: &str, headers: HeaderMap) -> Self {
        // The timeout makes a hanging request fail the test. The idle timeout is shorter than that of the server, so that no
        // request uses a connection that the server is closing.
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().timeout(PATIENCE);
        let client = client.pool_idle_timeout(Duration::from_secs(2));
        Self { http: client.default_headers(headers).build().expect("a client"), url: url.into() }
    }

    /// Sends a request; fails if the connection breaks.
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

    /// Sends a request, with a bearer token and a JSON body if given.
    pub async fn send(&self, method: Method, path: &str, bearer: Option<&str>, body: Option<Value>) -> Answer {
        self.try_send(method, path, bearer, body.as_ref()).await.expect("an answer")
    }

    /// Sends a `POST` with a JSON body to a server that may be killed meanwhile.
    pub async fn try_post(&self, path: &str, bearer: Option<&str>, body: &Value) -> reqwest::Result<Answer> {
        self.try_send(Method::POST, path, bearer, Some(body)).await
    }

    /// Sends a `POST` with a JSON body.
    pub async fn post(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.send(Method::POST, path, bearer, Some(body)).await
    }

    /// Sends a `GET` without credentials.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None, None).await
    }

    /// Sends a `GET` with credentials.
    pub async fn get_as(&self, bearer: &str, path: &str) -> Answer {
        self.send(Method::GET, path, Some(bearer), None).await
    }

    /// Registers the user `name` with the email address `NAME@example.com`.
    pub async fn register(&self, name: &str) -> Answer {
        let email = format!("{name}@example.com");
        let body = json!({
            "username": name, "email": email, "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
        });
        self.post("/api/register/", None, body).await
    }

    /// Attempts a login.
    pub async fn try_login(&self, name: &str, password: &str) -> Answer {
        self.post("/api/token/", None, json!({"username": name, "password": password})).await
    }

    /// Logs in. Panics if the login fails.
    pub async fn login(&self, name: &str) -> TokenPair {
        TokenPair::of(&self.try_login(name, PASSWORD).await)
    }

    /// Registers a user and logs in.
    pub async fn register_and_login(&self, name: &str) -> TokenPair {
        let registered = self.register(name).await;
        assert_eq!(registered.status, 201, "{}", registered.text);
        self.login(name).await
    }

    /// Exchanges a refresh token.
    pub async fn refresh(&self, token: &str) -> Answer {
        self.post("/api/token/refresh/", None, json!({"refresh": token})).await
    }

    /// Reads the user's own profile.
    pub async fn me(&self, bearer: &str) -> Answer {
        self.get_as(bearer, "/api/users/me/").await
    }

    /// Polls a path until the answer has this status: changes by another process take effect within a second.
    pub async fn wait_for_status(&self, bearer: &str, path: &str, status: u16) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get_as(bearer, path).await;
            if answer.status == status {
                return answer;
            }
            assert!(Instant::now() < deadline, "{path} still answers {} instead of {status}", answer.status);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Polls the user's own profile; see [`wait_for_status`](Self::wait_for_status).
    pub async fn wait_for_me(&self, bearer: &str, status: u16) -> Answer {
        self.wait_for_status(bearer, "/api/users/me/", status).await
    }

    /// Logs out.
    pub async fn logout(&self, bearer: &str, body: Value) -> Answer {
        self.post("/api/logout/", Some(bearer), body).await
    }
}
