//! Users with an account, a mailbox and second factors.

use std::time::{SystemTime, UNIX_EPOCH};

use auth_tests::concurrency::{eventually, run_concurrently};
use auth_tests::tokens::claims_of;
use auth_tests::{Answer, PASSWORD, ReceivedEmail, TokenPair};
use serde_json::{Value, json};
use totp_rs::Totp;

use crate::email::fixture::{Fixture, challenge_of, string_list};

/// The fields of a login answer that requires a second factor.
const CHALLENGE_FIELDS: [&str; 4] = ["challenge", "code", "detail", "methods"];

/// A logged-in user.
pub(crate) struct TestUser<'a> {
    fixture: &'a Fixture,
    pub(crate) name: &'static str,
    pub(crate) email: String,
    pub(crate) pair: TokenPair,
}

impl<'a> TestUser<'a> {
    /// Registers a user and logs in.
    pub(crate) async fn register(fixture: &'a Fixture, name: &'static str) -> Self {
        let pair = fixture.register_and_login(name).await;
        Self { fixture, name, email: format!("{name}@example.com"), pair }
    }

    /// Registers a user and logs in where a code by email is required of users without a second factor.
    pub(crate) async fn register_with_email_code(fixture: &'a Fixture, name: &'static str) -> Self {
        let registered = fixture.register(name).await;
        assert_eq!(registered.status, 201, "{}", registered.text);
        let pair = TokenPair { access: String::new(), refresh: String::new() };
        let mut user = Self { fixture, name, email: format!("{name}@example.com"), pair };
        let (challenge, code) = user.login_challenge_by_email(&["email"]).await;
        user.pair = user.complete_login(&challenge, &code).await;
        user
    }

    pub(crate) async fn try_login(&self) -> Answer {
        self.fixture.try_login(self.name, PASSWORD).await
    }

    /// Logs in with the password; returns the challenge.
    pub(crate) async fn login_challenge(&self, methods: &[&str]) -> String {
        let answer = self.try_login().await;
        let challenge = challenge_of(&answer, methods);
        assert_eq!(keys(&answer.json()), CHALLENGE_FIELDS, "{}", answer.text);
        challenge
    }

    /// Logs in with the password; returns the challenge and the code from the email.
    pub(crate) async fn login_challenge_by_email(&self, methods: &[&str]) -> (String, String) {
        let before = self.codes().len();
        let challenge = self.login_challenge(methods).await;
        (challenge, self.code_after(before).await)
    }

    /// Returns all codes received by email so far, in order.
    pub(crate) fn codes(&self) -> Vec<String> {
        let received = self.fixture.received_to(&self.email);
        received.iter().filter(|message| is_code(message)).map(|message| message.code().to_owned()).collect()
    }

    /// Waits for the next code after the first `before` codes.
    pub(crate) async fn code_after(&self, before: usize) -> String {
        eventually("a code by email", async || self.codes().len() > before).await;
        self.codes().swap_remove(before)
    }

    /// Completes a login with a code; returns the token pair.
    pub(crate) async fn complete_login(&self, challenge: &str, code: &str) -> TokenPair {
        TokenPair::of(&self.fixture.answer_challenge(challenge, code).await)
    }

