//! The store in memory, with something that may happen before a call: for races that have to come at one moment.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use auth_conformance::MemoryStore;
use auth_core::StoreError;
use auth_core::account::{Email, GroupName, LoginName, NewUser, ProfileChange, Taken, User, UserId};
use auth_core::code::{CodeId, OneTimeCode};
use auth_core::mail::{ClaimedMail, MailId, NewMail, OutboxEntry};
use auth_core::password::PasswordHash;
use auth_core::ports::IssueIf;
use auth_core::ports::*;
use auth_core::second_factor::{Factors, Method, NewFactor, Proof};
use auth_core::secret::Mac;
use auth_core::throttle::{Admission, Attempt, Bucket, Forgiveness};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, Subject, TokenId};

type Event = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A store that other things can come in between of.
#[derive(Default)]
pub struct EventfulStore {
    inner: Arc<MemoryStore>,
    events: Mutex<VecDeque<(&'static str, Event)>>,
    failures: Mutex<Vec<&'static str>>,
    yields: AtomicBool,
}

impl EventfulStore {
    pub fn new(inner: Arc<MemoryStore>) -> Self {
        Self { inner, ..Self::default() }
    }

    /// Lets something happen just before the next call of this method.
    pub fn before(&self, call: &'static str, event: impl Future<Output = ()> + Send + 'static) {
        self.events.lock().unwrap().push_back((call, Box::pin(event)));
    }

    /// Fails at the next call of this method, and does nothing.
    pub fn fail(&self, call: &'static str) {
        self.failures.lock().unwrap().push(call);
    }

    /// From now on every call lets everybody else go first: all that can come in between does.
    pub fn yield_at_each_call(&self) {
        self.yields.store(true, Ordering::SeqCst);
    }

    async fn come_to(&self, call: &'static str) -> Result<(), StoreError> {
        if self.yields.load(Ordering::SeqCst) {
            tokio::task::yield_now().await;
        }
        let event = {
            let mut events = self.events.lock().unwrap();
            let place = events.iter().position(|(name, _)| *name == call);
            place.and_then(|place| events.remove(place))
        };
        if let Some((_, event)) = event {
            event.await;
        }
        let mut failures = self.failures.lock().unwrap();
        match failures.iter().position(|name| *name == call) {
            Some(place) => {
                failures.remove(place);
                Err(StoreError::unavailable("the line is cut"))
            }
            None => Ok(()),
        }
    }
}

macro_rules! delegate {
    ($port:ident: $(fn $name:ident($($argument:ident: $type:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl $port for EventfulStore {
            $(async fn $name(&self, $($argument: $type),*) -> Result<$answer, StoreError> {
                self.come_to(stringify!($name)).await?;
                self.inner.$name($($argument),*).await
            })*
        }
    };
}

delegate! { Accounts:
    fn create(user: &NewUser, hash: &PasswordHash) -> Result<User, Taken>;
    fn find_user(id: UserId) -> Option<User>;
    fn find_by_subject(subject: &Subject) -> Option<User>;
    fn find_for_login(name: &LoginName) -> Option<(User, PasswordHash)>;
    fn find_by_email(email: &Email) -> Option<User>;
    fn update_profile(id: UserId, change: &ProfileChange) -> ProfileUpdate;
    fn upgrade_hash(id: UserId, old: &PasswordHash, new: &PasswordHash) -> bool;
    fn set_password(new: &NewPassword, now: UnixTime) -> PasswordUpdate;
    fn confirm_email(proven: &ProvenEmail, now: Timestamp) -> EmailUpdate;
    fn set_active(id: UserId, active: bool) -> bool;
    fn set_staff(id: UserId, staff: bool) -> bool;
    fn set_groups(id: UserId, groups: &BTreeSet<GroupName>) -> bool;
    fn delete(id: UserId) -> bool;
    fn list(page: AccountPage) -> Vec<User>;
    fn has_superuser() -> bool;
}

delegate! { Sessions:
    fn start(session: &Session, user: &User, last_login: Option<Timestamp>) -> bool;
    fn adopt(session: &Session, jti: &TokenId, issued_at: Option<UnixTime>) -> Adoption;
    fn find_session(id: SessionId) -> Option<SessionOfUser>;
    fn advance(id: SessionId, from: Generation, next: NextGeneration) -> Swap;
    fn revoke(id: SessionId, reason: RevokeReason, now: UnixTime) -> bool;
    fn end_reused(id: SessionId, mails: &[NewMail], now: UnixTime) -> bool;
    fn revoke_all(user: UserId, keep: Option<SessionId>, reason: RevokeReason, now: UnixTime) -> usize;
    fn prune_sessions(now: UnixTime, limit: u32) -> usize;
}

delegate! { Blacklist:
    fn refuse(jti: &TokenId, expires_at: UnixTime, reason: &str) -> bool;
    fn is_refused(jti: &TokenId) -> bool;
    fn prune_blacklist(now: UnixTime, limit: u32) -> usize;
}

delegate! { Codes:
    fn issue(code: &OneTimeCode, mails: &[NewMail], only: &IssueIf) -> bool;
    fn find_code(id: CodeId) -> Option<OneTimeCode>;
    fn try_code(id: CodeId, now: UnixTime) -> Option<OneTimeCode>;
    fn redeem(id: CodeId, proof: Proof, mails: &[NewMail], now: UnixTime) -> bool;
    fn prune_codes(now: UnixTime, limit: u32) -> usize;
}

delegate! { SecondFactors:
    fn factors_of(user: UserId) -> Factors;
    fn add_factor(
        user: UserId, factor: &NewFactor, enrolment: CodeId, recovery_codes: &[Mac], mails: &[NewMail], now: Timestamp
    ) -> Option<bool>;
    fn remove_factors(user: UserId, methods: &[Method], mails: &[NewMail]) -> bool;
    fn replace_recovery_codes(user: UserId, codes: &[Mac], mails: &[NewMail]) -> bool;
}

delegate! { Attempts:
    fn admit(attempts: &[Attempt], now: UnixTime) -> Admission;
    fn forgive(buckets: &[(Bucket, Forgiveness)]) -> ();
    fn prune_attempts(now: UnixTime, limit: u32) -> usize;
}

delegate! { Outbox:
    fn enqueue(mail: &NewMail) -> ();
    fn claim(now: UnixTime, until: UnixTime) -> Option<ClaimedMail>;
    fn delivered(claimed: MailId, attempt: u32) -> bool;
    fn postpone(claimed: MailId, attempt: u32, next_attempt_at: UnixTime, error: &str) -> bool;
    fn give_up(claimed: MailId, attempt: u32, now: UnixTime, error: &str) -> bool;
    fn list_outbox(page: OutboxPage) -> Vec<OutboxEntry>;
    fn retry(which: Retry) -> usize;
    fn prune_outbox(failed_before: UnixTime, limit: u32) -> usize;
}
