//! The Big List of Naughty Strings as usernames, names, email addresses and passwords (SEC-063, SEC-064, SEC-071): each is
//! accepted or refused, and accepted values are returned unchanged.

use auth_tests::answers::Findings;
use auth_tests::{Answer, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            naughty_usernames_log_in_and_are_returned,
            naughty_first_names_are_returned,
            naughty_emails_are_refused,
            naughty_passwords_log_in,
            naughty_passwords_replace_each_other,
            naughty_link_tokens_and_challenges_are_refused,
            naughty_codes_and_methods_are_refused;
        servers.development =>
            naughty_usernames_log_in_and_are_returned,
            naughty_passwords_log_in;
        servers.simplejwt_postgres =>
            naughty_usernames_log_in_and_are_returned,
            naughty_first_names_are_returned,
            naughty_emails_are_refused]
}

fn strings() -> Vec<String> {
    serde_json::from_str(include_str!("../../data/vectors/json/blns.json")).unwrap()
}

/// Registers a user with one naughty field; a refusal must name exactly that field.
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
        // A blank password is blank in both fields.
        let mut fields = answer.json().as_object().cloned().unwrap_or_default();
        if field == "password" {
            fields.remove("password2");
        }
        findings.check_that(fields.keys().eq([field]), || format!("{text:?}: refused for {}", answer.text));
    }
    (name, answer)
}

async fn log_in(service: &Service, username: &str, password: &str) -> Answer {
    service.post("/api/token/", None, json!({"username": username, "password": password})).await
}

async fn me(service: &Service, login: &Answer) -> Value {
    service.me(&TokenPair::of(login).access).await.json()
}

async fn naughty_usernames_log_in_and_are_returned(service: &Service) {
    let mut findings = Findings::default();
    let mut accepted = 0;
    for text in strings() {
        let (_, answer) = register(service, &mut findings, "username", &text).await;
        if answer.status != 201 {
            continue;
        }
        accepted += 1;
        let trimmed = text.trim();
        findings.check_that(answer.json()["username"] == trimmed, || format!("{text:?} became {}", answer.text));
        for typed in [&text, trimmed] {
            let login = log_in(service, typed, PASSWORD).await;
            findings.check(format!("{typed:?} at login"), &login, &[200]);
            if login.status == 200 {
                let me = me(service, &login).await;
                findings.check_that(me["username"] == trimmed, || format!("{text:?} came back as {me}"));
            }
        }
    }
    // SimpleJWT's rules accept any visible characters, the default ones only letters and digits.
    let least = if service.is_simplejwt() { 450 } else { 50 };
    findings.check_that(accepted >= least, || format!("only {accepted} were accepted"));
    findings.assert_none();
}

async fn naughty_first_names_are_returned(service: &Service) {
    let mut findings = Findings::default();
    for text in strings() {
        let trimmed = text.trim();
        let fits = !trimmed.is_empty() && trimmed.chars().count() <= 150 && !trimmed.chars().any(char::is_control);
        let (name, answer) = register(service, &mut findings, "first_name", &text).await;
        findings.check_that((answer.status == 201) == fits, || format!("{text:?}: {}", answer.text));
        if answer.status == 201 {
            let me = me(service, &log_in(service, &name, PASSWORD).await).await;
            findings.check_that(me["first_name"] == trimmed, || format!("{text:?} came back as {me}"));
        }
    }
    findings.assert_none();
}

async fn naughty_emails_are_refused(service: &Service) {
    let mut findings = Findings::default();
    for text in strings() {
        let (_, answer) = register(service, &mut findings, "email", &text).await;
        findings.check_that(answer.status == 400, || format!("{text:?} was accepted: {}", answer.text));
        for path in ["/api/password-reset/", "/api/email/verify/resend/"] {
            let answer = service.post(path, None, json!({"email": text})).await;
            assert_refused_for(&mut findings, &format!("{text:?} at {path}"), &answer, "email");
        }
    }
    findings.assert_none();
}

async fn naughty_passwords_log_in(service: &Service) {
    let mut findings = Findings::default();
    let mut accepted = 0;
    for text in strings() {
        let (name, answer) = register(service, &mut findings, "password", &text).await;
        let is_repeated = text.len() >= 8 && answer.text.contains(&text);
        findings.check_that(!is_repeated, || format!("{text:?} is repeated: {}", answer.text));
        if answer.status == 201 {
            accepted += 1;
            findings.check(format!("{text:?} at login"), &log_in(service, &name, &text).await, &[200]);
            findings.check(format!("not {text:?}"), &log_in(service, &name, &format!("{text}x")).await, &[401]);
        }
    }
    findings.check_that(accepted >= 350, || format!("only {accepted} were accepted"));
    findings.assert_none();
}

