//! Verification of access tokens without any storage.

use std::sync::Arc;

use serde_json::Value;

use crate::error::AuthError;
use crate::permission::Requester;
use crate::ports::{Clock, Recognised, TokenSigner};
use crate::token::{ClaimRules, Payload, RawToken, SessionId, Subject, SubjectClaim, TokenKind};
use crate::user::GroupName;

/// Recognises access tokens by signature and claims alone, as another service does that has the public key and no
/// database (SimpleJWT: `JWTStatelessUserAuthentication`). It cannot know of logouts: a token is good until it expires.
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

/// The bearer of a good access token, as the token describes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Bearer {
    /// Whom the token names.
    pub subject: Subject,
    /// The session that it belongs to.
    pub session: Option<SessionId>,
    /// The claims beside those of the service; `iss`, `aud` and `nbf` are among them.
    pub claims: Payload,
}

impl AccessVerifier {
    /// A verifier with these keys and rules.
    pub fn new(signer: Arc<dyn TokenSigner>, clock: Arc<dyn Clock>, rules: ClaimRules) -> Self {
        Self { signer, clock, rules }
    }

    /// The bearer of an access token.
    ///
    /// # Errors
    /// [`AuthError::Token`] if the token is not accepted, [`AuthError::SubjectMissing`] if it names nobody,
    /// [`AuthError::UserNotFound`] if it can name nobody who exists, [`AuthError::Unavailable`] if the keys cannot be
    /// had.
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
    /// The claim `role`, as the token has it; this service writes `admin` or `user`. `None` if it is absent or no text.
    pub fn role(&self) -> Option<&str> {
        self.claims.get("role").and_then(Value::as_str)
    }

    /// What a permission rule may know of the bearer: the claim `role`, and the names in the claim `groups` that can be
    /// names of groups.
    pub fn requester(&self) -> Requester {
        let groups =
            self.claims.get("groups").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        let groups = groups.filter(|name| GroupName::parse(name).is_ok());
        let roles = self.role().into_iter().chain(groups).map(str::to_owned).collect();
        Requester { is_staff: self.role() == Some("admin"), roles }
    }
}
