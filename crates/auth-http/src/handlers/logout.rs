//! `/api/logout/`.

use actix_web::{HttpResponse, web};
use auth_core::AuthError;
use auth_core::service::LogoutRequest;
use auth_core::token::{RawToken, TokenFault};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::body::{Body, Field, Fields, TEXT, text};
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody, LogoutErrorBody};
use crate::guard::CurrentUser;

/// Which sessions to revoke. `all` takes precedence over `others`, and both over a token.
#[derive(ToSchema)]
pub(crate) struct LogoutBody {
    /// A refresh token of the session to revoke.
    #[schema(value_type = Option<String>)]
    refresh: Option<Field>,
    /// The same, under the name that some tutorials use.
    #[schema(value_type = Option<String>)]
    refresh_token: Option<Field>,
    /// Revoke every session of the caller.
    #[schema(required = false, value_type = Option<bool>)]
    all: bool,
    /// Revoke every session of the caller except this one.
    #[schema(required = false, value_type = Option<bool>)]
    others: bool,
}

impl LogoutBody {
    fn read(mut fields: Fields) -> Self {
        let is_yes = |name: &str| fields.get(name).is_some_and(Field::is_yes);
        let (all, others) = (is_yes("all"), is_yes("others"));
        let mut token = |name: &str| fields.remove(name).filter(|field| *field != Field::Null);
        Self { refresh: token("refresh"), refresh_token: token("refresh_token"), all, others }
    }

    /// Returns the sessions to revoke, and the body of the response.
    fn request(&self) -> Result<(LogoutRequest, LoggedOutBody), AuthError> {
        if self.all {
            return Ok((LogoutRequest::All, LoggedOutBody::Status("OK, goodbye, all refresh tokens blacklisted")));
        }
        if self.others {
            let done = LoggedOutBody::Status("OK, goodbye, all other refresh tokens blacklisted");
            return Ok((LogoutRequest::Others, done));
        }
        let (field, done) = match (&self.refresh_token, &self.refresh) {
            (Some(field), _) => (field, LoggedOutBody::Status("OK, goodbye")),
            (None, Some(field)) => (field, LoggedOutBody::Detail("Logout successful.")),
            (None, None) => return Err(AuthError::NothingNamed),
        };
        Ok((LogoutRequest::One(token(field)?), done))
    }
}

/// The result, in a member that depends on the request.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LoggedOutBody {
    /// For `refresh`.
    Detail(&'static str),
    /// For the others.
    Status(&'static str),
}

/// Revokes one session, all other sessions, or all sessions of the caller.
#[utoipa::path(post, path = "/api/logout/", tag = "token", operation_id = "logout", security(("bearer" = [])),
    request_body(content(
        (LogoutBody = "application/json"), (LogoutBody = "application/x-www-form-urlencoded"),
        (LogoutBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The sessions are revoked.", body = LoggedOutBody),
        (status = 400, description = "No session is named, or the token is invalid, revoked or of another user.",
            body = LogoutErrorBody),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn logout(app: web::Data<App>, caller: CurrentUser, body: Body) -> Result<HttpResponse, ApiError> {
    let refuse = |error| ApiError::at_logout(error, app.settings.reasons);
    let (request, done) = read(body.into_object()).map_err(refuse)?;
    let service = app.clone();
    run_to_completion(async move { service.tokens.logout(caller.caller(), request).await }).await?.map_err(refuse)?;
    Ok(HttpResponse::Ok().json(done))
}

fn read(fields: Option<Fields>) -> Result<(LogoutRequest, LoggedOutBody), AuthError> {
    LogoutBody::read(fields.ok_or(AuthError::NothingNamed)?).request()
}

fn token(field: &Field) -> Result<RawToken, AuthError> {
    let text = text(field, TEXT).map_err(|_| AuthError::Token(TokenFault::NotOurs))?;
    Ok(RawToken::parse(&text)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, Field)]) -> Option<Fields> {
        Some(pairs.iter().map(|(name, field)| ((*name).to_owned(), field.clone())).collect())
    }

    #[test]
    fn a_body_selects_one_session_the_others_or_all() {
        let token = || Field::Text("a.b.c".to_owned());
        let yes = || Field::Text("1".to_owned());
        let no = || Field::Text("0".to_owned());
        for (body, expected) in [
            (fields(&[("refresh", token())]), Some("One")),
            (fields(&[("refresh_token", token())]), Some("One")),
            (fields(&[("all", yes()), ("others", yes()), ("refresh", token())]), Some("All")),
            (fields(&[("others", yes()), ("refresh", token())]), Some("Others")),
            (fields(&[("all", no()), ("refresh", token())]), Some("One")),
            (fields(&[("all", no())]), None),
            (fields(&[("all", Field::Composite)]), None),
            (fields(&[("refresh", Field::Null)]), None),
            (fields(&[("refresh", Field::Bool(true))]), None),
            (fields(&[]), None),
            (None, None),
        ] {
            let asked = read(body.clone()).ok().map(|(request, _)| format!("{request:?}"));
            assert_eq!(asked.as_deref().map(|text| text.split('(').next().unwrap()), expected, "{body:?}");
        }
    }
}
