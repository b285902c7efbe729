//! Reauthentication: the password, and a second factor if one is on.

use auth_accounts::password::RawPassword;
use auth_accounts::second_factor::Method;
use auth_accounts::service::Reauthentication;
use auth_core::token::ClientInfo;
use utoipa::ToSchema;

use crate::body::{FieldReader, TEXT, TextRules};

/// The reauthentication of the caller.
#[derive(ToSchema)]
#[schema(as = ProofBody)]
pub(crate) struct ReauthenticationBody {
    /// The caller's password.
    #[schema(format = Password)]
    password: String,
    /// A challenge.
    #[schema(required = true, nullable = false)]
    challenge: Option<String>,
    /// The code for the challenge.
    #[schema(required = true, nullable = false)]
    code: Option<String>,
}

impl ReauthenticationBody {
    /// Reads the body. `challenge` and `code` are optional here; the service refuses the request if a second factor is on and
    /// they are missing.
    pub(super) fn read(reader: &mut FieldReader<'_>, password: TextRules) -> Option<Self> {
        let password = reader.required("password", password);
        let (challenge, code) = (reader.optional("challenge", TEXT), reader.optional("code", TEXT));
        Some(Self { password: password?, challenge, code })
    }

    pub(super) fn into_reauthentication(self, client: ClientInfo) -> Reauthentication {
        reauthentication(self.password, self.challenge.zip(self.code), client)
    }
}

/// The method to add or remove, and the reauthentication of the caller.
#[derive(ToSchema)]
pub(crate) struct FactorChangeBody {
    /// `email` or `totp`.
    #[schema(value_type = String)]
    method: Method,
    /// The caller's password.
    #[schema(format = Password)]
    password: String,
    /// A challenge, if the user has a second factor.
    #[schema(nullable = false)]
    challenge: Option<String>,
    /// The code for the challenge.
    #[schema(nullable = false)]
    code: Option<String>,
}

impl FactorChangeBody {
    pub(super) fn read(reader: &mut FieldReader<'_>, password: TextRules) -> Option<Self> {
        let method = reader.required("method", TEXT);
        let body = ReauthenticationBody::read(reader, password);
        let known = method.as_deref().and_then(Method::from_name).filter(|method| *method != Method::RecoveryCode);
        if method.is_some() && known.is_none() {
            reader.refuse("method", "Not a valid choice.");
        }
        let (method, ReauthenticationBody { password, challenge, code }) = (known?, body?);
        reader.is_ok().then_some(Self { method, password, challenge, code })
    }

    pub(super) fn into_parts(self, client: ClientInfo) -> (Method, Reauthentication) {
        (self.method, reauthentication(self.password, self.challenge.zip(self.code), client))
    }
}

/// Creates the [`Reauthentication`] that the services take.
pub(in crate::handlers) fn reauthentication(
    password: String,
    answer: Option<(String, String)>,
    client: ClientInfo,
) -> Reauthentication {
    Reauthentication { password: RawPassword::new(password), answer, client }
}
