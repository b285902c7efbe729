//! One-time codes in memory.

use std::cmp::Reverse;

use async_trait::async_trait;
use auth_accounts::code::{CodeId, CodePurpose, OneTimeCode};
use auth_accounts::ports::{Codes, IssueIf, OwnerAsRead};
use auth_accounts::second_factor::{Factors, VerifiedFactor};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::time::UnixTime;
use auth_core::user::UserId;

use super::effects::Pending;
use super::{Account, MemoryStore, keep_all_but};

/// One-time codes, in the order in which they were issued.
#[derive(Debug, Default)]
pub(super) struct CodeList(Vec<OneTimeCode>);

impl CodeList {
    fn get(&self, id: CodeId) -> Option<&OneTimeCode> {
        self.0.iter().find(|code| code.id == id)
    }

    fn get_mut(&mut self, id: CodeId) -> Option<&mut OneTimeCode> {
        self.0.iter_mut().find(|code| code.id == id)
    }

    pub(super) fn put(&mut self, code: OneTimeCode) {
        match self.get_mut(code.id) {
            Some(before) => *before = code,
            None => self.0.push(code),
        }
    }

    pub(super) fn to_vec(&self) -> Vec<OneTimeCode> {
        self.0.clone()
    }

    pub(super) fn retain(&mut self, is_left: impl FnMut(&OneTimeCode) -> bool) {
        self.0.retain(is_left);
    }

    /// Whether a code belongs to this account and was neither used nor ended, whatever its attempts and its expiry.
    pub(super) fn is_unused(&self, id: CodeId, user: &UserId) -> bool {
        self.get(id).is_some_and(|code| code.user_id == *user && code.consumed_at.is_none())
    }

    /// Whether a code belongs to this account and is open, whatever its attempts.
    pub(super) fn is_usable(&self, id: CodeId, user: &UserId, now: UnixTime) -> bool {
        let is_open = |code: &OneTimeCode| OneTimeCode { attempts: 0, ..code.clone() }.is_open(now);
        self.get(id).is_some_and(|code| code.user_id == *user && is_open(code))
    }

    pub(super) fn consume(&mut self, id: CodeId, now: UnixTime) {
        if let Some(code) = self.get_mut(id) {
            code.consumed_at.get_or_insert(now);
        }
    }

    /// Ends every code of an account; without a time, as of when each code was issued.
    pub(super) fn end_all_of(&mut self, user: &UserId, now: Option<UnixTime>) {
        self.end(now, |code| code.user_id == *user);
    }

    /// Ends the codes of an account that a change of its second factors ends, as of when each was issued.
    pub(super) fn end_with_factors_of(&mut self, user: &UserId) {
        self.end(None, |code| code.user_id == *user && CodePurpose::ENDED_BY_FACTOR_CHANGES.contains(&code.purpose));
    }

    /// Ends the oldest challenges so that, with this one, no more than [`OneTimeCode::MAX_OPEN`] are open.
    fn make_room_for(&mut self, code: &OneTimeCode) {
        let is_bounded =
            |other: &OneTimeCode| other.user_id == code.user_id && code.purpose.bounded_with().contains(&other.purpose);
        let open = self.0.iter().filter(|other| is_bounded(other) && other.is_open(code.created_at));
        let mut open: Vec<_> = open.map(|other| (other.created_at, other.id)).collect();
        open.sort_unstable_by_key(|key| Reverse(*key));
        let surplus: Vec<_> = open.into_iter().skip(OneTimeCode::MAX_OPEN - 1).map(|(_, id)| id).collect();
        self.end(Some(code.created_at), |other| surplus.contains(&other.id));
    }

    /// Ends the selected codes. Includes expired ones, which makes no difference.
    fn end(&mut self, now: Option<UnixTime>, is_selected: impl Fn(&OneTimeCode) -> bool) {
        for code in self.0.iter_mut().filter(|code| is_selected(code)) {
            code.consumed_at.get_or_insert(now.unwrap_or(code.created_at));
        }
    }
}

/// Whether an account is unchanged since it was read.
fn is_unchanged(account: &Account, owner: &OwnerAsRead) -> bool {
    let user = &account.user;
    user.is_active && (&user.email, user.security_stamp) == (&owner.email, owner.security_stamp)
}

