//! Somebody with an account, a mailbox and, if they like, an authenticator; and what a topic needs to watch them.

use std::time::{SystemTime, UNIX_EPOCH};

use auth_tests::concurrency::{at_once, eventually};
use auth_tests::tokens::claims_of;
use auth_tests::{Answer, PASSWORD, ReceivedEmail, TokenPair};
use serde_json::{Value, json};
use totp_rs::Totp;

use crate::email::fixture::{Fixture, challenge_of, texts};

/// What the body of a login answers that asks for a second factor, and nothing else.
const ASKED: [&str; 4] = ["challenge", "code", "detail", "methods"];

/// Somebody who is logged in.
pub(crate) struct Person<'a> {
    fixture: &'a Fixture,
    pub(crate) name: &'static str,
    pub(crate) email: String,
    pub(crate) pair: TokenPair,
}

impl<'a> Person<'a> {
    /// Registers and logs in.
    pub(crate) async fn registered(fixture: &'a Fixture, name: &'static str) -> Self {
        let pair = fixture.newcomer(name).await;
        Self { fixture, name, email: format!("{name}@example.com"), pair }
    }

    /// Registers and logs in where a code by mail is asked for of whoever has no second factor.
    pub(crate) async fn registered_and_asked(fixture: &'a Fixture, name: &'static str) -> Self {
        let registered = fixture.register(name).await;
        assert_eq!(registered.status, 201, "{}", registered.text);
        let pair = TokenPair { access: String::new(), refresh: String::new() };
        let mut person = Self { fixture, name, email: format!("{name}@example.com"), pair };
        let (challenge, code) = person.asked_by_mail(&["email"]).await;
        person.pair = person.logs_in_with(&challenge, &code).await;
        person
    }

    pub(crate) async fn try_login(&self) -> Answer {
        self.fixture.try_login(self.name, PASSWORD).await
    }

    /// Logs in as far as the password goes; the challenge.
    pub(crate) async fn asked(&self, methods: &[&str]) -> String {
        let answer = self.try_login().await;
        let challenge = challenge_of(&answer, methods);
        assert_eq!(keys(&answer.json()), ASKED, "{}", answer.text);
        challenge
    }

    /// Logs in as far as the password goes; the challenge, and the code of the mail.
    pub(crate) async fn asked_by_mail(&self, methods: &[&str]) -> (String, String) {
        let before = self.codes().len();
        let challenge = self.asked(methods).await;
        (challenge, self.code_after(before).await)
    }

    /// The codes that were mailed so far, in the order of their arrival.
    pub(crate) fn codes(&self) -> Vec<String> {
        let received = self.fixture.received_to(&self.email);
        received.iter().filter(|message| is_code(message)).map(|message| message.code().to_owned()).collect()
    }

    /// The code that comes after so many.
    pub(crate) async fn code_after(&self, before: usize) -> String {
        eventually("a code by mail", async || self.codes().len() > before).await;
        self.codes().swap_remove(before)
    }

    /// Answers a challenge of a login with a pair.
    pub(crate) async fn logs_in_with(&self, challenge: &str, code: &str) -> TokenPair {
        TokenPair::of(&self.fixture.answer(challenge, code).await)
    }

