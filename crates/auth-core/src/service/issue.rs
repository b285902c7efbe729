//! Writing tokens.

use std::fmt;

use crate::account::User;
use crate::error::AuthError;
use crate::service::TokenService;
use crate::time::UnixTime;
use crate::token::claims::NewToken;
use crate::token::{Generation, NextGeneration, Payload, Session, TokenClaims, TokenId, TokenKind};

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

/// What a login or a refresh answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenPair {
    /// Opens guarded routes, for a short time.
    pub access: SignedToken,
    /// Is exchanged for the next pair, once.
    pub refresh: SignedToken,
}

impl TokenService {
    /// The tokens of one generation of a session. Given the same generation, the same account and the same custom
    /// claims, the refresh token says the same each time, so that a retry can be answered its lost successor.
    pub(super) fn sign_pair(
        &self,
        user: &User,
        session: &Session,
        generation: NextGeneration,
        inherited: &Payload,
    ) -> Result<TokenPair, AuthError> {
        let now = self.ports.clock.now();
        let custom = self.custom_claims(user, inherited);
        let subject = user.subject();
        let refresh = self.sign(NewToken {
            kind: TokenKind::Refresh,
            id: TokenId::of_generation(session.id, generation.generation),
            issued_at: generation.rotated_at,
            expires_at: generation.expires_at,
            subject: &subject,
            session: session.id,
            generation: Some(generation.generation),
            custom: &custom,
        })?;
        let access = self.sign(NewToken {
            kind: TokenKind::Access,
            id: TokenId::draw(self.ports.randomness.as_ref()),
            issued_at: now,
            expires_at: session.cap(now.plus(self.policy.access_ttl)),
            subject: &subject,
            session: session.id,
            generation: None,
            custom: &custom,
        })?;
        Ok(TokenPair { access, refresh })
    }

    fn sign(&self, token: NewToken<'_>) -> Result<SignedToken, AuthError> {
        let mut payload = token.payload();
        self.policy.claim_rules.stamp(&mut payload);
        self.ports.signer.sign(&payload).map(SignedToken).map_err(AuthError::Crypto)
    }

    /// The claims beside this service's own: those inherited from the token before, if that is wanted, under those
    /// taken from the account as it is now (SEC-026).
    fn custom_claims(&self, user: &User, inherited: &Payload) -> Payload {
        let mut claims = if self.policy.keep_custom_claims { inherited.clone() } else { Payload::new() };
        claims.retain(|name, _| !TokenClaims::OWN.contains(&name.as_str()));
        for claim in &self.policy.profile_claims {
            claims.insert(claim.name().to_owned(), claim.value(user));
        }
        claims
    }

    /// The start of a session at `now`, as yet unstored.
    pub(super) fn first_generation(&self, now: UnixTime) -> (NextGeneration, Option<UnixTime>) {
        let absolute_expires_at = self.policy.session_max_ttl.map(|ttl| now.plus(ttl));
        let expires_at = now.plus(self.policy.rotation.refresh_ttl);
        let expires_at = absolute_expires_at.map_or(expires_at, |end| expires_at.min(end));
        let first = NextGeneration { generation: Generation::FIRST, rotated_at: now, expires_at };
        (first, absolute_expires_at)
    }
}
