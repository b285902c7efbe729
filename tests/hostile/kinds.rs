//! Each kind of token opens what it is for, and nothing else (SEC-012).

use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use crate::forge::{Claims, now, some_jti};
use crate::judge::{Findings, assert_status};
use crate::stage::{Stage, Stages, cases, fresh};
use crate::support::{Answer, PASSWORD};

pub(crate) fn trials(stages: &Stages) -> Vec<Trial> {
    cases![
        stages.simplejwt =>
            a_refresh_token_is_no_credential,
            an_access_token_is_not_exchanged_and_ends_nothing,
            tokens_of_other_kinds_open_nothing,
            any_good_token_verifies;
        stages.development =>
            a_refresh_token_is_no_credential,
            an_access_token_is_not_exchanged_and_ends_nothing,
            tokens_of_other_kinds_open_nothing,
            any_good_token_verifies,
    ]
}

/// Shows a token as a bearer's wherever credentials are looked at.
async fn as_credentials(stage: &Stage, token: &str) -> Vec<(String, Answer)> {
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
    ] {
        let request = stage.client.request(method.clone(), format!("{}{path}", stage.url)).bearer_auth(token);
        let request = match &body {
            Some(body) => request.json(body),
            None => request,
        };
        answers.push((format!("{method} {path}"), Answer::of(request.send().await.unwrap()).await));
    }
    answers
}

fn wrong_type(at_guard: bool) -> Value {
    let message = json!({"token_class": "AccessToken", "token_type": "access", "message": "Token has wrong type"});
    match at_guard {
        true => json!({
            "detail": "Given token not valid for any token type", "code": "token_not_valid", "messages": [message],
        }),
        false => json!({"detail": "Token has wrong type", "code": "token_not_valid"}),
    }
}

/// The body, but for the reason that the strict profile adds.
fn without_reason(answer: &Answer) -> Value {
    let mut body = answer.json();
    body.as_object_mut().map(|body| body.remove("reason"));
    body
}

async fn a_refresh_token_is_no_credential(stage: &Stage) {
    let pair = stage.newcomer(&fresh("kind")).await;
    let mut findings = Findings::default();
    for (what, answer) in as_credentials(stage, &pair.refresh).await {
        findings.check(&what, &answer, &[401]);
        findings.note(without_reason(&answer) == wrong_type(true), || format!("{what}: {}", answer.text));
    }
    findings.check("the session afterwards", &stage.refresh(&pair.refresh).await, &[200]);
    findings.close();
}

async fn an_access_token_is_not_exchanged_and_ends_nothing(stage: &Stage) {
    let pair = stage.newcomer(&fresh("kind")).await;
    let mut findings = Findings::default();
    for path in ["/api/token/refresh/", "/api/token/blacklist/"] {
        let answer = stage.post(path, None, json!({"refresh": pair.access})).await;
        findings.check(path, &answer, &[401]);
        findings.note(without_reason(&answer) == wrong_type(false), || format!("{path}: {}", answer.text));
    }
    for key in ["refresh", "refresh_token"] {
        let answer = stage.logout(&pair.access, json!({key: pair.access})).await;
        findings.check(format!("logout: {key}"), &answer, &[400]);
        findings.note(answer.json() == json!({"error": "Token has wrong type"}), || answer.text.clone());
    }
    findings.check("the access token afterwards", &stage.me(&pair.access).await, &[200]);
    findings.check("the session afterwards", &stage.refresh(&pair.refresh).await, &[200]);
    findings.close();
}

async fn tokens_of_other_kinds_open_nothing(stage: &Stage) {
    let pair = stage.newcomer(&fresh("kind")).await;
    let mut findings = Findings::default();
    for kind in ["sliding", "id", "reset", "password_reset", "email_verification", "second_factor", "api_key"] {
        // Made of each of the account's tokens, and of none of them.
        let own = Claims::of(&pair.access);
        let foreign = own.without("sid").with("jti", format!("\"{}\"", some_jti())).with("iat", now() - 30);
        for claims in [own, Claims::of(&pair.refresh), foreign] {
            let token = claims.with("token_type", format!("\"{kind}\"")).token();
            for (what, answer) in as_credentials(stage, &token).await {
                findings.check(format!("{kind} at {what}"), &answer, &[401]);
            }
            for path in ["/api/token/refresh/", "/api/token/blacklist/"] {
                let answer = stage.post(path, None, json!({"refresh": token})).await;
                findings.check(format!("{kind} at {path}"), &answer, &[401]);
            }
            let answer = stage.logout(&pair.access, json!({"refresh": token})).await;
            findings.check(format!("{kind} at the logout"), &answer, &[400]);
        }
    }
    findings.check("the session afterwards", &stage.refresh(&pair.refresh).await, &[200]);
    findings.close();
}

async fn any_good_token_verifies(stage: &Stage) {
    let pair = stage.newcomer(&fresh("kind")).await;
    let sliding = Claims::of(&pair.access).with("token_type", "\"sliding\"").token();
    for token in [&pair.access, &pair.refresh, &sliding] {
        let answer = stage.post("/api/token/verify/", None, json!({"token": token})).await;
        assert_status(&answer, 200);
        assert_eq!(answer.text, "{}");
    }
}