/// Expects a 400 for this field only.
fn assert_refused_for(findings: &mut Findings, what: &str, answer: &Answer, field: &str) {
    findings.check(what, answer, &[400]);
    let is_named = answer.json().as_object().is_some_and(|body| body.keys().eq([field]));
    findings.check_that(is_named, || format!("{what}: {}", answer.text));
}

/// Changes the password of one account to each string in turn.
async fn naughty_passwords_replace_each_other(service: &Service) {
    const PATH: &str = "/api/users/me/password/";
    let name = fresh("naughty");
    let mut pair = service.register_and_login(&name).await;
    let mut current = PASSWORD.to_owned();
    let (mut findings, mut accepted) = (Findings::default(), 0);
    for text in strings() {
        let change = |old: &str, new: &str| json!({"old_password": old, "new_password": new});
        let wrong = service.post(PATH, Some(&pair.access), change(&format!("{text}x"), "Battery-staple-43")).await;
        assert_refused_for(&mut findings, &format!("{text:?}x"), &wrong, "old_password");
        let changed = service.post(PATH, Some(&pair.access), change(&current, &text)).await;
        findings.check(format!("{text:?}"), &changed, &[200, 400]);
        let is_repeated = text.len() >= 8 && changed.text.contains(&text);
        findings.check_that(!is_repeated, || format!("{text:?} is repeated: {}", changed.text));
        if changed.status == 200 {
            accepted += 1;
            (pair, current) = (TokenPair::of(&changed), text);
        } else {
            assert_refused_for(&mut findings, &format!("{text:?}"), &changed, "new_password");
            // The right old password resets the count of wrong ones.
            let login = log_in(service, &name, &current).await;
            findings.check(format!("{current:?} at login"), &login, &[200]);
        }
    }
    findings.check_that(accepted >= 350, || format!("only {accepted} were accepted"));
    findings.check("the last one at login", &log_in(service, &name, &current).await, &[200]);
    findings.assert_none();
}

async fn naughty_link_tokens_and_challenges_are_refused(service: &Service) {
    let access = service.register_and_login(&fresh("naughty")).await.access;
    let mut findings = Findings::default();
    for text in strings() {
        for (path, body) in [
            ("/api/email/verify/", json!({"token": text})),
            ("/api/password-reset/confirm/", json!({"token": text, "new_password": PASSWORD})),
        ] {
            let answer = service.post(path, None, body).await;
            assert_refused_for(&mut findings, &format!("{text:?} at {path}"), &answer, "token");
        }
        let body = json!({"challenge": text, "code": "123456"});
        let path = "/api/users/me/second-factors/confirm/";
        let answer = service.post(path, Some(&access), body.clone()).await;
        assert_refused_for(&mut findings, &format!("{text:?} at {path}"), &answer, "challenge");
        let answer = service.post("/api/token/second-factor/", None, body).await;
        findings.check(format!("{text:?} as the challenge of a login"), &answer, &[400, 401]);
    }
    findings.assert_none();
}

async fn naughty_codes_and_methods_are_refused(service: &Service) {
    const PATH: &str = "/api/users/me/second-factors/";
    let mut findings = Findings::default();
    // A challenge allows five codes, an account twenty per day.
    for texts in strings().chunks(20) {
        let access = service.register_and_login(&fresh("naughty")).await.access;
        for texts in texts.chunks(5) {
            let body = json!({"method": "totp", "password": PASSWORD});
            let begun = service.post(PATH, Some(&access), body).await;
            findings.check("an enrolment", &begun, &[201]);
            for text in texts {
                let body = json!({"challenge": begun.json()["challenge"], "code": text});
                let answer = service.post(&format!("{PATH}confirm/"), Some(&access), body).await;
                assert_refused_for(&mut findings, &format!("{text:?} as a code"), &answer, "code");
            }
        }
        for text in texts {
            for path in ["", "remove/"] {
                let body = json!({"method": text, "password": PASSWORD});
                let answer = service.post(&format!("{PATH}{path}"), Some(&access), body).await;
                assert_refused_for(&mut findings, &format!("{text:?} as a method at {path:?}"), &answer, "method");
            }
        }
    }
    findings.assert_none();
}
