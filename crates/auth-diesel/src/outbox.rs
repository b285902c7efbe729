//! The outbox: emails from the write that enqueues them until they are delivered.

use async_trait::async_trait;
use auth_accounts::email::{
    ClaimedEmail, EmailKind, EmailRequest, MessageId, OutboxEntry, OutgoingEmail, Queued, RetryPolicy,
};
use auth_accounts::ports::{Outbox, OutboxPage, Retry};
use auth_accounts::secret::Sealed;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::time::{Seconds, UnixTime};
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::Nullable;

use crate::connection::{AnyConnection, MultiBackend};
use crate::error::{out_of_range, unreadable};
use crate::keys::UserKey;
use crate::prune::{Batch, in_batches};
use crate::schema::outbox;
use crate::store::DieselStore;
use crate::types::{DbId, DbTime, Moment};

diesel::define_sql_function! {
    fn coalesce(moment: Nullable<Moment>, otherwise: Moment) -> Moment;
}

#[async_trait]
impl Outbox for DieselStore {
    async fn enqueue(&self, mail: &OutgoingEmail) -> Result<(), StoreError> {
        let mail = mail.clone();
        self.write(move |connection| Ok(enqueue(connection, None, &mail).map(drop)?)).await
    }

    async fn claim(&self, now: UnixTime, until: UnixTime) -> Result<Option<ClaimedEmail>, StoreError> {
        self.write(move |connection| {
            connection.transaction(|connection| {
                let Some(seq) = next_due(connection, now, until)? else { return Ok(None) };
                let claim = (outbox::attempts.eq(outbox::attempts + 1), outbox::claimed_until.eq(DbTime::from(until)));
                let row: ClaimedRow = diesel::update(outbox::table.find(seq))
                    .set(claim)
                    .returning(<ClaimedRow as Selectable<MultiBackend>>::construct_selection())
                    .get_result(connection)?;
                row.try_into().map(Some)
            })
        })
        .await
    }

    async fn delivered(&self, claimed: MessageId, attempt: u32) -> Result<bool, StoreError> {
        self.write(move |connection| {
            let attempt = attempt.try_into().map_err(out_of_range)?;
            Ok(diesel::delete(last_claim(claimed.into(), attempt)).execute(connection)? == 1)
        })
        .await
    }

    async fn reschedule(
        &self,
        claimed: MessageId,
        attempt: u32,
        next_attempt_at: UnixTime,
        error: &str,
    ) -> Result<bool, StoreError> {
        let error = storable(error);
        self.write(move |connection| {
            let attempt = attempt.try_into().map_err(out_of_range)?;
            let outcome = (
                outbox::claimed_until.eq(None::<DbTime>),
                outbox::next_attempt_at.eq(DbTime::from(next_attempt_at)),
                outbox::last_error.eq(&error),
            );
            Ok(diesel::update(last_claim(claimed.into(), attempt)).set(outcome).execute(connection)? == 1)
        })
        .await
    }

    async fn give_up(&self, claimed: MessageId, attempt: u32, now: UnixTime, error: &str) -> Result<bool, StoreError> {
        let error = storable(error);
        self.write(move |connection| {
            let attempt = attempt.try_into().map_err(out_of_range)?;
            let outcome = (
                outbox::claimed_until.eq(None::<DbTime>),
                outbox::next_attempt_at.eq(None::<DbTime>),
                outbox::failed_at.eq(DbTime::from(now)),
                outbox::last_error.eq(&error),
            );
            Ok(diesel::update(last_claim(claimed.into(), attempt)).set(outcome).execute(connection)? == 1)
        })
        .await
    }

