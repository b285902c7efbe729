//! The Big List of Naughty Strings as usernames, names, addresses and passwords (SEC-063, SEC-064, SEC-071): accepted
//! or refused, and what was accepted comes back as it was.

use auth_tests::answers::Findings;
use auth_tests::{Answer, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            naughty_usernames_log_in_and_come_back,
            naughty_first_names_come_back,
            naughty_addresses_are_none,
            naughty_passwords_log_in,
            naughty_passwords_replace_each_other,
            naughty_texts_are_no_links_and_no_challenges,
            naughty_texts_are_no_codes_and_no_methods;
        servers.development =>
            naughty_usernames_log_in_and_come_back,
            naughty_passwords_log_in;
        servers.simplejwt_postgres =>
            naughty_usernames_log_in_and_come_back,
            naughty_first_names_come_back,
            naughty_addresses_are_none]
}

fn strings() -> Vec<String> {
    serde_json::from_str(include_str!("../../data/vectors/json/blns.json")).unwrap()
}

/// Registers with one field of one's own, and looks that at most that field is refused.
async fn register(service: &Service, findings: &mut Findings, field: &str, text: &str) -> (String, Answer) {
    let name = fresh("naughty");
    let mut body = json!({
        "username": name, "email": format!("{name}@example.com"), "first_name": "Al",
        "password": PASSWORD, "password2": PASSWORD,
    });
    body[field] = text.into();
    if field == "password" {
        body["password2"] = text.into();
    }
    let answer = service.post("/api/register/", None, body).await;
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

async fn log_in(service: &Service, username: &str, password: &str) -> Answer {
    service.post("/api/token/", None, json!({"username": username, "password": password})).await
}

async fn me(service: &Service, login: &Answer) -> Value {
    service.me(&TokenPair::of(login).access).await.json()
}

async fn naughty_usernames_log_in_and_come_back(service: &Service) {
    let mut findings = Findings::default();
    let mut accepted = 0;
    for text in strings() {
        let (_, answer) = register(service, &mut findings, "username", &text).await;
        if answer.status != 201 {
            continue;
        }
        accepted += 1;
        let trimmed = text.trim();
        findings.note(answer.json()["username"] == trimmed, || format!("{text:?} became {}", answer.text));
        for typed in [&text, trimmed] {
            let login = log_in(service, typed, PASSWORD).await;
            findings.check(format!("{typed:?} at login"), &login, &[200]);
            if login.status == 200 {
                let me = me(service, &login).await;
                findings.note(me["username"] == trimmed, || format!("{text:?} came back as {me}"));
            }
        }
    }
    // Any visible text, or letters and digits only.
    let least = if service.is_simplejwt() { 450 } else { 50 };
    findings.note(accepted >= least, || format!("only {accepted} were accepted"));
    findings.close();
}

async fn naughty_first_names_come_back(service: &Service) {
    let mut findings = Findings::default();
    for text in strings() {
        let trimmed = text.trim();
        let fits = !trimmed.is_empty() && trimmed.chars().count() <= 150 && !trimmed.chars().any(char::is_control);
        let (name, answer) = register(service, &mut findings, "first_name", &text).await;
        findings.note((answer.status == 201) == fits, || format!("{text:?}: {}", answer.text));
        if answer.status == 201 {
            let me = me(service, &log_in(service, &name, PASSWORD).await).await;
            findings.note(me["first_name"] == trimmed, || format!("{text:?} came back as {me}"));
        }
    }
    findings.close();
}

async fn naughty_addresses_are_none(service: &Service) {
    let mut findings = Findings::default();
    for text in strings() {
        let (_, answer) = register(service, &mut findings, "email", &text).await;
        findings.note(answer.status == 400, || format!("{text:?} is an address: {}", answer.text));
        for path in ["/api/password-reset/", "/api/email/verify/resend/"] {
            let answer = service.post(path, None, json!({"email": text})).await;
            only_this_is_wrong(&mut findings, &format!("{text:?} at {path}"), &answer, "email");
        }
    }
    findings.close();
}

async fn naughty_passwords_log_in(service: &Service) {
    let mut findings = Findings::default();
    let mut accepted = 0;
    for text in strings() {
        let (name, answer) = register(service, &mut findings, "password", &text).await;
        let is_told = text.len() >= 8 && answer.text.contains(&text);
        findings.note(!is_told, || format!("{text:?} is told: {}", answer.text));
        if answer.status == 201 {
            accepted += 1;
            findings.check(format!("{text:?} at login"), &log_in(service, &name, &text).await, &[200]);
            findings.check(format!("not {text:?}"), &log_in(service, &name, &format!("{text}x")).await, &[401]);
        }
    }
    findings.note(accepted >= 350, || format!("only {accepted} were accepted"));
    findings.close();
}

/// It is refused, for this field.
fn only_this_is_wrong(findings: &mut Findings, what: &str, answer: &Answer, field: &str) {
    findings.check(what, answer, &[400]);
    let is_named = answer.json().as_object().is_some_and(|body| body.keys().eq([field]));
    findings.note(is_named, || format!("{what}: {}", answer.text));
}

/// One account, whose password becomes each of them in turn.
async fn naughty_passwords_replace_each_other(service: &Service) {
    const PATH: &str = "/api/users/me/password/";
    let name = fresh("naughty");
    let mut pair = service.newcomer(&name).await;
    let mut current = PASSWORD.to_owned();
    let (mut findings, mut accepted) = (Findings::default(), 0);
    for text in strings() {
        let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
        let wrong = service.post(PATH, Some(&pair.access), change(&format!("{text}x"), "Battery-staple-43")).await;
        only_this_is_wrong(&mut findings, &format!("{text:?}x"), &wrong, "old_password");
        let changed = service.post(PATH, Some(&pair.access), change(&current, &text)).await;
        findings.check(format!("{text:?}"), &changed, &[200, 400]);
        let is_told = text.len() >= 8 && changed.text.contains(&text);
        findings.note(!is_told, || format!("{text:?} is told: {}", changed.text));
        if changed.status == 200 {
            accepted += 1;
            (pair, current) = (TokenPair::of(&changed), text);
        } else {
            only_this_is_wrong(&mut findings, &format!("{text:?}"), &changed, "new_password");
            // It cost nothing, and the password that was right begins the count of wrong ones anew.
            let login = log_in(service, &name, &current).await;
            findings.check(format!("{current:?} at login"), &login, &[200]);
        }
    }
    findings.note(accepted >= 350, || format!("only {accepted} were accepted"));
    findings.check("the last one at login", &log_in(service, &name, &current).await, &[200]);
    findings.close();
}

async fn naughty_texts_are_no_links_and_no_challenges(service: &Service) {
    let access = service.newcomer(&fresh("naughty")).await.access;
    let mut findings = Findings::default();
    for text in strings() {
        for (path, body) in [
            ("/api/email/verify/", json!({"token": text})),
            ("/api/password-reset/confirm/", json!({"token": text, "new_password": PASSWORD})),
        ] {
            let answer = service.post(path, None, body).await;
            only_this_is_wrong(&mut findings, &format!("{text:?} at {path}"), &answer, "token");
        }
        let body = json!({"challenge": text, "code": "123456"});
        let path = "/api/users/me/second-factors/confirm/";
        let answer = service.post(path, Some(&access), body.clone()).await;
        only_this_is_wrong(&mut findings, &format!("{text:?} at {path}"), &answer, "challenge");
        let answer = service.post("/api/token/second-factor/", None, body).await;
        findings.check(format!("{text:?} as the challenge of a login"), &answer, &[400, 401]);
    }
    findings.close();
}

async fn naughty_texts_are_no_codes_and_no_methods(service: &Service) {
    const PATH: &str = "/api/users/me/second-factors/";
    let mut findings = Findings::default();
    // A challenge takes five codes, and an account twenty of them in a day.
    for texts in strings().chunks(20) {
        let access = service.newcomer(&fresh("naughty")).await.access;
        for texts in texts.chunks(5) {
            let body = json!({"method": "totp", "password": PASSWORD});
            let begun = service.post(PATH, Some(&access), body).await;
            findings.check("an enrolment", &begun, &[201]);
            for text in texts {
                let body = json!({"challenge": begun.json()["challenge"], "code": text});
                let answer = service.post(&format!("{PATH}confirm/"), Some(&access), body).await;
                only_this_is_wrong(&mut findings, &format!("{text:?} as a code"), &answer, "code");
            }
        }
        for text in texts {
            for path in ["", "remove/"] {
                let body = json!({"method": text, "password": PASSWORD});
                let answer = service.post(&format!("{PATH}{path}"), Some(&access), body).await;
                only_this_is_wrong(&mut findings, &format!("{text:?} as a method at {path:?}"), &answer, "method");
            }
        }
    }
    findings.close();
}
