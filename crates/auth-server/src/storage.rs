//! What a server keeps its data in: the database.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use auth_diesel::{DatabaseUrl, DieselStore, PoolSettings};

use crate::config::Checked;

/// The URL of the database in force; a file in the data folder where none is configured.
pub(crate) fn database_url(checked: &Checked) -> Result<DatabaseUrl> {
    let url = checked.settings.database.url.expose();
    if !url.is_empty() {
        return DatabaseUrl::parse(url).context("database.url");
    }
    ensure!(
        checked.settings.database.embedded,
        "database.url: is not set; set DATABASE_URL, or database.embedded = true for an SQLite file in data.dir"
    );
    let dir = Path::new(&checked.settings.data.dir);
    std::fs::create_dir_all(dir).with_context(|| format!("data.dir: {} cannot be made", dir.display()))?;
    let dir = dir.canonicalize().with_context(|| format!("data.dir: {} cannot be read", dir.display()))?;
    DatabaseUrl::parse(&format!("sqlite://{}/auth.sqlite3", dir.display())).context("data.dir")
}

/// Opens the database as it is.
pub(crate) async fn open(checked: &Checked) -> Result<DieselStore> {
    let database = &checked.settings.database;
    let settings = PoolSettings {
        size: database.pool_size,
        acquire_timeout: Duration::from_millis(database.acquire_timeout_milliseconds),
        statement_timeout: Duration::from_millis(database.statement_timeout_milliseconds),
    };
    let url = database_url(checked)?;
    DieselStore::connect(&url, settings).await.context("database.url")
}
