//! Correctly signed tokens with unusual claims (SEC-010 to SEC-015, SEC-025), as from a leaked secret or a faulty issuer.
//! A claim of the wrong type is an error, never treated as absent, and no value causes a server error.

use libtest_mimic::Trial;
use serde_json::json;

use auth_core::token::{Generation, SessionId, TokenId};
use auth_tests::answers::{Findings, assert_status};
use auth_tests::{Answer, PASSWORD, TokenPair, cases};
use totp_rs::Totp;

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::forged_tokens::{Claims, now, unique_jti};
use crate::bad_input::published_vectors::as_bearer;
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            refuses_invalid_registered_claims,
            refuses_unknown_token_types,
            refuses_subjects_without_an_account,
            refuses_externally_issued_tokens_without_an_account,
            ignores_unknown_claims,
            the_last_of_duplicate_claims_counts,
            refuses_a_session_of_another_user,
            refuses_rotation_generations_never_issued,
            refuses_external_tokens_older_than_the_account,
            external_tokens_do_not_bypass_a_second_factor;
        servers.development =>
            refuses_invalid_registered_claims,
            refuses_unknown_token_types,
            refuses_subjects_without_an_account,
            refuses_externally_issued_tokens_without_an_account,
            ignores_unknown_claims,
            the_last_of_duplicate_claims_counts,
            refuses_a_session_of_another_user,
            refuses_rotation_generations_never_issued;
        servers.simplejwt_postgres =>
            refuses_invalid_registered_claims,
            refuses_subjects_without_an_account,
            refuses_externally_issued_tokens_without_an_account,
            refuses_a_session_of_another_user,
            refuses_rotation_generations_never_issued,
            refuses_external_tokens_older_than_the_account,
            external_tokens_do_not_bypass_a_second_factor;
        servers.development_postgres =>
            refuses_a_session_of_another_user,
            refuses_rotation_generations_never_issued]
}

/// Values outside the range of doubles and of integers.
const BEYOND_DOUBLES: &str = "1e400";
const TEN_TO_THE_40: &str = "10000000000000000000000000000000000000000";

/// The claims of a valid access token and a valid refresh token of one account.
struct ValidTokens {
    pair: TokenPair,
    access: Claims,
    refresh: Claims,
}

impl ValidTokens {
    async fn new(service: &Service) -> Self {
        let pair = service.register_and_login(&fresh("claim")).await;
        let (access, refresh) = (Claims::of(&pair.access), Claims::of(&pair.refresh));
        Self { pair, access, refresh }
    }

    /// Changes both tokens and checks that every endpoint refuses them; the verification endpoint only if `also_verify`.
    async fn check_refused(
        &self,
        service: &Service,
        findings: &mut Findings,
        what: &str,
        change: impl Fn(&Claims) -> Claims,
        also_verify: bool,
    ) {
        let (access, refresh) = (change(&self.access).token(), change(&self.refresh).token());
        let answer = as_bearer(service, &access).await.expect("a header");
        findings.check(format!("{what}: bearer"), &answer, &[401]);
        for (path, field, token) in [("refresh", "refresh", &refresh), ("blacklist", "refresh", &refresh)] {
            let answer = service.post(&format!("/api/token/{path}/"), None, json!({field: token})).await;
            findings.check(format!("{what}: {path}"), &answer, &[401]);
        }
        let answer = service.logout(&self.pair.access, json!({"refresh": refresh})).await;
        findings.check(format!("{what}: logout"), &answer, &[400]);
        for token in [&access, &refresh] {
            let answer = verify(service, token).await;
            // Verification checks neither the token type nor the subject.
            findings.check(format!("{what}: verify"), &answer, if also_verify { &[401] } else { &[200, 400, 401] });
        }
    }

    /// Checks that the unchanged claims are accepted, so that only the changes were refused, and that no refused token revoked
    /// anything.
    async fn finish(self, service: &Service, mut findings: Findings) {
        findings.check("valid tokens as bearer", &service.me(&self.access.token()).await, &[200]);
        findings.check("valid tokens at verify", &verify(service, &self.access.token()).await, &[200]);
        findings.check("valid tokens at refresh", &service.refresh(&self.refresh.token()).await, &[200]);
        findings.assert_none();
    }
}

