//! Public keys as JSON Web Keys: which ones are accepted, and why the others are refused.

use auth_core::ports::TokenSigner as _;
use auth_crypto::{Algorithm, KeyError, KeyRing, VerifyingKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::fixture::*;

/// As the other issuer publishes it.
fn published(algorithm: Algorithm) -> Value {
    ring(signing_key(algorithm)).jwks()["keys"][0].clone()
}

fn asymmetric() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric())
}

fn with(algorithm: &str, name: &str, value: impl Into<Value>) -> Value {
    let mut jwk = published(algorithm.parse().unwrap());
    jwk[name] = value.into();
    jwk
}

fn without(algorithm: &str, name: &str) -> Value {
    let mut jwk = published(algorithm.parse().unwrap());
    jwk.as_object_mut().unwrap().remove(name).unwrap();
    jwk
}

fn refusal(jwk: &Value) -> KeyError {
    VerifyingKey::from_jwk(None, jwk).unwrap_err()
}

#[test]
fn what_a_ring_publishes_verifies_what_it_signs() {
    for algorithm in asymmetric() {
        let issuer = ring(signing_key(algorithm));
        let key = VerifyingKey::from_jwk(None, &issuer.jwks()["keys"][0]).unwrap();
        assert_eq!((key.algorithm(), key.kid()), (algorithm, issuer.kid()));
        let reader = KeyRing::verifying(vec![key]).unwrap();
        assert_eq!(verify(&reader, &issuer.sign(&payload()).unwrap()), Ok(payload()), "{algorithm}");
        assert_eq!(reader.jwks(), issuer.jwks(), "{algorithm}");
    }
}

#[test]
fn the_algorithm_is_the_one_asked_for_or_the_named_one_or_that_of_the_kind() {
    let algorithm = |asked: Option<&str>, jwk: &Value| {
        let asked = asked.map(|name| name.parse().unwrap());
        VerifyingKey::from_jwk(asked, jwk).map(|key| key.algorithm().name())
    };
    let (ps384, unnamed) = (published(Algorithm::Ps384), without("PS384", "alg"));
    assert_eq!(algorithm(None, &ps384), Ok("PS384"));
    assert_eq!(algorithm(Some("PS384"), &ps384), Ok("PS384"));
    assert_eq!(algorithm(None, &unnamed), Ok("RS256"));
    assert_eq!(algorithm(Some("PS512"), &unnamed), Ok("PS512"));
    for (name, kind) in [("ES256", "ES256"), ("ES384", "ES384"), ("EdDSA", "EdDSA")] {
        assert_eq!(algorithm(None, &without(name, "alg")), Ok(kind));
    }
    let other = KeyError::OtherAlgorithm { asked: Algorithm::Rs256, named: Algorithm::Ps384 };
    assert_eq!(algorithm(Some("RS256"), &ps384), Err(other));
    let wrong = |algorithm| KeyError::WrongKind { algorithm, key: "RSA" };
    assert_eq!(algorithm(Some("ES256"), &unnamed), Err(wrong(Algorithm::Es256)));
    // A public key that calls itself a secret (RFC 8725 §2.1).
    assert_eq!(refusal(&with("RS256", "alg", "HS256")), wrong(Algorithm::Hs256));
    assert_eq!(refusal(&with("RS256", "alg", "ES256")), wrong(Algorithm::Es256));
    for unknown in ["RSA-OAEP", "none", "rs256", ""] {
        assert_eq!(refusal(&with("RS256", "alg", unknown)), KeyError::UnknownAlgorithm, "{unknown}");
    }
}

#[test]
fn the_id_is_the_kid_if_a_token_could_name_it_else_the_thumbprint() {
    let kid = |jwk: &Value| VerifyingKey::from_jwk(None, jwk).unwrap().kid().unwrap().to_owned();
    let thumbprint = kid(&without("ES256", "kid"));
    assert_eq!(thumbprint, signing_key(Algorithm::Es256).kid().unwrap());
    assert_eq!(kid(&with("ES256", "kid", "2026-10")), "2026-10");
    for odd in [json!(""), json!("a b"), json!("../key"), json!("k".repeat(129)), json!(7), json!(null), json!(["a"])] {
        assert_eq!(kid(&with("ES256", "kid", odd.clone())), thumbprint, "{odd}");
    }
}