/// Uses up what verified a code: the time step of an authenticator or a recovery code. `false` if it does not exist or
/// was used before.
fn use_up(factors: &mut Factors, factor: VerifiedFactor) -> bool {
    match factor {
        VerifiedFactor::Email => true,
        VerifiedFactor::Totp(step) => factors.totp.as_mut().is_some_and(|totp| {
            let is_new = totp.last_step.is_none_or(|last| step > last);
            totp.last_step = totp.last_step.max(Some(step));
            is_new
        }),
        VerifiedFactor::RecoveryCode(mac) => {
            let index = factors.recovery_codes.iter().position(|code| *code == mac);
            index.map(|index| factors.recovery_codes.remove(index)).is_some()
        }
    }
}

#[async_trait]
impl Codes for MemoryStore {
    async fn issue(&self, code: &OneTimeCode, effects: &Effects, only: &IssueIf) -> Result<bool, StoreError> {
        let effects = Pending::try_from(effects)?;
        let mut state = self.state();
        let is_asked = only.answers.is_none_or(|request| state.outbox.has_request(request));
        let is_unchanged_since_read =
            |account: &Account| only.owner.as_ref().is_none_or(|owner| is_unchanged(account, owner));
        let is_newer = |other: &OneTimeCode| {
            other.user_id == code.user_id
                && other.purpose == code.purpose
                && other.is_open(code.created_at)
                && only.none_since.is_some_and(|moment| other.created_at > moment)
        };
        if state.codes.0.iter().any(is_newer) {
            return Ok(false);
        }
        if !is_asked || !state.accounts.get(&code.user_id).is_some_and(is_unchanged_since_read) {
            return Ok(false);
        }
        if state.codes.get(code.id).is_some() {
            return Err(StoreError::broken("another code has this ID"));
        }
        if code.purpose.ends_older() {
            let is_older = |other: &OneTimeCode| other.user_id == code.user_id && other.purpose == code.purpose;
            state.codes.end(Some(code.created_at), is_older);
        }
        state.codes.make_room_for(code);
        state.codes.put(code.clone());
        if let Some(request) = only.answers {
            state.outbox.remove(request);
        }
        state.commit(&code.user_id, effects);
        Ok(true)
    }

    async fn find_code(&self, id: CodeId) -> Result<Option<OneTimeCode>, StoreError> {
        Ok(self.state().codes.get(id).cloned())
    }

    async fn try_code(&self, id: CodeId, now: UnixTime) -> Result<Option<OneTimeCode>, StoreError> {
        let mut state = self.state();
        Ok(state.codes.get_mut(id).filter(|code| code.is_open(now)).map(|code| {
            code.attempts += 1;
            code.clone()
        }))
    }

    async fn redeem(
        &self,
        id: CodeId,
        factor: VerifiedFactor,
        effects: &Effects,
        now: UnixTime,
    ) -> Result<bool, StoreError> {
        let effects = Pending::try_from(effects)?;
        let state = &mut *self.state();
        let Some(code) = state.codes.get_mut(id).filter(|code| code.consumed_at.is_none()) else { return Ok(false) };
        let account = state.accounts.get_mut(&code.user_id);
        if !account.is_some_and(|account| use_up(&mut account.factors, factor)) {
            return Ok(false);
        }
        code.consumed_at = Some(now);
        let owner = code.user_id.clone();
        state.commit(&owner, effects);
        Ok(true)
    }

    async fn prune_challenges(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let codes = &mut self.state().codes.0;
        let before = codes.len();
        let is_challenge = |code: &OneTimeCode| CodePurpose::OF_SECOND_FACTORS.contains(&code.purpose);
        codes.retain(keep_all_but(limit, |code: &OneTimeCode| is_challenge(code) && code.expires_at < now));
        Ok(before - codes.len())
    }

    async fn prune_codes(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let codes = &mut self.state().codes.0;
        let before = codes.len();
        codes.retain(keep_all_but(limit, |code: &OneTimeCode| code.expires_at < now));
        Ok(before - codes.len())
    }
}
