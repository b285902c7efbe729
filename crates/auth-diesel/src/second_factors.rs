//! Second factors and recovery codes.

use std::collections::BTreeSet;

use async_trait::async_trait;
use auth_accounts::code::CodeId;
use auth_accounts::ports::SecondFactors;
use auth_accounts::second_factor::{Factors, Method, NewFactor, TotpFactor};
use auth_accounts::secret::{Mac, Sealed};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::time::Timestamp;
use auth_core::user::{SecurityStamp, UserId};
use diesel::dsl::exists;
use diesel::prelude::*;

use crate::codes::{end_with_factors, read_mac, use_code};
use crate::connection::{AnyConnection, on_either};
use crate::error::{out_of_range, unreadable};
use crate::keys::{UserKey, for_user};
use crate::locked::{advance_stamp, lock_account, next_stamp};
use crate::outbox::put;
use crate::schema::{recovery_codes, second_factors, users};
use crate::store::DieselStore;
use crate::types::DbTime;

#[async_trait]
impl SecondFactors for DieselStore {
    async fn factors_of(&self, user: &UserId) -> Result<Factors, StoreError> {
        let user = user.clone();
        self.read(move |connection| {
            // One statement, so that factors and recovery codes come from one snapshot. An account without a factor
            // has no recovery codes.
            let own = recovery_codes::user_id.eq(second_factors::user_id);
            let rows: Vec<(FactorRow, Option<Vec<u8>>)> = for_user!(&user, user => {
                second_factors::table
                    .left_join(recovery_codes::table.on(own))
                    .filter(second_factors::user_id.eq_any(user.select(users::id)))
                    .select((FactorRow::as_select(), recovery_codes::mac.nullable()))
                    .load(connection)?
            });
            Ok(factors(rows)?)
        })
        .await
    }

    async fn add_factor(
        &self,
        user: &UserId,
        factor: &NewFactor,
        enrolment: CodeId,
        recovery_codes: &[Mac],
        effects: &Effects,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        let (user, factor, codes, effects) = (user.clone(), factor.clone(), recovery_codes.to_vec(), effects.clone());
        self.write(move |connection| {
            connection.transaction(|connection| {
                let Some(account) = lock_account(connection, &user)? else { return Ok(None) };
                let user = account.id;
                if !use_code(connection, enrolment, user, now.unix())? {
                    return Ok(None);
                }
                end_with_factors(connection, user)?;
                let method = factor.method();
                let same = second_factors::table.find((user, method.name()));
                let replaced: Option<DbTime> = same.select(second_factors::since).get_result(connection).optional()?;
                diesel::delete(same).execute(connection)?;
                let added_at = DbTime::from(now.unix());
                let row = FactorRow::new(user, &factor, replaced.unwrap_or(added_at))?;
                let since = account.first_factor_at.unwrap_or(added_at);
                diesel::insert_into(second_factors::table).values(row).execute(connection)?;
                let is_unverified = account.email.is_some() && account.email_verified_at.is_none();
                let verifies = method == Method::Email && is_unverified;
                let verified = verifies.then(|| users::email_verified_at.eq(DbTime::from(now)));
                let since = (users::first_factor_at.eq(since), users::multi_factor_since.eq(since));
                let change = (next_stamp(), since, verified);
                diesel::update(users::table.find(user)).set(change).execute(connection)?;
                let some = recovery_codes::table.filter(recovery_codes::user_id.eq(user));
                let has_some: bool = diesel::select(exists(some)).get_result(connection)?;
                if !has_some {
                    add_recovery_codes(connection, user, &codes)?;
                }
                put(connection, user, &effects)?;
                Ok(Some(!has_some))
            })
        })
        .await
    }

    async fn remove_factors(
        &self,
        user: &UserId,
        methods: &[Method],
        only_at: Option<SecurityStamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        let (user, methods, effects) = (user.clone(), methods.to_vec(), effects.clone());
        self.write(move |connection| {
            connection.transaction(|connection| {
                let Some(account) = lock_account(connection, &user)? else { return Ok(false) };
                let user = account.id;
                if !account.has_stamp(only_at) {
                    return Ok(false);
                }
                let names = methods.iter().map(|method| method.name());
                let off = second_factors::table
                    .filter(second_factors::user_id.eq(user))
                    .filter(second_factors::method.eq_any(names.collect::<Vec<_>>()));
                let mut removed = diesel::delete(off).execute(connection)?;
                let is_off = !has_factor(connection, user)?;
                if methods.contains(&Method::RecoveryCode) || is_off {
                    removed += remove_recovery_codes(connection, user)?;
                }
                if removed > 0 {
                    let none = is_off.then(|| users::multi_factor_since.eq(None::<DbTime>));
                    diesel::update(users::table.find(user)).set((next_stamp(), none)).execute(connection)?;
                    end_with_factors(connection, user)?;
                    put(connection, user, &effects)?;
                }
                Ok(removed > 0)
            })
        })
        .await
    }

