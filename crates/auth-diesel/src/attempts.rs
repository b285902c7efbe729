//! Rate limits: the counts of attempts.

use std::collections::BTreeMap;

use async_trait::async_trait;
use auth_accounts::ports::Attempts;
use auth_accounts::throttle::{Admission, Attempt, Counter, LimitKey, Reduction};
use auth_core::StoreError;
use auth_core::time::{Seconds, UnixTime};
use diesel::prelude::*;

use crate::connection::{AnyConnection, Undo, on_either};
use crate::prune::{Batch, in_batches};
use crate::schema::login_attempts;
use crate::store::DieselStore;
use crate::types::DbTime;

#[async_trait]
impl Attempts for DieselStore {
    async fn admit(&self, attempts: &[Attempt], now: UnixTime) -> Result<Admission, StoreError> {
        // A refused attempt costs one read and waits for no lock, because refused attempts may come in large numbers.
        let limit_keys: Vec<_> = attempts.iter().map(|attempt| attempt.limit_key.as_str().to_owned()).collect();
        let known = self.read(move |connection| {
            let rows = login_attempts::table.filter(login_attempts::bucket.eq_any(&limit_keys));
            Ok(rows.select(CounterRow::as_select()).load(connection)?)
        });
        if let Err(wait) = count_all(attempts, &known.await?, now) {
            return Ok(Admission::Refused(wait));
        }
        let attempts = attempts.to_vec();
        self.write(move |connection| {
            connection.transaction_if(|connection| {
                let known = lock(connection, &attempts, now)?;
                match count_all(&attempts, &known, now) {
                    Ok(counted) => {
                        store(connection, counted.values()).map(|()| Admission::Admitted).map_err(Into::into)
                    }
                    Err(wait) => Err(Undo::Answer(Admission::Refused(wait))),
                }
            })
        })
        .await
    }

    async fn reduce(&self, limit_keys: &[(LimitKey, Reduction)]) -> Result<(), StoreError> {
        let mut limit_keys = limit_keys.to_vec();
        // In the order in which `admit` locks them.
        limit_keys.sort_by(|(one, _), (other, _)| one.cmp(other));
        self.write(move |connection| {
            connection.transaction(|connection| {
                limit_keys.iter().try_for_each(|(limit_key, reduction)| refund(connection, limit_key, *reduction))
            })
        })
        .await
    }

    async fn prune_attempts(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let now = DbTime::from(now);
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

/// The counts after these attempts, or the longest delay if one of them is refused.
fn count_all<'a>(
    attempts: &'a [Attempt],
    known: &[CounterRow],
    now: UnixTime,
) -> Result<BTreeMap<&'a str, CounterRow>, Seconds> {
    let (mut counted, mut longest_wait) = (BTreeMap::new(), None);
    for Attempt { limit_key, limit } in attempts {
        let row = known.iter().find(|row| row.bucket == limit_key.as_str());
        match limit.count(row.and_then(CounterRow::counter), now) {
            Ok(counter) => {
                let next = CounterRow::new(limit_key, counter, limit.expires_at(&counter));
                let prune_at = row.map_or(next.prune_at, |row| row.prune_at.min(next.prune_at));
                counted.insert(limit_key.as_str(), CounterRow { prune_at, ..next });
            }
            Err(wait) => longest_wait = longest_wait.max(Some(wait)),
        }
    }
    longest_wait.map_or(Ok(counted), Err)
}

/// Reads and locks the counts of these limit keys, in the order of the keys, so that two calls cannot deadlock. Inserts an
/// empty count where there is none; it is rolled back unless the attempt is allowed.
fn lock(connection: &mut AnyConnection, attempts: &[Attempt], now: UnixTime) -> QueryResult<Vec<CounterRow>> {
    let none = Counter { count: 0, since: now, last_at: now };
    let row = |Attempt { limit_key, limit }: &Attempt| CounterRow::new(limit_key, none, limit.expires_at(&none));
    let rows: BTreeMap<_, _> = attempts.iter().map(|attempt| (&attempt.limit_key, row(attempt))).collect();
    rows.into_values()
        .map(|row| {
            on_either!(connection, connection => {
                diesel::insert_into(login_attempts::table)
                    .values(row)
                    .on_conflict(login_attempts::bucket)
                    .do_update()
                    .set(login_attempts::count.eq(login_attempts::count))
                    .returning(CounterRow::as_returning())
                    .get_result(connection)
            })
        })
        .collect()
}

