//! A user with sessions, codes and factors, and a snapshot of them to compare before and after a call.

use auth_accounts::code::{CodeId, CodePurpose, OneTimeCode};
use auth_accounts::email::OutboxEntry;
use auth_accounts::password::PasswordHash;
use auth_accounts::ports::{IssueIf, Store};
use auth_accounts::second_factor::{Factors, VerifiedFactor};
use auth_core::effects::Effects;
use auth_core::time::{Seconds, UnixTime};
use auth_core::token::{Session, SessionId};
use auth_core::user::{User, UserId};

use super::fixture::{code_now, hash_now, issued, number_of, outbox, session_now, started, stored, user_now};
use crate::{at, code_id, code_of};

/// A user with two sessions and an open code of every purpose.
pub(super) struct AccountFixture<'a> {
    store: &'a dyn Store,
    pub(super) id: UserId,
    pub(super) sessions: [SessionId; 2],
}

/// A user with the sessions, codes, factors and emails at one time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AccountState {
    pub(super) user: User,
    pub(super) hash: PasswordHash,
    pub(super) sessions: [Session; 2],
    pub(super) codes: Vec<OneTimeCode>,
    pub(super) factors: Factors,
    /// The whole outbox, of all users.
    pub(super) outbox: Vec<OutboxEntry>,
}

impl<'a> AccountFixture<'a> {
    /// Creates the user with this username, which is also the password.
    pub(super) async fn of(store: &'a dyn Store, name: &str) -> Self {
        let id = stored(store, name).await.id;
        let sessions = [started(store, &id, numbered(&id, 0)).await.id, started(store, &id, numbered(&id, 1)).await.id];
        for (index, purpose) in (0..).zip(CodePurpose::ALL) {
            issued(store, &id, numbered(&id, index), *purpose).await;
        }
        Self { store, id, sessions }
    }

    /// The ID of the user's code of this purpose.
    pub(super) fn code(&self, purpose: CodePurpose) -> CodeId {
        let index = CodePurpose::ALL.iter().position(|other| *other == purpose).unwrap();
        code_id(numbered(&self.id, index as u64))
    }

    /// The state as stored now.
    pub(super) async fn state(&self) -> AccountState {
        let user = user_now(self.store, &self.id).await;
        let mut codes = Vec::new();
        for purpose in CodePurpose::ALL {
            codes.push(code_now(self.store, self.code(*purpose)).await);
        }
        let [one, two] = self.sessions;
        AccountState {
            hash: hash_now(self.store, &user).await,
            user,
            sessions: [session_now(self.store, one).await, session_now(self.store, two).await],
            codes,
            factors: self.store.factors_of(&self.id).await.unwrap(),
            outbox: outbox(self.store).await,
        }
    }
}

impl AccountState {
    /// The purposes of the codes that have not been used or ended.
    pub(super) fn open(&self) -> Vec<CodePurpose> {
        self.codes.iter().filter(|code| code.consumed_at.is_none()).map(|code| code.purpose).collect()
    }
}

/// Numbers for session and code IDs that no two users share.
fn numbered(user: &UserId, index: u64) -> u64 {
    1_000 * number_of(user) + index
}

/// Stores codes of a user that cannot be used at `now`, and one of another user. Returns each with the reason; the last
/// one is not stored.
pub(super) async fn unusable_codes(
    store: &dyn Store,
    user: &UserId,
    other: UserId,
    now: UnixTime,
) -> Vec<(&'static str, CodeId)> {
    // A new code of this purpose does not end older ones.
    let code = |number| code_of(user, code_id(number), CodePurpose::Login, now);
    let too_far = OneTimeCode::MAX_SKEW.get() + 1;
    let codes = [
        ("used", code(1)),
        ("expired", OneTimeCode { expires_at: now, ..code(2) }),
        ("not valid yet", OneTimeCode { created_at: now.plus(Seconds::new(too_far)), ..code(3) }),
        ("of another user", OneTimeCode { user_id: other, ..code(4) }),
    ];
    for (_, code) in &codes {
        assert!(store.issue(code, &Effects::NONE, &IssueIf::default()).await.unwrap());
    }
    assert!(store.redeem(code_id(1), VerifiedFactor::Email, &Effects::NONE, at(0)).await.unwrap());
    let mut codes: Vec<_> = codes.into_iter().map(|(fault, code)| (fault, code.id)).collect();
    codes.push(("unknown", code_id(5)));
    codes
}

/// Codes of a user, not stored yet, that are just within their limits at `now`.
pub(super) fn usable_codes(user: &UserId, now: UnixTime) -> [OneTimeCode; 3] {
    let code = |number| code_of(user, code_id(number), CodePurpose::Login, now);
    [
        OneTimeCode { expires_at: now.plus(Seconds::new(1)), created_at: at(0), ..code(11) },
        OneTimeCode { created_at: now.plus(OneTimeCode::MAX_SKEW), ..code(12) },
        code(13),
    ]
}

/// Uses up the attempts of a code.
pub(super) async fn exhaust(store: &dyn Store, code: CodeId, now: UnixTime) {
    for _ in 0..OneTimeCode::MAX_ATTEMPTS {
        assert!(store.try_code(code, now).await.unwrap().is_some());
    }
}
