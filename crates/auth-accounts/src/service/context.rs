//! The context that all account services share.

use std::fmt;

use auth_core::service::TokenService;
use auth_core::user::User;

use crate::account::{AccountFault, NewUser, NewUserId};
use crate::error::AccountError;
use crate::password::PasswordHash;
use crate::service::limits::Limits;
use crate::service::{AccountPolicy, Emails, Ports};

/// The context that all account services share: the adapters, the policy, and the service that issues tokens.
pub struct AccountContext {
    pub(in crate::service) ports: Ports,
    pub(in crate::service) policy: AccountPolicy,
    pub(in crate::service) tokens: TokenService,
    pub(in crate::service) emails: Emails,
    pub(in crate::service) limits: Limits,
}

impl AccountContext {
    /// Creates a context with these adapters. `tokens` issues the tokens of the users.
    pub fn new(ports: Ports, policy: AccountPolicy, tokens: TokenService) -> Self {
        let emails = Emails::new(ports.clone(), policy.sends_emails);
        let limits = Limits::new(ports.clone(), policy.throttle);
        Self { ports, policy, tokens, emails, limits }
    }

    /// The adapters.
    pub const fn ports(&self) -> &Ports {
        &self.ports
    }

    /// The ID for the next new user.
    pub(in crate::service) fn next_user_id(&self) -> NewUserId {
        self.policy.new_user_ids.next(self.ports.randomness.as_ref())
    }

    /// Creates an account, and records its events.
    ///
    /// # Errors
    /// [`AccountFault::Taken`] if another account has the username or email address.
    pub(in crate::service) async fn create(&self, new: &NewUser, hash: &PasswordHash) -> Result<User, AccountError> {
        let user = self.ports.store.create(new, hash).await?.map_err(AccountFault::Taken)?;
        self.ports.events.record_committed(&new.effects.events_of_new(&user.id));
        Ok(user)
    }

    /// The policy.
    pub const fn policy(&self) -> &AccountPolicy {
        &self.policy
    }

    /// The service that issues the tokens of the users.
    pub const fn tokens(&self) -> &TokenService {
        &self.tokens
    }

    /// Whether the policy requires a second factor of this user.
    pub(in crate::service) const fn requires_second_factor(&self, user: &User) -> bool {
        self.tokens.policy().multi_factor_required_for.includes(user)
    }
}

impl fmt::Debug for AccountContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountContext").field("policy", &self.policy).finish_non_exhaustive()
    }
}
