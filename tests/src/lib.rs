//! The harness of the tests over the wire: a private PostgreSQL, server processes, an HTTP client, a mock SMTP
//! server, and how a case becomes a trial. A dev-dependency only.
//!
//! | question | module |
//! |---|---|
//! | which database a case runs on | [`database`], [`postgres`] |
//! | how the program under test is started, stopped and killed | [`server`] |
//! | what talks to it | [`client`], [`raw_connection`], [`smtp`], [`tcp_proxy`] |
//! | how a function becomes one trial, or one for each database | [`mod@cases`] |
//! | what every answer must be | [`answers`] |
//! | tokens read and forged without the code under test | [`tokens`] |
//! | calls at one moment, and waiting without a fixed pause | [`concurrency`] |

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

/// How long something outside a test may take: far longer than it needs, also on a busy machine. A test that waits so
/// long has failed.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);
