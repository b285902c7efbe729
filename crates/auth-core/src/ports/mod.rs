//! The ports: traits that adapters implement. `auth-conformance` has the contract kit that every storage must pass.
//!
//! A method of a storage port is one transaction: it takes effect as a whole or not at all, and is durable when it
//! returns. Ports take and return plain values, never a connection, so that an adapter may combine concurrent calls in
//! one statement. Dropping a future does not undo a write that has been started.
//!
//! A method that takes [`Effects`](crate::effects::Effects) commits them in its transaction, if and only if the write
//! takes effect.

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

/// All storage ports of tokens: sessions, the blacklist and the users of tokens.
pub trait TokenStore: Sessions + Blacklist + TokenUsers {}

impl<T: Sessions + Blacklist + TokenUsers> TokenStore for T {}