async fn verify(service: &Service, token: &str) -> Answer {
    service.post("/api/token/verify/", None, json!({"token": token})).await
}

async fn refuses_invalid_registered_claims(service: &Service) {
    const WRONG_TYPES: [&str; 8] = ["null", "true", "false", "\"\"", "\"soon\"", "[]", "{}", r#"{"a":1}"#];
    let (past, future) = (now() - 60, now() + 3_600);
    let mut rows: Vec<(&str, String)> = Vec::new();
    let mut add = |claim, values: &[String]| rows.extend(values.iter().map(|value| (claim, value.clone())));
    let numbers = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect::<Vec<_>>();

    add("exp", &numbers(&WRONG_TYPES));
    add("exp", &[format!("\"{future}\""), format!("[{future}]"), past.to_string(), format!("{past}.9")]);
    add("exp", &numbers(&["0", "-1", "-0", "0.5", "-1e40", "1e18", "1e40", BEYOND_DOUBLES, "-1e400", TEN_TO_THE_40]));
    add("exp", &numbers(&["1000000000000000000", "9223372036854775807", "9223372036854775808", "253402300800"]));
    add("nbf", &numbers(&WRONG_TYPES));
    add("nbf", &[future.to_string(), format!("{future}.5"), format!("\"{past}\""), format!("[{past}]")]);
    add("nbf", &numbers(&["1e40", BEYOND_DOUBLES, TEN_TO_THE_40, "9223372036854775808"]));
    add("iat", &numbers(&WRONG_TYPES));
    add("iat", &[future.to_string(), format!("{future}.5"), format!("\"{past}\""), format!("[{past}]")]);
    add("iat", &numbers(&["1e40", BEYOND_DOUBLES, TEN_TO_THE_40, "9223372036854775808"]));
    add("jti", &numbers(&["null", "true", "5", "[]", "{}", "\"\"", r#""\u0000""#, r#""a\u0000b""#, r#""a\nb""#]));
    add("jti", &[format!("\"{}\"", "j".repeat(256)), format!("[\"{}\"]", unique_jti()), BEYOND_DOUBLES.to_owned()]);
    add("sub", &numbers(&["null", "true", "5", "[]", "{}", "[\"1\"]", BEYOND_DOUBLES, TEN_TO_THE_40]));
    add("sid", &numbers(&["null", "true", "5", "[]", "{}", "\"\"", "\"x\"", r#""\u0000""#, BEYOND_DOUBLES]));
    add("sid", &numbers(&["\"e430b0ef-5c2a-40d3-a7c2-fa027bd9afc1\"", "\"E430B0EF5C2A40D3A7C2FA027BD9AFC1\""]));
    add("sid", &[format!("\"{}\"", "0".repeat(33)), format!("\"{}\"", "g".repeat(32)), TEN_TO_THE_40.to_owned()]);
    add("gen", &numbers(&["null", "true", "\"0\"", "[]", "{}", "-1", "0.5", "1e3", "4294967296", BEYOND_DOUBLES]));
    add("gen", &numbers(&[TEN_TO_THE_40, "18446744073709551616"]));

    let valid = ValidTokens::new(service).await;
    let mut findings = Findings::default();
    for (claim, value) in &rows {
        let what = format!("{claim} = {value:.60}");
        valid.check_refused(service, &mut findings, &what, |claims| claims.with(claim, value), true).await;
    }
    for claim in ["exp", "jti"] {
        valid.check_refused(service, &mut findings, &format!("no {claim}"), |claims| claims.without(claim), true).await;
    }
    valid.finish(service, findings).await;
}

async fn refuses_unknown_token_types(service: &Service) {
    let valid = ValidTokens::new(service).await;
    let mut findings = Findings::default();
    for kind in [
        "null",
        "true",
        "0",
        "1",
        "[]",
        "{}",
        "\"\"",
        "\"Access\"",
        "\"ACCESS\"",
        "\"access \"",
        "\"access\\u0000\"",
        "\"Refresh\"",
        "\" refresh\"",
        "[\"access\"]",
        "[\"refresh\"]",
        "\"sliding\"",
        "\"id\"",
        "\"reset\"",
        "\"password_reset\"",
        "\"second_factor\"",
        "\"challenge\"",
        "\"access refresh\"",
    ] {
        let change = |claims: &Claims| claims.with("token_type", kind);
        valid.check_refused(service, &mut findings, &format!("token_type = {kind}"), change, false).await;
    }
    valid.check_refused(service, &mut findings, "no token_type", |claims| claims.without("token_type"), false).await;
    valid.finish(service, findings).await;
}

/// Values of `user_id` that identify no account, although some resemble the user ID of one.
fn ids_without_account(id: &str) -> Vec<String> {
    let mut values: Vec<_> = [
        "null",
        "true",
        "false",
        "[]",
        "{}",
        "\"\"",
        "\" \"",
        "\"abc\"",
        "\"null\"",
        "\"None\"",
        "\"undefined\"",
        "0",
        "-1",
        "\"0\"",
        "\"-1\"",
        "1.5",
        "\"1.5\"",
        "1e3",
        "\"1e3\"",
        "\"0x1\"",
        "1e30",
        "\"1e30\"",
        BEYOND_DOUBLES,
        TEN_TO_THE_40,
        "-10000000000000000000000000000000000000000",
        "9223372036854775807",
        "9223372036854775808",
        "-9223372036854775808",
        "\"9223372036854775807\"",
        "\"9223372036854775808\"",
        "\"10000000000000000000000000000000000000000\"",
        "\"\u{663}\"",
        "\"\u{FF11}\"",
        "\"\\u0000\"",
        "\"' OR 1=1 --\"",
        "\"1; DROP TABLE users\"",
        "\"\u{1F600}\"",
        "\"*\"",
        "\"%\"",
    ]
    .map(str::to_owned)
    .into();
    values.extend([
        format!("{id}.0"),
        format!("{id}.5"),
        format!("{id}e0"),
        format!("-{id}"),
        format!("[{id}]"),
        format!("[\"{id}\"]"),
        format!("{{\"id\":{id}}}"),
        format!("\"0{id}\""),
        format!("\"+{id}\""),
        format!("\" {id}\""),
        format!("\"{id} \""),
        format!("\"{id}.0\""),
        format!("\"{id}\\u0000\""),
        format!("\"{id},{id}\""),
        format!("\"{}\"", "1".repeat(5_000)),
        format!("\"{}\"", "x".repeat(256)),
    ]);
    values
}

async fn refuses_subjects_without_an_account(service: &Service) {
    let valid = ValidTokens::new(service).await;
    let id = valid.access.get("user_id").trim_matches('"').to_owned();
    let mut findings = Findings::default();
    for value in ids_without_account(&id) {
        let what = format!("user_id = {value:.60}");
        valid.check_refused(service, &mut findings, &what, |claims| claims.with("user_id", &value), false).await;
    }
    valid.check_refused(service, &mut findings, "no user_id", |claims| claims.without("user_id"), false).await;
    // SimpleJWT up to 5.5.0 wrote a number.
    let number = valid.access.with("user_id", &id).token();
    findings.check("a number", &service.me(&number).await, &[200]);
    valid.finish(service, findings).await;
}

async fn refuses_externally_issued_tokens_without_an_account(service: &Service) {
    let valid = ValidTokens::new(service).await;
    let id = valid.access.get("user_id").trim_matches('"').to_owned();
    // Without a session, only the subject identifies the user.
    let external = |claims: &Claims| {
        claims.without("sid").without("gen").with("jti", format!("\"{}\"", unique_jti())).with("iat", now())
    };
    let (access, refresh) = (external(&valid.access), external(&valid.refresh));
    let mut findings = Findings::default();
    for value in ids_without_account(&id) {
        let (access, refresh) = (access.with("user_id", &value), external(&refresh).with("user_id", &value));
        let answer = as_bearer(service, &access.token()).await.expect("a header");
        findings.check(format!("user_id = {value:.60}: bearer"), &answer, &[401]);
        let answer = service.refresh(&refresh.token()).await;
        findings.check(format!("user_id = {value:.60}: refresh"), &answer, &[401]);
        let answer = service.logout(&valid.pair.access, json!({"refresh": refresh.token()})).await;
        findings.check(format!("user_id = {value:.60}: logout"), &answer, &[400]);
        // Like SimpleJWT, the profile `simplejwt` blacklists tokens of unknown users; others refuse externally issued tokens.
        let answer = service.post("/api/token/blacklist/", None, json!({"refresh": refresh.token()})).await;
        let allowed: &[_] = if service.is_simplejwt() { &[200, 401] } else { &[401] };
        findings.check(format!("user_id = {value:.60}: blacklist"), &answer, allowed);
        let answer = verify(service, &refresh.token()).await;
        findings.check(format!("user_id = {value:.60}: verify"), &answer, &[200, 400, 401]);
    }
    let answer = service.me(&access.without("user_id").token()).await;
    findings.check("no user_id: bearer", &answer, &[401]);
    let missing = json!("Token contained no recognizable user identification");
    findings.check_that(answer.json()["detail"] == missing, || answer.text.clone());
    findings.check("no user_id: refresh", &service.refresh(&refresh.without("user_id").token()).await, &[401]);
    findings.check("a valid subject as bearer", &service.me(&access.token()).await, &[200]);
    // Only the profile `simplejwt` adopts externally issued tokens.
    let expected = if service.is_simplejwt() { 200 } else { 401 };
    findings.check("a valid subject at refresh", &service.refresh(&refresh.token()).await, &[expected]);
    findings.assert_none();
}

async fn ignores_unknown_claims(service: &Service) {
    let valid = ValidTokens::new(service).await;
    let future = now() + 3_600;
    let mut findings = Findings::default();
    for (claim, value) in [
        ("exp", format!("{future}.5")),
        ("exp", format!("{future}e0")),
        ("nbf", "0".to_owned()),
        ("nbf", "-5".to_owned()),
        ("nbf", format!("{}.5", now() - 60)),
        ("iat", "0".to_owned()),
        ("iss", "7".to_owned()),
        ("iss", "\"another-issuer\"".to_owned()),
        ("aud", "[]".to_owned()),
        ("aud", "\"another-issuer\"".to_owned()),
        ("sub", "\"alice\"".to_owned()),
        ("role", "\"admin\"".to_owned()),
        ("is_staff", "true".to_owned()),
        ("scope", "null".to_owned()),
        ("email", "[1,{\"a\":null}]".to_owned()),
        ("big", TEN_TO_THE_40.to_owned()),
        ("\\u0000", "\"\\u0000\"".to_owned()),
    ] {
        let answer = service.me(&valid.access.with(claim, &value).token()).await;
        findings.check(format!("{claim} = {value}"), &answer, &[200]);
        // Claims about rights are ignored (SEC-103).
        findings.check_that(answer.json()["is_staff"] == false, || format!("{claim} = {value}: {}", answer.text));
    }
    findings.check("no iat", &service.me(&valid.access.without("iat").token()).await, &[200]);
    // A number outside the range of doubles may make the payload invalid, but has no other effect.
    for value in [BEYOND_DOUBLES, "-1e400", "1e999999999"] {
        findings.check(value, &service.me(&valid.access.with("big", value).token()).await, &[200, 401]);
    }
    valid.finish(service, findings).await;
}

async fn the_last_of_duplicate_claims_counts(service: &Service) {
    let (valid, victim) = (ValidTokens::new(service).await, ValidTokens::new(service).await);
    let mut findings = Findings::default();
    let unknown_id = "999999999";
    for (claim, bad) in [
        ("exp", (now() - 60).to_string()),
        ("exp", "\"soon\"".to_owned()),
        ("nbf", (now() + 3_600).to_string()),
        ("iat", (now() + 3_600).to_string()),
        ("jti", "null".to_owned()),
        ("token_type", "\"sliding\"".to_owned()),
        ("user_id", unknown_id.to_owned()),
        ("user_id", victim.access.get("user_id").to_owned()),
        ("sid", victim.access.get("sid").to_owned()),
    ] {
        let what = format!("{claim} twice, {bad} last");
        valid.check_refused(service, &mut findings, &what, |claims| claims.with_last(claim, &bad), false).await;
        if claim != "nbf" {
            let answer = service.me(&valid.access.with_first(claim, &bad).token()).await;
            findings.check(format!("{claim} twice, {bad} first"), &answer, &[200]);
        }
    }
    let escaped = valid.access.with_last("\\u0065xp", now() - 60).token();
    findings.check("exp twice, once escaped", &service.me(&escaped).await, &[401]);
    valid.finish(service, findings).await;
}

async fn refuses_a_session_of_another_user(service: &Service) {
    let (valid, victim) = (ValidTokens::new(service).await, ValidTokens::new(service).await);
    let mut findings = Findings::default();
    for (what, claims) in [("session", ["sid"].as_slice()), ("subject", &["user_id"]), ("name", &["sid", "jti"])] {
        // The attacker's tokens with claims of the victim.
        for (kind, own, others) in
            [("access", &valid.access, &victim.access), ("refresh", &valid.refresh, &victim.refresh)]
        {
            let token = claims.iter().fold(own.clone(), |token, claim| token.with(claim, others.get(claim))).token();
            let row = format!("{kind} token with the victim's {what}");
            if kind == "access" {
                findings.check(&row, &service.me(&token).await, &[401]);
                findings.check(&row, &service.logout(&token, json!({"all": true})).await, &[401]);
            } else {
                findings.check(&row, &service.refresh(&token).await, &[401]);
                let answer = service.post("/api/token/blacklist/", None, json!({"refresh": token})).await;
                findings.check(&row, &answer, &[401]);
                findings.check(&row, &service.logout(&valid.pair.access, json!({"refresh": token})).await, &[400]);
            }
        }
    }
    // A session that does not exist.
    let unknown = valid.access.with("sid", format!("\"{}\"", unique_jti())).token();
    let expected = if service.is_simplejwt() { 200 } else { 401 };
    findings.check("an unknown session", &service.me(&unknown).await, &[expected]);
    let jti = unique_jti();
    let unknown = valid.refresh.with("sid", format!("\"{jti}\"")).with("jti", format!("\"{jti}\"")).token();
    findings.check("an unknown session, refresh", &service.refresh(&unknown).await, &[401]);
    findings.check("the victim's bearer", &service.me(&victim.pair.access).await, &[200]);
    findings.check("the victim's refresh", &service.refresh(&victim.pair.refresh).await, &[200]);
    valid.finish(service, findings).await;
}

async fn refuses_rotation_generations_never_issued(service: &Service) {
    let valid = ValidTokens::new(service).await;
    let sid = valid.refresh.get("sid").trim_matches('"').to_owned();
    let session = SessionId::parse(&sid).expect("a session");
    let mut findings = Findings::default();
    for number in [1, 2, 1_000, i32::MAX as u32] {
        // The token ID that belongs to this rotation generation, and others that do not.
        let expected = TokenId::of_generation(session, Generation::new(number));
        for jti in [expected.as_str(), &sid, &unique_jti()] {
            let token = valid.refresh.with("gen", number).with("jti", format!("\"{jti}\"")).token();
            findings.check(format!("generation {number}, {jti}"), &service.refresh(&token).await, &[401]);
            let answer = service.post("/api/token/blacklist/", None, json!({"refresh": token})).await;
            findings.check(format!("generation {number}, {jti}: blacklist"), &answer, &[401]);
            let answer = service.logout(&valid.pair.access, json!({"refresh": token})).await;
            findings.check(format!("generation {number}, {jti}: logout"), &answer, &[400]);
        }
    }
    for (what, token) in [
        ("no generation", valid.refresh.without("gen")),
        ("a generation without a session", valid.refresh.without("sid").with("gen", 7)),
        ("another token ID", valid.refresh.with("jti", format!("\"{}\"", unique_jti()))),
    ] {
        let answer = service.refresh(&token.token()).await;
        let adopted = service.is_simplejwt() && what.contains("without a session");
        findings.check(what, &answer, if adopted { &[200, 401] } else { &[401] });
    }
    assert_status(&service.me(&valid.pair.access).await, 200);
    if service.is_simplejwt() {
        findings.assert_none(); // The valid tokens may have been adopted as a session.
    } else {
        valid.finish(service, findings).await;
    }
}

/// Returns an access token and a refresh token as SimpleJWT issues them, signed with the key of the service.
fn externally_issued(valid: &ValidTokens, iat: Option<i64>) -> (String, String) {
    let external = |claims: &Claims| {
        let claims = claims.without("sid").without("gen").without("iat").with("jti", format!("\"{}\"", unique_jti()));
        iat.map_or(claims.clone(), |iat| claims.with("iat", iat)).token()
    };
    (external(&valid.access), external(&valid.refresh))
}

/// Such tokens belong to a deleted account that had the same user ID at the issuer.
async fn refuses_external_tokens_older_than_the_account(service: &Service) {
    let valid = ValidTokens::new(service).await;
    let mut findings = Findings::default();
    for (what, iat, status) in [("a day old", Some(now() - 86_400), 401), ("new", Some(now()), 200)] {
        let (access, refresh) = externally_issued(&valid, iat);
        findings.check(format!("{what}: bearer"), &service.me(&access).await, &[status]);
        findings.check(format!("{what}: refresh"), &service.refresh(&refresh).await, &[status]);
    }
    // Without `iat`, the age is bounded by the expiry and the maximal lifetime.
    let (access, _) = externally_issued(&valid, None);
    let access = Claims::of(&access).with("exp", now() + 30).token();
    findings.check("no iat: bearer", &service.me(&access).await, &[401]);
    let (_, refresh) = externally_issued(&valid, None);
    let refresh = Claims::of(&refresh).with("exp", now() + 30).token();
    findings.check("no iat: refresh", &service.refresh(&refresh).await, &[401]);
    findings.assert_none();
}

/// SimpleJWT itself has no second factors.
async fn external_tokens_do_not_bypass_a_second_factor(service: &Service) {
    const PATH: &str = "/api/users/me/second-factors/";
    let valid = ValidTokens::new(service).await;
    let mut findings = Findings::default();
    let bearer = externally_issued(&valid, Some(now())).0;
    for _ in 0..2 {
        findings.check("without a factor: bearer", &service.me(&bearer).await, &[200]);
    }
    let body = json!({"method": "totp", "password": PASSWORD});
    let begun = service.post(PATH, Some(&valid.pair.access), body).await;
    assert_status(&begun, 201);
    let authenticator = Totp::from_url(begun.field("otpauth_uri")).expect("an otpauth URI");
    let code = authenticator.generate(now().unsigned_abs()).to_string();
    let body = json!({"challenge": begun.field("challenge"), "code": code});
    let confirmed = service.post(&format!("{PATH}confirm/"), Some(&valid.pair.access), body).await;
    assert_status(&confirmed, 200);
    for iat in [Some(now()), None] {
        let (access, refresh) = externally_issued(&valid, iat);
        findings.check(format!("{iat:?}: bearer"), &service.me(&access).await, &[401]);
        findings.check(format!("{iat:?}: refresh"), &service.refresh(&refresh).await, &[401]);
    }
    // The user's own session stays live.
    findings.check("the user's session", &service.refresh(&valid.pair.refresh).await, &[200]);
    findings.assert_none();
}
