//! Proof of addresses, and their change.

use auth_tests::concurrency::at_once;
use auth_tests::server::BASE_URL;
use auth_tests::{Answer, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use crate::email::SharedServers;
use crate::email::fixture::{Fixture, NEW_PASSWORD};
use crate::email::password_reset::{all_so_far, assert_no_good};

const OLD: &str = "alice@example.com";
const NEW: &str = "brand.new@example.org";

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.off =>
            where_no_proof_is_asked_for_nobody_gets_a_link,
            where_no_proof_is_asked_for_a_change_takes_effect_at_once;
        servers.optional =>
            where_a_proof_is_optional_everybody_gets_in,
            a_new_address_takes_the_password,
            a_newer_change_ends_the_link_of_the_older_one,
            an_address_that_was_taken_meanwhile_stays_with_whoever_has_it,
            of_two_that_change_to_one_address_one_gets_it,
            a_link_that_was_sent_to_the_old_address_dies_with_the_change;
        servers.optional_postgres =>
            an_address_that_was_taken_meanwhile_stays_with_whoever_has_it,
            of_two_that_change_to_one_address_one_gets_it;
        servers.required =>
            where_a_proof_is_required_only_who_knows_the_password_is_told,
            whoever_reads_the_mail_of_a_reset_has_proven_the_address,
            another_link_goes_only_to_who_needs_it,
            a_new_address_takes_effect_when_its_link_is_opened,
    ]
}

impl Fixture {
    /// Changes something of whoever is logged in.
    pub(crate) async fn patch_me(&self, bearer: &str, body: Value) -> Answer {
        self.send_me(Method::PATCH, bearer, body).await
    }

    async fn send_me(&self, method: Method, bearer: &str, body: Value) -> Answer {
        let request =
            self.client.http.request(method, format!("{}/api/users/me/", self.client.url)).bearer_auth(bearer);
        Answer::of(request.json(&body).send().await.expect("an answer")).await
    }

    /// Asks for another link to prove an address.
    async fn resend(&self, email: &str) -> Answer {
        self.post("/api/email/verify/resend/", json!({"email": self.own(email)})).await
    }

    async fn login_by_email(&self, email: &str) -> Answer {
        self.post("/api/token/", json!({"email": self.own(email), "password": PASSWORD})).await
    }

    /// Asks for another address, and gives the token of the link that was sent there.
    pub(crate) async fn ask_for(&self, bearer: &str, email: &str) -> String {
        let before = self.received_to(email).len();
        let asked = self.patch_me(bearer, json!({"email": self.own(email), "password": PASSWORD})).await;
        assert_eq!(asked.status, 200, "{}", asked.text);
        assert_eq!(asked.field("pending_email"), self.own(email));
        self.nth(email, before + 1).await.token().to_owned()
    }

    /// The address that somebody has.
    async fn address(&self, bearer: &str) -> String {
        self.client.me(bearer).await.field("email")
    }
}

async fn where_no_proof_is_asked_for_nobody_gets_a_link(fixture: Fixture) {
    fixture.newcomer("alice").await;
    let (known, unknown) = (fixture.resend(OLD).await, fixture.resend("nobody@example.com").await);
    assert_eq!(known.status, 202);
    assert_eq!((known.status, known.text), (unknown.status, unknown.text));
    assert_eq!(all_so_far(&fixture).await.len(), 0);
}

async fn where_no_proof_is_asked_for_a_change_takes_effect_at_once(fixture: Fixture) {
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
    assert_no_good(&fixture.confirm_reset(&reset, NEW_PASSWORD).await);
    let told = fixture.nth(OLD, 2).await;
    assert!(told.subject.contains("was changed"), "{}", told.subject);
    assert!(told.text.contains("b…@example.org") && !told.raw.contains("brand.new"), "{}", told.text);
    // What does not change the address tells nobody, and neither did what was refused.
    fixture.patch_me(&pair.access, json!({"first_name": "Bo", "email": fixture.own(NEW)})).await;
    assert_eq!(all_so_far(&fixture).await.len(), 2);
}

async fn where_a_proof_is_optional_everybody_gets_in(fixture: Fixture) {
    let pair = fixture.newcomer("alice").await;
    let message = fixture.nth(OLD, 1).await;
    assert!(message.subject.contains("Confirm your address"), "{}", message.subject);
    assert!(message.link().starts_with(BASE_URL), "{}", message.link());
    assert!(message.html.contains(message.token()), "{}", message.html);
    let verified = fixture.verify(message.token()).await;
    assert_eq!(verified.status, 200, "{}", verified.text);
    assert_eq!(verified.json(), json!({"detail": "Email address verified."}), "it logs nobody in");
    assert_no_good(&fixture.verify(message.token()).await);
    assert_eq!(fixture.client.me(&pair.access).await.status, 200);
    assert_eq!(all_so_far(&fixture).await.len(), 1);
}