    async fn replace_recovery_codes(
        &self,
        user: &UserId,
        codes: &[Mac],
        only_at: Option<SecurityStamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        let (user, codes, effects) = (user.clone(), codes.to_vec(), effects.clone());
        self.write(move |connection| {
            connection.transaction(|connection| {
                let Some(account) = lock_account(connection, &user)? else { return Ok(false) };
                let user = account.id;
                if !account.has_stamp(only_at) || !has_factor(connection, user)? {
                    return Ok(false);
                }
                remove_recovery_codes(connection, user)?;
                add_recovery_codes(connection, user, &codes)?;
                advance_stamp(connection, user)?;
                end_with_factors(connection, user)?;
                put(connection, user, &effects)?;
                Ok(true)
            })
        })
        .await
    }
}

fn has_factor(connection: &mut AnyConnection, user: UserKey) -> QueryResult<bool> {
    let some = second_factors::table.filter(second_factors::user_id.eq(user));
    diesel::select(exists(some)).get_result(connection)
}

/// Removes the factors of a locked account that were added before its email address was verified, and the recovery
/// codes. Returns `false` and removes nothing if these factors are not exactly `methods`.
pub(crate) fn remove_unverified(
    connection: &mut AnyConnection,
    user: UserKey,
    methods: &[Method],
    is_first_verification: bool,
) -> QueryResult<bool> {
    let own = second_factors::table.filter(second_factors::user_id.eq(user));
    let on: BTreeSet<String> = match is_first_verification {
        true => own.select(second_factors::method).load(connection)?.into_iter().collect(),
        false => BTreeSet::new(),
    };
    if on != methods.iter().map(|method| method.name().to_owned()).collect() {
        return Ok(false);
    }
    if !methods.is_empty() {
        diesel::delete(own).execute(connection)?;
        remove_recovery_codes(connection, user)?;
        let none = users::multi_factor_since.eq(None::<DbTime>);
        diesel::update(users::table.find(user)).set(none).execute(connection)?;
    }
    Ok(true)
}

fn add_recovery_codes(connection: &mut AnyConnection, user: UserKey, codes: &[Mac]) -> QueryResult<usize> {
    let row = |mac: &Mac| (recovery_codes::user_id.eq(user), recovery_codes::mac.eq(mac.bytes().to_vec()));
    let rows: Vec<_> = codes.iter().map(row).collect();
    on_either!(connection, connection => diesel::insert_into(recovery_codes::table).values(rows).execute(connection))
}

fn remove_recovery_codes(connection: &mut AnyConnection, user: UserKey) -> QueryResult<usize> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user))).execute(connection)
}

/// A row of `second_factors`.
#[derive(Insertable, Queryable, Selectable)]
#[diesel(table_name = second_factors)]
#[diesel(treat_none_as_default_value = false)]
struct FactorRow {
    user_id: UserKey,
    method: String,
    secret: Option<Vec<u8>>,
    last_step: Option<i64>,
    since: DbTime,
}

impl FactorRow {
    fn new(user: UserKey, factor: &NewFactor, since: DbTime) -> QueryResult<Self> {
        let (secret, last_step) = match factor {
            NewFactor::Email => (None, None),
            NewFactor::Totp { secret, step } => {
                (Some(secret.bytes().to_vec()), Some(i64::try_from(*step).map_err(out_of_range)?))
            }
        };
        let method = factor.method().name().to_owned();
        Ok(Self { user_id: user, method, secret, last_step, since })
    }

    fn into_totp(self) -> QueryResult<TotpFactor> {
        Ok(TotpFactor {
            secret: Sealed::new(self.secret.ok_or_else(|| unreadable("an authenticator"))?),
            last_step: self.last_step.map(u64::try_from).transpose().map_err(out_of_range)?,
            since: self.since.into(),
        })
    }
}

/// Reads the factors of an account from its rows, one for each pair of a factor and a recovery code.
///
/// A method that only a later release knows is ignored if the account has another one, and is an error otherwise: an
/// account that seemed to have no second factor would be open to anyone who knows the password.
fn factors(rows: Vec<(FactorRow, Option<Vec<u8>>)>) -> QueryResult<Factors> {
    let mut factors = Factors::default();
    let (is_empty, mut codes) = (rows.is_empty(), Vec::new());
    for (row, code) in rows {
        codes.extend(code);
        match Method::from_name(&row.method) {
            Some(Method::Email) => factors.email_since = Some(row.since.into()),
            Some(Method::Totp) => factors.totp = Some(row.into_totp()?),
            _ => {}
        }
    }
    if !is_empty && !factors.is_on() {
        return Err(unreadable("a second factor"));
    }
    codes.sort();
    codes.dedup();
    factors.recovery_codes = codes.iter().map(|bytes| read_mac(bytes)).collect::<QueryResult<_>>()?;
    Ok(factors)
}