#[test]
fn a_key_must_be_for_signatures() {
    for (name, value, accepted) in [
        ("use", json!("sig"), Ok(())),
        ("use", json!("enc"), Err(KeyError::NotForVerifying)),
        ("use", json!("SIG"), Err(KeyError::NotForVerifying)),
        ("use", json!(""), Err(KeyError::NotForVerifying)),
        ("use", json!(null), Err(KeyError::NotJwk)),
        ("use", json!(["sig"]), Err(KeyError::NotJwk)),
        ("key_ops", json!(["verify"]), Ok(())),
        ("key_ops", json!(["encrypt", "verify"]), Ok(())),
        ("key_ops", json!(["sign"]), Err(KeyError::NotForVerifying)),
        ("key_ops", json!([]), Err(KeyError::NotForVerifying)),
        ("key_ops", json!([["verify"]]), Err(KeyError::NotForVerifying)),
        ("key_ops", json!("verify"), Err(KeyError::NotJwk)),
        ("key_ops", json!(null), Err(KeyError::NotJwk)),
    ] {
        let key = VerifyingKey::from_jwk(None, &with("EdDSA", name, value.clone())).map(|_| ());
        assert_eq!(key, accepted, "{name} {value}");
    }
    let mut both = with("EdDSA", "key_ops", json!(["verify"]));
    both["use"] = "enc".into();
    assert_eq!(refusal(&both), KeyError::NotForVerifying);
    assert!(VerifyingKey::from_jwk(None, &without("EdDSA", "use")).is_ok());
}

#[test]
fn secrets_are_refused() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for algorithm in ["RS256", "ES256", "EdDSA"] {
            for value in [json!("AA"), json!(null)] {
                assert_eq!(refusal(&with(algorithm, name, value)), KeyError::NotPublic, "{algorithm} {name}");
            }
        }
    }
    let secret = json!({"kty": "oct", "k": base64url(SECRET), "alg": "HS256", "use": "sig", "kid": "a"});
    assert_eq!(refusal(&secret), KeyError::SecretJwk);
    for asked in [Algorithm::Hs256, Algorithm::Rs256] {
        assert_eq!(VerifyingKey::from_jwk(Some(asked), &secret).unwrap_err(), KeyError::SecretJwk);
    }
    let as_hmac = VerifyingKey::from_jwk(Some(Algorithm::Hs256), &without("EdDSA", "alg")).unwrap_err();
    assert_eq!(as_hmac, KeyError::WrongKind { algorithm: Algorithm::Hs256, key: "Ed25519" });
}

#[test]
fn members_are_there_and_are_strict_base64url() {
    for (algorithm, names) in
        [("RS256", &["kty", "n", "e"][..]), ("ES384", &["kty", "x", "y"]), ("EdDSA", &["kty", "x"])]
    {
        for name in names {
            assert_eq!(refusal(&without(algorithm, name)), KeyError::NotJwk, "{algorithm} {name}");
            for value in [json!(null), json!(7), json!(["AQAB"])] {
                assert_eq!(refusal(&with(algorithm, name, value)), KeyError::NotJwk, "{algorithm} {name}");
            }
        }
    }
    assert_eq!(refusal(&without("EdDSA", "crv")), KeyError::Unsupported);
    let x = published(Algorithm::EdDsa)["x"].as_str().unwrap().to_owned();
    // The last of 43 letters has two bits to spare.
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let spare = letters.chars().nth(letters.find(x.chars().last().unwrap()).unwrap() + 1).unwrap();
    let stray = format!("{}{spare}", &x[..x.len() - 1]);
    for text in [format!("{x}="), format!("{x}\n"), format!(" {x}"), format!("{}+", &x[1..]), stray] {
        assert_eq!(refusal(&with("EdDSA", "x", text.clone())), KeyError::NotJwk, "{text:?}");
    }
    for odd in [json!(null), json!("x"), json!([published(Algorithm::EdDsa)]), json!({})] {
        assert_eq!(refusal(&odd), KeyError::NotJwk, "{odd}");
    }
}

