//! Forged and altered tokens.

use super::*;

/// SEC-002, SEC-003, SEC-005, SEC-006, SEC-007. Every signature is valid; only the headers are malicious or unusual.
#[test]
fn rejects_malicious_headers() {
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
    // Signed with the key that the header contains or refers to.
    for header in [embeds("jwk", embedded), embeds("jku", json!("https://attacker.example/jwks.json"))] {
        let token = hmac_token(HMAC_SHA256, OTHER_SECRET.as_bytes(), header.as_bytes(), b"{}");
        assert_eq!(verify(&ring, &token), Err(TokenFault::NotOurs), "{header}");
    }
}

#[test]
fn rejects_unsigned_tokens_and_other_hashes_with_the_same_secret() {
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

/// CVE-2016-10555: a public key, in any format, used as the HMAC secret.
#[test]
fn rejects_hmac_with_a_public_key() {
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
fn rejects_parts_that_are_not_strict_base64url() {
    let ring = ring(signing_key(Algorithm::Hs256));
    let token = ring.sign(&payload()).unwrap();
    // 32 bytes are 43 characters, the last of which has 2 unused bits.
    let (_, signature) = token.rsplit_once('.').unwrap();
    assert_eq!(signature.len(), 43);
    let last = token.chars().last().unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let index = alphabet.find(last).unwrap();
    for trailing_bits in 1..4 {
        let mut variant = token.clone();
        variant.pop();
        variant.push_str(&alphabet[index + trailing_bits..=index + trailing_bits]);
        assert_eq!(verify(&ring, &variant), Err(TokenFault::NotOurs), "trailing bits {trailing_bits}");
    }
    // Signed with the encoding as it is, so that only the encoding is wrong.
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
        // {"alg":"HS256" }, without and with a trailing bit.
        ("eyJhbGciOiJIUzI1NiIgfQ.eyJhIjoxfQ", true),
        ("eyJhbGciOiJIUzI1NiIgfR.eyJhIjoxfQ", false),
    ] {
        assert_eq!(verify(&ring, &sign(message)).is_ok(), accepted, "{message:?}");
    }
}

#[test]
fn rejects_tokens_altered_after_signing() {
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

/// A JWS has ECDSA signatures in the fixed format R || S (RFC 7518 §3.4).
#[test]
fn rejects_ecdsa_signatures_in_der() {
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
fn a_payload_is_a_json_object_and_the_last_duplicate_claim_counts() {
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
