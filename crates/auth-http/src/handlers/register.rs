//! `/api/register/`.

use actix_web::{HttpRequest, HttpResponse, web};
use auth_accounts::account::{Email, PersonName, Username};
use auth_accounts::password::{Attribute, CheckedPassword, PasswordFlaw, RawPassword};
use auth_accounts::service::NewAccount;
use auth_core::user::User;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, OneOfBuilder, Schema, SchemaFormat, Type};

use crate::app::AccountApp;
use crate::body::{Body, FieldErrors, FieldReader, Fields, TEXT, TextRules};
use crate::client::client;
use crate::detached::run_to_completion;
use crate::error::{ApiError, DetailBody, password_message, value_message};

/// The order of the fields in error responses.
const ORDER: [&str; 5] = ["email", "username", "first_name", "password", "password2"];

/// A new user. Other fields are ignored, so that no one can register with rights.
#[derive(ToSchema)]
pub(crate) struct RegisterBody {
    /// An email address that no other user has.
    #[schema(required = true, value_type = String, max_length = 254, format = Email)]
    email: Option<String>,
    /// A username that no other user has.
    #[schema(required = true, value_type = String, max_length = 150)]
    username: Option<String>,
    /// A first name.
    #[schema(required = true, value_type = String, max_length = 150)]
    first_name: Option<String>,
    /// A password.
    #[schema(required = true, value_type = String, format = Password)]
    password: Option<String>,
    /// The same password again.
    #[schema(required = true, value_type = String, format = Password)]
    password2: Option<String>,
}

impl RegisterBody {
    /// Reads the body and returns the errors in its fields.
    fn read(fields: &Fields, password: TextRules) -> (Self, FieldErrors) {
        let mut reader = FieldReader::new(fields);
        let body = Self {
            email: reader.required("email", TEXT),
            username: reader.required("username", TEXT),
            first_name: reader.required("first_name", TEXT),
            password: reader.required("password", password),
            password2: reader.required("password2", password),
        };
        (body, reader.into_errors())
    }
}

/// The new user.
#[derive(Serialize, ToSchema)]
pub(crate) struct RegisteredBody {
    /// The user ID: an integer, or a string such as a UUID.
    #[schema(schema_with = id_schema)]
    id: Value,
    /// The username.
    username: String,
    /// The email address.
    email: String,
    /// The first name.
    first_name: String,
}

/// The schema of a user's `id`.
pub(super) fn id_schema() -> Schema {
    let integer =
        ObjectBuilder::new().schema_type(Type::Integer).format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)));
    OneOfBuilder::new().item(integer).item(ObjectBuilder::new().schema_type(Type::String)).into()
}

/// The JSON `id` of a user: a number if it is an integer, otherwise a string.
pub(super) fn json_id(user: &User) -> Value {
    user.id.to_json()
}

/// Registers a user.
#[utoipa::path(post, path = "/api/register/", tag = "accounts", operation_id = "register",
    request_body(content(
        (RegisterBody = "application/json"), (RegisterBody = "application/x-www-form-urlencoded"),
        (RegisterBody = "multipart/form-data"))),
    responses(
        (status = 201, description = "The account.", body = RegisteredBody),
        (status = 400, description = "A field is missing, malformed, too weak or taken.",
            body = std::collections::HashMap<String, Vec<String>>),
        (status = 401, description = "The request has credentials that are not valid.", body = DetailBody),
        (status = 429, description = "Too many registrations from one client IP, code `too_many_registrations`; see \
            Retry-After.", body = DetailBody),
        (status = 503, description = "The storage is unavailable, or too many passwords are waiting to be hashed; see Retry-After.",
            body = DetailBody)))]
pub(crate) async fn register(
    request: HttpRequest,
    app: web::Data<AccountApp>,
    body: Body,
) -> Result<HttpResponse, ApiError> {
    let account = new_account(&app, &body.into_fields()?).map_err(ApiError::fields)?;
    let (service, client) = (app.clone(), client(&request));
    let registered = run_to_completion(async move { service.accounts.register(account, &client).await }).await?;
    let user = registered.map_err(|error| ApiError::at_login(error, app.settings.reasons))?;
    let id = json_id(&user);
    let body = RegisteredBody {
        id,
        username: user.username,
        email: user.email.unwrap_or_default(),
        first_name: user.first_name,
    };
    Ok(HttpResponse::Created().json(body))
}

/// Reads a registration: first each field by itself, then whether the two passwords match.
fn new_account(app: &AccountApp, fields: &Fields) -> Result<NewAccount, FieldErrors> {
    let (body, mut errors) = RegisterBody::read(fields, app.settings.password_rules());
    let email = parse(&mut errors, "email", &body.email, Email::parse);
    let username =
        parse(&mut errors, "username", &body.username, |text| Username::parse(text, app.accounts.policy().usernames));
    let first_name = parse(&mut errors, "first_name", &body.first_name, PersonName::parse);
    // The password is compared only with valid values, because the cost grows with the length of both.
    let known = [
        (Attribute::Username, username.as_ref().map(Username::as_str)),
        (Attribute::FirstName, first_name.as_ref().map(PersonName::as_str)),
        (Attribute::Email, email.as_ref().map(Email::as_str)),
    ];
    let password = body
        .password
        .as_ref()
        .and_then(|text| check_password(app, &known, text).map_err(|flaws| add_flaws(&mut errors, &flaws)).ok());
    if errors.is_empty() && body.password != body.password2 {
        return Err(FieldErrors::of("password", "Password fields didn't match."));
    }
    match (username, email, first_name, password) {
        (Some(username), Some(email), Some(first_name), Some(password)) if errors.is_empty() => {
            Ok(NewAccount { username, email, first_name, last_name: PersonName::default(), password })
        }
        _ => {
            errors.sort_by(&ORDER);
            Err(errors)
        }
    }
}

/// Parses a field that is present and has no error yet.
pub(super) fn parse<T>(
    errors: &mut FieldErrors,
    field: &'static str,
    text: &Option<String>,
    parse: impl Fn(&str) -> Result<T, auth_accounts::account::AccountFault>,
) -> Option<T> {
    let text = text.as_deref().filter(|_| !errors.contains(field))?;
    parse(text).map_err(|fault| errors.add(field, vec![value_message(&fault)])).ok()
}

fn check_password(
    app: &AccountApp,
    known: &[(Attribute, Option<&str>)],
    text: &str,
) -> Result<CheckedPassword, Vec<PasswordFlaw>> {
    let attributes: Vec<_> = known.iter().filter_map(|(name, value)| Some((*name, (*value)?))).collect();
    app.accounts.policy().passwords.check(RawPassword::new(text), &attributes)
}

fn add_flaws(errors: &mut FieldErrors, flaws: &[PasswordFlaw]) {
    errors.add("password", flaws.iter().map(|flaw| password_message(*flaw)).collect());
}
