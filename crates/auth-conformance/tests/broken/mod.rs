//! Stores that break the contract on purpose: the reference with one defect each, of the kinds that real adapters have.
//!
//! What is written here through several calls of the inner store is the point: a real adapter does the same with
//! several statements where one was needed.
#![allow(clippy::unwrap_used, reason = "the inner store never fails, and a test may panic")]

mod accounts;
mod attempts;
mod codes;
mod credentials;
mod outbox;
mod second_factors;
mod sessions;

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use auth_conformance::MemoryStore;
use auth_core::StoreError;
use auth_core::account::{User, UserId};
use auth_core::code::{CodeId, OneTimeCode};
use auth_core::mail::{MailId, NewMail};
use auth_core::ports::{Accounts, Blacklist, Outbox, Sessions};
use auth_core::throttle::{Bucket, Counter};
use auth_core::time::{Seconds, UnixTime};
use auth_core::token::{Session, SessionId, SessionOfUser, Subject, TokenId};

/// What is wrong with a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Defect {
    AcceptsAnyOutcome,
    AddsFactorsByAnyCode,
    AddsFactorsWithoutUsingTheCode,
    AdmitsInTwoSteps,
    AdoptsForNobody,
    AdoptsInTwoSteps,
    AdoptsOnlyForTheActive,
    AdoptsTheBlacklisted,
    AdoptsTokensOlderThanTheEpoch,
    AnswersForFactorsThatAreOff,
    AnswersForNobody,
    AnswersForNobodysGroups,
    AnswersTheFirstWait,
    BlacklistFoldsCase,
    BlacklistsAgainAndAgain,
    BucketsFoldCase,
    ChecksPasswordsInTwoSteps,
    ClaimsInTwoSteps,
    ClaimsWithoutHiding,
    ConfirmsFormerAddresses,
    ConfirmsWithSpentCodes,
    CountsChangedRows,
    CountsInTwoSteps,
    CountsTheRefused,
    CreatesInTwoSteps,
    CutsContents,
    CutsMicroseconds,
    CutsUserAgents,
    DeletesWithoutCascade,
    DeliversWithoutForgetting,
    DemotesToSuperuser,
    EmptyPayloadsAreNone,
    EndsAllButTheEpoch,
    EndsAllWithoutException,
    EndsChallengesToo,
    EndsCodesOfEveryPurpose,
    EndsNoOlderCodes,
    FailsWhenBusy,
    FindsAddressesExactly,
    FindsKeysByNumber,
    FindsOldNames,
    FindsStaleSessions,
    FindsTornSessions,
    FoldsGroups,
    ForgetsGroupsInSessions,
    ForgetsGroupsOnRename,
    ForgetsGroupsWithThePassword,
    ForgetsProofsOnRespelling,
    ForgetsTheMailsOfCodes,
    ForgivesEverything,
    ForgivesNothing,
    IgnoresTheCode,
    IgnoresTheOldPassword,
    IgnoresTheSessionToKeep,
    IgnoresTheTimeStep,
    IssuesForNobody,
    IssuesWithoutRequest,
    IssuesForWhoeverItIsNow,
    KeepsCodesAfterAChange,
    KeepsCodesOfOldAddresses,
    KeepsCodesWithANewPassword,
    KeepsOldGroups,
    KeepsProofsOfOldAddresses,
    KeepsSessionsWithANewPassword,
    KeepsTheOldGeneration,
    KeepsUsedRecoveryCodes,
    LeavesCodesOfTheDeleted,
    LeavesEmptyCounts,
    LeavesMailsOfTheDeleted,
    LeavesRecoveryCodes,
    ListsByName,
    ListsTheOutboxBackwards,
    LoginFoldsCase,
    LoginHidesTheInactive,
    LosesRevocations,
    NamesAreNotUnique,
    NotesNoLogin,
    ProvesAnyAddress,
    ProvesNoAddress,
    PrunesInTwoSteps,
    PrunesTooEarly,
    PrunesWithoutLimit,
    RedeemsInTwoSteps,
    RedeemsOnlyTheOpen,
    RedeemsTwice,
    RedeemsWithoutAuthenticator,
    RefusesOddLoginNames,
    RefusesOddSubjects,
    RefusesOwnNames,
    RemovesEveryFactor,
    RemovesInTwoSteps,
    RenamesInTwoSteps,
    ReplacesAdoptedSessions,
    ReplacesRecoveryCodes,
    ReplacesWithoutFactor,
    RetriesEverything,
    RevokesAgain,
    RotatesAnyGeneration,
    RotatesInTwoSteps,
    RotatesOnlyTheUnexpired,
    RotatesTheRevoked,
    SendsMailsOfRefusals,
    SendsMailsOfReuseTwice,
    SetsPasswordsInTwoSteps,
    SpendsCodesOfTakenAddresses,
    StartsAtAnyEpoch,
    StartsForTheInactive,
    StartsInTwoSteps,
    SubjectFoldsCase,
    SubjectHidesTheInactive,
    TakenNamesStopHalfWay,
    TakesMailsFromSlowClocks,
    TriesInTwoSteps,
    TriesTheExpired,
    TriesWithoutCounting,
    TrustsTheCallersCopy,
    UpgradesAnyHash,
    UpgradesInTwoSteps,
    WaitsForLostMoments,
    WritesWholeProfiles,
}

