//! Proof of addresses, and their change.

use auth_tests::server::ServerOptions;
use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use crate::reset::{all_so_far, assert_no_good, assert_refused, at_once, in_turn};
use crate::stage::{BASE_URL, NEW_PASSWORD, Stage, cases};
use crate::support::{Answer, Database, PASSWORD, Pair};

const OLD: &str = "alice@example.com";
const NEW: &str = "brand.new@example.org";

pub(crate) fn trials() -> Vec<Trial> {
    cases!(on_both:
        where_no_proof_is_asked_for_nobody_gets_a_link,
        where_no_proof_is_asked_for_a_change_takes_effect_at_once,
        where_a_proof_is_optional_everybody_gets_in,
        where_a_proof_is_required_only_who_knows_the_password_is_told,
        whoever_reads_the_mail_of_a_reset_has_proven_the_address,
        another_link_goes_only_to_who_needs_it,
        a_new_address_takes_the_password,
        a_new_address_takes_effect_when_its_link_is_opened,
        a_newer_change_ends_the_link_of_the_older_one,
        an_address_that_was_taken_meanwhile_stays_with_whoever_has_it,
        of_two_that_change_to_one_address_one_gets_it,
        a_link_that_was_sent_to_the_old_address_dies_with_the_change,
    )
}

fn verification(mode: &'static str) -> impl Fn(ServerOptions) -> ServerOptions {
    move |options| in_turn(options).env("AUTH__ACCOUNTS__EMAIL_VERIFICATION", mode)
}

impl Stage {
    /// Changes something of whoever is logged in.
    pub(crate) async fn patch_me(&self, bearer: &str, body: Value) -> Answer {
        self.send_me(Method::PATCH, bearer, body).await
    }

    async fn send_me(&self, method: Method, bearer: &str, body: Value) -> Answer {
        let request = self.api.client.request(method, format!("{}/api/users/me/", self.api.url)).bearer_auth(bearer);
        Answer::of(request.json(&body).send().await.expect("an answer")).await
    }

    /// Asks for another link to prove an address.
    async fn resend(&self, email: &str) -> Answer {
        self.post("/api/email/verify/resend/", json!({"email": email})).await
    }

    async fn login_by_email(&self, email: &str) -> Answer {
        self.post("/api/token/", json!({"email": email, "password": PASSWORD})).await
    }

    /// Asks for another address, and gives the token of the link that was sent there.
    async fn ask_for(&self, bearer: &str, email: &str) -> String {
        let before = self.postbox.letters_to(email).len();
        let asked = self.patch_me(bearer, json!({"email": email, "password": PASSWORD})).await;
        assert_eq!(asked.status, 200, "{}", asked.text);
        assert_eq!(asked.field("pending_email"), email);
        self.postbox.nth(email, before + 1).await.token().to_owned()
    }

    /// The address that somebody has.
    async fn address(&self, bearer: &str) -> String {
        self.api.me(bearer).await.field("email")
    }
}

async fn where_no_proof_is_asked_for_nobody_gets_a_link(database: Database) {
    let stage = Stage::with(database, verification("off"));
    stage.api.newcomer("alice").await;
    let (known, unknown) = (stage.resend(OLD).await, stage.resend("nobody@example.com").await);
    assert_eq!(known.status, 202);
    assert_eq!((known.status, known.text), (unknown.status, unknown.text));
    assert_eq!(all_so_far(&stage).await.len(), 0);
}

