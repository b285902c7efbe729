//! Well-signed tokens with odd claims (SEC-010 to SEC-015, SEC-025): a secret that leaked, or an issuer with a fault.
//! A claim of a wrong type is an error and never absent, and no value of it is a fault of the server's.

use libtest_mimic::Trial;
use serde_json::json;

use auth_core::token::{Generation, SessionId, TokenId};
use auth_tests::answers::{Findings, assert_status};
use auth_tests::{Answer, PASSWORD, TokenPair, cases};
use totp_rs::Totp;

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::forged_tokens::{Claims, now, some_jti};
use crate::bad_input::published_vectors::as_bearer;
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            registered_claims_of_impossible_values_are_refused,
            a_token_of_no_kind_opens_nothing,
            subjects_that_name_nobody_are_refused,
            subjects_of_tokens_from_elsewhere_that_name_nobody_are_refused,
            claims_that_mean_nothing_here_do_no_harm,
            of_a_claim_that_comes_twice_the_last_one_counts,
            sessions_that_are_not_the_subjects_are_refused,
            generations_that_were_never_issued_are_refused,
            tokens_from_elsewhere_that_are_older_than_the_account_are_refused,
            tokens_from_elsewhere_go_round_no_second_factor;
        servers.development =>
            registered_claims_of_impossible_values_are_refused,
            a_token_of_no_kind_opens_nothing,
            subjects_that_name_nobody_are_refused,
            subjects_of_tokens_from_elsewhere_that_name_nobody_are_refused,
            claims_that_mean_nothing_here_do_no_harm,
            of_a_claim_that_comes_twice_the_last_one_counts,
            sessions_that_are_not_the_subjects_are_refused,
            generations_that_were_never_issued_are_refused;
        servers.simplejwt_postgres =>
            registered_claims_of_impossible_values_are_refused,
            subjects_that_name_nobody_are_refused,
            subjects_of_tokens_from_elsewhere_that_name_nobody_are_refused,
            sessions_that_are_not_the_subjects_are_refused,
            generations_that_were_never_issued_are_refused,
            tokens_from_elsewhere_that_are_older_than_the_account_are_refused,
            tokens_from_elsewhere_go_round_no_second_factor;
        servers.development_postgres =>
            sessions_that_are_not_the_subjects_are_refused,
            generations_that_were_never_issued_are_refused]
}

/// A value that no double can hold, and one that no integer can.
const BEYOND_DOUBLES: &str = "1e400";
const TEN_TO_THE_40: &str = "10000000000000000000000000000000000000000";

/// The claims of an account's own two tokens.
struct Model {
    pair: TokenPair,
    access: Claims,
    refresh: Claims,
}

impl Model {
    async fn new(service: &Service) -> Self {
        let pair = service.newcomer(&fresh("claim")).await;
        let (access, refresh) = (Claims::of(&pair.access), Claims::of(&pair.refresh));
        Self { pair, access, refresh }
    }

    /// Changes both tokens, and looks that the changed ones are refused wherever one is used; at verification too,
    /// where `also_verify`.
    async fn refused(
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
            // Verification asks neither for the kind nor for the subject.
            findings.check(format!("{what}: verify"), &answer, if also_verify { &[401] } else { &[200, 400, 401] });
        }
    }

    /// Looks that the claims as they were are good ones, so that each change was what was refused, and that no refused
    /// token ended anything.
    async fn close(self, service: &Service, mut findings: Findings) {
        findings.check("the model as bearer", &service.me(&self.access.token()).await, &[200]);
        findings.check("the model at verify", &verify(service, &self.access.token()).await, &[200]);
        findings.check("the model at refresh", &service.refresh(&self.refresh.token()).await, &[200]);
        findings.close();
    }
}

async fn verify(service: &Service, token: &str) -> Answer {
    service.post("/api/token/verify/", None, json!({"token": token})).await
}

