//! Public keys as JSON Web Keys: which are accepted, and why others are rejected.

use auth_core::ports::TokenSigner as _;
use auth_crypto::{Algorithm, KeyError, KeyRing, VerifyingKey};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::fixture::*;

/// Returns the JWK that an issuer publishes.
fn published(algorithm: Algorithm) -> Value {
    ring(signing_key(algorithm)).jwks()["keys"][0].clone()
}

fn asymmetric() -> impl Iterator<Item = Algorithm> {
    Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric())
}

/// Returns a published JWK with one member replaced.
fn with(algorithm: &str, name: &str, value: impl Into<Value>) -> Value {
    let mut jwk = published(algorithm.parse().unwrap());
    jwk[name] = value.into();
    jwk
}

/// Returns a published JWK with one member removed.
fn without(algorithm: &str, name: &str) -> Value {
    let mut jwk = published(algorithm.parse().unwrap());
    jwk.as_object_mut().unwrap().remove(name).unwrap();
    jwk
}

fn rejection(jwk: &Value) -> KeyError {
    VerifyingKey::from_jwk(None, jwk).unwrap_err()
}

#[test]
fn published_keys_verify_the_tokens_of_their_ring() {
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
fn the_algorithm_is_the_requested_one_or_alg_or_the_default() {
    let algorithm = |requested: Option<&str>, jwk: &Value| {
        let requested = requested.map(|name| name.parse().unwrap());
        VerifyingKey::from_jwk(requested, jwk).map(|key| key.algorithm().name())
    };
    let (ps384, without_alg) = (published(Algorithm::Ps384), without("PS384", "alg"));
    assert_eq!(algorithm(None, &ps384), Ok("PS384"));
    assert_eq!(algorithm(Some("PS384"), &ps384), Ok("PS384"));
    assert_eq!(algorithm(None, &without_alg), Ok("RS256"));
    assert_eq!(algorithm(Some("PS512"), &without_alg), Ok("PS512"));
    for name in ["ES256", "ES384", "EdDSA"] {
        assert_eq!(algorithm(None, &without(name, "alg")), Ok(name));
    }
    let mismatch = KeyError::AlgorithmMismatch { requested: Algorithm::Rs256, declared: Algorithm::Ps384 };
    assert_eq!(algorithm(Some("RS256"), &ps384), Err(mismatch));
    let wrong = |algorithm| KeyError::WrongKind { algorithm, key: "RSA" };
    assert_eq!(algorithm(Some("ES256"), &without_alg), Err(wrong(Algorithm::Es256)));
    // A public key that declares an HMAC algorithm (RFC 8725 §2.1).
    assert_eq!(rejection(&with("RS256", "alg", "HS256")), wrong(Algorithm::Hs256));
    assert_eq!(rejection(&with("RS256", "alg", "ES256")), wrong(Algorithm::Es256));
    for unknown in ["RSA-OAEP", "none", "rs256", ""] {
        assert_eq!(rejection(&with("RS256", "alg", unknown)), KeyError::UnknownAlgorithm, "{unknown}");
    }
}

#[test]
fn the_key_id_is_the_kid_if_valid_or_the_thumbprint() {
    let kid = |jwk: &Value| VerifyingKey::from_jwk(None, jwk).unwrap().kid().unwrap().to_owned();
    let thumbprint = kid(&without("ES256", "kid"));
    assert_eq!(thumbprint, signing_key(Algorithm::Es256).kid().unwrap());
    assert_eq!(kid(&with("ES256", "kid", "2026-10")), "2026-10");
    for invalid in
        [json!(""), json!("a b"), json!("../key"), json!("k".repeat(129)), json!(7), json!(null), json!(["a"])]
    {
        assert_eq!(kid(&with("ES256", "kid", invalid.clone())), thumbprint, "{invalid}");
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
    assert_eq!(rejection(&both), KeyError::NotForVerifying);
    assert!(VerifyingKey::from_jwk(None, &without("EdDSA", "use")).is_ok());
}

#[test]
fn rejects_private_and_symmetric_keys() {
    for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
        for algorithm in ["RS256", "ES256", "EdDSA"] {
            for value in [json!("AA"), json!(null)] {
                assert_eq!(rejection(&with(algorithm, name, value)), KeyError::NotPublic, "{algorithm} {name}");
            }
        }
    }
    let secret = json!({"kty": "oct", "k": base64url(SECRET), "alg": "HS256", "use": "sig", "kid": "a"});
    assert_eq!(rejection(&secret), KeyError::SecretJwk);
    for requested in [Algorithm::Hs256, Algorithm::Rs256] {
        assert_eq!(VerifyingKey::from_jwk(Some(requested), &secret).unwrap_err(), KeyError::SecretJwk);
    }
    let as_hmac = VerifyingKey::from_jwk(Some(Algorithm::Hs256), &without("EdDSA", "alg")).unwrap_err();
    assert_eq!(as_hmac, KeyError::WrongKind { algorithm: Algorithm::Hs256, key: "Ed25519" });
}

#[test]
fn requires_all_members_in_strict_base64url() {
    for (algorithm, names) in
        [("RS256", &["kty", "n", "e"][..]), ("ES384", &["kty", "x", "y"]), ("EdDSA", &["kty", "x"])]
    {
        for name in names {
            assert_eq!(rejection(&without(algorithm, name)), KeyError::NotJwk, "{algorithm} {name}");
            for value in [json!(null), json!(7), json!(["AQAB"])] {
                assert_eq!(rejection(&with(algorithm, name, value)), KeyError::NotJwk, "{algorithm} {name}");
            }
        }
    }
    assert_eq!(rejection(&without("EdDSA", "crv")), KeyError::Unsupported);
    let x = published(Algorithm::EdDsa)["x"].as_str().unwrap().to_owned();
    // The last of 43 characters has two unused bits.
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = alphabet.chars().nth(alphabet.find(x.chars().last().unwrap()).unwrap() + 1).unwrap();
    let trailing_bits = format!("{}{last}", &x[..x.len() - 1]);
    for value in [format!("{x}="), format!("{x}\n"), format!(" {x}"), format!("{}+", &x[1..]), trailing_bits] {
        assert_eq!(rejection(&with("EdDSA", "x", value.clone())), KeyError::NotJwk, "{value:?}");
    }
    for value in [json!(null), json!("x"), json!([published(Algorithm::EdDsa)]), json!({})] {
        assert_eq!(rejection(&value), KeyError::NotJwk, "{value}");
    }
}

#[test]
fn rejects_other_key_types_and_points_not_on_the_curve() {
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
        assert_eq!(rejection(&jwk), KeyError::Unsupported, "{jwk}");
    }
    // The right bytes, split at the wrong position.
    let jwk = published(Algorithm::Es256);
    let [x, y] = ["x", "y"].map(|name| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap());
    let point = [x, y].concat();
    for middle in [0, 31, 33, 64] {
        let (x, y) = point.split_at(middle);
        let jwk = json!({"kty": "EC", "crv": "P-256", "x": base64url(x), "y": base64url(y)});
        assert_eq!(rejection(&jwk), KeyError::Unsupported, "{middle}");
    }
}

