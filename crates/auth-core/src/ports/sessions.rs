//! Storage of sessions.

use std::num::NonZeroU32;

use async_trait::async_trait;

use crate::effects::Effects;
use crate::error::StoreError;
use crate::time::{Timestamp, UnixTime};
use crate::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, Subject, TokenId};
use crate::user::{User, UserId};

/// The result of a rotation in the storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The session has the new rotation generation.
    Done,
    /// The session was rotated, revoked or deleted by another call first; nothing changed.
    LostRace,
}

/// The result of the adoption of an externally issued token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// The session exists, in any state: this call created it, or an earlier one did and it is unchanged.
    Present,
    /// The token is in the blacklist, predates the token epoch of the account, or follows its second factors; no
    /// session was created.
    Refused,
    /// The account does not exist.
    NoUser,
}

/// A session that continues when all others of its account are revoked. Its rotation generation advances, so that other
/// holders of its tokens are locked out too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptSession {
    /// The session ID.
    pub id: SessionId,
    /// Its expected rotation generation. If it has another one, is revoked, or belongs to another account, nothing is
    /// written.
    pub from: Generation,
    /// The rotation generation that it continues with.
    pub next: NextGeneration,
}

/// A session to revoke and the session that replaces it, for cases where a new rotation generation would not lock out
/// other holders of its tokens. The old one is revoked with all others of its account, and the new one is stored in the
/// same transaction, so that no other revocation of all sessions can come between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedSession {
    /// The session to revoke. If it is revoked already, or belongs to another account, nothing is written.
    pub ends: SessionId,
    /// The session to store.
    pub begins: Session,
}

/// Storage of the users of tokens.
#[async_trait]
pub trait TokenUsers: Send + Sync {
    /// The user with this subject: with this ID, exactly this username, or exactly this email address as a login name.
    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError>;
}

/// Storage of sessions (token families). Each method is one transaction.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Stores the session of a login, and `last_login` with the account unless it is `None`, if and only if the account
    /// exists, is active, and has the `security_stamp` of `user`. Otherwise changes nothing and returns `false`: its
    /// rights, password, second factors or email address changed during the login, or all its sessions were revoked.
    async fn start(
        &self,
        session: &Session,
        user: &User,
        last_login: Option<Timestamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError>;

    /// Stores a session for the externally issued token `jti`, issued at `issued_at`, unless a session with this ID
    /// exists.
    ///
    /// Refuses the token if, at the time of the write, `jti` is in the blacklist, or the token
    /// [predates](crate::revocation::predates_epoch) the `token_epoch` of the account or
    /// [follows](crate::revocation::follows_factor) its second factors. Does not check whether the account is active.
    /// No concurrent [`revoke_all`](Self::revoke_all) of the account can leave the new session live.
    ///
    /// Takes no effects: the adoption is an event of the rotation that follows ([`advance`](Self::advance)).
    async fn adopt(
        &self,
        session: &Session,
        jti: &TokenId,
        issued_at: Option<UnixTime>,
    ) -> Result<Adoption, StoreError>;

    /// The session and its user, in any state; `None` if it does not exist, for example because it was pruned.
    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError>;

    /// Advances the session from rotation generation `from` to `next`, if and only if `from` is its rotation generation
    /// and it is not revoked; `next.rotated_at` becomes the time of its last use. Otherwise changes nothing and returns
    /// [`Swap::LostRace`]. Does not check the expiry or the account, which the caller has done.
    async fn advance(
        &self,
        id: SessionId,
        from: Generation,
        next: NextGeneration,
        effects: &Effects,
    ) -> Result<Swap, StoreError>;

    /// Revokes the session with all its tokens. Returns `false`, and changes nothing, if it does not exist or is
    /// revoked already, so that the first reason is kept. No concurrent rotation can make a token of it live again.
    async fn revoke(
        &self,
        id: SessionId,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError>;

    /// Revokes every session of an account except `keep`. Advances its `security_stamp`, and its `token_epoch` to
    /// [`next_epoch`](crate::revocation::next_epoch), so that no externally issued token from before can be adopted.
    /// Returns how many sessions were revoked, which may be zero, or `None` if the account does not exist.
    async fn revoke_all(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<Option<usize>, StoreError>;

    /// Revokes the least recently used sessions of an account, with [`RevokeReason::SessionLimit`], so that at most
    /// `most` are live: neither revoked nor expired. `keep` is not revoked, and counts only if it is live. Concurrent
    /// calls for one account are serialized. Returns the revoked sessions.
    ///
    /// Takes no effects, because only the write knows which sessions it revokes: a storage with an audit trail commits
    /// [`SecurityEvent::session_limit_reached`](crate::event::SecurityEvent::session_limit_reached) for each of them.
    async fn end_surplus(
        &self,
        user: &UserId,
        keep: SessionId,
        most: NonZeroU32,
        now: UnixTime,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Prunes at most `limit` sessions whose refresh tokens all expired before `now`. Returns how many.
    ///
    /// An adopted token may expire later than its successors; its session must be kept until then, or the token could
    /// be adopted again. The condition is evaluated by the delete itself, so that a session with a concurrent rotation
    /// is kept.
    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError>;
}
