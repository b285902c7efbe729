//! What the recording leaves to be guessed: which rows belong together, which token stands where, and what happens
//! before a row. Tables, keyed by the ids of rows; a `*` stands for any beginning or end.
//!
//! Without an entry a row is sent as it is recorded: `alice` is an account of its own (registered before, except where
//! the row registers it), and `<jwt>` a token of her login: an access token in headers and under the key `token`, else
//! a refresh token.

/// Rows that follow from one another: they share their accounts and tokens, and are sent in the order of the recording.
pub(crate) const CHAINS: &[&[&str]] = &[
    &["REF-ok", "REF-reuse", "REF-next"],
    &["BLK-ok", "BLK-again", "BLK-refresh-after", "BLK-access-after"],
    &["OUT-ok", "OUT-again"],
    &["OUT-foreign", "OUT-foreign-after"],
    &["OUT-all", "OUT-all-after", "OUT-all-access"],
    &["ME-*"],
    &["PST-*"],
    &["CLM-*"],
    &["VNOROTATE-*"],
    &["VROTATEONLY-*"],
    &["VSLIDING-*"],
    &["VAUDISS-*"],
    &["VLEEWAY-*"],
    &["VREVOKE-*"],
    &["VINACTIVE-*"],
    &["VHEADERS-*"],
    &["VCLAIMS-*"],
    &["VTHROTTLE-*"],
    &["VRS256-*"],
];

/// A token, by where it comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token {
    /// Of somebody's first login.
    Issued(&'static str, Kind),
    /// Of alice's second login, a refresh token.
    OfSecondLogin,
    /// Of the latest answer to a refresh.
    Refreshed(Kind),
    /// Made by a recipe from a good token of alice.
    Forged(Kind, &'static str),
}

use Kind::{Access, Refresh, Sliding};
use Token::{Forged, Issued, OfSecondLogin, Refreshed};

use crate::contract::forge::Kind;
use crate::contract::recipes::RECIPES;
use crate::contract::recording::{Row, matches};
use crate::contract::users::{ADMIN, ALICE, BOB};

/// The token in the `Authorization` header, where it is not a good access token.
const BEARERS: &[(&str, Token)] = &[
    ("AUT-wrong-type", Issued(ALICE, Refresh)),
    ("OUT-expired-access", Forged(Access, "expired")),
    ("PST-list-expired", Forged(Access, "expired")),
    ("*-other", Issued(BOB, Access)),
    ("*-admin", Issued(ADMIN, Access)),
    ("VSLIDING-use", Issued(ALICE, Sliding)),
    ("VSLIDING-two-messages", Forged(Sliding, "expired")),
    ("VSLIDING-type", Forged(Refresh, "forged")),
];

/// The token in the body, or the one whose claims are shown.
const TOKENS: &[(&str, Token)] = &[
    ("REF-next", Refreshed(Refresh)),
    ("REF-wrong-type", Issued(ALICE, Access)),
    ("BLK-wrong-type", Issued(ALICE, Access)),
    ("VER-wrong-type", Issued(ALICE, Refresh)),
    ("VER-ok-refresh", Issued(ALICE, Refresh)),
    ("VER-blacklisted", Issued(ALICE, Refresh)),
    ("OUT-foreign*", Issued(BOB, Refresh)),
    ("OUT-all-after", OfSecondLogin),
    ("OUT-access", Issued(ALICE, Access)),
    ("OUT-expired", Forged(Refresh, "expired")),
    ("CLM-refresh", Issued(ALICE, Refresh)),
    ("CLM-access", Issued(ALICE, Access)),
    ("CLM-rot-refresh", Refreshed(Refresh)),
    ("CLM-rot-access", Refreshed(Access)),
    ("CLM-custom", Refreshed(Access)),
    ("ME-stale-claims", Refreshed(Access)),
    ("*-claims-access", Issued(ALICE, Access)),
    ("*-claims-token", Issued(ALICE, Sliding)),
    ("VNOROTATE-claims-access-2", Refreshed(Access)),
    ("VNOROTATE-verify-blacklisted", Issued(ALICE, Refresh)),
    ("VSLIDING-claims-token-2", Refreshed(Sliding)),
    ("VSLIDING-refresh-access", Forged(Access, "forged")),
];

/// Rows of the areas that show every kind of token where the token is a good one that was issued.
const GOOD: &str = "REF-ok REF-reuse REF-bearer REF-trim REF-wrong-key-name REF-form REF-badtoken *-noslash \
    VER-ok-access VER-access-of-blacklisted *-user-deleted *-user-inactive BLK-ok BLK-again BLK-refresh-after \
    BLK-access-after AUT-ok AUT-3parts AUT-comma AUT-lower AUT-upper AUT-jwt AUT-token AUT-bare AUT-2spaces AUT-tab \
    AUT-quoted AUT-query AUT-cookie AUT-two PRO-* \
    *-use *-use2 *-claims-refresh *-refresh *-refresh2 *-refresh-blacklisted *-changed VSLIDING-inactive VHEADERS-*";

/// The token for the headers or the path of a row.
pub(crate) fn bearer(row: &Row) -> Result<Token, String> {
    find(BEARERS, &row.id).map_or_else(|| default(row, Access, &["auth-header"]), Ok)
}

/// The token for the body of a row, or the one that it shows.
pub(crate) fn token(row: &Row, kind: Kind) -> Result<Token, String> {
    find(TOKENS, &row.id).map_or_else(|| default(row, kind, &["refresh", "verify", "blacklist"]), Ok)
}

/// In areas that show every kind of token, the one that the end of the row's id names; else a good one.
fn default(row: &Row, kind: Kind, shows_all: &[&str]) -> Result<Token, String> {
    let shows_all = shows_all.contains(&row.area.as_str()) || row.area.starts_with("variant");
    let end = row.id.split_once('-').map_or("", |(_, end)| end);
    match RECIPES.iter().find(|(name, _)| shows_all && *name == end) {
        Some((name, _)) => Ok(Forged(kind, name)),
        None if shows_all && !GOOD.split_whitespace().any(|pattern| matches(pattern, &row.id)) => {
            Err(format!("no table says which token {} is about", row.id))
        }
        None => Ok(Issued(ALICE, kind)),
    }
}

/// What happens before a row is sent, and after its tokens were issued.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// An administrator deactivates alice.
    Deactivate,
    /// An administrator deletes alice.
    Delete,
    /// An administrator sets alice's password.
    SetPassword,
    /// Alice's first refresh token is blacklisted.
    Blacklist,
    /// Alice logs in a second time.
    LogInAgain,
    /// A refresh token is exchanged.
    Exchange(Token),
    /// Alice changes her address to `new-alice@example.com`, and forgets her tokens.
    ChangeEmail,
    /// Bob writes two posts.
    OthersPost,
}

