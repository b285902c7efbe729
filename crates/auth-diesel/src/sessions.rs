//! Sessions.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::account::{User, UserId};
use auth_core::ports::{Adoption, Sessions, Swap};
use auth_core::revocation::next_epoch;
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, TokenId};
use diesel::dsl::exists;
use diesel::prelude::*;

use crate::connection::{AnyConnection, on_either};
use crate::error::out_of_range;
use crate::prune::{Batch, in_batches};
use crate::rows::{NewSessionRow, NextGenerationRow, SessionRow, UserRow};
use crate::schema::{blacklist, sessions, users};
use crate::store::DieselStore;
use crate::types::{DbId, DbTime};

#[async_trait]
impl Sessions for DieselStore {
    async fn start(&self, session: &Session, user: &User, last_login: Option<Timestamp>) -> Result<bool, StoreError> {
        let (session, user, epoch) = (session.clone(), user.id, DbTime::from(user.token_epoch));
        self.write(move |connection| {
            connection.transaction(|connection| {
                let as_it_was =
                    users::table.find(user.get()).filter(users::is_active).filter(users::token_epoch.eq(epoch));
                let login = last_login.map(|moment| users::last_login.eq(DbTime::from(moment)));
                let locked = diesel::update(as_it_was)
                    .set((users::token_epoch.eq(users::token_epoch), login))
                    .execute(connection)?;
                if locked == 0 {
                    return Ok(false);
                }
                let row = NewSessionRow::try_from(&session).map_err(out_of_range)?;
                diesel::insert_into(sessions::table).values(row).execute(connection)?;
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
        // `predates_epoch` as a comparison: an epoch that was never moved, the start of time, lets any token pass.
        let after_start = UnixTime::from_seconds(UnixTime::default().seconds() + 1);
        let before = DbTime::from(issued_at.map_or(after_start, |moment| moment.max(after_start)));
        self.write(move |connection| {
            connection.transaction(|connection| {
                let user = users::table.find(session.user_id.get());
                let not_too_old = user.filter(users::token_epoch.lt(before));
                let locked =
                    diesel::update(not_too_old).set(users::token_epoch.eq(users::token_epoch)).execute(connection)?;
                if locked == 0 && !diesel::select(exists(user)).get_result(connection)? {
                    return Ok(Adoption::NoUser);
                }
                // What follows is read after the lock: whoever ends all sessions comes before it, or waits.
                let with_its_name = sessions::table.find(DbId::from(session.id));
                if diesel::select(exists(with_its_name)).get_result(connection)? {
                    return Ok(Adoption::Present);
                }
                if locked == 0 || diesel::select(exists(blacklist::table.find(&jti))).get_result(connection)? {
                    return Ok(Adoption::Refused);
                }
                let row = NewSessionRow::try_from(&session).map_err(out_of_range)?;
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
                .first(connection)
                .optional()?;
            Ok(found.map(|(session, user)| session.with_user(user)).transpose()?)
        })
        .await
    }

    async fn advance(&self, id: SessionId, from: Generation, next: NextGeneration) -> Result<Swap, StoreError> {
        self.write(move |connection| {
            // The row is the lock: rotations and revocations of one session queue on it.
            let from = i32::try_from(from.get()).map_err(out_of_range)?;
            let still_live = sessions::generation.eq(from).and(sessions::revoked_at.is_null());
            let next = NextGenerationRow::try_from(next).map_err(out_of_range)?;
            let moved = diesel::update(sessions::table.find(DbId::from(id)).filter(still_live))
                .set(next)
                .execute(connection)?;
            Ok(if moved == 1 { Swap::Done } else { Swap::LostRace })
        })
        .await
    }

    async fn revoke(&self, id: SessionId, reason: RevokeReason, now: UnixTime) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let not_ended = sessions::table.find(DbId::from(id)).filter(sessions::revoked_at.is_null());
            let end = (sessions::revoked_at.eq(DbTime::from(now)), sessions::revoke_reason.eq(reason.name()));
            Ok(diesel::update(not_ended).set(end).execute(connection)? == 1)
        })
        .await
    }

    async fn revoke_all(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        now: UnixTime,
    ) -> Result<usize, StoreError> {
        self.write(move |connection| {
            connection.transaction(|connection| Ok(end_all(connection, user, keep, reason, now)?.unwrap_or(0)))
        })
        .await
    }

    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        in_batches(limit, |batch| {
            self.write(move |connection| {
                let due = due_for_pruning(connection, now, batch)?;
                let more = !due.is_empty();
                Ok(Batch { forgotten: forget_or_postpone(connection, due, now)?, more })
            })
        })
        .await
    }
}

/// Ends every session of an account but one, and moves its epoch; answers how many sessions it ended, or `None` if
/// there is no such account. To be called in a transaction: the first statement locks the account, so that a login or
/// an adoption is either seen by the second one, or sees the new epoch.
pub(crate) fn end_all(
    connection: &mut AnyConnection,
    user: UserId,
    keep: Option<SessionId>,
    reason: RevokeReason,
    now: UnixTime,
) -> QueryResult<Option<usize>> {
    let account = users::table.find(user.get());
    if diesel::update(account).set(users::token_epoch.eq(users::token_epoch)).execute(connection)? == 0 {
        return Ok(None);
    }
    let epoch: DbTime = account.select(users::token_epoch).first(connection)?;
    let epoch = DbTime::from(next_epoch(epoch.into(), now));
    diesel::update(account).set(users::token_epoch.eq(epoch)).execute(connection)?;
    let now = DbTime::from(now);
    let live = sessions::user_id.eq(user.get()).and(sessions::revoked_at.is_null());
    let end = (sessions::revoked_at.eq(now), sessions::revoke_reason.eq(reason.name()));
    let ended = match keep.map(DbId::from) {
        Some(keep) => {
            diesel::update(sessions::table.filter(live).filter(sessions::id.ne(keep))).set(end).execute(connection)?
        }
        None => diesel::update(sessions::table.filter(live)).set(end).execute(connection)?,
    };
    Ok(Some(ended))
}

/// The sessions that may have expired, those that may have been so for longest first; and when they do now.
fn due_for_pruning(connection: &mut AnyConnection, now: UnixTime, limit: u32) -> QueryResult<Vec<(DbId, DbTime)>> {
    sessions::table
        .filter(sessions::prune_at.lt(DbTime::from(now)))
        .order(sessions::prune_at)
        .limit(limit.into())
        .select((sessions::id, sessions::expires_at))
        .load(connection)
}

/// Forgets those that have expired, and notes of the others when to look again. Answers how many were forgotten. Each
/// statement counts for itself: what is forgotten stays so, whatever becomes of the rest.
fn forget_or_postpone(connection: &mut AnyConnection, due: Vec<(DbId, DbTime)>, now: UnixTime) -> QueryResult<usize> {
    let now = DbTime::from(now);
    let (expired, refreshed): (Vec<_>, Vec<_>) = due.into_iter().partition(|(_, expires_at)| *expires_at < now);
    let ids = |sessions: Vec<(DbId, DbTime)>| sessions.into_iter().map(|(id, _)| id).collect::<Vec<_>>();
    let mut forgotten = 0;
    if !refreshed.is_empty() {
        let refreshed = sessions::table.filter(sessions::id.eq_any(ids(refreshed)));
        diesel::update(refreshed).set(sessions::prune_at.eq(sessions::expires_at)).execute(connection)?;
    }
    if !expired.is_empty() {
        // Asked again: it may have been rotated since.
        let still_expired = sessions::id.eq_any(ids(expired)).and(sessions::expires_at.lt(now));
        forgotten = diesel::delete(sessions::table.filter(still_expired)).execute(connection)?;
    }
    Ok(forgotten)
}
