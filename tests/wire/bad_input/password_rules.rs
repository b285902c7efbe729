//! Which passwords are accepted, and that only the exact password is right (SEC-050 to SEC-055).

use auth_tests::answers::{Findings, assert_status};
use auth_tests::cases::Once;
use auth_tests::{Answer, PASSWORD, TestClient, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::shared_servers::{fresh, own_server};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    let mut trials = cases![
        servers.simplejwt =>
            refuses_weak_passwords_with_a_reason,
            a_password_change_needs_the_old_one_and_a_strong_new_one,
            similar_passwords_are_wrong,
            accepts_strong_passwords_of_any_script,
            refuses_an_overlong_password,
            trims_passwords_in_the_simplejwt_profile;
        servers.development =>
            refuses_weak_passwords_with_a_reason,
            a_password_change_needs_the_old_one_and_a_strong_new_one,
            accepts_strong_passwords_of_any_script,
            refuses_an_overlong_password,
            leading_and_trailing_spaces_are_significant,
    ];
    trials.extend(cases![Once => stricter_password_rules_can_be_configured]);
    trials
}

struct Profile<'a> {
    username: &'a str,
    email: &'a str,
    first_name: &'a str,
}

async fn register(api: &TestClient, profile: &Profile<'_>, password: &str, again: &str) -> Answer {
    let body = json!({
        "username": profile.username, "email": profile.email, "first_name": profile.first_name,
        "password": password, "password2": again,
    });
    api.post("/api/register/", None, body).await
}

/// Registers a new user with a password; returns the username.
async fn register_new_user(api: &TestClient, password: &str) -> (String, Answer) {
    let name = fresh("pass");
    let email = format!("{name}@example.com");
    let profile = Profile { username: &name, email: &email, first_name: "Al" };
    let answer = register(api, &profile, password, password).await;
    (name, answer)
}

async fn log_in(api: &TestClient, username: &str, password: &str) -> Answer {
    api.post("/api/token/", None, json!({"username": username, "password": password})).await
}

async fn refuses_weak_passwords_with_a_reason(service: &Service) {
    const SHORT: &str = "This password is too short. It must contain at least 8 characters.";
    const COMMON: &str = "This password is too common.";
    const NUMERIC: &str = "This password is entirely numeric.";
    const LIKE_NAME: &str = "The password is too similar to the username.";
    const LIKE_FIRST: &str = "The password is too similar to the first name.";
    const LIKE_EMAIL: &str = "The password is too similar to the email address.";
    let profile =
        Profile { username: "gwendolyn77", email: "quartzberg.fox@sphinx.example", first_name: "Maximiliane" };
    let mut findings = Findings::default();
    for (password, messages) in [
        ("gwendolyn77", &[LIKE_NAME][..]),
        ("GWENDOLYN77", &[LIKE_NAME]),
        ("Gwendolyn77!", &[LIKE_NAME]),
        ("77nyldnewg", &[LIKE_NAME]),
        ("maximiliane", &[LIKE_FIRST]),
        ("Maximiliane1", &[LIKE_FIRST]),
        ("quartzberg", &[LIKE_EMAIL]),
        ("quartzberg.fox@sphinx.example", &[LIKE_EMAIL]),
        ("xK9#q", &[SHORT]),
        ("\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}\u{1F600}", &[SHORT]),
        ("password123", &[COMMON]),
        ("PassWord123", &[COMMON]),
        ("8273645190", &[NUMERIC]),
        ("\u{FF18}\u{FF12}\u{FF17}\u{FF13}\u{FF16}\u{FF14}\u{FF15}\u{FF11}", &[NUMERIC]),
        ("12345678", &[COMMON, NUMERIC]),
        ("12345", &[SHORT, COMMON, NUMERIC]),
    ] {
        let answer = register(service, &profile, password, password).await;
        findings.check(password, &answer, &[400]);
        findings.check_that(answer.json() == json!({"password": messages}), || format!("{password}: {}", answer.text));
    }
    let answer = register(service, &profile, "Correct-horse-42", "Correct-horse-43").await;
    findings.check("two passwords", &answer, &[400]);
    let expected = json!({"password": ["Password fields didn't match."]});
    findings.check_that(answer.json() == expected, || answer.text.clone());
    // None of the attempts created the account.
    findings.check("a strong one", &register(service, &profile, "Correct-horse-42", "Correct-horse-42").await, &[201]);
    findings.assert_none();
}

