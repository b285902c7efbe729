//! Tokens of another issuer, whose keys are fetched (`tokens.jwks_url`): what opens a guarded path, what does not, and what
//! a place that misbehaves can do to the blog.

use std::time::{Duration, Instant};

use auth_crypto::{Algorithm, generate_ed25519_pem};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use libtest_mimic::Trial;
use serde_json::{Map, Value, json};
use sha2::Sha256;
use tokio::task::JoinSet;

use crate::issuer::{IssuerKey, Manner, P256, Publisher, RSA, RSA_PUBLIC, jwks};
use crate::stage::{Blog, assert_unavailable, cases, eventually, options};
use crate::support::{Answer, Database, Pair};

pub(crate) fn trials() -> Vec<Trial> {
    cases![once:
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
struct Stage {
    blog: Blog,
    publisher: Publisher,
    own: Pair,
    claims: Map<String, Value>,
}

impl Stage {
    async fn start(manner: Manner) -> Self {
        Self::with(manner, &[]).await
    }

    async fn with(manner: Manner, settings: &[(&str, &str)]) -> Self {
        let publisher = Publisher::start(manner);
        let options = options(&Database::Sqlite, "development").env("AUTH__TOKENS__JWKS_URL", &publisher.url());
        let options = settings.iter().fold(options, |options, (name, value)| options.env(name, value));
        let blog = Blog::start(options);
        let own = blog.api.newcomer("alice").await;
        let payload = BASE64_URL_SAFE_NO_PAD.decode(own.access.split('.').nth(1).unwrap()).unwrap();
        let mut claims: Map<String, Value> = serde_json::from_slice(&payload).unwrap();
        // The session is this service's own affair.
        assert!(claims.remove("sid").is_some(), "{claims:?}");
        let stage = Self { blog, publisher, own, claims };
        stage.own_tokens_work().await;
        assert_eq!(stage.publisher.fetches(), 0, "own tokens need no keys of others");
        stage
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
        let verified = self.blog.api.post("/api/token/verify/", None, json!({"token": self.own.refresh})).await;
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
    let stage = Stage::start(Manner::Serves(jwks(keys.iter().map(IssuerKey::jwk)))).await;
    for _ in 0..2 {
        for key in &keys {
            Stage::assert_welcome(&stage.ask(&key.sign(&stage.claims)).await);
        }
        stage.own_tokens_work().await;
    }
    assert_eq!(stage.publisher.fetches(), 1);
    // What holds for own tokens holds for these.
    for (claims, status) in [
        (stage.with_claim("exp", 1_000_000_000), 401),
        (stage.with_claim("token_type", "refresh"), 401),
        (stage.with_claim("user_id", "4711"), 401),
        (stage.with_claim("jti", "0123456789abcdef0123456789abcdef"), 200),
    ] {
        let answer = stage.ask(&keys[0].sign(&claims)).await;
        assert_eq!(answer.status, status, "{claims:?}: {}", answer.text);
    }
    stage.blog.command(&["users", "deactivate", "alice"]);
    eventually("the other issuer's tokens of an inactive account are refused", async || {
        stage.ask(&keys[0].sign(&stage.claims)).await.status == 401
    })
    .await;
}

async fn what_the_other_issuer_did_not_sign_opens_nothing() {
    let (published, forged) = (ed25519("ed-1"), ed25519("ed-1"));
    let stage = Stage::start(Manner::Serves(jwks([published.jwk(), rsa().jwk()]))).await;
    let good = published.sign(&stage.claims);
    Stage::assert_welcome(&stage.ask(&good).await);
    let [head, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let encode = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let other_payload = BASE64_URL_SAFE_NO_PAD.encode(json!(stage.with_claim("user_id", "2")).to_string());
    for (what, token) in [
        ("another key of the same name", forged.sign(&stage.claims)),
        ("another key of another name", ed25519("ed-2").sign(&stage.claims)),
        ("another algorithm's key", IssuerKey::new(Algorithm::Es256, P256, "ed-1").sign(&stage.claims)),
        ("the name of another key", IssuerKey::new(Algorithm::Es256, P256, "rsa-1").sign(&stage.claims)),
        ("RSA with another hash", IssuerKey::new(Algorithm::Rs512, RSA, "rsa-1").sign(&stage.claims)),
        ("other claims", format!("{head}.{other_payload}.{signature}")),
        ("no signature", format!("{head}.{payload}.")),
        ("alg none", format!("{}.{payload}.", encode(json!({"alg": "none", "kid": "ed-1"})))),
        ("its own key in the head", {
            let head = encode(json!({"alg": "EdDSA", "jwk": forged.jwk()}));
            format!("{head}.{payload}.{}", forged.sign(&stage.claims).rsplit('.').next().unwrap())
        }),
        ("an address in the head", {
            let head = encode(json!({"alg": "EdDSA", "jku": stage.publisher.url(), "kid": "ed-1"}));
            format!("{head}.{payload}.{signature}")
        }),
    ] {
        let answer = stage.ask(&token).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
        Stage::assert_not_valid(&answer);
    }
    Stage::assert_welcome(&stage.ask(&good).await);
    stage.own_tokens_work().await;
}

async fn a_flood_of_unknown_keys_causes_one_fetch_or_two() {
    let known = ed25519("ed-1");
    let stage = Stage::start(Manner::Serves(jwks([known.jwk()]))).await;
    let mut flood = JoinSet::new();
    for number in 0..200 {
        let token = ed25519(&format!("unknown-{number}")).sign(&stage.claims);
        let (client, url) = (stage.blog.api.client.clone(), format!("{}/api/protected/", stage.blog.api.url));
        flood.spawn(async move { client.get(url).bearer_auth(token).send().await.unwrap().status().as_u16() });
    }
    let started = Instant::now();
    assert_eq!(flood.join_all().await, vec![401; 200]);
    // One, and one for each ten seconds that the machine needed.
    let most = 2 + usize::try_from(started.elapsed().as_secs() / 10).unwrap();
    assert!((1..=most).contains(&stage.publisher.fetches()), "{}", stage.publisher.fetches());
    let after = stage.publisher.fetches();
    Stage::assert_welcome(&stage.ask(&known.sign(&stage.claims)).await);
    stage.own_tokens_work().await;
    assert_eq!(stage.publisher.fetches(), after);
}

/// A token of HMAC-SHA-256 under this secret.
fn hs256(secret: &[u8], kid: Option<&str>, claims: &Map<String, Value>) -> String {
    let mut head = json!({"alg": "HS256", "typ": "JWT"});
    if let Some(kid) = kid {
        head["kid"] = json!(kid);
    }
    let encode = |value: String| BASE64_URL_SAFE_NO_PAD.encode(value);
    let message = format!("{}.{}", encode(head.to_string()), encode(json!(claims).to_string()));
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).unwrap();
    mac.update(message.as_bytes());
    format!("{message}.{}", BASE64_URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
}

async fn a_public_key_is_no_secret() {
    let rsa = rsa();
    let body = jwks([rsa.jwk()]);
    let stage = Stage::start(Manner::Serves(body.clone())).await;
    Stage::assert_welcome(&stage.ask(&rsa.sign(&stage.claims)).await);
    let fetches = stage.publisher.fetches();
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
            let answer = stage.ask(&hs256(&secret, kid, &stage.claims)).await;
            assert_eq!(answer.status, 401, "{what} {kid:?}: {}", answer.text);
        }
    }
    assert_eq!(stage.publisher.fetches(), fetches, "a symmetric token is no reason to ask others");
    stage.own_tokens_work().await;
}

async fn a_shared_secret_in_the_set_is_never_used() {
    const SECRET: &[u8] = b"a-secret-that-somebody-published-0123456789";
    let oct = |kid: &str| json!({"kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode(SECRET), "kid": kid, "alg": "HS256", "use": "sig"});
    let rsa = rsa();
    // Beside a good key, and of the same name as one.
    let stage = Stage::start(Manner::Serves(jwks([oct("sym"), oct("rsa-1"), rsa.jwk()]))).await;
    Stage::assert_welcome(&stage.ask(&rsa.sign(&stage.claims)).await);
    for kid in [None, Some("sym"), Some("rsa-1")] {
        Stage::assert_not_valid(&stage.ask(&hs256(SECRET, kid, &stage.claims)).await);
    }
    // And alone: then there is no key.
    let stage = Stage::start(Manner::Serves(jwks([oct("sym")]))).await;
    for kid in [None, Some("sym")] {
        Stage::assert_not_valid(&stage.ask(&hs256(SECRET, kid, &stage.claims)).await);
    }
    assert_unavailable(&stage.ask(&rsa.sign(&stage.claims)).await);
    stage.own_tokens_work().await;
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
        let stage = Stage::start(manner).await;
        let answer = stage.ask(&rsa.sign(&stage.claims)).await;
        assert_eq!(answer.status, 503, "{what}: {}", answer.text);
        assert_unavailable(&answer);
        assert!(stage.publisher.fetches() >= 1, "{what}: was not asked");
        stage.own_tokens_work().await;
        Stage::assert_not_valid(&stage.ask("a.b.c").await);
        eventually("the operator is told", async || {
            stage.blog.server.log().contains("the keys of tokens.jwks_url cannot be fetched")
        })
        .await;
        assert!(!stage.blog.server.log().contains("panicked"), "{what}: {}", stage.blog.server.log());
    }
    assert_eq!(elsewhere.fetches(), 0, "a redirection was followed");
}

async fn a_place_that_hangs_is_not_waited_for() {
    let rsa = rsa();
    let stage = Stage::start(Manner::Hangs).await;
    let token = rsa.sign(&stage.claims);
    let started = Instant::now();
    let hung = tokio::spawn({
        let (client, url) = (stage.blog.api.client.clone(), format!("{}/api/protected/", stage.blog.api.url));
        async move { Answer::of(client.get(url).bearer_auth(token).send().await.unwrap()).await }
    });
    eventually("the place is asked", async || stage.publisher.fetches() == 1).await;
    for _ in 0..10 {
        stage.own_tokens_work().await;
    }
    assert!(!hung.is_finished(), "own tokens waited for the keys of others");
    assert_unavailable(&hung.await.unwrap());
    // Five seconds are the limit; the rest is for a machine that is busy.
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    stage.own_tokens_work().await;
}

/// Waits for the interval between two fetches, which is ten seconds, as long as it takes.
async fn a_place_that_is_down_at_the_start_is_asked_again() {
    let rsa = rsa();
    let stage = Stage::start(Manner::Breaks).await;
    let token = rsa.sign(&stage.claims);
    assert_unavailable(&stage.ask(&token).await);
    let asked = stage.publisher.fetches();
    // Too soon to ask again.
    assert_unavailable(&stage.ask(&token).await);
    assert_eq!(stage.publisher.fetches(), asked);
    stage.publisher.becomes(Manner::Serves(jwks([rsa.jwk()])));
    eventually("the keys come", async || {
        let answer = stage.ask(&token).await;
        assert!([200, 503].contains(&answer.status.as_u16()), "{}", answer.text);
        answer.status == 200
    })
    .await;
    assert_eq!(stage.publisher.fetches(), asked + 1);
}

/// Waits for the interval between two fetches, too.
async fn old_keys_go_on_while_new_ones_are_not_to_be_had() {
    let rsa = rsa();
    let settings = [("AUTH__TOKENS__JWKS_REFRESH_SECONDS", "1")];
    let stage = Stage::with(Manner::Serves(jwks([rsa.jwk()])), &settings).await;
    let token = rsa.sign(&stage.claims);
    Stage::assert_welcome(&stage.ask(&token).await);
    assert_eq!(stage.publisher.fetches(), 1);
    stage.publisher.becomes(Manner::Says(500, String::new(), String::new()));
    eventually("the place is asked again", async || {
        Stage::assert_welcome(&stage.ask(&token).await);
        stage.publisher.fetches() > 1
    })
    .await;
    eventually("the operator is told", async || {
        Stage::assert_welcome(&stage.ask(&token).await);
        stage.blog.server.log().contains("the keys of tokens.jwks_url cannot be fetched")
    })
    .await;
    Stage::assert_welcome(&stage.ask(&token).await);
    stage.own_tokens_work().await;
}
