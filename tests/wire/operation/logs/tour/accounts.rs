//! The part of the walk in which somebody looks after her own account: password, address, second factors, and the mails
//! that come with them.

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

/// A mail that was written into the folder of the server.
pub(super) struct Mail {
    path: PathBuf,
    text: String,
}

impl Mail {
    /// All mails of a server so far.
    pub(super) fn all(server_dir: &Path) -> Vec<Self> {
        // No folder yet: no mail yet.
        let Ok(files) = std::fs::read_dir(server_dir.join("auth-data/mail")) else { return Vec::new() };
        let paths = files.map(|file| file.expect("a file").path());
        let paths = paths.filter(|path| path.extension().is_some_and(|extension| extension == "eml"));
        // Drafts have names that begin with a dot; what has its name is whole.
        let paths = paths.filter(|path| !path.file_name().expect("a name").to_string_lossy().starts_with('.'));
        paths.map(|path| Self { text: std::fs::read_to_string(&path).expect("a mail"), path }).collect()
    }

    fn is(&self, kind: &str, to: &str) -> bool {
        let name = self.path.file_name().expect("a name").to_string_lossy();
        let is_to = |line: &str| line.starts_with("To:") && line.contains(to);
        name.split('-').nth(1) == Some(kind) && self.text.lines().any(is_to)
    }

    /// The token of its link, if it has one.
    pub(super) fn token(&self) -> Option<&str> {
        let mut links = self.text.lines().filter(|line| line.starts_with("http"));
        links.find_map(|link| Some(link.split_once("token=")?.1.trim()))
    }

    /// The code in it, if it has one.
    pub(super) fn code(&self) -> Option<&str> {
        let is_code = |line: &&str| line.len() == 6 && line.bytes().all(|byte| byte.is_ascii_digit());
        self.text.lines().map(str::trim).find(is_code)
    }
}

/// Somebody on the tour.
struct Person {
    name: &'static str,
    id: i64,
    pair: TokenPair,
}

impl Tour {
    /// Everything that somebody does with her own account.
    pub(super) async fn account(&mut self) {
        let mut dora = self.proof_of_a_new_address().await;
        self.passwords(&mut dora).await;
        self.another_address(&mut dora).await;
        let codes = self.authenticator(&mut dora).await;
        self.codes_by_mail(&mut dora, codes).await;
        self.guesses().await;
    }

    /// The next mail of a kind to somebody, of which there is one that was not read yet.
    async fn next_mail(&mut self, kind: &str, to: &str) -> Mail {
        let (dir, mut found) = (self.server.dir().to_owned(), None);
        eventually(&format!("a mail {kind} to {to}"), async || {
            let mails = Mail::all(&dir).into_iter();
            found = mails.filter(|mail| !self.read_mails.contains(&mail.path)).find(|mail| mail.is(kind, to));
            found.is_some()
        })
        .await;
        let mail = found.expect("it has come");
        self.read_mails.insert(mail.path.clone());
        self.note_mail(&mail);
        mail
    }

    async fn link(&mut self, kind: &str, to: &str) -> String {
        self.next_mail(kind, to).await.token().expect("a link").to_owned()
    }

    async fn mailed_code(&mut self, to: &str) -> String {
        self.next_mail("second_factor_code", to).await.code().expect("a code").to_owned()
    }

    fn note_mail(&mut self, mail: &Mail) {
        if let Some(token) = mail.token() {
            self.secrets.add_named("the token of a link", token);
        }
        if let Some(code) = mail.code() {
            self.secrets.add_code(code);
        }
    }

    /// Also of mails that nobody had a use for.
    pub(super) fn note_mails(&mut self) {
        let mails = Mail::all(self.server.dir());
        assert!(mails.iter().filter(|mail| mail.token().is_some()).count() >= 5, "links");
        assert!(mails.iter().filter(|mail| mail.code().is_some()).count() >= 3, "codes");
        for mail in mails {
            self.note_mail(&mail);
        }
    }

    async fn proof_of_a_new_address(&mut self) -> Person {
        let email = "dora@example.com";
        let body = json!({
            "username": "dora", "email": email, "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
        });
        let made = self.post("/api/register/", None, body, 201).await;
        let id = made.json()["id"].as_i64().expect("a number");
        self.expect(&made, "account_registered", Some(id), None);
        let token = self.link("email_verification", email).await;
        // Another one takes its place; what is no address of an account gets none.
        self.post("/api/email/verify/resend/", None, json!({"email": email}), 202).await;
        self.post("/api/email/verify/resend/", None, json!({"email": "nobody@example.com"}), 202).await;
        let newer = self.link("email_verification", email).await;
        self.post("/api/email/verify/", None, json!({"token": token}), 400).await;
        self.tokens_where_none_belong("/api/email/verify/", "/email/verify/", &newer).await;
        let verified = self.post("/api/email/verify/", None, json!({"token": newer}), 200).await;
        self.expect(&verified, "email_verified", Some(id), None);
        self.post("/api/email/verify/", None, json!({"token": newer}), 400).await;
        let pair = self.login("dora", id).await;
        Person { name: "dora", id, pair }
    }

