//! The storage of a server.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use async_trait::async_trait;
use auth_accounts::ports::Store;
use auth_core::StoreError;
use auth_core::ports::InvalidationFeed;
use auth_diesel::{DatabaseUrl, DieselStore, PoolSettings};

use crate::config::Checked;

/// A storage that a server can run on: all storage ports, and the operations to open, check and migrate it. `auth-server`
/// uses [`DieselStore`]; an application can choose another one as its [`Application::Store`](crate::Application::Store).
///
/// The contract kit `auth-conformance` tests the ports and the invalidation feed of a storage.
#[async_trait]
pub trait Storage: Store + Sized + 'static {
    /// Opens the configured storage without changing any table.
    async fn open(checked: &Checked) -> Result<Self>;

    /// The location, for logs and the operator, without a password.
    fn location(&self) -> String;

    /// Checks that the storage responds.
    ///
    /// # Errors
    /// [`StoreError`] if it does not respond.
    async fn ping(&self) -> Result<(), StoreError>;

    /// The invalidation feed: changes by any process.
    fn changes(&self) -> Box<dyn InvalidationFeed>;

    /// The names of the migrations that are pending. A storage without tables has none.
    async fn pending_migrations(&self) -> Result<Vec<String>>;

    /// Applies the pending migrations, and returns their names.
    async fn migrate(&self) -> Result<Vec<String>>;
}

#[async_trait]
impl Storage for DieselStore {
    async fn open(checked: &Checked) -> Result<Self> {
        let database = &checked.settings.database;
        let settings = PoolSettings {
            size: database.pool_size,
            acquire_timeout: Duration::from_millis(database.acquire_timeout_milliseconds),
            statement_timeout: Duration::from_millis(database.statement_timeout_milliseconds),
        };
        let url = database_url(checked)?;
        Self::connect(&url, settings).await.context("database.url")
    }

    fn location(&self) -> String {
        self.url().to_string()
    }

    async fn ping(&self) -> Result<(), StoreError> {
        Self::ping(self).await
    }

    fn changes(&self) -> Box<dyn InvalidationFeed> {
        Box::new(Self::changes(self))
    }

    async fn pending_migrations(&self) -> Result<Vec<String>> {
        Self::pending_migrations(self).await.context("database.url")
    }

    async fn migrate(&self) -> Result<Vec<String>> {
        Ok(Self::migrate(self).await?)
    }
}

/// Returns the configured URL of the database, or that of a file in the data folder.
fn database_url(checked: &Checked) -> Result<DatabaseUrl> {
    let url = checked.settings.database.url.expose();
    if !url.is_empty() {
        return DatabaseUrl::parse(url).context("database.url");
    }
    ensure!(
        checked.settings.database.embedded,
        "database.url: is not set; set DATABASE_URL, or database.embedded = true for an SQLite file in data.dir"
    );
    let dir = Path::new(&checked.settings.data.dir);
    std::fs::create_dir_all(dir).with_context(|| format!("data.dir: {} cannot be created", dir.display()))?;
    let dir = dir.canonicalize().with_context(|| format!("data.dir: {} cannot be read", dir.display()))?;
    DatabaseUrl::parse(&format!("sqlite://{}/auth.sqlite3", dir.display())).context("data.dir")
}

#[cfg(test)]
mod tests {
    use auth_accounts::password::RawPassword;
    use auth_accounts::ports::Accounts;
    use auth_conformance::{MemoryStore, TestService, new_user};

    use super::*;
    use crate::application::Application;
    use crate::compose::Composition;
    use crate::config::{Sources, load};

    #[async_trait]
    impl Storage for MemoryStore {
        async fn open(_: &Checked) -> Result<Self> {
            Ok(Self::default())
        }

        fn location(&self) -> String {
            "memory".to_owned()
        }

        async fn ping(&self) -> Result<(), StoreError> {
            Ok(())
        }

        fn changes(&self) -> Box<dyn InvalidationFeed> {
            Box::new(self.changes())
        }

        async fn pending_migrations(&self) -> Result<Vec<String>> {
            Ok(Vec::new())
        }

        async fn migrate(&self) -> Result<Vec<String>> {
            Ok(Vec::new())
        }
    }

    struct InMemory;

    impl Application for InMemory {
        type Store = MemoryStore;

        fn name(&self) -> &'static str {
            "in-memory"
        }
    }

    #[tokio::test]
    async fn an_application_can_use_another_storage() {
        let folder = tempfile::tempdir().unwrap();
        let environment = vec![("AUTH__DATA__DIR".to_owned(), folder.path().display().to_string())];
        let checked = load(&Sources { profile: "development".to_owned(), environment, ..Sources::default() }).unwrap();
        let composition = Composition::new(&checked, &InMemory).await.unwrap();
        let password = checked.accounts.passwords.check(RawPassword::new(TestService::PASSWORD), &[]).unwrap();
        let alice = composition.administration().create(&new_user("alice"), &password).await.unwrap();
        assert_eq!(composition.store.find_user(&alice.id).await.unwrap().unwrap().username, "alice");
        assert!(composition.routes(&checked, &InMemory).is_ok());
        assert!(!folder.path().join("auth.sqlite3").exists());
    }
}
