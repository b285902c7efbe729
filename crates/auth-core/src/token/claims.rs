//! What a token says, in types.

use serde_json::Value;

use crate::time::{Seconds, UnixTime};
use crate::token::{ClaimNames, Generation, Payload, SessionId, Subject, SubjectClaim, TokenFault, TokenId};

/// The kinds of token, by the claim `token_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// Short-lived; opens guarded routes.
    Access,
    /// Long-lived; exchanged for a new pair, once.
    Refresh,
    /// Opens guarded routes, and is exchanged for a longer-lived one of itself: both in one.
    Sliding,
}

impl TokenKind {
    /// The value of the claim.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::Sliding => "sliding",
        }
    }
}

/// The claims of a token that is well signed and within its time.
///
/// ```
/// use auth_core::time::UnixTime;
/// use auth_core::token::{ClaimRules, TokenFault, TokenKind};
/// use serde_json::json;
/// let payload = json!({"token_type": "refresh", "exp": 1_000, "jti": "a", "user_id": "3"});
/// let claims = ClaimRules::default().read(payload.as_object().unwrap().clone(), true, UnixTime::from_seconds(1)).unwrap();
/// assert!(claims.require(TokenKind::Refresh).is_ok());
/// assert_eq!(claims.require(TokenKind::Access), Err(TokenFault::WrongKind));
/// ```
///
/// The subject is not judged yet: verification of a token does not ask whom it names (wire contract section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenClaims {
    /// `token_type`, in whatever spelling; `None`: there is none.
    pub kind: Option<String>,
    /// `jti`; `None`: there is none.
    pub id: Option<TokenId>,
    /// `exp`; `None`: there is none.
    pub expires_at: Option<UnixTime>,
    /// `iat`; `None`: there is none.
    pub issued_at: Option<UnixTime>,
    /// `user_id`.
    pub subject: SubjectClaim,
    /// `sid`; `None`: not one of ours, or of no session.
    pub session: Option<SessionId>,
    /// `gen`; refresh tokens of a session have it.
    pub generation: Option<Generation>,
    /// `refresh_exp`; sliding tokens have it.
    pub refresh_expires_at: Option<UnixTime>,
    /// Whether a key of this installation made it. Of another issuer's tokens `sid` and `gen` are claims like any
    /// other.
    pub is_own: bool,
    /// Every other claim.
    pub custom: Payload,
}

impl TokenClaims {
    /// The checks that follow when a token is to be used: it has an end, a name, and the kind that is wanted, in this
    /// order (wire contract section 3, steps 4 and 5). Gives its name and its end.
    pub fn require(&self, kind: TokenKind) -> Result<(&TokenId, UnixTime), TokenFault> {
        let named = self.require_any_kind()?;
        match self.kind.as_deref() {
            None => Err(TokenFault::NoKind),
            Some(name) if name != kind.name() => Err(TokenFault::WrongKind),
            Some(_) => Ok(named),
        }
    }

    /// [`require`](Self::require) without the kind.
    pub fn require_any_kind(&self) -> Result<(&TokenId, UnixTime), TokenFault> {
        let expires_at = self.expires_at.ok_or(TokenFault::NoExpiry)?;
        let id = self.id.as_ref().ok_or(TokenFault::NoId)?;
        Ok((id, expires_at))
    }

    /// The earliest moment at which it may have been issued: `iat`, or else as long before `exp` as a token of its kind
    /// lives at most.
    pub(crate) fn earliest_issue(&self, longest: Seconds) -> UnixTime {
        let by_end = || self.expires_at.map_or(UnixTime::default(), |end| end.minus(longest));
        self.issued_at.unwrap_or_else(by_end)
    }

    /// Whether it says to be of this kind.
    pub fn is(&self, kind: TokenKind) -> bool {
        self.kind.as_deref() == Some(kind.name())
    }
}

/// What is written into a new token.
#[derive(Clone, Debug)]
pub(crate) struct NewToken<'a> {
    pub(crate) kind: TokenKind,
    pub(crate) id: TokenId,
    pub(crate) issued_at: UnixTime,
    pub(crate) expires_at: UnixTime,
    pub(crate) subject: &'a Subject,
    pub(crate) session: SessionId,
    /// The names of RFC 8176, with blanks between them; empty: it is not known how the session began.
    pub(crate) amr: &'a str,
    pub(crate) generation: Option<Generation>,
    pub(crate) refresh_expires_at: Option<UnixTime>,
    pub(crate) custom: &'a Payload,
}

impl NewToken<'_> {
    /// The JSON object to sign. Registered claims win over custom ones of the same name.
    pub(crate) fn payload(self, names: &ClaimNames) -> Payload {
        let mut payload = self.custom.clone();
        let mut set = |name: &str, value: Value| payload.insert(name.to_owned(), value);
        set(names.kind(), self.kind.name().into());
        set("exp", self.expires_at.seconds().into());
        set("iat", self.issued_at.seconds().into());
        set(names.id(), self.id.as_str().into());
        set(names.subject(), self.subject.to_claim().into());
        set("sid", self.session.to_string().into());
        if !self.amr.is_empty() {
            set("amr", self.amr.split(' ').collect::<Vec<_>>().into());
        }
        if let Some(generation) = self.generation {
            set("gen", generation.get().into());
        }
        if let Some(moment) = self.refresh_expires_at {
            set(names.refresh_expiry(), moment.seconds().into());
        }
        payload
    }
}
