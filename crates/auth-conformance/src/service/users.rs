//! Creating, finding and changing users.

use auth_accounts::AccountError;
use auth_accounts::account::{LoginName, NewUser};
use auth_accounts::password::{CheckedPassword, PasswordPolicy, RawPassword};
use auth_accounts::service::{Action, NewAccount, Outcome};
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::{TestService, email, new_user};

impl TestService {
    /// Registers a user with [`PASSWORD`](Self::PASSWORD) and the email address `name@example.com`.
    ///
    /// # Panics
    /// If the registration is refused, for example because the username is taken.
    pub async fn register(&self, name: &str) -> User {
        self.try_register(name).await.unwrap_or_else(|error| panic!("cannot register {name:?}: {error:?}"))
    }

    /// Like [`register`](Self::register), for a registration that may be refused.
    ///
    /// If the registration is refused.
    /// The refusal.
    ///
    /// # Panics
    /// If `name` is not a valid username, or `name@example.com` is not a valid email address.
    pub async fn try_register(&self, name: &str) -> Result<User, AccountError> {
        let NewUser { username, first_name, last_name, .. } = new_user(name);
        let email = email(&format!("{name}@example.com"));
        let account = NewAccount { username, email, first_name, last_name, password: checked(Self::PASSWORD) };
        self.accounts.register(account, &ClientInfo::default()).await
    }

    /// The user with this username, as stored.
    ///
    /// # Panics
    /// If the user does not exist.
    pub async fn user(&self, name: &str) -> User {
        let found = self.administration.find(name).await.expect("the store answers");
        found.unwrap_or_else(|| panic!("no user named {name:?}"))
    }

    /// Performs an action on the user, as an administrator.
    ///
    /// # Panics
    /// If the outcome is not [`Outcome::Done`], for example because the user does not exist.
    pub async fn act(&self, name: &str, action: Action) {
        let outcome = self.administration.act(name, &action).await;
        assert!(matches!(outcome, Ok(Outcome::Done)), "{action:?} of {name:?}: {outcome:?}");
    }

    pub(super) async fn is_registered(&self, name: &str) -> bool {
        let name = LoginName::Username(name.to_owned());
        self.ports().store.find_for_login(&name).await.expect("the store answers").is_some()
    }
}

fn checked(password: &str) -> CheckedPassword {
    PasswordPolicy::default()
        .check(RawPassword::new(password), &[])
        .expect("a password that the default policy accepts")
}
