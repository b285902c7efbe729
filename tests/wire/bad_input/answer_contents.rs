//! What every answer has in common (SEC-001, SEC-042, SEC-080, SEC-093, SEC-094), checked on one answer of each kind.

use auth_tests::answers::{Findings, SECURITY_HEADERS, assert_status};
use auth_tests::{Answer, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::json;

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            every_kind_of_answer_has_the_security_headers,
            an_answer_to_head_has_no_body,
            failed_logins_get_identical_answers,
            requests_for_an_email_get_identical_answers,
            answers_do_not_repeat_input,
            answers_contain_no_secrets,
            answers_are_json_as_the_accept_header_allows;
        servers.development =>
            every_kind_of_answer_has_the_security_headers,
            failed_logins_get_identical_answers,
            requests_for_an_email_get_identical_answers,
            answers_do_not_repeat_input,
            answers_contain_no_secrets,
    ]
}

async fn every_kind_of_answer_has_the_security_headers(service: &Service) {
    let name = fresh("answer");
    let access = service.register_and_login(&name).await.access;
    let mut findings = Findings::default();
    let request = |method: Method, path: &str| service.http.request(method, format!("{}{path}", service.url));
    let other = fresh("answer");
    let account = json!({
        "username": other, "email": format!("{other}@example.com"), "first_name": "Al", "password": PASSWORD,
        "password2": PASSWORD,
    });
    for (status, request) in [
        (200, request(Method::GET, "/api/users/me/").bearer_auth(&access)),
        (200, request(Method::POST, "/api/token/").json(&json!({"username": name, "password": PASSWORD}))),
        (200, request(Method::OPTIONS, "/api/token/")),
        (200, request(Method::GET, "/healthz")),
        (200, request(Method::GET, "/readyz")),
        (200, request(Method::GET, "/api/schema/")),
        (200, request(Method::POST, "/api/logout/").bearer_auth(&access).json(&json!({"others": true}))),
        (201, request(Method::POST, "/api/register/").json(&account)),
        (
            201,
            request(Method::POST, "/api/users/me/second-factors/")
                .bearer_auth(&access)
                .json(&json!({"method": "totp", "password": PASSWORD})),
        ),
        (202, request(Method::POST, "/api/password-reset/").json(&json!({"email": "unknown@example.com"}))),
        (202, request(Method::POST, "/api/email/verify/resend/").json(&json!({"email": "unknown@example.com"}))),
        (308, request(Method::GET, "/api/users/me")),
        (400, request(Method::POST, "/api/token/").json(&json!({}))),
        (400, request(Method::POST, "/api/register/").json(&json!({"username": "x"}))),
        (400, request(Method::POST, "/api/logout/").bearer_auth(&access).json(&json!({}))),
        (400, request(Method::POST, "/api/token/").header("content-type", "application/json").body("{")),
        (400, request(Method::POST, "/api/email/verify/").json(&json!({"token": "x"}))),
        (401, request(Method::GET, "/api/users/me/")),
        (401, request(Method::GET, "/api/users/me/").bearer_auth("a.b.c")),
        (401, request(Method::POST, "/api/token/").json(&json!({"username": name, "password": "x"}))),
        (401, request(Method::POST, "/api/token/refresh/").json(&json!({"refresh": "a.b.c"}))),
        (401, request(Method::POST, "/api/token/second-factor/").json(&json!({"challenge": "x", "code": "x"}))),
        (404, request(Method::GET, "/nowhere")),
        (405, request(Method::DELETE, "/api/token/")),
        (405, request(Method::POST, "/healthz")),
        (406, request(Method::POST, "/api/token/").header("accept", "text/html").json(&json!({}))),
        (413, request(Method::POST, "/api/token/").body(vec![b' '; 3_000_000])),
        (415, request(Method::POST, "/api/token/").body("x")),
        (431, request(Method::GET, "/healthz").header("x-long", "x".repeat(9_000))),
    ] {
        let answer = Answer::of(request.send().await.unwrap()).await;
        findings.check(format!("the {status}"), &answer, &[status]);
        for name in ["x-powered-by", "via", "set-cookie"] {
            findings.check_that(!answer.headers.contains_key(name), || format!("the {status} has {name}"));
        }
        let csp = answer.headers.get("content-security-policy").and_then(|value| value.to_str().ok());
        let denies_all = csp.is_some_and(|policy| policy.contains("default-src 'none'"));
        findings.check_that(denies_all, || format!("the {status} has {csp:?}"));
        findings.check_that(answer.headers.contains_key("x-request-id"), || format!("the {status} has no request ID"));
    }
    // The JWK set may be cached.
    let keys = Answer::of(request(Method::GET, "/.well-known/jwks.json").send().await.unwrap()).await;
    for (name, value) in SECURITY_HEADERS.iter().filter(|(name, _)| *name != "cache-control") {
        findings.check_that(keys.headers.get(*name).is_some_and(|actual| actual == value), || {
            format!("the keys have no {name}")
        });
    }
    findings.check_that(keys.headers["cache-control"] == "public, max-age=300", || format!("{:?}", keys.headers));
    findings.assert_none();
}

