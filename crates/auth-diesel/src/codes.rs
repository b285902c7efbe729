//! One-time codes.

use async_trait::async_trait;
use auth_accounts::code::{CodeId, CodePurpose, OneTimeCode};
use auth_accounts::ports::{Codes, IssueIf};
use auth_accounts::second_factor::VerifiedFactor;
use auth_accounts::secret::Mac;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::time::UnixTime;
use diesel::dsl::exists;
use diesel::prelude::*;

use crate::connection::{AnyConnection, MultiBackend, Undo};
use crate::error::{out_of_range, unreadable};
use crate::keys::{UserKey, user_id};
use crate::locked::{lock_account, lock_row};
use crate::outbox::{put, take_request};
use crate::proofs::use_up;
use crate::prune::{Batch, in_batches};
use crate::schema::{one_time_codes, users};
use crate::store::DieselStore;
use crate::types::{DbId, DbTime};

#[async_trait]
impl Codes for DieselStore {
    async fn issue(&self, code: &OneTimeCode, effects: &Effects, only: &IssueIf) -> Result<bool, StoreError> {
        let (code, effects, only) = (code.clone(), effects.clone(), only.clone());
        self.write(move |connection| {
            connection.transaction(|connection| {
                let Some(account) = lock_account(connection, &code.user_id)? else { return Ok(false) };
                if only.owner.as_ref().is_some_and(|owner| !account.is_unchanged(owner)) {
                    return Ok(false);
                }
                if let Some(moment) = only.none_since
                    && has_open_since(connection, account.id, &code, moment)?
                {
                    return Ok(false);
                }
                if let Some(request) = only.answers
                    && !take_request(connection, request)?
                {
                    return Ok(false);
                }
                if code.purpose.ends_older() {
                    let same = one_time_codes::purpose.eq(code.purpose.name());
                    let older = not_ended(account.id).filter(same);
                    let end = one_time_codes::consumed_at.eq(DbTime::from(code.created_at));
                    diesel::update(older).set(end).execute(connection)?;
                }
                make_room_for(connection, account.id, &code)?;
                let row = CodeRow::new(account.id, &code)?;
                diesel::insert_into(one_time_codes::table).values(row).execute(connection)?;
                put(connection, account.id, &effects)?;
                Ok(true)
            })
        })
        .await
    }

    async fn find_code(&self, id: CodeId) -> Result<Option<OneTimeCode>, StoreError> {
        self.read(move |connection| {
            let code = one_time_codes::table.find(DbId::from(id)).filter(is_known());
            let code = code.inner_join(users::table).select((CodeRow::as_select(), users::external_id));
            let row: Option<(CodeRow, Option<String>)> = code.get_result(connection).optional()?;
            Ok(row.map(|(row, external_id)| row.into_code(external_id.as_deref())).transpose()?)
        })
        .await
    }

    async fn try_code(&self, id: CodeId, now: UnixTime) -> Result<Option<OneTimeCode>, StoreError> {
        self.write(move |connection| {
            let open = one_time_codes::table
                .find(DbId::from(id))
                .filter(is_known())
                .filter(in_time(now))
                .filter(has_attempts_left());
            connection.transaction(|connection| {
                let row: Option<CodeRow> = diesel::update(open)
                    .set(one_time_codes::attempts.eq(one_time_codes::attempts + 1))
                    .returning(<CodeRow as Selectable<MultiBackend>>::construct_selection())
                    .get_result(connection)
                    .optional()?;
                let Some(row) = row else { return Ok(None) };
                let owner = users::table.find(row.user_id).select(users::external_id);
                // The owner may have been deleted since, and the code with it.
                let external_id: Option<Option<String>> = owner.get_result(connection).optional()?;
                external_id.map(|external_id| row.into_code(external_id.as_deref())).transpose()
            })
        })
        .await
    }

    async fn redeem(
        &self,
        id: CodeId,
        factor: VerifiedFactor,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let effects = effects.clone();
        self.write(move |connection| {
            connection.transaction_if(|connection| {
                let code = one_time_codes::table.find(DbId::from(id));
                let owner: Option<UserKey> = code.select(one_time_codes::user_id).get_result(connection).optional()?;
                let Some(owner) = owner else { return Ok(false) };
                // The account first, as in every write that needs both. A code never changes its account.
                lock_row(connection, owner)?;
                Undo::unless(use_code(connection, id, owner, now)?, false)?;
                Undo::unless(use_up(connection, owner, factor)?, false)?;
                put(connection, owner, &effects)?;
                Ok(true)
            })
        })
        .await
    }

