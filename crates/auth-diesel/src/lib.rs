//! The storage ports of `auth-core` on PostgreSQL and on SQLite.
//!
//! One set of queries serves both: [`DatabaseUrl`] decides by its scheme which database it is, `pool.rs` holds what
//! differs between them, and `types.rs` the two column types that they spell differently. State is checked by the
//! write itself, in its `WHERE`; what takes more than one statement locks the row of the account first, so that calls
//! for one account queue there on both databases.
//!
//! Every call ends within a bounded time ([`PoolSettings`]). While the database is away calls fail with
//! [`StoreError::Unavailable`](auth_core::StoreError::Unavailable); when it is back they succeed, without a restart.
//!
//! [`DieselStore::changes`] follows what other processes change. [`DieselStore::read`], [`write`](DieselStore::write)
//! and [`migrate_with`](DieselStore::migrate_with) let an application keep tables of its own beside ours.
//!
//! Calls need a Tokio runtime with its timer enabled: they wait for a place there, and do the work on its threads for
//! blocking jobs, never more of them at once than there are connections.

mod accounts;
mod attempts;
mod blacklist;
mod codes;
mod connection;
mod error;
mod feed;
mod groups;
mod keys;
mod locked;
mod migrate;
mod outbox;
mod pool;
mod proofs;
mod prune;
mod rows;
mod schema;
mod second_factors;
mod sessions;
mod store;
mod types;
mod url;

pub use connection::{AnyConnection, MultiBackend};
pub use error::{ConnectError, JobError, MigrateError};
pub use feed::DieselFeed;
pub use migrate::AppMigrations;
pub use store::{DieselStore, PoolSettings};
pub use url::{DatabaseUrl, UrlError};

// Named in Cargo.toml only to choose how they are built.
use {libsqlite3_sys as _, openssl_sys as _, pq_sys as _};
