//! What a ring signs, and which ring verifies it.

use super::*;

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
