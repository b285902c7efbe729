//! Second factors at rest.

use async_trait::async_trait;

use crate::account::UserId;
use crate::code::CodeId;
use crate::error::StoreError;
use crate::mail::NewMail;
use crate::second_factor::{Factors, Method, NewFactor};
use crate::secret::Mac;
use crate::time::Timestamp;

/// Second factors at rest. Every change to them moves the `security_stamp` of the account.
#[async_trait]
pub trait SecondFactors: Send + Sync {
    /// Those of an account; none if there is no such account.
    async fn factors_of(&self, user: UserId) -> Result<Factors, StoreError>;

    /// Switches a factor on, in place of one of the same method, from which it takes the time since when it is on; uses the code of its enrolment; adds recovery codes if
    /// there are none; puts the mails into the outbox. Every other open code of the account that a change of its factors
    /// ends ([`ENDED_BY_FACTOR_CHANGES`](crate::code::CodePurpose::ENDED_BY_FACTOR_CHANGES)) ends with the same
    /// transaction. One by mail also proves the address of the account (`email_verified_at`), if it was not proven before.
    ///
    /// `None`, and nothing done, if the code was used or ended before, or is not the account's; neither its attempts nor its
    /// time is asked. Otherwise whether the recovery codes were taken:
    /// `false` if the account has some.
    async fn add_factor(
        &self,
        user: UserId,
        factor: &NewFactor,
        enrolment: CodeId,
        recovery_codes: &[Mac],
        mails: &[NewMail],
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError>;

    /// Switches these methods off, and puts the mails into the outbox. What is left is on since when the longest one was, so
    /// that [`on_since`](Factors::on_since) stays as it is. With the last of them the recovery codes go as
    /// well; [`Method::RecoveryCode`] stands for those alone. Ends the same codes as [`add_factor`](Self::add_factor). `false`, and nothing done, if
    /// none of them was on.
    async fn remove_factors(&self, user: UserId, methods: &[Method], mails: &[NewMail]) -> Result<bool, StoreError>;

    /// Replaces all recovery codes, and puts the mails into the outbox. Ends the same codes as
    /// [`add_factor`](Self::add_factor). `false`, and nothing done, if the account has no second factor.
    async fn replace_recovery_codes(&self, user: UserId, codes: &[Mac], mails: &[NewMail]) -> Result<bool, StoreError>;
}
