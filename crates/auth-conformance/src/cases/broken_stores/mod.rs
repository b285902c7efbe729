//! Stores that break the contract on purpose: the in-memory store with one defect each.
//!
//! Most defects split a call into several calls of the inner store, like an adapter that runs several statements
//! without a transaction. Such a defect shows only under concurrency.

mod accounts;
mod attempts;
mod codes;
mod outbox;
mod sessions;
mod tests;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use auth_accounts::code::{CodeId, OneTimeCode};
use auth_accounts::ports::Accounts;
use auth_accounts::throttle::{Counter, LimitKey};
use auth_core::StoreError;
use auth_core::ports::Sessions;
use auth_core::token::{Session, SessionId};
use auth_core::user::{User, UserId};

use crate::MemoryStore;

/// The defect of a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    AcceptsAnyOutcome,
    AddsFactorsByAnyCode,
    AdmitsInTwoSteps,
    AdoptsInTwoSteps,
    BlacklistsRepeatedly,
    ChecksPasswordsInTwoSteps,
    ClaimsInTwoSteps,
    ConfirmsWithUsedCodes,
    CountsInTwoSteps,
    CountsRefusedAttempts,
    CreatesInTwoSteps,
    DeletesWithoutCascade,
    KeepsTheEpoch,
    RevokesNewestSurplus,
    EndsNoOlderCodes,
    FailsWhenBusy,
    FindsSubjectsInAnyCase,
    FindsTornSessions,
    RefundsNothing,
    IgnoresTheCode,
    IgnoresTheTimeStep,
    IssuesWithoutRequest,
    LeavesCodesOfDeletedUsers,
    LosesEffects,
    LosesRevocations,
    NamesAreNotUnique,
    PromotesInTwoSteps,
    PrunesInTwoSteps,
    PrunesWithoutLimit,
    RedeemsInTwoSteps,
    RedeemsTwice,
    RemovesInTwoSteps,
    RenamesInTwoSteps,
    ReplacesAdoptedSessions,
    RevokesAgain,
    RotatesAnyGeneration,
    RotatesInTwoSteps,
    SetsPasswordsInTwoSteps,
    StartsForInactiveUsers,
    StartsInTwoSteps,
    TriesInTwoSteps,
    UpgradesInTwoSteps,
    WritesWholeProfiles,
}

/// The in-memory store with a defect.
struct Broken {
    inner: MemoryStore,
    defect: Defect,
    /// How many users were stored without checking that their names are unique.
    inserted: AtomicUsize,
    /// The counts, for a store that does not use those of the inner one.
    counts: Mutex<HashMap<LimitKey, Counter>>,
    is_busy: AtomicBool,
}

impl Broken {
    fn new(defect: Defect) -> Self {
        Self {
            inner: MemoryStore::default(),
            defect,
            inserted: AtomicUsize::new(0),
            counts: Mutex::default(),
            is_busy: AtomicBool::new(false),
        }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    async fn user(&self, id: &UserId) -> Option<User> {
        self.inner.find_user(id).await.unwrap()
    }

    async fn session(&self, id: SessionId) -> Option<Session> {
        self.inner.find_session(id).await.unwrap().map(|found| found.session)
    }

    fn code(&self, id: CodeId) -> Option<OneTimeCode> {
        self.inner.codes().into_iter().find(|code| code.id == id)
    }

    /// Makes a used or ended code usable again.
    fn revive(&self, id: CodeId) {
        if let Some(code) = self.code(id) {
            self.inner.put_code(OneTimeCode { consumed_at: None, ..code });
        }
    }

    /// The limit that is used for pruning.
    fn limit(&self, limit: u32) -> u32 {
        if self.has(Defect::PrunesWithoutLimit) { u32::MAX } else { limit }
    }

    /// A busy store yields during a call, and fails if another call is in progress.
    async fn wait_or_fail(&self) -> Result<(), StoreError> {
        if self.has(Defect::FailsWhenBusy) {
            if self.is_busy.swap(true, Ordering::SeqCst) {
                return Err(StoreError::unavailable("database is locked"));
            }
            other_calls().await;
            self.is_busy.store(false, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Lets other calls run between two steps that should be one.
async fn other_calls() {
    tokio::task::yield_now().await;
}
