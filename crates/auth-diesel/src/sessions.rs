//! Sessions: rotation, revocation, adoption and pruning.

use std::num::NonZeroU32;

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::{Adoption, KeptSession, Sessions, Swap};
use auth_core::revocation::{follows_factor, next_epoch, predates_epoch};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, TokenId};
use auth_core::user::{User, UserId};
use diesel::dsl::exists;
use diesel::prelude::*;

use crate::connection::{AnyConnection, on_either};
use crate::error::{JobError, out_of_range};
use crate::keys::{UserKey, for_user};
use crate::locked::{LockedAccount, lock_account, lock_row, next_stamp};
use crate::outbox::put;
use crate::prune::{Batch, in_batches};
use crate::rows::{NewSessionRow, NextGenerationRow, SessionRow, UserRow};
use crate::schema::{blacklist, sessions, users};
use crate::store::DieselStore;
use crate::types::{DbId, DbTime};

#[async_trait]
impl Sessions for DieselStore {
    async fn start(
        &self,
        session: &Session,
        user: &User,
        last_login: Option<Timestamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        let (session, user, stamp) = (session.clone(), user.id.clone(), user.security_stamp.get());
        let effects = effects.clone();
        self.write(move |connection| {
            connection.transaction(|connection| {
                let login = last_login.map(|moment| users::last_login.eq(DbTime::from(moment)));
                let locked: Option<UserKey> = for_user!(&user, rows => {
                    diesel::update(rows.filter(users::is_active).filter(users::security_stamp.eq(stamp)))
                        .set((users::token_epoch.eq(users::token_epoch), login))
                        .returning(users::id)
                        .get_result(connection)
                        .optional()?
                });
                let Some(user) = locked else { return Ok(false) };
                begin(connection, user, &session)?;
                put(connection, user, &effects)?;
                Ok(true)
            })
        })
        .await
    }

