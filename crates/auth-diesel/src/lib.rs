//! The storage ports of `auth-core` and `auth-accounts` on PostgreSQL and SQLite.
//!
//! One set of queries serves both databases. The scheme of the [`DatabaseUrl`] selects the database, `pool.rs` holds
//! what differs between them, and `types.rs` the two column types that they spell differently. A write checks the state
//! itself, in its `WHERE` clause. A write of more than one statement locks the row of the account first, so that calls
//! for one account queue there on both databases.
//!
//! Every call ends within a bounded time ([`PoolSettings`]). While the database is unavailable, calls fail with
//! [`StoreError::Unavailable`](auth_core::StoreError::Unavailable); once it is available again they succeed, without a
//! restart.
//!
//! [`DieselStore::changes`] reports changes by any process. With [`DieselStore::read`], [`write`](DieselStore::write)
//! and [`migrate_with`](DieselStore::migrate_with), an application can keep tables of its own in the same database.
//!
//! Calls need a Tokio runtime with its timer enabled. They wait for a connection asynchronously and run on the
//! runtime's blocking threads, never on more threads at once than there are connections.

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

// Listed in Cargo.toml only to select how they are built.
use {libsqlite3_sys as _, openssl_sys as _, pq_sys as _};
