//! Tokens of another issuer, whose keys are fetched (`tokens.jwks_url`): which ones guarded paths accept, and what a faulty
//! server with the keys can do to the blog.

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

use crate::guarded_routes::external_issuer::{Behaviour, IssuerKey, P256, Publisher, RSA, RSA_PUBLIC, jwks};
use crate::guarded_routes::fixture::Blog;

pub(crate) fn trials() -> Vec<Trial> {
    cases![Once =>
        guarded_paths_accept_tokens_of_the_other_issuer,
        refuses_tokens_not_signed_by_the_other_issuer,
        a_flood_of_unknown_keys_causes_few_fetches,
        refuses_a_public_key_used_as_a_secret,
        ignores_shared_secrets_in_the_jwk_set,
        a_faulty_key_server_affects_only_its_own_tokens,
        a_hanging_key_server_does_not_block_own_tokens,
        an_unavailable_key_server_is_asked_again,
        known_keys_are_kept_while_new_ones_cannot_be_fetched,
    ]
}

/// A blog with one account, and the claims that the other issuer would write about it.
struct Fixture {
    blog: Blog,
    publisher: Publisher,
    own: TokenPair,
    claims: Map<String, Value>,
}

impl Fixture {
    async fn start(behaviour: Behaviour) -> Self {
        Self::with(behaviour, &[]).await
    }

    async fn with(behaviour: Behaviour, settings: &[(&str, &str)]) -> Self {
        let publisher = Publisher::start(behaviour);
        let options = ServerOptions::new("development", None).env("AUTH__TOKENS__JWKS_URL", &publisher.url());
        let options = settings.iter().fold(options, |options, (name, value)| options.env(name, value));
        let blog = Blog::start(options);
        let own = blog.client.register_and_login("alice").await;
        let mut claims = claims_of(&own.access).as_object().unwrap().clone();
        // The other issuer knows nothing about this service's sessions.
        assert!(claims.remove("sid").is_some(), "{claims:?}");
        let fixture = Self { blog, publisher, own, claims };
        fixture.own_tokens_work().await;
        assert_eq!(fixture.publisher.fetches(), 0, "own tokens need no fetched keys");
        fixture
    }

    async fn get_protected(&self, token: &str) -> Answer {
        self.blog.protected(token).await
    }

    #[track_caller]
    fn assert_accepted(answer: &Answer) {
        assert_eq!(answer.status, 200, "{}", answer.text);
        assert_eq!(answer.json(), json!({"message": "Hello, alice!"}));
    }

    #[track_caller]
    fn assert_not_valid(answer: &Answer) {
        assert_eq!(answer.status, 401, "{}", answer.text);
        assert_eq!(answer.field("code"), "token_not_valid");
    }

