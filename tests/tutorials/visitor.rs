//! Somebody with a command line and an HTTP client, in front of a blog that has just been started.

use auth_tests::server::{Server, ServerOptions};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use reqwest::Method;
use reqwest::blocking::Client;
use serde_json::{Value, json};

/// A password that is good enough.
pub(crate) const PASSWORD: &str = "Correct-horse-42";

pub(crate) struct Visitor {
    blog: Server,
    client: Client,
}

/// What the blog answers: a status, and JSON; `null` where there is no body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
    pub(crate) challenge: Option<String>,
}

impl Answer {
    /// Panics unless it is exactly this.
    #[track_caller]
    pub(crate) fn is(self, status: u16, body: Value) {
        assert_eq!((self.status, self.body), (status, body));
    }

    /// The body, if the status is this one.
    #[track_caller]
    pub(crate) fn with(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        self.body
    }

    /// Panics unless it is this refusal of a field.
    #[track_caller]
    pub(crate) fn refuses(self, field: &str, message: &str) {
        self.is(400, json!({field: [message]}));
    }
}

/// What a login gives.
#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    #[track_caller]
    pub(crate) fn of(answer: Answer) -> Self {
        let body = answer.with(200);
        assert_eq!(body.as_object().unwrap().len(), 2, "an access token and a refresh token, and nothing else: {body}");
        let text = |name: &str| body[name].as_str().unwrap().to_owned();
        Self { access: text("access"), refresh: text("refresh") }
    }
}

impl Visitor {
    /// `blog --profile simplejwt serve`, on an empty SQLite file.
    pub(crate) fn of_a_new_blog() -> Self {
        let blog = ServerOptions::new("simplejwt", None).start(env!("CARGO_BIN_EXE_blog-under-test"));
        Self { blog, client: Client::builder().no_proxy().build().unwrap() }
    }

    /// One request; `bearer` is the access token to show, or `None`.
    pub(crate) fn send(&self, method: Method, path: &str, bearer: Option<&str>, body: Option<Value>) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.blog.url()));
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().unwrap();
        let status = response.status().as_u16();
        let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().unwrap();
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() };
        Answer { status, body, challenge }
    }

    pub(crate) fn get(&self, path: &str, bearer: Option<&str>) -> Answer {
        self.send(Method::GET, path, bearer, None)
    }

    pub(crate) fn post(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.send(Method::POST, path, bearer, Some(body))
    }

    pub(crate) fn put(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.send(Method::PUT, path, bearer, Some(body))
    }

    pub(crate) fn patch(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.send(Method::PATCH, path, bearer, Some(body))
    }

    pub(crate) fn delete(&self, path: &str, bearer: Option<&str>) -> Answer {
        self.send(Method::DELETE, path, bearer, None)
    }

    /// Makes an account, `name@example.com`.
    pub(crate) fn register(&self, name: &str) -> Answer {
        self.post(
            "/api/register/",
            None,
            json!({
                "username": name, "email": format!("{name}@example.com"), "first_name": "Al",
                "password": PASSWORD, "password2": PASSWORD,
            }),
        )
    }

    pub(crate) fn login(&self, name: &str) -> Tokens {
        Tokens::of(self.post("/api/token/", None, json!({"username": name, "password": PASSWORD})))
    }

    /// Makes an account and logs in.
    pub(crate) fn newcomer(&self, name: &str) -> Tokens {
        self.register(name).with(201);
        self.login(name)
    }

    pub(crate) fn refresh(&self, token: &str) -> Answer {
        self.post("/api/token/refresh/", None, json!({"refresh": token}))
    }

    /// `blog --profile simplejwt users promote NAME`, at the machine where the blog runs.
    pub(crate) fn promotes(&self, name: &str) {
        self.blog.users("promote", name);
    }

    pub(crate) fn demotes(&self, name: &str) {
        self.blog.users("demote", name);
    }

    /// Asks until the answer has this status: a command is another process, and what it changes is obeyed within a second.
    pub(crate) fn sees(&self, path: &str, bearer: &str, status: u16) {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while self.get(path, Some(bearer)).status != status {
            assert!(std::time::Instant::now() < deadline, "{path} does not become {status}");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }
}

/// The claims of a token: anybody can read them.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
