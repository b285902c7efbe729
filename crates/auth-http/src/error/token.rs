//! Conversion of token errors to responses.

use actix_web::http::StatusCode;
use auth_core::time::Seconds;
use auth_core::token::{TokenFault, TokenKind};
use auth_core::{AuthError, StoreError};

use super::api_error::log_failure;
use super::{ApiError, DetailBody, TokenMessage};

/// What a response says about a refused access token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Explanation<'a> {
    /// Whether the response includes a `reason`.
    pub reasons: bool,
    /// The accepted token types, each of which has a message in the response.
    pub accepted_kinds: &'a [TokenKind],
}

impl ApiError {
    /// Converts an error of an endpoint that takes a token in its body; `reasons`: whether the response includes a `reason`.
    /// The status follows the [kind](AuthError::kind).
    pub(crate) fn at_token_endpoint(error: AuthError, reasons: bool) -> Self {
        let refuse = |detail: &str, code, reason: Option<&'static str>| {
            let reason = reason.filter(|_| reasons);
            let body = DetailBody { detail: detail.to_owned(), code, reason, messages: None };
            Self::with_body(StatusCode::UNAUTHORIZED, body)
        };
        let code = Some(error.code());
        match error {
            AuthError::Token(fault) => refuse(message(fault), code, reason(fault)),
            AuthError::NoActiveAccount => {
                refuse("No active account found for the given token.", None, Some("user_inactive"))
            }
            AuthError::SubjectMissing => refuse("Token contained no recognizable user identification", code, None),
            AuthError::UserNotFound => refuse("User not found", code, Some("user_not_found")),
            AuthError::UserInactive => refuse("User is inactive", code, Some("user_inactive")),
            AuthError::PasswordChanged => {
                refuse("The user's password has been changed.", code, Some("password_changed"))
            }
            AuthError::MultiFactorRequired => refuse("More than one authentication factor is required.", code, None),
            AuthError::NoSubject => refuse("The user has no email address that tokens could name.", code, None),
            AuthError::Store(StoreError::Unavailable(_)) | AuthError::Unavailable(_) | AuthError::UserChanged => {
                log_failure(&error);
                Self::unavailable(error.retry_after().map_or(1, Seconds::get))
            }
            AuthError::NothingNamed => Self::logout("'refresh'"),
            AuthError::TokenOfAnotherUser => Self::logout("Token is invalid"),
            AuthError::NoOwnSession => Self::logout("The access token belongs to no session"),
            AuthError::Store(StoreError::Broken(_)) | AuthError::Crypto(_) => Self::failure(&error),
        }
    }

    /// Converts an error about the access token of a guarded route.
    pub(crate) fn at_guarded_path(error: AuthError, explanation: Explanation<'_>) -> Self {
        let Explanation { reasons, accepted_kinds } = explanation;
        match error {
            AuthError::Token(fault) => Self::with_body(
                StatusCode::UNAUTHORIZED,
                DetailBody {
                    detail: "Given token not valid for any token type".to_owned(),
                    code: Some(error.code()),
                    messages: Some(accepted_kinds.iter().map(|kind| token_message(*kind, fault)).collect()),
                    reason: reason(fault).filter(|_| reasons),
                },
            ),
            other => Self::at_token_endpoint(other, reasons),
        }
    }

    /// Converts an error of the verify endpoint, where a blacklisted token is a 400.
    pub(crate) fn at_verification(error: AuthError, reasons: bool) -> Self {
        match error {
            AuthError::Token(fault) if fault.is_blacklisted() => Self::non_field(message(fault)),
            other => Self::at_token_endpoint(other, reasons),
        }
    }

    /// Converts an error of a logout.
    pub(crate) fn at_logout(error: AuthError, reasons: bool) -> Self {
        match error {
            AuthError::Token(fault) => Self::logout(message(fault)),
            other => Self::at_token_endpoint(other, reasons),
        }
    }
}

/// The message of one accepted token type about the presented token.
const fn token_message(kind: TokenKind, fault: TokenFault) -> TokenMessage {
    let token_class = match kind {
        TokenKind::Access => "AccessToken",
        TokenKind::Refresh => "RefreshToken",
        TokenKind::Sliding => "SlidingToken",
    };
    TokenMessage { token_class, token_type: kind.name(), message: message(fault) }
}

/// The message for a refused token. Every token without a valid signature gets the same message, so forgers learn nothing.
const fn message(fault: TokenFault) -> &'static str {
    match fault {
        TokenFault::Expired => "Token is expired",
        TokenFault::NoExpiry => "Token has no 'exp' claim",
        TokenFault::NoRefreshExpiry => "Token has no 'refresh_exp' claim",
        TokenFault::RefreshExpired => "Token 'refresh_exp' claim has expired",
        TokenFault::NoId => "Token has no id",
        TokenFault::NoKind => "Token has no type",
        TokenFault::WrongKind => "Token has wrong type",
        fault if fault.is_blacklisted() => "Token is blacklisted",
        _ => "Token is invalid",
    }
}

/// The stable `reason`; `None` for a token without a valid signature.
const fn reason(fault: TokenFault) -> Option<&'static str> {
    match fault {
        TokenFault::Expired | TokenFault::RefreshExpired => Some("token_expired"),
        TokenFault::BadClaim
        | TokenFault::NoExpiry
        | TokenFault::NoRefreshExpiry
        | TokenFault::NoId
        | TokenFault::NoKind => Some("token_malformed"),
        TokenFault::WrongKind => Some("token_wrong_type"),
        TokenFault::Used => Some("token_spent"),
        TokenFault::Reused => Some("token_reused"),
        TokenFault::NeverIssued => Some("token_never_issued"),
        TokenFault::Revoked => Some("session_revoked"),
        TokenFault::UnknownSession => Some("session_unknown"),
        _ => None,
    }
}

impl From<AuthError> for ApiError {
    /// Converts an error for handlers of a host, without a `reason`. The status follows the [kind](AuthError::kind).
    fn from(error: AuthError) -> Self {
        Self::at_token_endpoint(error, false)
    }
}

impl From<StoreError> for ApiError {
    /// Converts an error of the storage for handlers of a host: 503 or 500.
    fn from(error: StoreError) -> Self {
        AuthError::from(error).into()
    }
}
