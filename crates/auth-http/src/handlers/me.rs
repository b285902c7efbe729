//! `/api/users/me/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_core::user::User;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::profile_change::{Completeness, ProfileChangeBody};
use super::register::{id_schema, json_id};
use crate::app::AccountApp;
use crate::body::{Body, Fields};
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody, FieldNames};
use crate::guard::CurrentUser;
use crate::moment::rfc_3339;

/// The caller's profile.
#[derive(Serialize, ToSchema)]
pub(crate) struct MeBody {
    /// The user ID: an integer, or a string such as a UUID.
    #[schema(schema_with = id_schema)]
    id: Value,
    /// The username.
    username: String,
    /// The email address; empty if there is none.
    email: String,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// Whether the user has staff rights.
    is_staff: bool,
    /// When the account was created: RFC 3339, UTC, microseconds.
    #[schema(format = DateTime)]
    date_joined: String,
    /// When the user last logged in.
    #[schema(format = DateTime)]
    last_login: Option<String>,
    /// After a change: the email address that takes effect when it is verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_email: Option<String>,
}

impl From<User> for MeBody {
    fn from(user: User) -> Self {
        Self {
            id: json_id(&user),
            username: user.username,
            email: user.email.unwrap_or_default(),
            first_name: user.first_name,
            last_name: user.last_name,
            is_staff: user.is_staff,
            date_joined: rfc_3339(user.date_joined),
            last_login: user.last_login.map(rfc_3339),
            pending_email: None,
        }
    }
}

/// Returns the caller's profile.
#[utoipa::path(get, path = "/api/users/me/", tag = "accounts", operation_id = "me_show", security(("bearer" = [])),
    responses(
        (status = 200, description = "The account.", body = MeBody),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn show(app: web::Data<AccountApp>, caller: CurrentUser) -> Result<HttpResponse, ApiError> {
    let user = app.accounts.profile(caller.caller()).await;
    let user = user.map_err(|error| ApiError::at_account_path(error, FieldNames::default(), app.explanation()))?;
    Ok(HttpResponse::Ok().json(MeBody::from(user)))
}

/// Changes the caller's profile; username and email address are required.
#[utoipa::path(put, path = "/api/users/me/", tag = "accounts", operation_id = "me_replace", security(("bearer" = [])),
    request_body(content(
        (ProfileChangeBody = "application/json"), (ProfileChangeBody = "application/x-www-form-urlencoded"),
        (ProfileChangeBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The profile after the change.", body = MeBody),
        (status = 400, description = "A field is missing, malformed or taken.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn replace(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    update(&request, app, caller, &body.into_fields()?, Completeness::Whole).await
}

/// Changes the given fields of the caller's profile.
#[utoipa::path(patch, path = "/api/users/me/", tag = "accounts", operation_id = "me_change", security(("bearer" = [])),
    request_body(content(
        (ProfileChangeBody = "application/json"), (ProfileChangeBody = "application/x-www-form-urlencoded"),
        (ProfileChangeBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The profile after the change.", body = MeBody),
        (status = 400, description = "A field is malformed or taken.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The credentials are missing or not valid.", body = DetailBody),
        (status = 503, description = "The storage is unavailable; see Retry-After.", body = DetailBody)))]
pub(crate) async fn change(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    update(&request, app, caller, &body.into_fields()?, Completeness::Partial).await
}

async fn update(
    request: &HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    fields: &Fields,
    completeness: Completeness,
) -> Result<HttpResponse, ApiError> {
    let (body, errors) = ProfileChangeBody::read(fields, completeness, caller.user(), app.settings.password_rules());
    let (accounts, client) = (app.accounts.clone(), client(request));
    let reauthentication = body.reauthentication(client.clone());
    let change = body.into_change(errors, caller.user(), app.accounts.policy().usernames).map_err(ApiError::fields)?;
    let updated = run_to_completion(async move {
        accounts.update_profile(caller.into_caller(), change, reauthentication.as_ref(), &client).await
    });
    let updated =
        updated.await?.map_err(|error| ApiError::at_account_path(error, FieldNames::default(), app.explanation()))?;
    let pending_email = updated.pending_email.map(|email| email.as_str().to_owned());
    Ok(HttpResponse::Ok().json(MeBody { pending_email, ..MeBody::from(updated.user) }))
}
