//! Concurrent calls that need the same rows.

use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_accounts::account::ProfileChange;
use auth_accounts::code::CodePurpose;
use auth_accounts::ports::{Accounts, Attempts, Codes, IssueIf, NewPassword, Outbox, SecondFactors};
use auth_accounts::second_factor::{Method, NewFactor, VerifiedFactor};
use auth_accounts::throttle::{Admission, Attempt, Limit, LimitKey, Reduction};
use auth_conformance::{at, code_id, code_of, hash_of, new_email, person_name, session_id, session_of};
use auth_core::effects::Effects;
use auth_core::ports::Sessions;
use auth_core::time::Seconds;
use auth_core::token::{RevokeReason, SessionId};
use auth_core::user::User;
use auth_diesel::{DieselStore, PoolSettings};
use libtest_mimic::Trial;
use tokio::task::JoinSet;

use crate::database::{Database, Kind, user_and_session};
use crate::on;

pub(crate) fn trials(kind: Kind) -> Vec<Trial> {
    vec![
        on(kind, "concurrent_calls_for_one_account_do_not_deadlock", concurrent_calls_for_one_account_do_not_deadlock),
        on(kind, "concurrent_calls_for_the_same_limit_keys_do_not_deadlock", concurrent_calls_for_the_same_limit_keys),
        on(kind, "counting_attempts_touches_no_index", counting_attempts_touches_no_index),
    ]
}

/// Calls must lock their rows in one order. A deadlock would be resolved and retried, but only after a second.
async fn concurrent_calls_for_one_account_do_not_deadlock(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    for round in 0..15 {
        let (user, session) = in_round(&store, round).await;
        let mut calls = JoinSet::new();
        for index in 0..12 {
            let (store, user) = (store.clone(), user.clone());
            calls.spawn(async move { call(&store, &user, session, round, index).await });
        }
        calls.join_all().await;
        assert!(store.delete(&user.id, &Effects::NONE).await.unwrap());
    }
    assert_no_deadlocks(store, &database).await;
}

/// Creates an account with a session, codes and a second factor.
async fn in_round(store: &DieselStore, round: u64) -> (User, SessionId) {
    let (user, session) = user_and_session(store).await;
    for (index, purpose) in [CodePurpose::EmailEnrolment, CodePurpose::Login, CodePurpose::PasswordReset]
        .into_iter()
        .chain([CodePurpose::Login])
        .enumerate()
    {
        let id = code_id(10 * round + index as u64);
        assert!(
            store.issue(&code_of(&user.id, id, purpose, at(0)), &Effects::NONE, &IssueIf::default()).await.unwrap()
        );
    }
    (user, session.id)
}

async fn call(store: &DieselStore, user: &User, session: SessionId, round: u64, index: u64) {
    let (id, effects) = (user.id.clone(), [new_email(100 * round + index)].into_iter().collect::<Effects>());
    let code = |index| code_id(10 * round + index);
    match index {
        0 => drop(store.add_factor(&id, &NewFactor::Email, code(0), &[], &effects, at(1).into()).await.unwrap()),
        1 => drop(store.redeem(code(1), VerifiedFactor::Email, &effects, at(1)).await.unwrap()),
        2 => {
            let new = NewPassword { code: Some(code(2)), ..NewPassword::new(id, hash_of("new")) };
            store.set_password(&NewPassword { effects, ..new }, at(1)).await.unwrap();
        }
        3 => drop(store.try_code(code(3), at(1)).await.unwrap()),
        4 => drop(store.revoke(session, RevokeReason::Reuse, &effects, at(1)).await.unwrap()),
        5 => drop(store.revoke_all(&id, None, RevokeReason::LogoutAll, &Effects::NONE, at(1)).await.unwrap()),
        6 => drop(store.remove_factors(&id, &[Method::Email], None, &effects).await.unwrap()),
        7 => {
            let first_name = Some(person_name("Alice"));
            let change = ProfileChange { first_name, effects, ..ProfileChange::default() };
            store.update_profile(&id, &change).await.unwrap();
        }
        8 => {
            let reset = code_of(&id, code(8), CodePurpose::PasswordReset, at(1));
            store.issue(&reset, &effects, &IssueIf::default()).await.unwrap();
        }
        9 => {
            let another = session_of(&id, session_id(1_000 + round), at(1));
            store.start(&another, user, Some(at(1).into()), &Effects::NONE).await.unwrap();
        }
        10 => {
            while let Some(claimed) = store.claim(at(1), at(60)).await.unwrap() {
                store.delivered(claimed.email.id, claimed.attempt).await.unwrap();
            }
        }
        _ => drop(store.set_staff(&id, true, &Effects::NONE).await.unwrap()),
    }
}

const GENEROUS: Limit = Limit::Window { most: u32::MAX, window: Seconds::new(1_000) };

async fn concurrent_calls_for_the_same_limit_keys(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let limit_keys = ["a", "b", "c"].map(LimitKey::new);
    let mut calls = JoinSet::new();
    for number in 0..60 {
        let (store, mut limit_keys) = (store.clone(), limit_keys.to_vec());
        limit_keys.rotate_left(number % 3);
        calls.spawn(async move {
            let attempts: Vec<_> =
                limit_keys.iter().map(|limit_key| Attempt { limit_key: limit_key.clone(), limit: GENEROUS }).collect();
            assert_eq!(store.admit(&attempts, at(0)).await.unwrap(), Admission::Admitted);
            let all: Vec<_> = limit_keys.into_iter().map(|limit_key| (limit_key, Reduction::Refund)).collect();
            store.reduce(&all[..number % 4]).await.unwrap();
        });
    }
    calls.join_all().await;
    assert_no_deadlocks(store, &database).await;
}

/// Checked on PostgreSQL, which counts deadlocks.
async fn assert_no_deadlocks(store: DieselStore, database: &Database) {
    drop(store); // PostgreSQL reports its statistics when a session ends.
    let Database::Postgres(_) = database else { return };
    let others = "SELECT count(*) FROM pg_stat_activity
                  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'";
    let deadline = Instant::now() + Duration::from_secs(30);
    while database.query(others) != ["0"] {
        assert!(Instant::now() < deadline, "the connections of the store are still open");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(database.query(deadlocks), ["0"]);
}

/// An attacker who guesses passwords makes many attempts. They update one row in index.
async fn counting_attempts_touches_no_index(database: Arc<Database>) {
    const ATTEMPTS: usize = 1_000;
    let store = database.store(PoolSettings::default()).await;
    let attempt = Attempt { limit_key: LimitKey::new("a"), limit: GENEROUS };
    for number in 0..ATTEMPTS {
        assert_eq!(
            store.admit(std::slice::from_ref(&attempt), at(number as i64 / 2)).await.unwrap(),
            Admission::Admitted
        );
    }
    assert_eq!(database.count_rows()["login_attempts"], 1);
    if let Database::Postgres(_) = &*database {
        drop(store);
        let updates = 2 * ATTEMPTS as i64 - 1; // Each attempt locks and counts; the first one inserts.
        let heap_only = crate::diesel_store::wait_for_hot_updates(&database, "login_attempts", updates).await;
        assert!(heap_only >= updates * 9 / 10, "{heap_only} of {updates} updates were heap-only");
    }
}
