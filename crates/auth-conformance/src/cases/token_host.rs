//! A store under test of the token half, with its users.

use std::sync::Arc;

use async_trait::async_trait;
use auth_core::ports::TokenStore;
use auth_core::user::{User, UserId};

/// A store under test that implements the ports of tokens, and a way to arrange its users: those ports read users and
/// never write them.
///
/// A host implements it for its own user table. Its methods panic if the store fails: that fails the test.
#[async_trait]
pub trait TokenHost: Send + Sync {
    /// The store under test, always the same one.
    fn store(&self) -> Arc<dyn TokenStore>;

    /// Stores a new user with these fields, and returns the user's ID. No user of the store has the ID, the username or the
    /// email address of `user`. A store that assigns IDs may assign another one, from 1 upwards.
    async fn add_user(&self, user: &User) -> UserId;

    /// Stores these fields in place of those of the user with the same ID, as one write. The cases change the username, the
    /// email address, `is_active`, `is_staff`, `groups` and `multi_factor_since`. A change of any of them but the username
    /// comes with the next `security_stamp`; a store that advances the stamp on its own need not store the given one.
    async fn update_user(&self, user: &User);

    /// Deletes a user. As in any later operation of the store, no session of the user is found any more.
    async fn delete_user(&self, id: &UserId);
}
