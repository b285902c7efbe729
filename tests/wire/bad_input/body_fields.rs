//! Values that fields do not accept (SEC-063, SEC-071); the answer names the field.

use auth_tests::answers::{Findings, assert_status};
use auth_tests::{Answer, PASSWORD, cases};
use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::json_documents::send;
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            fields_accept_only_valid_strings,
            a_number_is_read_as_its_decimal_string,
            fields_accept_values_up_to_their_limit,
            refuses_control_characters_in_names_and_emails,
            refuses_overlong_tokens_and_codes,
            names_a_missing_required_field;
        servers.development =>
            fields_accept_only_valid_strings,
            fields_accept_values_up_to_their_limit,
            refuses_control_characters_in_names_and_emails,
            refuses_overlong_tokens_and_codes;
        servers.simplejwt_postgres =>
            fields_accept_only_valid_strings,
            fields_accept_values_up_to_their_limit,
    ]
}

/// An endpoint with its fields.
struct Form {
    method: Method,
    path: &'static str,
    guarded: bool,
    fields: &'static [&'static str],
    /// Fields that may be empty.
    blankable: &'static [&'static str],
    /// Fields that may be absent.
    optional: &'static [&'static str],
}

fn forms() -> Vec<Form> {
    let form = |method, path, guarded, fields| Form { method, path, guarded, fields, blankable: &[], optional: &[] };
    let post = |path, guarded, fields| form(Method::POST, path, guarded, fields);
    let profile = |method, optional| Form {
        blankable: &["first_name", "last_name"],
        optional,
        ..form(method, "/api/users/me/", true, &["username", "email", "first_name", "last_name"])
    };
    let answer: &[_] = &["challenge", "code"];
    let factor = |path| Form { optional: answer, ..post(path, true, &["method", "password", "challenge", "code"]) };
    vec![
        post("/api/register/", false, &["email", "username", "first_name", "password", "password2"]),
        post("/api/token/", false, &["username", "password"]),
        post("/api/token/second-factor/", false, answer),
        post("/api/token/refresh/", false, &["refresh"]),
        post("/api/token/verify/", false, &["token"]),
        post("/api/token/blacklist/", false, &["refresh"]),
        profile(Method::PUT, &["first_name", "last_name"]),
        profile(Method::PATCH, &["username", "email", "first_name", "last_name"]),
        post("/api/users/me/password/", true, &["old_password", "new_password"]),
        post("/api/password-reset/", false, &["email"]),
        post("/api/password-reset/confirm/", false, &["token", "new_password"]),
        post("/api/email/verify/", false, &["token"]),
        post("/api/email/verify/resend/", false, &["email"]),
        factor("/api/users/me/second-factors/"),
        factor("/api/users/me/second-factors/remove/"),
        post("/api/users/me/second-factors/confirm/", true, answer),
        post("/api/users/me/second-factors/recovery-codes/", true, &["password"]),
    ]
}

/// Returns a body with valid values in every field.
fn valid_body(form: &Form, name: &str) -> Value {
    let mut body = json!({});
    for field in form.fields {
        body[field] = match *field {
            "email" => format!("{name}@example.com").into(),
            "username" => name.into(),
            "password" | "password2" | "old_password" => PASSWORD.into(),
            "new_password" => "Battery-staple-43".into(),
            "refresh" | "token" | "challenge" => "a.b.c".into(),
            "code" => "123456".into(),
            "method" => "totp".into(),
            _ => "Al".into(),
        };
    }
    body
}

/// Sends a body whose field `field` has this raw JSON.
async fn send_field(service: &Service, form: &Form, access: &str, name: &str, field: &str, json: &str) -> Answer {
    const PLACEHOLDER: &str = "here goes raw JSON";
    let mut body = valid_body(form, name);
    body[field] = PLACEHOLDER.into();
    let body = body.to_string().replace(&format!("\"{PLACEHOLDER}\""), json);
    send(service, &form.method, form.path, form.guarded.then_some(access), body.into_bytes()).await
}

