//! What the rules need of the world outside, as traits. An adapter implements them; `auth-conformance` holds the suite
//! that every storage adapter must pass.
//!
//! A method of a storage port is one transaction: it happens whole or not at all, and it is durable when it answers.
//! Ports take and give plain values, never a connection, so that an adapter may fold concurrent calls into one
//! statement. Dropping a future does not undo what has been started.

mod accounts;
mod blacklist;
mod changes;
mod claims;
mod clock;
mod events;
mod hasher;
mod randomness;
mod sessions;
mod signer;

pub use accounts::{AccountPage, Accounts, ProfileUpdate};
pub use blacklist::Blacklist;
pub use changes::{Change, ChangeFeed};
pub use claims::{ClaimsEnricher, EnrichError};
pub use clock::Clock;
pub use events::SecurityEvents;
pub use hasher::{HashError, PasswordHasher, Verdict};
pub use randomness::Randomness;
pub use sessions::{Adoption, Sessions, Swap};
pub use signer::{Recognised, SignError, TokenSigner, VerifyError};

/// The three storage ports together, as one adapter implements them.
pub trait Store: Accounts + Sessions + Blacklist {}

impl<T: Accounts + Sessions + Blacklist> Store for T {}
