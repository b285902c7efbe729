//! Signatures with key pairs: another library verifies the service's tokens with the published keys, and tokens that an
//! attacker derives from a published key are refused (SEC-003, SEC-142).

use std::path::Path;

use auth_tests::answers::assert_status;
use auth_tests::cases::Once;
use auth_tests::{Answer, ServerOptions, TestClient, TestServer, TokenPair, cases};
use libtest_mimic::Trial;
use ring::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use serde_json::{Value, json};

use super::shared_servers::SharedServers;
use crate::SERVER;
use crate::bad_input::forged_tokens::{
    HEADER, SIGNING_KEY, base64url, from_base64url, header_of, parts, sign, sign_with,
};

pub(crate) fn trials(_: &SharedServers) -> Vec<Trial> {
    cases![Once =>
        tokens_signed_with_the_generated_key_verify,
        the_generated_key_is_kept,
        tokens_signed_with_an_rsa_key_file_verify,
        tokens_signed_with_an_elliptic_curve_key_file_verify,
        the_key_type_selects_the_algorithm,
        a_published_key_does_not_work_as_a_shared_secret,
        a_shared_secret_is_not_published,
        tokens_of_a_former_key_verify_while_it_is_listed,
        refuses_tokens_with_another_issuer_or_audience,
    ]
}

/// Returns the path of a test key in the repository.
fn key_file(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/auth-crypto/tests/vectors/keys");
    folder.canonicalize().expect("the folder of keys").join(name).to_str().expect("a path").to_owned()
}

/// Starts a server of the profile `development` that signs with a key file.
fn server_with(file: &str, settings: &[(&str, &str)]) -> (TestServer, TestClient) {
    let options = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY");
    let options = options.env("AUTH__TOKENS__SIGNING_KEY_FILE", &key_file(file));
    start(settings.iter().fold(options, |options, (name, value)| options.env(name, value)))
}

fn start(options: ServerOptions) -> (TestServer, TestClient) {
    let server = options.start(SERVER);
    let api = TestClient::new(&server.url());
    (server, api)
}

async fn jwks(api: &TestClient) -> Vec<Value> {
    let answer = Answer::of(api.http.get(format!("{}/.well-known/jwks.json", api.url)).send().await.unwrap()).await;
    assert_eq!(answer.status, 200);
    let keys = answer.json()["keys"].as_array().expect("keys").clone();
    for key in &keys {
        // RFC 7518 §6 lists these private parameters.
        for private in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(key.get(private).is_none(), "{private} is published");
        }
    }
    keys
}

/// Returns the published key whose key ID is in the header of a token.
async fn key_of(api: &TestClient, token: &str) -> Value {
    let header = header_of(token);
    let keys = jwks(api).await;
    let named: Vec<_> = keys.iter().filter(|key| key["kid"] == header["kid"]).collect();
    let [key] = named.as_slice() else { panic!("{} keys of {} are named {}", named.len(), keys.len(), header["kid"]) };
    assert_eq!(key["alg"], header["alg"]);
    assert_eq!(key["use"], "sig");
    (*key).clone()
}

/// Verifies a token with a published key, without the code that signed it.
fn verifies(key: &Value, token: &str) -> bool {
    let member = |name: &str| from_base64url(key[name].as_str().unwrap_or_else(|| panic!("no {name} in {key}")));
    let [header, payload, signature] = parts(token);
    let (message, signature) = (format!("{header}.{payload}"), from_base64url(signature));
    let point = || [vec![4], member("x"), member("y")].concat();
    let with = |algorithm: &'static dyn VerificationAlgorithm, key: Vec<u8>| {
        UnparsedPublicKey::new(algorithm, key).verify(message.as_bytes(), &signature).is_ok()
    };
    let rsa = |parameters: &'static signature::RsaParameters| {
        let key = signature::RsaPublicKeyComponents { n: member("n"), e: member("e") };
        key.verify(parameters, message.as_bytes(), &signature).is_ok()
    };
    match key["alg"].as_str().unwrap_or_default() {
        "EdDSA" => with(&signature::ED25519, member("x")),
        "ES256" => with(&signature::ECDSA_P256_SHA256_FIXED, point()),
        "ES384" => with(&signature::ECDSA_P384_SHA384_FIXED, point()),
        "RS256" => rsa(&signature::RSA_PKCS1_2048_8192_SHA256),
        "RS512" => rsa(&signature::RSA_PKCS1_2048_8192_SHA512),
        "PS256" => rsa(&signature::RSA_PSS_2048_8192_SHA256),
        other => panic!("{other}"),
    }
}

