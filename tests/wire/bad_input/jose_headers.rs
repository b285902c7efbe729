//! Attacks on the header and the encoding of a token (SEC-002 to SEC-009). The claims are those of a valid token, so that
//! only the attack can cause the refusal.

use std::net::TcpListener;

use auth_tests::answers::{Findings, assert_status};
use auth_tests::cases;
use auth_tests::raw_connection::exchange;
use libtest_mimic::Trial;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::json;

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::forged_tokens::{
    Claims, HEADER, SIGNING_KEY, base64url, from_base64url, hmac, parts, sign, sign_with,
};
use crate::bad_input::published_vectors::{as_bearer, refused_everywhere};
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            refuses_the_algorithm_none_in_any_spelling,
            accepts_only_the_configured_algorithm,
            a_key_id_only_selects_a_configured_key,
            keys_in_a_token_are_ignored,
            refuses_critical_extensions,
            accepts_only_strict_compact_serialization,
            a_payload_must_be_one_json_object,
            refuses_signatures_under_other_keys,
            accepts_header_members_unrelated_to_keys,
            refuses_a_deeply_nested_payload,
            refuses_an_overlong_token;
        servers.development =>
            refuses_the_algorithm_none_in_any_spelling,
            accepts_only_the_configured_algorithm,
            a_key_id_only_selects_a_configured_key,
            keys_in_a_token_are_ignored,
            refuses_critical_extensions,
            accepts_only_strict_compact_serialization,
            a_payload_must_be_one_json_object,
            refuses_signatures_under_other_keys,
            accepts_header_members_unrelated_to_keys,
            refuses_a_deeply_nested_payload,
            refuses_an_overlong_token,
    ]
}

/// An account whose valid tokens are the templates of the forged ones.
struct ValidTokens {
    /// A valid access token, for endpoints that also need a forged one.
    access: String,
    /// The payloads of its access token and its refresh token.
    payloads: [String; 2],
}

impl ValidTokens {
    async fn new(service: &Service) -> Self {
        let pair = service.register_and_login(&fresh("model")).await;
        let payloads = [&pair.access, &pair.refresh].map(|token| Claims::of(token).json());
        Self { access: pair.access, payloads }
    }

    /// Forges a token from each payload and asserts that every endpoint refuses it. Then asserts that correctly signed tokens
    /// with the same claims are accepted: nothing else was wrong with the forged ones, and none of them revoked anything.
    async fn assert_refused(&self, service: &Service, attacks: &[Attack]) {
        let mut findings = Findings::default();
        for Attack { what, forge } in attacks {
            for payload in &self.payloads {
                refused_everywhere(service, &mut findings, &self.access, what, &forge(payload)).await;
            }
        }
        findings.assert_none();
        let [access, refresh] = self.payloads.each_ref().map(|payload| sign(HEADER, payload));
        assert_status(&service.me(&access).await, 200);
        assert_status(&service.refresh(&refresh).await, 200);
    }
}

/// A way to forge a token from a payload.
struct Attack {
    what: String,
    forge: Box<dyn Fn(&str) -> String>,
}

fn attack(what: impl ToString, forge: impl Fn(&str) -> String + 'static) -> Attack {
    Attack { what: what.to_string(), forge: Box::new(forge) }
}

/// A different header with a valid signature.
fn header(json: impl ToString) -> Attack {
    let json = json.to_string();
    attack(format!("{json:.80}"), move |payload| sign(&json, payload))
}

/// A token with this header and an arbitrary signature.
fn with_signature(header: &str, payload: &str, signature: impl AsRef<[u8]>) -> String {
    format!("{}.{}.{}", base64url(header), base64url(payload), base64url(signature))
}

async fn refuses_the_algorithm_none_in_any_spelling(service: &Service) {
    let mut attacks = Vec::new();
    for alg in ["none", "None", "NONE", "nOnE", "noNe", "none ", " none", "none\\u0000", "n\\u006fne", ""] {
        let json = format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#);
        attacks.push(header(&json));
        let (bare, short) = (json.clone(), json.clone());
        attacks.push(attack(format!("{json}, no signature"), move |payload| with_signature(&bare, payload, "")));
        attacks.push(attack(format!("{json}, some signature"), move |payload| with_signature(&short, payload, "x")));
        attacks.push(attack(format!("{json}, no last part"), move |payload| {
            format!("{}.{}", base64url(&json), base64url(payload))
        }));
    }
    ValidTokens::new(service).await.assert_refused(service, &attacks).await;
}

