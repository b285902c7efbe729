//! What tokens need of the world outside, as traits. An adapter implements them; `auth-conformance` holds the suite that every
//! storage adapter must pass.
//!
//! A method of a storage port is one transaction: it happens whole or not at all, and it is durable when it answers.
//! Ports take and give plain values, never a connection, so that an adapter may fold concurrent calls into one
//! statement. Dropping a future does not undo what has been started.
//!
//! A method that takes [`Effects`](crate::effects::Effects) commits them in its transaction, if and only if the write takes
//! effect.

mod blacklist;
mod changes;
mod claims;
mod clock;
mod events;
mod notices;
mod sessions;
mod signer;

pub use crate::random::Randomness;
pub use blacklist::Blacklist;
pub use changes::{Change, InvalidationFeed};
pub use claims::{ClaimsError, ClaimsProvider};
pub use clock::Clock;
pub use events::SecurityEvents;
pub use notices::ReuseNotices;
pub use sessions::{Adoption, KeptSession, ReplacedSession, Sessions, Swap, TokenUsers};
pub use signer::{Recognised, SignError, TokenSigner, VerifyError};

/// What tokens need of a storage: their sessions, those that are refused, and their users.
pub trait TokenStore: Sessions + Blacklist + TokenUsers {}

impl<T: Sessions + Blacklist + TokenUsers> TokenStore for T {}