    /// The token of a link in bodies of every kind, in the address, where a page of the service's own would have it, and
    /// shown as a token of another kind.
    async fn tokens_where_none_belong(&mut self, path: &str, page: &str, token: &str) {
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

    async fn passwords(&mut self, dora: &mut Person) {
        const PATH: &str = "/api/users/me/password/";
        let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
        let refused = self.post(PATH, Some(&dora.pair.access), change(WRONG, NEW), 400).await;
        self.expect(&refused, "password_refused", Some(dora.id), None);
        self.post(PATH, Some(&dora.pair.access), change(PASSWORD, WEAK), 400).await;
        self.post(PATH, Some(&dora.pair.access), json!({"old_password": [PASSWORD], "new_password": NEW}), 400).await;
        let changed = self.post(PATH, Some(&dora.pair.access), change(PASSWORD, NEW), 200).await;
        self.expect(&changed, "password_changed", Some(dora.id), None);

        self.post("/api/password-reset/", None, json!({"email": PASSWORD}), 400).await;
        self.post("/api/password-reset/", None, json!({"email": "nobody@example.com"}), 202).await;
        self.post("/api/password-reset/", None, json!({"email": "dora@example.com"}), 202).await;
        let token = self.link("password_reset", "dora@example.com").await;
        let path = "/api/password-reset/confirm/";
        self.tokens_where_none_belong(path, "/password-reset/confirm/", &token).await;
        self.post(path, None, json!({"token": token, "new_password": WEAK}), 400).await;
        let reset = self.post(path, None, json!({"token": token, "new_password": RESET}), 200).await;
        self.expect(&reset, "password_reset", Some(dora.id), None);
        self.post(path, None, json!({"token": token, "new_password": NEW}), 400).await;

        // And back to that of the others.
        let login = self.post("/api/token/", None, json!({"username": "dora", "password": RESET}), 200).await;
        self.expect(&login, "login_succeeded", Some(dora.id), Some(&login.field("refresh")));
        let changed = self.post(PATH, Some(&login.field("access")), change(RESET, PASSWORD), 200).await;
        self.expect(&changed, "password_changed", Some(dora.id), None);
        dora.pair = TokenPair::of(&changed);
    }

    async fn another_address(&mut self, dora: &mut Person) {
        let asked = self.change_address(dora, json!({"email": "dora@example.org", "password": WRONG}), 400).await;
        self.expect(&asked, "password_refused", Some(dora.id), None);
        self.change_address(dora, json!({"email": "dora@example.org"}), 400).await;
        let asked = self.change_address(dora, json!({"email": "dora@example.org", "password": PASSWORD}), 200).await;
        assert_eq!(asked.json()["pending_email"], "dora@example.org", "{}", asked.text);
        self.expect(&asked, "email_change_requested", Some(dora.id), None);
        let token = self.link("email_change", "dora@example.org").await;
        let changed = self.post("/api/email/verify/", None, json!({"token": token}), 200).await;
        self.expect(&changed, "email_changed", Some(dora.id), None);
    }

    async fn change_address(&mut self, dora: &Person, body: Value, status: u16) -> Answer {
        let patch = self.client.http.request(Method::PATCH, format!("{}/api/users/me/", self.client.url));
        let answer =
            Answer::of(patch.json(&body).bearer_auth(&dora.pair.access).send().await.expect("an answer")).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        answer
    }

    async fn factor(&mut self, dora: &Person, path: &str, body: Value, status: u16) -> Answer {
        self.post(&format!("{FACTORS}{path}"), Some(&dora.pair.access), body, status).await
    }

    /// Asks for a challenge, for something other than a login.
    async fn challenge(&mut self, dora: &Person) -> String {
        let asked = self.factor(dora, "challenge/", json!({}), 200).await;
        self.note_challenge(&asked)
    }

    fn note_challenge(&mut self, answer: &Answer) -> String {
        let challenge = answer.field("challenge");
        self.secrets.add_named("a challenge", &challenge);
        challenge
    }

    fn note_recovery_codes(&mut self, answer: &Answer) -> Vec<String> {
        let codes = answer.json()["recovery_codes"].as_array().expect("a list").clone();
        let codes: Vec<_> = codes.iter().map(|code| code.as_str().expect("a text").to_owned()).collect();
        assert_eq!(codes.len(), 10);
        for code in &codes {
            self.secrets.add("a recovery code", code);
            self.secrets.add("a recovery code without hyphens", &code.replace('-', ""));
        }
        codes
    }

    /// Logs in as far as the password goes; the challenge.
    async fn asked(&mut self, dora: &Person) -> String {
        let asked = self.post("/api/token/", None, json!({"username": dora.name, "password": PASSWORD}), 401).await;
        self.expect(&asked, "second_factor_asked", Some(dora.id), None);
        self.note_challenge(&asked)
    }

    async fn answer(&mut self, challenge: &str, code: &str, status: u16) -> Answer {
        self.post("/api/token/second-factor/", None, json!({"challenge": challenge, "code": code}), status).await
    }

    async fn logs_in_with(&mut self, dora: &Person, challenge: &str, code: &str) -> TokenPair {
        let answer = self.answer(challenge, code, 200).await;
        self.expect(&answer, "login_succeeded", Some(dora.id), Some(&answer.field("refresh")));
        TokenPair::of(&answer)
    }

    /// Switches one on; the recovery codes that are left.
    async fn authenticator(&mut self, dora: &mut Person) -> Vec<String> {
        let wrong = self.factor(dora, "", json!({"method": "totp", "password": WRONG}), 400).await;
        self.expect(&wrong, "password_refused", Some(dora.id), None);
        self.factor(dora, "", json!({"method": PASSWORD, "password": [PASSWORD]}), 400).await;
        let begun = self.factor(dora, "", json!({"method": "totp", "password": PASSWORD}), 201).await;
        let challenge = self.note_challenge(&begun);
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
        // One step of drift is allowed, so a step that ends meanwhile does no harm.
        let code = authenticator.generate(now).to_string();
        self.secrets.add_code(&code);
        let body = json!({"challenge": challenge, "code": other_than(&code)});
        let wrong = self.factor(dora, "confirm/", body, 400).await;
        self.expect(&wrong, "second_factor_refused", Some(dora.id), None);
        self.factor(dora, "confirm/", json!({"challenge": [challenge], "code": {"code": code}}), 400).await;
        self.factor(dora, "confirm/", json!({"challenge": code, "code": challenge}), 400).await;
        let added = self.factor(dora, "confirm/", json!({"challenge": challenge, "code": code}), 200).await;
        self.expect(&added, "second_factor_added", Some(dora.id), None);
        let codes = self.note_recovery_codes(&added);

        let challenge = self.asked(dora).await;
        let wrong = self.answer(&challenge, &code, 401).await; // It was used a moment ago.
        self.expect(&wrong, "second_factor_refused", Some(dora.id), None);
        self.raw("/api/token/second-factor/", "application/json", format!(r#"{{"challenge": {challenge}"#), 400).await;
        assert_eq!(self.client.me(&challenge).await.status, 401);
        dora.pair = self.logs_in_with(dora, &challenge, &codes[0]).await;

        let challenge = self.challenge(dora).await;
        let body = json!({"password": PASSWORD, "challenge": challenge, "code": codes[1]});
        let replaced = self.factor(dora, "recovery-codes/", body, 200).await;
        self.expect(&replaced, "recovery_codes_replaced", Some(dora.id), None);
        self.note_recovery_codes(&replaced)
    }

    async fn codes_by_mail(&mut self, dora: &mut Person, recovery_codes: Vec<String>) {
        const EMAIL: &str = "dora@example.org";
        let challenge = self.challenge(dora).await;
        let body = json!({"method": "email", "password": PASSWORD, "challenge": challenge, "code": recovery_codes[0]});
        let begun = self.factor(dora, "", body, 201).await;
        let challenge = self.note_challenge(&begun);
        let code = self.mailed_code(EMAIL).await;
        let added = self.factor(dora, "confirm/", json!({"challenge": challenge, "code": code}), 200).await;
        self.expect(&added, "second_factor_added", Some(dora.id), None);

        let challenge = self.asked(dora).await;
        let code = self.mailed_code(EMAIL).await;
        let wrong = self.answer(&challenge, &other_than(&code), 401).await;
        self.expect(&wrong, "second_factor_refused", Some(dora.id), None);
        dora.pair = self.logs_in_with(dora, &challenge, &code).await;

        let challenge = self.challenge(dora).await;
        let code = self.mailed_code(EMAIL).await;
        let body = json!({"method": "totp", "password": PASSWORD, "challenge": challenge, "code": code});
        let removed = self.factor(dora, "remove/", body, 200).await;
        self.expect(&removed, "second_factor_removed", Some(dora.id), None);
        let line = ["users", "remove-second-factors", "dora"];
        self.command(&line, "", Some("second_factor_removed"), Some(dora.id));
    }

    /// At the password of somebody who does not exist, until there were too many.
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

/// Another code of the same length.
fn other_than(code: &str) -> String {
    let number: u32 = code.parse().expect("a number");
    format!("{:06}", (number + 1) % 1_000_000)
}

/// Which mails were read already.
pub(super) type ReadMails = BTreeSet<PathBuf>;
