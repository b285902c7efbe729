//! What the recording leaves to be guessed: which token stands where, what happens before a row, and what was
//! abbreviated. Tables, keyed by the ids of rows; a `*` stands for any beginning or end.
//!
//! Without an entry a row is sent as it is recorded: `alice` is an account of its own (registered before, except where
//! the row registers it), and `<jwt>` a token of her login: an access token in headers and under the key `token`, else
//! a refresh token.

use crate::forge::{Kind, RECIPES};
use crate::recording::{Row, matches};

/// Rows that follow from one another: they share their accounts and tokens, and are sent in the order of the recording.
pub(crate) const CHAINS: &[&[&str]] = &[
    &["REF-ok", "REF-reuse", "REF-next"],
    &["BLK-ok", "BLK-again", "BLK-refresh-after", "BLK-access-after"],
    &["OUT-ok", "OUT-again"],
    &["OUT-foreign", "OUT-foreign-after"],
    &["OUT-all", "OUT-all-after", "OUT-all-access"],
    &["ME-*"],
    &["CLM-*"],
];

/// Where another endpoint stands in for one that the service does not have: a guarded one and a public one.
pub(crate) const STAND_INS: &[(&str, &str)] = &[("/api/protected", "/api/users/me"), ("/posts/", "/token/")];

/// A token, by where it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token {
    /// Of alice's first login.
    Issued(Kind),
    /// Of alice's second login, a refresh token.
    OfSecondLogin,
    /// Of bob's login, a refresh token.
    OfBob,
    /// Of the latest answer to a refresh.
    Refreshed(Kind),
    /// Made by a recipe from a good token of alice.
    Forged(Kind, &'static str),
}

use Kind::{Access, Refresh};
use Token::{Forged, Issued, OfBob, OfSecondLogin, Refreshed};

/// The token in the `Authorization` header, where it is not a good access token.
const BEARERS: &[(&str, Token)] =
    &[("AUT-wrong-type", Issued(Refresh)), ("OUT-expired-access", Forged(Access, "expired"))];

/// The token in the body, or the one whose claims are shown.
const TOKENS: &[(&str, Token)] = &[
    ("REF-next", Refreshed(Refresh)),
    ("REF-wrong-type", Issued(Access)),
    ("BLK-wrong-type", Issued(Access)),
    ("VER-wrong-type", Issued(Refresh)),
    ("VER-ok-refresh", Issued(Refresh)),
    ("VER-blacklisted", Issued(Refresh)),
    ("OUT-foreign*", OfBob),
    ("OUT-all-after", OfSecondLogin),
    ("OUT-access", Issued(Access)),
    ("OUT-expired", Forged(Refresh, "expired")),
    ("CLM-refresh", Issued(Refresh)),
    ("CLM-access", Issued(Access)),
    ("CLM-rot-refresh", Refreshed(Refresh)),
    ("CLM-rot-access", Refreshed(Access)),
    ("CLM-custom", Refreshed(Access)),
    ("ME-stale-claims", Refreshed(Access)),
];

/// Rows of the four areas that show every kind of token where the token is a good one that was issued.
const GOOD: &str = "REF-ok REF-reuse REF-bearer REF-trim REF-wrong-key-name REF-form REF-badtoken *-noslash \
    VER-ok-access VER-access-of-blacklisted *-user-deleted *-user-inactive BLK-ok BLK-again BLK-refresh-after \
    BLK-access-after AUT-ok AUT-3parts AUT-comma AUT-lower AUT-upper AUT-jwt AUT-token AUT-bare AUT-2spaces AUT-tab \
    AUT-quoted AUT-query AUT-cookie AUT-two PRO-*";

/// The token for the headers or the path of a row.
pub(crate) fn bearer(row: &Row) -> Result<Token, String> {
    let kind = Access;
    let default = if row.area == "auth-header" { shown(row, kind) } else { Ok(Issued(kind)) };
    find(BEARERS, &row.id).map_or(default, Ok)
}

