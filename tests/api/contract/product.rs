//! Rows that the service answers in its own way, each with the reason (sections 12 and 12a of the contract).
//!
//! Not listed, because they hold for every row: 308 for 301; the account in the answer to a registration; `sid`, `gen`
//! and `kid` in tokens; more headers.

use serde_json::{Value, json};

use crate::recording::{Row, matches};

/// What the service answers.
pub(crate) enum Answer {
    /// A token is refused by an endpoint that takes it in its body: 401 with this detail.
    Token(&'static str),
    /// A token is refused on a guarded path: 401 with this message.
    Guarded(&'static str),
    /// A status and a JSON body.
    Json(u16, &'static str),
    /// A token with these claims, as far as they are listed.
    Claims(&'static str),
}

use Answer::{Claims, Guarded, Json, Token};

const NO_ACTIVE_ACCOUNT: Answer = Json(401, r#"{"detail":"No active account found for the given token."}"#);
const USER_NOT_FOUND: Answer = Json(401, r#"{"detail":"User not found","code":"user_not_found"}"#);
const NOT_FOUND: Answer = Json(404, r#"{"detail":"Not found."}"#);
const NOTHING_NAMED: Answer = Json(400, r#"{"error":"'refresh'"}"#);

/// Rows, the answer to them, and why it is not the recorded one.
pub(crate) const OWN_WAY: &[(&str, Answer, &str)] = &[
    (
        "REF-user-unknown REF-user-deleted",
        NO_ACTIVE_ACCOUNT,
        "12: 500 for the refresh token of a deleted or unknown user",
    ),
    (
        "REF-no-user REF-user-null",
        NO_ACTIVE_ACCOUNT,
        "12: endless tokens of nobody for a refresh token without user_id",
    ),
    (
        "REF-user-word REF-user-list REF-user-huge REF-user-blank",
        NO_ACTIVE_ACCOUNT,
        "12: 500 for a well-signed token with an odd user_id",
    ),
    (
        "BLK-user-word BLK-user-list BLK-user-blank",
        Token("Token is invalid"),
        "12: 500 for a well-signed token with an odd user_id",
    ),
    (
        "AUT-user-word AUT-user-list AUT-user-blank",
        USER_NOT_FOUND,
        "12: 500 for a well-signed token with an odd user_id",
    ),
    ("REF-no-jti BLK-no-jti", Token("Token has no id"), "12 and 3, step 4: 500 for a refresh token without jti"),
    (
        "REF-exp-string REF-exp-huge VER-exp-string VER-exp-huge BLK-exp-string BLK-exp-huge",
        Token("Token is invalid"),
        "12: 500 for an exp that is a string of digits, or 10^18",
    ),
    (
        "AUT-exp-string AUT-exp-huge",
        Guarded("Token is invalid"),
        "12: 500 for an exp that is a string of digits, or 10^18",
    ),
    (
        "REG-long-username",
        Json(400, r#"{"username":["Ensure this field has no more than 150 characters."]}"#),
        "12: 500 for a username that is too long",
    ),
    (
        "REG-long-first",
        Json(400, r#"{"first_name":["Ensure this field has no more than 150 characters."]}"#),
        "12: 500 for a first name that is too long",
    ),
    (
        "REG-long-email",
        Json(400, r#"{"email":["Ensure this field has no more than 254 characters."]}"#),
        "12: 500 for an address that is too long",
    ),
    (
        "REG-dup-email-case",
        Json(400, r#"{"email":["User with this email already exists."]}"#),
        "12: two accounts with one address in two letter cases",
    ),
    (
        "REG-similar",
        Json(400, r#"{"password":["The password is too similar to the username."]}"#),
        "12: a password like the username is accepted",
    ),
    ("OUT-null", NOTHING_NAMED, "12: 200 for a logout of null, and nothing is revoked"),
    ("OUT-all-str0", NOTHING_NAMED, "12: a logout of everything for \"0\""),
    ("OUT-foreign", Json(400, r#"{"error":"Token is invalid"}"#), "12: a logout revokes another user's token"),
    (
        "OUT-foreign-after",
        Json(200, r#"{"access":"<jwt>","refresh":"<jwt>"}"#),
        "12: as a logout does not revoke another user's token, it lives on",
    ),
    (
        "ME-stale-claims",
        Claims(r#"{"email":"new-alice@example.com","role":"user"}"#),
        "12: old claims for ever through rotation",
    ),
    (
        "CLM-custom",
        Claims(
            r#"{"token_type":"access","exp":1795330637,"iat":1795328837,"jti":"f7aaa3820f134df49a7c40b5b6e4d220","user_id":"240","email":"new-alice@example.com","role":"user","custom":{"a":[1]},"nbf":1}"#,
        ),
        "12: the email of a forged token instead of the account's",
    ),
    ("GEN-404 GEN-404-json GEN-root GEN-doubleslash", NOT_FOUND, "12 and 1: HTML for errors outside DRF"),
    ("AUT-long", Json(431, r#"{"detail":"Request header is too large."}"#), "12: HTML for errors outside DRF"),
];

/// The service's own answer to a row; `None` if it is the recorded one.
pub(crate) fn own_way(row: &Row) -> Option<&'static Answer> {
    let is_listed = |ids: &str| ids.split_whitespace().any(|id| matches(id, &row.id));
    OWN_WAY.iter().find(|(ids, _, _)| is_listed(ids)).map(|(_, answer, _)| answer)
}

impl Answer {
    /// Status and body.
    pub(crate) fn status_and_body(&self) -> (u16, Value) {
        match self {
            Token(detail) => (401, json!({"detail": detail, "code": "token_not_valid"})),
            Guarded(message) => (
                401,
                json!({
                    "detail": "Given token not valid for any token type", "code": "token_not_valid",
                    "messages": [{"token_class": "AccessToken", "token_type": "access", "message": message}],
                }),
            ),
            Json(status, text) => (*status, parse(text)),
            Claims(text) => (0, parse(text)),
        }
    }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("the table holds JSON")
}
