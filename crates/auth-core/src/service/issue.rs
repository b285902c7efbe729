//! Writing tokens.

use std::fmt;

use crate::bounded::within;
use crate::error::AuthError;
use crate::service::TokenService;
use crate::token::claims::NewToken;
use crate::token::{CustomClaims, NextGeneration, Session, Subject, SubjectClaim, TokenClaims, TokenId, TokenKind};
use crate::user::User;

/// A token that this service signed. Secret: a `Debug` that prints `SignedToken(***)`.
#[derive(Clone, PartialEq, Eq)]
pub struct SignedToken(String);

impl SignedToken {
    /// The text: a compact JWS (RFC 7515 §3.1).
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The text, given away.
    pub fn into_exposed(self) -> String {
        self.0
    }
}

impl fmt::Debug for SignedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignedToken(***)")
    }
}

/// What a login answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPair {
    /// Opens guarded routes, for a short time.
    pub access: SignedToken,
    /// Is exchanged for the next pair, once.
    pub refresh: SignedToken,
}

/// What the answer of a challenge is answered with: what the login that asked for it would have been.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Issued {
    /// That of a login.
    Pair(TokenPair),
    /// That of a login for a sliding token.
    Sliding(SignedToken),
}

/// What a refresh answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refreshed {
    /// Opens guarded routes, for a short time.
    pub access: SignedToken,
    /// Is exchanged for the next pair; `None` where refresh tokens are not rotated: the presented one stays good.
    pub refresh: Option<SignedToken>,
}

impl From<TokenPair> for Refreshed {
    fn from(pair: TokenPair) -> Self {
        Self { access: pair.access, refresh: Some(pair.refresh) }
    }
}

impl TokenService {
    /// The tokens of one generation of a session. Given the same generation, the same account and the same custom
    /// claims, the refresh token says the same each time, so that a retry can be answered its lost successor.
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

    /// An access token of a session.
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

    /// How tokens name a user; `None` if they cannot.
    pub(super) fn subject_of(&self, user: &User) -> Option<Subject> {
        user.subject(self.policy.claim_rules.subject_field)
    }

    /// The same for a token to be signed.
    pub(super) fn subject_to_sign(&self, user: &User) -> Result<Subject, AuthError> {
        self.subject_of(user).ok_or(AuthError::NoSubject)
    }

    /// Whether a claim names this user.
    pub(super) fn is_named(&self, user: &User, claim: &SubjectClaim) -> bool {
        self.subject_of(user).is_some_and(|subject| *claim == SubjectClaim::Named(subject))
    }

    /// The claims beside this service's own: those inherited, under those that the claims_providers find out now (SEC-026).
    pub(super) async fn custom_claims(&self, user: &User, mut claims: CustomClaims) -> Result<CustomClaims, AuthError> {
        if self.claims_providers.is_empty() {
            return Ok(claims);
        }
        let work = async {
            for claims_provider in &self.claims_providers {
                claims_provider.add_claims(user, &mut claims).await?;
            }
            Ok(())
        };
        let outcome = within(self.ports.clock.as_ref(), self.policy.claims_timeout, work).await;
        outcome.unwrap_or_else(|interruption| Err(interruption.into())).map_err(AuthError::Unavailable)?;
        Ok(claims)
    }

    /// Nothing inherited.
    pub(super) fn no_claims(&self) -> CustomClaims {
        CustomClaims::new(self.policy.claim_rules.names.clone())
    }

    /// What a token leaves to its successors, if that is wanted.
    pub(super) fn inherited(&self, claims: &TokenClaims) -> CustomClaims {
        let names = self.policy.claim_rules.names.clone();
        if self.policy.keep_custom_claims {
            CustomClaims::inherited(names, claims.custom.clone())
        } else {
            CustomClaims::new(names)
        }
    }
}
