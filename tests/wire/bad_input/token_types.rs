//! Each token type works only for its purpose (SEC-012).

use auth_tests::answers::{Findings, assert_answer, assert_status};
use auth_tests::{Answer, PASSWORD, cases};
use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::forged_tokens::{Claims, now, unique_jti};
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            refuses_a_refresh_token_as_a_credential,
            refuses_an_access_token_as_a_refresh_token,
            refuses_other_token_types,
            refuses_tokens_as_links_and_challenges,
            a_challenge_works_only_for_its_purpose,
            verification_accepts_any_valid_token;
        servers.development =>
            refuses_a_refresh_token_as_a_credential,
            refuses_an_access_token_as_a_refresh_token,
            refuses_other_token_types,
            refuses_tokens_as_links_and_challenges,
            a_challenge_works_only_for_its_purpose,
            verification_accepts_any_valid_token,
    ]
}

/// Sends a token as a bearer token to every endpoint that reads credentials.
async fn as_credentials(service: &Service, token: &str) -> Vec<(String, Answer)> {
    let name = fresh("kind");
    let account = json!({
        "username": name, "email": format!("{name}@example.com"), "first_name": "Al", "password": PASSWORD,
        "password2": PASSWORD,
    });
    let mut answers = Vec::new();
    for (method, path, body) in [
        (Method::GET, "/api/users/me/", None),
        (Method::PATCH, "/api/users/me/", Some(json!({"first_name": "Eve"}))),
        (Method::PUT, "/api/users/me/", Some(json!({"username": name, "email": "eve@example.com"}))),
        (Method::POST, "/api/logout/", Some(json!({"all": true}))),
        (Method::POST, "/api/logout/", Some(json!({"refresh": token}))),
        (Method::POST, "/api/register/", Some(account)),
        (
            Method::POST,
            "/api/users/me/password/",
            Some(json!({"old_password": PASSWORD, "new_password": "Battery-staple-43"})),
        ),
        (Method::GET, "/api/users/me/second-factors/", None),
        (Method::POST, "/api/users/me/second-factors/", Some(json!({"method": "totp", "password": PASSWORD}))),
        (Method::POST, "/api/users/me/second-factors/confirm/", Some(json!({"challenge": "a.b.c", "code": "123456"}))),
        (Method::POST, "/api/users/me/second-factors/challenge/", Some(json!({}))),
        (
            Method::POST,
            "/api/users/me/second-factors/remove/",
            Some(json!({"method": "totp", "password": PASSWORD, "challenge": "a.b.c", "code": "123456"})),
        ),
        (
            Method::POST,
            "/api/users/me/second-factors/recovery-codes/",
            Some(json!({"password": PASSWORD, "challenge": "a.b.c", "code": "123456"})),
        ),
    ] {
        let request = service.http.request(method.clone(), format!("{}{path}", service.url)).bearer_auth(token);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        answers.push((format!("{method} {path}"), Answer::of(request.send().await.unwrap()).await));
    }
    answers
}

fn wrong_type(is_guard: bool) -> Value {
    let message = json!({"token_class": "AccessToken", "token_type": "access", "message": "Token has wrong type"});
    match is_guard {
        true => json!({
            "detail": "Given token not valid for any token type", "code": "token_not_valid", "messages": [message],
        }),
        false => json!({"detail": "Token has wrong type", "code": "token_not_valid"}),
    }
}

/// Returns the body without the `reason` that the default profile adds.
fn without_reason(answer: &Answer) -> Value {
    let mut body = answer.json();
    body.as_object_mut().map(|body| body.remove("reason"));
    body
}

async fn refuses_a_refresh_token_as_a_credential(service: &Service) {
    let pair = service.register_and_login(&fresh("kind")).await;
    let mut findings = Findings::default();
    for (what, answer) in as_credentials(service, &pair.refresh).await {
        findings.check(&what, &answer, &[401]);
        findings.check_that(without_reason(&answer) == wrong_type(true), || format!("{what}: {}", answer.text));
    }
    findings.check("the session afterwards", &service.refresh(&pair.refresh).await, &[200]);
    findings.assert_none();
}

async fn refuses_an_access_token_as_a_refresh_token(service: &Service) {
    let pair = service.register_and_login(&fresh("kind")).await;
    let mut findings = Findings::default();
    for path in ["/api/token/refresh/", "/api/token/blacklist/"] {
        let answer = service.post(path, None, json!({"refresh": pair.access})).await;
        findings.check(path, &answer, &[401]);
        findings.check_that(without_reason(&answer) == wrong_type(false), || format!("{path}: {}", answer.text));
    }
    for key in ["refresh", "refresh_token"] {
        let answer = service.logout(&pair.access, json!({key: pair.access})).await;
        findings.check(format!("logout: {key}"), &answer, &[400]);
        findings.check_that(answer.json() == json!({"error": "Token has wrong type"}), || answer.text.clone());
    }
    findings.check("the access token afterwards", &service.me(&pair.access).await, &[200]);
    findings.check("the session afterwards", &service.refresh(&pair.refresh).await, &[200]);
    findings.assert_none();
}