async fn a_password_change_needs_the_old_one_and_a_strong_new_one(service: &Service) {
    const PATH: &str = "/api/users/me/password/";
    let (name, victim) = (fresh("gwendolyn"), fresh("victim"));
    let (pair, theirs) = (service.register_and_login(&name).await, service.register_and_login(&victim).await);
    let before = service.me(&pair.access).await.text;
    let mut findings = Findings::default();
    for (password, message) in [
        ("xK9#q", "This password is too short. It must contain at least 8 characters."),
        ("password123", "This password is too common."),
        ("8273645190", "This password is entirely numeric."),
        (name.as_str(), "The password is too similar to the username."),
    ] {
        let body = json!({"old_password": PASSWORD, "new_password": password});
        let answer = service.post(PATH, Some(&pair.access), body).await;
        findings.check(password, &answer, &[400]);
        let messages = answer.json()["new_password"].as_array().cloned().unwrap_or_default();
        findings.check_that(messages.contains(&message.into()), || format!("{password}: {}", answer.text));
    }
    // The password of the caller counts, whatever other fields say.
    for old in ["", "correct-horse-42", "Battery-staple-43", "' OR '1'='1", "*", "$argon2id$v=19$m=8,t=1,p=1$"] {
        let body = json!({
            "old_password": old, "new_password": "Battery-staple-43", "username": victim, "user_id": 1, "force": true,
            "password": PASSWORD, "is_superuser": true,
        });
        let answer = service.post(PATH, Some(&pair.access), body).await;
        findings.check(format!("{old:?}"), &answer, &[400]);
        let is_named = answer.json().as_object().is_some_and(|body| body.keys().eq(["old_password"]));
        findings.check_that(is_named, || format!("{old:?}: {}", answer.text));
    }
    let body = json!({"old_password": PASSWORD, "new_password": "Battery-staple-43"});
    findings.check("anonymous", &service.post(PATH, None, body.clone()).await, &[401]);
    findings.check(
        "before",
        &service.post("/api/token/refresh/", None, json!({"refresh": pair.refresh})).await,
        &[200],
    );
    let after = service.me(&pair.access).await.text;
    findings.check_that(before == after, || format!("the account was {before} and is {after}"));

    let mut named = body;
    (named["username"], named["user_id"]) = (victim.as_str().into(), 1.into());
    findings.check("the right one", &service.post(PATH, Some(&pair.access), named).await, &[200]);
    findings.check("with the new one", &log_in(service, &name, "Battery-staple-43").await, &[200]);
    findings.check("with the old one", &log_in(service, &name, PASSWORD).await, &[401]);
    findings.check("the other account", &log_in(service, &victim, PASSWORD).await, &[200]);
    findings.check("the other session", &service.me(&theirs.access).await, &[200]);
    findings.assert_none();
}

async fn similar_passwords_are_wrong(service: &Service) {
    let long = "Tr0ub4dor&3 ".repeat(10);
    let long = long.trim();
    let twin = format!("{}X{}", &long[..80], &long[81..]);
    assert_ne!(long, twin);
    let rows = [
        ("Correct-horse-42", vec!["correct-horse-42", "CORRECT-HORSE-42", "Correct-horse-4", "Correct-horse-421"]),
        ("Correct horse 42", vec!["Correct  horse 42", "Correct\u{A0}horse 42", "Correcthorse42"]),
        // Passwords are not truncated at 72 bytes, as bcrypt does, nor at any other length.
        (long, vec![&long[..72], &long[..71], &long[..118], &twin]),
        // Passwords are not normalised.
        ("caf\u{E9}-caf\u{E9}-42", vec!["cafe\u{301}-cafe\u{301}-42", "cafe-cafe-42", "caf\u{C9}-caf\u{C9}-42"]),
        ("Ｃｏｒｒｅｃｔ-42", vec!["Correct-42"]),
        ("stra\u{DF}e-42-stra\u{DF}e", vec!["strasse-42-strasse"]),
    ];
    let mut findings = Findings::default();
    for (password, others) in rows {
        let (name, registered) = register_new_user(service, password).await;
        findings.check(password, &registered, &[201]);
        for other in others {
            findings.check(format!("{other:?} for {password:?}"), &log_in(service, &name, other).await, &[401]);
        }
        findings.check(password, &log_in(service, &name, password).await, &[200]);
    }
    let (name, _) = register_new_user(service, "Correct-horse-42").await;
    let cut = log_in(service, &name, "Correct-horse-42\0tail").await;
    findings.check("after a NUL", &cut, &[400]);
    findings.assert_none();
}

