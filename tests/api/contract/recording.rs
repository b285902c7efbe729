//! The recording: its rows, and those of them that do not apply.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

/// What the reference peer was asked, and what it answered.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) area: String,
    pub(crate) title: String,
    /// Empty for a row that shows the claims of a token.
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// All rows, in the order of the recording.
pub(crate) fn rows() -> Vec<Row> {
    include_str!("../../data/simplejwt.jsonl").lines().map(row).collect()
}

fn row(line: &str) -> Row {
    let row: Value = serde_json::from_str(line).expect("a line of the recording is a JSON object");
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let headers = row["headers"].as_object().expect("headers are an object").iter();
    Row {
        id: text("id"),
        area: text("area"),
        title: text("title"),
        method: text("method"),
        path: text("path"),
        request: text("request"),
        status: row["status"].as_u64().map_or(0, |status| status as u16),
        headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
        body: text("body"),
    }
}

/// The `Allow` header of each path, as recorded.
pub(crate) fn allowed_methods(rows: &[Arc<Row>]) -> BTreeMap<String, String> {
    let recorded = rows.iter().filter_map(|row| Some((row.path.clone(), row.headers.get("allow")?.clone())));
    recorded.collect()
}

/// Whether a pattern of the tables means this row: its id, or with one `*` the beginning or the end of its id.
pub(crate) fn matches(pattern: &str, id: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => id.ends_with(end),
        (None, Some(beginning)) => id.starts_with(beginning),
        (None, None) => id == pattern,
    }
}

/// Rows that are not replayed: why, and which.
pub(crate) const NOT_APPLICABLE: &[(&str, &str)] = &[
    (
        "the service has no posts; the example that has some replays them",
        "PST-create PST-list PST-list-badtoken PST-list-expired PST-list-page PST-list-head PST-list-options \
         PST-list-post PST-list-noslash PST-create-anon PST-create-empty PST-create-blank PST-create-null \
         PST-create-types PST-create-int PST-create-long PST-create-nul PST-create-author PST-create-get \
         PST-create-get-anon PST-create-options PST-get-anon PST-get-owner PST-get-other PST-get-admin \
         PST-put-other PST-put-anon PST-put-owner PST-put-missing PST-put-admin PST-patch-owner PST-head-owner \
         PST-options-owner PST-options-other PST-options-anon PST-post-owner PST-delete-other PST-delete-anon \
         PST-delete-owner PST-delete-again PST-404-anon PST-404-huge PST-404-word PST-404-neg",
    ),
    ("at the path that stands in for /api/protected/, /api/users/me/, PUT is allowed", "PRO-put"),
    (
        "another setting: rotation off",
        "VNOROTATE-obtain VNOROTATE-claims-refresh VNOROTATE-claims-access VNOROTATE-use VNOROTATE-refresh \
         VNOROTATE-refresh2 VNOROTATE-verify-blacklisted VNOROTATE-refresh-blacklisted",
    ),
    (
        "another setting: rotation without blacklist",
        "VROTATEONLY-obtain VROTATEONLY-claims-refresh VROTATEONLY-claims-access VROTATEONLY-use \
         VROTATEONLY-refresh VROTATEONLY-refresh2",
    ),
    (
        "another setting: sliding tokens",
        "VSLIDING-obtain VSLIDING-claims-token VSLIDING-use VSLIDING-refresh VSLIDING-refresh-expired-refresh \
         VSLIDING-refresh-expired VSLIDING-refresh-norefexp VSLIDING-refresh-access VSLIDING-missing \
         VSLIDING-two-messages VSLIDING-type VSLIDING-inactive",
    ),
    (
        "another setting: audience and issuer",
        "VAUDISS-obtain VAUDISS-claims-refresh VAUDISS-claims-access VAUDISS-use VAUDISS-noaud VAUDISS-wrongaud \
         VAUDISS-wrongiss VAUDISS-audlist",
    ),
    (
        "another setting: leeway",
        "VLEEWAY-obtain VLEEWAY-claims-refresh VLEEWAY-claims-access VLEEWAY-use VLEEWAY-in VLEEWAY-out",
    ),
    (
        "another setting: tokens die with the password",
        "VREVOKE-obtain VREVOKE-claims-refresh VREVOKE-claims-access VREVOKE-use VREVOKE-changed VREVOKE-noclaim \
         VREVOKE-refresh VREVOKE-refreshed-use",
    ),
    (
        "another setting: inactive users are let in",
        "VINACTIVE-obtain VINACTIVE-claims-refresh VINACTIVE-claims-access VINACTIVE-use VINACTIVE-use2 \
         VINACTIVE-login VINACTIVE-refresh",
    ),
    (
        "another setting: names of the header and its schemes",
        "VHEADERS-obtain VHEADERS-claims-refresh VHEADERS-claims-access VHEADERS-use VHEADERS-bearer-std \
         VHEADERS-jwt VHEADERS-bearer VHEADERS-none VHEADERS-login401",
    ),
    (
        "another setting: names of the claims",
        "VCLAIMS-obtain VCLAIMS-claims-refresh VCLAIMS-claims-access VCLAIMS-use VCLAIMS-refresh VCLAIMS-unknown",
    ),
    (
        "another setting: throttling",
        "VTHROTTLE-obtain VTHROTTLE-claims-refresh VTHROTTLE-claims-access VTHROTTLE-use VTHROTTLE-0 VTHROTTLE-1 \
         VTHROTTLE-2 VTHROTTLE-3 VTHROTTLE-4 VTHROTTLE-5",
    ),
    (
        "another setting: RS256",
        "VRS256-obtain VRS256-claims-refresh VRS256-claims-access VRS256-use VRS256-confusion VRS256-hs",
    ),
];

/// Why a row is not replayed; `None` if it is.
pub(crate) fn why_not_applicable(row: &Row) -> Option<&'static str> {
    let listed = NOT_APPLICABLE.iter().find(|(_, ids)| ids.split_whitespace().any(|id| id == row.id));
    listed.map(|(reason, _)| *reason)
}
