//! `/api/users/me/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_accounts::account::{Email, PersonName, ProfileChange, Username};
use auth_core::user::User;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use validator::Validate;

use super::register::{json_id, parse};
use super::second_factors::shown_if_any;
use crate::app::AccountApp;
use crate::body::{BLANKABLE, Body, FieldErrors, FieldReader, Fields, TEXT, add_violations};
use crate::client::client;
use crate::detached::to_its_end;
use crate::error::{ApiError, DetailBody, FieldNames};
use crate::guard::CurrentUser;
use crate::moment::rfc_3339;

const ORDER: [&str; 4] = ["username", "email", "first_name", "last_name"];

/// The caller's account.
#[derive(Serialize, ToSchema)]
pub(crate) struct MeBody {
    /// Its number, or the key it was imported with.
    #[schema(value_type = i64)]
    id: Value,
    /// The name it logs in with.
    username: String,
    /// Its address.
    email: String,
    /// First name.
    first_name: String,
    /// Last name.
    last_name: String,
    /// Whether it is an administrator's.
    is_staff: bool,
    /// When it was made: RFC 3339, UTC, microseconds.
    #[schema(format = DateTime)]
    date_joined: String,
    /// When it last logged in.
    #[schema(format = DateTime)]
    last_login: Option<String>,
    /// After a change: the address that it gets when it is proven.
    #[serde(skip_serializing_if = "Option::is_none")]
    pending_email: Option<String>,
}

impl From<User> for MeBody {
    fn from(user: User) -> Self {
        Self {
            id: json_id(&user),
            username: user.username,
            email: user.email,
            first_name: user.first_name,
            last_name: user.last_name,
            is_staff: user.is_staff,
            date_joined: rfc_3339(user.date_joined),
            last_login: user.last_login.map(rfc_3339),
            pending_email: None,
        }
    }
}

/// Changes to the caller's account, and the proof that another address takes. Other fields are ignored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read in two parts")]
pub(crate) struct ProfileChangeBody {
    #[serde(flatten)]
    profile: ProfileBody,
    /// The password, for another address.
    #[schema(format = Password)]
    password: Option<String>,
    /// A challenge, for another address where a login takes a second factor.
    challenge: Option<String>,
    /// And the code that answers it.
    code: Option<String>,
}

/// Changes to the caller's account.
#[derive(Validate, ToSchema)]
pub(crate) struct ProfileBody {
    /// The name to log in with.
    #[validate(length(max = 150))]
    username: Option<String>,
    /// The address.
    #[validate(length(max = 254), email)]
    email: Option<String>,
    /// First name; may be empty.
    #[validate(length(max = 150))]
    first_name: Option<String>,
    /// Last name; may be empty.
    #[validate(length(max = 150))]
    last_name: Option<String>,
}

/// Shows the caller's account.
#[utoipa::path(get, path = "/api/users/me/", tag = "accounts", operation_id = "me_show", security(("bearer" = [])),
    responses(
        (status = 200, description = "The account.", body = MeBody),
        (status = 401, description = "No credentials, or bad ones.", body = DetailBody),
        (status = 503, description = "The storage is away; see Retry-After.", body = DetailBody)))]
pub(crate) async fn show(app: web::Data<AccountApp>, caller: CurrentUser) -> Result<HttpResponse, ApiError> {
    let user = app.accounts.profile(caller.caller()).await;
    let user = user.map_err(|error| ApiError::at_account_path(error, FieldNames::default(), app.explanation()))?;
    Ok(HttpResponse::Ok().json(MeBody::from(user)))
}

/// Changes the caller's account; name and address have to be given.
#[utoipa::path(put, path = "/api/users/me/", tag = "accounts", operation_id = "me_replace", security(("bearer" = [])),
    request_body(content(
        (ProfileChangeBody = "application/json"), (ProfileChangeBody = "application/x-www-form-urlencoded"),
        (ProfileChangeBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The account as it is now.", body = MeBody),
        (status = 400, description = "A field is missing, malformed or taken.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "No credentials, or bad ones.", body = DetailBody),
        (status = 503, description = "The storage is away; see Retry-After.", body = DetailBody)))]
pub(crate) async fn replace(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    update(&request, app, caller, &body.into_fields()?, Completeness::Whole).await
}

/// Changes what is given of the caller's account.
#[utoipa::path(patch, path = "/api/users/me/", tag = "accounts", operation_id = "me_change", security(("bearer" = [])),
    request_body(content(
        (ProfileChangeBody = "application/json"), (ProfileChangeBody = "application/x-www-form-urlencoded"),
        (ProfileChangeBody = "multipart/form-data"))),
    responses(
        (status = 200, description = "The account as it is now.", body = MeBody),
        (status = 400, description = "A field is malformed or taken.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "No credentials, or bad ones.", body = DetailBody),
        (status = 503, description = "The storage is away; see Retry-After.", body = DetailBody)))]
pub(crate) async fn change(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    update(&request, app, caller, &body.into_fields()?, Completeness::Partial).await
}

/// Whether name and address have to be given.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Completeness {
    Whole,
    Partial,
}

async fn update(
    request: &HttpRequest,
    app: web::Data<AccountApp>,
    caller: CurrentUser,
    fields: &Fields,
    completeness: Completeness,
) -> Result<HttpResponse, ApiError> {
    let change = profile_change(&app, caller.user(), fields, completeness).map_err(ApiError::fields)?;
    let (accounts, client) = (app.accounts.clone(), client(request));
    let shown = shown_if_any(&app, fields, client.clone());
    let updated =
        to_its_end(async move { accounts.update_profile(caller.into_caller(), change, shown.as_ref(), &client).await });
    let updated =
        updated.await?.map_err(|error| ApiError::at_account_path(error, FieldNames::default(), app.explanation()))?;
    let pending_email = updated.pending_email.map(|email| email.as_str().to_owned());
    Ok(HttpResponse::Ok().json(MeBody { pending_email, ..MeBody::from(updated.user) }))
}

fn profile_change(
    app: &AccountApp,
    user: &User,
    fields: &Fields,
    completeness: Completeness,
) -> Result<ProfileChange, FieldErrors> {
    let mut reader = FieldReader::new(fields);
    let mut read_key = |name| match completeness {
        Completeness::Whole => reader.required(name, TEXT),
        Completeness::Partial => reader.optional(name, TEXT),
    };
    let (username, email) = (read_key("username"), read_key("email"));
    let body = ProfileBody {
        // An account keeps the name it has, also one that could not be chosen today.
        username: username.filter(|name| *name != user.username),
        email: email.filter(|email| *email != user.email),
        first_name: reader.optional("first_name", BLANKABLE),
        last_name: reader.optional("last_name", BLANKABLE),
    };
    let mut errors = reader.into_errors();
    add_violations(&mut errors, &body);
    // The reference peer has the plain alphabet here, whatever it lets people register with.
    let rules = auth_accounts::account::UsernameRules { plain_alphabet: true, ..app.accounts.policy().usernames };
    let change = ProfileChange {
        username: parse(&mut errors, "username", &body.username, |text| Username::parse(text, rules)),
        email: parse(&mut errors, "email", &body.email, Email::parse),
        first_name: parse(&mut errors, "first_name", &body.first_name, PersonName::parse),
        last_name: parse(&mut errors, "last_name", &body.last_name, PersonName::parse),
        ..ProfileChange::default()
    };
    errors.sort_by(&ORDER);
    if errors.is_empty() { Ok(change) } else { Err(errors) }
}
