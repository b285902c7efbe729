//! Sessions at rest.

use std::num::NonZeroU32;

use async_trait::async_trait;

use crate::effects::Effects;
use crate::error::StoreError;
use crate::time::{Timestamp, UnixTime};
use crate::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, Subject, TokenId};
use crate::user::{User, UserId};

/// What became of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swap {
    /// The session has the new generation.
    Done,
    /// Somebody rotated, ended or deleted the session first; nothing changed.
    LostRace,
}

/// What became of a token from elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adoption {
    /// There is a session for it now, in whatever state: made by this call, or by an earlier one and left as it was.
    Present,
    /// It is in the blacklist, older than the account's `token_epoch`, or not older than its second factor: no session was
    /// made.
    Refused,
    /// There is no such account.
    NoUser,
}

/// A session that goes on when all others of its account end. Only with a new generation, so that whoever else holds a
/// token of it is shut out too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptSession {
    /// The session.
    pub id: SessionId,
    /// Its live generation: if it is another one by now, or the session has ended or is not the account's, nothing is done.
    pub from: Generation,
    /// What it goes on with.
    pub next: NextGeneration,
}

/// A session to end and the session that replaces it, for cases where a new generation would not lock out another holder
/// of its tokens. The old one ends with all others of its account, and the new one begins in the same transaction, so that
/// nothing that ends all sessions can come between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplacedSession {
    /// The one that ends: if it has ended before, or is not the account's, nothing is done.
    pub ends: SessionId,
    /// The one that begins.
    pub begins: Session,
}

/// The users of tokens.
#[async_trait]
pub trait TokenUsers: Send + Sync {
    /// The account that tokens name so: by its key from elsewhere, by its number if it has none, or by exactly its
    /// username or address.
    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError>;
}

/// Sessions (token families) at rest. One method is one transaction: it happens whole or not at all.
#[async_trait]
pub trait Sessions: Send + Sync {
    /// Stores the session of a login and notes the time of the login with the account (`None`: leaves it), if and only
    /// if the account is still there and active and its `security_stamp` is the one in `user`. Otherwise changes nothing
    /// and answers `false`: its rights, its password or its second factors changed, or all its sessions ended, while the
    /// login was under way.
    async fn start(
        &self,
        session: &Session,
        user: &User,
        last_login: Option<Timestamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError>;

    /// Makes a session for the token `jti` from elsewhere, issued at `issued_at`, unless there is one with its name.
    /// Refused if `jti` is in the blacklist, if it [predates](crate::revocation::predates_epoch) the account's
    /// `token_epoch`, or if it [follows](crate::revocation::follows_factor) its second factors, as they are at
    /// the write. Whether the account is active is not asked. No [`revoke_all`](Self::revoke_all) of the same
    /// account that answers before or after can leave the new session live.
    ///
    /// Takes no effects: that a token was adopted is an event of the rotation that follows ([`advance`](Self::advance)).
    async fn adopt(
        &self,
        session: &Session,
        jti: &TokenId,
        issued_at: Option<UnixTime>,
    ) -> Result<Adoption, StoreError>;

    /// The session and its user, in whatever state; `None` if there never was one, or it was pruned or deleted.
    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError>;

    /// Moves the session from generation `from` to `next`, if and only if `from` is its live generation and it has not
    /// been revoked; notes `next.rotated_at` as the time of its last use. Otherwise changes nothing and answers
    /// [`Swap::LostRace`]. Neither the time nor the account is asked: that was decided before.
    async fn advance(
        &self,
        id: SessionId,
        from: Generation,
        next: NextGeneration,
        effects: &Effects,
    ) -> Result<Swap, StoreError>;

    /// Ends the session and every token in it; `false` if it had ended before, or there is none. Nothing in it can
    /// become live again, not even by a rotation that is under way. The first reason stays.
    async fn revoke(
        &self,
        id: SessionId,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError>;

    /// Ends every session of an account but `keep`, and moves its `security_stamp` and its `token_epoch` on, the latter to
    /// [`next_epoch`](crate::revocation::next_epoch), so that no token from
    /// elsewhere that was issued before can be adopted any more. Answers how many sessions it ended, which may be none; `None`,
    /// and nothing done, if there is no such account.
    async fn revoke_all(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<Option<usize>, StoreError>;

    /// Ends the least recently used sessions of an account, with [`RevokeReason::SessionLimit`], so that at most `most` are
    /// live: neither ended nor expired. `keep` is not ended, and counts only if it is live. Calls for one account are decided
    /// one after the other. Answers which it ended.
    ///
    /// Which sessions end is known only to the write, so it takes no effects: a storage with an audit trail commits
    /// [`SecurityEvent::of_surplus`](crate::event::SecurityEvent::of_surplus) for each of them.
    async fn end_surplus(
        &self,
        user: &UserId,
        keep: SessionId,
        most: NonZeroU32,
        now: UnixTime,
    ) -> Result<Vec<SessionId>, StoreError>;

    /// Forgets at most `limit` sessions all of whose refresh tokens expired before `now`, the one that was adopted
    /// included, which may live longer than its successors: forgotten too early, it could be adopted again. It is
    /// judged when they are deleted: one that is being rotated stays. Answers how many.
    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError>;
}
