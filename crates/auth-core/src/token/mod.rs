//! Tokens: how one arrives, what is in it, and the session it belongs to.

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

/// The JSON object inside a token.
pub type Payload = serde_json::Map<String, serde_json::Value>;

/// Why a presented token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenFault {
    /// Not a token, or not signed by a key of ours: nothing in it may be believed.
    NotOurs,
    /// Well signed, with a claim that has a wrong type or an impossible value, or is for somebody else.
    BadClaim,
    /// Its time is over.
    Expired,
    /// It says no end of its time.
    NoExpiry,
    /// A sliding token that says no end of its refresh period.
    NoRefreshExpiry,
    /// A sliding token whose refresh period is over.
    RefreshExpired,
    /// It has no `jti`.
    NoId,
    /// It does not say what kind it is.
    NoKind,
    /// It is of another kind than is wanted here.
    WrongKind,
    /// A refresh token that was exchanged already, presented again soon enough to be a retry.
    Spent,
    /// A refresh token that was exchanged already, presented again later: its session has ended.
    Reused,
    /// A refresh token of a generation that was never issued.
    NeverIssued,
    /// Its session was ended, or its `jti` is in the blacklist.
    Revoked,
    /// Its session is not known here.
    UnknownSession,
}

impl TokenFault {
    /// Whether the signature held, so that its bearer may be told more than a forger.
    pub const fn is_well_signed(self) -> bool {
        !matches!(self, Self::NotOurs)
    }

    /// Whether the token was good once and has been taken out of use since: what clients know as "blacklisted".
    pub const fn is_blacklisted(self) -> bool {
        matches!(self, Self::Spent | Self::Reused | Self::Revoked | Self::UnknownSession)
    }
}