async fn registered_claims_of_impossible_values_are_refused(service: &Service) {
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
    add("jti", &[format!("\"{}\"", "j".repeat(256)), format!("[\"{}\"]", some_jti()), BEYOND_DOUBLES.to_owned()]);
    add("sub", &numbers(&["null", "true", "5", "[]", "{}", "[\"1\"]", BEYOND_DOUBLES, TEN_TO_THE_40]));
    add("sid", &numbers(&["null", "true", "5", "[]", "{}", "\"\"", "\"x\"", r#""\u0000""#, BEYOND_DOUBLES]));
    add("sid", &numbers(&["\"e430b0ef-5c2a-40d3-a7c2-fa027bd9afc1\"", "\"E430B0EF5C2A40D3A7C2FA027BD9AFC1\""]));
    add("sid", &[format!("\"{}\"", "0".repeat(33)), format!("\"{}\"", "g".repeat(32)), TEN_TO_THE_40.to_owned()]);
    add("gen", &numbers(&["null", "true", "\"0\"", "[]", "{}", "-1", "0.5", "1e3", "4294967296", BEYOND_DOUBLES]));
    add("gen", &numbers(&[TEN_TO_THE_40, "18446744073709551616"]));

    let model = Model::new(service).await;
    let mut findings = Findings::default();
    for (claim, value) in &rows {
        let what = format!("{claim} = {value:.60}");
        model.refused(service, &mut findings, &what, |claims| claims.with(claim, value), true).await;
    }
    for claim in ["exp", "jti"] {
        model.refused(service, &mut findings, &format!("no {claim}"), |claims| claims.without(claim), true).await;
    }
    model.close(service, findings).await;
}

async fn a_token_of_no_kind_opens_nothing(service: &Service) {
    let model = Model::new(service).await;
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
        model.refused(service, &mut findings, &format!("token_type = {kind}"), change, false).await;
    }
    model.refused(service, &mut findings, "no token_type", |claims| claims.without("token_type"), false).await;
    model.close(service, findings).await;
}

/// Values of `user_id` that name no account, though some are near the number of one.
fn nobodies(id: &str) -> Vec<String> {
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

async fn subjects_that_name_nobody_are_refused(service: &Service) {
    let model = Model::new(service).await;
    let id = model.access.get("user_id").trim_matches('"').to_owned();
    let mut findings = Findings::default();
    for value in nobodies(&id) {
        let what = format!("user_id = {value:.60}");
        model.refused(service, &mut findings, &what, |claims| claims.with("user_id", &value), false).await;
    }
    model.refused(service, &mut findings, "no user_id", |claims| claims.without("user_id"), false).await;
    // As SimpleJWT wrote it up to 5.5.0.
    let number = model.access.with("user_id", &id).token();
    findings.check("a number", &service.me(&number).await, &[200]);
    model.close(service, findings).await;
}

async fn subjects_of_tokens_from_elsewhere_that_name_nobody_are_refused(service: &Service) {
    let model = Model::new(service).await;
    let id = model.access.get("user_id").trim_matches('"').to_owned();
    // What names no session is looked up by its subject alone.
    let foreign = |claims: &Claims| {
        claims.without("sid").without("gen").with("jti", format!("\"{}\"", some_jti())).with("iat", now())
    };
    let (access, refresh) = (foreign(&model.access), foreign(&model.refresh));
    let mut findings = Findings::default();
    for value in nobodies(&id) {
        let (access, refresh) = (access.with("user_id", &value), foreign(&refresh).with("user_id", &value));
        let answer = as_bearer(service, &access.token()).await.expect("a header");
        findings.check(format!("user_id = {value:.60}: bearer"), &answer, &[401]);
        let answer = service.refresh(&refresh.token()).await;
        findings.check(format!("user_id = {value:.60}: refresh"), &answer, &[401]);
        let answer = service.logout(&model.pair.access, json!({"refresh": refresh.token()})).await;
        findings.check(format!("user_id = {value:.60}: logout"), &answer, &[400]);
        // A token of nobody may be taken out of use, as the peer has it; where none from elsewhere counts, it is
        // refused.
        let answer = service.post("/api/token/blacklist/", None, json!({"refresh": refresh.token()})).await;
        let allowed: &[_] = if service.is_simplejwt() { &[200, 401] } else { &[401] };
        findings.check(format!("user_id = {value:.60}: blacklist"), &answer, allowed);
        let answer = verify(service, &refresh.token()).await;
        findings.check(format!("user_id = {value:.60}: verify"), &answer, &[200, 400, 401]);
    }
    let answer = service.me(&access.without("user_id").token()).await;
    findings.check("no user_id: bearer", &answer, &[401]);
    let missing = json!("Token contained no recognizable user identification");
    findings.note(answer.json()["detail"] == missing, || answer.text.clone());
    findings.check("no user_id: refresh", &service.refresh(&refresh.without("user_id").token()).await, &[401]);
    findings.check("the model as bearer", &service.me(&access.token()).await, &[200]);
    // Tokens from elsewhere are exchanged in one profile, and refused in the other.
    let expected = if service.is_simplejwt() { 200 } else { 401 };
    findings.check("the model at refresh", &service.refresh(&refresh.token()).await, &[expected]);
    findings.close();
}

async fn claims_that_mean_nothing_here_do_no_harm(service: &Service) {
    let model = Model::new(service).await;
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
        ("iss", "\"somebody\"".to_owned()),
        ("aud", "[]".to_owned()),
        ("aud", "\"somebody\"".to_owned()),
        ("sub", "\"alice\"".to_owned()),
        ("role", "\"admin\"".to_owned()),
        ("is_staff", "true".to_owned()),
        ("scope", "null".to_owned()),
        ("email", "[1,{\"a\":null}]".to_owned()),
        ("big", TEN_TO_THE_40.to_owned()),
        ("\\u0000", "\"\\u0000\"".to_owned()),
    ] {
        let answer = service.me(&model.access.with(claim, &value).token()).await;
        findings.check(format!("{claim} = {value}"), &answer, &[200]);
        // What a token claims of rights is not believed (SEC-103).
        findings.note(answer.json()["is_staff"] == false, || format!("{claim} = {value}: {}", answer.text));
    }
    findings.check("no iat", &service.me(&model.access.without("iat").token()).await, &[200]);
    // A number that no double can hold may make the whole payload unreadable, and no more.
    for value in [BEYOND_DOUBLES, "-1e400", "1e999999999"] {
        findings.check(value, &service.me(&model.access.with("big", value).token()).await, &[200, 401]);
    }
    model.close(service, findings).await;
}

async fn of_a_claim_that_comes_twice_the_last_one_counts(service: &Service) {
    let (model, victim) = (Model::new(service).await, Model::new(service).await);
    let mut findings = Findings::default();
    let nobody = "999999999";
    for (claim, bad) in [
        ("exp", (now() - 60).to_string()),
        ("exp", "\"soon\"".to_owned()),
        ("nbf", (now() + 3_600).to_string()),
        ("iat", (now() + 3_600).to_string()),
        ("jti", "null".to_owned()),
        ("token_type", "\"sliding\"".to_owned()),
        ("user_id", nobody.to_owned()),
        ("user_id", victim.access.get("user_id").to_owned()),
        ("sid", victim.access.get("sid").to_owned()),
    ] {
        let what = format!("{claim} twice, {bad} last");
        model.refused(service, &mut findings, &what, |claims| claims.with_last(claim, &bad), false).await;
        if claim != "nbf" {
            let answer = service.me(&model.access.with_first(claim, &bad).token()).await;
            findings.check(format!("{claim} twice, {bad} first"), &answer, &[200]);
        }
    }
    let escaped = model.access.with_last("\\u0065xp", now() - 60).token();
    findings.check("exp twice, once escaped", &service.me(&escaped).await, &[401]);
    model.close(service, findings).await;
}

async fn sessions_that_are_not_the_subjects_are_refused(service: &Service) {
    let (model, victim) = (Model::new(service).await, Model::new(service).await);
    let mut findings = Findings::default();
    for (what, claims) in [("session", ["sid"].as_slice()), ("subject", &["user_id"]), ("name", &["sid", "jti"])] {
        // One's own tokens with something of the victim's in them.
        for (kind, own, others) in
            [("access", &model.access, &victim.access), ("refresh", &model.refresh, &victim.refresh)]
        {
            let token = claims.iter().fold(own.clone(), |token, claim| token.with(claim, others.get(claim))).token();
            let row = format!("{kind} token with another's {what}");
            if kind == "access" {
                findings.check(&row, &service.me(&token).await, &[401]);
                findings.check(&row, &service.logout(&token, json!({"all": true})).await, &[401]);
            } else {
                findings.check(&row, &service.refresh(&token).await, &[401]);
                let answer = service.post("/api/token/blacklist/", None, json!({"refresh": token})).await;
                findings.check(&row, &answer, &[401]);
                findings.check(&row, &service.logout(&model.pair.access, json!({"refresh": token})).await, &[400]);
            }
        }
    }
    // A session that nobody has.
    let unknown = model.access.with("sid", format!("\"{}\"", some_jti())).token();
    let expected = if service.is_simplejwt() { 200 } else { 401 };
    findings.check("a session of nobody", &service.me(&unknown).await, &[expected]);
    let jti = some_jti();
    let unknown = model.refresh.with("sid", format!("\"{jti}\"")).with("jti", format!("\"{jti}\"")).token();
    findings.check("a session of nobody, refresh", &service.refresh(&unknown).await, &[401]);
    findings.check("the victim's bearer", &service.me(&victim.pair.access).await, &[200]);
    findings.check("the victim's refresh", &service.refresh(&victim.pair.refresh).await, &[200]);
    model.close(service, findings).await;
}

async fn generations_that_were_never_issued_are_refused(service: &Service) {
    let model = Model::new(service).await;
    let sid = model.refresh.get("sid").trim_matches('"').to_owned();
    let session = SessionId::parse(&sid).expect("a session");
    let mut findings = Findings::default();
    for number in [1, 2, 1_000, i32::MAX as u32] {
        // The name that a token of this generation would have, and the one that it has not.
        let name = TokenId::of_generation(session, Generation::new(number));
        for jti in [name.as_str(), &sid, &some_jti()] {
            let token = model.refresh.with("gen", number).with("jti", format!("\"{jti}\"")).token();
            findings.check(format!("generation {number}, {jti}"), &service.refresh(&token).await, &[401]);
            let answer = service.post("/api/token/blacklist/", None, json!({"refresh": token})).await;
            findings.check(format!("generation {number}, {jti}: blacklist"), &answer, &[401]);
            let answer = service.logout(&model.pair.access, json!({"refresh": token})).await;
            findings.check(format!("generation {number}, {jti}: logout"), &answer, &[400]);
        }
    }
    for (what, token) in [
        ("no generation", model.refresh.without("gen")),
        ("a generation without a session", model.refresh.without("sid").with("gen", 7)),
        ("another name", model.refresh.with("jti", format!("\"{}\"", some_jti()))),
    ] {
        let answer = service.refresh(&token.token()).await;
        let adopted = service.is_simplejwt() && what.contains("without a session");
        findings.check(what, &answer, if adopted { &[200, 401] } else { &[401] });
    }
    assert_status(&service.me(&model.pair.access).await, 200);
    if service.is_simplejwt() {
        findings.close(); // The model may have become a session from elsewhere.
    } else {
        model.close(service, findings).await;
    }
}

/// An access token and a refresh token as SimpleJWT issues them, with the key of the service.
fn issued_elsewhere(model: &Model, iat: Option<i64>) -> (String, String) {
    let foreign = |claims: &Claims| {
        let claims = claims.without("sid").without("gen").without("iat").with("jti", format!("\"{}\"", some_jti()));
        iat.map_or(claims.clone(), |iat| claims.with("iat", iat)).token()
    };
    (foreign(&model.access), foreign(&model.refresh))
}

/// They are those of an account with the same ID, which was deleted where they were issued.
async fn tokens_from_elsewhere_that_are_older_than_the_account_are_refused(service: &Service) {
    let model = Model::new(service).await;
    let mut findings = Findings::default();
    for (what, iat, status) in [("a day old", Some(now() - 86_400), 401), ("new", Some(now()), 200)] {
        let (access, refresh) = issued_elsewhere(&model, iat);
        findings.check(format!("{what}: bearer"), &service.me(&access).await, &[status]);
        findings.check(format!("{what}: refresh"), &service.refresh(&refresh).await, &[status]);
    }
    // Without `iat`, its end says how old it is at most.
    let (access, _) = issued_elsewhere(&model, None);
    let access = Claims::of(&access).with("exp", now() + 30).token();
    findings.check("no iat: bearer", &service.me(&access).await, &[401]);
    let (_, refresh) = issued_elsewhere(&model, None);
    let refresh = Claims::of(&refresh).with("exp", now() + 30).token();
    findings.check("no iat: refresh", &service.refresh(&refresh).await, &[401]);
    findings.close();
}

/// SimpleJWT asks for none.
async fn tokens_from_elsewhere_go_round_no_second_factor(service: &Service) {
    const PATH: &str = "/api/users/me/second-factors/";
    let model = Model::new(service).await;
    let mut findings = Findings::default();
    let bearer = issued_elsewhere(&model, Some(now())).0;
    for _ in 0..2 {
        findings.check("without a factor: bearer", &service.me(&bearer).await, &[200]);
    }
    let body = json!({"method": "totp", "password": PASSWORD});
    let begun = service.post(PATH, Some(&model.pair.access), body).await;
    assert_status(&begun, 201);
    let authenticator = Totp::from_url(begun.field("otpauth_uri")).expect("an otpauth URI");
    let code = authenticator.generate(now().unsigned_abs()).to_string();
    let body = json!({"challenge": begun.field("challenge"), "code": code});
    let confirmed = service.post(&format!("{PATH}confirm/"), Some(&model.pair.access), body).await;
    assert_status(&confirmed, 200);
    for iat in [Some(now()), None] {
        let (access, refresh) = issued_elsewhere(&model, iat);
        findings.check(format!("{iat:?}: bearer"), &service.me(&access).await, &[401]);
        findings.check(format!("{iat:?}: refresh"), &service.refresh(&refresh).await, &[401]);
    }
    // The session that the owner has goes on.
    findings.check("the owner", &service.refresh(&model.pair.refresh).await, &[200]);
    findings.close();
}
