//! The harness of the end-to-end tests: a private PostgreSQL, server processes, an HTTP client, a mock SMTP server, and the
//! macro that turns functions into trials. A dev-dependency only.
//!
//! | task | module |
//! |---|---|
//! | databases | [`database`], [`postgres`] |
//! | starting, stopping and killing the program under test | [`server`] |
//! | clients, servers and proxies that it talks to | [`client`], [`raw_connection`], [`smtp`], [`tcp_proxy`] |
//! | one trial per function, or one per database | [`mod@cases`] |
//! | assertions on answers | [`answers`] |
//! | reading and forging tokens without the code under test | [`tokens`] |
//! | concurrent calls and polling | [`concurrency`] |

pub mod postgres;

#[cfg(feature = "server")]
pub mod answers;
#[cfg(feature = "server")]
pub mod cases;
#[cfg(feature = "server")]
pub mod client;
#[cfg(feature = "server")]
pub mod concurrency;
#[cfg(feature = "server")]
pub mod database;
#[cfg(feature = "server")]
pub mod raw_connection;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod smtp;
#[cfg(feature = "server")]
pub mod tcp_proxy;
#[cfg(feature = "server")]
pub mod tokens;

#[cfg(feature = "server")]
pub use client::{Answer, PASSWORD, TestClient, TokenPair};
#[cfg(feature = "server")]
pub use database::Database;
#[cfg(feature = "server")]
pub use server::{ServerOptions, TestServer};
#[cfg(feature = "server")]
pub use smtp::{MockSmtp, ReceivedEmail};

/// How long a test waits for something outside it: far longer than it takes, even on a busy machine. A test that waits this
/// long has failed.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
