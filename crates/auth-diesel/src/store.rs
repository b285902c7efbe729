//! The store: which call may use a connection, for how long, and what happens when it fails.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_core::StoreError;
use diesel::sql_types::Integer;
use diesel::{IntoSql, RunQueryDsl};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::timeout_at;

use crate::connection::AnyConnection;
use crate::error::{ConnectError, JobError, Retry, in_one_line, store_error};
use crate::pool::{Connections, SQLITE_BUSY_TIMEOUT};
use crate::url::DatabaseUrl;

/// The number of connections, and the time limits of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// Number of connections, at least 1, and so the number of calls that run at once. Further calls wait.
    pub size: u32,
    /// How long a call waits for a connection.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL may take for one statement. A `statement_timeout` among the `options` of the URL takes
    /// precedence.
    ///
    /// On PostgreSQL a call returns at the latest half a second after the longer of the two times. On SQLite the limit is
    /// `acquire_timeout` plus 5.5 seconds, because another process may keep the file locked for up to 5 seconds.
    pub statement_timeout: Duration,
}

impl Default for PoolSettings {
    /// 10 connections, 2 seconds and 2 seconds.
    fn default() -> Self {
        Self { size: 10, acquire_timeout: Duration::from_secs(2), statement_timeout: Duration::from_secs(2) }
    }
}

/// The storage ports on PostgreSQL or SQLite. Clones share their connections.
#[derive(Clone)]
pub struct DieselStore(Arc<Shared>);

struct Shared {
    pool: r2d2::Pool<Connections>,
    url: DatabaseUrl,
    settings: PoolSettings,
    /// One permit for each connection, taken before a thread, so that a waiting call occupies none.
    permits: Arc<Semaphore>,
    /// SQLite allows one writer at a time. Writers queue here, in order and without a thread. At SQLite's own lock they
    /// would sleep and poll, and some could starve.
    writer_permit: Option<Arc<Semaphore>>,
}

/// Whether a job writes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// Added to the last time limit of a call before the call is given up: time for the network and a busy machine.
const GRACE: Duration = Duration::from_millis(500);

/// How often a job is retried after the database rolled it back or its connection broke.
const RETRIES: u32 = 3;

impl DieselStore {
    /// Opens the database. Creates an SQLite file that does not exist, readable by its owner only.
    ///
    /// Changes no table; see [`migrate`](Self::migrate).
    pub async fn connect(url: &DatabaseUrl, settings: PoolSettings) -> Result<Self, ConnectError> {
        let own_url = url.clone();
        let opened = spawn_blocking(move || Shared::open(own_url, settings)).await;
        Ok(Self(Arc::new(opened.map_err(|error| ConnectError::unreachable(url, error))??)))
    }

    /// Checks with one round trip that the database answers.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| Ok(diesel::select(1.into_sql::<Integer>()).execute(connection).map(drop)?)).await
    }

    /// The URL of the database.
    pub fn url(&self) -> &DatabaseUrl {
        &self.0.url
    }

    pub(crate) fn settings(&self) -> &PoolSettings {
        &self.0.settings
    }

    /// Runs a job that only reads. If its connection breaks, the job runs again on another one.
    ///
    /// A job that writes belongs in [`write`](Self::write): here it might run twice, and on SQLite it would not queue
    /// with the other writers.
    ///
    /// `read` and [`write`](Self::write) are for an application's own tables in the same database, which
    /// [`migrate_with`](Self::migrate_with) creates. The application may read the tables of this crate and refer to
    /// them with `REFERENCES users (id) ON DELETE CASCADE`. Their columns may change in any release, and a write that
    /// bypasses the ports bypasses their rules.
    ///
    /// ```no_run
    /// use auth_core::StoreError;
    /// use auth_diesel::DieselStore;
    /// use diesel::prelude::*;
    ///
    /// diesel::table! {
    ///     notes (id) {
    ///         id -> BigInt,
    ///         author_id -> BigInt,
    ///         text -> Text,
    ///     }
    /// }
    ///
    /// async fn notes_of(store: &DieselStore, author: i64) -> Result<Vec<String>, StoreError> {
    ///     store
    ///         .read(move |connection| {
    ///             Ok(notes::table.filter(notes::author_id.eq(author)).select(notes::text).load(connection)?)
    ///         })
    ///         .await
    /// }
    ///
    /// /// `false` if there is no such note, or it belongs to another user.
    /// async fn hand_over(store: &DieselStore, note: i64, from: i64, to: i64) -> Result<bool, StoreError> {
    ///     store
    ///         .write(move |connection| {
    ///             connection.transaction(|connection| {
    ///                 let own = notes::table.find(note).filter(notes::author_id.eq(from));
    ///                 let moved = diesel::update(own).set(notes::author_id.eq(to)).execute(connection)?;
    ///                 // … and other statements of the same transaction.
    ///                 Ok(moved == 1)
    ///             })
    ///         })
    ///         .await
    /// }
    /// ```
    ///
    /// # Errors
    /// The errors of the ports: [`StoreError::Unavailable`] if a retry may succeed, [`StoreError::Broken`] if the
    /// database refuses the statement permanently. Return outcomes that are not database failures, such as a missing
    /// row, in `T`.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl Fn(&mut AnyConnection) -> Result<T, JobError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Access::Read, job).await
    }

    /// Runs a job that writes: one statement, or one [`transaction`](AnyConnection::transaction). The job runs again
    /// only if the first run certainly committed nothing, for example after a deadlock; so its side effects outside the
    /// database may happen more than once. Dropping the future does not undo a job that has started.
    ///
    /// # Errors
    /// As for [`read`](Self::read). After [`StoreError::Unavailable`] the write may still have been committed, if the
    /// connection broke while only the response was outstanding.
    pub async fn write<T: Send + 'static>(
        &self,
        job: impl Fn(&mut AnyConnection) -> Result<T, JobError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Access::Write, job).await
    }

    async fn run<T: Send + 'static>(
        &self,
        access: Access,
        job: impl Fn(&mut AnyConnection) -> Result<T, JobError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let start = Instant::now();
        let connect_by = start + self.0.settings.acquire_timeout;
        let write_permit = match (&self.0.writer_permit, access) {
            (Some(writer), Access::Write) => Some(self.0.acquire(writer, connect_by).await?),
            _ => None,
        };
        let permit = self.0.acquire(&self.0.permits, connect_by).await?;
        let shared = Arc::clone(&self.0);
        let answer = spawn_blocking(move || {
            let outcome = shared.attempt(access, start, job);
            // Held until the connection is back in the pool, even if the caller dropped the future.
            drop((permit, write_permit));
            outcome
        });
        match timeout_at((start + self.0.call_timeout()).into(), answer).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) if error.is_panic() => Err(StoreError::broken(error)),
            Ok(Err(shutting_down)) => Err(StoreError::unavailable(shutting_down)),
            Err(_) => Err(StoreError::unavailable("the database did not answer in time")),
        }
    }
}

