//! Usernames and email addresses that imitate others, and attempts to gain rights through unknown fields (SEC-040, SEC-041,
//! SEC-043, SEC-060 to SEC-062).

use auth_tests::answers::{Findings, assert_answer, assert_status};
use auth_tests::{Answer, PASSWORD, TokenPair, cases};
use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};
use crate::bad_input::forged_tokens::claims_of;
use crate::bad_input::json_documents::send;
use crate::bad_input::shared_servers::fresh;

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt =>
            refuses_a_username_that_looks_like_another,
            the_profile_decides_whether_usernames_ignore_case,
            refuses_changing_to_a_username_that_looks_like_another,
            emails_are_unique_ignoring_case,
            refuses_invalid_emails,
            registration_grants_no_rights,
            a_profile_update_grants_no_rights;
        servers.development =>
            refuses_a_username_that_looks_like_another,
            the_profile_decides_whether_usernames_ignore_case,
            usernames_allow_only_letters_digits_and_some_symbols,
            refuses_changing_to_a_username_that_looks_like_another,
            emails_are_unique_ignoring_case,
            registration_grants_no_rights,
            a_profile_update_grants_no_rights;
        servers.simplejwt_postgres =>
            refuses_a_username_that_looks_like_another,
            the_profile_decides_whether_usernames_ignore_case,
            emails_are_unique_ignoring_case;
        servers.development_postgres =>
            refuses_a_username_that_looks_like_another,
            the_profile_decides_whether_usernames_ignore_case,
    ]
}

const TAKEN: &str = "User with this username already exists.";
const INVALID: &str = "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.";

async fn register_as(service: &Service, username: &str, email: &str) -> Answer {
    let body = json!({
        "username": username, "email": email, "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
    });
    service.post("/api/register/", None, body).await
}

/// Registers a user with a unique email address.
async fn register(service: &Service, username: &str) -> Answer {
    register_as(service, username, &format!("{}@example.com", fresh("identity"))).await
}

/// Replaces ASCII characters by their full-width forms.
fn full_width(text: &str) -> String {
    let wide = |c: char| if c.is_ascii_graphic() { char::from_u32(c as u32 + 0xFEE0).unwrap() } else { c };
    text.chars().map(wide).collect()
}

/// Returns pairs of usernames that look alike; with `plain`, only pairs of letters and digits.
fn look_alikes(plain: bool) -> Vec<(String, String)> {
    let pair = |make: fn(String) -> (String, String)| make(fresh("twin"));
    let mut pairs = vec![
        pair(|name| (full_width(&name), name)),
        pair(|name| (name.clone(), full_width(&name))),
        pair(|name| (format!("office{name}"), format!("o\u{FB03}ce{name}"))),
        pair(|name| (format!("caf\u{E9}{name}"), format!("cafe\u{301}{name}"))),
        pair(|name| (format!("{name}2"), format!("{name}\u{B2}"))),
        pair(|name| (format!("{name}k"), format!("{name}\u{1D55C}"))),
        pair(|name| (format!("{name}\u{AC00}"), format!("{name}\u{1100}\u{1161}"))),
        pair(|name| (name.clone(), format!(" {name}"))),
        pair(|name| (name.clone(), format!("{name}\t\r\n"))),
        pair(|name| (name.clone(), format!("\u{A0}{name}\u{3000}"))),
    ];
    // Invisible characters: zero width, soft hyphen, bidi controls, byte order mark, variation selectors, tags.
    let invisible = [
        '\u{200B}',
        '\u{200C}',
        '\u{200D}',
        '\u{2060}',
        '\u{AD}',
        '\u{202E}',
        '\u{2066}',
        '\u{200F}',
        '\u{FEFF}',
        '\u{FE0F}',
        '\u{3164}',
        '\u{E0041}',
        '\u{34F}',
        '\u{180E}',
    ];
    for (index, c) in invisible.into_iter().enumerate() {
        let name = fresh("twin");
        let with = match index % 3 {
            0 => format!("{c}{name}"),
            1 => format!("{name}{c}"),
            _ => format!("tw{c}in{}", &name[4..]),
        };
        pairs.push(if index % 2 == 0 { (name, with) } else { (with, name) });
    }
    let is_plain = |text: &String| text.trim().chars().all(char::is_alphanumeric);
    pairs.retain(|(one, other)| !plain || (is_plain(one) && is_plain(other)));
    pairs
}

