//! A [`TokenHost`] on a store of accounts.

use std::sync::Arc;

use async_trait::async_trait;
use auth_accounts::account::{NewEmail, NewUser, NewUserId, ProfileChange};
use auth_accounts::code::CodePurpose;
use auth_accounts::ports::{IssueIf, ProfileUpdate, Store};
use auth_accounts::second_factor::Method;
use auth_core::effects::Effects;
use auth_core::ports::TokenStore;
use auth_core::time::UnixTime;
use auth_core::user::{User, UserId};

use super::TokenHost;
use super::fixture::{created, number_of, totp, user_now};
use crate::{code_id, code_of, email, person_name, username};

/// Runs the token half on a store of accounts: users are added and changed through the ports of `auth-accounts`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use std::sync::Arc;
/// use auth_conformance::{AccountHost, MemoryStore, TokenHost, user_of};
/// use auth_core::user::UserId;
/// let host = AccountHost::new(Arc::new(MemoryStore::default()));
/// assert_eq!(host.add_user(&user_of(UserId::new(7), "alice")).await, UserId::new(1));
/// # }
/// ```
pub struct AccountHost {
    store: Arc<dyn Store>,
}

impl AccountHost {
    /// A host for this store.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    async fn update_profile(&self, user: &User) {
        let change = ProfileChange {
            username: Some(username(&user.username)),
            email: user.email.as_deref().map(email),
            ..ProfileChange::default()
        };
        let update = self.store.update_profile(&user.id, &change).await.unwrap();
        assert!(matches!(update, ProfileUpdate::Done(_)), "the username or the email address is taken");
    }

    /// Adds a second factor at this time, or removes it.
    async fn set_factor(&self, before: &User, since: Option<UnixTime>) {
        let id = before.id.clone();
        let Some(since) = since else {
            assert!(self.store.remove_factors(&id, &[Method::Totp], None, &Effects::NONE).await.unwrap());
            return;
        };
        let number = 1_000 * number_of(&id) + before.security_stamp.get().unsigned_abs();
        let enrolment = code_of(&id, code_id(number), CodePurpose::TotpEnrolment, since);
        assert!(self.store.issue(&enrolment, &Effects::NONE, &IssueIf::default()).await.unwrap());
        let added =
            self.store.add_factor(&id, &totp(1), enrolment.id, &[], &Effects::NONE, since.into()).await.unwrap();
        assert!(added.is_some(), "the code was used before");
    }
}

#[async_trait]
impl TokenHost for AccountHost {
    fn store(&self) -> Arc<dyn TokenStore> {
        self.store.clone()
    }

    async fn add_user(&self, user: &User) -> UserId {
        let new = NewUser {
            id: NewUserId::Next,
            username: username(&user.username),
            email: user.email.as_deref().map(email).map(|email| match user.email_is_login_name {
                true => NewEmail::LoginName(email),
                false => NewEmail::Contact(email),
            }),
            first_name: person_name(&user.first_name),
            last_name: person_name(&user.last_name),
            is_staff: user.is_staff,
            is_superuser: user.is_superuser,
            is_imported: false,
            date_joined: user.date_joined,
            email_verified_at: user.email_verified_at,
            effects: Effects::default(),
        };
        created(&*self.store, &new).await.id
    }

    async fn update_user(&self, user: &User) {
        let before = user_now(&*self.store, &user.id).await;
        if (&before.username, &before.email) != (&user.username, &user.email) {
            self.update_profile(user).await;
        }
        if before.is_active != user.is_active {
            assert!(self.store.set_active(&user.id, user.is_active, &Effects::NONE).await.unwrap());
        }
        if before.is_staff != user.is_staff {
            assert!(self.store.set_staff(&user.id, user.is_staff, &Effects::NONE).await.unwrap());
        }
        if before.groups != user.groups {
            assert!(self.store.set_groups(&user.id, &user.groups, &Effects::NONE).await.unwrap());
        }
        if before.multi_factor_since != user.multi_factor_since {
            self.set_factor(&before, user.multi_factor_since).await;
        }
    }

    async fn delete_user(&self, id: &UserId) {
        assert!(self.store.delete(id, &Effects::NONE).await.unwrap(), "the user is there");
    }
}
