//! Keys in PEM and shared secrets: which are accepted, and why others are rejected.

use auth_core::ports::TokenSigner as _;
use auth_crypto::{Algorithm, KeyError, SigningKey, VerifyingKey, generate_ed25519_pem, generate_secret};

use crate::fixture::*;

#[test]
fn parses_private_keys_in_the_formats_of_openssl() {
    for (name, pem, algorithm) in [
        ("Ed25519", ED25519, Algorithm::EdDsa),
        ("P-256", P256, Algorithm::Es256),
        ("P-256, SEC 1 with parameters", P256_SEC1, Algorithm::Es256),
        ("P-384", P384, Algorithm::Es384),
        ("P-384, SEC 1", P384_SEC1, Algorithm::Es384),
        ("RSA", RSA2048, Algorithm::Rs256),
        ("RSA, PKCS#1", RSA2048_PKCS1, Algorithm::Rs256),
    ] {
        let key = SigningKey::from_pem(None, pem).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(key.algorithm(), algorithm, "{name}");
        let ring = ring(key);
        assert!(verify(&ring, &ring.sign(&payload()).unwrap()).is_ok(), "{name}");
        for variant in [pem.replace('\n', "\r\n"), pem.trim_end().to_owned(), format!("a comment\n{pem}")] {
            assert!(SigningKey::from_pem(None, &variant).is_ok(), "{name}");
        }
    }
}

#[test]
fn parses_public_keys_in_the_formats_of_openssl_with_the_key_id_of_the_private_key() {
    for (private, public, algorithm) in [
        (ED25519, ED25519_PUBLIC, Algorithm::EdDsa),
        (P256, P256_PUBLIC, Algorithm::Es256),
        (P256, P256_PUBLIC_COMPRESSED, Algorithm::Es256),
        (P384, P384_PUBLIC, Algorithm::Es384),
        (P384_SEC1, P384_PUBLIC, Algorithm::Es384),
        (RSA2048, RSA2048_PUBLIC, Algorithm::Rs256),
        (RSA2048, RSA2048_PKCS1_PUBLIC, Algorithm::Rs256),
        (RSA2048_PKCS1, RSA2048_PUBLIC, Algorithm::Rs256),
    ] {
        let signing = SigningKey::from_pem(None, private).unwrap();
        let key = VerifyingKey::from_pem(None, public).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!((key.kid(), key.kid().map(str::len)), (signing.kid(), Some(43)));
        let token = ring(signing).sign(&payload()).unwrap();
        assert!(verify(&ring_with(signing_key(Algorithm::Hs256), vec![key]), &token).is_ok());
    }
}

#[test]
fn an_algorithm_works_with_its_kind_of_key_only() {
    for (private, public, accepted) in [
        (ED25519, ED25519_PUBLIC, &["EdDSA"][..]),
        (P256, P256_PUBLIC, &["ES256"]),
        (P384, P384_PUBLIC, &["ES384"]),
        (RSA2048, RSA2048_PUBLIC, &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]),
    ] {
        for algorithm in Algorithm::ALL {
            let is_accepted = accepted.contains(&algorithm.name());
            let signing = SigningKey::from_pem(Some(algorithm), private);
            let verifying = VerifyingKey::from_pem(Some(algorithm), public);
            if is_accepted {
                assert_eq!((signing.unwrap().algorithm(), verifying.unwrap().algorithm()), (algorithm, algorithm));
            } else {
                let is_wrong_kind = |error| matches!(error, KeyError::WrongKind { algorithm: a, .. } if a == algorithm);
                assert!(is_wrong_kind(signing.unwrap_err()) && is_wrong_kind(verifying.unwrap_err()), "{algorithm}");
            }
        }
    }
    for algorithm in Algorithm::ALL.into_iter().filter(|algorithm| !algorithm.is_symmetric()) {
        let error = SigningKey::from_secret(algorithm, SECRET).unwrap_err();
        assert_eq!(error, KeyError::WrongKind { algorithm, key: "secret" });
    }
}