    /// Sends a `POST` to a path under `/api/users/me/second-factors/`.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.fixture.client.post(&format!("/api/users/me/second-factors/{path}"), Some(&self.pair.access), body).await
    }

    /// Returns the answer of `GET /api/users/me/second-factors/`.
    pub(crate) async fn status(&self) -> Value {
        let request = self.fixture.client.http.get(format!("{}/api/users/me/second-factors/", self.fixture.client.url));
        let answer = Answer::of(request.bearer_auth(&self.pair.access).send().await.unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Returns the enabled methods and the number of remaining recovery codes.
    pub(crate) async fn factors(&self) -> (Vec<String>, u64) {
        let status = self.status().await;
        let methods = status["methods"].as_array().unwrap().iter();
        let methods = methods.map(|factor| factor["method"].as_str().unwrap().to_owned()).collect();
        (methods, status["recovery_codes_left"].as_u64().unwrap())
    }

    /// Enables codes by email; returns the recovery codes.
    pub(crate) async fn enrol_email(&self) -> Vec<String> {
        if self.status().await["required"] == true {
            let (challenge, code) = self.challenge_by_email().await;
            let answer = Some((challenge.as_str(), code.as_str()));
            return self.fixture.enrol_email_with(&self.pair, &self.email, answer).await;
        }
        self.fixture.enrol_email(&self.pair, &self.email).await
    }

    /// Enables an authenticator with the code of the previous step; returns it with the recovery codes.
    pub(crate) async fn enrol_authenticator(&self) -> (Authenticator, Vec<String>) {
        let mut body = json!({"method": "totp", "password": PASSWORD});
        if self.status().await["required"] == true {
            // Enrolment requires a code if a login does.
            let (challenge, code) = self.challenge_by_email().await;
            body["challenge"] = challenge.into();
            body["code"] = code.into();
        }
        let begun = self.post("", body).await;
        assert_eq!(begun.status, 201, "{}", begun.text);
        let authenticator = Authenticator::scan(&begun.field("otpauth_uri"));
        let confirm = async || {
            let code = authenticator.code(-1);
            self.post("confirm/", json!({"challenge": begun.field("challenge"), "code": code})).await
        };
        let mut confirmed = confirm().await;
        if confirmed.status == 400 {
            // A step ended in the meantime, so the code was two steps off.
            confirmed = confirm().await;
        }
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        self.fixture.wait_for_subject(&self.email, "second factor was added").await;
        (authenticator, string_list(&confirmed.json()["recovery_codes"]))
    }

    /// Requests a challenge for reauthentication.
    pub(crate) async fn challenge(&self) -> String {
        let answer = self.post("challenge/", json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.field("challenge")
    }

    /// Requests a challenge for reauthentication; returns it with the code from the email.
    pub(crate) async fn challenge_by_email(&self) -> (String, String) {
        let before = self.codes().len();
        let challenge = self.challenge().await;
        (challenge, self.code_after(before).await)
    }

    /// Removes a method.
    pub(crate) async fn remove(&self, method: &str, challenge: &str, code: &str) -> Answer {
        let body = json!({"method": method, "password": PASSWORD, "challenge": challenge, "code": code});
        self.post("remove/", body).await
    }
}

fn is_code(message: &ReceivedEmail) -> bool {
    message.subject.contains("Your code")
}

/// An independent authenticator that has scanned a QR code.
pub(crate) struct Authenticator(pub(crate) Totp);

impl Authenticator {
    pub(crate) fn scan(uri: &str) -> Self {
        Self(Totp::from_url(uri).expect("a valid otpauth URI"))
    }

    /// Returns the code of the step that is `drift` steps away from now.
    pub(crate) fn code(&self, drift: i64) -> String {
        let time = now().checked_add_signed(drift * 30).expect("a time");
        self.0.generate(time).to_string()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs()
}

/// Runs an action within one time step; repeats it if a step ended in the meantime.
pub(crate) async fn in_one_step(mut act: impl AsyncFnMut() -> Answer) -> Answer {
    loop {
        let step = now() / 30;
        let answer = act().await;
        if now() / 30 == step {
            return answer;
        }
    }
}

/// Resets the last used step of all authenticators of this case.
pub(crate) fn reset_last_steps(fixture: &Fixture) {
    fixture
        .database
        .execute(&format!("UPDATE second_factors SET last_step = 1 WHERE user_id IN ({})", fixture.own_user_ids()));
}

/// Answers login challenges concurrently.
pub(crate) async fn answer_concurrently(
    fixture: &Fixture,
    answers: impl IntoIterator<Item = (String, String)>,
) -> Vec<Answer> {
    let calls = answers.into_iter().map(|(challenge, code)| {
        let api = fixture.client.clone();
        async move { api.post("/api/token/second-factor/", None, json!({"challenge": challenge, "code": code})).await }
    });
    run_concurrently(calls).await
}

/// Returns the keys of an object, sorted.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().unwrap_or_else(|| panic!("{object} is not an object")).keys().collect();
    keys.sort();
    keys.into_iter().map(String::as_str).collect()
}

/// Returns the claim `amr` of a token, without checking its signature.
pub(crate) fn amr(token: &str) -> Vec<String> {
    string_list(&claims_of(token)["amr"])
}

/// Panics unless a login challenge was refused with this code and without a token.
#[track_caller]
pub(crate) fn assert_refused(answer: &Answer, code: &str) {
    let detail = match code {
        "code_not_valid" => "Invalid code.",
        _ => "Challenge is invalid or expired.",
    };
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.json(), json!({"detail": detail, "code": code}));
    assert!(answer.headers.contains_key("www-authenticate"), "{:?}", answer.headers);
}

/// Returns a different code of the same length.
pub(crate) fn different_code(code: &str) -> String {
    let number: u32 = code.parse().expect("a number");
    format!("{:06}", (number + 1) % 1_000_000)
}
