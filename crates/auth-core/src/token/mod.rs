//! Tokens, their claims, and the sessions that they belong to.

mod authentication;
pub(crate) mod claims;
mod custom;
mod id;
mod names;
mod raw;
mod rules;
mod session;
mod subject;

pub use crate::user::{Subject, SubjectField};
pub(crate) use authentication::is_multi_factor;
pub use authentication::{Authentication, BadAuthentication, RequiredFor};
pub use claims::{TokenClaims, TokenKind};
pub use custom::{CustomClaims, ProfileClaim, ReservedClaim};
pub use id::{SessionId, TokenId, random_uuid};
pub use names::{ClaimNameClash, ClaimNames};
pub use raw::RawToken;
pub use rules::ClaimRules;
pub use session::{ClientInfo, Generation, NextGeneration, RevokeReason, Session, SessionOfUser};
pub use subject::SubjectClaim;

/// The payload of a token: the JSON object of its claims.
pub type Payload = serde_json::Map<String, serde_json::Value>;

/// Why a presented token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenFault {
    /// It is not a token, or no verifying key accepts its signature: nothing in it can be trusted.
    NotOurs,
    /// It is well signed, but a claim has the wrong type or value, or claims do not belong together.
    BadClaim,
    /// It has expired.
    Expired,
    /// It has no `exp`.
    NoExpiry,
    /// It is a sliding token without `refresh_exp`.
    NoRefreshExpiry,
    /// It is a sliding token whose refresh period has ended.
    RefreshExpired,
    /// It has no `jti`.
    NoId,
    /// It has no `token_type`.
    NoKind,
    /// It has another token type than the expected one.
    WrongKind,
    /// It is a used refresh token, presented within the replay window, or where its reuse does not matter.
    Used,
    /// It is a used refresh token, presented outside the replay window: its session was revoked by this.
    Reused,
    /// It is a refresh token with a rotation generation that was never issued.
    NeverIssued,
    /// Its session was revoked, or its `jti` is in the blacklist.
    Revoked,
    /// Its session is not stored.
    UnknownSession,
}

impl TokenFault {
    /// Whether the signature is valid, so that the client may learn the reason.
    pub const fn is_well_signed(self) -> bool {
        !matches!(self, Self::NotOurs)
    }

    /// Whether the token was valid before: the faults that clients know as "blacklisted".
    pub const fn is_blacklisted(self) -> bool {
        matches!(self, Self::Used | Self::Reused | Self::Revoked | Self::UnknownSession)
    }
}
