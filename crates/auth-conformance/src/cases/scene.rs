//! An account with all that may belong to it, and how all of it is now: to see that nothing was done.

use auth_core::account::{User, UserId};
use auth_core::code::{CodeId, CodePurpose, OneTimeCode};
use auth_core::mail::OutboxEntry;
use auth_core::password::PasswordHash;
use auth_core::ports::{IssueIf, Store};
use auth_core::second_factor::{Factors, Proof};
use auth_core::time::{Seconds, UnixTime};
use auth_core::token::{Session, SessionId};

use super::setting::{code_now, hash_now, issued, outbox, session_now, started, stored, user_now};
use crate::{at, code_id, code_of};

/// An account with two sessions, and an open code of every purpose.
pub(super) struct Scene<'a, S> {
    store: &'a S,
    pub(super) id: UserId,
    pub(super) sessions: [SessionId; 2],
}

/// An account and what belongs to it, at one moment.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Standing {
    pub(super) user: User,
    pub(super) hash: PasswordHash,
    pub(super) sessions: [Session; 2],
    pub(super) codes: Vec<OneTimeCode>,
    pub(super) factors: Factors,
    /// That of everybody.
    pub(super) outbox: Vec<OutboxEntry>,
}

impl<'a, S: Store> Scene<'a, S> {
    /// The account of this name, which is its password too.
    pub(super) async fn of(store: &'a S, name: &str) -> Self {
        let id = stored(store, name).await.id;
        let sessions = [started(store, id, numbered(id, 0)).await.id, started(store, id, numbered(id, 1)).await.id];
        for (place, purpose) in (0..).zip(CodePurpose::ALL) {
            issued(store, id, numbered(id, place), *purpose).await;
        }
        Self { store, id, sessions }
    }

    /// Its code of this purpose.
    pub(super) fn code(&self, purpose: CodePurpose) -> CodeId {
        let place = CodePurpose::ALL.iter().position(|other| *other == purpose).unwrap();
        code_id(numbered(self.id, place as u64))
    }

    /// How all of it is now.
    pub(super) async fn standing(&self) -> Standing {
        let user = user_now(self.store, self.id).await;
        let mut codes = Vec::new();
        for purpose in CodePurpose::ALL {
            codes.push(code_now(self.store, self.code(*purpose)).await);
        }
        let [one, two] = self.sessions;
        Standing {
            hash: hash_now(self.store, &user).await,
            user,
            sessions: [session_now(self.store, one).await, session_now(self.store, two).await],
            codes,
            factors: self.store.factors_of(self.id).await.unwrap(),
            outbox: outbox(self.store).await,
        }
    }
}

impl Standing {
    /// Which of the codes can still be used.
    pub(super) fn open(&self) -> Vec<CodePurpose> {
        self.codes.iter().filter(|code| code.consumed_at.is_none()).map(|code| code.purpose).collect()
    }
}

/// Names of sessions and codes that no two accounts share.
fn numbered(user: UserId, place: u64) -> u64 {
    1_000 * user.get().unsigned_abs() + place
}

/// Stores codes of an account that cannot be used at this moment, and one of another account; says what is wrong with
/// each of them. The last one was never stored.
pub(super) async fn unusable_codes(
    store: &impl Store,
    user: UserId,
    other: UserId,
    now: UnixTime,
) -> Vec<(&'static str, CodeId)> {
    // New ones of this purpose end no others.
    let code = |number| code_of(user, code_id(number), CodePurpose::Login, now);
    let too_far = OneTimeCode::MAX_SKEW.get() + 1;
    let codes = [
        ("used", code(1)),
        ("over", OneTimeCode { expires_at: now, ..code(2) }),
        ("to come", OneTimeCode { created_at: now.plus(Seconds::new(too_far)), ..code(3) }),
        ("another's", OneTimeCode { user_id: other, ..code(4) }),
    ];
    for (_, code) in &codes {
        assert!(store.issue(code, &[], &IssueIf::default()).await.unwrap());
    }
    assert!(store.redeem(code_id(1), Proof::Email, &[], at(0)).await.unwrap());
    let mut codes: Vec<_> = codes.into_iter().map(|(fault, code)| (fault, code.id)).collect();
    codes.push(("unknown", code_id(5)));
    codes
}

/// Codes of an account, not stored yet, that can just be used at this moment.
pub(super) fn usable_codes(user: UserId, now: UnixTime) -> [OneTimeCode; 3] {
    let code = |number| code_of(user, code_id(number), CodePurpose::Login, now);
    [
        OneTimeCode { expires_at: now.plus(Seconds::new(1)), created_at: at(0), ..code(11) },
        OneTimeCode { created_at: now.plus(OneTimeCode::MAX_SKEW), ..code(12) },
        code(13),
    ]
}

/// Tries a code as often as it can be.
pub(super) async fn exhaust(store: &impl Store, code: CodeId, now: UnixTime) {
    for _ in 0..OneTimeCode::MAX_ATTEMPTS {
        assert!(store.try_code(code, now).await.unwrap().is_some());
    }
}
