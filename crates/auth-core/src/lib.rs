//! The rules of token authentication, and nothing else: tokens, sessions, rotation, revocation, permission rules and
//! the auth cache of guarded routes.
//!
//! When a refresh token may be exchanged, what a replayed one means and what a logout ends are pure functions over
//! plain values, with a thin service around them that loads, decides and applies. The host authenticates its users and
//! calls [`TokenService::start_session`](service::TokenService::start_session); `auth-accounts` is one such host.
//! Storage, keys, time and random bytes are [`ports`]: traits that an adapter implements. Nothing in this crate opens a
//! file or a socket, reads a clock or generates random bytes.
//!
//! | topic | module |
//! |---|---|
//! | what is in a token, and what is accepted | [`token`] |
//! | whether a refresh token may be exchanged | [`rotation`] |
//! | what a logout ends | [`revocation`] |
//! | who may call an endpoint | [`permission`] |
//! | what a token and a rule know of a user | [`user`] |
//! | what a storage must do | [`ports`] |
//! | the use-cases | [`service`] |
//! | the auth cache of guarded routes | [`auth_cache`] |

pub mod auth_cache;
pub mod effects;
pub mod error;
pub mod event;
pub mod permission;
pub mod ports;
mod random;
pub mod revocation;
pub mod rotation;
pub mod service;
pub mod time;
pub mod timeout;
pub mod token;
pub mod user;

pub use error::{AuthError, ErrorKind, StoreError};
