//! Verification and change of email addresses.

use auth_tests::concurrency::run_concurrently;
use auth_tests::server::BASE_URL;
use auth_tests::{Answer, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD};
use crate::email::password_reset::{all_delivered, assert_invalid_link};

const OLD: &str = "alice@example.com";
const NEW: &str = "brand.new@example.org";

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            with_verification_off_no_links_are_sent,
            with_verification_off_a_change_takes_effect_immediately;
        servers.optional =>
            with_optional_verification_login_needs_no_verification,
            a_change_requires_the_password,
            a_newer_change_invalidates_the_link_of_an_older_one,
            refuses_an_email_address_taken_in_the_meantime,
            concurrent_changes_to_one_email_address_have_one_winner,
            a_change_invalidates_links_sent_to_the_old_email_address;
        servers.optional_postgres =>
            refuses_an_email_address_taken_in_the_meantime,
            concurrent_changes_to_one_email_address_have_one_winner;
        servers.required =>
            unverified_is_reported_only_with_the_right_password,
            a_password_reset_verifies_the_email_address,
            resend_sends_links_only_to_unverified_addresses,
            a_change_takes_effect_when_its_link_is_opened,
    ]
}

impl Fixture {
    /// Updates the profile of the caller.
    pub(crate) async fn patch_me(&self, bearer: &str, body: Value) -> Answer {
        self.send_me(Method::PATCH, bearer, body).await
    }

    async fn send_me(&self, method: Method, bearer: &str, body: Value) -> Answer {
        let request =
            self.client.http.request(method, format!("{}/api/users/me/", self.client.url)).bearer_auth(bearer);
        Answer::of(request.json(&body).send().await.expect("an answer")).await
    }

    /// Requests another verification link.
    async fn resend(&self, email: &str) -> Answer {
        self.post("/api/email/verify/resend/", json!({"email": self.own(email)})).await
    }

    async fn login_by_email(&self, email: &str) -> Answer {
        self.post("/api/token/", json!({"email": self.own(email), "password": PASSWORD})).await
    }

    /// Requests a change of the email address; returns the link token from the email.
    pub(crate) async fn request_email_change(&self, bearer: &str, email: &str) -> String {
        let before = self.received_to(email).len();
        let asked = self.patch_me(bearer, json!({"email": self.own(email), "password": PASSWORD})).await;
        assert_eq!(asked.status, 200, "{}", asked.text);
        assert_eq!(asked.field("pending_email"), self.own(email));
        self.wait_for_nth(email, before + 1).await.token().to_owned()
    }

    /// Returns the caller's email address.
    async fn address(&self, bearer: &str) -> String {
        self.client.me(bearer).await.field("email")
    }
}

async fn with_verification_off_no_links_are_sent(fixture: Fixture) {
    fixture.register_and_login("alice").await;
    let (known, unknown) = (fixture.resend(OLD).await, fixture.resend("unknown@example.com").await);
    assert_eq!(known.status, 202);
    assert_eq!((known.status, known.text), (unknown.status, unknown.text));
    assert_eq!(all_delivered(&fixture).await.len(), 0);
}

