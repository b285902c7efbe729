//! The host of a store that the token half tests.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::ports::TokenStore;
use auth_core::user::{User, UserId};

/// A store under test that implements the ports of tokens, with methods to add, change and delete users: those ports
/// read users and never write them.
///
/// Implement it for the user table of the store. Its methods panic if the store fails, which fails the test.
#[async_trait]
pub trait TokenHost: Send + Sync {
    /// The store under test, always the same one.
    fn store(&self) -> Arc<dyn TokenStore>;

    /// Stores a new user with these fields, and returns the user's ID. The ID, the username and the email address of
    /// `user` are not in use. A store that assigns IDs may assign another one, from 1 upwards.
    async fn add_user(&self, user: &User) -> UserId;

    /// Replaces the fields of the user with the same ID in one write. The cases change the username, the email address,
    /// `is_active`, `is_staff`, `groups` and `multi_factor_since`. Each of these changes except that of the username
    /// comes with the next `security_stamp`; a store that advances the stamp itself need not store the given one.
    async fn update_user(&self, user: &User);

    /// Deletes a user. Afterwards no session of the user is found.
    async fn delete_user(&self, id: &UserId);
}