/// The reference with a defect.
pub(crate) struct Broken {
    inner: MemoryStore,
    defect: Defect,
    /// Every session that was ever stored, as it was then.
    seen: Mutex<HashMap<SessionId, Session>>,
    /// Every session that was ever found, as it was the first time.
    found: Mutex<HashMap<SessionId, SessionOfUser>>,
    /// Every account, by each name that it was ever found by.
    names: Mutex<HashMap<Subject, UserId>>,
    /// What was counted, where the reference does not count.
    counts: Mutex<HashMap<Bucket, Counter>>,
    /// Until when mails are kept.
    kept: Mutex<HashMap<MailId, UnixTime>>,
    is_busy: AtomicBool,
}

impl Broken {
    pub(crate) fn new(defect: Defect) -> Self {
        let (seen, found, names) = (Mutex::default(), Mutex::default(), Mutex::default());
        let (inner, counts, kept) = (MemoryStore::default(), Mutex::default(), Mutex::default());
        Self { inner, defect, seen, found, names, counts, kept, is_busy: AtomicBool::new(false) }
    }

    fn has(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn remember(&self, session: &Session) {
        self.seen.lock().unwrap().insert(session.id, session.clone());
    }

    fn seen(&self) -> Vec<Session> {
        self.seen.lock().unwrap().values().cloned().collect()
    }

    async fn user(&self, id: UserId) -> Option<User> {
        self.inner.find_user(id).await.unwrap()
    }

    async fn session(&self, id: SessionId) -> Option<Session> {
        self.inner.find_session(id).await.unwrap().map(|found| found.session)
    }

    /// The codes of an account.
    fn codes(&self, of: UserId) -> Vec<OneTimeCode> {
        self.inner.codes().into_iter().filter(|code| code.user_id == of).collect()
    }

    fn code(&self, id: CodeId) -> Option<OneTimeCode> {
        self.inner.codes().into_iter().find(|code| code.id == id)
    }

    fn put_codes(&self, codes: impl IntoIterator<Item = OneTimeCode>) {
        codes.into_iter().for_each(|code| self.inner.put_code(code));
    }

    /// Makes a code that was used or ended good again.
    fn revive(&self, id: CodeId) {
        self.put_codes(self.code(id).map(|code| OneTimeCode { consumed_at: None, ..code }));
    }

    /// Puts mails into the outbox, beside whatever else is done.
    async fn send(&self, mails: &[NewMail]) {
        for mail in mails {
            self.inner.enqueue(mail).await.unwrap();
        }
    }

    /// The sessions of everybody, or of one account.
    async fn sessions(&self, of: Option<UserId>) -> Vec<Session> {
        let mut sessions = Vec::new();
        for session in self.seen() {
            let wanted = of.is_none_or(|user| session.user_id == user);
            sessions.extend(self.session(session.id).await.filter(|_| wanted));
        }
        sessions
    }
}

impl Broken {
    /// Takes its time for a call, and fails if another one is under way.
    async fn wait_or_fail(&self) -> Result<(), StoreError> {
        if self.has(Defect::FailsWhenBusy) {
            if self.is_busy.swap(true, Ordering::SeqCst) {
                return Err(StoreError::unavailable("database is locked"));
            }
            meanwhile().await;
            self.is_busy.store(false, Ordering::SeqCst);
        }
        Ok(())
    }
}

/// Between two steps that should have been one.
async fn meanwhile() {
    tokio::task::yield_now().await;
}

#[async_trait]
impl Blacklist for Broken {
    async fn refuse(&self, jti: &TokenId, expires_at: UnixTime, reason: &str) -> Result<bool, StoreError> {
        let is_new = self.inner.refuse(&self.spelt(jti), expires_at, reason).await?;
        Ok(is_new || self.has(Defect::BlacklistsAgainAndAgain))
    }

    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError> {
        self.inner.is_refused(&self.spelt(jti)).await
    }

    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let (now, limit) = self.pruning(now, limit);
        self.inner.prune_blacklist(now, limit).await
    }
}

impl Broken {
    fn spelt(&self, jti: &TokenId) -> TokenId {
        match self.defect {
            Defect::BlacklistFoldsCase => TokenId::parse(&jti.as_str().to_lowercase()).unwrap(),
            _ => jti.clone(),
        }
    }

    fn pruning(&self, now: UnixTime, limit: u32) -> (UnixTime, u32) {
        match self.defect {
            Defect::PrunesTooEarly => (now.plus(Seconds::new(1)), limit),
            Defect::PrunesWithoutLimit => (now, u32::MAX),
            _ => (now, limit),
        }
    }
}
