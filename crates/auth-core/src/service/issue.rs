//! Signing tokens.

use std::fmt;

use crate::error::AuthError;
use crate::service::TokenService;
use crate::timeout::with_timeout;
use crate::token::claims::NewToken;
use crate::token::{CustomClaims, NextGeneration, Session, Subject, SubjectClaim, TokenClaims, TokenId, TokenKind};
use crate::user::User;

/// A token that this service signed. It is secret: `Debug` prints `SignedToken(***)`.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedToken(String);

impl SignedToken {
    /// The token string, a compact JWS (RFC 7515 §3.1).
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Returns the token string, consuming the token.
    pub fn into_exposed(self) -> String {
        self.0
    }
}

impl fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedToken(***)")
    }
}

/// The tokens that a login returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPair {
    /// The access token, for guarded routes.
    pub access: SignedToken,
    /// The refresh token, exchanged once for the next pair.
    pub refresh: SignedToken,
}

/// The tokens of a session that starts or continues.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issued {
    /// A token pair.
    Pair(TokenPair),
    /// A sliding token.
    Sliding(SignedToken),
}

/// The tokens that a refresh returns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// The access token, for guarded routes.
    pub access: SignedToken,
    /// The next refresh token; `None` where refresh tokens are not rotated, and the presented one stays live.
    pub refresh: Option<SignedToken>,
}

impl From<TokenPair> for Refreshed {
    fn from(pair: TokenPair) -> Self {
        Self { access: pair.access, refresh: Some(pair.refresh) }
    }
}

impl TokenService {
    /// Signs the token pair of one rotation generation of a session. The same generation, account and custom claims
    /// give the same refresh token, so that a retry can get the same successor again.
    pub(super) fn sign_pair(
        &self,
        user: &User,
        session: &Session,
        generation: NextGeneration,
        custom: &CustomClaims,
    ) -> Result<TokenPair, AuthError> {
        let refresh = self.sign(NewToken {
            kind: TokenKind::Refresh,
            id: TokenId::of_generation(session.id, generation.generation),
            issued_at: generation.rotated_at,
            expires_at: generation.expires_at,
            subject: &self.subject_to_sign(user)?,
            session: session.id,
            amr: &session.amr,
            generation: Some(generation.generation),
            refresh_expires_at: None,
            custom: custom.as_payload(),
        })?;
        Ok(TokenPair { access: self.sign_access(user, session, custom)?, refresh })
    }

    /// Signs an access token of a session.
    pub(super) fn sign_access(
        &self,
        user: &User,
        session: &Session,
        custom: &CustomClaims,
    ) -> Result<SignedToken, AuthError> {
        let now = self.ports.clock.now();
        self.sign(NewToken {
            kind: TokenKind::Access,
            id: TokenId::generate(self.ports.randomness.as_ref()),
            issued_at: now,
            expires_at: session.cap(now.plus(self.policy.access_ttl)),
            subject: &self.subject_to_sign(user)?,
            session: session.id,
            amr: &session.amr,
            generation: None,
            refresh_expires_at: None,
            custom: custom.as_payload(),
        })
    }

    pub(super) fn sign(&self, token: NewToken<'_>) -> Result<SignedToken, AuthError> {
        let mut payload = token.payload(&self.policy.claim_rules.names);
        self.policy.claim_rules.stamp(&mut payload);
        self.ports.signer.sign(&payload).map(SignedToken).map_err(AuthError::Crypto)
    }

    /// The subject of a user; `None` if tokens cannot name the user.
    pub(super) fn subject_of(&self, user: &User) -> Option<Subject> {
        user.subject(self.policy.claim_rules.subject_field)
    }

    /// [`subject_of`](Self::subject_of), or [`AuthError::NoSubject`].
    pub(super) fn subject_to_sign(&self, user: &User) -> Result<Subject, AuthError> {
        self.subject_of(user).ok_or(AuthError::NoSubject)
    }

    /// Whether a subject claim names this user.
    pub(super) fn is_named(&self, user: &User, claim: &SubjectClaim) -> bool {
        self.subject_of(user).is_some_and(|subject| *claim == SubjectClaim::Named(subject))
    }

    /// The custom claims of new tokens: `claims`, overwritten by those that the claims providers return now (SEC-026).
    pub(super) async fn custom_claims(&self, user: &User, mut claims: CustomClaims) -> Result<CustomClaims, AuthError> {
        if self.claims_providers.is_empty() {
            return Ok(claims);
        }
        let work = async {
            for provider in &self.claims_providers {
                provider.add_claims(user, &mut claims).await?;
            }
            Ok(())
        };
        let outcome = with_timeout(self.ports.clock.as_ref(), self.policy.claims_timeout, work).await;
        outcome.unwrap_or_else(|interruption| Err(interruption.into())).map_err(AuthError::Unavailable)?;
        Ok(claims)
    }

    /// No custom claims.
    pub(super) fn no_claims(&self) -> CustomClaims {
        CustomClaims::new(self.policy.claim_rules.names.clone())
    }

    /// The custom claims that a successor inherits from a token, if the policy keeps them.
    pub(super) fn inherited(&self, claims: &TokenClaims) -> CustomClaims {
        let names = self.policy.claim_rules.names.clone();
        if self.policy.keep_custom_claims {
            CustomClaims::inherited(names, claims.custom.clone())
        } else {
            CustomClaims::new(names)
        }
    }
}