    async fn prune_challenges(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let now = DbTime::from(now);
        in_batches(limit, |batch| {
            self.write(move |connection| {
                let expired = one_time_codes::table
                    .filter(one_time_codes::expires_at.lt(now))
                    .filter(one_time_codes::purpose.eq_any(CodePurpose::OF_SECOND_FACTORS.map(CodePurpose::name)))
                    .order(one_time_codes::expires_at)
                    .limit(batch.into())
                    .select(one_time_codes::id);
                let expired: Vec<DbId> = expired.load(connection)?;
                if expired.is_empty() {
                    return Ok(Batch { deleted: 0, more: false });
                }
                let expired = one_time_codes::table.filter(one_time_codes::id.eq_any(expired));
                let deleted = diesel::delete(expired).execute(connection)?;
                Ok(Batch { deleted, more: deleted > 0 })
            })
        })
        .await
    }

    async fn prune_codes(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let now = DbTime::from(now);
        in_batches(limit, |batch| {
            self.write(move |connection| {
                let others = diesel::alias!(one_time_codes as expired);
                let expired = others
                    .filter(others.field(one_time_codes::expires_at).lt(now))
                    .order(others.field(one_time_codes::expires_at))
                    .limit(batch.into())
                    .select(others.field(one_time_codes::id));
                let expired = one_time_codes::table.filter(one_time_codes::id.eq_any(expired));
                let deleted = diesel::delete(expired).execute(connection)?;
                Ok(Batch { deleted, more: deleted > 0 })
            })
        })
        .await
    }
}

/// Ends the oldest challenges of an account so that, with this one, no more than [`OneTimeCode::MAX_OPEN`] are open.
fn make_room_for(connection: &mut AnyConnection, user: UserKey, code: &OneTimeCode) -> QueryResult<()> {
    let names: Vec<_> = code.purpose.bounded_with().iter().map(|purpose| purpose.name()).collect();
    if names.is_empty() {
        return Ok(());
    }
    let now = code.created_at;
    let open = not_ended(user)
        .filter(one_time_codes::purpose.eq_any(names))
        .filter(in_time(now))
        .filter(has_attempts_left())
        .order((one_time_codes::created_at.desc(), one_time_codes::id.desc()))
        .select(one_time_codes::id);
    let open: Vec<DbId> = open.load(connection)?;
    let surplus = open.get(OneTimeCode::MAX_OPEN - 1..).unwrap_or_default();
    if !surplus.is_empty() {
        let surplus = not_ended(user).filter(one_time_codes::id.eq_any(surplus));
        diesel::update(surplus).set(one_time_codes::consumed_at.eq(DbTime::from(now))).execute(connection)?;
    }
    Ok(())
}

/// Whether another code of the same account and purpose is open and was issued after `moment`.
fn has_open_since(
    connection: &mut AnyConnection,
    user: UserKey,
    code: &OneTimeCode,
    moment: UnixTime,
) -> QueryResult<bool> {
    let newer = not_ended(user)
        .filter(one_time_codes::purpose.eq(code.purpose.name()))
        .filter(in_time(code.created_at))
        .filter(has_attempts_left())
        .filter(one_time_codes::created_at.gt(DbTime::from(moment)));
    diesel::select(exists(newer)).get_result(connection)
}

/// Uses a code of an account, whatever its attempts and its expiry; `false` if it was used or ended before.
pub(crate) fn use_code(connection: &mut AnyConnection, id: CodeId, user: UserKey, now: UnixTime) -> QueryResult<bool> {
    let code = not_ended(user).filter(one_time_codes::id.eq(DbId::from(id)));
    Ok(diesel::update(code).set(one_time_codes::consumed_at.eq(DbTime::from(now))).execute(connection)? == 1)
}

/// Like [`use_code`], but `false` if the code has expired.
pub(crate) fn use_code_in_time(
    connection: &mut AnyConnection,
    id: CodeId,
    user: UserKey,
    now: UnixTime,
) -> QueryResult<bool> {
    let code = not_ended(user).filter(one_time_codes::id.eq(DbId::from(id)));
    let code = code.filter(in_time(now));
    Ok(diesel::update(code).set(one_time_codes::consumed_at.eq(DbTime::from(now))).execute(connection)? == 1)
}

