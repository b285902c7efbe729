//! The rules of token authentication, and nothing else.
//!
//! What a session is, when a refresh token may be exchanged, what a replayed one means, what a password must be:
//! pure functions over plain values, with thin services around them that load, decide and apply. Storage, keys,
//! hashing, time and chance are [`ports`]: traits that an adapter implements. Nothing in this crate opens a
//! file or a socket, reads a clock or draws a random number.
//!
//! Where to look:
//!
//! | question | module |
//! |---|---|
//! | what is in a token, and what is accepted | [`token`] |
//! | may this refresh token be exchanged | [`rotation`] |
//! | what ends when somebody logs out | [`revocation`] |
//! | who may do what | [`permission`] |
//! | which names, addresses and passwords are allowed | [`account`], [`password`] |
//! | links, challenges and codes that are good once | [`code`] |
//! | what a second factor is, and whether it is right | [`second_factor`] |
//! | how many attempts are let in | [`throttle`] |
//! | what is mailed, and when it is tried again | [`mail`] |
//! | what a storage must do | [`ports`] |
//! | the use-cases | [`service`] |
//! | what guarded routes remember | [`view`] |

pub mod account;
mod account_error;
mod bounded;
pub mod code;
pub mod effects;
pub mod error;
pub mod event;
pub mod mail;
pub mod password;
pub mod permission;
pub mod ports;
pub mod revocation;
pub mod rotation;
pub mod second_factor;
pub mod secret;
pub mod service;
pub mod throttle;
pub mod time;
pub mod token;
pub mod view;

pub use account_error::AccountError;
pub use error::{AuthError, ErrorKind, StoreError};
