//! The traits that adapters implement for accounts, in addition to the [ports of tokens](auth_core::ports). The rules for
//! storage ports given there apply here too.

mod accounts;
mod attempts;
mod codes;
mod hasher;
mod mailer;
mod outbox;
mod second_factors;

use auth_core::ports::TokenStore;

pub use crate::secret::{KeyedHash, SealError, SecretBox};
pub use accounts::{
    AccountPage, Accounts, EmailUpdate, ListPosition, ListedUsers, NewPassword, PasswordUpdate, ProfileUpdate,
    VerifiedEmail,
};
pub use attempts::Attempts;
pub use codes::{Codes, IssueIf, OwnerAsRead};
pub use hasher::{HashError, PasswordHasher, QueueShare, Verdict};
pub use mailer::{EmailError, MAX_SEND_TIME, Mailer};
pub use outbox::{Outbox, OutboxPage, Retry};
pub use second_factors::SecondFactors;

/// All storage ports, including those of tokens, as one adapter implements them.
pub trait Store: TokenStore + Accounts + Codes + SecondFactors + Attempts + Outbox {}

impl<T: TokenStore + Accounts + Codes + SecondFactors + Attempts + Outbox> Store for T {}
