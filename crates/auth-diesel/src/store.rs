//! The store: who may use a connection when, how long, and what happens when that fails.

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
use crate::error::{Chance, ConnectError, JobError, in_one_line, store_error};
use crate::pool::{Connections, SQLITE_BUSY_TIMEOUT};
use crate::url::DatabaseUrl;

/// How many connections there are, and how long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolSettings {
    /// How many connections, at least 1; and with them, how many calls are served at once. Others wait.
    pub size: u32,
    /// How long a call waits for a connection.
    pub acquire_timeout: Duration,
    /// How long PostgreSQL may take for one statement; a `statement_timeout` among the `options` of the URL wins.
    ///
    /// A call is answered half a second after the longer of the two times at the latest, whatever happens; on SQLite
    /// up to 5 seconds later, if another process keeps the file locked.
    pub statement_timeout: Duration,
}

impl Default for PoolSettings {
    /// 10 connections, 2 seconds and 2 seconds.
    fn default() -> Self {
        Self { size: 10, acquire_timeout: Duration::from_secs(2), statement_timeout: Duration::from_secs(2) }
    }
}

/// All ports of a storage in PostgreSQL or SQLite. Clones share their connections.
#[derive(Clone)]
pub struct DieselStore(Arc<Shared>);

struct Shared {
    pool: r2d2::Pool<Connections>,
    url: DatabaseUrl,
    settings: PoolSettings,
    /// One for each connection. Taken before a thread is, so that waiting costs none.
    places: Arc<Semaphore>,
    /// SQLite has one writer at a time. Here they queue in order and without a thread; at its own lock they would
    /// sleep, and some would never be lucky.
    turn_to_write: Option<Arc<Semaphore>>,
}

/// Whether a job changes anything.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

/// How long after the last bound a call is given up: what the network and a busy machine add.
const GRACE: Duration = Duration::from_millis(500);

/// How often a job is run again, after the database has undone it or its connection broke.
const RETRIES: u32 = 3;

impl DieselStore {
    /// Opens the database; makes the file, readable by its owner only, if it is an SQLite file that does not exist.
    ///
    /// Changes no table: see [`migrate`](Self::migrate).
    pub async fn connect(url: &DatabaseUrl, settings: PoolSettings) -> Result<Self, ConnectError> {
        let own_url = url.clone();
        let opened = spawn_blocking(move || Shared::open(own_url, settings)).await;
        Ok(Self(Arc::new(opened.map_err(|error| ConnectError::unreachable(url, error))??)))
    }

