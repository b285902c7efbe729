//! Reauthentication: the password, and a second factor where one is on, asked for again.

use auth_accounts::password::RawPassword;
use auth_accounts::second_factor::Method;
use auth_accounts::service::Reauthentication;
use auth_core::token::ClientInfo;
use utoipa::ToSchema;

use crate::body::{FieldReader, TEXT, TextRules};

/// The reauthentication of the caller.
#[derive(ToSchema)]
pub(crate) struct ProofBody {
    /// The caller's password.
    #[schema(format = Password)]
    password: String,
    /// A challenge.
    #[schema(required = true, nullable = false)]
    challenge: Option<String>,
    /// The code that answers it.
    #[schema(required = true, nullable = false)]
    code: Option<String>,
}

impl ProofBody {
    /// Reads it. Where a second factor is on, the service refuses a proof without challenge and code.
    pub(super) fn read(reader: &mut FieldReader<'_>, password: TextRules) -> Option<Self> {
        let password = reader.required("password", password);
        let (challenge, code) = (reader.optional("challenge", TEXT), reader.optional("code", TEXT));
        Some(Self { password: password?, challenge, code })
    }

    pub(super) fn into_shown(self, client: ClientInfo) -> Reauthentication {
        shown(self.password, self.challenge.zip(self.code), client)
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
    /// Where a second factor is on: a challenge.
    #[schema(nullable = false)]
    challenge: Option<String>,
    /// And the code that answers it.
    #[schema(nullable = false)]
    code: Option<String>,
}

impl FactorChangeBody {
    pub(super) fn read(reader: &mut FieldReader<'_>, password: TextRules) -> Option<Self> {
        let method = reader.required("method", TEXT);
        let proof = ProofBody::read(reader, password);
        let known = method.as_deref().and_then(Method::from_name).filter(|method| *method != Method::RecoveryCode);
        if method.is_some() && known.is_none() {
            reader.refuse("method", "Not a valid choice.");
        }
        let (method, ProofBody { password, challenge, code }) = (known?, proof?);
        reader.is_ok().then_some(Self { method, password, challenge, code })
    }

    pub(super) fn into_parts(self, client: ClientInfo) -> (Method, Reauthentication) {
        (self.method, shown(self.password, self.challenge.zip(self.code), client))
    }
}

/// The proof as the services take it.
pub(in crate::handlers) fn shown(
    password: String,
    answer: Option<(String, String)>,
    client: ClientInfo,
) -> Reauthentication {
    Reauthentication { password: RawPassword::new(password), answer, client }
}
