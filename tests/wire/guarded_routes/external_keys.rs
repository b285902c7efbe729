//! Tokens of another issuer, whose keys are fetched (`tokens.jwks_url`): what opens a guarded path, what does not, and what
//! a place that misbehaves can do to the blog.

use auth_tests::ServerOptions;
use std::time::{Duration, Instant};

use auth_crypto::{Algorithm, generate_ed25519_pem};
use auth_tests::answers::assert_unavailable;
use auth_tests::cases::Once;
use auth_tests::concurrency::eventually;
use auth_tests::tokens::{claims_of, sign_hs256};
use auth_tests::{Answer, TokenPair, cases};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use libtest_mimic::Trial;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::guarded_routes::external_issuer::{IssuerKey, Manner, P256, Publisher, RSA, RSA_PUBLIC, jwks};
use crate::guarded_routes::fixture::Blog;

pub(crate) fn trials() -> Vec<Trial> {
    cases![Once =>
        tokens_of_the_other_issuer_open_guarded_paths,
        what_the_other_issuer_did_not_sign_opens_nothing,
        a_flood_of_unknown_keys_causes_one_fetch_or_two,
        a_public_key_is_no_secret,
        a_shared_secret_in_the_set_is_never_used,
        a_place_that_misbehaves_harms_only_its_own_tokens,
        a_place_that_hangs_is_not_waited_for,
        a_place_that_is_down_at_the_start_is_asked_again,
        old_keys_go_on_while_new_ones_are_not_to_be_had,
    ]
}

/// A blog with one account, and what the other issuer would write about it.
struct Fixture {
    blog: Blog,
    publisher: Publisher,
    own: TokenPair,
    claims: Map<String, Value>,
}

impl Fixture {
    async fn start(manner: Manner) -> Self {
        Self::with(manner, &[]).await
    }

    async fn with(manner: Manner, settings: &[(&str, &str)]) -> Self {
        let publisher = Publisher::start(manner);
        let options = ServerOptions::new("development", None).env("AUTH__TOKENS__JWKS_URL", &publisher.url());
        let options = settings.iter().fold(options, |options, (name, value)| options.env(name, value));
        let blog = Blog::start(options);
        let own = blog.client.newcomer("alice").await;
        let mut claims = claims_of(&own.access).as_object().unwrap().clone();
        // The session is this service's own affair.
        assert!(claims.remove("sid").is_some(), "{claims:?}");
        let fixture = Self { blog, publisher, own, claims };
        fixture.own_tokens_work().await;
        assert_eq!(fixture.publisher.fetches(), 0, "own tokens need no keys of others");
        fixture
    }

    async fn ask(&self, token: &str) -> Answer {
        self.blog.protected(token).await
    }

    #[track_caller]
    fn assert_welcome(answer: &Answer) {
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json(), json!({"message": "Hello, alice!"}));
    }

    #[track_caller]
    fn assert_not_valid(answer: &Answer) {
        assert_eq!(answer.status, 401, "{}", answer.text);
        assert_eq!(answer.field("code"), "token_not_valid");
    }

    /// Also the other things that can be done with them.
    async fn own_tokens_work(&self) {
        Self::assert_welcome(&self.ask(&self.own.access).await);
        let verified = self.blog.client.post("/api/token/verify/", None, json!({"token": self.own.refresh})).await;
        assert_eq!(verified.status, 200, "{}", verified.text);
    }

    fn with_claim(&self, name: &str, value: impl Into<Value>) -> Map<String, Value> {
        let mut claims = self.claims.clone();
        claims.insert(name.to_owned(), value.into());
        claims
    }
}

fn rsa() -> IssuerKey {
    IssuerKey::new(Algorithm::Rs256, RSA, "rsa-1")
}

fn ed25519(kid: &str) -> IssuerKey {
    IssuerKey::new(Algorithm::EdDsa, &generate_ed25519_pem().unwrap(), kid)
}