    async fn adopt(
        &self,
        session: &Session,
        jti: &TokenId,
        issued_at: Option<UnixTime>,
    ) -> Result<Adoption, StoreError> {
        let (session, jti) = (session.clone(), jti.as_str().to_owned());
        self.write(move |connection| {
            connection.transaction(|connection| {
                // Read after the lock: a revocation of all sessions either precedes it or waits for it.
                let Some(account) = lock_account(connection, &session.user_id)? else { return Ok(Adoption::NoUser) };
                let with_its_id = sessions::table.find(DbId::from(session.id));
                if diesel::select(exists(with_its_id)).get_result(connection)? {
                    return Ok(Adoption::Present);
                }
                if predates_epoch(issued_at, account.token_epoch.into())
                    || follows_factor(issued_at, account.multi_factor_since.map(Into::into))
                    || diesel::select(exists(blacklist::table.find(&jti))).get_result(connection)?
                {
                    return Ok(Adoption::Refused);
                }
                let row = NewSessionRow::new(account.id, &session).map_err(out_of_range)?;
                on_either!(connection, connection => {
                    diesel::insert_into(sessions::table).values(row).on_conflict_do_nothing().execute(connection)?
                });
                Ok(Adoption::Present)
            })
        })
        .await
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError> {
        self.read(move |connection| {
            let found: Option<(SessionRow, UserRow)> = sessions::table
                .find(DbId::from(id))
                .inner_join(users::table)
                .select((SessionRow::as_select(), UserRow::as_select()))
                .get_result(connection)
                .optional()?;
            Ok(found.map(|(session, user)| session.with_user(user)).transpose()?)
        })
        .await
    }

    async fn advance(
        &self,
        id: SessionId,
        from: Generation,
        next: NextGeneration,
        effects: &Effects,
    ) -> Result<Swap, StoreError> {
        let effects = effects.clone();
        self.write(move |connection| {
            // Without messages, one statement: a rotation is the most frequent write.
            let moved = match effects.messages.is_empty() {
                true => move_on(connection, id, from, next)?,
                false => with_effects(connection, id, &effects, |connection| move_on(connection, id, from, next))?,
            };
            Ok(if moved { Swap::Done } else { Swap::LostRace })
        })
        .await
    }

    async fn revoke(
        &self,
        id: SessionId,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let effects = effects.clone();
        self.write(move |connection| {
            with_effects(connection, id, &effects, |connection| end(connection, id, reason, now))
        })
        .await
    }

    async fn revoke_all(
        &self,
        user: &UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<Option<usize>, StoreError> {
        let (user, effects) = (user.clone(), effects.clone());
        self.write(move |connection| {
            connection.transaction(|connection| {
                let Some(account) = lock_account(connection, &user)? else { return Ok(None) };
                let ended = end_all(connection, &account, keep, reason, now)?;
                put(connection, account.id, &effects)?;
                Ok(Some(ended))
            })
        })
        .await
    }

    async fn end_surplus(
        &self,
        user: &UserId,
        keep: SessionId,
        most: NonZeroU32,
        now: UnixTime,
    ) -> Result<Vec<SessionId>, StoreError> {
        let user = user.clone();
        self.write(move |connection| {
            connection.transaction(|connection| {
                // Of two logins at once, the second waits here and then sees the session of the first.
                let Some(account) = lock_account(connection, &user)? else { return Ok(Vec::new()) };
                let surplus = surplus_of(connection, account.id, keep, most, now)?;
                if !surplus.is_empty() {
                    let live =
                        sessions::table.filter(sessions::id.eq_any(&surplus)).filter(sessions::revoked_at.is_null());
                    let reason = sessions::revoke_reason.eq(RevokeReason::SessionLimit.name());
                    diesel::update(live)
                        .set((sessions::revoked_at.eq(DbTime::from(now)), reason))
                        .execute(connection)?;
                }
                Ok(surplus.into_iter().map(SessionId::from).collect())
            })
        })
        .await
    }

    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        in_batches(limit, |batch| {
            self.write(move |connection| {
                let due = due_for_pruning(connection, now, batch)?;
                let more = !due.is_empty();
                Ok(Batch { deleted: delete_or_reschedule(connection, due, now)?, more })
            })
        })
        .await
    }
}

/// Stores a session of a locked account.
pub(crate) fn begin(connection: &mut AnyConnection, user: UserKey, session: &Session) -> QueryResult<usize> {
    let row = NewSessionRow::new(user, session).map_err(out_of_range)?;
    diesel::insert_into(sessions::table).values(row).execute(connection)
}

/// Revokes a session of a locked account; `false` if it was revoked before or belongs to another account.
pub(crate) fn end_own(
    connection: &mut AnyConnection,
    account: &LockedAccount,
    id: SessionId,
    reason: RevokeReason,
    now: UnixTime,
) -> QueryResult<bool> {
    let own = sessions::table.find(DbId::from(id)).filter(sessions::user_id.eq(account.id));
    let end = (sessions::revoked_at.eq(DbTime::from(now)), sessions::revoke_reason.eq(reason.name()));
    Ok(diesel::update(own.filter(sessions::revoked_at.is_null())).set(end).execute(connection)? == 1)
}

/// The live sessions of an account beyond `most`, most recently used first; `keep` always counts as kept.
fn surplus_of(
    connection: &mut AnyConnection,
    user: UserKey,
    keep: SessionId,
    most: NonZeroU32,
    now: UnixTime,
) -> QueryResult<Vec<DbId>> {
    let live = sessions::table
        .filter(sessions::user_id.eq(user))
        .filter(sessions::revoked_at.is_null())
        .filter(sessions::expires_at.gt(DbTime::from(now)))
        .order((sessions::last_used_at.desc(), sessions::id.desc()))
        .select(sessions::id);
    let live: Vec<DbId> = live.load(connection)?;
    let keep = DbId::from(keep);
    let kept = usize::from(live.contains(&keep));
    let others = live.into_iter().filter(|id| *id != keep);
    Ok(others.skip((most.get() as usize).saturating_sub(kept)).collect())
}

/// Runs a write of one session in a transaction and commits the effects with it; `false` if the write changed nothing. The
/// account is locked, since messages belong to it. If the connection is lost before the commit, the write is retried.
fn with_effects(
    connection: &mut AnyConnection,
    id: SessionId,
    effects: &Effects,
    write: impl Fn(&mut AnyConnection) -> QueryResult<bool>,
) -> Result<bool, JobError> {
    connection.transaction(|connection| {
        let session = sessions::table.find(DbId::from(id));
        let owner: Option<UserKey> = session.select(sessions::user_id).get_result(connection).optional()?;
        let Some(owner) = owner else { return Ok(false) };
        // The account first, as in every write that needs both. A session never changes its account.
        lock_row(connection, owner)?;
        let is_done = write(connection)?;
        if is_done {
            put(connection, owner, effects)?;
        }
        Ok(is_done)
    })
}

/// Advances a session; `false` if `from` is not its live generation. The row is the lock: rotations and revocations of one
/// session wait for each other on it.
fn move_on(connection: &mut AnyConnection, id: SessionId, from: Generation, next: NextGeneration) -> QueryResult<bool> {
    let from = i32::try_from(from.get()).map_err(out_of_range)?;
    let next = NextGenerationRow::try_from(next).map_err(out_of_range)?;
    let live = sessions::table.find(DbId::from(id)).filter(live_at(from));
    Ok(diesel::update(live).set(next).execute(connection)? == 1)
}

/// Revokes a session; `false` if it was revoked before or does not exist.
fn end(connection: &mut AnyConnection, id: SessionId, reason: RevokeReason, now: UnixTime) -> QueryResult<bool> {
    let not_ended = sessions::table.find(DbId::from(id)).filter(sessions::revoked_at.is_null());
    let end = (sessions::revoked_at.eq(DbTime::from(now)), sessions::revoke_reason.eq(reason.name()));
    Ok(diesel::update(not_ended).set(end).execute(connection)? == 1)
}

/// Revokes every session of a locked account except `keep`, and advances its token epoch and security stamp; returns
/// how many sessions it revoked. A login or an adoption either commits before the lock, and its session is revoked
/// here, or runs after it and sees the new epoch and stamp.
pub(crate) fn end_all(
    connection: &mut AnyConnection,
    account: &LockedAccount,
    keep: Option<SessionId>,
    reason: RevokeReason,
    now: UnixTime,
) -> QueryResult<usize> {
    let epoch = DbTime::from(next_epoch(account.token_epoch.into(), now));
    let moved = (users::token_epoch.eq(epoch), next_stamp());
    diesel::update(users::table.find(account.id)).set(moved).execute(connection)?;
    let live = sessions::table.filter(sessions::user_id.eq(account.id)).filter(sessions::revoked_at.is_null());
    let end = (sessions::revoked_at.eq(DbTime::from(now)), sessions::revoke_reason.eq(reason.name()));
    match keep.map(DbId::from) {
        Some(keep) => diesel::update(live.filter(sessions::id.ne(keep))).set(end).execute(connection),
        None => diesel::update(live).set(end).execute(connection),
    }
}

/// Advances a session of an account if it is live and at the expected rotation generation; `false` otherwise.
pub(crate) fn keep(connection: &mut AnyConnection, user: UserKey, kept: KeptSession) -> QueryResult<bool> {
    let from = i32::try_from(kept.from.get()).map_err(out_of_range)?;
    let next = NextGenerationRow::try_from(kept.next).map_err(out_of_range)?;
    let own = sessions::table.find(DbId::from(kept.id)).filter(sessions::user_id.eq(user));
    Ok(diesel::update(own.filter(live_at(from))).set(next).execute(connection)? == 1)
}

/// Whether a session is not revoked and has this rotation generation.
#[diesel::dsl::auto_type(no_type_alias)]
fn live_at(generation: i32) -> _ {
    sessions::generation.eq(generation).and(sessions::revoked_at.is_null())
}

/// Sessions whose `prune_at` has passed, the earliest first, with the time at which they expire.
fn due_for_pruning(connection: &mut AnyConnection, now: UnixTime, limit: u32) -> QueryResult<Vec<(DbId, DbTime)>> {
    sessions::table
        .filter(sessions::prune_at.lt(DbTime::from(now)))
        .order(sessions::prune_at)
        .limit(limit.into())
        .select((sessions::id, sessions::expires_at))
        .load(connection)
}

/// Deletes the sessions that have expired and moves `prune_at` of the others to when they expire. Returns how many were
/// deleted. Each statement commits by itself: a failure of one does not undo the other.
fn delete_or_reschedule(connection: &mut AnyConnection, due: Vec<(DbId, DbTime)>, now: UnixTime) -> QueryResult<usize> {
    let now = DbTime::from(now);
    let (expired, refreshed): (Vec<_>, Vec<_>) = due.into_iter().partition(|(_, expires_at)| *expires_at < now);
    let ids = |sessions: Vec<(DbId, DbTime)>| sessions.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    let mut deleted = 0;
    if !refreshed.is_empty() {
        let refreshed = sessions::table.filter(sessions::id.eq_any(ids(refreshed)));
        diesel::update(refreshed).set(sessions::prune_at.eq(sessions::expires_at)).execute(connection)?;
    }
    if !expired.is_empty() {
        // Checked again: a session may have been rotated since it was read.
        let still_expired = sessions::id.eq_any(ids(expired)).and(sessions::expires_at.lt(now));
        deleted = diesel::delete(sessions::table.filter(still_expired)).execute(connection)?;
    }
    Ok(deleted)
}
