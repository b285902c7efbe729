//! Reauthentication: the password, and a second factor where one is on, asked for again.

use auth_accounts::password::RawPassword;
use auth_accounts::second_factor::Method;
use auth_accounts::service::Shown;
use auth_core::token::ClientInfo;
use utoipa::ToSchema;

use crate::app::AccountApp;
use crate::body::{FieldErrors, FieldReader, Fields, TEXT, TextRules};

/// The proof that it is the caller who asks.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub(crate) struct ProofBody {
    /// The caller's password.
    #[schema(format = Password)]
    password: String,
    /// A challenge.
    challenge: String,
    /// The code that answers it.
    code: String,
}

/// What to switch on or off, and the proof that it is the caller who asks.
#[derive(ToSchema)]
#[expect(dead_code, reason = "describes the body in the OpenAPI document; it is read field by field")]
pub(crate) struct FactorChangeBody {
    /// `email` or `totp`.
    method: String,
    /// The caller's password.
    #[schema(format = Password)]
    password: String,
    /// Where a second factor is on: a challenge.
    challenge: Option<String>,
    /// And the code that answers it.
    code: Option<String>,
}

pub(super) fn factor_change(
    app: &AccountApp,
    fields: &Fields,
    client: ClientInfo,
) -> Result<(Method, Shown), FieldErrors> {
    let mut reader = FieldReader::new(fields);
    let method = reader.required("method", TEXT);
    let shown = shown(app, &mut reader, client);
    let mut errors = reader.into_errors();
    let known = method.as_deref().and_then(Method::from_name).filter(|method| *method != Method::RecoveryCode);
    if method.is_some() && known.is_none() {
        errors.add("method", vec!["Not a valid choice.".to_owned()]);
    }
    match (known, shown) {
        (Some(method), Some(shown)) if errors.is_empty() => Ok((method, shown)),
        _ => Err(errors),
    }
}

/// The same where it may be needed: what is no text is as good as absent.
pub(in crate::handlers) fn shown_if_any(app: &AccountApp, fields: &Fields, client: ClientInfo) -> Option<Shown> {
    shown(app, &mut FieldReader::new(fields), client)
}

/// Password, challenge and code; `None` if something is wrong with them.
pub(super) fn shown(app: &AccountApp, reader: &mut FieldReader<'_>, client: ClientInfo) -> Option<Shown> {
    let password = reader.required("password", TextRules { trim: app.settings.trim_passwords, ..TEXT });
    let answer = answer(reader);
    Some(Shown { password: RawPassword::new(password?), answer, client })
}

/// A challenge and the code that answers it.
pub(in crate::handlers) fn answer(reader: &mut FieldReader<'_>) -> Option<(String, String)> {
    match (reader.optional("challenge", TEXT), reader.optional("code", TEXT)) {
        (Some(challenge), Some(code)) => Some((challenge, code)),
        _ => None,
    }
}