async fn accepts_strong_passwords_of_any_script(service: &Service) {
    let long = "x9 ".repeat(22);
    let longest = "k\u{E9}\u{1F600}z".repeat(256);
    assert_eq!(longest.chars().count(), 1_024);
    let mut findings = Findings::default();
    for password in [
        "with four blanks inside",
        "\u{1F40E}\u{1F50B}\u{1F4CE}\u{2705}\u{1F40E}\u{1F50B}\u{1F4CE}\u{2705}",
        "\u{6B63}\u{786E}\u{7684}\u{9A6C}\u{7535}\u{6C60}\u{9489}\u{5B50}",
        "\u{645}\u{631}\u{62D}\u{628}\u{627} \u{628}\u{643}\u{645} 42",
        "e\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}\u{307}\u{308}",
        "<script>alert(1)</script>",
        "' OR '1'='1' --",
        "$argon2id$v=19$m=8,t=1,p=1$",
        "\\u0041\\n\\\\%s%d{}",
        "aaaabbbbccccdddd",
        long.trim(),
        &longest,
    ] {
        let (name, registered) = register_new_user(service, password).await;
        findings.check(format!("{password:.60}"), &registered, &[201]);
        findings.check(format!("{password:.60}"), &log_in(service, &name, password).await, &[200]);
        let cut: String = password.chars().take(password.chars().count() - 1).collect();
        findings.check(format!("{password:.60}, cut"), &log_in(service, &name, &cut).await, &[401]);
        findings.check(
            format!("{password:.60}, longer"),
            &log_in(service, &name, &format!("{password}x")).await,
            &[401],
        );
    }
    findings.assert_none();
}

async fn refuses_an_overlong_password(service: &Service) {
    let too_long = "x9#K".repeat(257);
    let (_, answer) = register_new_user(service, &too_long).await;
    assert_status(&answer, 400);
    assert_eq!(answer.json(), json!({"password": ["Ensure this field has no more than 1024 characters."]}));
    let (name, registered) = register_new_user(service, &too_long[..1_024]).await;
    assert_status(&registered, 201);
    assert_status(&log_in(service, &name, &too_long).await, 401);
    let megabyte = "x9#K".repeat(1 << 18);
    let (_, answer) = register_new_user(service, &megabyte).await;
    assert_status(&answer, 413);
    assert_status(&log_in(service, &name, &megabyte).await, 413);
    let within_the_limit = &megabyte[..60_000];
    assert_status(&log_in(service, &name, within_the_limit).await, 401);
}

async fn trims_passwords_in_the_simplejwt_profile(service: &Service) {
    let (name, registered) = register_new_user(service, "  Correct-horse-42\t").await;
    assert_status(&registered, 201);
    for typed in ["Correct-horse-42", " Correct-horse-42", "Correct-horse-42 ", "\u{3000}Correct-horse-42\r\n"] {
        assert_status(&log_in(service, &name, typed).await, 200);
    }
}

async fn leading_and_trailing_spaces_are_significant(service: &Service) {
    for (password, others) in [
        ("Correct-horse-42", ["Correct-horse-42 ", " Correct-horse-42", "Correct-horse-42\n"]),
        (" Correct-horse-42 ", ["Correct-horse-42", " Correct-horse-42", "Correct-horse-42 "]),
    ] {
        let (name, registered) = register_new_user(service, password).await;
        assert_status(&registered, 201);
        assert_status(&log_in(service, &name, password).await, 200);
        for other in others {
            assert_status(&log_in(service, &name, other).await, 401);
        }
    }
    // The same holds for the comparison of both fields.
    let name = fresh("pass");
    let profile = Profile { username: &name, email: &format!("{name}@example.com"), first_name: "Al" };
    assert_status(&register(service, &profile, "Correct-horse-42", "Correct-horse-42 ").await, 400);
    // A password of spaces only is blank.
    let blank: Value =
        json!({"password": ["This field may not be blank."], "password2": ["This field may not be blank."]});
    let answer = register(service, &profile, "            ", "            ").await;
    assert_status(&answer, 400);
    assert_eq!(answer.json(), blank);
}

async fn stricter_password_rules_can_be_configured() {
    let settings = [("AUTH__PASSWORDS__SERVICE_NAME", "Tokenhaus"), ("AUTH__PASSWORDS__MIN_CHARS", "15")];
    let (_server, api) = own_server("development", &settings);
    for (password, message) in [
        ("the-tokenhaus-1", "The password is too similar to the name of this service."),
        ("Correct-horse-", "This password is too short. It must contain at least 15 characters."),
    ] {
        let (_, answer) = register_new_user(&api, password).await;
        assert_status(&answer, 400);
        assert_eq!(answer.json(), json!({"password": [message]}));
    }
    assert_status(&register_new_user(&api, "Correct-horse-4").await.1, 201);
}
