//! Requests that the recording abbreviates.

use crate::contract::recording::Row;
use crate::contract::token_plan::find;

const REGISTRATION: &str = r#"{"username": "alice", "email": "alice@example.com", "first_name": "Alice", "password": "Correct-horse-42", "password2": "Correct-horse-42"}"#;

/// Completes a request.
type Rewrite = fn(&str) -> String;

/// Requests that the recording abbreviates, or in which one name stands for two accounts, of which `bob` is the second. An
/// upper-case name differs only in case.
const REQUESTS: &[(&str, Rewrite)] = &[
    // The omitted fields were those of REG-ok and TOK-ok, because the answers complain about one field only.
    ("REG-f-*", |text| {
        let others = REGISTRATION.replacen(r#""username": "alice", "#, "", 1);
        format!("{}, {}", &others[..others.len() - 1], &text[1..])
    }),
    ("TOK-f-*", |text| format!(r#"{{"password": "Correct-horse-42", {}"#, &text[1..])),
    ("REG-dup-username", |text| text.replacen("alice", "bob", 1)),
    ("REG-dup-email", |text| text.replace("alice@", "bob@")),
    ("REG-dup-both", |text| text.replace("alice", "bob")),
    ("REG-dup-username-case", |text| text.replace("R0B88A1C1", "BOB")),
    ("REG-dup-email-case", |text| text.replace("R0B88A1C1", "BOB")),
    ("REG-long-username", |_| REGISTRATION.replacen("alice", &"x".repeat(151), 1)),
    ("REG-long-first", |_| REGISTRATION.replacen("Alice", &"x".repeat(151), 1)),
    ("REG-long-email", |_| REGISTRATION.replacen("alice@example.com", &long_email(263), 1)),
    ("TOK-case", |_| r#"{"username": "ALICE", "password": "Correct-horse-42"}"#.to_owned()),
    ("TOK-inactive*", |text| text.replace("inactive", "alice")),
    ("TOK-longpw", |_| format!(r#"{{"username": "alice", "password": "{}"}}"#, "x".repeat(1_000_000))),
    ("AUT-two", |_| "Authorization: Bearer <jwt>; Authorization: Bearer <jwt>".to_owned()),
    ("AUT-long", |_| format!("Authorization: Bearer {}", "x".repeat(20_000))),
    ("AUT-two-parts", |_| "Authorization: Bearer <jwt>".to_owned()),
    ("REF-two-parts", |_| r#"{"refresh": "<jwt>"}"#.to_owned()),
    ("VER-two-parts", |_| r#"{"token": "<jwt>"}"#.to_owned()),
    ("BLK-two-parts", |_| r#"{"refresh": "<jwt>"}"#.to_owned()),
    ("PST-create-long", |_| {
        format!(r#"Authorization: Bearer <jwt> {{"title": "{}", "content": "y"}}"#, "x".repeat(201))
    }),
    ("ME-patch-email-dup", |text| text.replace("alice", "bob")),
    ("ME-patch-name-dup", |text| text.replace("alice", "bob")),
    ("ME-patch-email-long", |_| format!(r#"Authorization: Bearer <jwt> {{"email": "{}"}}"#, long_email(263))),
];

/// Returns the complete request of a row.
pub(crate) fn request(row: &Row) -> String {
    find(REQUESTS, &row.id).map_or_else(|| row.request.clone(), |rewrite| rewrite(&row.request))
}

/// Returns all patterns of this table.
pub(crate) fn patterns() -> impl Iterator<Item = &'static str> {
    REQUESTS.iter().map(|(pattern, _)| *pattern)
}

/// Returns an email address of this length that is otherwise valid.
fn long_email(length: usize) -> String {
    let labels = format!("{0}@{1}.{1}.{1}.", "a".repeat(52), "b".repeat(52));
    format!("{labels}{}.com", "b".repeat(length - labels.len() - ".com".len()))
}