const STEPS: &[(&str, Step)] = &[
    ("TOK-inactive*", Step::Deactivate),
    ("*-user-inactive", Step::Deactivate),
    ("*-user-deleted", Step::Delete),
    ("VER-blacklisted", Step::Blacklist),
    ("VER-access-of-blacklisted", Step::Blacklist),
    ("OUT-all", Step::LogInAgain),
    ("CLM-refresh", Step::ChangeEmail),
    ("CLM-rot-refresh", Step::Exchange(Issued(ALICE, Refresh))),
    ("CLM-custom", Step::Exchange(Forged(Refresh, "custom"))),
    ("PST-create", Step::OthersPost),
    ("VNOROTATE-verify-blacklisted", Step::Blacklist),
    ("VSLIDING-inactive", Step::Deactivate),
    ("VREVOKE-changed", Step::SetPassword),
    ("VINACTIVE-use2", Step::Deactivate),
];

/// The step before a row.
pub(crate) fn step(row: &Row) -> Option<Step> {
    find(STEPS, &row.id)
}

/// The entry of a table for a row.
pub(crate) fn find<T: Copy>(table: &[(&str, T)], id: &str) -> Option<T> {
    table.iter().find(|(pattern, _)| matches(pattern, id)).map(|(_, entry)| *entry)
}

/// All patterns of the tables here.
pub(crate) fn patterns() -> impl Iterator<Item = &'static str> {
    let chains = CHAINS.iter().flat_map(|chain| chain.iter().copied());
    let tokens = BEARERS.iter().chain(TOKENS).map(|(pattern, _)| *pattern).chain(GOOD.split_whitespace());
    chains.chain(tokens).chain(STEPS.iter().map(|(pattern, _)| *pattern))
}