async fn tokens_of_the_other_issuer_open_guarded_paths() {
    let keys = [rsa(), IssuerKey::new(Algorithm::Es256, P256, "ec-1"), ed25519("ed-1")];
    let fixture = Fixture::start(Manner::Serves(jwks(keys.iter().map(IssuerKey::jwk)))).await;
    for _ in 0..2 {
        for key in &keys {
            Fixture::assert_welcome(&fixture.ask(&key.sign(&fixture.claims)).await);
        }
        fixture.own_tokens_work().await;
    }
    assert_eq!(fixture.publisher.fetches(), 1);
    // What holds for own tokens holds for these.
    for (claims, status) in [
        (fixture.with_claim("exp", 1_000_000_000), 401),
        (fixture.with_claim("token_type", "refresh"), 401),
        (fixture.with_claim("user_id", "4711"), 401),
        (fixture.with_claim("jti", "0123456789abcdef0123456789abcdef"), 200),
    ] {
        let answer = fixture.ask(&keys[0].sign(&claims)).await;
        assert_eq!(answer.status, status, "{claims:?}: {}", answer.text);
    }
    fixture.blog.command(&["users", "deactivate", "alice"]);
    eventually("the other issuer's tokens of an inactive account are refused", async || {
        fixture.ask(&keys[0].sign(&fixture.claims)).await.status == 401
    })
    .await;
}