#[test]
fn rejects_other_private_keys_with_the_reason() {
    let malformed = P256.replacen("MIG", "MIH", 1);
    let truncated = format!("{}-----END PRIVATE KEY-----\n", &ED25519[..60]);
    let two = [ED25519, P256].concat();
    for (name, pem, error) in [
        ("RSA of 1024 bits", RSA1024, KeyError::RsaSize),
        ("P-521", P521, KeyError::Unsupported),
        ("secp256k1", SECP256K1, KeyError::Unsupported),
        ("X25519", X25519, KeyError::Unsupported),
        ("encrypted PKCS#8", ED25519_ENCRYPTED, KeyError::Encrypted),
        ("encrypted PKCS#1", RSA2048_ENCRYPTED, KeyError::Encrypted),
        ("certificate", P256_CERTIFICATE, KeyError::Certificate),
        ("public", ED25519_PUBLIC, KeyError::NotPrivate),
        ("public PKCS#1", RSA2048_PKCS1_PUBLIC, KeyError::NotPrivate),
        ("malformed", &malformed, KeyError::Unsupported),
        ("truncated", &truncated, KeyError::Unsupported),
        ("two keys", &two, KeyError::NotPem),
        ("wrong label", &P256.replace("PRIVATE KEY", "RSA PRIVATE KEY"), KeyError::Unsupported),
        ("unknown label", &P256.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY"), KeyError::Unsupported),
        ("shared secret", SECRET, KeyError::NotPem),
        ("empty", "", KeyError::NotPem),
    ] {
        assert_eq!(SigningKey::from_pem(None, pem).unwrap_err(), error, "{name}");
    }
}

#[test]
fn rejects_other_public_keys_with_the_reason() {
    let bare = |pem: &str, len: usize| {
        let der = pem::parse(pem).unwrap().into_contents();
        pem::encode(&pem::Pem::new("PUBLIC KEY", &der[der.len() - len..]))
    };
    // 32 bytes that start with the tag of a SEQUENCE.
    let sequence = pem::encode(&pem::Pem::new("PUBLIC KEY", [0x30; 32]));
    for (name, pem, error) in [
        ("bare key", &*bare(ED25519_PUBLIC, 32), KeyError::Unsupported),
        ("32 bytes that start like a SEQUENCE", &sequence, KeyError::Unsupported),
        ("bare point", &bare(P256_PUBLIC, 65), KeyError::Unsupported),
        ("RSA of 1024 bits", RSA1024_PUBLIC, KeyError::RsaSize),
        ("P-521", P521_PUBLIC, KeyError::Unsupported),
        ("secp256k1", SECP256K1_PUBLIC, KeyError::Unsupported),
        ("X25519", X25519_PUBLIC, KeyError::Unsupported),
        ("certificate", P256_CERTIFICATE, KeyError::Certificate),
        ("private", ED25519, KeyError::NotPublic),
        ("private SEC 1", P256_SEC1, KeyError::NotPublic),
        ("private PKCS#1", RSA2048_PKCS1, KeyError::NotPublic),
        ("empty", "", KeyError::NotPem),
    ] {
        assert_eq!(VerifyingKey::from_pem(None, pem).unwrap_err(), error, "{name}");
    }
}

/// SEC-004.
#[test]
fn rejects_weak_secrets_with_the_reason() {
    use Algorithm::{Hs256, Hs384, Hs512};
    let random = |len: usize| "kN4uP0sV7bQ2xY9w".repeat(5)[..len].to_owned();
    let too_short = |algorithm, bytes, min| Some(KeyError::SecretTooShort { algorithm, bytes, min });
    let (published, is_key) = (Some(KeyError::SecretPublished), Some(KeyError::SecretIsKey));
    let body = |pem: &str| pem.lines().filter(|line| !line.starts_with('-')).collect::<String>();
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    for (algorithm, secret, error) in [
        (Hs256, random(32), None),
        (Hs384, random(48), None),
        (Hs512, random(64), None),
        (Hs256, "p\u{e4}sswort".repeat(4), None),
        (Hs256, String::new(), too_short(Hs256, 0, 32)),
        (Hs256, random(31), too_short(Hs256, 31, 32)),
        (Hs384, random(47), too_short(Hs384, 47, 48)),
        (Hs512, random(63), too_short(Hs512, 63, 64)),
        // Examples of jwt.io, of which some are long enough.
        (Hs256, "a-string-secret-at-least-256-bits-long".to_owned(), published.clone()),
        (Hs256, "your-256-bit-secret".to_owned(), published.clone()),
        (
            Hs512,
            "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long".to_owned(),
            published.clone(),
        ),
        (Hs256, "CHANGE_ME_TO_A_COMPLEX_RANDOM_SECRET".to_owned(), published.clone()),
        (Hs256, "changeme".repeat(4), published.clone()),
        (Hs512, "secret".repeat(11), published.clone()),
        // Similar to a published secret, but different.
        (Hs256, "a-string-secret-at-least-256-bits-long!".to_owned(), None),
        (Hs256, "changeme".repeat(4) + "!", None),
        (Hs256, ED25519_PUBLIC.to_owned(), is_key.clone()),
        (Hs256, ED25519.to_owned(), is_key.clone()),
        (Hs256, RSA2048_PUBLIC.to_owned(), is_key.clone()),
        (Hs256, P256_CERTIFICATE.to_owned(), is_key.clone()),
        (Hs256, format!("# our key\n{P256_PUBLIC}"), is_key.clone()),
        (Hs256, body(P256_PUBLIC), is_key.clone()),
        (Hs256, body(RSA2048_PKCS1_PUBLIC), is_key.clone()),
        (Hs256, body(ED25519_PUBLIC).replace('+', "-").replace('/', "_"), is_key.clone()),
        (Hs256, "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ9s operator@host".to_owned(), is_key.clone()),
        (Hs256, jwk.to_owned(), is_key.clone()),
    ] {
        assert_eq!(SigningKey::from_secret(algorithm, &secret).err(), error, "{secret:?}");
        assert_eq!(VerifyingKey::from_secret(algorithm, &secret).err(), error, "{secret:?}");
    }
    let der = pem::parse(P256_PUBLIC).unwrap().into_contents();
    assert_eq!(SigningKey::from_secret(Hs256, &der).err(), is_key);
}

#[test]
fn errors_are_one_line_and_do_not_contain_the_key() {
    let weak = "hunter2-hunter2";
    let errors = [
        SigningKey::from_secret(Algorithm::Hs256, weak).unwrap_err(),
        SigningKey::from_secret(Algorithm::Hs256, "your-256-bit-secret").unwrap_err(),
        SigningKey::from_secret(Algorithm::EdDsa, SECRET).unwrap_err(),
        SigningKey::from_pem(None, &ED25519.replacen("MC4C", "MC4*", 1)).unwrap_err(),
        SigningKey::from_pem(Some(Algorithm::Hs256), ED25519).unwrap_err(),
        weak.parse::<Algorithm>().unwrap_err(),
    ];
    let seed = &ED25519.lines().nth(1).unwrap()[..12];
    for error in errors {
        let message = format!("{error} {error:?}");
        assert!(!["hunter2", "your-256", "operator", seed].iter().any(|leak| message.contains(leak)), "{message}");
        assert!(!message.contains('\n'), "more than one line: {message}");
    }
    let error = SigningKey::from_secret(Algorithm::Hs256, weak).unwrap_err();
    assert_eq!(error.to_string(), "the secret has 15 bytes; HS256 needs at least 32");
}

#[test]
fn a_key_id_has_1_to_128_allowed_characters() {
    for (kid, accepted) in [
        ("2026-10_a~b.c:d=e+f@g", true),
        (&*"k".repeat(128), true),
        (&"k".repeat(129), false),
        ("", false),
        ("a b", false),
        ("a/b", false),
        ("a\n", false),
        ("\u{e4}", false),
        ("\"", false),
    ] {
        assert_eq!(signing_key(Algorithm::Hs256).with_kid(kid).is_ok(), accepted, "{kid:?}");
        let verifying = signing_key(Algorithm::EdDsa).verifying_key().with_kid(kid);
        assert_eq!(
            verifying.map(|key| key.kid() == Some(kid)),
            if accepted { Ok(true) } else { Err(KeyError::InvalidKeyId) }
        );
    }
}

#[test]
fn generated_keys_are_valid_and_unique() {
    let (one, other) = (generate_ed25519_pem().unwrap(), generate_ed25519_pem().unwrap());
    assert_ne!(*one, *other);
    assert!(
        one.starts_with("-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEI")
            && one.ends_with("-----END PRIVATE KEY-----\n")
    );
    let key = SigningKey::from_pem(None, &one).unwrap();
    assert_eq!(key.algorithm(), Algorithm::EdDsa);

    let (one, other) = (generate_secret().unwrap(), generate_secret().unwrap());
    assert_ne!(*one, *other);
    assert!(one.len() == 64 && one.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        assert!(SigningKey::from_secret(algorithm, &*one).is_ok());
    }
}
