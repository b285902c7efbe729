//! The rules for accounts: usernames and passwords, email verification, one-time codes, second factors and rate limits.
//!
//! As in [`auth_core`], which issues the tokens, the rules are pure functions over plain values. Thin services around them load,
//! decide and apply. Storage, password hashing, sealing and email delivery are [`ports`].
//!
//! Where to look:
//!
//! | topic | module |
//! |---|---|
//! | which usernames, email addresses and passwords are allowed | [`account`], [`password`] |
//! | one-time codes behind links, challenges and enrolments | [`code`] |
//! | second factors and how their codes are checked | [`second_factor`] |
//! | rate limits | [`throttle`] |
//! | kinds and contents of emails, and when delivery is retried | [`email`] |
//! | the traits that adapters implement | [`ports`] |
//! | the use cases | [`service`] |

pub mod account;
pub mod code;
pub mod email;
mod error;
pub mod password;
pub mod ports;
pub mod second_factor;
pub mod secret;
pub mod service;
pub mod throttle;

pub use error::AccountError;