async fn where_a_proof_is_required_only_who_knows_the_password_is_told(fixture: Fixture) {
    assert_eq!(fixture.register("alice").await.status, 201);
    let unproven = fixture.try_login("alice", PASSWORD).await;
    assert_eq!(unproven.status, 401);
    assert_eq!(unproven.json(), json!({"detail": "Email address is not verified.", "code": "email_not_verified"}));
    let (wrong, nobody) = (fixture.try_login("alice", NEW_PASSWORD).await, fixture.try_login("nobody", PASSWORD).await);
    assert_eq!(wrong.json(), json!({"detail": "No active account found with the given credentials"}));
    assert_eq!((wrong.status, wrong.text), (nobody.status, nobody.text));
    let message = fixture.nth(OLD, 1).await;
    assert_eq!(fixture.verify(message.token()).await.status, 200);
    fixture.login("alice").await;
    // Whoever makes an account by command vouches for its address.
    let carol = fixture.own("carol");
    let made = fixture.server.run_with_input(
        ["create-superuser", "--username", &carol, "--email", &fixture.own("carol@example.com"), "--password-stdin"],
        PASSWORD,
    );
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    fixture.login("carol").await;
    assert_eq!(all_so_far(&fixture).await.len(), 1);
}

async fn whoever_reads_the_mail_of_a_reset_has_proven_the_address(fixture: Fixture) {
    assert_eq!(fixture.register("alice").await.status, 201);
    let token = fixture.reset_token(OLD).await;
    assert_eq!(fixture.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    TokenPair::of(&fixture.try_login("alice", NEW_PASSWORD).await);
}

async fn another_link_goes_only_to_who_needs_it(fixture: Fixture) {
    for name in ["alice", "bob", "carol"] {
        assert_eq!(fixture.register(name).await.status, 201);
    }
    let bobs = fixture.nth("bob@example.com", 1).await;
    assert_eq!(fixture.verify(bobs.token()).await.status, 200);
    fixture.users("deactivate", "carol");
    let first = fixture.nth(OLD, 1).await;
    let answer = fixture.resend("ALICE@example.com").await;
    assert_eq!(answer.status, 202);
    for email in ["bob@example.com", "carol@example.com", "nobody@example.com"] {
        let other = fixture.resend(email).await;
        assert_eq!((other.status, other.text), (answer.status, answer.text.clone()), "{email}");
    }
    let received = all_so_far(&fixture).await;
    let mut recipients: Vec<_> = received.into_iter().flat_map(|message| message.to).collect();
    recipients.sort();
    assert_eq!(recipients, [OLD, OLD, "bob@example.com", "carol@example.com"]);
    // The newer link ends the older one.
    assert_no_good(&fixture.verify(first.token()).await);
    assert_eq!(fixture.verify(fixture.nth(OLD, 2).await.token()).await.status, 200);
    fixture.login("alice").await;
}

async fn a_new_address_takes_the_password(fixture: Fixture) {
    let pair = fixture.newcomer("alice").await;
    fixture.register("bob").await;
    let missing = fixture.patch_me(&pair.access, json!({"email": fixture.own(NEW)})).await;
    missing.refuses("password", "This field is required.");
    let wrong = fixture.patch_me(&pair.access, json!({"email": fixture.own(NEW), "password": NEW_PASSWORD})).await;
    wrong.refuses("password", "Wrong password.");
    let list = fixture.patch_me(&pair.access, json!({"email": [fixture.own(NEW)], "password": PASSWORD})).await;
    list.refuses("email", "Not a valid string.");
    let taken =
        fixture.patch_me(&pair.access, json!({"email": fixture.own("BOB@example.com"), "password": PASSWORD})).await;
    assert_eq!(taken.status, 400, "{}", taken.text);
    assert!(taken.json()["email"].is_array(), "{}", taken.text);
    let whole = json!({"username": fixture.own("alice"), "email": fixture.own(NEW)});
    fixture.send_me(Method::PUT, &pair.access, whole).await.refuses("password", "This field is required.");
    // What does not change the address takes no password.
    let body = json!({"first_name": "Bo", "email": fixture.own(OLD)});
    assert_eq!(fixture.patch_me(&pair.access, body).await.field("first_name"), "Bo");
    assert_eq!(fixture.address(&pair.access).await, fixture.own(OLD));
    let recipients: Vec<_> = all_so_far(&fixture).await.into_iter().flat_map(|message| message.to).collect();
    assert_eq!(recipients, [OLD, "bob@example.com"], "nobody got more than the first link");
}

async fn a_new_address_takes_effect_when_its_link_is_opened(fixture: Fixture) {
    assert_eq!(fixture.register("alice").await.status, 201);
    let proof = fixture.nth(OLD, 1).await;
    assert_eq!(fixture.verify(proof.token()).await.status, 200);
    let pair = fixture.login("alice").await;
    let body = json!({"email": fixture.own(NEW), "password": PASSWORD, "first_name": "Bo"});
    let asked = fixture.patch_me(&pair.access, body).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    assert_eq!([asked.field("email"), asked.field("pending_email")], [fixture.own(OLD), fixture.own(NEW)]);

    let warned = fixture.nth(OLD, 2).await;
    assert!(warned.subject.contains("A new address was asked for"), "{}", warned.subject);
    assert!(warned.text.contains("b…@example.org"), "{}", warned.text);
    let link = fixture.nth(NEW, 1).await;
    assert!(!warned.raw.contains("brand.new") && !warned.raw.contains(link.token()), "{}", warned.raw);
    assert!(link.subject.contains("Confirm your new address") && link.link().starts_with(BASE_URL));
    assert_eq!(fixture.login_by_email(NEW).await.status, 401);
    TokenPair::of(&fixture.login_by_email(OLD).await);

    assert_eq!(fixture.verify(link.token()).await.status, 200);
    assert_no_good(&fixture.verify(link.token()).await);
    assert_eq!(fixture.address(&pair.access).await, fixture.own(NEW));
    TokenPair::of(&fixture.login_by_email(NEW).await);
    assert_eq!(fixture.login_by_email(OLD).await.status, 401);
    let told = fixture.nth(OLD, 3).await;
    assert!(told.subject.contains("was changed"), "{}", told.subject);
    assert!(told.text.contains("b…@example.org") && !told.raw.contains("brand.new"), "{}", told.text);
    let recipients: Vec<_> = all_so_far(&fixture).await.into_iter().flat_map(|message| message.to).collect();
    assert_eq!(recipients.len(), 4, "{recipients:?}");
    // The address that is free again is anybody's.
    assert_eq!(fixture.forget(OLD).await.status, 202);
    assert_eq!(all_so_far(&fixture).await.len(), 4);
}

async fn a_newer_change_ends_the_link_of_the_older_one(fixture: Fixture) {
    let pair = fixture.newcomer("alice").await;
    let older = fixture.ask_for(&pair.access, "typo@example.org").await;
    let newer = fixture.ask_for(&pair.access, NEW).await;
    assert_no_good(&fixture.verify(&older).await);
    assert_eq!(fixture.address(&pair.access).await, fixture.own(OLD));
    assert_eq!(fixture.verify(&newer).await.status, 200);
    assert_eq!(fixture.address(&pair.access).await, fixture.own(NEW));
}

async fn an_address_that_was_taken_meanwhile_stays_with_whoever_has_it(fixture: Fixture) {
    let pair = fixture.newcomer("alice").await;
    let token = fixture.ask_for(&pair.access, "bob@example.com").await;
    let bob = fixture.newcomer("bob").await;
    let taken = fixture.verify(&token).await;
    assert_eq!(taken.status, 400, "{}", taken.text);
    assert!(taken.json()["email"].is_array(), "{}", taken.text);
    assert_eq!(fixture.address(&pair.access).await, fixture.own(OLD));
    assert_eq!(fixture.address(&bob.access).await, fixture.own("bob@example.com"));
    assert_eq!(fixture.login_by_email("bob@example.com").await.status, 200);
    let subjects: Vec<_> = all_so_far(&fixture).await.into_iter().map(|message| message.subject).collect();
    assert!(!subjects.iter().any(|subject| subject.contains("was changed")), "{subjects:?}");
}

async fn of_two_that_change_to_one_address_one_gets_it(fixture: Fixture) {
    let mut tokens = Vec::new();
    let mut pairs = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let pair = fixture.newcomer(name).await;
        tokens.push(fixture.ask_for(&pair.access, NEW).await);
        pairs.push(pair);
    }
    let calls = tokens.into_iter().map(|token| {
        let api = fixture.client.clone();
        async move { api.post("/api/email/verify/", None, json!({"token": token})).await }
    });
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    for (answer, pair) in answers.iter().zip(&pairs) {
        let is_winner = answer.status == 200;
        assert!(is_winner || answer.status == 400, "{}", answer.text);
        assert_eq!(fixture.address(&pair.access).await == fixture.own(NEW), is_winner);
    }
}

async fn a_link_that_was_sent_to_the_old_address_dies_with_the_change(fixture: Fixture) {
    let pair = fixture.newcomer("alice").await;
    let proof = fixture.nth(OLD, 1).await.token().to_owned();
    let change = fixture.ask_for(&pair.access, NEW).await;
    let reset = fixture.reset_token(OLD).await;
    assert_eq!(fixture.verify(&change).await.status, 200);
    assert_no_good(&fixture.confirm_reset(&reset, NEW_PASSWORD).await);
    assert_no_good(&fixture.verify(&proof).await);
    assert_eq!(fixture.address(&pair.access).await, fixture.own(NEW));
    fixture.login("alice").await;
}