async fn refuses_other_token_types(service: &Service) {
    let pair = service.register_and_login(&fresh("kind")).await;
    let mut findings = Findings::default();
    for kind in ["sliding", "id", "reset", "password_reset", "email_verification", "second_factor", "api_key"] {
        // From the claims of each token of the account, and of one without a session.
        let own = Claims::of(&pair.access);
        let external = own.without("sid").with("jti", format!("\"{}\"", unique_jti())).with("iat", now() - 30);
        for claims in [own, Claims::of(&pair.refresh), external] {
            let token = claims.with("token_type", format!("\"{kind}\"")).token();
            for (what, answer) in as_credentials(service, &token).await {
                findings.check(format!("{kind} at {what}"), &answer, &[401]);
            }
            for path in ["/api/token/refresh/", "/api/token/blacklist/"] {
                let answer = service.post(path, None, json!({"refresh": token})).await;
                findings.check(format!("{kind} at {path}"), &answer, &[401]);
            }
            let answer = service.logout(&pair.access, json!({"refresh": token})).await;
            findings.check(format!("{kind} at the logout"), &answer, &[400]);
        }
    }
    findings.check("the session afterwards", &service.refresh(&pair.refresh).await, &[200]);
    findings.assert_none();
}

/// Sends a string as a link token and as a challenge to every endpoint that takes one, with all other fields valid.
async fn as_link_and_challenge(service: &Service, access: &str, text: &str) -> Vec<(String, Answer, u16, Value)> {
    let bad_link = json!({"token": ["Token is invalid or expired."]});
    let bad_login = json!({"detail": "Challenge is invalid or expired.", "code": "challenge_not_valid"});
    let bad_challenge = json!({"challenge": ["Challenge is invalid or expired."]});
    let answer = json!({"challenge": text, "code": "123456"});
    let mut answers = Vec::new();
    for (path, bearer, body, status, expected) in [
        ("/api/email/verify/", None, json!({"token": text}), 400, &bad_link),
        (
            "/api/password-reset/confirm/",
            None,
            json!({"token": text, "new_password": "Battery-staple-43"}),
            400,
            &bad_link,
        ),
        ("/api/token/second-factor/", None, answer.clone(), 401, &bad_login),
        ("/api/users/me/second-factors/confirm/", Some(access), answer, 400, &bad_challenge),
    ] {
        answers.push((path.to_owned(), service.post(path, bearer, body).await, status, expected.clone()));
    }
    answers
}

async fn refuses_tokens_as_links_and_challenges(service: &Service) {
    let name = fresh("kind");
    let pair = service.register_and_login(&name).await;
    let own = Claims::of(&pair.access);
    let of_kind = |kind: &str| own.with("token_type", format!("\"{kind}\"")).token();
    let mut strings: Vec<_> =
        ["password_reset", "email_verification", "email_change", "login", "challenge"].map(of_kind).into();
    strings.extend([pair.access.clone(), pair.refresh.clone(), unique_jti(), "0".repeat(96), "f".repeat(96)]);
    // The right length but not hex, or the wrong length.
    strings.extend(["g".repeat(96), "\u{E9}".repeat(48), "0".repeat(95), "0".repeat(97), "0".repeat(9_600)]);
    let mut findings = Findings::default();
    for text in strings {
        for (path, answer, status, expected) in as_link_and_challenge(service, &pair.access, &text).await {
            findings.check(format!("{text:.60} at {path}"), &answer, &[status]);
            findings.check_that(answer.json() == expected, || format!("{text:.60} at {path}: {}", answer.text));
        }
    }
    findings.check("the session afterwards", &service.refresh(&pair.refresh).await, &[200]);
    findings.assert_none();
    service.login(&name).await;
}

async fn a_challenge_works_only_for_its_purpose(service: &Service) {
    let name = fresh("kind");
    let pair = service.register_and_login(&name).await;
    let other = service.register_and_login(&fresh("kind")).await;
    let body = json!({"method": "totp", "password": PASSWORD});
    let begun = service.post("/api/users/me/second-factors/", Some(&pair.access), body).await;
    assert_status(&begun, 201);
    let challenge = begun.field("challenge");
    let mut findings = Findings::default();
    for (what, answer) in as_credentials(service, &challenge).await {
        findings.check(&what, &answer, &[401]);
    }
    for (path, field) in [("refresh", "refresh"), ("verify", "token"), ("blacklist", "refresh")] {
        let answer = service.post(&format!("/api/token/{path}/"), None, json!({field: challenge})).await;
        findings.check(path, &answer, &[401]);
    }
    findings.check("logout", &service.logout(&pair.access, json!({"refresh": challenge})).await, &[400]);
    // The challenge of an enrolment completes no login, verifies no email address and does not work for another user.
    for (path, answer, status, expected) in as_link_and_challenge(service, &other.access, &challenge).await {
        findings.check(&path, &answer, &[status]);
        findings.check_that(answer.json() == expected, || format!("{path}: {}", answer.text));
    }
    // Other spellings of the challenge are refused.
    for text in
        [challenge.to_uppercase(), format!("{challenge}0"), challenge.replace(&challenge[..32], &"0".repeat(32))]
    {
        for (path, answer, status, expected) in as_link_and_challenge(service, &pair.access, &text).await {
            findings.check(format!("{text:.40} at {path}"), &answer, &[status]);
            findings.check_that(answer.json() == expected, || format!("{text:.40} at {path}: {}", answer.text));
        }
    }
    findings.assert_none();
    // None of these attempts used up the challenge: only the code is wrong now.
    let answer = json!({"challenge": challenge, "code": "no code"});
    let answer = service.post("/api/users/me/second-factors/confirm/", Some(&pair.access), answer).await;
    assert_answer(&answer, 400, &json!({"code": ["Invalid code."]}));
    service.login(&name).await;
}

async fn verification_accepts_any_valid_token(service: &Service) {
    let pair = service.register_and_login(&fresh("kind")).await;
    let sliding = Claims::of(&pair.access).with("token_type", "\"sliding\"").token();
    for token in [&pair.access, &pair.refresh, &sliding] {
        let answer = service.post("/api/token/verify/", None, json!({"token": token})).await;
        assert_status(&answer, 200);
        assert_eq!(answer.text, "{}");
    }
}
