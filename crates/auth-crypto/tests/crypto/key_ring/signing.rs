//! The tokens that a ring signs, and the rings that verify them.

use super::*;

#[test]
fn the_public_key_verifies_signatures_of_every_algorithm() {
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
        // A replay returns the same successor byte for byte only if signatures are deterministic (docs/adr/0003).
        let is_deterministic = matches!(&algorithm.name()[..2], "HS" | "RS" | "Ed");
        assert_eq!(ours.sign(&payload()).unwrap() == token, is_deterministic, "{algorithm}");
    }
}

#[test]
fn a_ring_rejects_tokens_of_every_other_algorithm() {
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
fn the_header_has_alg_and_typ_and_the_key_id_if_any() {
    let header = |ring: &KeyRing| part(&ring.sign(&payload()).unwrap(), 0);
    let hmac = ring(signing_key(Algorithm::Hs256));
    let token = hmac.sign(&payload()).unwrap();
    // {"alg":"HS256","typ":"JWT"}, the header of SimpleJWT byte for byte (wire contract section 3).
    assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."));
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
fn hs256_uses_the_bytes_of_the_secret_as_the_key() {
    // Created with Python's `hmac`.
    let token = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJleHAiOjEzMDA4MTkzODAsInVzZXJfaWQiOiI3In0.nrDJ6_-mC40Lt003OEOPMv3Vy3xO3S_AD2_2CAp5zkU";
    let ring = ring(SigningKey::from_secret(Algorithm::Hs256, "an-operator-made-this-up-2026-10!").unwrap());
    assert_eq!(ring.sign(&payload()).unwrap(), token);
    assert_eq!(verify(&ring, token), Ok(payload()));
}

#[test]
fn debug_shows_no_key() {
    let signing = [signing_key(Algorithm::Hs256), signing_key(Algorithm::Rs256), signing_key(Algorithm::EdDsa)];
    let mut outputs: Vec<_> = signing.iter().map(|key| format!("{key:?} {:#?}", key.verifying_key())).collect();
    outputs.push(format!(
        "{:?}",
        ring_with(signing_key(Algorithm::Hs256), vec![signing_key(Algorithm::Hs384).verifying_key()])
    ));
    assert_eq!(
        outputs[3],
        "KeyRing { keys: [VerifyingKey { algorithm: Hs256, kid: None, .. }, VerifyingKey { algorithm: Hs384, kid: None, .. }], .. }"
    );
    let numbers = |bytes: &[u8]| format!("{:?}", &bytes[..6]).trim_matches(['[', ']']).to_owned();
    let rsa = pem::parse(RSA2048).unwrap().into_contents();
    let ed25519 = pem::parse(ED25519).unwrap().into_contents();
    for output in outputs {
        for leak in [
            "operator",
            &numbers(SECRET.as_bytes()),
            &numbers(&rsa[40..]),
            &numbers(&ed25519[16..]),
            &base64url(&ed25519[16..])[..8],
            "MII",
        ] {
            assert!(!output.contains(leak), "{leak} in {output}");
        }
    }
}
