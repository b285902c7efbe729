//! What the rules need of the world outside, as traits. An adapter implements them; `auth-conformance` holds the suite
//! that every storage adapter must pass.
//!
//! A method of a storage port is one transaction: it happens whole or not at all, and it is durable when it answers.
//! Ports take and give plain values, never a connection, so that an adapter may fold concurrent calls into one
//! statement. Dropping a future does not undo what has been started.

mod accounts;
mod attempts;
mod blacklist;
mod changes;
mod claims;
mod clock;
mod codes;
mod events;
mod hasher;
mod mailer;
mod notices;
mod outbox;
mod randomness;
mod second_factors;
mod sessions;
mod signer;
mod vault;

pub use accounts::{AccountPage, Accounts, EmailUpdate, NewPassword, PasswordUpdate, ProfileUpdate, ProvenEmail};
pub use attempts::Attempts;
pub use blacklist::Blacklist;
pub use changes::{Change, ChangeFeed};
pub use claims::{ClaimsEnricher, EnrichError};
pub use clock::Clock;
pub use codes::{Codes, IssueIf, OwnerAsRead};
pub use events::SecurityEvents;
pub use hasher::{HashError, PasswordHasher, QueueShare, Verdict};
pub use mailer::{MAX_SEND_TIME, MailError, Mailer};
pub use notices::ReuseNotices;
pub use outbox::{Outbox, OutboxPage, Retry};
pub use randomness::Randomness;
pub use second_factors::SecondFactors;
pub use sessions::{Adoption, KeptSession, ReplacedSession, Sessions, Swap, TokenUsers};
pub use signer::{Recognised, SignError, TokenSigner, VerifyError};
pub use vault::{SealError, Vault};

/// What tokens need of a storage: their sessions, those that are refused, and their users.
pub trait TokenStore: Sessions + Blacklist + TokenUsers {}

impl<T: Sessions + Blacklist + TokenUsers> TokenStore for T {}

/// The storage ports together, as one adapter implements them.
pub trait Store: TokenStore + Accounts + Codes + SecondFactors + Attempts + Outbox {}

impl<T: TokenStore + Accounts + Codes + SecondFactors + Attempts + Outbox> Store for T {}