    async fn list_outbox(&self, page: OutboxPage) -> Result<Vec<OutboxEntry>, StoreError> {
        self.read(move |connection| {
            let mut entries = outbox::table.filter(outbox::kind.eq_any(known_kinds())).into_boxed();
            if page.only_failed {
                entries = entries.filter(outbox::failed_at.is_not_null());
            }
            if let Some(after) = page.after.map(DbId::from) {
                // If that entry no longer exists, the page is empty rather than the whole list again.
                let others = diesel::alias!(outbox as before);
                let last = others.filter(others.field(outbox::id).eq(after)).select(others.field(outbox::seq));
                entries = entries.filter(outbox::seq.nullable().gt(last.single_value()));
            }
            let entries = entries.order(outbox::seq).limit(page.limit.into()).select(EntryRow::as_select());
            let rows: Vec<EntryRow> = entries.load(connection)?;
            Ok(rows.into_iter().map(OutboxEntry::try_from).collect::<QueryResult<_>>()?)
        })
        .await
    }

    async fn retry(&self, which: Retry) -> Result<usize, StoreError> {
        self.write(move |connection| {
            let again = (
                outbox::attempts.eq(0),
                outbox::next_attempt_at.eq(None::<DbTime>),
                outbox::failed_at.eq(None::<DbTime>),
            );
            // An email that a worker has claimed is neither waiting nor given up.
            let returned = outbox::table.filter(outbox::claimed_until.is_null());
            Ok(match which {
                Retry::AllFailed => {
                    diesel::update(returned.filter(outbox::failed_at.is_not_null())).set(again).execute(connection)?
                }
                Retry::One(id) => {
                    diesel::update(returned.filter(outbox::id.eq(DbId::from(id)))).set(again).execute(connection)?
                }
            })
        })
        .await
    }

    async fn prune_outbox(&self, failed_before: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let failed_before = DbTime::from(failed_before);
        in_batches(limit, |batch| {
            self.write(move |connection| {
                let others = diesel::alias!(outbox as failed);
                let failed = others
                    .filter(others.field(outbox::failed_at).lt(failed_before))
                    .order(others.field(outbox::failed_at))
                    .limit(batch.into())
                    .select(others.field(outbox::seq));
                let failed = outbox::table.filter(outbox::seq.eq_any(failed));
                let deleted = diesel::delete(failed.filter(outbox::failed_at.is_not_null())).execute(connection)?;
                Ok(Batch { deleted, more: deleted > 0 })
            })
        })
        .await
    }
}

/// Commits the effects of a write in its transaction: enqueues the emails, which are deleted with their owner. There is no audit trail
/// in the database yet, so the events are ignored here, and where a write commits nothing else.
pub(crate) fn put(connection: &mut AnyConnection, owner: UserKey, effects: &Effects) -> QueryResult<()> {
    for message in &effects.messages {
        let email = OutgoingEmail::try_from(message).map_err(|error| Error::SerializationError(error.into()))?;
        enqueue(connection, Some(owner), &email)?;
    }
    Ok(())
}

fn enqueue(connection: &mut AnyConnection, owner: Option<UserKey>, mail: &OutgoingEmail) -> QueryResult<usize> {
    let row = NewEmailRow {
        id: mail.id.into(),
        user_id: owner,
        kind: mail.queued.name(),
        priority: mail.queued.priority().into(),
        recipient: storable(&mail.to),
        content: mail.content.bytes(),
        queued_at: mail.queued_at.into(),
    };
    diesel::insert_into(outbox::table).values(row).execute(connection)
}

/// Removes a request from the outbox because it was answered; `false` if it is not there any more.
pub(crate) fn take_request(connection: &mut AnyConnection, id: MessageId) -> QueryResult<bool> {
    let names: Vec<_> = EmailRequest::ALL.iter().map(|request| request.name()).collect();
    let request = outbox::table.filter(outbox::id.eq(DbId::from(id))).filter(outbox::kind.eq_any(names));
    Ok(diesel::delete(request).execute(connection)? == 1)
}