async fn refuses_a_username_that_looks_like_another(service: &Service) {
    let mut findings = Findings::default();
    let pairs = look_alikes(!service.is_simplejwt());
    findings.check_that(pairs.len() >= 8, || format!("only {} pairs", pairs.len()));
    for (one, other) in pairs {
        findings.check(format!("{one:?}"), &register(service, &one).await, &[201]);
        let answer = register(service, &other).await;
        findings.check(format!("{other:?} after {one:?}"), &answer, &[400]);
        findings.check_that(answer.json() == json!({"username": [TAKEN]}), || format!("{other:?}: {}", answer.text));
    }
    findings.assert_none();
}

async fn the_profile_decides_whether_usernames_ignore_case(service: &Service) {
    let second = if service.is_simplejwt() { 201 } else { 400 };
    let mut findings = Findings::default();
    for (stem, upper) in
        [("casey", "CASEY"), ("casey", "Casey"), ("\u{142}ukasz", "\u{141}UKASZ"), ("\u{3B1}", "\u{391}")]
    {
        let tail = fresh("");
        let (one, other) = (format!("{stem}{tail}"), format!("{upper}{tail}"));
        findings.check(&one, &register(service, &one).await, &[201]);
        let answer = register(service, &other).await;
        findings.check(format!("{other} after {one}"), &answer, &[second]);
        findings
            .check_that(answer.status == 201 || answer.json() == json!({"username": [TAKEN]}), || answer.text.clone());
        // Login compares usernames exactly, even where registration ignores case.
        let login = json!({"username": other, "password": "Wrong-pass-42"});
        findings.check(format!("{other} at login"), &service.post("/api/token/", None, login).await, &[401]);
        let me = service.me(&service.login(&one).await.access).await;
        findings.check_that(me.json()["username"] == one, || me.text.clone());
    }
    findings.assert_none();
}

async fn usernames_allow_only_letters_digits_and_some_symbols(service: &Service) {
    let mut findings = Findings::default();
    for text in [
        "a b",
        "a/b",
        "a\u{200B}b",
        "a\u{202E}b",
        "\u{FEFF}ab",
        "<b>",
        "a'b",
        "a\"b",
        "a;b",
        "\u{1F600}",
        "a%b",
        "a\\b",
    ] {
        let answer = register(service, text).await;
        findings.check(format!("{text:?}"), &answer, &[400]);
        findings.check_that(answer.json() == json!({"username": [INVALID]}), || format!("{text:?}: {}", answer.text));
    }
    for text in ["a.b", "a@b", "a+b", "a-b", "a_b", "\u{142}\u{F3}d\u{17A}", "\u{674E}\u{5C0F}\u{9F99}"] {
        findings.check(text, &register(service, &format!("{text}{}", fresh(""))).await, &[201]);
    }
    findings.assert_none();
}

async fn refuses_changing_to_a_username_that_looks_like_another(service: &Service) {
    let (victim, name) = (fresh("victim"), fresh("taker"));
    service.register_and_login(&victim).await;
    let access = service.register_and_login(&name).await.access;
    let before = service.me(&access).await.text;
    let taken = json!({"username": ["A user with that username already exists."]});
    let email = format!("{name}@example.com");
    let mut findings = Findings::default();
    let mut rows = vec![
        (victim.clone(), taken.clone()),
        (format!(" {victim} "), taken.clone()),
        (full_width(&victim), taken.clone()),
        // The profile endpoint always restricts the characters.
        (format!("{victim}\u{200B}"), json!({"username": [INVALID]})),
    ];
    if !service.is_simplejwt() {
        rows.push((victim.to_uppercase(), taken));
    }
    for (text, expected) in rows {
        for (method, body) in
            [(Method::PATCH, json!({"username": text})), (Method::PUT, json!({"username": text, "email": email}))]
        {
            let body = body.to_string().into_bytes();
            let answer = send(service, &method, "/api/users/me/", Some(&access), body).await;
            findings.check(format!("{method} {text:?}"), &answer, &[400]);
            findings.check_that(answer.json() == expected, || format!("{method} {text:?}: {}", answer.text));
        }
    }
    let after = service.me(&access).await.text;
    findings.check_that(before == after, || format!("the account was {before} and is {after}"));
    findings.assert_none();
}

