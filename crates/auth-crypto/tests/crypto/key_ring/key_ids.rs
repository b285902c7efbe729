//! Several keys: chosen by key ID, and replaced.

use super::*;

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
