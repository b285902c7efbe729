//! A storage in memory: the three ports in their plainest form, behind one lock, so that each call is a transaction.
//! It is the reference for what the ports mean. It forgets everything with the process.

mod feed;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::account::{Email, GroupName, LoginName, NewUser, ProfileChange, Taken, User, UserId, Username};
use auth_core::password::PasswordHash;
use auth_core::ports::{AccountPage, Accounts, Adoption, Blacklist, Change, ProfileUpdate, Sessions, Swap};
use auth_core::revocation::{next_epoch, predates_epoch};
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{
    Generation, NextGeneration, RevokeReason, Session, SessionId, SessionOfUser, Subject, SubjectField, TokenId,
};

pub use feed::MemoryFeed;
use feed::News;

/// `Accounts`, `Sessions` and `Blacklist` in memory. Accounts get the numbers 1, 2, 3 …
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use auth_conformance::{MemoryStore, hash_of, new_user};
/// use auth_core::{account::UserId, ports::Accounts};
/// let store = MemoryStore::default();
/// let alice = store.create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
/// assert_eq!(alice.id, UserId::new(1));
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

impl MemoryStore {
    /// Puts a session as it is, past all rules, also over one with the same name: to arrange in a test what no port
    /// can do, such as a restored backup.
    pub fn put_session(&self, session: Session) {
        let mut state = self.state();
        state.ends.insert(session.id, session.expires_at);
        let (id, has_ended) = (session.id, session.revoked_at.is_some());
        let before = state.sessions.insert(id, session);
        if has_ended && before.is_some_and(|before| before.revoked_at.is_none()) {
            state.news.report(Change::SessionEnded(id));
        }
    }

    /// Puts an account as it is over the one with the same number, past all rules: to arrange in a test what no port
    /// can do, such as an imported account. Its hash, and which names are taken, stay as they are. `false` if there is
    /// no such account.
    pub fn put_user(&self, user: User) -> bool {
        self.state().change(user.id, |account| account.user = user)
    }

    /// A feed of what changes here.
    pub fn changes(&self) -> MemoryFeed {
        self.state().news.feed()
    }

    /// Every session there is, in whatever state and order.
    pub fn sessions(&self) -> Vec<Session> {
        self.state().sessions.values().cloned().collect()
    }

    /// How many calls it has answered so far, those of its ports and of its own methods.
    pub fn calls(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).calls
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.calls += 1;
        state
    }
}

#[derive(Debug, Default)]
struct State {
    calls: u64,
    last_id: i64,
    accounts: BTreeMap<UserId, Account>,
    sessions: HashMap<SessionId, Session>,
    /// The latest end that any refresh token of a session ever had.
    ends: HashMap<SessionId, UnixTime>,
    blacklist: HashMap<TokenId, UnixTime>,
    news: News,
}

#[derive(Debug)]
struct Account {
    user: User,
    username: Username,
    email: Email,
    hash: PasswordHash,
}

impl Account {
    fn apply(&mut self, change: &ProfileChange) {
        if let Some(username) = &change.username {
            self.username = username.clone();
            self.user.username = username.as_str().to_owned();
        }
        if let Some(email) = &change.email {
            self.email = email.clone();
            self.user.email = email.as_str().to_owned();
        }
        if let Some(first_name) = &change.first_name {
            self.user.first_name = first_name.as_str().to_owned();
        }
        if let Some(last_name) = &change.last_name {
            self.user.last_name = last_name.as_str().to_owned();
        }
    }
}

impl State {
    fn user(&self, id: UserId) -> Option<&User> {
        self.accounts.get(&id).map(|account| &account.user)
    }

    fn insert(&mut self, session: Session) {
        self.note_end(session.id, session.expires_at);
        self.sessions.insert(session.id, session);
    }

    fn note_end(&mut self, id: SessionId, expires_at: UnixTime) {
        let end = self.ends.entry(id).or_insert(expires_at);
        *end = expires_at.max(*end);
    }

    /// Changes an account, and reports it if something is another than before; `false` if there is none.
    fn change(&mut self, id: UserId, change: impl FnOnce(&mut Account)) -> bool {
        let Some(account) = self.accounts.get_mut(&id) else { return false };
        let before = account.user.clone();
        change(account);
        if (User { last_login: account.user.last_login, ..before }) != account.user {
            self.news.report(Change::AccountChanged(id));
        }
        true
    }

    /// What an account other than `own` has already. The same text counts as the same name under any rules: one that
    /// was kept when letter case still made a difference must not be given twice.
    fn taken(&self, own: Option<UserId>, username: Option<&Username>, email: Option<&Email>) -> Option<Taken> {
        let others = || self.accounts.values().filter(|account| Some(account.user.id) != own);
        let is_username = |a: &Account, name: &Username| {
            a.username.canonical() == name.canonical() || a.username.as_str() == name.as_str()
        };
        if username.is_some_and(|name| others().any(|account| is_username(account, name))) {
            Some(Taken::Username)
        } else if email.is_some_and(|email| others().any(|account| account.email.canonical() == email.canonical())) {
            Some(Taken::Email)
        } else {
            None
        }
    }