#[test]
fn rsa_keys_must_have_2048_to_8192_bits_and_a_valid_exponent() {
    let modulus = |bits: usize| {
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
        assert_eq!(rsa(&modulus(bits.max(1))[..bits.div_ceil(8)], E).err(), error, "{bits}");
    }
    let n = modulus(2048);
    for exponent in [&[][..], &[0], &[1], &[2], &[1, 0, 0], &[0xFF; 5], &[0xFF; 256], &[0xFF; 4096]] {
        assert_eq!(rsa(&n, exponent), Err(KeyError::Unsupported), "{} bytes", exponent.len());
    }
    assert!(rsa(&n, &[3]).is_ok());
    let even = [&n[..255], &[0xFE]].concat();
    assert_eq!(rsa(&even, E), Err(KeyError::Unsupported));
    // A leading zero, which some libraries write (RFC 7518 §6.3.1.1), does not change the key.
    assert_eq!(rsa(&[&[0], &*n].concat(), &[&[0], E].concat()), rsa(&n, E));
    assert_eq!(rsa(&[0; 256], E), Err(KeyError::RsaSize));
    let huge = rsa(&vec![0xFF; 4 * 1024 * 1024], E);
    assert_eq!(huge, Err(KeyError::RsaSize));
}

#[test]
fn a_verifying_ring_cannot_sign() {
    let issuer = ring(signing_key(Algorithm::EdDsa));
    let key = || VerifyingKey::from_jwk(None, &published(Algorithm::EdDsa)).unwrap();
    let reader = KeyRing::verifying(vec![key()]).unwrap();
    let error = reader.sign(&payload()).unwrap_err();
    assert_eq!(error.downcast_ref(), Some(&KeyError::NoSigningKey));
    assert_eq!((reader.algorithm(), reader.kid()), (None, None));
    assert_eq!(reader.jwks(), issuer.jwks());
    let duplicate = KeyRing::verifying(vec![key(), key()]).unwrap_err();
    assert_eq!(duplicate, KeyError::DuplicateKeyId(key().kid().unwrap().to_owned()));
    let empty = KeyRing::verifying(Vec::new()).unwrap();
    assert!(verify(&empty, &issuer.sign(&payload()).unwrap()).is_err());
    assert_eq!(empty.jwks(), json!({"keys": []}));
}

#[test]
fn errors_do_not_contain_the_key() {
    for jwk in [with("EdDSA", "d", "hunter2"), with("EdDSA", "x", "hunter2"), with("RS256", "alg", "hunter2")] {
        let error = rejection(&jwk);
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
    }
}
