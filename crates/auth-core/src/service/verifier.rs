//! Verification of access tokens without a storage.

use std::sync::Arc;

use serde_json::Value;

use crate::error::AuthError;
use crate::permission::Requester;
use crate::ports::{Clock, Recognised, TokenSigner};
use crate::token::{ClaimRules, Payload, RawToken, SessionId, Subject, SubjectClaim, TokenKind};
use crate::user::GroupName;

/// Verifies access tokens by signature and claims alone, for services that have the public key and no database
/// (SimpleJWT: `JWTStatelessUserAuthentication`). It does not learn of logouts: a token is valid until it expires.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::sync::Arc;
/// use auth_conformance::{BEGINNING, FixedClock, PlainSigner};
/// use auth_core::ports::TokenSigner;
/// use auth_core::service::AccessVerifier;
/// use auth_core::token::{ClaimRules, RawToken};
/// use serde_json::json;
/// let signer = PlainSigner::default();
/// let claims = json!({"token_type": "access", "exp": BEGINNING.seconds() + 60, "jti": "a", "user_id": "3", "role": "admin"});
/// let token = RawToken::parse(&signer.sign(claims.as_object().unwrap()).unwrap()).unwrap();
/// let verifier = AccessVerifier::new(Arc::new(signer), Arc::new(FixedClock::default()), ClaimRules::default());
/// let bearer = verifier.verify(&token).await.unwrap();
/// assert_eq!(bearer.subject.to_claim(), "3");
/// assert!(bearer.requester().is_staff);
/// # }
/// ```
#[derive(Clone)]
pub struct AccessVerifier {
    signer: Arc<dyn TokenSigner>,
    clock: Arc<dyn Clock>,
    rules: ClaimRules,
}

/// The bearer of a valid access token, as the token describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bearer {
    /// The user that the token names.
    pub subject: Subject,
    /// The session that the token belongs to; `None` for an externally issued token.
    pub session: Option<SessionId>,
    /// The claims that the service does not write itself, and `iss`, `aud` and `nbf`.
    pub claims: Payload,
}

impl AccessVerifier {
    /// Creates a verifier with these keys and rules.
    pub fn new(signer: Arc<dyn TokenSigner>, clock: Arc<dyn Clock>, rules: ClaimRules) -> Self {
        Self { signer, clock, rules }
    }

    /// Verifies an access token and returns its bearer.
    ///
    /// # Errors
    /// [`AuthError::Token`] if the token is not accepted; [`AuthError::SubjectMissing`]; [`AuthError::UserNotFound`] if
    /// its subject cannot be that of any user; [`AuthError::Unavailable`] if the keys of another issuer are
    /// unavailable.
    pub async fn verify(&self, presented: &RawToken) -> Result<Bearer, AuthError> {
        let Recognised { payload, is_own } = self.signer.verify(presented).await?;
        let claims = self.rules.read(payload, is_own, self.clock.now())?;
        claims.require(TokenKind::Access)?;
        let subject = match claims.subject {
            SubjectClaim::Named(subject) => subject,
            SubjectClaim::Absent => return Err(AuthError::SubjectMissing),
            SubjectClaim::Nobody | SubjectClaim::Malformed => return Err(AuthError::UserNotFound),
        };
        Ok(Bearer { subject, session: claims.session, claims: claims.custom })
    }
}

impl Bearer {
    /// The claim `role`, which this service writes as `admin` or `user`; `None` if it is absent or not a string.
    pub fn role(&self) -> Option<&str> {
        self.claims.get("role").and_then(Value::as_str)
    }

    /// The bearer as permission rules see it. Its roles are the claim `role` and the valid group names in the claim
    /// `groups`; it is staff if its role is `admin`.
    pub fn requester(&self) -> Requester {
        let groups =
            self.claims.get("groups").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let groups = groups.filter(|name| GroupName::parse(name).is_ok());
        let roles = self.role().into_iter().chain(groups).map(str::to_owned).collect();
        Requester { is_staff: self.role() == Some("admin"), roles }
    }
}