/// Logs in, refreshes and logs out, and verifies every token with the published key.
async fn exercise_session(api: &TestClient, algorithm: &str) -> TokenPair {
    let pair = api.register_and_login("alice").await;
    let next = TokenPair::of(&api.refresh(&pair.refresh).await);
    for token in [&pair.access, &pair.refresh, &next.access, &next.refresh] {
        assert_eq!(header_of(token)["alg"], algorithm);
        let key = key_of(api, token).await;
        assert!(verifies(&key, token), "{key} does not verify {token}");
        // The verification is real: with another payload the signature is wrong.
        let [header, payload, signature] = parts(token);
        let other = format!("{header}.{}.{signature}", base64url([&from_base64url(payload), b" ".as_slice()].concat()));
        assert!(!verifies(&key, &other));
        assert_status(&api.me(&other).await, 401);
    }
    assert_status(&api.me(&next.access).await, 200);
    let revoked = api.login("alice").await;
    assert_status(&api.logout(&next.access, json!({"refresh": revoked.refresh})).await, 200);
    assert_status(&api.refresh(&revoked.refresh).await, 401);
    // A token signed with a shared secret is refused.
    let claims = from_base64url(parts(&next.access)[1]);
    assert_status(&api.me(&sign(HEADER, claims)).await, 401);
    next
}

async fn tokens_signed_with_the_generated_key_verify() {
    let options = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY");
    let (_server, api) = start(options);
    exercise_session(&api, "EdDSA").await;
    let keys = jwks(&api).await;
    assert_eq!(keys.len(), 1);
    assert_eq!((&keys[0]["kty"], &keys[0]["crv"]), (&json!("OKP"), &json!("Ed25519")));
}

async fn the_generated_key_is_kept() {
    use std::os::unix::fs::PermissionsExt;
    let options = ServerOptions::new("development", None).without("AUTH__TOKENS__SIGNING_KEY");
    let (server, api) = start(options);
    let pair = api.register_and_login("alice").await;
    let before = jwks(&api).await;
    server.restart();
    let api = TestClient::new(&server.url());
    assert_eq!(jwks(&api).await, before);
    assert_status(&api.me(&pair.access).await, 200);
    assert_status(&api.refresh(&pair.refresh).await, 200);
    // Only the owner of the file can read the key.
    let folder = server.dir().join("auth-data/keys");
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder), 0o700);
    let files: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(mode(&files[0]), 0o600);
}

async fn tokens_signed_with_an_rsa_key_file_verify() {
    for algorithm in ["RS256", "PS256", "RS512"] {
        let (_server, api) = server_with("rsa2048.pem", &[("AUTH__TOKENS__ALGORITHM", algorithm)]);
        exercise_session(&api, algorithm).await;
    }
}

async fn tokens_signed_with_an_elliptic_curve_key_file_verify() {
    for (file, algorithm) in [("p256.pem", "ES256"), ("p384.pem", "ES384"), ("ed25519.pem", "EdDSA")] {
        let (_server, api) = server_with(file, &[("AUTH__TOKENS__ALGORITHM", algorithm)]);
        exercise_session(&api, algorithm).await;
    }
}

async fn the_key_type_selects_the_algorithm() {
    for (file, algorithm) in [("rsa2048.pem", "RS256"), ("p256.pem", "ES256"), ("p256-sec1.pem", "ES256")] {
        let (_server, api) = server_with(file, &[]);
        assert_eq!(header_of(&api.register_and_login("alice").await.access)["alg"], algorithm);
    }
}

