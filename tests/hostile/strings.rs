//! The Big List of Naughty Strings as usernames, names, addresses and passwords (SEC-063, SEC-064, SEC-071): accepted
//! or refused, and what was accepted comes back as it was.

use libtest_mimic::Trial;
use serde_json::{Value, json};

use crate::judge::Findings;
use crate::stage::{Stage, Stages, cases, fresh};
use crate::support::{Answer, PASSWORD, Pair};

pub(crate) fn trials(stages: &Stages) -> Vec<Trial> {
    cases![
        stages.simplejwt =>
            naughty_usernames_log_in_and_come_back,
            naughty_first_names_come_back,
            naughty_addresses_are_none,
            naughty_passwords_log_in;
        stages.development =>
            naughty_usernames_log_in_and_come_back,
            naughty_first_names_come_back,
            naughty_addresses_are_none,
            naughty_passwords_log_in;
        stages.simplejwt_postgres =>
            naughty_usernames_log_in_and_come_back,
            naughty_first_names_come_back,
            naughty_addresses_are_none,
            naughty_passwords_log_in;
        stages.development_postgres =>
            naughty_usernames_log_in_and_come_back,
            naughty_first_names_come_back,
    ]
}

fn strings() -> Vec<String> {
    serde_json::from_str(include_str!("../data/vectors/json/blns.json")).unwrap()
}

/// Registers with one field of one's own, and looks that at most that field is refused.
async fn register(stage: &Stage, findings: &mut Findings, field: &str, text: &str) -> (String, Answer) {
    let name = fresh("naughty");
    let mut body = json!({
        "username": name, "email": format!("{name}@example.com"), "first_name": "Al",
        "password": PASSWORD, "password2": PASSWORD,
    });
    body[field] = text.into();
    if field == "password" {
        body["password2"] = text.into();
    }
    let answer = stage.post("/api/register/", None, body).await;
    findings.check(format!("{text:?}"), &answer, &[201, 400]);
    if answer.status == 400 {
        // A blank password is blank both times.
        let mut fields = answer.json().as_object().cloned().unwrap_or_default();
        if field == "password" {
            fields.remove("password2");
        }
        findings.note(fields.keys().eq([field]), || format!("{text:?}: refused for {}", answer.text));
    }
    (name, answer)
}

async fn log_in(stage: &Stage, username: &str, password: &str) -> Answer {
    stage.post("/api/token/", None, json!({"username": username, "password": password})).await
}

async fn me(stage: &Stage, login: &Answer) -> Value {
    stage.me(&Pair::of(login).access).await.json()
}

async fn naughty_usernames_log_in_and_come_back(stage: &Stage) {
    let mut findings = Findings::default();
    let mut accepted = 0;
    for text in strings() {
        let (_, answer) = register(stage, &mut findings, "username", &text).await;
        if answer.status != 201 {
            continue;
        }
        accepted += 1;
        let trimmed = text.trim();
        findings.note(answer.json()["username"] == trimmed, || format!("{text:?} became {}", answer.text));
        for typed in [&text, trimmed] {
            let login = log_in(stage, typed, PASSWORD).await;
            findings.check(format!("{typed:?} at login"), &login, &[200]);
            if login.status == 200 {
                let me = me(stage, &login).await;
                findings.note(me["username"] == trimmed, || format!("{text:?} came back as {me}"));
            }
        }
    }
    // Any visible text, or letters and digits only.
    let least = if stage.is_simplejwt() { 450 } else { 50 };
    findings.note(accepted >= least, || format!("only {accepted} were accepted"));
    findings.close();
}

async fn naughty_first_names_come_back(stage: &Stage) {
    let mut findings = Findings::default();
    for text in strings() {
        let trimmed = text.trim();
        let fits = !trimmed.is_empty() && trimmed.chars().count() <= 150 && !trimmed.chars().any(char::is_control);
        let (name, answer) = register(stage, &mut findings, "first_name", &text).await;
        findings.note((answer.status == 201) == fits, || format!("{text:?}: {}", answer.text));
        if answer.status == 201 {
            let me = me(stage, &log_in(stage, &name, PASSWORD).await).await;
            findings.note(me["first_name"] == trimmed, || format!("{text:?} came back as {me}"));
        }
    }
    findings.close();
}

async fn naughty_addresses_are_none(stage: &Stage) {
    let mut findings = Findings::default();
    for text in strings() {
        let (_, answer) = register(stage, &mut findings, "email", &text).await;
        findings.note(answer.status == 400, || format!("{text:?} is an address: {}", answer.text));
    }
    findings.close();
}

async fn naughty_passwords_log_in(stage: &Stage) {
    let mut findings = Findings::default();
    let mut accepted = 0;
    for text in strings() {
        let (name, answer) = register(stage, &mut findings, "password", &text).await;
        let is_told = text.len() >= 8 && answer.text.contains(&text);
        findings.note(!is_told, || format!("{text:?} is told: {}", answer.text));
        if answer.status == 201 {
            accepted += 1;
            findings.check(format!("{text:?} at login"), &log_in(stage, &name, &text).await, &[200]);
            findings.check(format!("not {text:?}"), &log_in(stage, &name, &format!("{text}x")).await, &[401]);
        }
    }
    findings.note(accepted >= 350, || format!("only {accepted} were accepted"));
    findings.close();
}
