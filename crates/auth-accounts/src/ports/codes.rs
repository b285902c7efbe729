//! Storage of one-time codes.

use async_trait::async_trait;
use auth_core::effects::Effects;
use auth_core::error::StoreError;
use auth_core::time::UnixTime;
use auth_core::user::{SecurityStamp, User};

use crate::code::{CodeId, OneTimeCode};
use crate::email::MessageId;
use crate::second_factor::VerifiedFactor;

/// The conditions for storing a code, checked by the write itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssueIf {
    /// This request is still in the outbox. It is removed from there.
    pub answers: Option<MessageId>,
    /// The account is active and unchanged since it was read.
    pub owner: Option<OwnerAsRead>,
    /// No [open](OneTimeCode::is_open) code of the same account and purpose was created after this time.
    pub none_since: Option<UnixTime>,
}

impl IssueIf {
    /// Requires that the password, second factors, rights and email address of an account are unchanged since it was read.
    pub fn still(user: &User) -> Self {
        let (email, security_stamp) = (user.email.clone(), user.security_stamp);
        Self { owner: Some(OwnerAsRead { email, security_stamp }), ..Self::default() }
    }
}

/// The state of an account as it was read. The account must also still be active.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerAsRead {
    /// The email address, if there was one.
    pub email: Option<String>,
    /// The security stamp, which every change to the password, the second factors, the rights and the email address advances.
    pub security_stamp: SecurityStamp,
}

/// Storage of one-time codes: those of links, challenges and enrolments.
///
/// A code is "open" as defined by [`OneTimeCode::is_open`], checked by the write itself.
#[async_trait]
pub trait Codes: Send + Sync {
    /// Stores a code and commits the effects. First ends every open code of the same account and purpose, if the purpose
    /// [requires that](crate::code::CodePurpose::ends_older). Of challenges, ends the oldest, so that at most
    /// [`MAX_OPEN`](OneTimeCode::MAX_OPEN) of the purposes that are
    /// [counted together](crate::code::CodePurpose::bounded_with) are open, including the new one. The end of these codes is
    /// the creation time of the new one.
    ///
    /// Returns `false` and changes nothing if the account does not exist or a [condition](IssueIf) does not hold.
    async fn issue(&self, code: &OneTimeCode, effects: &Effects, only: &IssueIf) -> Result<bool, StoreError>;

    /// Finds a code, open or not.
    async fn find_code(&self, id: CodeId) -> Result<Option<OneTimeCode>, StoreError>;

    /// Counts an attempt on an open code, and returns the code including this attempt. Returns `None` and counts nothing if the
    /// code is not open. Concurrent calls get the code no more often than it has attempts left (SEC-132).
    async fn try_code(&self, id: CodeId, now: UnixTime) -> Result<Option<OneTimeCode>, StoreError>;

    /// Uses a code together with the second factor that answered its challenge: TOTP codes of this time step and earlier ones
    /// are no longer accepted, or the recovery code is removed. Commits the effects. Attempts and expiry are not checked again,
    /// because [`try_code`](Self::try_code) has done so.
    ///
    /// Returns `false` and changes nothing if the code was used or ended before, if the TOTP code was used before, or if the
    /// recovery code no longer exists.
    async fn redeem(
        &self,
        id: CodeId,
        factor: VerifiedFactor,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError>;

    /// Deletes at most `limit` [challenges and enrolments](crate::code::CodePurpose::OF_SECOND_FACTORS) that expired before
    /// `now`. Returns how many.
    async fn prune_challenges(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError>;

    /// Deletes at most `limit` codes that expired before `now`. Returns how many.
    async fn prune_codes(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError>;
}
