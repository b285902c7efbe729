//! Key rings with several keys: selection by key ID, and key replacement.

use super::*;

/// SEC-005.
#[test]
fn a_kid_only_selects_a_configured_key() {
    let key =
        |secret: &str, kid: &str| VerifyingKey::from_secret(Algorithm::Hs256, secret).unwrap().with_kid(kid).unwrap();
    let signing = signing_key(Algorithm::Hs256).with_kid("new").unwrap();
    let eddsa = VerifyingKey::from_pem(None, ED25519_PUBLIC).unwrap().with_kid("eddsa").unwrap();
    let ring = ring_with(signing, vec![key(OTHER_SECRET, "old"), eddsa]);
    for (secret, kid, accepted) in [
        (SECRET, Some("new"), true),
        (OTHER_SECRET, Some("old"), true),
        // Signed with one key, with the key ID of another.
        (SECRET, Some("old"), false),
        (OTHER_SECRET, Some("new"), false),
        (SECRET, Some("eddsa"), false),
        // Without a known key ID.
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

/// SEC-142: replaces an HS256 key by an EdDSA key, and that by an ES256 key.
#[test]
fn replacing_a_key_rejects_no_valid_token() {
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
        // While a step is rolled out, replicas verify tokens of the previous and of the next step.
        assert!(verify(&pair[1], &tokens[step]).is_ok(), "step {step}, token of the previous step");
        assert!(verify(&pair[0], &tokens[step + 1]).is_ok(), "step {step}, token of the next step");
    }
    // After the last token has expired, the old key is removed.
    assert_eq!(verify(&steps[4], &tokens[0]), Err(TokenFault::NotOurs));
}

#[test]
fn rejects_two_keys_with_the_same_key_id() {
    let new = |signing, verifying| KeyRing::new(signing, verifying, RingOptions::default());
    let eddsa = || signing_key(Algorithm::EdDsa);
    let kid = eddsa().kid().unwrap().to_owned();
    let duplicate = new(eddsa(), vec![eddsa().verifying_key()]);
    assert_eq!(duplicate.unwrap_err(), KeyError::DuplicateKeyId(kid));
    let es256 = || signing_key(Algorithm::Es256).verifying_key().with_kid("one").unwrap();
    let hmac = VerifyingKey::from_secret(Algorithm::Hs256, SECRET).unwrap().with_kid("one").unwrap();
    assert_eq!(new(eddsa(), vec![es256(), hmac]).unwrap_err(), KeyError::DuplicateKeyId("one".to_owned()));
    // Keys without a key ID are not ambiguous.
    let secrets = vec![VerifyingKey::from_secret(Algorithm::Hs256, OTHER_SECRET).unwrap()];
    assert!(new(signing_key(Algorithm::Hs256), secrets).is_ok());
}
