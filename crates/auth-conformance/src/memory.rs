//! The in-memory store: the simplest implementation of the storage ports, behind one lock, so that each call is a
//! transaction. It defines what the ports mean. Nothing is persisted.

mod accounts;
mod attempts;
mod blacklist;
mod codes;
mod effects;
mod feed;
mod outbox;
mod second_factors;
mod sessions;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use attempts::Count;
use auth_accounts::account::{Email, ProfileChange, Taken, Username};
use auth_accounts::code::OneTimeCode;
use auth_accounts::email::OutgoingEmail;
use auth_accounts::password::PasswordHash;
use auth_accounts::second_factor::Factors;
use auth_accounts::throttle::LimitKey;
use auth_core::event::SecurityEvent;
use auth_core::ports::Change;
use auth_core::time::UnixTime;
use auth_core::token::{Session, SessionId, TokenId};
use auth_core::user::{SecurityStamp, User, UserId};
use codes::CodeList;
use effects::Pending;
use feed::Feeds;
pub use feed::MemoryFeed;
use outbox::EmailQueue;

/// All storage ports in memory. New users get the IDs 1, 2, 3 and so on.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// use auth_conformance::{MemoryStore, hash_of, new_user};
/// use auth_accounts::ports::Accounts;
/// use auth_core::user::UserId;
/// let store = MemoryStore::default();
/// let alice = store.create(&new_user("alice"), &hash_of("secret")).await.unwrap().unwrap();
/// assert_eq!(alice.id, UserId::new(1));
/// # }
/// ```
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<State>);

impl MemoryStore {
    /// Stores a session without checking any rule, in place of one with the same ID: to arrange in a test what no port
    /// can do, such as a restored backup.
    pub fn put_session(&self, session: Session) {
        let mut state = self.state();
        state.latest_expiry.insert(session.id, session.expires_at);
        let (id, has_ended) = (session.id, session.revoked_at.is_some());
        let before = state.sessions.insert(id, session);
        if has_ended && before.is_some_and(|before| before.revoked_at.is_none()) {
            state.feeds.report(Change::SessionEnded(id));
        }
    }

    /// Replaces the user with the same ID without checking any rule: to arrange in a test what no port can do, such as
    /// an imported account. The password hash and the reserved names are unchanged. Returns `false` if the user does
    /// not exist.
    pub fn put_user(&self, user: User) -> bool {
        self.state().change(&user.id.clone(), |account| account.user = user)
    }

    /// Stores a code without checking any rule, in place of one with the same ID.
    pub fn put_code(&self, code: OneTimeCode) {
        self.state().codes.put(code);
    }

    /// Replaces the second factors of an account without checking any rule. Returns `false` if the account does not
    /// exist.
    pub fn put_factors(&self, user: &UserId, factors: Factors) -> bool {
        self.state().change(user, |account| {
            account.user.multi_factor_since = factors.is_on().then(|| account.first_factor_at.unwrap_or_default());
            account.factors = factors;
        })
    }

    /// An invalidation feed of this store.
    pub fn changes(&self) -> MemoryFeed {
        self.state().feeds.feed()
    }

    /// All sessions in any state, in no particular order.
    pub fn sessions(&self) -> Vec<Session> {
        self.state().sessions.values().cloned().collect()
    }

    /// All one-time codes in any state, in the order in which they were issued.
    pub fn codes(&self) -> Vec<OneTimeCode> {
        self.state().codes.to_vec()
    }

    /// All emails in the outbox in any state, in the order in which they were enqueued.
    pub fn emails(&self) -> Vec<OutgoingEmail> {
        self.state().outbox.emails()
    }

    /// Every event that a write has committed, in order. Events are kept when their account is deleted.
    pub fn committed_events(&self) -> Vec<SecurityEvent> {
        self.state().audit_trail.clone()
    }

    /// The number of calls of the ports and of the methods of this type so far.
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
    /// The number of users that were ever created.
    last_number: i64,
    accounts: BTreeMap<UserId, Account>,
    sessions: HashMap<SessionId, Session>,
    /// The latest expiry that any refresh token of a session has had.
    latest_expiry: HashMap<SessionId, UnixTime>,
    blacklist: HashMap<TokenId, UnixTime>,
    codes: CodeList,
    attempts: HashMap<LimitKey, Count>,
    outbox: EmailQueue,
    audit_trail: Vec<SecurityEvent>,
    feeds: Feeds,
}

#[derive(Debug)]
struct Account {
    /// The position in the list of users.
    number: i64,
    user: User,
    username: Username,
    /// Whether the canonical form is reserved, so that no other user can get it.
    reserves_canonical_name: bool,
    /// The email address, if it is a login name.
    login_email: Option<Email>,
    hash: PasswordHash,
    factors: Factors,
    /// When the account first had a second factor.
    first_factor_at: Option<UnixTime>,
}