    /// `POST` to a path below `/api/users/me/second-factors/`.
    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.fixture.client.post(&format!("/api/users/me/second-factors/{path}"), Some(&self.pair.access), body).await
    }

    /// `GET /api/users/me/second-factors/`.
    pub(crate) async fn status(&self) -> Value {
        let request = self.fixture.client.http.get(format!("{}/api/users/me/second-factors/", self.fixture.client.url));
        let answer = Answer::of(request.bearer_auth(&self.pair.access).send().await.unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.json()
    }

    /// Which methods are on, and how many recovery codes are left.
    pub(crate) async fn has(&self) -> (Vec<String>, u64) {
        let status = self.status().await;
        let methods = status["methods"].as_array().unwrap().iter();
        let methods = methods.map(|factor| factor["method"].as_str().unwrap().to_owned()).collect();
        (methods, status["recovery_codes_left"].as_u64().unwrap())
    }

    /// Switches codes by mail on; the recovery codes.
    pub(crate) async fn enrol_by_mail(&self) -> Vec<String> {
        if self.status().await["required"] == true {
            let (challenge, code) = self.challenge_by_mail().await;
            let answer = Some((challenge.as_str(), code.as_str()));
            return self.fixture.enrol_by_mail_with(&self.pair, &self.email, answer).await;
        }
        self.fixture.enrol_by_mail(&self.pair, &self.email).await
    }

    /// Switches an authenticator on, with the code of the step before this one; the recovery codes.
    pub(crate) async fn enrol_authenticator(&self) -> (Authenticator, Vec<String>) {
        let mut body = json!({"method": "totp", "password": PASSWORD});
        if self.status().await["required"] == true {
            // What a login takes, this takes too.
            let (challenge, code) = self.challenge_by_mail().await;
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
            // A step ended meanwhile, and the code was two steps off.
            confirmed = confirm().await;
        }
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        self.fixture.with_subject(&self.email, "second factor was added").await;
        (authenticator, texts(&confirmed.json()["recovery_codes"]))
    }

    /// A challenge for something other than a login.
    pub(crate) async fn challenge(&self) -> String {
        let answer = self.post("challenge/", json!({})).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.field("challenge")
    }

    /// The same, and the code of the mail.
    pub(crate) async fn challenge_by_mail(&self) -> (String, String) {
        let before = self.codes().len();
        let challenge = self.challenge().await;
        (challenge, self.code_after(before).await)
    }

    /// Switches a method off.
    pub(crate) async fn remove(&self, method: &str, challenge: &str, code: &str) -> Answer {
        let body = json!({"method": method, "password": PASSWORD, "challenge": challenge, "code": code});
        self.post("remove/", body).await
    }
}

fn is_code(message: &ReceivedEmail) -> bool {
    message.subject.contains("Your code")
}

/// An authenticator of another make than the service, that has scanned a QR code.
pub(crate) struct Authenticator(pub(crate) Totp);

impl Authenticator {
    pub(crate) fn scan(uri: &str) -> Self {
        Self(Totp::from_url(uri).expect("an otpauth URI of the usual kind"))
    }

    /// The code that is so many steps off from now.
    pub(crate) fn code(&self, drift: i64) -> String {
        let moment = now().checked_add_signed(drift * 30).expect("a moment");
        self.0.generate(moment).to_string()
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs()
}

/// The answer to something that lies within one step of the authenticators; done again if a step ended meanwhile.
pub(crate) async fn in_one_step(mut act: impl AsyncFnMut() -> Answer) -> Answer {
    loop {
        let step = now() / 30;
        let answer = act().await;
        if now() / 30 == step {
            return answer;
        }
    }
}

/// Makes all authenticators as if their last code had been used long ago.
pub(crate) fn forget_last_steps(fixture: &Fixture) {
    fixture
        .database
        .execute(&format!("UPDATE second_factors SET last_step = 1 WHERE user_id IN ({})", fixture.own_user_ids()));
}

/// Answers to challenges of logins, at one moment.
pub(crate) async fn answers_at_once(
    fixture: &Fixture,
    answers: impl IntoIterator<Item = (String, String)>,
) -> Vec<Answer> {
    let calls = answers.into_iter().map(|(challenge, code)| {
        let api = fixture.client.clone();
        async move { api.post("/api/token/second-factor/", None, json!({"challenge": challenge, "code": code})).await }
    });
    at_once(calls).await
}

/// The keys of an object, sorted.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    let mut keys: Vec<_> = object.as_object().unwrap_or_else(|| panic!("{object} is no object")).keys().collect();
    keys.sort();
    keys.into_iter().map(String::as_str).collect()
}

/// How the session of a token began, by its claims, unchecked.
pub(crate) fn amr(token: &str) -> Vec<String> {
    texts(&claims_of(token)["amr"])
}

/// Panics unless the answer to a login's challenge is a refusal with this code, without a token.
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

/// Another code of the same length.
pub(crate) fn other_than(code: &str) -> String {
    let number: u32 = code.parse().expect("a number");
    format!("{:06}", (number + 1) % 1_000_000)
}