/// The token for the body of a row, or the one that it shows.
pub(crate) fn token(row: &Row, kind: Kind) -> Result<Token, String> {
    let shows_all = ["refresh", "verify", "blacklist"].contains(&row.area.as_str());
    let default = || if shows_all { shown(row, kind) } else { Ok(Issued(kind)) };
    find(TOKENS, &row.id).map_or_else(default, Ok)
}

/// The token that the end of the row's id names.
fn shown(row: &Row, kind: Kind) -> Result<Token, String> {
    let end = row.id.split_once('-').map_or("", |(_, end)| end);
    match RECIPES.iter().find(|(name, _)| *name == end) {
        Some((name, _)) => Ok(Forged(kind, name)),
        None if GOOD.split_whitespace().any(|pattern| matches(pattern, &row.id)) => Ok(Issued(kind)),
        None => Err(format!("no table says which token {} is about", row.id)),
    }
}

/// What happens before a row is sent, and after its tokens were issued.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// An administrator deactivates alice.
    Deactivate,
    /// An administrator deletes alice.
    Delete,
    /// Alice's first refresh token is blacklisted.
    Blacklist,
    /// Alice logs in a second time.
    LogInAgain,
    /// A refresh token is exchanged.
    Exchange(Token),
    /// Alice changes her address to `new-alice@example.com`, and forgets her tokens.
    ChangeEmail,
}

const STEPS: &[(&str, Step)] = &[
    ("TOK-inactive*", Step::Deactivate),
    ("*-user-inactive", Step::Deactivate),
    ("*-user-deleted", Step::Delete),
    ("VER-blacklisted", Step::Blacklist),
    ("VER-access-of-blacklisted", Step::Blacklist),
    ("OUT-all", Step::LogInAgain),
    ("CLM-refresh", Step::ChangeEmail),
    ("CLM-rot-refresh", Step::Exchange(Issued(Refresh))),
    ("CLM-custom", Step::Exchange(Forged(Refresh, "custom"))),
];

/// The step before a row.
pub(crate) fn step(row: &Row) -> Option<Step> {
    find(STEPS, &row.id)
}

const REGISTRATION: &str = r#"{"username": "alice", "email": "alice@example.com", "first_name": "Alice", "password": "Correct-horse-42", "password2": "Correct-horse-42"}"#;

/// Makes the text of a request whole.
type Rewrite = fn(&str) -> String;

/// Requests that the recording abbreviates, or in which one name stands for two accounts; `bob` is the other one. In
/// capitals, a name is in the other letter case.
const REQUESTS: &[(&str, Rewrite)] = &[
    // The fields that are not shown were as in REG-ok and TOK-ok: the answers complain of one field only.
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
    ("ME-patch-email-dup", |text| text.replace("alice", "bob")),
    ("ME-patch-name-dup", |text| text.replace("alice", "bob")),
    ("ME-patch-email-long", |_| format!(r#"Authorization: Bearer <jwt> {{"email": "{}"}}"#, long_email(263))),
];

/// The text of a request, whole.
pub(crate) fn request(row: &Row) -> String {
    find(REQUESTS, &row.id).map_or_else(|| row.request.clone(), |rewrite| rewrite(&row.request))
}

/// An address that is right but for its length.
fn long_email(length: usize) -> String {
    let labels = format!("{0}@{1}.{1}.{1}.", "a".repeat(52), "b".repeat(52));
    format!("{labels}{}.com", "b".repeat(length - labels.len() - ".com".len()))
}

fn find<T: Copy>(table: &[(&str, T)], id: &str) -> Option<T> {
    table.iter().find(|(pattern, _)| matches(pattern, id)).map(|(_, entry)| *entry)
}

/// All patterns of the tables here.
pub(crate) fn patterns() -> impl Iterator<Item = &'static str> {
    let chains = CHAINS.iter().flat_map(|chain| chain.iter().copied());
    let tokens = BEARERS.iter().chain(TOKENS).map(|(pattern, _)| *pattern).chain(GOOD.split_whitespace());
    let others = STEPS.iter().map(|(pattern, _)| *pattern).chain(REQUESTS.iter().map(|(pattern, _)| *pattern));
    chains.chain(tokens).chain(others)
}
