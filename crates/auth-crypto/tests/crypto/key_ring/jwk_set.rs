//! The published JWK set.

use super::*;

#[test]
fn the_jwk_set_has_the_public_keys_only() {
    let hmac = ring(signing_key(Algorithm::Hs256).with_kid("hmac").unwrap());
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

/// Verifies like another service that has only the JWK set, with `jsonwebtoken` instead of this crate.
#[test]
fn another_library_verifies_tokens_with_the_jwk_set() {
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let ring = ring(signing_key(algorithm));
        let token = ring.sign(&payload()).unwrap();
        let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(ring.jwks()).unwrap();
        let jwk = set.find(part(&token, 0)["kid"].as_str().unwrap()).unwrap();
        let mut validation = jsonwebtoken::Validation::new(algorithm.name().parse().unwrap());
        validation.validate_exp = false;
        let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
        let decoded = jsonwebtoken::decode::<serde_json::Map<String, Value>>(&token, &key, &validation).unwrap();
        assert_eq!(decoded.claims, payload(), "{algorithm}");
        assert_eq!(jwk.thumbprint(jsonwebtoken::jwk::ThumbprintHash::SHA256).unwrap(), ring.kid().unwrap());
    }
}