#[test]
fn other_kinds_and_points_beside_the_curve_are_refused() {
    let zeros = |len: usize| base64url(vec![0; len]);
    let swapped = {
        let jwk = published(Algorithm::Es256);
        let mut other = jwk.clone();
        (other["x"], other["y"]) = (jwk["y"].clone(), jwk["x"].clone());
        other
    };
    for jwk in [
        with("RS256", "kty", "rsa"),
        with("RS256", "kty", "EC"),
        with("ES256", "kty", "OKP"),
        with("ES256", "crv", "P-384"),
        with("ES256", "crv", "P-521"),
        with("ES256", "crv", "secp256k1"),
        with("ES384", "crv", "P-256"),
        with("EdDSA", "crv", "X25519"),
        with("EdDSA", "crv", "Ed448"),
        with("EdDSA", "x", zeros(31)),
        with("EdDSA", "x", zeros(33)),
        with("EdDSA", "x", ""),
        with("ES256", "x", zeros(32)),
        with("ES256", "x", zeros(31)),
        with("ES256", "y", ""),
        with("ES256", "x", base64url([0xFF; 32])),
        swapped,
        json!({"kty": "EC", "crv": "P-256", "x": zeros(32), "y": zeros(32)}),
        json!({"kty": "AKP", "alg": "EdDSA", "pub": "AA"}),
    ] {
        assert_eq!(refusal(&jwk), KeyError::Unsupported, "{jwk}");
    }
    // The right bytes, shared out wrongly.
    let jwk = published(Algorithm::Es256);
    let [x, y] = ["x", "y"].map(|name| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap());
    let point = [x, y].concat();
    for middle in [0, 31, 33, 64] {
        let (x, y) = point.split_at(middle);
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)});
        assert_eq!(refusal(&jwk), KeyError::Unsupported, "{middle}");
    }
}

#[test]
fn rsa_keys_have_2048_to_8192_bits_and_a_sound_exponent() {
    let odd = |bits: usize| {
        let mut number = vec![0xFF; bits.div_ceil(8)];
        number[0] >>= number.len() * 8 - bits;
        number
    };
    let rsa = |modulus: &[u8], exponent: &[u8]| {
        let jwk = json!({"kty": "RSA", "n": base64url(modulus), "e": base64url(exponent)});
        VerifyingKey::from_jwk(None, &jwk).map(|key| key.kid().unwrap().to_owned())
    };
    const E: &[u8] = &[1, 0, 1];
    for (bits, error) in [
        (0, Some(KeyError::RsaSize)),
        (1024, Some(KeyError::RsaSize)),
        (2047, Some(KeyError::RsaSize)),
        (2048, None),
        (3072, None),
        (8192, None),
        (8193, Some(KeyError::RsaSize)),
        (1_000_000, Some(KeyError::RsaSize)),
    ] {
        assert_eq!(rsa(&odd(bits.max(1))[..bits.div_ceil(8)], E).err(), error, "{bits}");
    }
    let n = odd(2048);
    for exponent in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[0xFF; 5], &[0xFF; 256], &[0xFF; 4096]] {
        assert_eq!(rsa(&n, exponent), Err(KeyError::Unsupported), "{} bytes", exponent.len());
    }
    assert!(rsa(&n, &[3]).is_ok());
    let even = [&n[..255], &[0xFE]].concat();
    assert_eq!(rsa(&even, E), Err(KeyError::Unsupported));
    // Some libraries write a zero for the sign (RFC 7518 §6.3.1.1). It is the same key.
    assert_eq!(rsa(&[&[0], &*n].concat(), &[&[0], E].concat()), rsa(&n, E));
    assert_eq!(rsa(&[0; 256], E), Err(KeyError::RsaSize));
    let huge = rsa(&vec![0xFF; 4 * 1024 * 1024], E);
    assert_eq!(huge, Err(KeyError::RsaSize));
}

#[test]
fn a_ring_that_only_verifies_says_so_when_it_is_asked_to_sign() {
    let issuer = ring(signing_key(Algorithm::EdDsa));
    let key = || VerifyingKey::from_jwk(None, &published(Algorithm::EdDsa)).unwrap();
    let reader = KeyRing::verifying(vec![key()]).unwrap();
    let error = reader.sign(&payload()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&KeyError::NoSigningKey));
    assert_eq!((reader.algorithm(), reader.kid()), (None, None));
    assert_eq!(reader.jwks(), issuer.jwks());
    let twice = KeyRing::verifying(vec![key(), key()]).unwrap_err();
    assert_eq!(twice, KeyError::DuplicateKeyId(key().kid().unwrap().to_owned()));
    let empty = KeyRing::verifying(Vec::new()).unwrap();
    assert!(verify(&empty, &issuer.sign(&payload()).unwrap()).is_err());
    assert_eq!(empty.jwks(), json!({"keys": []}));
}

#[test]
fn no_message_contains_a_part_of_the_key() {
    for jwk in [with("EdDSA", "d", "hunter2"), with("EdDSA", "x", "hunter2"), with("RS256", "alg", "hunter2")] {
        let error = refusal(&jwk);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
