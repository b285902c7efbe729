//! Storage of second factors.

use async_trait::async_trait;
use auth_core::effects::Effects;
use auth_core::error::StoreError;
use auth_core::time::Timestamp;
use auth_core::user::{SecurityStamp, UserId};

use crate::code::CodeId;
use crate::second_factor::{Factors, Method, NewFactor};
use crate::secret::Mac;

/// Storage of second factors. Every change to them advances the `security_stamp` of the account.
#[async_trait]
pub trait SecondFactors: Send + Sync {
    /// The second factors of a user; empty if the user does not exist.
    async fn factors_of(&self, user: &UserId) -> Result<Factors, StoreError>;

    /// Adds a factor, uses the code of its enrolment, adds the recovery codes if the account has none, and commits the
    /// effects. In the same transaction:
    ///
    /// - replaces a factor of the same method, and keeps the time at which that one was added;
    /// - sets [`multi_factor_since`](auth_core::user::User::multi_factor_since) if this is the only factor. It keeps its value
    ///   as long as the user has any factor, even if the first one is removed;
    /// - ends every other open code with a purpose of
    ///   [`ENDED_BY_FACTOR_CHANGES`](crate::code::CodePurpose::ENDED_BY_FACTOR_CHANGES);
    /// - for codes by email, marks the email address of the account as verified (`email_verified_at`), unless it is verified.
    ///
    /// Returns `None` and changes nothing if the code was used or ended before, or belongs to another account; its attempts
    /// and its expiry are not checked. Otherwise returns whether the recovery codes were added.
    async fn add_factor(
        &self,
        user: &UserId,
        factor: &NewFactor,
        enrolment: CodeId,
        recovery_codes: &[Mac],
        effects: &Effects,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError>;

    /// Removes the factors of these methods, and commits the effects. Removing the last factor also removes the recovery
    /// codes; [`Method::RecoveryCode`] removes only those. Ends the same codes as [`add_factor`](Self::add_factor).
    /// Returns `false` and changes nothing if none of the methods is on, or if `only_at` is given and is not the security
    /// stamp of the account.
    async fn remove_factors(
        &self,
        user: &UserId,
        methods: &[Method],
        only_at: Option<SecurityStamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError>;

    /// Replaces all recovery codes, and commits the effects. Ends the same codes as [`add_factor`](Self::add_factor).
    /// Returns `false` and changes nothing if the account has no second factor, or if `only_at` is given and is not the
    /// security stamp of the account.
    async fn replace_recovery_codes(
        &self,
        user: &UserId,
        codes: &[Mac],
        only_at: Option<SecurityStamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError>;
}