/// Locks the email that has been due for longest among those with the lowest priority value. No two calls find the same
/// email, and none waits for another. Emails of a kind that only a later release knows are skipped.
fn next_due(connection: &mut AnyConnection, now: UnixTime, until: UnixTime) -> QueryResult<Option<i64>> {
    // A claim, or a wait, that ends later than these times was stored before the clock was set back, and is ignored.
    // Claims by machines whose clocks are ahead end late too, but never by as much as the length of a claim.
    let kept_for = now.distance(until).get().saturating_mul(2);
    let (implausible_claim, implausible_wait) = (now.plus(Seconds::new(kept_for)), now.plus(RetryPolicy::MAX_DELAY));
    let (now, implausible_claim, implausible_wait) =
        (DbTime::from(now), DbTime::from(implausible_claim), DbTime::from(implausible_wait));
    let is_free = outbox::claimed_until.is_null();
    let is_free = is_free.or(outbox::claimed_until.le(now)).or(outbox::claimed_until.gt(implausible_claim));
    let is_time = outbox::next_attempt_at.is_null();
    let is_time = is_time.or(outbox::next_attempt_at.le(now)).or(outbox::next_attempt_at.gt(implausible_wait));
    let due = outbox::table
        .filter(outbox::failed_at.is_null())
        .filter(is_free)
        .filter(is_time)
        .filter(outbox::kind.eq_any(known_kinds()))
        .order((outbox::priority, coalesce(outbox::next_attempt_at, outbox::queued_at), outbox::seq))
        .limit(1)
        .select(outbox::seq);
    match connection {
        AnyConnection::Postgres(connection) => due.for_update().skip_locked().get_result(connection).optional(),
        AnyConnection::Sqlite(connection) => due.get_result(connection).optional(),
    }
}

/// An email, if this is its last claim and the outcome of the claim was not reported.
#[diesel::dsl::auto_type(no_type_alias)]
fn last_claim(id: DbId, attempt: i32) -> _ {
    let email = outbox::table.filter(outbox::id.eq(id));
    email.filter(outbox::attempts.eq(attempt)).filter(outbox::claimed_until.is_not_null())
}

fn known_kinds() -> Vec<&'static str> {
    let emails = EmailKind::ALL.iter().map(|kind| kind.name());
    emails.chain(EmailRequest::ALL.iter().map(|request| request.name())).collect()
}

fn read_kind(name: &str) -> QueryResult<Queued> {
    Queued::from_name(name).ok_or_else(|| unreadable("a kind of email"))
}

/// Replaces NUL, the one character that PostgreSQL cannot store.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}

/// An email to enqueue.
#[derive(Insertable)]
#[diesel(table_name = outbox)]
struct NewEmailRow<'a> {
    id: DbId,
    user_id: Option<i64>,
    kind: &'static str,
    priority: i16,
    recipient: String,
    content: &'a [u8],
    queued_at: DbTime,
}

/// An email that a worker has claimed.
#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox)]
struct ClaimedRow {
    id: DbId,
    kind: String,
    recipient: String,
    content: Vec<u8>,
    queued_at: DbTime,
    attempts: i32,
}

impl TryFrom<ClaimedRow> for ClaimedEmail {
    type Error = diesel::result::Error;

    fn try_from(row: ClaimedRow) -> QueryResult<Self> {
        let email = OutgoingEmail {
            id: row.id.into(),
            queued: read_kind(&row.kind)?,
            to: row.recipient,
            content: Sealed::new(row.content),
            queued_at: row.queued_at.into(),
        };
        Ok(Self { email, attempt: row.attempts.try_into().map_err(out_of_range)? })
    }
}

/// An email in the outbox, without its content.
#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox)]
struct EntryRow {
    id: DbId,
    kind: String,
    recipient: String,
    queued_at: DbTime,
    attempts: i32,
    next_attempt_at: Option<DbTime>,
    failed_at: Option<DbTime>,
    last_error: Option<String>,
}

impl TryFrom<EntryRow> for OutboxEntry {
    type Error = diesel::result::Error;

    fn try_from(row: EntryRow) -> QueryResult<Self> {
        Ok(Self {
            id: row.id.into(),
            queued: read_kind(&row.kind)?,
            to: row.recipient,
            queued_at: row.queued_at.into(),
            attempts: row.attempts.try_into().map_err(out_of_range)?,
            next_attempt_at: row.next_attempt_at.map(Into::into),
            failed_at: row.failed_at.map(Into::into),
            last_error: row.last_error,
        })
    }
}