    /// Whether the database answers: one round trip.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(|connection| Ok(diesel::select(1.into_sql::<Integer>()).execute(connection).map(drop)?)).await
    }

    /// The database.
    pub fn url(&self) -> &DatabaseUrl {
        &self.0.url
    }

    pub(crate) fn settings(&self) -> &PoolSettings {
        &self.0.settings
    }

    /// Runs a job that changes nothing. It is run again, on another connection, if the first one breaks.
    ///
    /// A job that changes something belongs to [`write`](Self::write): here it may be run twice, and on SQLite it would
    /// not wait for its turn.
    ///
    /// This and [`write`](Self::write) are for tables of an application's own in the same database, which
    /// [`migrate_with`](Self::migrate_with) makes. The tables of this crate may be read, and referred to as
    /// `REFERENCES users (id) ON DELETE CASCADE`; how they look may change with any release, and what is written into
    /// them past the ports goes past their rules.
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
    /// /// `false` if there is no such note, or it is somebody else's.
    /// async fn hand_over(store: &DieselStore, note: i64, from: i64, to: i64) -> Result<bool, StoreError> {
    ///     store
    ///         .write(move |connection| {
    ///             connection.transaction(|connection| {
    ///                 let own = notes::table.find(note).filter(notes::author_id.eq(from));
    ///                 let moved = diesel::update(own).set(notes::author_id.eq(to)).execute(connection)?;
    ///                 // … and whatever else has to happen with it.
    ///                 Ok(moved == 1)
    ///             })
    ///         })
    ///         .await
    /// }
    /// ```
    ///
    /// # Errors
    /// What the ports answer: [`StoreError::Unavailable`] if it may work in a moment, [`StoreError::Broken`] if the
    /// database refuses the statement for good. What is no failure of the database, such as a row that is not there,
    /// belongs in the answer.
    pub async fn read<T: Send + 'static>(
        &self,
        job: impl Fn(&mut AnyConnection) -> Result<T, JobError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(Access::Read, job).await
    }

    /// Runs a job that changes something: one statement, or one [`transaction`](AnyConnection::transaction). It is run
    /// again only if the first run certainly changed nothing, such as after a deadlock; so whatever it does beside the
    /// database it may do more than once. Dropping the future does not undo what has been started.
    ///
    /// # Errors
    /// As for [`read`](Self::read). With [`StoreError::Unavailable`] it may have been done all the same: the connection
    /// may have broken when only the answer was outstanding.
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
        let turn = match (&self.0.turn_to_write, access) {
            (Some(turn), Access::Write) => Some(self.0.acquire(turn, connect_by).await?),
            _ => None,
        };
        let place = self.0.acquire(&self.0.places, connect_by).await?;
        let shared = Arc::clone(&self.0);
        let answer = spawn_blocking(move || {
            let outcome = shared.attempt(access, start, job);
            // Not before the connection is back in the pool, nor because the caller went away.
            drop((place, turn));
            outcome
        });
        match timeout_at((start + self.0.answer_within()).into(), answer).await {
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
        // The pool would only say that it waited in vain; and SQLite wants one who sets the journal mode first.
        r2d2::ManageConnection::connect(&connections).map_err(|error| ConnectError::unreachable(&url, error))?;
        let pool = r2d2::Pool::builder()
            .max_size(settings.size)
            .connection_timeout(settings.acquire_timeout.max(Duration::from_millis(1)))
            .idle_timeout(None)
            .test_on_check_out(true)
            // Whoever gets no connection is told why, and that is logged.
            .error_handler(Box::new(r2d2::NopErrorHandler))
            .build_unchecked(connections);
        let turn_to_write = (!url.is_postgres()).then(|| Arc::new(Semaphore::new(1)));
        let places = Arc::new(Semaphore::new(settings.size as usize));
        Ok(Self { pool, url, settings, places, turn_to_write })
    }

    /// When a call is given up, counted from its beginning.
    fn answer_within(&self) -> Duration {
        let PoolSettings { acquire_timeout, statement_timeout, .. } = self.settings;
        match self.url.is_postgres() {
            true => acquire_timeout.max(statement_timeout) + GRACE,
            false => acquire_timeout + SQLITE_BUSY_TIMEOUT + GRACE,
        }
    }

    async fn acquire(&self, places: &Arc<Semaphore>, by: Instant) -> Result<OwnedSemaphorePermit, StoreError> {
        match timeout_at(by.into(), Arc::clone(places).acquire_owned()).await {
            Ok(Ok(place)) => Ok(place),
            _ => Err(StoreError::unavailable(format!(
                "no connection to the database was free for {} ms",
                self.settings.acquire_timeout.as_millis()
            ))),
        }
    }

    /// Runs a job until it succeeds or there is no more point in it.
    fn attempt<T>(
        &self,
        access: Access,
        start: Instant,
        job: impl Fn(&mut AnyConnection) -> Result<T, JobError>,
    ) -> Result<T, StoreError> {
        let mut retries = 0;
        loop {
            let mut pooled = self.connection(start)?;
            let JobError { error, may_be_stored } = match job(&mut pooled.connection) {
                Ok(value) => return Ok(value),
                Err(failure) => failure,
            };
            let chance = Chance::after(&error);
            pooled.is_lost = chance == Chance::OtherConnection;
            let is_worth_it = match chance {
                Chance::OtherConnection => access == Access::Read || !may_be_stored,
                // What took as long as a statement may take would do so again.
                Chance::Again => start.elapsed() < self.settings.statement_timeout,
                Chance::Never => false,
            };
            retries += 1;
            if !is_worth_it || retries > RETRIES {
                return Err(store_error(error));
            }
            tracing::warn!(error = in_one_line(error), "a call to the database is tried again");
        }
    }

    fn connection(&self, start: Instant) -> Result<r2d2::PooledConnection<Connections>, StoreError> {
        let elapsed = start.elapsed();
        if elapsed >= self.answer_within() {
            // The caller was told that it failed. It must not happen now.
            return Err(StoreError::unavailable("the database was away for too long"));
        }
        let time_left = self.settings.acquire_timeout.saturating_sub(elapsed);
        self.pool.get_timeout(time_left).map_err(StoreError::unavailable)
    }
}