impl Account {
    fn has_stamp(&self, only_at: Option<SecurityStamp>) -> bool {
        only_at.is_none_or(|stamp| stamp == self.user.security_stamp)
    }

    fn advance_stamp(&mut self) {
        self.user.security_stamp = self.user.security_stamp.next();
    }

    /// Whether this is the current username and reserves only its exact spelling.
    fn reserves_only(&self, name: &Username) -> bool {
        !self.reserves_canonical_name && self.username.as_str() == name.as_str()
    }

    /// Whether this email address is a login name of the account.
    fn logs_in_with(&self, email: &Email) -> bool {
        self.login_email.as_ref().is_some_and(|own| own.canonical() == email.canonical())
    }

    fn set_login_email(&mut self, email: &Email) {
        self.login_email = Some(email.clone());
        self.user.email = Some(email.as_str().to_owned());
        self.user.email_is_login_name = true;
    }

    fn apply(&mut self, change: &ProfileChange) {
        if let Some(username) = change.username.as_ref().filter(|name| !self.reserves_only(name)) {
            self.username = username.clone();
            self.reserves_canonical_name = true;
            self.user.username = username.as_str().to_owned();
        }
        if let Some(email) = &change.email {
            self.set_login_email(email);
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
    fn user(&self, id: &UserId) -> Option<&User> {
        self.accounts.get(id).map(|account| &account.user)
    }

    /// Changes an account, and reports the change if the user differs afterwards; `false` if there is no such account.
    fn change(&mut self, id: &UserId, change: impl FnOnce(&mut Account)) -> bool {
        let Some(account) = self.accounts.get_mut(id) else { return false };
        let before = account.user.clone();
        change(account);
        if (User { last_login: account.user.last_login, ..before }) != account.user {
            self.feeds.report(Change::AccountChanged(id.clone()));
        }
        true
    }

    /// Like [`change`](Self::change), for a change that advances the security stamp.
    fn change_security(&mut self, id: &UserId, change: impl FnOnce(&mut Account)) -> bool {
        self.change(id, |account| {
            change(account);
            account.advance_stamp();
        })
    }

    /// Changes the rights of an account; the security stamp advances only if they differ. Commits the effects in either case.
    fn change_rights(&mut self, id: &UserId, effects: Pending, change: impl FnOnce(&mut User)) -> bool {
        let Some(before) = self.user(id).cloned() else { return false };
        let mut user = before.clone();
        change(&mut user);
        if user != before {
            self.change_security(id, |account| account.user = user);
        }
        self.commit(id, effects);
        true
    }

    /// Which of these names an account other than `own` has. The exact spelling of a username is always compared: an
    /// imported username may reserve nothing else, and the rules for canonical forms may have changed.
    fn taken(&self, own: Option<&UserId>, username: Option<WantedName<'_>>, email: Option<&Email>) -> Option<Taken> {
        let others = || self.accounts.values().filter(|account| Some(&account.user.id) != own);
        if username.is_some_and(|name| others().any(|account| name.is_of(account))) {
            Some(Taken::Username)
        } else if email.is_some_and(|email| others().any(|account| account.logs_in_with(email))) {
            Some(Taken::Email)
        } else {
            None
        }
    }

    /// The username that a change sets.
    fn wanted_name<'a>(&self, id: &UserId, change: &'a ProfileChange) -> Option<WantedName<'a>> {
        let name = change.username.as_ref()?;
        let is_exact_only = self.accounts.get(id).is_some_and(|account| account.reserves_only(name));
        Some(WantedName { name, is_exact_only })
    }
}

/// A username that must not be taken.
#[derive(Clone, Copy)]
struct WantedName<'a> {
    name: &'a Username,
    /// Whether it reserves only its exact spelling.
    is_exact_only: bool,
}

impl WantedName<'_> {
    fn is_of(self, account: &Account) -> bool {
        let is_same = account.reserves_canonical_name && account.username.canonical() == self.name.canonical();
        account.username.as_str() == self.name.as_str() || (is_same && !self.is_exact_only)
    }
}

/// Removes at most `limit` expired entries; returns how many.
fn prune<K: Eq + Hash, V>(all: &mut HashMap<K, V>, limit: u32, has_expired: impl Fn(&V) -> bool) -> usize {
    let (before, mut is_left) = (all.len(), keep_all_but(limit, has_expired));
    all.retain(|_, value| is_left(value));
    before - all.len()
}

/// A predicate for `retain` that keeps all but the first `limit` expired values.
fn keep_all_but<T>(limit: u32, has_expired: impl Fn(&T) -> bool) -> impl FnMut(&T) -> bool {
    let mut left = limit;
    move |value| {
        let is_removed = left > 0 && has_expired(value);
        left -= u32::from(is_removed);
        !is_removed
    }
}
