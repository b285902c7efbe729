//! The use cases of accounts: load, decide, apply. Each rule is a pure function elsewhere in this crate, and
//! [`TokenService`](auth_core::service::TokenService) issues the tokens.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), auth_accounts::AccountError> {
//! use std::sync::Arc;
//!
//! use auth_conformance::{email, memory_ports, username};
//! use auth_accounts::account::{LoginName, PersonName};
//! use auth_accounts::password::{PasswordPolicy, RawPassword};
//! use auth_accounts::service::{
//!     AccountContext, AccountPolicy, AccountService, LoginOutcome, LoginService, NewAccount,
//! };
//! use auth_core::service::{LogoutRequest, TokenPolicy, TokenService};
//! use auth_core::token::{ClientInfo, RawToken};
//!
//! let ports = memory_ports(); // In production: a database, signing keys, Argon2 and the system clock.
//! let policy = AccountPolicy::default();
//! let tokens = TokenService::new(ports.for_tokens(&policy), TokenPolicy::default());
//! let context = Arc::new(AccountContext::new(ports, policy, tokens.clone()));
//! let (accounts, logins) = (AccountService::new(context.clone()), LoginService::new(context));
//!
//! let typed = || RawPassword::new("Correct-horse-42");
//! let password = PasswordPolicy::default().check(typed(), &[]).expect("a good password");
//! let (first_name, last_name) = (PersonName::default(), PersonName::default());
//! let alice = NewAccount { username: username("alice"), email: email("alice@example.com"), first_name, last_name, password };
//! accounts.register(alice, &ClientInfo::default()).await?;
//!
//! let name = LoginName::Username("alice".to_owned());
//! let outcome = logins.login(&name, &typed(), ClientInfo::default()).await?;
//! let LoginOutcome::Tokens(pair) = outcome else { panic!("no second factor is on") };
//! let caller = tokens.authenticate(&RawToken::parse(pair.access.expose())?).await?;
//! assert_eq!(caller.user.username, "alice");
//!
//! // A refresh token can be used once.
//! let refresh = RawToken::parse(pair.refresh.expose())?;
//! let next = tokens.refresh(&refresh).await?;
//! assert!(tokens.refresh(&refresh).await.is_err());
//!
//! // A logout revokes the session, so its access tokens are refused too.
//! tokens.logout(&caller, LogoutRequest::All).await?;
//! assert!(tokens.authenticate(&RawToken::parse(next.access.expose())?).await.is_err());
//! # Ok(()) }
//! ```

mod accounts;
mod administration;
mod context;
mod emails;
mod limits;
mod login;
mod maintenance;
mod outbox;
mod password;
mod policy;
mod ports;
mod reauthentication;
mod reset;
mod second_factor;
mod verification;

pub use accounts::{AccountService, NewAccount, ProfileUpdated};
pub use administration::{Action, AdministrationService, Outcome};
pub use context::AccountContext;
pub use emails::Emails;
pub use login::{LoginOutcome, LoginService};
pub use maintenance::{Pruned, prune};
pub use outbox::{Delivery, OutboxService};
pub use password::PasswordChange;
pub use policy::{AccountPolicy, EmailVerification};
pub use ports::Ports;
pub use second_factor::{
    ConfirmedFactor, Enrolment, FactorStatus, Reauthentication, SecondFactorChallenge, SecondFactorService,
};