async fn what_the_other_issuer_did_not_sign_opens_nothing() {
    let (published, forged) = (ed25519("ed-1"), ed25519("ed-1"));
    let fixture = Fixture::start(Manner::Serves(jwks([published.jwk(), rsa().jwk()]))).await;
    let good = published.sign(&fixture.claims);
    Fixture::assert_welcome(&fixture.ask(&good).await);
    let [head, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let encode = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let other_payload = BASE64_URL_SAFE_NO_PAD.encode(json!(fixture.with_claim("user_id", "2")).to_string());
    for (what, token) in [
        ("another key of the same name", forged.sign(&fixture.claims)),
        ("another key of another name", ed25519("ed-2").sign(&fixture.claims)),
        ("another algorithm's key", IssuerKey::new(Algorithm::Es256, P256, "ed-1").sign(&fixture.claims)),
        ("the name of another key", IssuerKey::new(Algorithm::Es256, P256, "rsa-1").sign(&fixture.claims)),
        ("RSA with another hash", IssuerKey::new(Algorithm::Rs512, RSA, "rsa-1").sign(&fixture.claims)),
        ("other claims", format!("{head}.{other_payload}.{signature}")),
        ("no signature", format!("{head}.{payload}.")),
        ("alg none", format!("{}.{payload}.", encode(json!({"alg": "none", "kid": "ed-1"})))),
        ("its own key in the head", {
            let head = encode(json!({"alg": "EdDSA", "jwk": forged.jwk()}));
            format!("{head}.{payload}.{}", forged.sign(&fixture.claims).rsplit('.').next().unwrap())
        }),
        ("an address in the head", {
            let head = encode(json!({"alg": "EdDSA", "jku": fixture.publisher.url(), "kid": "ed-1"}));
            format!("{head}.{payload}.{signature}")
        }),
    ] {
        let answer = fixture.ask(&token).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
        Fixture::assert_not_valid(&answer);
    }
    Fixture::assert_welcome(&fixture.ask(&good).await);
    fixture.own_tokens_work().await;
}

async fn a_flood_of_unknown_keys_causes_one_fetch_or_two() {
    let known = ed25519("ed-1");
    let fixture = Fixture::start(Manner::Serves(jwks([known.jwk()]))).await;
    let mut flood = JoinSet::new();
    for number in 0..200 {
        let token = ed25519(&format!("unknown-{number}")).sign(&fixture.claims);
        let (client, url) = (fixture.blog.client.http.clone(), format!("{}/api/protected/", fixture.blog.client.url));
        flood.spawn(async move { client.get(url).bearer_auth(token).send().await.unwrap().status().as_u16() });
    }
    let started = Instant::now();
    assert_eq!(flood.join_all().await, vec![401; 200]);
    // One, and one for each ten seconds that the machine needed.
    let most = 2 + usize::try_from(started.elapsed().as_secs() / 10).unwrap();
    assert!((1..=most).contains(&fixture.publisher.fetches()), "{}", fixture.publisher.fetches());
    let after = fixture.publisher.fetches();
    Fixture::assert_welcome(&fixture.ask(&known.sign(&fixture.claims)).await);
    fixture.own_tokens_work().await;
    assert_eq!(fixture.publisher.fetches(), after);
}

/// A token of HMAC-SHA-256 under this secret.
fn hs256(secret: &[u8], kid: Option<&str>, claims: &Map<String, Value>) -> String {
    let mut header = json!({"alg": "HS256", "typ": "JWT"});
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    sign_hs256(&header, &json!(claims), secret)
}

async fn a_public_key_is_no_secret() {
    let rsa = rsa();
    let body = jwks([rsa.jwk()]);
    let fixture = Fixture::start(Manner::Serves(body.clone())).await;
    Fixture::assert_welcome(&fixture.ask(&rsa.sign(&fixture.claims)).await);
    let fetches = fixture.publisher.fetches();
    let der: String = RSA_PUBLIC.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::prelude::BASE64_STANDARD.decode(der).unwrap();
    let jwk = rsa.jwk();
    let modulus = jwk["n"].as_str().unwrap();
    for (what, secret) in [
        ("PEM", RSA_PUBLIC.as_bytes().to_vec()),
        ("PEM without the end of its line", RSA_PUBLIC.trim_end().as_bytes().to_vec()),
        ("DER", der),
        ("the modulus", BASE64_URL_SAFE_NO_PAD.decode(modulus).unwrap()),
        ("the modulus as text", modulus.as_bytes().to_vec()),
        ("the JWK", jwk.to_string().into_bytes()),
        ("the set", body.into_bytes()),
        ("nothing", Vec::new()),
    ] {
        for kid in [None, Some("rsa-1"), Some("nobody's")] {
            let answer = fixture.ask(&hs256(&secret, kid, &fixture.claims)).await;
            assert_eq!(answer.status, 401, "{what} {kid:?}: {}", answer.text);
        }
    }
    assert_eq!(fixture.publisher.fetches(), fetches, "a symmetric token is no reason to ask others");
    fixture.own_tokens_work().await;
}

async fn a_shared_secret_in_the_set_is_never_used() {
    const SECRET: &[u8] = b"a-secret-that-somebody-published-0123456789";
    let oct = |kid: &str| json!({"kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode(SECRET), "kid": kid, "alg": "HS256", "use": "sig"});
    let rsa = rsa();
    // Beside a good key, and of the same name as one.
    let fixture = Fixture::start(Manner::Serves(jwks([oct("sym"), oct("rsa-1"), rsa.jwk()]))).await;
    Fixture::assert_welcome(&fixture.ask(&rsa.sign(&fixture.claims)).await);
    for kid in [None, Some("sym"), Some("rsa-1")] {
        Fixture::assert_not_valid(&fixture.ask(&hs256(SECRET, kid, &fixture.claims)).await);
    }
    // And alone: then there is no key.
    let fixture = Fixture::start(Manner::Serves(jwks([oct("sym")]))).await;
    for kid in [None, Some("sym")] {
        Fixture::assert_not_valid(&fixture.ask(&hs256(SECRET, kid, &fixture.claims)).await);
    }
    assert_unavailable("guarded", &fixture.ask(&rsa.sign(&fixture.claims)).await);
    fixture.own_tokens_work().await;
}

async fn a_place_that_misbehaves_harms_only_its_own_tokens() {
    let rsa = rsa();
    let good = jwks([rsa.jwk()]);
    let elsewhere = Publisher::start(Manner::Serves(good.clone()));
    let says = |status: u16, body: &str| Manner::Says(status, String::new(), body.to_owned());
    // A megabyte that is a good set but for its length.
    let long = format!("{}{}", " ".repeat(1_000_000), good);
    let many = jwks((0..2_000).map(|_| rsa.jwk()));
    for (what, manner) in [
        ("garbage", says(200, "<html>It works!</html>")),
        ("nothing", says(200, "")),
        ("half a set", says(200, &good[..good.len() / 2])),
        ("an empty set", says(200, r#"{"keys": []}"#)),
        ("another object", says(200, r#"{"error": "no"}"#)),
        ("a megabyte", says(200, &long)),
        ("thousands of keys", says(200, &many)),
        ("a deep body", says(200, &"[".repeat(50_000))),
        ("500 with the set", says(500, &good)),
        ("404 with the set", says(404, &good)),
        ("a redirection", Manner::Says(302, elsewhere.url(), good.clone())),
        ("a permanent redirection", Manner::Says(308, elsewhere.url(), good.clone())),
        ("a broken connection", Manner::Breaks),
    ] {
        let fixture = Fixture::start(manner).await;
        let answer = fixture.ask(&rsa.sign(&fixture.claims)).await;
        assert_eq!(answer.status, 503, "{what}: {}", answer.text);
        assert_unavailable("guarded", &answer);
        assert!(fixture.publisher.fetches() >= 1, "{what}: was not asked");
        fixture.own_tokens_work().await;
        Fixture::assert_not_valid(&fixture.ask("a.b.c").await);
        eventually("the operator is told", async || {
            fixture.blog.server.log().contains("the keys of tokens.jwks_url cannot be fetched")
        })
        .await;
        assert!(!fixture.blog.server.log().contains("panicked"), "{what}: {}", fixture.blog.server.log());
    }
    assert_eq!(elsewhere.fetches(), 0, "a redirection was followed");
}

async fn a_place_that_hangs_is_not_waited_for() {
    let rsa = rsa();
    let fixture = Fixture::start(Manner::Hangs).await;
    let token = rsa.sign(&fixture.claims);
    let started = Instant::now();
    let hung = tokio::spawn({
        let (client, url) = (fixture.blog.client.http.clone(), format!("{}/api/protected/", fixture.blog.client.url));
        async move { Answer::of(client.get(url).bearer_auth(token).send().await.unwrap()).await }
    });
    eventually("the place is asked", async || fixture.publisher.fetches() == 1).await;
    for _ in 0..10 {
        fixture.own_tokens_work().await;
    }
    assert!(!hung.is_finished(), "own tokens waited for the keys of others");
    assert_unavailable("guarded", &hung.await.unwrap());
    // Five seconds are the limit; the rest is for a machine that is busy.
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    fixture.own_tokens_work().await;
}

/// Waits for the interval between two fetches, which is ten seconds, as long as it takes.
async fn a_place_that_is_down_at_the_start_is_asked_again() {
    let rsa = rsa();
    let fixture = Fixture::start(Manner::Breaks).await;
    let token = rsa.sign(&fixture.claims);
    assert_unavailable("guarded", &fixture.ask(&token).await);
    let asked = fixture.publisher.fetches();
    // Too soon to ask again.
    assert_unavailable("guarded", &fixture.ask(&token).await);
    assert_eq!(fixture.publisher.fetches(), asked);
    fixture.publisher.becomes(Manner::Serves(jwks([rsa.jwk()])));
    eventually("the keys come", async || {
        let answer = fixture.ask(&token).await;
        assert!([200, 503].contains(&answer.status.as_u16()), "{}", answer.text);
        answer.status == 200
    })
    .await;
    assert_eq!(fixture.publisher.fetches(), asked + 1);
}

/// Waits for the interval between two fetches, too.
async fn old_keys_go_on_while_new_ones_are_not_to_be_had() {
    let rsa = rsa();
    let settings = [("AUTH__TOKENS__JWKS_REFRESH_SECONDS", "1")];
    let fixture = Fixture::with(Manner::Serves(jwks([rsa.jwk()])), &settings).await;
    let token = rsa.sign(&fixture.claims);
    Fixture::assert_welcome(&fixture.ask(&token).await);
    assert_eq!(fixture.publisher.fetches(), 1);
    fixture.publisher.becomes(Manner::Says(500, String::new(), String::new()));
    eventually("the place is asked again", async || {
        Fixture::assert_welcome(&fixture.ask(&token).await);
        fixture.publisher.fetches() > 1
    })
    .await;
    eventually("the operator is told", async || {
        Fixture::assert_welcome(&fixture.ask(&token).await);
        fixture.blog.server.log().contains("the keys of tokens.jwks_url cannot be fetched")
    })
    .await;
    Fixture::assert_welcome(&fixture.ask(&token).await);
    fixture.own_tokens_work().await;
}
