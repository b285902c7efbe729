//! Published tokens: those of Project Wycheproof and of the RFCs are refused by every endpoint, even the ones that are valid
//! under their own keys.

use auth_tests::answers::Findings;
use auth_tests::{Answer, cases};
use libtest_mimic::Trial;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt => refuses_every_token_of_project_wycheproof, refuses_every_token_of_the_rfcs;
        servers.development => refuses_every_token_of_project_wycheproof, refuses_every_token_of_the_rfcs,
    ]
}

/// Sends a token in an `Authorization` header; `None` if a header cannot contain it.
pub(crate) async fn as_bearer(service: &Service, token: &str) -> Option<Answer> {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    let request = service.http.get(format!("{}/api/users/me/", service.url)).header("authorization", value);
    Some(Answer::of(request.send().await.expect("an answer")).await)
}

/// Sends a token with an invalid signature to every endpoint that takes one. Each refuses it with the generic answer, which
/// gives no reason.
pub(crate) async fn refused_everywhere(
    service: &Service,
    findings: &mut Findings,
    access: &str,
    what: &str,
    token: &str,
) {
    let invalid = json!({
        "detail": "Given token not valid for any token type", "code": "token_not_valid",
        "messages": [{"token_class": "AccessToken", "token_type": "access", "message": "Token is invalid"}],
    });
    let malformed = json!({
        "detail": "Authorization header must contain two space-delimited values", "code": "bad_authorization_header",
    });
    if let Some(answer) = as_bearer(service, token).await {
        findings.check(format!("{what} as bearer"), &answer, &[401]);
        let expected = [&invalid, &malformed];
        findings.check_that(expected.contains(&&answer.json()), || format!("{what} as bearer: {}", answer.text));
    }
    let blank = token.trim().is_empty();
    for (path, field) in [("refresh", "refresh"), ("verify", "token"), ("blacklist", "refresh")] {
        let answer = service.post(&format!("/api/token/{path}/"), None, json!({field: token})).await;
        findings.check(format!("{what} at {path}"), &answer, &[if blank { 400 } else { 401 }]);
        let expected = json!({"detail": "Token is invalid", "code": "token_not_valid"});
        findings.check_that(blank || answer.json() == expected, || format!("{what} at {path}: {}", answer.text));
    }
    let answer = service.logout(access, json!({"refresh": token})).await;
    findings.check(format!("{what} at the logout"), &answer, &[400]);
    let expected = json!({"error": "Token is invalid"});
    findings.check_that(blank || answer.json() == expected, || format!("{what} at the logout: {}", answer.text));
}

async fn refuses_every_token_of_project_wycheproof(service: &Service) {
    let vectors = include_str!("../../data/vectors/wycheproof/json_web_signature_test.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let access = service.register_and_login(&fresh("vector")).await.access;
    let (mut findings, mut count) = (Findings::default(), 0);
    for group in vectors["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            count += 1;
            let what = format!("{} ({}, {})", test["tcId"], test["comment"], group["comment"]);
            refused_everywhere(service, &mut findings, &access, &what, test["jws"].as_str().unwrap()).await;
        }
    }
    findings.check_that(count == 401, || format!("{count} vectors"));
    findings.check("afterwards", &service.me(&access).await, &[200]);
    findings.assert_none();
}

async fn refuses_every_token_of_the_rfcs(service: &Service) {
    let vectors: Value = serde_json::from_str(include_str!("../../data/vectors/rfc/jose_examples.json")).unwrap();
    let access = service.register_and_login(&fresh("vector")).await.access;
    let mut findings = Findings::default();
    for vector in vectors["vectors"].as_array().unwrap() {
        let (id, jws) = (vector["id"].as_str().unwrap(), vector["jws"].as_str().unwrap());
        refused_everywhere(service, &mut findings, &access, id, jws).await;
    }
    findings.check("afterwards", &service.me(&access).await, &[200]);
    findings.assert_none();
}
