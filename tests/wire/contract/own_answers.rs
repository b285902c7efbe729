//! Rows that the service answers differently on purpose, each with the reason: a section of the wire contract or a
//! requirement. `docs/compatibility.md` lists them, with the differences that affect many rows
//! ([`differences`](crate::contract::differences)).

use serde_json::Value;

/// An answer of the service.
pub(crate) enum Answer {
    /// 401 with this detail: an endpoint refuses a token in its body.
    Token(&'static str),
    /// 401 with this message: a guarded route refuses a token.
    Guarded(&'static str),
    /// A status and a JSON body.
    Json(u16, &'static str),
    /// A token with these claims, among others.
    Claims(&'static str),
    /// A token with the recorded claims except this one.
    Without(&'static str),
}

use Answer::{Claims, Guarded, Json, Token, Without};

use crate::contract::recording::{Row, matches};

const NO_ACTIVE_ACCOUNT: Answer = Json(401, r#"{"detail":"No active account found for the given token."}"#);
const USER_NOT_FOUND: Answer = Json(401, r#"{"detail":"User not found","code":"user_not_found"}"#);
const PASSWORD_CHANGED: Answer =
    Json(401, r#"{"detail":"The user's password has been changed.","code":"password_changed"}"#);
const NOT_FOUND: Answer = Json(404, r#"{"detail":"Not found."}"#);
const NO_TARGET: Answer = Json(400, r#"{"error":"'refresh'"}"#);

/// Rows, the answer, and why it differs from the recorded one.
pub(crate) const OWN_WAY: &[(&str, Answer, &str)] = &[
    ("REF-user-unknown REF-user-deleted", NO_ACTIVE_ACCOUNT, "12: SimpleJWT crashes on a deleted or unknown user"),
    ("REF-no-user REF-user-null", NO_ACTIVE_ACCOUNT, "12: SimpleJWT keeps issuing tokens without a user"),
    (
        "REF-user-word REF-user-list REF-user-huge REF-user-blank",
        NO_ACTIVE_ACCOUNT,
        "12: SimpleJWT crashes on a correctly signed token with an invalid user_id",
    ),
    (
        "BLK-user-word BLK-user-list BLK-user-blank",
        Token("Token is invalid"),
        "12: SimpleJWT crashes on a correctly signed token with an invalid user_id",
    ),
    (
        "AUT-user-word AUT-user-list AUT-user-blank",
        USER_NOT_FOUND,
        "12: SimpleJWT crashes on a correctly signed token with an invalid user_id",
    ),
    (
        "REF-no-jti BLK-no-jti",
        Token("Token has no id"),
        "12, and 3 (step 4): SimpleJWT crashes on a refresh token without jti",
    ),
    (
        "REF-exp-string REF-exp-huge VER-exp-string VER-exp-huge BLK-exp-string BLK-exp-huge",
        Token("Token is invalid"),
        "12: SimpleJWT crashes on an exp that is a string of digits, or 10^18",
    ),
    (
        "AUT-exp-string AUT-exp-huge",
        Guarded("Token is invalid"),
        "12: SimpleJWT crashes on an exp that is a string of digits, or 10^18",
    ),
    (
        "TOK-longpw",
        Json(413, r#"{"detail":"Request body is too large."}"#),
        "SEC-073: a login body may be at most 64 KiB long, so that slow anonymous clients use little memory",
    ),
    (
        "REG-long-username",
        Json(400, r#"{"username":["Ensure this field has no more than 150 characters."]}"#),
        "12: SimpleJWT crashes on a username that is too long",
    ),
    (
        "REG-long-first",
        Json(400, r#"{"first_name":["Ensure this field has no more than 150 characters."]}"#),
        "12: SimpleJWT crashes on a first name that is too long",
    ),
    (
        "REG-long-email",
        Json(400, r#"{"email":["Ensure this field has no more than 254 characters."]}"#),
        "12: SimpleJWT crashes on an email address that is too long",
    ),
    (
        "REG-dup-email-case",
        Json(400, r#"{"email":["User with this email already exists."]}"#),
        "12: one email address, written in different case, would belong to two accounts",
    ),
    (
        "REG-similar",
        Json(400, r#"{"password":["The password is too similar to the username."]}"#),
        "12: attackers guess passwords similar to the username first",
    ),
    ("OUT-null", NO_TARGET, "12: a logout that revokes nothing should not succeed"),
    ("OUT-all-str0", NO_TARGET, "12: for \"0\", SimpleJWT's tutorial revokes all sessions"),
    ("OUT-foreign", Json(400, r#"{"error":"Token is invalid"}"#), "12: any user could revoke another user's session"),
    (
        "OUT-foreign-after",
        Json(200, r#"{"access":"<jwt>","refresh":"<jwt>"}"#),
        "12: so the other user's token stays valid",
    ),
    (
        "ME-stale-claims",
        Claims(r#"{"email":"new-alice@example.com","role":"user"}"#),
        "12: SimpleJWT copies old claims through every rotation",
    ),
    (
        "CLM-custom",
        Claims(
            r#"{"token_type":"access","exp":1795330637,"iat":1795328837,"jti":"f7aaa3820f134df49a7c40b5b6e4d220","user_id":"240","email":"new-alice@example.com","role":"user","custom":{"a":[1]},"nbf":1}"#,
        ),
        "12: SimpleJWT copies the email address from the token instead of the account",
    ),
    ("PST-404-word PST-404-neg", NOT_FOUND, "12 and 1: an API answers in JSON, even where Django answers in HTML"),
    (
        "GEN-404 GEN-404-json GEN-root GEN-doubleslash",
        NOT_FOUND,
        "12 and 1: an API answers in JSON, even where Django answers in HTML",
    ),
    (
        "AUT-long",
        Json(431, r#"{"detail":"Request header is too large."}"#),
        "12: an API answers in JSON, even where the server answers in HTML",
    ),
    (
        "VNOROTATE-verify-blacklisted",
        Json(400, r#"{"non_field_errors":["Token is blacklisted"]}"#),
        "3: without BLACKLIST_AFTER_ROTATION, verify accepts a blacklisted token",
    ),
    (
        "VSLIDING-inactive",
        NO_ACTIVE_ACCOUNT,
        "11 and SEC-028: a deactivated user could renew a sliding token (the next release of SimpleJWT checks the user too)",
    ),
    (
        "VREVOKE-claims-refresh VREVOKE-claims-access",
        Without("hash_password"),
        "SEC-026: a fingerprint of the password hash is a secret, but payloads are public; sessions are revoked instead",
    ),
    (
        "VREVOKE-noclaim",
        Guarded("Token is blacklisted"),
        "SEC-026: there is no such claim; a token without a session is refused if it is older than the password",
    ),
    (
        "VREVOKE-refresh",
        Token("Token is blacklisted"),
        "11 and SEC-028: a refresh after a password change (the next release of SimpleJWT refuses it too)",
    ),
    (
        "VREVOKE-refreshed-use",
        PASSWORD_CHANGED,
        "SEC-028: the same answer to the previous access token, because no refreshed one exists",
    ),
];

/// Returns the service's own answer to a row; `None` if it is the recorded one.
pub(crate) fn own_way(row: &Row) -> Option<&'static Answer> {
    OWN_WAY.iter().find(|(ids, _, _)| is_listed(ids, row)).map(|(_, answer, _)| answer)
}

/// Returns whether a row is in a list of IDs.
pub(crate) fn is_listed(ids: &str, row: &Row) -> bool {
    ids.split_whitespace().any(|id| matches(id, &row.id))
}

impl Answer {
    /// Returns status and body; `None` for claims.
    pub(crate) fn status_and_text(&self) -> Option<(u16, String)> {
        match self {
            Token(detail) => Some((401, format!(r#"{{"detail":"{detail}","code":"token_not_valid"}}"#))),
            Guarded(message) => Some((
                401,
                format!(
                    r#"{{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{{"token_class":"AccessToken","token_type":"access","message":"{message}"}}]}}"#
                ),
            )),
            Json(status, text) => Some((*status, (*text).to_owned())),
            Claims(_) | Without(_) => None,
        }
    }

    /// Returns the expected claims for a row that shows some.
    pub(crate) fn claims(&self, row: &Row) -> Result<String, String> {
        match self {
            Claims(text) => Ok((*text).to_owned()),
            Without(claim) => {
                let mut recorded: Value = serde_json::from_str(&row.body).map_err(|error| error.to_string())?;
                let removed = recorded["claims"].as_object_mut().and_then(|claims| claims.remove(*claim));
                removed.map(|_| recorded.to_string()).ok_or_else(|| format!("no claim {claim} was recorded"))
            }
            _ => Err(format!("{} shows claims, but its own answer has none", row.id)),
        }
    }
}
