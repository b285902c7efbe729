//! The key ring through its port: what it signs, and which tokens it accepts.

use auth_core::ports::TokenSigner as _;
use auth_core::token::TokenFault;
use auth_crypto::{Algorithm, KeyError, KeyRing, RingOptions, SigningKey, VerifyingKey};
use aws_lc_rs::hmac::{HMAC_SHA256, HMAC_SHA384, HMAC_SHA512};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::fixture::*;

const HEADER: &[u8] = br#"{"alg":"HS256","typ":"JWT"}"#;

/// A token as the HS256 ring would have signed it, with another header.
fn with_header(header: &str) -> String {
    hmac_token(HMAC_SHA256, SECRET.as_bytes(), header.as_bytes(), br#"{"user_id":"7"}"#)
}

fn with_payload(payload: &[u8]) -> String {
    hmac_token(HMAC_SHA256, SECRET.as_bytes(), HEADER, payload)
}

#[test]
fn every_algorithm_signs_what_its_public_half_verifies() {
    for algorithm in Algorithm::ALL {
        let ours = ring(signing_key(algorithm));
        let token = ours.sign(&payload()).unwrap();
        assert_eq!(part(&token, 0)["alg"], algorithm.name());
        assert_eq!(verify(&ours, &token), Ok(payload()), "{algorithm}");
        let theirs = if algorithm.is_symmetric() {
            VerifyingKey::from_secret(algorithm, SECRET)
        } else {
            VerifyingKey::from_pem(Some(algorithm), pair(algorithm).1)
        };
        let other = SigningKey::from_secret(Algorithm::Hs256, OTHER_SECRET).unwrap();
        assert_eq!(verify(&ring_with(other, vec![theirs.unwrap()]), &token), Ok(payload()), "{algorithm}");
        // Replaying a rotation relies on it (design section 3).
        let is_deterministic = matches!(&algorithm.name()[..2], "HS" | "RS" | "Ed");
        assert_eq!(ours.sign(&payload()).unwrap() == token, is_deterministic, "{algorithm}");
    }
}

#[test]
fn a_token_of_one_algorithm_is_refused_by_a_ring_for_any_other() {
    for signed in Algorithm::ALL {
        let token = ring(signing_key(signed)).sign(&payload()).unwrap();
        for expected in Algorithm::ALL {
            // The RSA algorithms share a key here, and the HMAC ones a secret.
            let result = verify(&ring(signing_key(expected)), &token);
            assert_eq!(result.is_ok(), signed == expected, "{signed} for {expected}");
        }
    }
}

#[test]
fn the_header_says_what_the_contract_wants_and_names_asymmetric_keys() {
    let header = |ring: &KeyRing| part(&ring.sign(&payload()).unwrap(), 0);
    let hmac = ring(signing_key(Algorithm::Hs256));
    let text = hmac.sign(&payload()).unwrap();
    // {"alg":"HS256","typ":"JWT"}, byte for byte.
    assert!(text.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
    assert_eq!(hmac.kid(), None);

    let named = ring(signing_key(Algorithm::Hs256).with_kid("2026-10").unwrap());
    assert_eq!(header(&named), json!({"alg": "HS256", "kid": "2026-10", "typ": "JWT"}));

    let eddsa = ring(signing_key(Algorithm::EdDsa));
    assert_eq!(header(&eddsa), json!({"alg": "EdDSA", "kid": eddsa.kid().unwrap(), "typ": "JWT"}));
    assert_eq!(eddsa.algorithm(), Some(Algorithm::EdDsa));

    let typed = |header_type: Option<&str>| {
        let options = RingOptions { header_type: header_type.map(str::to_owned) };
        header(&KeyRing::new(signing_key(Algorithm::Hs256), Vec::new(), options).unwrap())
    };
    assert_eq!(typed(Some("at+jwt")), json!({"alg": "HS256", "typ": "at+jwt"}));
    assert_eq!(typed(None), json!({"alg": "HS256"}));
}

#[test]
fn hs256_takes_the_bytes_of_the_text_as_the_key() {
    // Made with Python's hmac.
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjEzMDA4MTkzODAsInVzZXJfaWQiOiI3In0.nrDJ6_-mC40Lt003OEOPMv3Vy3xO3S_AD2_2CAp5zkU";
    let ring = ring(SigningKey::from_secret(Algorithm::Hs256, "an-operator-made-this-up-2026-10!").unwrap());
    assert_eq!(ring.sign(&payload()).unwrap(), token);
    assert_eq!(verify(&ring, token), Ok(payload()));
}

/// SEC-002, SEC-003, SEC-005, SEC-006, SEC-007: every signature here is right, only the header is not, or is odd.
#[test]
fn headers_of_attackers() {
    let ring = ring(signing_key(Algorithm::Hs256));
    let embedded = json!({"kty": "oct", "k": base64url(OTHER_SECRET)});
    let embeds = |name: &str, value: Value| json!({"alg": "HS256", name: value}).to_string();
    for (header, accepted) in [
        (r#"{"alg":"HS256"}"#.to_owned(), true),
        (r#"{"alg":"HS256","typ":"at+jwt","cty":"JWT"}"#.to_owned(), true),
        (r#"{"alg":"HS256","typ":null}"#.to_owned(), true),
        (r#"{"alg":"none"}"#.to_owned(), false),
        (r#"{"alg":"None"}"#.to_owned(), false),
        (r#"{"alg":"NONE"}"#.to_owned(), false),
        (r#"{"alg":"nOnE"}"#.to_owned(), false),
        (r#"{"alg":""}"#.to_owned(), false),
        (r#"{"alg":"hs256"}"#.to_owned(), false),
        (r#"{"alg":"Hs256"}"#.to_owned(), false),
        (r#"{"alg":"HS256 "}"#.to_owned(), false),
        (r#"{"alg":"HS256\u0000"}"#.to_owned(), false),
        (r#"{"alg":"HS384"}"#.to_owned(), false),
        (r#"{"alg":"HS512"}"#.to_owned(), false),
        (r#"{"alg":"RS256"}"#.to_owned(), false),
        (r#"{"alg":"ES256"}"#.to_owned(), false),
        (r#"{"alg":"EdDSA"}"#.to_owned(), false),
        (r#"{"alg":["HS256"]}"#.to_owned(), false),
        (r#"{"alg":{"HS256":true}}"#.to_owned(), false),
        (r#"{"alg":true}"#.to_owned(), false),
        (r#"{"alg":null}"#.to_owned(), false),
        (r#"{"typ":"JWT"}"#.to_owned(), false),
        (r#"{"alg":"none","alg":"HS256"}"#.to_owned(), false),
        (r#"{"alg":"HS256","alg":"none"}"#.to_owned(), false),
        (r#"["HS256"]"#.to_owned(), false),
        (r#"{"alg":"HS256""#.to_owned(), false),
        (embeds("kid", json!("of-another-issuer")), true),
        (embeds("kid", json!("")), false),
        (embeds("kid", json!("../../../../dev/null")), false),
        (embeds("kid", json!("/dev/null")), false),
        (embeds("kid", json!("' UNION SELECT 'secret' --")), false),
        (embeds("kid", json!("https://attacker.example/key")), false),
        (embeds("kid", json!("|cat /etc/passwd")), false),
        (embeds("kid", json!("key\u{0}")), false),
        (embeds("kid", json!("k".repeat(129))), false),
        (embeds("kid", json!(["a"])), false),
        (embeds("kid", json!({"$ne": null})), false),
        (embeds("kid", json!(0)), false),
        (embeds("kid", json!(null)), false),
        (embeds("crit", json!(["exp"])), false),
        (embeds("crit", json!(["b64"])), false),
        (embeds("crit", json!([])), false),
        (embeds("crit", json!(null)), false),
        (embeds("b64", json!(false)), false),
        (embeds("b64", json!(true)), false),
        (embeds("jwk", embedded.clone()), true),
        (embeds("jku", json!("https://attacker.example/jwks.json")), true),
        (embeds("x5u", json!("https://attacker.example/chain.pem")), true),
        (embeds("x5c", json!(["MIIB"])), true),
    ] {
        let expected = if accepted { Ok(()) } else { Err(TokenFault::NotOurs) };
        assert_eq!(verify(&ring, &with_header(&header)).map(drop), expected, "{header:.90}");
    }
    // And signed with the key that the header brings along.
    for header in [embeds("jwk", embedded), embeds("jku", json!("https://attacker.example/jwks.json"))] {
        let token = hmac_token(HMAC_SHA256, OTHER_SECRET.as_bytes(), header.as_bytes(), b"{}");
        assert_eq!(verify(&ring, &token), Err(TokenFault::NotOurs), "{header}");
    }
}

#[test]
fn unsigned_tokens_and_other_hashes_under_the_same_secret_are_refused() {
    let ring = ring(signing_key(Algorithm::Hs256));
    let message = |header: &str| format!("{}.{}", base64url(header), base64url(r#"{"user_id":"7"}"#));
    for header in [r#"{"alg":"none"}"#, r#"{"alg":"NONE","typ":"JWT"}"#, r#"{"alg":"HS256","typ":"JWT"}"#] {
        for signature in ["", "AA", "bm9uZQ"] {
            assert_eq!(verify(&ring, &format!("{}.{signature}", message(header))), Err(TokenFault::NotOurs));
        }
    }
    for (algorithm, label) in [(HMAC_SHA384, "HS384"), (HMAC_SHA512, "HS512")] {
        for label in [label, "HS256"] {
            let header = format!(r#"{{"alg":"{label}","typ":"JWT"}}"#);
            let token = hmac_token(algorithm, SECRET.as_bytes(), header.as_bytes(), b"{}");
            assert_eq!(verify(&ring, &token), Err(TokenFault::NotOurs), "{label}");
        }
    }
}

/// CVE-2016-10555: a public key, in any of its forms, as the secret of an HMAC.
#[test]
fn a_public_key_is_no_secret() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let ring = ring(signing_key(algorithm));
        let public = pair(algorithm).1;
        let der = pem::parse(public).unwrap().into_contents();
        let raw = der[der.len() - 32..].to_vec();
        for secret in [public.as_bytes(), public.trim_end().as_bytes(), &der, &raw] {
            for label in ["HS256", algorithm.name()] {
                let header = json!({"alg": label, "kid": ring.kid()}).to_string();
                let token = hmac_token(HMAC_SHA256, secret, header.as_bytes(), b"{}");
                assert_eq!(verify(&ring, &token), Err(TokenFault::NotOurs), "{algorithm}");
            }
        }
    }
}

#[test]
fn each_part_must_be_strict_base64url() {
    let ring = ring(signing_key(Algorithm::Hs256));
    let token = ring.sign(&payload()).unwrap();
    // 32 bytes are 43 characters, the last of which has 2 bits to spare.
    let (_, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(signature.len(), 43);
    let last = token.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let index = alphabet.find(last).unwrap();
    for stray in 1..4 {
        let mut twin = token.clone();
        twin.pop();
        twin.push_str(&alphabet[index + stray..=index + stray]);
        assert_eq!(verify(&ring, &twin), Err(TokenFault::NotOurs), "stray bits {stray}");
    }
    // Signed as they stand, so that only the encoding is wrong.
    let sign = |message: &str| {
        let key = aws_lc_rs::hmac::Key::new(HMAC_SHA256, SECRET.as_bytes());
        format!("{message}.{}", base64url(aws_lc_rs::hmac::sign(&key, message.as_bytes())))
    };
    for (message, accepted) in [
        // {"alg":"HS256"} and {"a":1}
        ("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ", true),
        ("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfR", false),
        ("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ==", false),
        ("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ=", false),
        ("eyJhbGciOiJIUzI1NiJ9.eyJhIjox fQ", false),
        ("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ\n", false),
        ("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxf", false),
        ("eyJhbGciOiJIUzI1NiJ9.", false),
        ("eyJhbGciOiJIUzI1NiJ9", false),
        (".eyJhIjoxfQ", false),
        ("eyJhbGciOiJIUzI1NiJ9.eyJhIjoxfQ.eyJhIjoxfQ", false),
        // {"alg":"HS256" } with a stray bit.
        ("eyJhbGciOiJIUzI1NiIgfQ.eyJhIjoxfQ", true),
        ("eyJhbGciOiJIUzI1NiIgfR.eyJhIjoxfQ", false),
    ] {
        assert_eq!(verify(&ring, &sign(message)).is_ok(), accepted, "{message:?}");
    }
}

#[test]
fn what_was_changed_after_signing_is_refused() {
    for algorithm in Algorithm::ALL {
        let ring = ring(signing_key(algorithm));
        let token = ring.sign(&payload()).unwrap();
        let [header, body, signature] = <[&str; 3]>::try_from(token.split('.').collect::<Vec<_>>()).unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let zeros = base64url(vec![0; bytes.len()]);
        let truncated = base64url(&bytes[..bytes.len() - 1]);
        let extended = base64url([&*bytes, &[0]].concat());
        bytes[0] ^= 1;
        let other_body = base64url(r#"{"user_id":"1","exp":1300819380}"#);
        let other_header = base64url(format!(r#"{{"alg":"{algorithm}"}}"#));
        for forged in [
            format!("{header}.{other_body}.{signature}"),
            format!("{other_header}.{body}.{signature}"),
            format!("{header}.{body}.{}", base64url(&bytes)),
            format!("{header}.{body}.{truncated}"),
            format!("{header}.{body}.{extended}"),
            format!("{header}.{body}.{zeros}"),
            format!("{header}.{body}.AA"),
        ] {
            assert_eq!(verify(&ring, &forged), Err(TokenFault::NotOurs), "{algorithm} {forged}");
        }
    }
}

/// Only the fixed form R || S is a JWS signature (RFC 7518 §3.4), not the DER of OpenSSL.
#[test]
fn an_ecdsa_signature_in_der_is_refused() {
    let integer = |number: &[u8]| {
        let significant: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
        let sign: &[u8] = if significant[0] & 0x80 == 0 { &[] } else { &[0] };
        let content = [sign, &significant].concat();
        [&[2, u8::try_from(content.len()).unwrap()][..], &content].concat()
    };
    for algorithm in [Algorithm::Es256, Algorithm::Es384] {
        let ring = ring(signing_key(algorithm));
        let token = ring.sign(&payload()).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let fixed = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let (r, s) = fixed.split_at(fixed.len() / 2);
        let content = [integer(r), integer(s)].concat();
        let der = [&[0x30, u8::try_from(content.len()).unwrap()][..], &content].concat();
        assert!(verify(&ring, &token).is_ok());
        assert_eq!(verify(&ring, &format!("{message}.{}", base64url(der))), Err(TokenFault::NotOurs));
    }
}

#[test]
fn a_payload_is_a_json_object_and_the_last_of_equal_claims_counts() {
    let ring = ring(signing_key(Algorithm::Hs256));
    let deep = |levels: usize| format!(r#"{{"a":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    for (payload, expected) in [
        (&b"{}"[..], Some(json!({}))),
        (br#" {"user_id":"7"} "#, Some(json!({"user_id": "7"}))),
        (br#"{"exp":1,"exp":2}"#, Some(json!({"exp": 2}))),
        (br#"{"exp":2,"\u0065xp":1}"#, Some(json!({"exp": 1}))),
        (br#"{"exp":{"a":1,"a":2}}"#, Some(json!({"exp": {"a": 2}}))),
        (b"[]", None),
        (b"null", None),
        (b"7", None),
        (br#""{}""#, None),
        (b"foo", None),
        (b"{}{}", None),
        (b"{\"a\":1,}", None),
        (b"{'a':1}", None),
        (b"\xEF\xBB\xBF{}", None),
        (b"{\"a\":\"\xFF\"}", None),
        (br#"{"a":"\ud800"}"#, None),
        (br#"{"exp":1e400}"#, None),
        (br#"{"exp":NaN}"#, None),
        (deep(2_000).as_bytes(), None),
    ] {
        let expected = expected.map(|value| value.as_object().unwrap().clone()).ok_or(TokenFault::NotOurs);
        assert_eq!(verify(&ring, &with_payload(payload)), expected, "{:.60}", String::from_utf8_lossy(payload));
    }
    assert!(verify(&ring, &with_payload(deep(100).as_bytes())).is_ok());
}

#[test]
fn a_kid_chooses_among_the_configured_keys_only() {
    let key =
        |secret: &str, kid: &str| VerifyingKey::from_secret(Algorithm::Hs256, secret).unwrap().with_kid(kid).unwrap();
    let signing = signing_key(Algorithm::Hs256).with_kid("new").unwrap();
    let eddsa = VerifyingKey::from_pem(None, ED25519_PUBLIC).unwrap().with_kid("eddsa").unwrap();
    let ring = ring_with(signing, vec![key(OTHER_SECRET, "old"), eddsa]);
    for (secret, kid, accepted) in [
        (SECRET, Some("new"), true),
        (OTHER_SECRET, Some("old"), true),
        // Signed by one key, naming another.
        (SECRET, Some("old"), false),
        (OTHER_SECRET, Some("new"), false),
        (SECRET, Some("eddsa"), false),
        // Naming none of them.
        (SECRET, None, true),
        (OTHER_SECRET, None, true),
        (SECRET, Some("unknown"), true),
        (OTHER_SECRET, Some("unknown"), true),
        (OTHER_SECRET, Some("NEW"), true),
        ("a third secret, which is in no ring at all", Some("unknown"), false),
        ("a third secret, which is in no ring at all", None, false),
    ] {
        let mut header = json!({"alg": "HS256"});
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let token = hmac_token(HMAC_SHA256, secret.as_bytes(), header.to_string().as_bytes(), b"{}");
        assert_eq!(verify(&ring, &token).is_ok(), accepted, "{secret} {kid:?}");
    }
}

/// SEC-142: from HS256 to EdDSA and on to another key, with no refused token in between.
#[test]
fn keys_change_without_a_refused_token() {
    let (hmac, eddsa, es256) = (Algorithm::Hs256, Algorithm::EdDsa, Algorithm::Es256);
    let public = |algorithm| signing_key(algorithm).verifying_key();
    let steps = [
        ring(signing_key(hmac)),
        ring_with(signing_key(hmac), vec![public(eddsa)]),
        ring_with(signing_key(eddsa), vec![public(hmac)]),
        ring_with(signing_key(eddsa), vec![public(hmac), public(es256)]),
        ring_with(signing_key(es256), vec![public(eddsa)]),
    ];
    let tokens: Vec<_> = steps.iter().map(|ring| ring.sign(&payload()).unwrap()).collect();
    for (step, pair) in steps.windows(2).enumerate() {
        // Replicas are a step apart for a while, in both directions.
        assert!(verify(&pair[1], &tokens[step]).is_ok(), "step {step} on");
        assert!(verify(&pair[0], &tokens[step + 1]).is_ok(), "step {step} back");
    }
    // When the last token has expired, the old key is forgotten.
    assert_eq!(verify(&steps[4], &tokens[0]), Err(TokenFault::NotOurs));
}

#[test]
fn two_keys_with_one_id_are_refused() {
    let new = |signing, verifying| KeyRing::new(signing, verifying, RingOptions::default());
    let eddsa = || signing_key(Algorithm::EdDsa);
    let kid = eddsa().kid().unwrap().to_owned();
    let twice = new(eddsa(), vec![eddsa().verifying_key()]);
    assert_eq!(twice.unwrap_err(), KeyError::DuplicateKeyId(kid));
    let es256 = || signing_key(Algorithm::Es256).verifying_key().with_kid("one").unwrap();
    let hmac = VerifyingKey::from_secret(Algorithm::Hs256, SECRET).unwrap().with_kid("one").unwrap();
    assert_eq!(new(eddsa(), vec![es256(), hmac]).unwrap_err(), KeyError::DuplicateKeyId("one".to_owned()));
    // Without an id nothing is ambiguous.
    let secrets = vec![VerifyingKey::from_secret(Algorithm::Hs256, OTHER_SECRET).unwrap()];
    assert!(new(signing_key(Algorithm::Hs256), secrets).is_ok());
}

#[test]
fn the_jwk_set_has_the_public_keys_and_nothing_secret() {
    let hmac = ring(signing_key(Algorithm::Hs256).with_kid("named").unwrap());
    assert_eq!(hmac.jwks(), json!({"keys": []}));

    let verifying = vec![
        VerifyingKey::from_secret(Algorithm::Hs512, SECRET).unwrap(),
        VerifyingKey::from_pem(None, P256_PUBLIC).unwrap(),
        VerifyingKey::from_pem(None, P384_PUBLIC).unwrap(),
        VerifyingKey::from_pem(Some(Algorithm::Ps256), RSA2048_PUBLIC).unwrap().with_kid("rsa").unwrap(),
    ];
    let jwks = ring_with(signing_key(Algorithm::EdDsa), verifying).jwks();
    let keys = jwks["keys"].as_array().unwrap();
    let members: Vec<Vec<_>> = keys.iter().map(|jwk| jwk.as_object().unwrap().keys().cloned().collect()).collect();
    for (mut names, mut expected) in members.into_iter().zip([
        vec!["alg", "crv", "kid", "kty", "use", "x"],
        vec!["alg", "crv", "kid", "kty", "use", "x", "y"],
        vec!["alg", "crv", "kid", "kty", "use", "x", "y"],
        vec!["alg", "e", "kid", "kty", "n", "use"],
    ]) {
        names.sort();
        expected.sort_unstable();
        assert_eq!(names, expected);
    }
    let column = |name| keys.iter().map(|jwk| jwk[name].as_str().unwrap_or_default()).collect::<Vec<_>>();
    assert_eq!(column("alg"), ["EdDSA", "ES256", "ES384", "PS256"]);
    assert_eq!(column("kty"), ["OKP", "EC", "EC", "RSA"]);
    assert_eq!(column("crv"), ["Ed25519", "P-256", "P-384", ""]);
    assert_eq!(column("use"), ["sig"; 4]);
    assert_eq!(column("kid")[0], signing_key(Algorithm::EdDsa).kid().unwrap());
    assert_eq!(column("kid")[3], "rsa");
    assert_eq!(keys[3]["e"], "AQAB");
    assert_eq!(URL_SAFE_NO_PAD.decode(column("n")[3]).unwrap().len(), 256);
}

/// Another service that knows nothing but the JWK Set, by the library's own reading of it.
#[test]
fn the_jwk_set_is_enough_to_verify_our_tokens() {
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let ring = ring(signing_key(algorithm));
        let token = ring.sign(&payload()).unwrap();
        let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(ring.jwks()).unwrap();
        let jwk = set.find(part(&token, 0)["kid"].as_str().unwrap()).unwrap();
        let mut rules = jsonwebtoken::Validation::new(algorithm.name().parse().unwrap());
        rules.validate_exp = false;
        let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
        let read = jsonwebtoken::decode::<serde_json::Map<String, Value>>(&token, &key, &rules).unwrap();
        assert_eq!(read.claims, payload(), "{algorithm}");
        assert_eq!(jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), ring.kid().unwrap());
    }
}

#[test]
fn debug_shows_no_key() {
    let signing = [signing_key(Algorithm::Hs256), signing_key(Algorithm::Rs256), signing_key(Algorithm::EdDsa)];
    let mut texts: Vec<_> = signing.iter().map(|key| format!("{key:?} {:#?}", key.verifying_key())).collect();
    texts.push(format!(
        "{:?}",
        ring_with(signing_key(Algorithm::Hs256), vec![signing_key(Algorithm::Hs384).verifying_key()])
    ));
    assert_eq!(
        texts[3],
        "KeyRing { keys: [VerifyingKey { algorithm: Hs256, kid: None, .. }, VerifyingKey { algorithm: Hs384, kid: None, .. }], .. }"
    );
    let numbers = |bytes: &[u8]| format!("{:?}", &bytes[..6]).trim_matches(['[', ']']).to_owned();
    let rsa = pem::parse(RSA2048).unwrap().into_contents();
    let ed25519 = pem::parse(ED25519).unwrap().into_contents();
    for text in texts {
        for leak in [
            "operator",
            &numbers(SECRET.as_bytes()),
            &numbers(&rsa[40..]),
            &numbers(&ed25519[16..]),
            &base64url(&ed25519[16..])[..8],
            "MII",
        ] {
            assert!(!text.contains(leak), "{leak} in {text}");
        }
    }
}
