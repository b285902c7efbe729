//! The part of the tour about a user's own account: password, email address, second factors, and the emails about them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use reqwest::Method;
use serde_json::{Value, json};
use totp_rs::Totp;

use super::{NEW, PASSWORD, Tour, WRONG};
use auth_tests::concurrency::eventually;
use auth_tests::{Answer, TokenPair};

const FACTORS: &str = "/api/users/me/second-factors/";
pub(super) const RESET: &str = "Viridian-otter-6604-reset";
const WEAK: &str = "password123";

/// An email in the folder of the server.
pub(super) struct EmailFile {
    path: PathBuf,
    text: String,
}

impl EmailFile {
    /// Returns all emails of a server so far.
    pub(super) fn all(server_dir: &Path) -> Vec<Self> {
        // The folder does not exist before the first email.
        let Ok(files) = std::fs::read_dir(server_dir.join("auth-data/mail")) else { return Vec::new() };
        let paths = files.map(|file| file.expect("a file").path());
        let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
        // Names of unfinished files begin with a dot.
        let paths = paths.filter(|path| !path.file_name().expect("a name").to_string_lossy().starts_with('.'));
        paths.map(|path| Self { text: std::fs::read_to_string(&path).expect("an email"), path }).collect()
    }

    fn matches(&self, kind: &str, to: &str) -> bool {
        let name = self.path.file_name().expect("a name").to_string_lossy();
        let is_to = |line: &str| line.starts_with("To:") && line.contains(to);
        name.split('-').nth(1) == Some(kind) && self.text.lines().any(is_to)
    }

    /// Returns the link token, if there is one.
    pub(super) fn token(&self) -> Option<&str> {
        let mut links = self.text.lines().filter(|line| line.starts_with("http"));
        links.find_map(|link| Some(link.split_once("token=")?.1.trim()))
    }

    /// Returns the 6-digit code, if there is one.
    pub(super) fn code(&self) -> Option<&str> {
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
        self.text.lines().map(str::trim).find(is_code)
    }
}

/// A user on the tour.
struct TourUser {
    name: &'static str,
    id: i64,
    pair: TokenPair,
}

impl Tour {
    /// Does everything that a user can do with the own account.
    pub(super) async fn account(&mut self) {
        let mut dora = self.email_verification().await;
        self.passwords(&mut dora).await;
        self.email_change(&mut dora).await;
        let codes = self.authenticator(&mut dora).await;
        self.email_codes(&mut dora, codes).await;
        self.guesses().await;
    }

    /// Waits for the next unseen email of a kind to a recipient.
    async fn next_email(&mut self, kind: &str, to: &str) -> EmailFile {
        let (dir, mut found) = (self.server.dir().to_owned(), None);
        eventually(&format!("an email {kind} to {to}"), async || {
            let emails = EmailFile::all(&dir).into_iter();
            found =
                emails.filter(|email| !self.seen_emails.contains(&email.path)).find(|email| email.matches(kind, to));
            found.is_some()
        })
        .await;
        let email = found.expect("it has arrived");
        self.seen_emails.insert(email.path.clone());
        self.collect_email(&email);
        email
    }

    async fn link(&mut self, kind: &str, to: &str) -> String {
        self.next_email(kind, to).await.token().expect("a link").to_owned()
    }

    async fn emailed_code(&mut self, to: &str) -> String {
        self.next_email("second_factor_code", to).await.code().expect("a code").to_owned()
    }

    fn collect_email(&mut self, email: &EmailFile) {
        if let Some(token) = email.token() {
            self.secrets.add_with_id("the token of a link", token);
        }
        if let Some(code) = email.code() {
            self.secrets.add_code(code);
        }
    }

    /// Collects the secrets of all emails, including unused ones.
    pub(super) fn collect_emails(&mut self) {
        let emails = EmailFile::all(self.server.dir());
        assert!(emails.iter().filter(|email| email.token().is_some()).count() >= 5, "links");
        assert!(emails.iter().filter(|email| email.code().is_some()).count() >= 3, "codes");
        for email in emails {
            self.collect_email(&email);
        }
    }

