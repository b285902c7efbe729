//! The rules of accounts, and nothing else: who may log in under which name and password, email flows, one-time codes, second
//! factors and limits of attempts.
//!
//! As in [`auth_core`], which issues the tokens: pure functions over plain values, with thin services around them that load,
//! decide and apply. Storage, password hashing, sealing and emails are [`ports`].
//!
//! Where to look:
//!
//! | question | module |
//! |---|---|
//! | which names, email addresses and passwords are allowed | [`account`], [`password`] |
//! | links, challenges and codes that are good once | [`code`] |
//! | what a second factor is, and whether it is right | [`second_factor`] |
//! | how many attempts are let in | [`throttle`] |
//! | what is mailed, and when it is tried again | [`mail`] |
//! | what a storage must do | [`ports`] |
//! | the use-cases | [`service`] |

pub mod account;
pub mod code;
mod error;
pub mod mail;
pub mod password;
pub mod ports;
pub mod second_factor;
pub mod secret;
pub mod service;
pub mod throttle;

pub use error::AccountError;
