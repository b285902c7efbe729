//! Stores that break the contract on purpose: the in-memory store with one defect each.
//!
//! Most make several calls of the inner store where one was needed, as an adapter does that uses several statements
//! instead of one transaction. Such a defect shows only when calls are concurrent.

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

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Defect {
    AcceptsAnyOutcome,
    AddsFactorsByAnyCode,
    AdmitsInTwoSteps,
    AdoptsInTwoSteps,
    BlacklistsAgainAndAgain,
    ChecksPasswordsInTwoSteps,
    ClaimsInTwoSteps,
    ConfirmsWithUsedCodes,
    CountsInTwoSteps,
    CountsTheRefused,
    CreatesInTwoSteps,
    DeletesWithoutCascade,
    EndsAllButTheEpoch,
    EndsNewestSurplus,
    EndsNoOlderCodes,
    FailsWhenBusy,
    FindsSubjectsInAnyCase,
    FindsTornSessions,
    ForgivesNothing,
    IgnoresTheCode,
    IgnoresTheTimeStep,
    IssuesWithoutRequest,
    LeavesCodesOfTheDeleted,
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
    StartsForTheInactive,
    StartsInTwoSteps,
    TriesInTwoSteps,
    UpgradesInTwoSteps,
    WritesWholeProfiles,
}

/// The in-memory store with a defect.
struct Broken {
    inner: MemoryStore,
    defect: Defect,
    /// How many users were stored past the check that names are unique.
    inserted: AtomicUsize,
    /// Attempts, for a store that does not let the inner one count them.
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

    /// The limit that is applied when entries are pruned.
    fn limit(&self, limit: u32) -> u32 {
        if self.has(Defect::PrunesWithoutLimit) { u32::MAX } else { limit }
    }

    /// A busy store takes its time for a call, and fails if another call is in progress.
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

/// Lets other calls run between two steps that should have been one.
async fn other_calls() {
    tokio::task::yield_now().await;
}