fn store<'a>(connection: &mut AnyConnection, counted: impl Iterator<Item = &'a CounterRow>) -> QueryResult<()> {
    for row in counted {
        diesel::update(login_attempts::table.find(&row.bucket)).set(row).execute(connection)?;
    }
    Ok(())
}

/// Refunds one attempt or resets the count; deletes the row of an empty count.
fn refund(connection: &mut AnyConnection, limit_key: &LimitKey, reduction: Reduction) -> QueryResult<()> {
    let least = match reduction {
        Reduction::Refund => 1,
        Reduction::Reset => i32::MAX,
    };
    let row = login_attempts::table.find(limit_key.as_str());
    if diesel::delete(row.filter(login_attempts::count.le(least))).execute(connection)? == 0 {
        diesel::update(row).set(login_attempts::count.eq(login_attempts::count - 1)).execute(connection)?;
    }
    Ok(())
}

/// Counts whose `prune_at` has passed, the earliest first, with the time at which they expire.
fn due_for_pruning(connection: &mut AnyConnection, now: DbTime, limit: u32) -> QueryResult<Vec<(String, DbTime)>> {
    login_attempts::table
        .filter(login_attempts::prune_at.lt(now))
        .order(login_attempts::prune_at)
        .limit(limit.into())
        .select((login_attempts::bucket, login_attempts::expires_at))
        .load(connection)
}

/// Deletes the counts that have expired and moves `prune_at` of the others to when they expire. Returns how many were
/// deleted. Each statement commits by itself: a failure of one does not undo the other.
fn delete_or_reschedule(connection: &mut AnyConnection, due: Vec<(String, DbTime)>, now: DbTime) -> QueryResult<usize> {
    let (expired, others): (Vec<_>, Vec<_>) = due.into_iter().partition(|(_, expires_at)| *expires_at < now);
    let names = |rows: Vec<(String, DbTime)>| rows.into_iter().map(|(bucket, _)| bucket).collect::<Vec<_>>();
    if !others.is_empty() {
        let others = login_attempts::table.filter(login_attempts::bucket.eq_any(names(others)));
        diesel::update(others).set(login_attempts::prune_at.eq(login_attempts::expires_at)).execute(connection)?;
    }
    if expired.is_empty() {
        return Ok(0);
    }
    // Checked again: another attempt may have been counted since.
    let still_expired = login_attempts::bucket.eq_any(names(expired)).and(login_attempts::expires_at.lt(now));
    diesel::delete(login_attempts::table.filter(still_expired)).execute(connection)
}

/// The count of a limit key. Only `prune_at` is indexed, and an attempt never moves it to a later time.
#[derive(AsChangeset, Insertable, Queryable, Selectable)]
#[diesel(table_name = login_attempts)]
#[diesel(primary_key(bucket))]
struct CounterRow {
    bucket: String,
    count: i32,
    since: DbTime,
    last_at: DbTime,
    expires_at: DbTime,
    prune_at: DbTime,
}

impl CounterRow {
    fn new(bucket: &LimitKey, counter: Counter, expires_at: UnixTime) -> Self {
        Self {
            bucket: bucket.as_str().to_owned(),
            // Every limit is lower.
            count: counter.count.try_into().unwrap_or(i32::MAX),
            since: counter.since.into(),
            last_at: counter.last_at.into(),
            expires_at: expires_at.into(),
            prune_at: expires_at.into(),
        }
    }

    /// The counter, or `None` if nothing is counted.
    fn counter(&self) -> Option<Counter> {
        let count = u32::try_from(self.count).ok().filter(|count| *count > 0)?;
        Some(Counter { count, since: self.since.into(), last_at: self.last_at.into() })
    }
}