    async fn email_verification(&mut self) -> TourUser {
        let email = "dora@example.com";
        let body = json!({
            "username": "dora", "email": email, "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
        });
        let registered = self.post("/api/register/", None, body, 201).await;
        let id = registered.json()["id"].as_i64().expect("a number");
        self.expect(&registered, "account_registered", Some(id), None);
        let token = self.link("email_verification", email).await;
        // A newer link replaces it; an unknown email address gets none.
        self.post("/api/email/verify/resend/", None, json!({"email": email}), 202).await;
        self.post("/api/email/verify/resend/", None, json!({"email": "unknown@example.com"}), 202).await;
        let newer = self.link("email_verification", email).await;
        self.post("/api/email/verify/", None, json!({"token": token}), 400).await;
        self.misplaced_tokens("/api/email/verify/", "/email/verify/", &newer).await;
        let verified = self.post("/api/email/verify/", None, json!({"token": newer}), 200).await;
        self.expect(&verified, "email_verified", Some(id), None);
        self.post("/api/email/verify/", None, json!({"token": newer}), 400).await;
        let pair = self.login("dora", id).await;
        TourUser { name: "dora", id, pair }
    }

    /// Sends a link token in bodies of every type, in the query, to the page of the link, and as other kinds of tokens.
    async fn misplaced_tokens(&mut self, path: &str, page: &str, token: &str) {
        self.post(path, None, json!({"token": [token]}), 400).await;
        self.post(path, None, json!({token: token}), 400).await;
        self.post(path, None, json!({"token": format!("{token}0"), "new_password": NEW}), 400).await;
        self.raw(path, "application/json", format!(r#"{{"token": "{token}", }}"#), 400).await;
        self.raw(path, &format!("text/{token}"), token.to_owned(), 415).await;
        self.raw(&format!("{path}?token={token}"), "application/json", "{}".to_owned(), 400).await;
        assert_eq!(self.client.get(&format!("{page}?token={token}")).await.status, 404);
        assert_eq!(self.client.me(token).await.status, 401);
        self.refresh(token, 401).await;
    }

    async fn passwords(&mut self, dora: &mut TourUser) {
        const PATH: &str = "/api/users/me/password/";
        let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
        let refused = self.post(PATH, Some(&dora.pair.access), change(WRONG, NEW), 400).await;
        self.expect(&refused, "password_refused", Some(dora.id), None);
        self.post(PATH, Some(&dora.pair.access), change(PASSWORD, WEAK), 400).await;
        self.post(PATH, Some(&dora.pair.access), json!({"old_password": [PASSWORD], "new_password": NEW}), 400).await;
        let changed = self.post(PATH, Some(&dora.pair.access), change(PASSWORD, NEW), 200).await;
        self.expect(&changed, "password_changed", Some(dora.id), None);

        self.post("/api/password-reset/", None, json!({"email": PASSWORD}), 400).await;
        self.post("/api/password-reset/", None, json!({"email": "unknown@example.com"}), 202).await;
        self.post("/api/password-reset/", None, json!({"email": "dora@example.com"}), 202).await;
        let token = self.link("password_reset", "dora@example.com").await;
        let path = "/api/password-reset/confirm/";
        self.misplaced_tokens(path, "/password-reset/confirm/", &token).await;
        self.post(path, None, json!({"token": token, "new_password": WEAK}), 400).await;
        let reset = self.post(path, None, json!({"token": token, "new_password": RESET}), 200).await;
        self.expect(&reset, "password_reset", Some(dora.id), None);
        self.post(path, None, json!({"token": token, "new_password": NEW}), 400).await;

        // Restore the common password.
        let login = self.post("/api/token/", None, json!({"username": "dora", "password": RESET}), 200).await;
        self.expect(&login, "login_succeeded", Some(dora.id), Some(&login.field("refresh")));
        let changed = self.post(PATH, Some(&login.field("access")), change(RESET, PASSWORD), 200).await;
        self.expect(&changed, "password_changed", Some(dora.id), None);
        dora.pair = TokenPair::of(&changed);
    }

    async fn email_change(&mut self, dora: &mut TourUser) {
        let asked = self.change_email(dora, json!({"email": "dora@example.org", "password": WRONG}), 400).await;
        self.expect(&asked, "password_refused", Some(dora.id), None);
        self.change_email(dora, json!({"email": "dora@example.org"}), 400).await;
        let asked = self.change_email(dora, json!({"email": "dora@example.org", "password": PASSWORD}), 200).await;
        assert_eq!(asked.json()["pending_email"], "dora@example.org", "{}", asked.text);
        self.expect(&asked, "email_change_requested", Some(dora.id), None);
        let token = self.link("email_change", "dora@example.org").await;
        let changed = self.post("/api/email/verify/", None, json!({"token": token}), 200).await;
        self.expect(&changed, "email_changed", Some(dora.id), None);
    }

    async fn change_email(&mut self, dora: &TourUser, body: Value, status: u16) -> Answer {
        let patch = self.client.http.request(Method::PATCH, format!("{}/api/users/me/", self.client.url));
        let answer =
            Answer::of(patch.json(&body).bearer_auth(&dora.pair.access).send().await.expect("an answer")).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        answer
    }

    async fn factor(&mut self, dora: &TourUser, path: &str, body: Value, status: u16) -> Answer {
        self.post(&format!("{FACTORS}{path}"), Some(&dora.pair.access), body, status).await
    }

    /// Requests a challenge for reauthentication.
    async fn challenge(&mut self, dora: &TourUser) -> String {
        let asked = self.factor(dora, "challenge/", json!({}), 200).await;
        self.collect_challenge(&asked)
    }

    fn collect_challenge(&mut self, answer: &Answer) -> String {
        let challenge = answer.field("challenge");
        self.secrets.add_with_id("a challenge", &challenge);
        challenge
    }

    fn collect_recovery_codes(&mut self, answer: &Answer) -> Vec<String> {
        let codes = answer.json()["recovery_codes"].as_array().expect("a list").clone();
        let codes: Vec<_> = codes.iter().map(|code| code.as_str().expect("a string").to_owned()).collect();
        assert_eq!(codes.len(), 10);
        for code in &codes {
            self.secrets.add("a recovery code", code);
            self.secrets.add("a recovery code without hyphens", &code.replace('-', ""));
        }
        codes
    }

    /// Logs in with the password; returns the challenge.
    async fn login_challenge(&mut self, dora: &TourUser) -> String {
        let asked = self.post("/api/token/", None, json!({"username": dora.name, "password": PASSWORD}), 401).await;
        self.expect(&asked, "second_factor_asked", Some(dora.id), None);
        self.collect_challenge(&asked)
    }

    async fn answer(&mut self, challenge: &str, code: &str, status: u16) -> Answer {
        self.post("/api/token/second-factor/", None, json!({"challenge": challenge, "code": code}), status).await
    }

    async fn complete_login(&mut self, dora: &TourUser, challenge: &str, code: &str) -> TokenPair {
        let answer = self.answer(challenge, code, 200).await;
        self.expect(&answer, "login_succeeded", Some(dora.id), Some(&answer.field("refresh")));
        TokenPair::of(&answer)
    }

    /// Enables an authenticator; returns the remaining recovery codes.
    async fn authenticator(&mut self, dora: &mut TourUser) -> Vec<String> {
        let wrong = self.factor(dora, "", json!({"method": "totp", "password": WRONG}), 400).await;
        self.expect(&wrong, "password_refused", Some(dora.id), None);
        self.factor(dora, "", json!({"method": PASSWORD, "password": [PASSWORD]}), 400).await;
        let begun = self.factor(dora, "", json!({"method": "totp", "password": PASSWORD}), 201).await;
        let challenge = self.collect_challenge(&begun);
        for (what, field) in [
            ("the secret of an authenticator", "secret"),
            ("the URI of an authenticator", "otpauth_uri"),
            ("a QR code", "qr_png"),
            ("a QR code", "qr_svg"),
        ] {
            self.secrets.add(what, &begun.field(field));
        }
        let authenticator = Totp::from_url(begun.field("otpauth_uri")).expect("an otpauth URI");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs();
        // One step of tolerance is allowed, so the code stays valid if a step ends now.
        let code = authenticator.generate(now).to_string();
        self.secrets.add_code(&code);
        let body = json!({"challenge": challenge, "code": different_code(&code)});
        let wrong = self.factor(dora, "confirm/", body, 400).await;
        self.expect(&wrong, "second_factor_refused", Some(dora.id), None);
        self.factor(dora, "confirm/", json!({"challenge": [challenge], "code": {"code": code}}), 400).await;
        self.factor(dora, "confirm/", json!({"challenge": code, "code": challenge}), 400).await;
        let added = self.factor(dora, "confirm/", json!({"challenge": challenge, "code": code}), 200).await;
        self.expect(&added, "second_factor_added", Some(dora.id), None);
        let codes = self.collect_recovery_codes(&added);

        let challenge = self.login_challenge(dora).await;
        let wrong = self.answer(&challenge, &code, 401).await; // The code has been used.
        self.expect(&wrong, "second_factor_refused", Some(dora.id), None);
        self.raw("/api/token/second-factor/", "application/json", format!(r#"{{"challenge": {challenge}"#), 400).await;
        assert_eq!(self.client.me(&challenge).await.status, 401);
        dora.pair = self.complete_login(dora, &challenge, &codes[0]).await;

        let challenge = self.challenge(dora).await;
        let body = json!({"password": PASSWORD, "challenge": challenge, "code": codes[1]});
        let replaced = self.factor(dora, "recovery-codes/", body, 200).await;
        self.expect(&replaced, "recovery_codes_replaced", Some(dora.id), None);
        self.collect_recovery_codes(&replaced)
    }

    async fn email_codes(&mut self, dora: &mut TourUser, recovery_codes: Vec<String>) {
        const EMAIL: &str = "dora@example.org";
        let challenge = self.challenge(dora).await;
        let body = json!({"method": "email", "password": PASSWORD, "challenge": challenge, "code": recovery_codes[0]});
        let begun = self.factor(dora, "", body, 201).await;
        let challenge = self.collect_challenge(&begun);
        let code = self.emailed_code(EMAIL).await;
        let added = self.factor(dora, "confirm/", json!({"challenge": challenge, "code": code}), 200).await;
        self.expect(&added, "second_factor_added", Some(dora.id), None);

        let challenge = self.login_challenge(dora).await;
        let code = self.emailed_code(EMAIL).await;
        let wrong = self.answer(&challenge, &different_code(&code), 401).await;
        self.expect(&wrong, "second_factor_refused", Some(dora.id), None);
        dora.pair = self.complete_login(dora, &challenge, &code).await;

        let challenge = self.challenge(dora).await;
        let code = self.emailed_code(EMAIL).await;
        let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
        let removed = self.factor(dora, "remove/", body, 200).await;
        self.expect(&removed, "second_factor_removed", Some(dora.id), None);
        let line = ["users", "remove-second-factors", "dora"];
        self.command(&line, "", Some("second_factor_removed"), Some(dora.id));
    }

    /// Guesses the password of an unknown user until attempts are throttled.
    async fn guesses(&mut self) {
        loop {
            let guess = json!({"username": "mallory", "password": WRONG});
            let answer = self.client.post("/api/token/", None, guess).await;
            if answer.status == 429 {
                return self.expect(&answer, "attempt_throttled", None, None);
            }
            assert_eq!(answer.status, 401, "{}", answer.text);
            self.expect(&answer, "login_failed", None, None);
        }
    }
}

/// Returns a different code of the same length.
fn different_code(code: &str) -> String {
    let number: u32 = code.parse().expect("a number");
    format!("{:06}", (number + 1) % 1_000_000)
}

/// The emails that the tour has already used.
pub(super) type SeenEmails = BTreeSet<PathBuf>;
