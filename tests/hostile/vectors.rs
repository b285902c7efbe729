//! Signed tokens of others: those of Project Wycheproof and of the RFCs are refused wherever a token is shown, also the
//! ones that are valid under their own keys.

use libtest_mimic::Trial;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};

use crate::judge::Findings;
use crate::stage::{Stage, Stages, cases, fresh};
use crate::support::Answer;

pub(crate) fn trials(stages: &Stages) -> Vec<Trial> {
    cases![
        stages.simplejwt => every_token_of_project_wycheproof_is_refused, every_token_of_the_rfcs_is_refused;
        stages.development => every_token_of_project_wycheproof_is_refused, every_token_of_the_rfcs_is_refused,
    ]
}

/// Shows a token in an `Authorization` header; `None` if no header can hold it.
pub(crate) async fn as_bearer(stage: &Stage, token: &str) -> Option<Answer> {
    let value = HeaderValue::from_str(&format!("Bearer {token}")).ok()?;
    let request = stage.client.get(format!("{}/api/users/me/", stage.url)).header("authorization", value);
    Some(Answer::of(request.send().await.expect("an answer")).await)
}

/// Shows a token that is not well signed wherever there is a place for one. Each place refuses it, in the words for
/// forgers, which say nothing about it.
pub(crate) async fn refused_everywhere(stage: &Stage, findings: &mut Findings, access: &str, what: &str, token: &str) {
    let at_guard = json!({
        "detail": "Given token not valid for any token type", "code": "token_not_valid",
        "messages": [{"token_class": "AccessToken", "token_type": "access", "message": "Token is invalid"}],
    });
    let malformed = json!({
        "detail": "Authorization header must contain two space-delimited values", "code": "bad_authorization_header",
    });
    if let Some(answer) = as_bearer(stage, token).await {
        findings.check(format!("{what} as bearer"), &answer, &[401]);
        let expected = [&at_guard, &malformed];
        findings.note(expected.contains(&&answer.json()), || format!("{what} as bearer: {}", answer.text));
    }
    let blank = token.trim().is_empty();
    for (path, field) in [("refresh", "refresh"), ("verify", "token"), ("blacklist", "refresh")] {
        let answer = stage.post(&format!("/api/token/{path}/"), None, json!({field: token})).await;
        findings.check(format!("{what} at {path}"), &answer, &[if blank { 400 } else { 401 }]);
        let expected = json!({"detail": "Token is invalid", "code": "token_not_valid"});
        findings.note(blank || answer.json() == expected, || format!("{what} at {path}: {}", answer.text));
    }
    let answer = stage.logout(access, json!({"refresh": token})).await;
    findings.check(format!("{what} at the logout"), &answer, &[400]);
    let expected = json!({"error": "Token is invalid"});
    findings.note(blank || answer.json() == expected, || format!("{what} at the logout: {}", answer.text));
}

async fn every_token_of_project_wycheproof_is_refused(stage: &Stage) {
    let vectors = include_str!("../data/vectors/wycheproof/json_web_signature_test.json");
    let vectors: Value = serde_json::from_str(vectors).unwrap();
    let access = stage.newcomer(&fresh("vector")).await.access;
    let (mut findings, mut count) = (Findings::default(), 0);
    for group in vectors["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            count += 1;
            let what = format!("{} ({}, {})", test["tcId"], test["comment"], group["comment"]);
            refused_everywhere(stage, &mut findings, &access, &what, test["jws"].as_str().unwrap()).await;
        }
    }
    findings.note(count == 401, || format!("there were {count}"));
    findings.check("afterwards", &stage.me(&access).await, &[200]);
    findings.close();
}

async fn every_token_of_the_rfcs_is_refused(stage: &Stage) {
    let vectors: Value = serde_json::from_str(include_str!("../data/vectors/rfc/jose_examples.json")).unwrap();
    let access = stage.newcomer(&fresh("vector")).await.access;
    let mut findings = Findings::default();
    for vector in vectors["vectors"].as_array().unwrap() {
        let (id, jws) = (vector["id"].as_str().unwrap(), vector["jws"].as_str().unwrap());
        refused_everywhere(stage, &mut findings, &access, id, jws).await;
    }
    findings.check("afterwards", &stage.me(&access).await, &[200]);
    findings.close();
}