    /// Ends the sessions of an account that have not ended, but `keep`; moves its epoch.
    fn end_all(&mut self, user: UserId, keep: Option<SessionId>, reason: RevokeReason, now: UnixTime) -> usize {
        if !self.change(user, |account| account.user.token_epoch = next_epoch(account.user.token_epoch, now)) {
            return 0;
        }
        let of_user = self.sessions.values_mut().filter(|s| s.user_id == user && Some(s.id) != keep);
        of_user.map(|session| end(session, reason, now, &self.news)).filter(|ended| *ended).count()
    }
}

/// Ends a session; `false` if it had ended before.
fn end(session: &mut Session, reason: RevokeReason, now: UnixTime, news: &News) -> bool {
    if session.revoked_at.is_some() {
        return false;
    }
    session.revoked_at = Some(now);
    session.revoke_reason = Some(reason);
    news.report(Change::SessionEnded(session.id));
    true
}

/// Removes at most `limit` entries that have expired; answers how many.
fn prune<K: Clone + Eq + std::hash::Hash, V>(
    all: &mut HashMap<K, V>,
    limit: u32,
    has_expired: impl Fn(&V) -> bool,
) -> usize {
    let expired = all.iter().filter(|(_, value)| has_expired(value)).map(|(key, _)| key.clone());
    let expired: Vec<K> = expired.take(limit as usize).collect();
    expired.iter().filter(|key| all.remove(*key).is_some()).count()
}

#[async_trait]
impl Accounts for MemoryStore {
    async fn create(&self, new: &NewUser, hash: &PasswordHash) -> Result<Result<User, Taken>, StoreError> {
        let mut state = self.state();
        if let Some(taken) = state.taken(None, Some(&new.username), Some(&new.email)) {
            return Ok(Err(taken));
        }
        state.last_id += 1;
        let user = User {
            id: UserId::new(state.last_id),
            external_id: None,
            username: new.username.as_str().to_owned(),
            email: new.email.as_str().to_owned(),
            first_name: new.first_name.as_str().to_owned(),
            last_name: new.last_name.as_str().to_owned(),
            is_active: true,
            is_staff: new.is_staff,
            is_superuser: new.is_superuser,
            groups: BTreeSet::new(),
            date_joined: new.date_joined,
            last_login: None,
            email_verified_at: None,
            token_epoch: UnixTime::default(),
        };
        let (username, email) = (new.username.clone(), new.email.clone());
        state.accounts.insert(user.id, Account { user: user.clone(), username, email, hash: hash.clone() });
        Ok(Ok(user))
    }

    async fn find_user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        Ok(self.state().user(id).cloned())
    }

    async fn find_by_subject(&self, subject: &Subject) -> Result<Option<User>, StoreError> {
        let field = match subject {
            Subject::Id(_) | Subject::External(_) => SubjectField::Id,
            Subject::Username(_) => SubjectField::Username,
            Subject::Email(_) => SubjectField::Email,
        };
        let state = self.state();
        let mut users = state.accounts.values().map(|account| &account.user);
        Ok(users.find(|user| user.subject(field) == *subject).cloned())
    }

    async fn find_for_login(&self, name: &LoginName) -> Result<Option<(User, PasswordHash)>, StoreError> {
        let has_name = |user: &User| match name {
            LoginName::Username(text) => user.username == *text,
            LoginName::Email(text) => user.email == *text,
        };
        let state = self.state();
        let found = state.accounts.values().find(|account| has_name(&account.user));
        Ok(found.map(|account| (account.user.clone(), account.hash.clone())))
    }

    async fn update_profile(&self, id: UserId, change: &ProfileChange) -> Result<ProfileUpdate, StoreError> {
        let mut state = self.state();
        if let Some(taken) = state.taken(Some(id), change.username.as_ref(), change.email.as_ref()) {
            return Ok(if state.user(id).is_some() { ProfileUpdate::Taken(taken) } else { ProfileUpdate::Gone });
        }
        state.change(id, |account| account.apply(change));
        Ok(state.user(id).cloned().map_or(ProfileUpdate::Gone, ProfileUpdate::Done))
    }

    async fn upgrade_hash(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, StoreError> {
        match self.state().accounts.get_mut(&id) {
            Some(account) if account.hash == *old => account.hash = new.clone(),
            _ => return Ok(false),
        }
        Ok(true)
    }

    async fn set_password(&self, id: UserId, hash: &PasswordHash, now: UnixTime) -> Result<bool, StoreError> {
        let mut state = self.state();
        state.end_all(id, None, RevokeReason::PasswordChanged, now);
        Ok(state.change(id, |account| account.hash = hash.clone()))
    }

    async fn set_active(&self, id: UserId, active: bool) -> Result<bool, StoreError> {
        Ok(self.state().change(id, |account| account.user.is_active = active))
    }

    async fn set_staff(&self, id: UserId, staff: bool) -> Result<bool, StoreError> {
        Ok(self.state().change(id, |account| {
            account.user.is_staff = staff;
            account.user.is_superuser &= staff;
        }))
    }

    async fn set_groups(&self, id: UserId, groups: &BTreeSet<GroupName>) -> Result<bool, StoreError> {
        Ok(self.state().change(id, |account| account.user.groups = groups.clone()))
    }

    async fn delete(&self, id: UserId) -> Result<bool, StoreError> {
        let mut state = self.state();
        state.sessions.retain(|_, session| session.user_id != id);
        let is_deleted = state.accounts.remove(&id).is_some();
        if is_deleted {
            state.news.report(Change::AccountChanged(id));
        }
        Ok(is_deleted)
    }

    async fn list(&self, page: AccountPage) -> Result<Vec<User>, StoreError> {
        let state = self.state();
        let after = page.after.map_or(Bound::Unbounded, Bound::Excluded);
        let following = state.accounts.range((after, Bound::Unbounded)).take(page.limit as usize);
        Ok(following.map(|(_, account)| account.user.clone()).collect())
    }

    async fn has_superuser(&self) -> Result<bool, StoreError> {
        Ok(self.state().accounts.values().any(|account| account.user.is_superuser))
    }
}