impl fmt::Debug for DieselStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DieselStore").field("url", &self.0.url).field("settings", &self.0.settings).finish()
    }
}

impl Shared {
    fn open(url: DatabaseUrl, settings: PoolSettings) -> Result<Self, ConnectError> {
        let settings = PoolSettings { size: settings.size.max(1), ..settings };
        let connections = Connections { url: url.clone(), statement_timeout: settings.statement_timeout };
        // A first connection outside the pool: the pool would report only a timeout, and on SQLite one connection must
        // set the journal mode before the others are opened.
        r2d2::ManageConnection::connect(&connections).map_err(|error| ConnectError::unreachable(&url, error))?;
        let pool = r2d2::Pool::builder()
            .max_size(settings.size)
            .connection_timeout(settings.acquire_timeout.max(Duration::from_millis(1)))
            .idle_timeout(None)
            .test_on_check_out(true)
            // The caller that gets no connection receives the error, and it is logged there.
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(connections);
        let writer_permit = (!url.is_postgres()).then(|| Arc::new(Semaphore::new(1)));
        let permits = Arc::new(Semaphore::new(settings.size as usize));
        Ok(Self { pool, url, settings, permits, writer_permit })
    }

    /// After how long a call is given up, counted from its start.
    fn call_timeout(&self) -> Duration {
        let PoolSettings { acquire_timeout, statement_timeout, .. } = self.settings;
        match self.url.is_postgres() {
            true => acquire_timeout.max(statement_timeout) + GRACE,
            false => acquire_timeout + SQLITE_BUSY_TIMEOUT + GRACE,
        }
    }

    async fn acquire(&self, permits: &Arc<Semaphore>, by: Instant) -> Result<OwnedSemaphorePermit, StoreError> {
        match timeout_at(by.into(), Arc::clone(permits).acquire_owned()).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(StoreError::unavailable(format!(
                "no connection to the database was free for {} ms",
                self.settings.acquire_timeout.as_millis()
            ))),
        }
    }

    /// Runs a job until it succeeds or a retry is pointless.
    fn attempt<T>(
        &self,
        access: Access,
        start: Instant,
        job: impl Fn(&mut AnyConnection) -> Result<T, JobError>,
    ) -> Result<T, StoreError> {
        let mut retries = 0;
        loop {
            let mut pooled = self.connection(start)?;
            let JobError { error, may_be_committed } = match job(&mut pooled.connection) {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let retry = Retry::after(&error);
            pooled.is_unusable = retry == Retry::NewConnection;
            let should_retry = match retry {
                Retry::NewConnection => access == Access::Read || !may_be_committed,
                // A statement that used up its time limit would do so again.
                Retry::Again => start.elapsed() < self.settings.statement_timeout,
                Retry::Never => false,
            };
            retries += 1;
            if !should_retry || retries > RETRIES {
                return Err(store_error(error));
            }
            tracing::warn!(error = in_one_line(error), "retrying a database call");
        }
    }

    fn connection(&self, start: Instant) -> Result<r2d2::PooledConnection<Connections>, StoreError> {
        let elapsed = start.elapsed();
        if elapsed >= self.call_timeout() {
            // The caller has already been told that the call failed, so it must not run now.
            return Err(StoreError::unavailable("the database was unavailable for too long"));
        }
        let time_left = self.settings.acquire_timeout.saturating_sub(elapsed);
        self.pool.get_timeout(time_left).map_err(StoreError::unavailable)
    }
}