async fn where_no_proof_is_asked_for_a_change_takes_effect_at_once(database: Database) {
    let stage = Stage::with(database, verification("off"));
    let pair = stage.api.newcomer("alice").await;
    stage.api.register("bob").await;
    let reset = stage.reset_token(OLD).await;
    let taken = stage.patch_me(&pair.access, json!({"email": "BOB@example.com"})).await;
    assert_eq!(taken.status, 400, "{}", taken.text);
    let changed = stage.patch_me(&pair.access, json!({"email": NEW})).await;
    assert_eq!(changed.status, 200, "{}", changed.text);
    assert_eq!((changed.field("email").as_str(), changed.json().get("pending_email")), (NEW, None));
    Pair::of(&stage.login_by_email(NEW).await);
    assert_eq!(stage.login_by_email(OLD).await.status, 401);
    assert_no_good(&stage.confirm_reset(&reset, NEW_PASSWORD).await);
    let told = stage.postbox.nth(OLD, 2).await;
    assert!(told.subject.contains("was changed"), "{}", told.subject);
    assert!(told.text.contains("b…@example.org") && !told.raw.contains("brand.new"), "{}", told.text);
    // What does not change the address tells nobody, and neither did what was refused.
    stage.patch_me(&pair.access, json!({"first_name": "Bo", "email": NEW})).await;
    assert_eq!(all_so_far(&stage).await.len(), 2);
}

async fn where_a_proof_is_optional_everybody_gets_in(database: Database) {
    let stage = Stage::with(database, verification("optional"));
    let pair = stage.api.newcomer("alice").await;
    let letter = stage.postbox.nth(OLD, 1).await;
    assert!(letter.subject.contains("Confirm your address"), "{}", letter.subject);
    assert!(letter.link().starts_with(BASE_URL), "{}", letter.link());
    assert!(letter.html.contains(letter.token()), "{}", letter.html);
    let verified = stage.verify(letter.token()).await;
    assert_eq!(verified.status, 200, "{}", verified.text);
    assert_eq!(verified.json(), json!({"detail": "E-mail address verified."}), "it logs nobody in");
    assert_no_good(&stage.verify(letter.token()).await);
    assert_eq!(stage.api.me(&pair.access).await.status, 200);
    assert_eq!(all_so_far(&stage).await.len(), 1);
}

async fn where_a_proof_is_required_only_who_knows_the_password_is_told(database: Database) {
    let stage = Stage::with(database, verification("required"));
    assert_eq!(stage.api.register("alice").await.status, 201);
    let unproven = stage.try_login("alice", PASSWORD).await;
    assert_eq!(unproven.status, 401);
    assert_eq!(unproven.json(), json!({"detail": "E-mail address is not verified.", "code": "email_not_verified"}));
    let (wrong, nobody) = (stage.try_login("alice", NEW_PASSWORD).await, stage.try_login("nobody", PASSWORD).await);
    assert_eq!(wrong.json(), json!({"detail": "No active account found with the given credentials"}));
    assert_eq!((wrong.status, wrong.text), (nobody.status, nobody.text));
    let letter = stage.postbox.nth(OLD, 1).await;
    assert_eq!(stage.verify(letter.token()).await.status, 200);
    stage.api.login("alice").await;
    // Whoever makes an account by command vouches for its address.
    let made = stage.server.run_with_input(
        ["create-superuser", "--username", "carol", "--email", "carol@example.com", "--password-stdin"],
        PASSWORD,
    );
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    stage.api.login("carol").await;
    assert_eq!(all_so_far(&stage).await.len(), 1);
}

async fn whoever_reads_the_mail_of_a_reset_has_proven_the_address(database: Database) {
    let stage = Stage::with(database, verification("required"));
    assert_eq!(stage.api.register("alice").await.status, 201);
    let token = stage.reset_token(OLD).await;
    assert_eq!(stage.confirm_reset(&token, NEW_PASSWORD).await.status, 200);
    Pair::of(&stage.try_login("alice", NEW_PASSWORD).await);
}

