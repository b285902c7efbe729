//! An axum service whose routes are guarded by access tokens that another service issued: `auth-core` validates claims and
//! decides permissions, `auth-crypto` verifies signatures. No actix-web, no database.
//!
//! The service sends no requests to the issuer: it sees the account as it was when the token was issued, and accepts a token
//! after a logout until it expires.

use std::sync::Arc;

use auth_core::permission::{Attempt, Decision, Ownership, Rule};
use auth_core::ports::TokenSigner;
use auth_core::service::{AccessVerifier, Bearer};
use auth_core::time::Seconds;
use auth_core::token::{ClaimRules, RawToken};
use auth_core::{AuthError, ErrorKind};
use auth_crypto::{KeyError, KeyRing, SystemClock, VerifyingKey};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

/// Creates a verifier for tokens signed with the private half of this public key, in PEM. For a key from the issuer's
/// `/.well-known/jwks.json`, use [`VerifyingKey::from_jwk`] and [`verifier_of`].
///
/// # Errors
/// [`KeyError`] if the string is not a public key.
pub fn verifier(public_key: &str) -> Result<AccessVerifier, KeyError> {
    verifier_of(VerifyingKey::from_pem(None, public_key)?)
}

/// Creates a verifier for a key that has already been parsed.
///
/// # Errors
/// None with a single key.
pub fn verifier_of(key: VerifyingKey) -> Result<AccessVerifier, KeyError> {
    Ok(verifier_with(Arc::new(KeyRing::verifying(vec![key])?)))
}

/// Creates a verifier for other keys, such as an `auth_crypto::RemoteKeyRing`, which fetches the JWK set of an issuer.
pub fn verifier_with(keys: Arc<dyn TokenSigner>) -> AccessVerifier {
    AccessVerifier::new(keys, Arc::new(SystemClock), ClaimRules::default())
}

/// The service: `/hello` for every authenticated caller, `/report` for staff.
pub fn router(verifier: AccessVerifier) -> Router {
    let guarded = |rule: Rule| middleware::from_fn_with_state(Guard { verifier: verifier.clone(), rule }, guard);
    Router::new()
        .merge(Router::new().route("/hello", get(hello)).route_layer(guarded(Rule::IsAuthenticated)))
        .merge(Router::new().route("/report", get(report)).route_layer(guarded(Rule::IsAdmin)))
}

async fn hello(CurrentBearer(bearer): CurrentBearer) -> Json<serde_json::Value> {
    Json(json!({"message": format!("Hello, user {}!", bearer.subject.to_claim())}))
}

async fn report() -> Json<serde_json::Value> {
    Json(json!({"report": "all is well"}))
}

#[derive(Clone)]
struct Guard {
    verifier: AccessVerifier,
    rule: Rule,
}

/// Authenticates the caller and applies the rule.
async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let bearer = match token(request.headers()) {
        None => None,
        Some(token) => match guard.verifier.verify(&token).await {
            Ok(bearer) => Some(bearer),
            Err(error) => return refuse_for(&error),
        },
    };
    let requester = bearer.as_ref().map(Bearer::requester);
    let is_safe = request.method().is_safe();
    let attempt = Attempt { requester: requester.as_ref(), is_safe, ownership: Ownership::Unknown };
    match (guard.rule.decide(&attempt), bearer) {
        (Decision::Allowed, bearer) => {
            if let Some(bearer) = bearer {
                request.extensions_mut().insert(bearer);
            }
            next.run(request).await
        }
        (_, None) => refuse(StatusCode::UNAUTHORIZED, "Authentication credentials were not provided."),
        (_, Some(_)) => refuse(StatusCode::FORBIDDEN, "You do not have permission to perform this action."),
    }
}

/// Returns the token of the only `Authorization: Bearer` header.
fn token(headers: &HeaderMap) -> Option<RawToken> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    RawToken::parse(value.to_str().ok()?.strip_prefix("Bearer ")?).ok()
}

/// Maps an error to a refusal: an invalid token is a 401, unreachable keys are a 503 with `Retry-After`.
fn refuse_for(error: &AuthError) -> Response {
    match error.kind() {
        ErrorKind::Unavailable => {
            let mut response =
                refuse(StatusCode::SERVICE_UNAVAILABLE, "Service temporarily unavailable, try again later.");
            let seconds = error.retry_after().map_or(1, Seconds::get);
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            response
        }
        ErrorKind::Internal => refuse(StatusCode::INTERNAL_SERVER_ERROR, "A server error occurred."),
        _ => refuse(StatusCode::UNAUTHORIZED, "Given token not valid for any token type"),
    }
}

fn refuse(status: StatusCode, detail: &str) -> Response {
    let mut response = (status, Json(json!({"detail": detail}))).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"api\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

/// The caller, as authenticated by [`guard`].
struct CurrentBearer(Bearer);

impl<S: Sync> FromRequestParts<S> for CurrentBearer {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get().cloned().map(Self).ok_or(StatusCode::UNAUTHORIZED)
    }
}