/// Ends every code of an account; without a time, as of when each code was issued.
pub(crate) fn end_codes(connection: &mut AnyConnection, user: UserKey, now: Option<UnixTime>) -> QueryResult<usize> {
    // This includes codes for purposes that only a later release knows.
    let codes = diesel::update(not_ended(user));
    match now.map(DbTime::from) {
        Some(now) => codes.set(one_time_codes::consumed_at.eq(now)).execute(connection),
        None => codes.set(one_time_codes::consumed_at.eq(one_time_codes::created_at.nullable())).execute(connection),
    }
}

/// Ends the codes of an account that a change of its second factors ends, as of when each was issued.
pub(crate) fn end_with_factors(connection: &mut AnyConnection, user: UserKey) -> QueryResult<usize> {
    let names = CodePurpose::ENDED_BY_FACTOR_CHANGES.map(CodePurpose::name);
    let codes = not_ended(user).filter(one_time_codes::purpose.eq_any(names));
    let end = one_time_codes::consumed_at.eq(one_time_codes::created_at.nullable());
    diesel::update(codes).set(end).execute(connection)
}

/// The codes of an account that were neither used nor ended.
#[diesel::dsl::auto_type(no_type_alias)]
fn not_ended(user: UserKey) -> _ {
    one_time_codes::table.filter(one_time_codes::user_id.eq(user)).filter(one_time_codes::consumed_at.is_null())
}

/// The condition of [`OneTimeCode::is_open`], except for [`has_attempts_left`].
#[diesel::dsl::auto_type(no_type_alias)]
fn in_time(now: UnixTime) -> _ {
    let latest_start: DbTime = now.plus(OneTimeCode::MAX_SKEW).into();
    let is_begun = one_time_codes::created_at.le(latest_start);
    let now: DbTime = now.into();
    one_time_codes::consumed_at.is_null().and(one_time_codes::expires_at.gt(now)).and(is_begun)
}

#[diesel::dsl::auto_type(no_type_alias)]
fn has_attempts_left() -> _ {
    let most: i32 = OneTimeCode::MAX_ATTEMPTS.cast_signed();
    one_time_codes::attempts.lt(most)
}

/// Whether this release knows the purpose of a code. It ignores codes for purposes of a later release.
#[diesel::dsl::auto_type(no_type_alias)]
fn is_known() -> _ {
    let names: Vec<&'static str> = known_purposes();
    one_time_codes::purpose.eq_any(names)
}

fn known_purposes() -> Vec<&'static str> {
    CodePurpose::ALL.iter().map(|purpose| purpose.name()).collect()
}

/// A row of a one-time code.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = one_time_codes)]
#[diesel(treat_none_as_default_value = false)]
struct CodeRow {
    id: DbId,
    user_id: UserKey,
    purpose: String,
    mac: Option<Vec<u8>>,
    payload: Option<Vec<u8>>,
    attempts: i32,
    created_at: DbTime,
    expires_at: DbTime,
    consumed_at: Option<DbTime>,
}

impl CodeRow {
    fn new(user: UserKey, code: &OneTimeCode) -> QueryResult<Self> {
        Ok(Self {
            id: code.id.into(),
            user_id: user,
            purpose: code.purpose.name().to_owned(),
            mac: code.mac.map(|mac| mac.bytes().to_vec()),
            payload: code.payload.clone(),
            attempts: code.attempts.try_into().map_err(out_of_range)?,
            created_at: code.created_at.into(),
            expires_at: code.expires_at.into(),
            consumed_at: code.consumed_at.map(Into::into),
        })
    }

    /// The code, whose owner has this `external_id`.
    fn into_code(self, external_id: Option<&str>) -> QueryResult<OneTimeCode> {
        Ok(OneTimeCode {
            id: self.id.into(),
            user_id: user_id(self.user_id, external_id)?,
            purpose: CodePurpose::from_name(&self.purpose).ok_or_else(|| unreadable("a purpose"))?,
            mac: self.mac.map(|bytes| read_mac(&bytes)).transpose()?,
            payload: self.payload,
            attempts: self.attempts.try_into().map_err(out_of_range)?,
            created_at: self.created_at.into(),
            expires_at: self.expires_at.into(),
            consumed_at: self.consumed_at.map(Into::into),
        })
    }
}

/// Reads a keyed hash from a column.
pub(crate) fn read_mac(bytes: &[u8]) -> QueryResult<Mac> {
    bytes.try_into().map(Mac::from_bytes).map_err(|_| unreadable("a keyed hash"))
}