async fn an_answer_to_head_has_no_body(service: &Service) {
    let access = service.register_and_login(&fresh("answer")).await.access;
    let mut findings = Findings::default();
    for (path, status) in
        [("/api/users/me/", 200), ("/healthz", 200), ("/api/token/", 405), ("/nowhere", 404), ("/api/users/me", 308)]
    {
        let request = service.http.head(format!("{}{path}", service.url)).bearer_auth(&access);
        let answer = Answer::of(request.send().await.unwrap()).await;
        findings.check(path, &answer, &[status]);
        findings.check_that(answer.text.is_empty(), || format!("{path}: {}", answer.text));
    }
    let answer = Answer::of(service.http.head(format!("{}/api/users/me/", service.url)).send().await.unwrap()).await;
    findings.check("anonymous", &answer, &[401]);
    findings.assert_none();
}

async fn failed_logins_get_identical_answers(service: &Service) {
    let (known, inactive, unknown) = (fresh("answer"), fresh("answer"), fresh("answer"));
    for name in [&known, &inactive] {
        assert_status(&service.register(name).await, 201);
    }
    service.server().users("deactivate", &inactive);
    let response = async |body: serde_json::Value| {
        let answer = service.post("/api/token/", None, body).await;
        assert_status(&answer, 401);
        comparable(answer)
    };
    let wrong = response(json!({"username": known, "password": "Wrong-pass-42"})).await;
    for body in [
        json!({"username": unknown, "password": PASSWORD}),
        json!({"username": inactive, "password": PASSWORD}),
        json!({"username": inactive, "password": "Wrong-pass-42"}),
        json!({"email": format!("{unknown}@example.com"), "password": PASSWORD}),
        json!({"email": format!("{inactive}@example.com"), "password": PASSWORD}),
        json!({"email": format!("{known}@example.com"), "password": "Wrong-pass-42"}),
        json!({"username": known, "password": "x".repeat(2_000)}),
    ] {
        assert_eq!(response(body.clone()).await, wrong, "{body}");
    }
}

/// The parts of an answer that do not differ between equal answers: all but its date and its request ID.
fn comparable(answer: Answer) -> (String, Vec<String>) {
    let different = ["date", "x-request-id"];
    let headers = answer.headers.iter().filter(|(name, _)| !different.contains(&name.as_str()));
    let mut headers: Vec<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
    headers.sort_unstable();
    (answer.text, headers)
}

async fn requests_for_an_email_get_identical_answers(service: &Service) {
    let (known, inactive, unknown) = (fresh("answer"), fresh("answer"), fresh("answer"));
    for name in [&known, &inactive] {
        assert_status(&service.register(name).await, 201);
    }
    service.server().users("deactivate", &inactive);
    for path in ["/api/password-reset/", "/api/email/verify/resend/"] {
        let response = async |email: String| {
            let answer = service.post(path, None, json!({"email": email})).await;
            assert_status(&answer, 202);
            comparable(answer)
        };
        let expected = response(format!("{unknown}@example.com")).await;
        for name in [&known, &inactive, &known.to_uppercase()] {
            // Also the sixth time, when the rate limit suppresses the email.
            for _ in 0..6 {
                assert_eq!(response(format!("{name}@example.com")).await, expected, "{path} {name}");
            }
        }
    }
}

