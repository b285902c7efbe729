//! What the recording leaves open: which rows belong together, which token a row uses, and what happens before it. The
//! tables are keyed by row IDs; a `*` stands for any beginning or end.
//!
//! Without an entry a row is sent as recorded: `alice` is an account of its own, registered beforehand unless the row
//! registers it, and `<jwt>` is one of her tokens: an access token in headers and in the field `token`, otherwise a refresh
//! token.

/// Rows that depend on each other: they share accounts and tokens, and are sent in recorded order.
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

/// The origin of a token.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Token {
    /// From a user's first login.
    Issued(&'static str, Kind),
    /// The refresh token of alice's second login.
    OfSecondLogin,
    /// From the latest refresh.
    Refreshed(Kind),
    /// Forged by a recipe from a valid token of alice.
    Forged(Kind, &'static str),
}

use Kind::{Access, Refresh, Sliding};
use Token::{Forged, Issued, OfSecondLogin, Refreshed};

use crate::contract::forge::Kind;
use crate::contract::recipes::RECIPES;
use crate::contract::recording::{Row, matches};
use crate::contract::users::{ADMIN, ALICE, BOB};

/// The token in the `Authorization` header, where it is not a valid access token.
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

/// The token in the body, or the token whose claims the row shows.
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

/// Rows with a valid, issued token in areas that otherwise show all kinds of tokens.
const GOOD: &str = "REF-ok REF-reuse REF-bearer REF-trim REF-wrong-key-name REF-form REF-badtoken *-noslash \
    VER-ok-access VER-access-of-blacklisted *-user-deleted *-user-inactive BLK-ok BLK-again BLK-refresh-after \
    BLK-access-after AUT-ok AUT-3parts AUT-comma AUT-lower AUT-upper AUT-jwt AUT-token AUT-bare AUT-2spaces AUT-tab \
    AUT-quoted AUT-query AUT-cookie AUT-two PRO-* \
    *-use *-use2 *-claims-refresh *-refresh *-refresh2 *-refresh-blacklisted *-changed VSLIDING-inactive VHEADERS-*";

/// Returns the token for the headers or the path of a row.
pub(crate) fn bearer(row: &Row) -> Result<Token, String> {
    find(BEARERS, &row.id).map_or_else(|| default(row, Access, &["auth-header"]), Ok)
}

/// Returns the token for the body of a row, or the token whose claims it shows.
pub(crate) fn token(row: &Row, kind: Kind) -> Result<Token, String> {
    find(TOKENS, &row.id).map_or_else(|| default(row, kind, &["refresh", "verify", "blacklist"]), Ok)
}

/// In areas that show all kinds of tokens, returns the one named by the end of the row's ID; otherwise a valid one.
fn default(row: &Row, kind: Kind, shows_all: &[&str]) -> Result<Token, String> {
    let shows_all = shows_all.contains(&row.area.as_str()) || row.area.starts_with("variant");
    let end = row.id.split_once('-').map_or("", |(_, end)| end);
    match RECIPES.iter().find(|(name, _)| shows_all && *name == end) {
        Some((name, _)) => Ok(Forged(kind, name)),
        None if shows_all && !GOOD.split_whitespace().any(|pattern| matches(pattern, &row.id)) => {
            Err(format!("no table defines the token of {}", row.id))
        }
        None => Ok(Issued(ALICE, kind)),
    }
}

/// What happens before a row is sent, after its tokens were issued.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    /// An operator deactivates alice.
    Deactivate,
    /// An operator deletes alice.
    Delete,
    /// An operator sets alice's password.
    SetPassword,
    /// Alice's first refresh token is blacklisted.
    Blacklist,
    /// Alice logs in a second time.
    LogInAgain,
    /// A refresh token is exchanged.
    Exchange(Token),
    /// Alice changes her email address to `new-alice@example.com` and discards her tokens.
    ChangeEmail,
    /// Bob writes two posts.
    BobPosts,
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
    ("PST-create", Step::BobPosts),
    ("VNOROTATE-verify-blacklisted", Step::Blacklist),
    ("VSLIDING-inactive", Step::Deactivate),
    ("VREVOKE-changed", Step::SetPassword),
    ("VINACTIVE-use2", Step::Deactivate),
];

/// Returns the step before a row.
pub(crate) fn step(row: &Row) -> Option<Step> {
    find(STEPS, &row.id)
}

/// Returns the entry of a table that matches a row.
pub(crate) fn find<T: Copy>(table: &[(&str, T)], id: &str) -> Option<T> {
    table.iter().find(|(pattern, _)| matches(pattern, id)).map(|(_, entry)| *entry)
}

/// Returns all patterns of these tables.
pub(crate) fn patterns() -> impl Iterator<Item = &'static str> {
    let chains = CHAINS.iter().flat_map(|chain| chain.iter().copied());
    let tokens = BEARERS.iter().chain(TOKENS).map(|(pattern, _)| *pattern).chain(GOOD.split_whitespace());
    chains.chain(tokens).chain(STEPS.iter().map(|(pattern, _)| *pattern))
}