async fn accepts_only_the_configured_algorithm(service: &Service) {
    let mut attacks = Vec::new();
    for alg in [
        r#""HS384""#,
        r#""HS512""#,
        r#""RS256""#,
        r#""PS256""#,
        r#""ES256""#,
        r#""EdDSA""#,
        r#""hs256""#,
        r#""Hs256""#,
        r#""HS256 ""#,
        r#""HS-256""#,
        r#""HMAC""#,
        r#""SHA256""#,
        r#""dir""#,
        "null",
        "true",
        "256",
        "[]",
        "{}",
        r#"["HS256"]"#,
        r#"{"alg":"HS256"}"#,
    ] {
        attacks.push(header(format!(r#"{{"alg":{alg},"typ":"JWT"}}"#)));
    }
    // Correctly signed under the same key, but with another algorithm.
    for alg in ["HS384", "HS512"] {
        attacks.push(attack(format!("{alg} of the same key"), move |payload| {
            let message = format!("{}.{}", base64url(format!(r#"{{"alg":"{alg}","typ":"JWT"}}"#)), base64url(payload));
            format!("{message}.{}", base64url(hmac(alg, SIGNING_KEY.as_bytes(), &message)))
        }));
        attacks.push(attack(format!("{alg} called HS256"), move |payload| {
            let message = format!("{}.{}", base64url(HEADER), base64url(payload));
            format!("{message}.{}", base64url(hmac(alg, SIGNING_KEY.as_bytes(), &message)))
        }));
    }
    for json in [
        r#"{"typ":"JWT"}"#,
        r#"{"Alg":"HS256"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"alg":"HS256","alg":"none"}"#,
        r#"{"alg":"HS256","alg":"HS256"}"#,
        r#"{"alg":"HS256"}{}"#,
        r#"{"alg":"HS256""#,
        r#"{'alg':'HS256'}"#,
        r#"[{"alg":"HS256"}]"#,
        r#""HS256""#,
        "null",
        "7",
        "\u{FEFF}{\"alg\":\"HS256\"}",
        "",
    ] {
        attacks.push(header(json));
    }
    ValidTokens::new(service).await.assert_refused(service, &attacks).await;
}

async fn a_key_id_only_selects_a_configured_key(service: &Service) {
    let mut attacks = Vec::new();
    for kid in [
        r#""../../../../../../dev/null""#,
        r#""/dev/null""#,
        r#""/proc/sys/kernel/randomize_va_space""#,
        r#""file:///dev/null""#,
        r#""http://127.0.0.1/key""#,
        r#""C:\\keys\\key""#,
        r#""x' UNION SELECT 'key';--""#,
        r#""' OR '1'='1""#,
        r#""key\u0000.pem""#,
        r#""\u0000""#,
        r#""a\r\nb""#,
        r#""$(id)""#,
        r#""|id""#,
        r#""${jndi:ldap://127.0.0.1/x}""#,
        r#""k\u00e9y""#,
        r#""""#,
        "null",
        "0",
        "true",
        "[]",
        "{}",
        r#"["key"]"#,
        r#"{"kid":"key"}"#,
        r#"{"$gt":""}"#,
    ] {
        let json = format!(r#"{{"alg":"HS256","kid":{kid},"typ":"JWT"}}"#);
        // Under keys that a faulty lookup might return, and under the right key.
        for key in ["", "key", "null", "0", "2", SIGNING_KEY] {
            let json = json.clone();
            attacks.push(attack(format!("{json} under {key:?}"), move |payload| {
                sign_with(key.as_bytes(), &json, payload)
            }));
        }
    }
    let long = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(1_000));
    attacks.push(header(long));
    attacks.push(attack("a harmless kid, another key", |payload| {
        sign_with(b"another-key-another-key-another-key", r#"{"alg":"HS256","kid":"key-1"}"#, payload)
    }));
    let valid = ValidTokens::new(service).await;
    valid.assert_refused(service, &attacks).await;

    // 8 kB exceed the limits of a header and of a token.
    let long = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(8_192));
    let [access, refresh] = valid.payloads.each_ref().map(|payload| sign(&long, payload));
    assert_status(&as_bearer(service, &access).await.unwrap(), 431);
    assert_status(&service.refresh(&refresh).await, 401);
}

async fn keys_in_a_token_are_ignored(service: &Service) {
    // Catches attempts to fetch a key.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let index = format!("http://{}/jwks.json", listener.local_addr().unwrap());

    const OWN: &str = "a-key-that-the-attacker-made-for-this-token";
    let jwk = json!({"kty": "oct", "k": base64url(OWN), "alg": "HS256", "kid": "own"});
    let rows = [
        json!({"alg": "HS256", "jwk": jwk}),
        json!({"alg": "HS256", "kid": "own", "jwk": jwk}),
        json!({"alg": "HS256", "jwks": {"keys": [jwk]}}),
        json!({"alg": "HS256", "jku": index}),
        json!({"alg": "HS256", "kid": "own", "jku": index}),
        json!({"alg": "HS256", "x5u": index}),
        json!({"alg": "HS256", "x5u": index, "x5t": "x", "x5t#S256": "x"}),
        json!({"alg": "HS256", "x5c": [base64url(OWN)]}),
        json!({"alg": "HS256", "k": base64url(OWN), "key": OWN, "iss": index}),
    ];
    let mut attacks = Vec::new();
    for row in &rows {
        let json = row.to_string();
        attacks.push(attack(row, move |payload| sign_with(OWN.as_bytes(), &json, payload)));
    }
    // A key pair of the attacker, embedded in the token.
    let pair = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(pair.as_ref()).unwrap();
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key())});
    let json = json!({"alg": "EdDSA", "jwk": jwk, "jku": index}).to_string();
    attacks.push(attack("a key pair in the token", move |payload| {
        let message = format!("{}.{}", base64url(&json), base64url(payload));
        format!("{message}.{}", base64url(pair.sign(message.as_bytes())))
    }));
    let valid = ValidTokens::new(service).await;
    // URLs in correctly signed tokens are not followed either.
    for row in &rows {
        as_bearer(service, &sign(&row.to_string(), &valid.payloads[0])).await.unwrap();
    }
    valid.assert_refused(service, &attacks).await;
    let connection = listener.accept().map(|(_, address)| address);
    let is_untouched = connection.as_ref().err().is_some_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
    assert!(is_untouched, "the server requested a key: {connection:?}");
}

async fn refuses_critical_extensions(service: &Service) {
    let mut attacks = Vec::new();
    for json in [
        r#"{"alg":"HS256","crit":["exp"],"exp":1}"#,
        r#"{"alg":"HS256","crit":["http://example.com/understood"],"http://example.com/understood":true}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":true}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","crit":["alg"]}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":null}"#,
        r#"{"alg":"HS256","crit":"exp"}"#,
        r#"{"alg":"HS256","crit":{}}"#,
        r#"{"alg":"HS256","b64":false}"#,
    ] {
        attacks.push(header(json));
    }
    // A signature over the unencoded payload (RFC 7797).
    attacks.push(attack("an unencoded payload", |payload| {
        let message = format!("{}.{payload}", base64url(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#));
        format!("{message}.{}", base64url(hmac("HS256", SIGNING_KEY.as_bytes(), &message)))
    }));
    attacks.push(attack("an encoded payload, signed unencoded", |payload| {
        let header = base64url(r#"{"alg":"HS256","crit":["b64"],"b64":false}"#);
        let signature = hmac("HS256", SIGNING_KEY.as_bytes(), &format!("{header}.{payload}"));
        format!("{header}.{}.{}", base64url(payload), base64url(signature))
    }));
    ValidTokens::new(service).await.assert_refused(service, &attacks).await;
}

/// A valid token with its parts changed.
fn reshaped(what: &str, reshape: impl Fn([&str; 3]) -> String + 'static) -> Attack {
    attack(what, move |payload| reshape(parts(&sign(HEADER, payload))))
}

/// Returns the same bytes in base64url, with non-zero unused bits in the last character.
fn with_stray_bits(part: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (head, last) = part.split_at(part.len() - 1);
    let index = ALPHABET.find(last).unwrap();
    format!("{head}{}", &ALPHABET[index + 1..index + 2])
}

async fn accepts_only_strict_compact_serialization(service: &Service) {
    let attacks = vec![
        reshaped("padding after the header", |[a, b, c]| format!("{a}=.{b}.{c}")),
        reshaped("padding after the payload", |[a, b, c]| format!("{a}.{b}=.{c}")),
        reshaped("padding after the signature", |[a, b, c]| format!("{a}.{b}.{c}=")),
        reshaped("a blank after the header", |[a, b, c]| format!("{a} .{b}.{c}")),
        reshaped("a blank in the payload", |[a, b, c]| format!("{a}.{}  {}.{c}", &b[..4], &b[4..])),
        reshaped("a line break before the signature", |[a, b, c]| format!("{a}.{b}.\n{c}")),
        reshaped("a tab", |[a, b, c]| format!("{a}.\t{b}.{c}")),
        reshaped("a control character after it", |[a, b, c]| format!("{a}.{b}.{c}\u{1}")),
        reshaped("a dot before it", |[a, b, c]| format!(".{a}.{b}.{c}")),
        reshaped("a dot after it", |[a, b, c]| format!("{a}.{b}.{c}.")),
        reshaped("four parts", |[a, b, c]| format!("{a}.{b}.{c}.{c}")),
        reshaped("five parts", |[a, b, c]| format!("{a}.{b}.{c}.{c}.{c}")),
        reshaped("two parts", |[a, b, _]| format!("{a}.{b}")),
        reshaped("one part", |[a, _, _]| a.to_owned()),
        reshaped("no dots", |[a, b, c]| format!("{a}{b}{c}")),
        reshaped("no header", |[_, b, c]| format!(".{b}.{c}")),
        reshaped("no payload", |[a, _, c]| format!("{a}..{c}")),
        reshaped("no signature", |[a, b, _]| format!("{a}.{b}.")),
        reshaped("only dots", |_| "..".to_owned()),
        reshaped("the parts in another order", |[a, b, c]| format!("{b}.{a}.{c}")),
        reshaped("quotes", |[a, b, c]| format!("\"{a}.{b}.{c}\"")),
        reshaped("percent signs", |[a, b, c]| format!("{a}%2E{b}%2E{c}")),
        reshaped("the scheme in front", |[a, b, c]| format!("Bearer {a}.{b}.{c}")),
        reshaped("twice, with a comma", |[a, b, c]| format!("{a}.{b}.{c},{a}.{b}.{c}")),
        reshaped("the JSON form", |[a, b, c]| json!({"protected": a, "payload": b, "signature": c}).to_string()),
        reshaped("the general JSON form", |[a, b, c]| {
            json!({"payload": b, "signatures": [{"protected": a, "signature": c}]}).to_string()
        }),
        reshaped("stray bits in the signature", |[a, b, c]| format!("{a}.{b}.{}", with_stray_bits(c))),
        reshaped("a letter more in the signature", |[a, b, c]| format!("{a}.{b}.{c}A")),
        reshaped("a letter less in the signature", |[a, b, c]| format!("{a}.{b}.{}", &c[..c.len() - 1])),
        reshaped("a signature of zeros", |[a, b, _]| format!("{a}.{b}.{}", base64url([0; 32]))),
        reshaped("a signature of one byte", |[a, b, c]| format!("{a}.{b}.{}", base64url(&from_base64url(c)[..1]))),
        reshaped("half a signature", |[a, b, c]| format!("{a}.{b}.{}", base64url(&from_base64url(c)[..16]))),
        reshaped("a byte more", |[a, b, c]| format!("{a}.{b}.{}", base64url([from_base64url(c), vec![0]].concat()))),
        reshaped("a changed bit", |[a, b, c]| {
            let mut signature = from_base64url(c);
            signature[31] ^= 1;
            format!("{a}.{b}.{}", base64url(signature))
        }),
        reshaped("the signature in hexadecimal", |[a, b, c]| {
            let hex: String = from_base64url(c).iter().map(|byte| format!("{byte:02x}")).collect();
            format!("{a}.{b}.{hex}")
        }),
        reshaped("the signature of another token", |[a, b, _]| {
            let other = sign(HEADER, "{}");
            format!("{a}.{b}.{}", parts(&other)[2])
        }),
    ];
    let valid = ValidTokens::new(service).await;
    valid.assert_refused(service, &attacks).await;

    // The signature covers unused bits before it: such tokens must be signed, and are refused all the same.
    let mut findings = Findings::default();
    for payload in &valid.payloads {
        // Enough spaces that both parts end with unused bits.
        let padding = " ".repeat((3 - payload.len() % 3) % 3 + 1);
        let (header, payload) = (base64url(r#"{"alg":"HS256"} "#), base64url(format!("{payload}{padding}")));
        assert!(header.len() % 4 != 0 && payload.len() % 4 != 0);
        let sign = |message: String| {
            let signature = base64url(hmac("HS256", SIGNING_KEY.as_bytes(), &message));
            format!("{message}.{signature}")
        };
        for (what, token) in [
            ("stray bits in the header", sign(format!("{}.{payload}", with_stray_bits(&header)))),
            ("stray bits in the payload", sign(format!("{header}.{}", with_stray_bits(&payload)))),
            ("signed padding", sign(format!("{header}==.{payload}"))),
        ] {
            refused_everywhere(service, &mut findings, &valid.access, what, &token).await;
        }
        let good = sign(format!("{header}.{payload}"));
        let answer = service.post("/api/token/verify/", None, json!({"token": good})).await;
        findings
            .check_that([200, 400].contains(&answer.status.as_u16()), || format!("the valid token: {}", answer.text));
    }
    findings.assert_none();
}

async fn a_payload_must_be_one_json_object(service: &Service) {
    let other = |what: &str, make: fn(&str) -> Vec<u8>| attack(what, move |payload| sign(HEADER, make(payload)));
    let attacks = vec![
        other("a list", |payload| format!("[{payload}]").into_bytes()),
        other("a string", |payload| json!(payload).to_string().into_bytes()),
        other("a number", |_| b"1".to_vec()),
        other("null", |_| b"null".to_vec()),
        other("true", |_| b"true".to_vec()),
        other("a blank", |_| b" ".to_vec()),
        other("a comma too many", |payload| payload.replace('}', ",}").into_bytes()),
        other("no end", |payload| payload.replace('}', "").into_bytes()),
        other("two objects", |payload| format!("{payload}{payload}").into_bytes()),
        other("single quotes", |payload| payload.replace('"', "'").into_bytes()),
        other("a byte order mark", |payload| format!("\u{FEFF}{payload}").into_bytes()),
        other("UTF-16", |payload| payload.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        other("not UTF-8", |payload| [payload.replace('}', ",\"x\":\"").as_bytes(), b"\xFF\"}"].concat()),
        other("NaN", |payload| payload.replace('}', ",\"x\":NaN}").into_bytes()),
        other("a NUL after it", |payload| format!("{payload}\0").into_bytes()),
        other("a token in a token", |payload| sign(HEADER, payload).into_bytes()),
    ];
    ValidTokens::new(service).await.assert_refused(service, &attacks).await;
}

async fn refuses_signatures_under_other_keys(service: &Service) {
    let mut attacks = Vec::new();
    for key in [
        String::new(),
        "secret".to_owned(),
        "\0".to_owned(),
        format!("{SIGNING_KEY}\n"),
        format!(" {SIGNING_KEY}"),
        SIGNING_KEY.to_uppercase(),
        SIGNING_KEY[..32].to_owned(),
        base64url(SIGNING_KEY),
        "HS256".to_owned(),
    ] {
        attacks.push(attack(format!("under {key:?}"), move |payload| sign_with(key.as_bytes(), HEADER, payload)));
    }
    let hash = hmac("HS256", b"", SIGNING_KEY);
    attacks.push(attack("under a hash of the key", move |payload| sign_with(&hash, HEADER, payload)));
    // A valid token with one claim changed afterwards.
    attacks.push(attack("a changed claim", |payload| {
        let token = sign(HEADER, payload);
        let [header, _, signature] = parts(&token);
        format!("{header}.{}.{signature}", base64url(payload.replace("user_id", "user_ie")))
    }));
    attacks.push(attack("a changed header", |payload| {
        let token = sign(HEADER, payload);
        let [_, payload, signature] = parts(&token);
        format!("{}.{payload}.{signature}", base64url(r#"{"typ":"JWT","alg":"HS256"}"#))
    }));
    ValidTokens::new(service).await.assert_refused(service, &attacks).await;
}

async fn accepts_header_members_unrelated_to_keys(service: &Service) {
    let valid = ValidTokens::new(service).await;
    let mut findings = Findings::default();
    for json in [
        r#"{"alg":"HS256"}"#,
        r#" { "typ" : "JWT" ,  "alg" : "HS256" } "#,
        r#"{"alg":"HS256","typ":"at+jwt"}"#,
        r#"{"alg":"HS256","typ":null,"cty":"JWT"}"#,
        r#"{"alg":"HS256","kid":"key-1","x":[1,{"y":null}]}"#,
    ] {
        let answer = as_bearer(service, &sign(json, &valid.payloads[0])).await.unwrap();
        findings.check(json, &answer, &[200]);
    }
    findings.assert_none();
}

async fn refuses_a_deeply_nested_payload(service: &Service) {
    let mut attacks = Vec::new();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        // As deep as fits into a token, and deeper.
        for depth in [200, 900, 3_000] {
            attacks.push(attack(format!("{depth} times {open}"), move |payload| {
                let deep = format!("{}1{}", open.repeat(depth), close.repeat(depth));
                sign(HEADER, payload.replacen('{', &format!("{{\"deep\":{deep},"), 1))
            }));
        }
    }
    let valid = ValidTokens::new(service).await;
    let mut findings = Findings::default();
    for Attack { what, forge } in &attacks {
        for payload in &valid.payloads {
            let token = forge(payload);
            if let Some(answer) = as_bearer(service, &token).await {
                let too_long = token.len() + "Bearer ".len() > 8_190;
                findings.check(format!("{what} as bearer"), &answer, &[if too_long { 431 } else { 401 }]);
            }
            for (path, field) in [("refresh", "refresh"), ("verify", "token"), ("blacklist", "refresh")] {
                let answer = service.post(&format!("/api/token/{path}/"), None, json!({field: token})).await;
                findings.check(format!("{what} at {path}"), &answer, &[401]);
            }
        }
    }
    // Moderate nesting is accepted.
    let flat = valid.payloads[0].replacen('{', r#"{"deep":[[[[{"a":[1]}]]]],"#, 1);
    findings.check("a flat one", &as_bearer(service, &sign(HEADER, flat)).await.unwrap(), &[200]);
    findings.assert_none();
}

async fn refuses_an_overlong_token(service: &Service) {
    let valid = ValidTokens::new(service).await;
    let address = service.server().address();
    let mut findings = Findings::default();
    for length in [8_300, 20_000, 40_000] {
        let padded = |payload: &String| payload.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(length)), 1);
        let [access, refresh] = valid.payloads.each_ref().map(|payload| sign(HEADER, padded(payload)));
        findings.check(length, &as_bearer(service, &access).await.unwrap(), &[431]);
        let answer = service.refresh(&refresh).await;
        findings.check(format!("{length} at refresh"), &answer, &[401]);
        let invalid = json!({"detail": "Token is invalid", "code": "token_not_valid"});
        findings.check_that(answer.json() == invalid, || format!("{length} at refresh: {}", answer.text));
    }
    // A megabyte exceeds the limit for the whole request head: the server closes the connection.
    let token = "a".repeat(1 << 20);
    let request = format!("GET /api/users/me/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n");
    let answer = exchange(address, request).await;
    if let Some(answer) = answer {
        findings
            .check_that([400, 413, 431].contains(&answer.status.as_u16()), || format!("a megabyte: {}", answer.status));
    }
    findings.check("afterwards", &service.me(&valid.access).await, &[200]);
    findings.assert_none();
}