async fn answers_do_not_repeat_input(service: &Service) {
    const WORD: &str = "zyxwvutsrq";
    let access = service.register_and_login(&fresh("answer")).await.access;
    let token = format!("{WORD}.{WORD}.{WORD}");
    let long = format!("{WORD}{}", "x".repeat(300));
    let bearer = Some(access.as_str());
    let mut findings = Findings::default();
    for (path, bearer, body, status) in [
        ("/api/token/", None, json!({"username": WORD, "password": WORD}), 401),
        ("/api/token/", None, json!({"username": [WORD], "password": {WORD: WORD}}), 400),
        ("/api/token/", None, json!({WORD: WORD}), 400),
        ("/api/token/", None, json!([WORD]), 400),
        ("/api/token/refresh/", None, json!({"refresh": token}), 401),
        ("/api/token/verify/", None, json!({"token": token}), 401),
        ("/api/token/blacklist/", None, json!({"refresh": token}), 401),
        ("/api/logout/", bearer, json!({"refresh": token}), 400),
        ("/api/logout/", Some(&token), json!({}), 401),
        ("/api/register/", None, json!({"username": long, "email": long, "first_name": long, "password": WORD}), 400),
        ("/api/token/second-factor/", None, json!({"challenge": WORD, "code": WORD}), 401),
        ("/api/password-reset/", None, json!({"email": WORD}), 400),
        ("/api/password-reset/", None, json!({"email": format!("{WORD}@example.com")}), 202),
        ("/api/password-reset/confirm/", None, json!({"token": WORD, "new_password": WORD}), 400),
        ("/api/email/verify/", None, json!({"token": WORD}), 400),
        ("/api/email/verify/resend/", None, json!({"email": WORD}), 400),
        ("/api/email/verify/resend/", None, json!({"email": format!("{WORD}@example.com")}), 202),
        ("/api/users/me/password/", bearer, json!({"old_password": WORD, "new_password": WORD}), 400),
        ("/api/users/me/password/", bearer, json!({"old_password": PASSWORD, "new_password": &WORD[..7]}), 400),
        ("/api/users/me/second-factors/", bearer, json!({"method": "totp", "password": WORD}), 400),
        ("/api/users/me/second-factors/confirm/", bearer, json!({"challenge": WORD, "code": WORD}), 400),
        ("/api/users/me/second-factors/remove/", bearer, json!({"method": "totp", "password": WORD}), 400),
        ("/api/users/me/second-factors/recovery-codes/", bearer, json!({"password": WORD, "code": [WORD]}), 400),
        (WORD_PATH, None, json!({}), 404),
    ] {
        let answer = service.post(path, bearer, body.clone()).await;
        findings.check(format!("{path} {body:.60}"), &answer, &[status]);
        let whole = format!("{:?} {}", answer.headers, answer.text);
        findings.check_that(!whole.contains(WORD), || format!("{path} {body:.60}: {whole}"));
    }
    let answer = {
        let request =
            service.http.post(format!("{}/api/token/", service.url)).header("content-type", "application/json");
        Answer::of(request.body(format!("{{\"username\": {WORD}}}")).send().await.unwrap()).await
    };
    findings.check("malformed", &answer, &[400]);
    findings.check_that(!answer.text.contains(WORD), || answer.text.clone());
    findings.assert_none();
}

const WORD_PATH: &str = "/api/zyxwvutsrq/";

async fn answers_contain_no_secrets(service: &Service) {
    let name = fresh("answer");
    let (password, wrong) = (format!("{}-quick-vex-BIDS", fresh("7")), format!("{}-quick-vex-BUZZ", fresh("7")));
    let body = json!({
        "username": name, "email": format!("{name}@example.com"), "first_name": "Al", "password": password,
        "password2": password,
    });
    let mut findings = Findings::default();
    let registered = service.post("/api/register/", None, body.clone()).await;
    findings.check("register", &registered, &[201]);
    let again = service.post("/api/register/", None, body).await;
    findings.check("register again", &again, &[400]);
    let refused = service.post("/api/token/", None, json!({"username": name, "password": wrong})).await;
    findings.check("wrong password", &refused, &[401]);
    let login = service.post("/api/token/", None, json!({"username": name, "password": password})).await;
    let pair = TokenPair::of(&login);
    let me = service.me(&pair.access).await;
    let mut own = Vec::new();
    for (path, body, status) in [
        ("second-factors/", json!({"method": "totp", "password": wrong}), 400),
        ("second-factors/", json!({"method": "totp", "password": password}), 201),
        ("second-factors/remove/", json!({"method": "totp", "password": password}), 400),
        ("second-factors/recovery-codes/", json!({"password": password}), 400),
        ("password/", json!({"old_password": wrong, "new_password": password}), 400),
        ("password/", json!({"old_password": password, "new_password": wrong}), 200),
    ] {
        let answer = service.post(&format!("/api/users/me/{path}"), Some(&pair.access), body).await;
        findings.check(path, &answer, &[status]);
        own.push(answer);
    }
    for answer in [&registered, &again, &refused, &login, &me].into_iter().chain(&own) {
        for secret in [password.as_str(), &wrong, "$argon2", "password_hash"] {
            findings.check_that(!answer.text.contains(secret), || format!("{secret} is in {}", answer.text));
        }
    }
    findings.assert_none();
}

async fn answers_are_json_as_the_accept_header_allows(service: &Service) {
    let mut findings = Findings::default();
    for (accept, status) in [
        ("application/json", 400),
        ("*/*", 400),
        ("application/*", 400),
        ("text/html, application/json;q=0.5", 400),
        ("", 400),
        ("text/html", 406),
        ("application/xml", 406),
        ("application/json;q=0", 406),
        ("garbage", 406),
        ("application/json; indent=99999999999999999999", 400),
        ("application/json; indent=-1", 400),
    ] {
        let request = service.http.post(format!("{}/api/token/", service.url)).header("accept", accept);
        let answer = Answer::of(request.send().await.unwrap()).await;
        findings.check(format!("{accept:?}"), &answer, &[status]);
        findings.check_that(!answer.text.contains('\n'), || format!("{accept:?}: {}", answer.text));
    }
    let request =
        service.http.post(format!("{}/api/token/", service.url)).header("accept", "application/json; indent=1000");
    let answer = Answer::of(request.send().await.unwrap()).await;
    findings.check("an indentation of 1000", &answer, &[400]);
    findings.check_that(answer.text.contains('\n') && answer.text.len() < 1_000, || answer.text.clone());
    findings.assert_none();
}