async fn another_link_goes_only_to_who_needs_it(database: Database) {
    let stage = Stage::with(database, verification("required"));
    for name in ["alice", "bob", "carol"] {
        assert_eq!(stage.api.register(name).await.status, 201);
    }
    let bobs = stage.postbox.nth("bob@example.com", 1).await;
    assert_eq!(stage.verify(bobs.token()).await.status, 200);
    stage.server.users("deactivate", "carol");
    let first = stage.postbox.nth(OLD, 1).await;
    let answer = stage.resend("ALICE@example.com").await;
    assert_eq!(answer.status, 202);
    for email in ["bob@example.com", "carol@example.com", "nobody@example.com"] {
        let other = stage.resend(email).await;
        assert_eq!((other.status, other.text), (answer.status, answer.text.clone()), "{email}");
    }
    let letters = all_so_far(&stage).await;
    let mut recipients: Vec<_> = letters.into_iter().flat_map(|letter| letter.to).collect();
    recipients.sort();
    assert_eq!(recipients, [OLD, OLD, "bob@example.com", "carol@example.com"]);
    // The newer link ends the older one.
    assert_no_good(&stage.verify(first.token()).await);
    assert_eq!(stage.verify(stage.postbox.nth(OLD, 2).await.token()).await.status, 200);
    stage.api.login("alice").await;
}

async fn a_new_address_takes_the_password(database: Database) {
    let stage = Stage::with(database, verification("optional"));
    let pair = stage.api.newcomer("alice").await;
    stage.api.register("bob").await;
    let missing = stage.patch_me(&pair.access, json!({"email": NEW})).await;
    assert_refused(&missing, "password", "This field is required.");
    let wrong = stage.patch_me(&pair.access, json!({"email": NEW, "password": NEW_PASSWORD})).await;
    assert_refused(&wrong, "password", "Wrong password.");
    let list = stage.patch_me(&pair.access, json!({"email": [NEW], "password": PASSWORD})).await;
    assert_refused(&list, "email", "Not a valid string.");
    let taken = stage.patch_me(&pair.access, json!({"email": "BOB@example.com", "password": PASSWORD})).await;
    assert_eq!(taken.status, 400, "{}", taken.text);
    assert!(taken.json()["email"].is_array(), "{}", taken.text);
    let whole = json!({"username": "alice", "email": NEW});
    assert_refused(&stage.send_me(Method::PUT, &pair.access, whole).await, "password", "This field is required.");
    // What does not change the address takes no password.
    let body = json!({"first_name": "Bo", "email": OLD});
    assert_eq!(stage.patch_me(&pair.access, body).await.field("first_name"), "Bo");
    assert_eq!(stage.address(&pair.access).await, OLD);
    let recipients: Vec<_> = all_so_far(&stage).await.into_iter().flat_map(|letter| letter.to).collect();
    assert_eq!(recipients, [OLD, "bob@example.com"], "nobody got more than the first link");
}

async fn a_new_address_takes_effect_when_its_link_is_opened(database: Database) {
    let stage = Stage::with(database, verification("required"));
    assert_eq!(stage.api.register("alice").await.status, 201);
    let proof = stage.postbox.nth(OLD, 1).await;
    assert_eq!(stage.verify(proof.token()).await.status, 200);
    let pair = stage.api.login("alice").await;
    let body = json!({"email": NEW, "password": PASSWORD, "first_name": "Bo"});
    let asked = stage.patch_me(&pair.access, body).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    assert_eq!([asked.field("email"), asked.field("pending_email"), asked.field("first_name")], [OLD, NEW, "Bo"]);

    let warned = stage.postbox.nth(OLD, 2).await;
    assert!(warned.subject.contains("A new address was asked for"), "{}", warned.subject);
    assert!(warned.text.contains("b…@example.org"), "{}", warned.text);
    let link = stage.postbox.nth(NEW, 1).await;
    assert!(!warned.raw.contains("brand.new") && !warned.raw.contains(link.token()), "{}", warned.raw);
    assert!(link.subject.contains("Confirm your new address") && link.link().starts_with(BASE_URL));
    assert_eq!(stage.login_by_email(NEW).await.status, 401);
    Pair::of(&stage.login_by_email(OLD).await);

    assert_eq!(stage.verify(link.token()).await.status, 200);
    assert_no_good(&stage.verify(link.token()).await);
    assert_eq!(stage.address(&pair.access).await, NEW);
    Pair::of(&stage.login_by_email(NEW).await);
    assert_eq!(stage.login_by_email(OLD).await.status, 401);
    let told = stage.postbox.nth(OLD, 3).await;
    assert!(told.subject.contains("was changed"), "{}", told.subject);
    assert!(told.text.contains("b…@example.org") && !told.raw.contains("brand.new"), "{}", told.text);
    let recipients: Vec<_> = all_so_far(&stage).await.into_iter().flat_map(|letter| letter.to).collect();
    assert_eq!(recipients.len(), 4, "{recipients:?}");
    // The address that is free again is anybody's.
    assert_eq!(stage.forget(OLD).await.status, 202);
    assert_eq!(all_so_far(&stage).await.len(), 4);
}