async fn a_published_key_does_not_work_as_a_shared_secret() {
    for (file, public, algorithm) in
        [("rsa2048.pem", "rsa2048.pub.pem", "RS256"), ("p256.pem", "p256.pub.pem", "ES256")]
    {
        let (_server, api) = server_with(file, &[]);
        let pair = api.register_and_login("alice").await;
        let key = key_of(&api, &pair.access).await;
        let pem = std::fs::read_to_string(key_file(public)).unwrap();
        let claims = from_base64url(parts(&pair.access)[1]);
        let kid = key["kid"].as_str().unwrap();
        for secret in
            [pem.clone(), pem.trim_end().to_owned(), pem.replace('\n', "\r\n"), key.to_string(), kid.to_owned()]
        {
            for header in [
                HEADER.to_owned(),
                json!({"alg": "HS256", "kid": kid}).to_string(),
                json!({"alg": algorithm, "kid": kid}).to_string(),
            ] {
                assert_status(&api.me(&sign_with(secret.as_bytes(), &header, &claims)).await, 401);
            }
        }
        assert_status(&api.me(&pair.access).await, 200);
    }
}

async fn a_shared_secret_is_not_published() {
    let (_server, api) = start(ServerOptions::new("development", None));
    assert_eq!(header_of(&api.register_and_login("alice").await.access)["alg"], "HS256");
    let request = api.http.get(format!("{}/.well-known/jwks.json", api.url));
    let text = Answer::of(request.send().await.unwrap()).await.text;
    assert_eq!(text, r#"{"keys":[]}"#);
    assert!(!text.contains(SIGNING_KEY) && !text.contains(&base64url(SIGNING_KEY)));
}

async fn tokens_of_a_former_key_verify_while_it_is_listed() {
    let dir = tempfile::TempDir::new().unwrap();
    let url = format!("sqlite://{}/auth.sqlite3", dir.path().display());
    let server = |signing: &str, listed: &str| {
        let options = ServerOptions::new("development", Some(&url)).without("AUTH__TOKENS__SIGNING_KEY");
        let options = options.env("AUTH__TOKENS__SIGNING_KEY_FILE", &key_file(signing));
        start(if listed.is_empty() {
            options
        } else {
            options.env("AUTH__TOKENS__VERIFYING_KEY_FILES", &key_file(listed))
        })
    };
    // Three processes on one database, as during a key rotation.
    let (_before, before) = server("rsa2048.pem", "");
    let old = before.register_and_login("alice").await;
    let (_during, during) = server("ed25519.pem", "rsa2048.pub.pem");
    let (_after, after) = server("ed25519.pem", "");
    assert_eq!(jwks(&during).await.len(), 2);
    assert_status(&during.me(&old.access).await, 200);
    assert_status(&after.me(&old.access).await, 401);
    assert_status(&after.refresh(&old.refresh).await, 401);
    let new = TokenPair::of(&during.refresh(&old.refresh).await);
    assert_eq!(header_of(&new.refresh)["alg"], "EdDSA");
    assert_status(&after.me(&new.access).await, 200);
    assert_status(&before.me(&new.access).await, 401);
    assert_status(&after.refresh(&new.refresh).await, 200);
}

async fn refuses_tokens_with_another_issuer_or_audience() {
    let options = ServerOptions::new("simplejwt", None).env("AUTH__TOKENS__ISSUER", "us");
    let (_server, api) = start(options.env("AUTH__TOKENS__AUDIENCE", "them"));
    let pair = api.register_and_login("alice").await;
    let claims = crate::bad_input::forged_tokens::Claims::of(&pair.access);
    assert_eq!((claims.get("iss"), claims.get("aud")), ("\"us\"", "\"them\""));
    assert_status(&api.me(&pair.access).await, 200);
    assert_status(&api.me(&claims.with("aud", r#"["others","them"]"#).token()).await, 200);
    for (claim, value) in [
        ("iss", "\"US\""),
        ("iss", "\"\""),
        ("iss", "null"),
        ("iss", "7"),
        ("iss", "[\"us\"]"),
        ("aud", "\"others\""),
        ("aud", "null"),
        ("aud", "[]"),
        ("aud", "[\"others\"]"),
        ("aud", "[\"them\",7]"),
        ("aud", "{\"them\":1}"),
        ("aud", "\"them,others\""),
    ] {
        let answer = api.me(&claims.with(claim, value).token()).await;
        assert_eq!(answer.status, 401, "{claim} = {value}: {}", answer.text);
    }
    for claim in ["iss", "aud"] {
        assert_status(&api.me(&claims.without(claim).token()).await, 401);
        let refresh = crate::bad_input::forged_tokens::Claims::of(&pair.refresh).without(claim).token();
        assert_status(&api.refresh(&refresh).await, 401);
    }
    assert_status(&api.refresh(&pair.refresh).await, 200);
}
