//! The token half of a store on [`redb`], an embedded key-value store, for an application with users of its own: users,
//! sessions and refused tokens are tables of one file. No `auth-accounts`, no SQL.

mod ports;
mod rows;
mod tables;

use std::path::Path;
use std::sync::Arc;

use auth_core::error::StoreError;
use auth_core::user::{User, UserId};
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase};

use rows::Fault;
use tables::{Snapshot, Writing};

/// The store. Clones share the file.
#[derive(Clone)]
pub struct OwnStore(Arc<Database>);

impl OwnStore {
    /// Opens the file at this path, or creates it.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be opened, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        Self::with_tables(Database::create(path).map_err(StoreError::unavailable)?)
    }

    /// A store that forgets everything with the process.
    ///
    /// # Errors
    /// None in practice.
    pub fn in_memory() -> Result<Self, StoreError> {
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        Self::with_tables(database.map_err(StoreError::unavailable)?)
    }

    fn with_tables(database: Database) -> Result<Self, StoreError> {
        transact(&database, |_| Ok(())).map_err(store_error)?;
        Ok(Self(Arc::new(database)))
    }

    /// Stores a new user.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be written.
    pub async fn add_user(&self, user: User) -> Result<(), StoreError> {
        self.write(move |tables| tables.put_user(&user)).await
    }

    /// Changes a user as the store has it now. A change of rights or credentials must advance the `security_stamp`, so that
    /// a login that was decided before is not completed. Returns `false` if there is no such user.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be written.
    pub async fn change_user(
        &self,
        id: &UserId,
        change: impl FnOnce(&mut User) + Send + 'static,
    ) -> Result<bool, StoreError> {
        let id = id.clone();
        self.write(move |tables| {
            let Some(mut user) = tables.user(&id)? else { return Ok(false) };
            change(&mut user);
            tables.put_user(&user)?;
            Ok(true)
        })
        .await
    }

    /// Deletes a user with all sessions.
    ///
    /// # Errors
    /// [`StoreError`] if the file cannot be written.
    pub async fn delete_user(&self, id: &UserId) -> Result<(), StoreError> {
        let id = id.clone();
        self.write(move |tables| tables.delete_user(&id)).await
    }

    /// Reads the tables at one moment.
    async fn read<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Snapshot) -> Result<T, Fault> + Send + 'static,
    {
        let database = Arc::clone(&self.0);
        run_blocking(move || work(&Snapshot::of(&database.begin_read()?)?)).await
    }

    /// Runs one transaction, which is durable once it answers.
    async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Writing<'_>) -> Result<T, Fault> + Send + 'static,
    {
        let database = Arc::clone(&self.0);
        run_blocking(move || transact(&database, work)).await
    }
}

/// Commits what `work` writes, or nothing if it fails. `redb` runs one such transaction at a time, so `work` can check
/// something and then write what depends on it.
fn transact<T>(database: &Database, work: impl FnOnce(&mut Writing<'_>) -> Result<T, Fault>) -> Result<T, Fault> {
    let transaction = database.begin_write()?;
    let answer = work(&mut Writing::of(&transaction)?)?;
    transaction.commit()?;
    Ok(answer)
}

/// Runs work that waits for the file on a thread that serves no requests, to its end even if the future is dropped.
async fn run_blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(StoreError::broken)?.map_err(store_error)
}

/// A row that cannot be read is a fault of the deployment; anything else may work again in a moment.
fn store_error(fault: Fault) -> StoreError {
    if fault.is::<serde_json::Error>() { StoreError::broken(fault) } else { StoreError::unavailable(fault) }
}
