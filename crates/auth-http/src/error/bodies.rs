//! The bodies of error responses.

use auth_accounts::code::ChallengeToken;
use auth_accounts::second_factor::Method;
use serde::Serialize;
use utoipa::ToSchema;

/// The body of most refusals.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct DetailBody {
    /// What happened, for people.
    pub detail: String,
    /// What happened, for programs. Stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// On guarded paths: what each kind of accepted token says to the presented one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<TokenMessage>>,
    /// Why a well-signed token is refused. Stable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
}

/// What one kind of accepted token says to the presented one.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TokenMessage {
    /// The kind, as SimpleJWT names its class.
    pub token_class: &'static str,
    /// The kind, as the claim `token_type` names it.
    pub token_type: &'static str,
    /// Why it is refused.
    pub message: &'static str,
}

/// The body of a refused logout.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct LogoutErrorBody {
    /// Why.
    pub error: &'static str,
}

/// The body of a refusal that concerns no single field.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct NonFieldErrorsBody {
    /// Why.
    pub non_field_errors: Vec<String>,
}

/// A challenge, and what may answer it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ChallengeBody {
    /// Send it back with the code.
    pub challenge: String,
    /// `totp`, `email`, `recovery_code`.
    pub methods: Vec<&'static str>,
}

impl ChallengeBody {
    pub(crate) fn new(challenge: &ChallengeToken, methods: &[Method]) -> Self {
        let methods = methods.iter().map(|method| method.name()).collect();
        Self { challenge: challenge.expose().to_owned(), methods }
    }
}

/// The body of a login that needs more than the password.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ChallengedBody {
    /// What happened, for people.
    pub detail: &'static str,
    /// What happened, for programs. Stable.
    pub code: &'static str,
    /// With the code `second_factor_required`.
    #[serde(flatten)]
    pub challenge: ChallengeBody,
}