async fn with_verification_off_a_change_takes_effect_immediately(fixture: Fixture) {
    fixture.register("alice").await;
    fixture.mark_verified("alice");
    let pair = fixture.login("alice").await;
    fixture.register("bob").await;
    let reset = fixture.reset_token(OLD).await;
    let taken = fixture.patch_me(&pair.access, json!({"email": fixture.own("BOB@example.com")})).await;
    assert_eq!(taken.status, 400, "{}", taken.text);
    let changed = fixture.patch_me(&pair.access, json!({"email": fixture.own(NEW)})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!((changed.field("email"), changed.json().get("pending_email")), (fixture.own(NEW), None));
    TokenPair::of(&fixture.login_by_email(NEW).await);
    assert_eq!(fixture.login_by_email(OLD).await.status, 401);
    assert_invalid_link(&fixture.confirm_reset(&reset, NEW_PASSWORD).await);
    let notice = fixture.wait_for_nth(OLD, 2).await;
    assert!(notice.subject.contains("was changed"), "{}", notice.subject);
    assert!(notice.text.contains("b…@example.org") && !notice.raw.contains("brand.new"), "{}", notice.text);
    // A request that leaves the address unchanged sends no notice, and neither does a refused one.
    fixture.patch_me(&pair.access, json!({"first_name": "Bo", "email": fixture.own(NEW)})).await;
    assert_eq!(all_delivered(&fixture).await.len(), 2);
}

async fn with_optional_verification_login_needs_no_verification(fixture: Fixture) {
    let pair = fixture.register_and_login("alice").await;
    let message = fixture.wait_for_nth(OLD, 1).await;
    assert!(message.subject.contains("Confirm your email address"), "{}", message.subject);
    assert!(message.link().starts_with(BASE_URL), "{}", message.link());
    assert!(message.html.contains(message.token()), "{}", message.html);
    let verified = fixture.verify(message.token()).await;
    assert_eq!(verified.status, 200, "{}", verified.text);
    assert_eq!(verified.json(), json!({"detail": "Email address verified."}), "the answer has no tokens");
    assert_invalid_link(&fixture.verify(message.token()).await);
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    assert_eq!(all_delivered(&fixture).await.len(), 1);
}

async fn unverified_is_reported_only_with_the_right_password(fixture: Fixture) {
    assert_eq!(fixture.register("alice").await.status, 201);
    let unverified = fixture.try_login("alice", PASSWORD).await;
    assert_eq!(unverified.status, 401);
    assert_eq!(unverified.json(), json!({"detail": "Email address is not verified.", "code": "email_not_verified"}));
    let (wrong, unknown) =
        (fixture.try_login("alice", NEW_PASSWORD).await, fixture.try_login("unknown", PASSWORD).await);
    assert_eq!(wrong.json(), json!({"detail": "No active account found with the given credentials"}));
    assert_eq!((wrong.status, wrong.text), (unknown.status, unknown.text));
    let message = fixture.wait_for_nth(OLD, 1).await;
    assert_eq!(fixture.verify(message.token()).await.status, 200);
    fixture.login("alice").await;
    // The email address of an account created by a command counts as verified.
    let carol = fixture.own("carol");
    let created = fixture.server.run_with_input(
        ["create-superuser", "--username", &carol, "--email", &fixture.own("carol@example.com"), "--password-stdin"],
        PASSWORD,
    );
    assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
    fixture.login("carol").await;
    assert_eq!(all_delivered(&fixture).await.len(), 1);
}

async fn a_password_reset_verifies_the_email_address(fixture: Fixture) {
    assert_eq!(fixture.register("alice").await.status, 201);
    let token = fixture.reset_token(OLD).await;
    assert_eq!(fixture.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
}

async fn resend_sends_links_only_to_unverified_addresses(fixture: Fixture) {
    for name in ["alice", "bob", "carol"] {
        assert_eq!(fixture.register(name).await.status, 201);
    }
    let bobs = fixture.wait_for_nth("bob@example.com", 1).await;
    assert_eq!(fixture.verify(bobs.token()).await.status, 200);
    fixture.users("deactivate", "carol");
    let first = fixture.wait_for_nth(OLD, 1).await;
    let answer = fixture.resend("ALICE@example.com").await;
    assert_eq!(answer.status, 202);
    for email in ["bob@example.com", "carol@example.com", "unknown@example.com"] {
        let other = fixture.resend(email).await;
        assert_eq!((other.status, other.text), (answer.status, answer.text.clone()), "{email}");
    }
    let received = all_delivered(&fixture).await;
    let mut recipients: Vec<_> = received.into_iter().flat_map(|message| message.to).collect();
    recipients.sort();
    assert_eq!(recipients, [OLD, OLD, "bob@example.com", "carol@example.com"]);
    // The newer link invalidates the older one.
    assert_invalid_link(&fixture.verify(first.token()).await);
    assert_eq!(fixture.verify(fixture.wait_for_nth(OLD, 2).await.token()).await.status, 200);
    fixture.login("alice").await;
}

async fn a_change_requires_the_password(fixture: Fixture) {
    let pair = fixture.register_and_login("alice").await;
    fixture.register("bob").await;
    let missing = fixture.patch_me(&pair.access, json!({"email": fixture.own(NEW)})).await;
    missing.assert_field_error("password", "This field is required.");
    let wrong = fixture.patch_me(&pair.access, json!({"email": fixture.own(NEW), "password": NEW_PASSWORD})).await;
    wrong.assert_field_error("password", "Wrong password.");
    let list = fixture.patch_me(&pair.access, json!({"email": [fixture.own(NEW)], "password": PASSWORD})).await;
    list.assert_field_error("email", "Not a valid string.");
    let taken =
        fixture.patch_me(&pair.access, json!({"email": fixture.own("BOB@example.com"), "password": PASSWORD})).await;
    assert_eq!(taken.status, 400, "{}", taken.text);
    assert!(taken.json()["email"].is_array(), "{}", taken.text);
    let whole = json!({"username": fixture.own("alice"), "email": fixture.own(NEW)});
    fixture.send_me(Method::PUT, &pair.access, whole).await.assert_field_error("password", "This field is required.");
    // An unchanged email address needs no password.
    let body = json!({"first_name": "Bo", "email": fixture.own(OLD)});
    assert_eq!(fixture.patch_me(&pair.access, body).await.field("first_name"), "Bo");
    assert_eq!(fixture.address(&pair.access).await, fixture.own(OLD));
    let recipients: Vec<_> = all_delivered(&fixture).await.into_iter().flat_map(|message| message.to).collect();
    assert_eq!(recipients, [OLD, "bob@example.com"], "only the verification links were sent");
}

async fn a_change_takes_effect_when_its_link_is_opened(fixture: Fixture) {
    assert_eq!(fixture.register("alice").await.status, 201);
    let verification = fixture.wait_for_nth(OLD, 1).await;
    assert_eq!(fixture.verify(verification.token()).await.status, 200);
    let pair = fixture.login("alice").await;
    let body = json!({"email": fixture.own(NEW), "password": PASSWORD, "first_name": "Bo"});
    let asked = fixture.patch_me(&pair.access, body).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    assert_eq!([asked.field("email"), asked.field("pending_email")], [fixture.own(OLD), fixture.own(NEW)]);

    let warning = fixture.wait_for_nth(OLD, 2).await;
    assert!(warning.subject.contains("A new email address was requested"), "{}", warning.subject);
    assert!(warning.text.contains("b…@example.org"), "{}", warning.text);
    let link = fixture.wait_for_nth(NEW, 1).await;
    assert!(!warning.raw.contains("brand.new") && !warning.raw.contains(link.token()), "{}", warning.raw);
    assert!(link.subject.contains("Confirm your new email address") && link.link().starts_with(BASE_URL));
    assert_eq!(fixture.login_by_email(NEW).await.status, 401);
    TokenPair::of(&fixture.login_by_email(OLD).await);

    assert_eq!(fixture.verify(link.token()).await.status, 200);
    assert_invalid_link(&fixture.verify(link.token()).await);
    assert_eq!(fixture.address(&pair.access).await, fixture.own(NEW));
    TokenPair::of(&fixture.login_by_email(NEW).await);
    assert_eq!(fixture.login_by_email(OLD).await.status, 401);
    let notice = fixture.wait_for_nth(OLD, 3).await;
    assert!(notice.subject.contains("was changed"), "{}", notice.subject);
    assert!(notice.text.contains("b…@example.org") && !notice.raw.contains("brand.new"), "{}", notice.text);
    let recipients: Vec<_> = all_delivered(&fixture).await.into_iter().flat_map(|message| message.to).collect();
    assert_eq!(recipients.len(), 4, "{recipients:?}");
    // The old email address belongs to no account now.
    assert_eq!(fixture.request_reset(OLD).await.status, 202);
    assert_eq!(all_delivered(&fixture).await.len(), 4);
}

async fn a_newer_change_invalidates_the_link_of_an_older_one(fixture: Fixture) {
    let pair = fixture.register_and_login("alice").await;
    let older = fixture.request_email_change(&pair.access, "typo@example.org").await;
    let newer = fixture.request_email_change(&pair.access, NEW).await;
    assert_invalid_link(&fixture.verify(&older).await);
    assert_eq!(fixture.address(&pair.access).await, fixture.own(OLD));
    assert_eq!(fixture.verify(&newer).await.status, 200);
    assert_eq!(fixture.address(&pair.access).await, fixture.own(NEW));
}

async fn refuses_an_email_address_taken_in_the_meantime(fixture: Fixture) {
    let pair = fixture.register_and_login("alice").await;
    let token = fixture.request_email_change(&pair.access, "bob@example.com").await;
    let bob = fixture.register_and_login("bob").await;
    let taken = fixture.verify(&token).await;
    assert_eq!(taken.status, 400, "{}", taken.text);
    assert!(taken.json()["email"].is_array(), "{}", taken.text);
    assert_eq!(fixture.address(&pair.access).await, fixture.own(OLD));
    assert_eq!(fixture.address(&bob.access).await, fixture.own("bob@example.com"));
    assert_eq!(fixture.login_by_email("bob@example.com").await.status, 200);
    let subjects: Vec<_> = all_delivered(&fixture).await.into_iter().map(|message| message.subject).collect();
    assert!(!subjects.iter().any(|subject| subject.contains("was changed")), "{subjects:?}");
}

async fn concurrent_changes_to_one_email_address_have_one_winner(fixture: Fixture) {
    let mut tokens = Vec::new();
    let mut pairs = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let pair = fixture.register_and_login(name).await;
        tokens.push(fixture.request_email_change(&pair.access, NEW).await);
        pairs.push(pair);
    }
    let calls = tokens.into_iter().map(|token| {
        let api = fixture.client.clone();
        async move { api.post("/api/email/verify/", None, json!({"token": token})).await }
    });
    let answers = run_concurrently(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    for (answer, pair) in answers.iter().zip(&pairs) {
        let is_winner = answer.status == 200;
        assert!(is_winner || answer.status == 400, "{}", answer.text);
        assert_eq!(fixture.address(&pair.access).await == fixture.own(NEW), is_winner);
    }
}

async fn a_change_invalidates_links_sent_to_the_old_email_address(fixture: Fixture) {
    let pair = fixture.register_and_login("alice").await;
    let verification = fixture.wait_for_nth(OLD, 1).await.token().to_owned();
    let change = fixture.request_email_change(&pair.access, NEW).await;
    let reset = fixture.reset_token(OLD).await;
    assert_eq!(fixture.verify(&change).await.status, 200);
    assert_invalid_link(&fixture.confirm_reset(&reset, NEW_PASSWORD).await);
    assert_invalid_link(&fixture.verify(&verification).await);
    assert_eq!(fixture.address(&pair.access).await, fixture.own(NEW));
    fixture.login("alice").await;
}