#[async_trait]
impl Sessions for MemoryStore {
    async fn start(&self, session: &Session, user: &User, last_login: Option<Timestamp>) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.sessions.contains_key(&session.id) {
            return Err(StoreError::broken("two sessions with one name"));
        }
        match state.accounts.get_mut(&user.id) {
            Some(Account { user: now, .. }) if now.is_active && now.token_epoch == user.token_epoch => {
                now.last_login = last_login.or(now.last_login);
            }
            _ => return Ok(false),
        }
        state.insert(session.clone());
        Ok(true)
    }

    async fn adopt(
        &self,
        session: &Session,
        jti: &TokenId,
        issued_at: Option<UnixTime>,
    ) -> Result<Adoption, StoreError> {
        let mut state = self.state();
        let Some(user) = state.user(session.user_id) else { return Ok(Adoption::NoUser) };
        let epoch = user.token_epoch;
        let is_old = predates_epoch(issued_at, epoch);
        if state.sessions.contains_key(&session.id) {
            return Ok(Adoption::Present);
        }
        if is_old || state.blacklist.contains_key(jti) {
            return Ok(Adoption::Refused);
        }
        state.insert(session.clone());
        Ok(Adoption::Present)
    }

    async fn find_session(&self, id: SessionId) -> Result<Option<SessionOfUser>, StoreError> {
        let state = self.state();
        let Some(session) = state.sessions.get(&id) else { return Ok(None) };
        Ok(state.user(session.user_id).map(|user| SessionOfUser { session: session.clone(), user: user.clone() }))
    }

    async fn advance(&self, id: SessionId, from: Generation, next: NextGeneration) -> Result<Swap, StoreError> {
        let mut state = self.state();
        match state.sessions.get_mut(&id) {
            Some(session) if session.generation == from && session.revoked_at.is_none() => {
                session.generation = next.generation;
                session.rotated_at = next.rotated_at;
                session.last_used_at = next.rotated_at;
                session.expires_at = next.expires_at;
                state.note_end(id, next.expires_at);
                Ok(Swap::Done)
            }
            _ => Ok(Swap::LostRace),
        }
    }

    async fn revoke(&self, id: SessionId, reason: RevokeReason, now: UnixTime) -> Result<bool, StoreError> {
        let State { sessions, news, .. } = &mut *self.state();
        Ok(sessions.get_mut(&id).is_some_and(|session| end(session, reason, now, news)))
    }

    async fn revoke_all(
        &self,
        user: UserId,
        keep: Option<SessionId>,
        reason: RevokeReason,
        now: UnixTime,
    ) -> Result<usize, StoreError> {
        Ok(self.state().end_all(user, keep, reason, now))
    }

    async fn prune_sessions(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let state = &mut *self.state();
        let forgotten =
            prune(&mut state.sessions, limit, |session| state.ends.get(&session.id).is_none_or(|end| *end < now));
        state.ends.retain(|id, _| state.sessions.contains_key(id));
        Ok(forgotten)
    }
}

#[async_trait]
impl Blacklist for MemoryStore {
    async fn refuse(&self, jti: &TokenId, expires_at: UnixTime, _reason: &str) -> Result<bool, StoreError> {
        let mut state = self.state();
        if state.blacklist.contains_key(jti) {
            return Ok(false);
        }
        state.blacklist.insert(jti.clone(), expires_at);
        Ok(true)
    }

    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError> {
        Ok(self.state().blacklist.contains_key(jti))
    }

    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        Ok(prune(&mut self.state().blacklist, limit, |expires_at| *expires_at < now))
    }
}
