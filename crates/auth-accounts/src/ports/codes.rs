//! One-time codes at rest.

use async_trait::async_trait;
use auth_core::effects::Effects;
use auth_core::error::StoreError;
use auth_core::time::UnixTime;
use auth_core::user::{SecurityStamp, User};

use crate::code::{CodeId, OneTimeCode};
use crate::mail::MessageId;
use crate::second_factor::Proof;

/// What has to be so at the moment in which a code is stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IssueIf {
    /// This request is in the outbox; it is taken out of it.
    pub answers: Option<MessageId>,
    /// The account is as it was when it was decided that it gets a code.
    pub owner: Option<OwnerAsRead>,
    /// No [open](OneTimeCode::is_open) code of the same account and purpose was made after this moment.
    pub none_since: Option<UnixTime>,
}

impl IssueIf {
    /// For an account as it was read. What was decided before its password, its second factors, its rights or its email
    /// address changed is worth nothing afterwards.
    pub fn still(user: &User) -> Self {
        let (email, security_stamp) = (user.email.clone(), user.security_stamp);
        Self { owner: Some(OwnerAsRead { email, security_stamp }), ..Self::default() }
    }
}

/// An account as it was read: it has to be active still, too.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerAsRead {
    /// Its address, if it had one.
    pub email: Option<String>,
    /// Its stamp, which every change to its password, its second factors, its rights and its email address advances.
    pub security_stamp: SecurityStamp,
}

/// One-time codes at rest: of links, challenges and enrolments.
///
/// "Open" is what [`OneTimeCode::is_open`] says, judged by the write itself.
#[async_trait]
pub trait Codes: Send + Sync {
    /// Stores a code and commits the effects. Ends every open code of the same account and purpose first, if
    /// the purpose [says so](crate::code::CodePurpose::ends_older); of challenges, all but the newest that leave room for
    /// this one among [`MAX_OPEN`](OneTimeCode::MAX_OPEN) open ones of the purposes that are
    /// [counted together](crate::code::CodePurpose::bounded_with).
    ///
    /// `false`, and nothing done, if there is no such account, or what [has to be so](IssueIf) is not. What it ends, it ends
    /// as of the moment at which the new one was made.
    async fn issue(&self, code: &OneTimeCode, effects: &Effects, only: &IssueIf) -> Result<bool, StoreError>;

    /// The code, in whatever state.
    async fn find_code(&self, id: CodeId) -> Result<Option<OneTimeCode>, StoreError>;

    /// Counts an attempt to use an open code, and answers it with this attempt counted; `None`, and nothing counted, if it
    /// is not open. Of any number of calls at once, no more are answered than the code has attempts left.
    async fn try_code(&self, id: CodeId, now: UnixTime) -> Result<Option<OneTimeCode>, StoreError>;

    /// Uses a code, whatever its attempts, and with it what proved it: no code of the time step or an earlier one counts
    /// any more, or the recovery code is gone. Commits the effects. Whether its time is now is not asked: that
    /// was decided when it was [tried](Self::try_code).
    ///
    /// `false`, and nothing done, if it was used or ended before, or if what proved it was used before or is no longer
    /// there.
    async fn redeem(&self, id: CodeId, proof: Proof, effects: &Effects, now: UnixTime) -> Result<bool, StoreError>;

    /// Forgets at most `limit` [challenges and enrolments](crate::code::CodePurpose::OF_SECOND_FACTORS) that expired before
    /// `now`. Answers how many.
    async fn prune_challenges(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError>;

    /// Forgets at most `limit` codes that expired before `now`. Answers how many.
    async fn prune_codes(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError>;
}