async fn emails_are_unique_ignoring_case(service: &Service) {
    let name = fresh("mail");
    let access = service.register_and_login(&fresh("mail")).await.access;
    assert_status(&register_as(service, &name, &format!("{name}@example.com")).await, 201);
    let mut findings = Findings::default();
    for email in [
        format!("{name}@example.com"),
        format!("{name}@EXAMPLE.com"),
        format!("{}@example.com", name.to_uppercase()),
        format!("  {name}@example.com\r\n"),
    ] {
        let answer = register_as(service, &fresh("mail"), &email).await;
        findings.check(&email, &answer, &[400]);
        let taken = json!({"email": ["User with this email already exists."]});
        findings.check_that(answer.json() == taken, || format!("{email}: {}", answer.text));
        let body = json!({"email": email}).to_string().into_bytes();
        let answer = send(service, &Method::PATCH, "/api/users/me/", Some(&access), body).await;
        findings.check(format!("PATCH {email}"), &answer, &[400]);
        let taken = json!({"email": ["user with this email address already exists."]});
        findings.check_that(answer.json() == taken, || format!("PATCH {email}: {}", answer.text));
    }
    findings.assert_none();
}

async fn refuses_invalid_emails(service: &Service) {
    const INVALID_EMAIL: &str = "Enter a valid email address.";
    const NOT_A_STRING: &str = "Not a valid string.";
    let long = json!(format!("{}@example.com", "a".repeat(288)));
    let rows = [
        (json!("alice@example.com\r\nBcc: bob@example.com"), INVALID_EMAIL),
        (json!("alice@example.com\nbob@example.com"), INVALID_EMAIL),
        (json!("alice@example.com%0d%0aBcc:bob@example.com"), INVALID_EMAIL),
        (json!("alice@example.com, bob@example.com"), INVALID_EMAIL),
        (json!("alice@example.com,bob@example.com"), INVALID_EMAIL),
        (json!("alice@example.com;bob@example.com"), INVALID_EMAIL),
        (json!("alice@example.com bob@example.com"), INVALID_EMAIL),
        (json!("alice@example.com\u{2028}bob@example.com"), INVALID_EMAIL),
        (json!("alice@@example.com"), INVALID_EMAIL),
        (json!("alice@bob@example.com"), INVALID_EMAIL),
        (json!("<alice@example.com>"), INVALID_EMAIL),
        (json!("Alice <alice@example.com>"), INVALID_EMAIL),
        (json!("mailto:alice@example.com"), INVALID_EMAIL),
        (json!("\"alice smith\"@example.com"), INVALID_EMAIL),
        (json!("(alice)alice@example.com"), INVALID_EMAIL),
        (json!("alice@[127.0.0.1]"), INVALID_EMAIL),
        (json!("alice@127.0.0.1"), INVALID_EMAIL),
        (json!("alice@localhost"), INVALID_EMAIL),
        (json!("alice@example"), INVALID_EMAIL),
        (json!("alice@example.com."), INVALID_EMAIL),
        (json!("alice@example..com"), INVALID_EMAIL),
        (json!("alice@.example.com"), INVALID_EMAIL),
        (json!("alice@-example.com"), INVALID_EMAIL),
        (json!("alice@exam_ple.com"), INVALID_EMAIL),
        (json!("alice@exam ple.com"), INVALID_EMAIL),
        (json!("alice@example.com/x"), INVALID_EMAIL),
        (json!(".alice@example.com"), INVALID_EMAIL),
        (json!("alice.@example.com"), INVALID_EMAIL),
        (json!("al..ice@example.com"), INVALID_EMAIL),
        (json!("@example.com"), INVALID_EMAIL),
        (json!("alice@"), INVALID_EMAIL),
        (json!("alice"), INVALID_EMAIL),
        (json!("@"), INVALID_EMAIL),
        // Dotless i, Cyrillic a, full width, a zero width space.
        (json!("al\u{131}ce@example.com"), INVALID_EMAIL),
        (json!("alice@ex\u{430}mple.com"), INVALID_EMAIL),
        (json!("\u{FF41}lice@example.com"), INVALID_EMAIL),
        (json!("alice\u{FF20}example.com"), INVALID_EMAIL),
        (json!("alice\u{200B}@example.com"), INVALID_EMAIL),
        (json!("alice@example.com\u{0}"), "Null characters are not allowed."),
        (json!(5), INVALID_EMAIL),
        (json!(["alice@example.com"]), NOT_A_STRING),
        (json!(["alice@example.com", "bob@example.com"]), NOT_A_STRING),
        (json!({"email": "alice@example.com"}), NOT_A_STRING),
        (json!({"0": "alice@example.com"}), NOT_A_STRING),
        (json!(true), NOT_A_STRING),
        (json!(null), "This field may not be null."),
        (long, "Ensure this field has no more than 254 characters."),
    ];
    let access = service.register_and_login(&fresh("mail")).await.access;
    let before = service.me(&access).await.text;
    let mut findings = Findings::default();
    for (email, message) in rows {
        let body = json!({
            "username": fresh("mail"), "email": email, "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
        });
        let registered = service.post("/api/register/", None, body).await;
        let body = json!({"email": email}).to_string().into_bytes();
        let changed = send(service, &Method::PATCH, "/api/users/me/", Some(&access), body).await;
        for (what, answer) in [("register", registered), ("PATCH", changed)] {
            findings.check(format!("{what} {email}"), &answer, &[400]);
            findings.check_that(answer.json() == json!({"email": [message]}), || {
                format!("{what} {email}: {}", answer.text)
            });
        }
    }
    let after = service.me(&access).await.text;
    findings.check_that(before == after, || format!("the account was {before} and is {after}"));
    findings.assert_none();
}