async fn a_newer_change_ends_the_link_of_the_older_one(database: Database) {
    let stage = Stage::with(database, verification("optional"));
    let pair = stage.api.newcomer("alice").await;
    let older = stage.ask_for(&pair.access, "typo@example.org").await;
    let newer = stage.ask_for(&pair.access, NEW).await;
    assert_no_good(&stage.verify(&older).await);
    assert_eq!(stage.address(&pair.access).await, OLD);
    assert_eq!(stage.verify(&newer).await.status, 200);
    assert_eq!(stage.address(&pair.access).await, NEW);
}

async fn an_address_that_was_taken_meanwhile_stays_with_whoever_has_it(database: Database) {
    let stage = Stage::with(database, verification("optional"));
    let pair = stage.api.newcomer("alice").await;
    let token = stage.ask_for(&pair.access, "bob@example.com").await;
    let bob = stage.api.newcomer("bob").await;
    let taken = stage.verify(&token).await;
    assert_eq!(taken.status, 400, "{}", taken.text);
    assert!(taken.json()["email"].is_array(), "{}", taken.text);
    assert_eq!(stage.address(&pair.access).await, OLD);
    assert_eq!(stage.address(&bob.access).await, "bob@example.com");
    assert_eq!(stage.login_by_email("bob@example.com").await.status, 200);
    let subjects: Vec<_> = all_so_far(&stage).await.into_iter().map(|letter| letter.subject).collect();
    assert!(!subjects.iter().any(|subject| subject.contains("was changed")), "{subjects:?}");
}

async fn of_two_that_change_to_one_address_one_gets_it(database: Database) {
    let stage = Stage::with(database, verification("optional"));
    let mut tokens = Vec::new();
    let mut pairs = Vec::new();
    for name in ["alice", "bob", "carol"] {
        let pair = stage.api.newcomer(name).await;
        tokens.push(stage.ask_for(&pair.access, NEW).await);
        pairs.push(pair);
    }
    let calls = tokens.into_iter().map(|token| {
        let api = stage.api.clone();
        async move { api.post("/api/email/verify/", None, json!({"token": token})).await }
    });
    let answers = at_once(calls).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    for (answer, pair) in answers.iter().zip(&pairs) {
        let is_winner = answer.status == 200;
        assert!(is_winner || answer.status == 400, "{}", answer.text);
        assert_eq!(stage.address(&pair.access).await == NEW, is_winner);
    }
}

async fn a_link_that_was_sent_to_the_old_address_dies_with_the_change(database: Database) {
    let stage = Stage::with(database, verification("optional"));
    let pair = stage.api.newcomer("alice").await;
    let proof = stage.postbox.nth(OLD, 1).await.token().to_owned();
    let change = stage.ask_for(&pair.access, NEW).await;
    let reset = stage.reset_token(OLD).await;
    assert_eq!(stage.verify(&change).await.status, 200);
    assert_no_good(&stage.confirm_reset(&reset, NEW_PASSWORD).await);
    assert_no_good(&stage.verify(&proof).await);
    assert_eq!(stage.address(&pair.access).await, NEW);
    stage.api.login("alice").await;
}