    /// Checks that the service's own tokens are still accepted and verified.
    async fn own_tokens_work(&self) {
        Self::assert_accepted(&self.get_protected(&self.own.access).await);
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

async fn guarded_paths_accept_tokens_of_the_other_issuer() {
    let keys = [rsa(), IssuerKey::new(Algorithm::Es256, P256, "ec-1"), ed25519("ed-1")];
    let fixture = Fixture::start(Behaviour::Serves(jwks(keys.iter().map(IssuerKey::jwk)))).await;
    for _ in 0..2 {
        for key in &keys {
            Fixture::assert_accepted(&fixture.get_protected(&key.sign(&fixture.claims)).await);
        }
        fixture.own_tokens_work().await;
    }
    assert_eq!(fixture.publisher.fetches(), 1);
    // The claims are checked like those of own tokens.
    for (claims, status) in [
        (fixture.with_claim("exp", 1_000_000_000), 401),
        (fixture.with_claim("token_type", "refresh"), 401),
        (fixture.with_claim("user_id", "4711"), 401),
        (fixture.with_claim("jti", "0123456789abcdef0123456789abcdef"), 200),
    ] {
        let answer = fixture.get_protected(&keys[0].sign(&claims)).await;
        assert_eq!(answer.status, status, "{claims:?}: {}", answer.text);
    }
    fixture.blog.command(&["users", "deactivate", "alice"]);
    eventually("tokens for a deactivated user are refused", async || {
        fixture.get_protected(&keys[0].sign(&fixture.claims)).await.status == 401
    })
    .await;
}

async fn refuses_tokens_not_signed_by_the_other_issuer() {
    let (published, forged) = (ed25519("ed-1"), ed25519("ed-1"));
    let fixture = Fixture::start(Behaviour::Serves(jwks([published.jwk(), rsa().jwk()]))).await;
    let good = published.sign(&fixture.claims);
    Fixture::assert_accepted(&fixture.get_protected(&good).await);
    let [head, payload, signature] = good.split('.').collect::<Vec<_>>().try_into().unwrap();
    let encode = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let other_payload = BASE64_URL_SAFE_NO_PAD.encode(json!(fixture.with_claim("user_id", "2")).to_string());
    for (what, token) in [
        ("another key with the same key ID", forged.sign(&fixture.claims)),
        ("another key with another key ID", ed25519("ed-2").sign(&fixture.claims)),
        ("another algorithm's key", IssuerKey::new(Algorithm::Es256, P256, "ed-1").sign(&fixture.claims)),
        ("the key ID of another key", IssuerKey::new(Algorithm::Es256, P256, "rsa-1").sign(&fixture.claims)),
        ("RSA with another hash", IssuerKey::new(Algorithm::Rs512, RSA, "rsa-1").sign(&fixture.claims)),
        ("other claims", format!("{head}.{other_payload}.{signature}")),
        ("no signature", format!("{head}.{payload}.")),
        ("alg none", format!("{}.{payload}.", encode(json!({"alg": "none", "kid": "ed-1"})))),
        ("its own key in the header", {
            let head = encode(json!({"alg": "EdDSA", "jwk": forged.jwk()}));
            format!("{head}.{payload}.{}", forged.sign(&fixture.claims).rsplit('.').next().unwrap())
        }),
        ("a URL in the header", {
            let head = encode(json!({"alg": "EdDSA", "jku": fixture.publisher.url(), "kid": "ed-1"}));
            format!("{head}.{payload}.{signature}")
        }),
    ] {
        let answer = fixture.get_protected(&token).await;
        assert_eq!(answer.status, 401, "{what}: {}", answer.text);
        Fixture::assert_not_valid(&answer);
    }
    Fixture::assert_accepted(&fixture.get_protected(&good).await);
    fixture.own_tokens_work().await;
}

async fn a_flood_of_unknown_keys_causes_few_fetches() {
    let known = ed25519("ed-1");
    let fixture = Fixture::start(Behaviour::Serves(jwks([known.jwk()]))).await;
    let mut flood = JoinSet::new();
    for number in 0..200 {
        let token = ed25519(&format!("unknown-{number}")).sign(&fixture.claims);
        let (client, url) = (fixture.blog.client.http.clone(), format!("{}/api/protected/", fixture.blog.client.url));
        flood.spawn(async move { client.get(url).bearer_auth(token).send().await.unwrap().status().as_u16() });
    }
    let started = Instant::now();
    assert_eq!(flood.join_all().await, vec![401; 200]);
    // One fetch, and one more for every ten seconds that the machine needed.
    let limit = 2 + usize::try_from(started.elapsed().as_secs() / 10).unwrap();
    assert!((1..=limit).contains(&fixture.publisher.fetches()), "{}", fixture.publisher.fetches());
    let after = fixture.publisher.fetches();
    Fixture::assert_accepted(&fixture.get_protected(&known.sign(&fixture.claims)).await);
    fixture.own_tokens_work().await;
    assert_eq!(fixture.publisher.fetches(), after);
}

/// Returns a token signed with HMAC-SHA-256 under this secret.
fn hs256(secret: &[u8], kid: Option<&str>, claims: &Map<String, Value>) -> String {
    let mut header = json!({"alg": "HS256", "typ": "JWT"});
    if let Some(kid) = kid {
        header["kid"] = json!(kid);
    }
    sign_hs256(&header, &json!(claims), secret)
}

async fn refuses_a_public_key_used_as_a_secret() {
    let rsa = rsa();
    let body = jwks([rsa.jwk()]);
    let fixture = Fixture::start(Behaviour::Serves(body.clone())).await;
    Fixture::assert_accepted(&fixture.get_protected(&rsa.sign(&fixture.claims)).await);
    let fetches = fixture.publisher.fetches();
    let der: String = RSA_PUBLIC.lines().filter(|line| !line.starts_with("-----")).collect();
    let der = base64::prelude::BASE64_STANDARD.decode(der).unwrap();
    let jwk = rsa.jwk();
    let modulus = jwk["n"].as_str().unwrap();
    for (what, secret) in [
        ("PEM", RSA_PUBLIC.as_bytes().to_vec()),
        ("PEM without its final newline", RSA_PUBLIC.trim_end().as_bytes().to_vec()),
        ("DER", der),
        ("the modulus", BASE64_URL_SAFE_NO_PAD.decode(modulus).unwrap()),
        ("the modulus in base64url", modulus.as_bytes().to_vec()),
        ("the JWK", jwk.to_string().into_bytes()),
        ("the set", body.into_bytes()),
        ("nothing", Vec::new()),
    ] {
        for kid in [None, Some("rsa-1"), Some("nobody's")] {
            let answer = fixture.get_protected(&hs256(&secret, kid, &fixture.claims)).await;
            assert_eq!(answer.status, 401, "{what} {kid:?}: {}", answer.text);
        }
    }
    assert_eq!(fixture.publisher.fetches(), fetches, "a symmetric token must not cause a fetch");
    fixture.own_tokens_work().await;
}

async fn ignores_shared_secrets_in_the_jwk_set() {
    const SECRET: &[u8] = b"a-secret-that-was-published-online-0123456789";
    let oct = |kid: &str| json!({"kty": "oct", "k": BASE64_URL_SAFE_NO_PAD.encode(SECRET), "kid": kid, "alg": "HS256", "use": "sig"});
    let rsa = rsa();
    // Beside a valid key, and with the same key ID as one.
    let fixture = Fixture::start(Behaviour::Serves(jwks([oct("sym"), oct("rsa-1"), rsa.jwk()]))).await;
    Fixture::assert_accepted(&fixture.get_protected(&rsa.sign(&fixture.claims)).await);
    for kid in [None, Some("sym"), Some("rsa-1")] {
        Fixture::assert_not_valid(&fixture.get_protected(&hs256(SECRET, kid, &fixture.claims)).await);
    }
    // Alone in the set: then there is no usable key.
    let fixture = Fixture::start(Behaviour::Serves(jwks([oct("sym")]))).await;
    for kid in [None, Some("sym")] {
        Fixture::assert_not_valid(&fixture.get_protected(&hs256(SECRET, kid, &fixture.claims)).await);
    }
    assert_unavailable("guarded", &fixture.get_protected(&rsa.sign(&fixture.claims)).await);
    fixture.own_tokens_work().await;
}

async fn a_faulty_key_server_affects_only_its_own_tokens() {
    let rsa = rsa();
    let good = jwks([rsa.jwk()]);
    let other_server = Publisher::start(Behaviour::Serves(good.clone()));
    let answers = |status: u16, body: &str| Behaviour::Answers(status, String::new(), body.to_owned());
    // A megabyte that would be a valid set if it were shorter.
    let long = format!("{}{}", " ".repeat(1_000_000), good);
    let many = jwks((0..2_000).map(|_| rsa.jwk()));
    for (what, behaviour) in [
        ("garbage", answers(200, "<html>It works!</html>")),
        ("nothing", answers(200, "")),
        ("half a set", answers(200, &good[..good.len() / 2])),
        ("an empty set", answers(200, r#"{"keys": []}"#)),
        ("another object", answers(200, r#"{"error": "no"}"#)),
        ("a megabyte", answers(200, &long)),
        ("thousands of keys", answers(200, &many)),
        ("a deep body", answers(200, &"[".repeat(50_000))),
        ("500 with the set", answers(500, &good)),
        ("404 with the set", answers(404, &good)),
        ("a redirection", Behaviour::Answers(302, other_server.url(), good.clone())),
        ("a permanent redirection", Behaviour::Answers(308, other_server.url(), good.clone())),
        ("a broken connection", Behaviour::Breaks),
    ] {
        let fixture = Fixture::start(behaviour).await;
        let answer = fixture.get_protected(&rsa.sign(&fixture.claims)).await;
        assert_eq!(answer.status, 503, "{what}: {}", answer.text);
        assert_unavailable("guarded", &answer);
        assert!(fixture.publisher.fetches() >= 1, "{what}: the keys were not fetched");
        fixture.own_tokens_work().await;
        Fixture::assert_not_valid(&fixture.get_protected("a.b.c").await);
        eventually("the failure is logged", async || {
            fixture.blog.server.log().contains("the keys of tokens.jwks_url cannot be fetched")
        })
        .await;
        assert!(!fixture.blog.server.log().contains("panicked"), "{what}: {}", fixture.blog.server.log());
    }
    assert_eq!(other_server.fetches(), 0, "a redirect was followed");
}

async fn a_hanging_key_server_does_not_block_own_tokens() {
    let rsa = rsa();
    let fixture = Fixture::start(Behaviour::Hangs).await;
    let token = rsa.sign(&fixture.claims);
    let started = Instant::now();
    let hung = tokio::spawn({
        let (client, url) = (fixture.blog.client.http.clone(), format!("{}/api/protected/", fixture.blog.client.url));
        async move { Answer::of(client.get(url).bearer_auth(token).send().await.unwrap()).await }
    });
    eventually("the fetch has started", async || fixture.publisher.fetches() == 1).await;
    for _ in 0..10 {
        fixture.own_tokens_work().await;
    }
    assert!(!hung.is_finished(), "own tokens waited for the fetch");
    assert_unavailable("guarded", &hung.await.unwrap());
    // The limit is five seconds; the rest is for a busy machine.
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    fixture.own_tokens_work().await;
}

/// Waits for the interval between two fetches, ten seconds.
async fn an_unavailable_key_server_is_asked_again() {
    let rsa = rsa();
    let fixture = Fixture::start(Behaviour::Breaks).await;
    let token = rsa.sign(&fixture.claims);
    assert_unavailable("guarded", &fixture.get_protected(&token).await);
    let asked = fixture.publisher.fetches();
    // Too soon for another fetch.
    assert_unavailable("guarded", &fixture.get_protected(&token).await);
    assert_eq!(fixture.publisher.fetches(), asked);
    fixture.publisher.set_behaviour(Behaviour::Serves(jwks([rsa.jwk()])));
    eventually("the keys are fetched", async || {
        let answer = fixture.get_protected(&token).await;
        assert!([200, 503].contains(&answer.status.as_u16()), "{}", answer.text);
        answer.status == 200
    })
    .await;
    assert_eq!(fixture.publisher.fetches(), asked + 1);
}

/// Waits for the interval between two fetches, ten seconds.
async fn known_keys_are_kept_while_new_ones_cannot_be_fetched() {
    let rsa = rsa();
    let settings = [("AUTH__TOKENS__JWKS_REFRESH_SECONDS", "1")];
    let fixture = Fixture::with(Behaviour::Serves(jwks([rsa.jwk()])), &settings).await;
    let token = rsa.sign(&fixture.claims);
    Fixture::assert_accepted(&fixture.get_protected(&token).await);
    assert_eq!(fixture.publisher.fetches(), 1);
    fixture.publisher.set_behaviour(Behaviour::Answers(500, String::new(), String::new()));
    eventually("the keys are fetched again", async || {
        Fixture::assert_accepted(&fixture.get_protected(&token).await);
        fixture.publisher.fetches() > 1
    })
    .await;
    eventually("the failure is logged", async || {
        Fixture::assert_accepted(&fixture.get_protected(&token).await);
        fixture.blog.server.log().contains("the keys of tokens.jwks_url cannot be fetched")
    })
    .await;
    Fixture::assert_accepted(&fixture.get_protected(&token).await);
    fixture.own_tokens_work().await;
}