/// Fields that would grant rights, or that only the service may change.
fn privileges() -> Value {
    json!({
        "is_staff": true, "is_superuser": true, "is_active": false, "is_admin": true, "admin": true, "role": "admin",
        "roles": ["admin"], "groups": [1], "user_permissions": [1], "id": 999_999, "pk": 999_999, "user_id": 999_999,
        "external_id": "root", "date_joined": "2000-01-01T00:00:00Z", "last_login": "2000-01-01T00:00:00Z",
        "email_verified_at": "2000-01-01T00:00:00Z", "token_epoch": 0, "password_hash": "$argon2id$", "hash": "x",
        "email_canonical": "x@example.com", "username_canonical": "x", "__proto__": {"is_staff": true},
    })
}

/// Returns whether an account was granted any of [`privileges`].
fn got_rights(pair: &TokenPair, me: &Value) -> bool {
    let is_admin =
        [&pair.access, &pair.refresh].iter().any(|token| claims_of(token).get("role") == Some(&json!("admin")));
    let has_old_times =
        [&me["date_joined"], &me["last_login"]].iter().any(|time| time.to_string().contains("2000-01-01"));
    is_admin || me["is_staff"] != false || me["id"] == 999_999 || me["id"] == "root" || has_old_times
}

async fn registration_grants_no_rights(service: &Service) {
    let name = fresh("climber");
    let mut body = privileges();
    for (field, value) in [
        ("username", name.clone()),
        ("email", format!("{name}@example.com")),
        ("first_name", "Al".to_owned()),
        ("password", PASSWORD.to_owned()),
        ("password2", PASSWORD.to_owned()),
    ] {
        body[field] = value.into();
    }
    let registered = service.post("/api/register/", None, body).await;
    assert_status(&registered, 201);
    let keys: Vec<_> = registered.json().as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, ["email", "first_name", "id", "username"]);
    let pair = service.login(&name).await;
    let me = service.me(&pair.access).await.json();
    assert!(!got_rights(&pair, &me), "{me}");
}

async fn a_profile_update_grants_no_rights(service: &Service) {
    let name = fresh("climber");
    let pair = service.register_and_login(&name).await;
    let before = service.me(&pair.access).await;
    let mut findings = Findings::default();
    for method in [Method::PATCH, Method::PUT] {
        let mut body = privileges();
        body["username"] = name.as_str().into();
        body["email"] = format!("{name}@example.com").into();
        body["password"] = "Another-horse-43".into();
        let answer = send(service, &method, "/api/users/me/", Some(&pair.access), body.to_string().into_bytes()).await;
        findings.check(&method, &answer, &[200]);
        findings.check_that(answer.text == before.text, || format!("{method}: {} became {}", before.text, answer.text));
    }
    // Anonymous clients are refused even if the fields are ignored.
    let body = privileges().to_string().into_bytes();
    findings.check("anonymous", &send(service, &Method::PATCH, "/api/users/me/", None, body).await, &[401]);
    findings.assert_none();
    let body = json!({"username": name, "password": "Another-horse-43"});
    let expected = json!({"detail": "No active account found with the given credentials"});
    assert_answer(&service.post("/api/token/", None, body).await, 401, &expected);
    let pair = service.login(&name).await;
    let me = service.me(&pair.access).await.json();
    assert!(!got_rights(&pair, &me), "{me}");
}