async fn fields_accept_only_valid_strings(service: &Service) {
    const VALUES: [(&str, &str); 14] = [
        ("null", "This field may not be null."),
        ("true", "Not a valid string."),
        ("false", "Not a valid string."),
        ("[]", "Not a valid string."),
        (r#"["alice"]"#, "Not a valid string."),
        ("{}", "Not a valid string."),
        (r#"{"$ne":null}"#, "Not a valid string."),
        (r#"{"toString":"x"}"#, "Not a valid string."),
        (r#""a\u0000b""#, "Null characters are not allowed."),
        (r#""a\u0000""#, "Null characters are not allowed."),
        (r#""\ud800""#, "Surrogate characters are not allowed: U+D800."),
        (r#""x\udfffx""#, "Surrogate characters are not allowed: U+DFFF."),
        (r#""""#, "This field may not be blank."),
        (r#"" \t\u3000\n ""#, "This field may not be blank."),
    ];
    let name = fresh("field");
    let access = service.register_and_login(&name).await.access;
    let before = service.me(&access).await.text;
    let mut findings = Findings::default();
    for form in forms() {
        for field in form.fields {
            for (json, message) in VALUES {
                if message.contains("blank") && form.blankable.contains(field) {
                    continue;
                }
                let who = if form.guarded { name.clone() } else { fresh("field") };
                let answer = send_field(service, &form, &access, &who, field, json).await;
                let row = format!("{} {}: {field} = {json}", form.method, form.path);
                findings.check(&row, &answer, &[400]);
                let expected = json!({*field: [message]});
                findings.check_that(answer.json() == expected, || format!("{row}: {}", answer.text));
            }
        }
    }
    // Logout has one error for all fields.
    for key in ["refresh", "refresh_token"] {
        for (json, _) in VALUES {
            let body = format!("{{\"{key}\":{json}}}").into_bytes();
            let answer = send(service, &Method::POST, "/api/logout/", Some(&access), body).await;
            findings.check(format!("logout: {key} = {json}"), &answer, &[400]);
            findings
                .check_that(answer.json()["error"].is_string(), || format!("logout: {key} = {json}: {}", answer.text));
        }
    }
    let after = service.me(&access).await.text;
    findings.check_that(before == after, || format!("the account was {before} and is {after}"));
    findings.assert_none();
}

async fn a_number_is_read_as_its_decimal_string(service: &Service) {
    for (json, text) in [
        ("20260704112233", "20260704112233"),
        ("-20260704112234", "-20260704112234"),
        ("12345678901234567890123456789012345678", "12345678901234567890123456789012345678"),
        ("1.5", "1.5"),
    ] {
        let name = fresh("field");
        let form = &forms()[0];
        let answer = send_field(service, form, "", &name, "username", json).await;
        assert_status(&answer, 201);
        assert_eq!(answer.json()["username"], text);
        let body = format!(r#"{{"username":{json},"password":"{PASSWORD}"}}"#).into_bytes();
        assert_status(&send(service, &Method::POST, "/api/token/", None, body).await, 200);
    }
}

async fn fields_accept_values_up_to_their_limit(service: &Service) {
    let name = fresh("field");
    let access = service.register_and_login(&name).await.access;
    let mut findings = Findings::default();
    for form in forms().into_iter().filter(|form| form.fields.contains(&"email")) {
        let is_account = form.fields.contains(&"username");
        for field in form.fields.iter().filter(|field| !field.starts_with("password")) {
            // Characters are counted, not bytes.
            for letter in ["x", "\u{E9}", "\u{20000}"] {
                let who = fresh("field");
                let text = |length: usize| match *field {
                    "email" => {
                        let domain = ["b".repeat(60), "c".repeat(60), "d".repeat(length - 195)].join(".");
                        format!("{:a<60}@{domain}.example.com", &who)
                    }
                    _ => format!("{who}{}", letter.repeat(length - who.len())),
                };
                if *field == "email" && letter != "x" {
                    continue;
                }
                let limit = if *field == "email" { 254 } else { 150 };
                let send = async |text: String| {
                    let json = Value::from(text).to_string();
                    send_field(service, &form, &access, if form.guarded { &name } else { &who }, field, &json).await
                };
                let row = format!("{} {}: {field} of {letter:?}", form.method, form.path);
                let answer = send(text(limit + 1)).await;
                let message = format!("Ensure this field has no more than {limit} characters.");
                findings.check(format!("{row}, too many"), &answer, &[400]);
                findings.check_that(answer.json() == json!({*field: [message]}), || format!("{row}: {}", answer.text));
                let answer = send(text(limit)).await;
                let expected = match (is_account, form.guarded) {
                    (false, _) => 202,
                    (true, true) => 200,
                    (true, false) => 201,
                };
                findings.check(format!("{row}, the most"), &answer, &[expected]);
                let is_kept = !is_account || answer.json()[field] == text(limit);
                findings.check_that(is_kept, || format!("{row}: {}", answer.text));
                // Restore the profile for the next row.
                if form.guarded {
                    let body = valid_body(&form, &name).to_string().into_bytes();
                    findings.check("restore", &json_put(service, &access, body).await, &[200]);
                }
            }
        }
    }
    findings.assert_none();
}

async fn json_put(service: &Service, access: &str, body: Vec<u8>) -> Answer {
    send(service, &Method::PUT, "/api/users/me/", Some(access), body).await
}

async fn refuses_control_characters_in_names_and_emails(service: &Service) {
    let name = fresh("field");
    let access = service.register_and_login(&name).await.access;
    let before = service.me(&access).await.text;
    let mut findings = Findings::default();
    for form in forms().into_iter().filter(|form| form.fields.contains(&"email")) {
        for field in form.fields.iter().filter(|field| !field.starts_with("password")) {
            for middle in ["\r\n", "\n", "\r", "\r\nBcc: x@example.com\r\n", "\u{85}", "\u{1B}[2J", "\u{7F}", "\u{8}"] {
                let who = if form.guarded { name.clone() } else { fresh("field") };
                let tail = if *field == "email" { "@example.com" } else { "tail" };
                let json = Value::from(format!("{who}{middle}{tail}")).to_string();
                let answer = send_field(service, &form, &access, &who, field, &json).await;
                let row = format!("{} {}: {field} = {json}", form.method, form.path);
                findings.check(&row, &answer, &[400]);
                let is_named = answer.json().as_object().is_some_and(|body| body.keys().eq([field]));
                findings.check_that(is_named, || format!("{row}: {}", answer.text));
            }
        }
    }
    let after = service.me(&access).await.text;
    findings.check_that(before == after, || format!("the account was {before} and is {after}"));
    findings.assert_none();
}

async fn refuses_overlong_tokens_and_codes(service: &Service) {
    let access = service.register_and_login(&fresh("field")).await.access;
    let mut findings = Findings::default();
    // Within the body limit, and over it.
    for (token, shape, is_read) in [
        ("a".repeat(30_000), "one long part", true),
        (format!("a.{}.c", "b".repeat(30_000)), "three long parts", true),
        ("a".repeat(1 << 20), "one part", false),
        (format!("a.{}.c", "b".repeat(1 << 20)), "three parts", false),
    ] {
        let or_413 = |read: u16| if is_read { read } else { 413 };
        for (path, field) in [("refresh", "refresh"), ("verify", "token"), ("blacklist", "refresh")] {
            let answer = service.post(&format!("/api/token/{path}/"), None, json!({field: token})).await;
            findings.check(format!("{shape} at {path}"), &answer, &[or_413(401)]);
            findings.check_that(answer.text.len() < 1_000, || format!("{path} repeats the token"));
        }
        let answer = service.logout(&access, json!({"refresh": token})).await;
        findings.check(format!("{shape} at the logout"), &answer, &[or_413(400)]);
        let bearer = Some(access.as_str());
        for (path, bearer, body, read) in [
            ("/api/token/second-factor/", None, json!({"challenge": token, "code": "123456"}), 401),
            ("/api/token/second-factor/", None, json!({"challenge": "a.b.c", "code": token}), 401),
            ("/api/users/me/second-factors/confirm/", bearer, json!({"challenge": token, "code": token}), 400),
            ("/api/users/me/second-factors/", bearer, json!({"method": "totp", "password": token}), 400),
            ("/api/users/me/password/", bearer, json!({"old_password": token, "new_password": "x"}), 400),
            ("/api/users/me/password/", bearer, json!({"old_password": PASSWORD, "new_password": token}), 400),
            ("/api/password-reset/", None, json!({"email": token}), 400),
            ("/api/password-reset/confirm/", None, json!({"token": token, "new_password": token}), 400),
            ("/api/email/verify/", None, json!({"token": token}), 400),
            ("/api/email/verify/resend/", None, json!({"email": token}), 400),
        ] {
            let answer = service.post(path, bearer, body).await;
            findings.check(format!("{shape} at {path}"), &answer, &[or_413(read)]);
            findings.check_that(answer.text.len() < 1_000, || format!("{path} repeats the token"));
        }
    }
    findings.assert_none();
}

async fn names_a_missing_required_field(service: &Service) {
    let name = fresh("field");
    let access = service.register_and_login(&name).await.access;
    let mut findings = Findings::default();
    for form in forms() {
        for field in form.fields {
            let mut body = valid_body(&form, if form.guarded { &name } else { "nobody-yet" });
            body.as_object_mut().unwrap().remove(*field);
            let bearer = form.guarded.then_some(access.as_str());
            let answer = send(service, &form.method, form.path, bearer, body.to_string().into_bytes()).await;
            let row = format!("{} {} without {field}", form.method, form.path);
            let required = json!({*field: ["This field is required."]});
            if form.optional.contains(field) {
                // The account has no second factor that could be removed.
                let expected = match form.path {
                    "/api/users/me/" => 200,
                    "/api/users/me/second-factors/" => 201,
                    _ => 400,
                };
                findings.check(&row, &answer, &[expected]);
                findings.check_that(answer.json() != required, || format!("{row}: {}", answer.text));
            } else {
                findings.check(&row, &answer, &[400]);
                findings.check_that(answer.json() == required, || format!("{row}: {}", answer.text));
            }
        }
    }
    findings.assert_none();
}
