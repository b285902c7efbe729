//! The contract of invalidation feeds on both databases, and the behaviour of `DieselFeed` beyond it.

mod postgres;
mod sqlite;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_accounts::account::ProfileChange;
use auth_accounts::code::CodePurpose;
use auth_accounts::ports::{
    Accounts, Codes, EmailUpdate, IssueIf, NewPassword, PasswordUpdate, SecondFactors, VerifiedEmail,
};
use auth_accounts::second_factor::{Method, VerifiedFactor};
use auth_conformance::{
    FeedFixture, at, code_id, code_of, email, feed_cases, hash_of, new_email, new_user, session_id, session_of,
    successor_of,
};
use auth_core::effects::Effects;
use auth_core::ports::{Change, InvalidationFeed, KeptSession, Sessions, Swap};
use auth_core::token::{RevokeReason, Session, SessionId};
use auth_core::user::{User, UserId};
use auth_diesel::{DieselFeed, DieselStore, PoolSettings};
use diesel::connection::SimpleConnection;
use libtest_mimic::Trial;
use tokio::task::JoinSet;

use crate::database::{Database, Kind, is_unavailable, user_and_session};
use crate::{on, on_empty, on_reused};

pub(crate) fn trials(kind: Kind) -> Vec<Trial> {
    let mut trials: Vec<_> = feed_cases()
        .into_iter()
        .map(|case| {
            on_reused(kind, case.name, async move |database| {
                let (store, other) = two_processes(&database).await;
                let feeds = [Box::new(store.changes()) as _, Box::new(other.changes()) as _];
                (case.run)(FeedFixture { store: Arc::new(store), other: Arc::new(other), feeds }).await;
            })
        })
        .collect();
    trials.extend([
        on(kind, "reports_changes_by_sql", reports_changes_by_sql),
        on(kind, "reports_a_change_of_any_column", reports_a_change_of_any_column),
        on(kind, "does_not_report_a_lock_as_a_change", does_not_report_a_lock_as_a_change),
        on(kind, "reports_nothing_before_the_commit", reports_nothing_before_the_commit),
        on(kind, "reports_the_changes_of_many_writers", reports_the_changes_of_many_writers),
        on_empty(kind, "fails_until_the_tables_are_migrated", fails_until_the_tables_are_migrated),
        on(kind, "drops_changes_that_no_call_collects", drops_changes_that_no_call_collects),
    ]);
    trials.extend(match kind {
        Kind::Sqlite => sqlite::trials(),
        Kind::Postgres => postgres::trials(),
    });
    trials
}

/// More than a report may take, even on a busy machine.
const IN_TIME: Duration = Duration::from_secs(10);

async fn two_processes(database: &Database) -> (DieselStore, DieselStore) {
    let settings = PoolSettings { size: 4, ..PoolSettings::default() };
    (database.store(settings).await, database.store(settings).await)
}

/// Creates a feed and starts it.
async fn started_feed(store: &DieselStore) -> DieselFeed {
    let mut feed = store.changes();
    assert_eq!(feed.next().await.unwrap(), [Change::Gap]);
    feed
}

/// Creates an account with a session, and a feed that was started after both.
async fn fixture(database: &Database) -> (DieselStore, User, Session, DieselFeed) {
    let store = database.store(PoolSettings::default()).await;
    let (user, session) = user_and_session(&store).await;
    let feed = started_feed(&store).await;
    (store, user, session, feed)
}

fn changed(user: &User) -> Change {
    Change::AccountChanged(user.id.clone())
}

/// Waits until the feed works again. Until then every error is `Unavailable`; the first changes begin with a gap.
async fn assert_recovers(feed: &mut DieselFeed) {
    let deadline = Instant::now() + IN_TIME;
    loop {
        let answer = feed.next().await;
        if let Ok(changes) = &answer {
            assert_eq!(changes.first(), Some(&Change::Gap));
            return;
        }
        assert!(is_unavailable(&answer), "{answer:?}");
        assert!(Instant::now() < deadline, "the feed has not recovered: {answer:?}");
    }
}

/// Polls until the feed fails, and checks that no call takes too long.
async fn assert_fails(feed: &mut DieselFeed) {
    let deadline = Instant::now() + IN_TIME;
    loop {
        let start = Instant::now();
        let answer = feed.next().await;
        assert!(start.elapsed() < Duration::from_millis(1_500), "it took {:?}", start.elapsed());
        if answer.is_err() {
            assert!(is_unavailable(&answer), "{answer:?}");
            return;
        }
        assert!(Instant::now() < deadline, "the feed did not fail");
    }
}

async fn reports_changes_by_sql(database: Arc<Database>) {
    let (store, user, session, mut feed) = fixture(&database).await;
    let other = store.create(&new_user("other"), &hash_of("x")).await.unwrap().unwrap();
    let (a_moment, another, in_2100) = match &*database {
        Database::Sqlite(_) => ("1000000000000000", "2000000000000000", "4102444800000000"),
        Database::Postgres(_) => ("'2001-09-09T01:46:40Z'", "now()", "'2100-01-01T00:00:00Z'"),
    };
    let live = session_of(&user.id, session_id(70), at(0));
    assert!(store.start(&live, &user, None, &Effects::NONE).await.unwrap());
    for (sql, expected) in [
        ("UPDATE users SET is_active = is_active, token_epoch = token_epoch".to_owned(), vec![]),
        (format!("UPDATE users SET last_login = {a_moment}"), vec![]),
        ("UPDATE sessions SET revoked_at = NULL, generation = 3".to_owned(), vec![]),
        // A live session that is deleted, and others that have expired.
        (format!("UPDATE sessions SET expires_at = {in_2100}"), vec![]),
        (format!("DELETE FROM sessions WHERE id = {}", id_of(&database, live.id)), vec![Change::SessionEnded(live.id)]),
        (format!("UPDATE sessions SET revoked_at = {a_moment}"), vec![Change::SessionEnded(session.id)]),
        (format!("UPDATE sessions SET revoked_at = {another}"), vec![]),
        ("UPDATE users SET first_name = 'Alice'".to_owned(), vec![changed(&user), changed(&other)]),
        (
            format!("UPDATE users SET email_verified_at = {a_moment} WHERE id = {}", user.id.as_integer().unwrap()),
            vec![changed(&user)],
        ),
        (format!("DELETE FROM users WHERE id = {}", user.id.as_integer().unwrap()), vec![changed(&user)]),
        ("DELETE FROM users".to_owned(), vec![changed(&other)]),
    ] {
        database.query(&sql);
        // A statement changes its rows in any order.
        let reported: HashSet<_> = feed.next().await.unwrap().into_iter().collect();
        assert_eq!(reported, expected.into_iter().collect(), "{sql}");
    }
    if let Database::Postgres(_) = &*database {
        for table in ["sessions", "users CASCADE"] {
            database.query(&format!("TRUNCATE {table}"));
            assert_eq!(feed.next().await.unwrap()[0], Change::Gap);
        }
    }
}

fn id_of(database: &Database, id: SessionId) -> String {
    match database {
        Database::Sqlite(_) => format!("x'{id}'"),
        Database::Postgres(_) => format!("'{id}'"),
    }
}

/// This includes columns that a later migration adds.
async fn reports_a_change_of_any_column(database: Arc<Database>) {
    let (_, user, _, mut feed) = fixture(&database).await;
    database.query("DELETE FROM sessions");
    let columns = match &*database {
        Database::Sqlite(_) => "SELECT name || ' ' || type AS value FROM pragma_table_info('users')",
        Database::Postgres(_) => {
            "SELECT column_name || ' ' || data_type FROM information_schema.columns
             WHERE table_name = 'users' AND table_schema = 'public'"
        }
    };
    database.query("DELETE FROM credentials");
    let columns = database.query(columns);
    assert!(columns.len() >= 16, "{columns:?}");
    for column in columns {
        let (name, kind) = column.split_once(' ').unwrap();
        let value = match (name, kind) {
            ("id", _) => "id + 1000".to_owned(),
            (_, "boolean") => format!("NOT {name}"),
            (name, "INTEGER") if name.starts_with("is_") => format!("1 - {name}"),
            (_, "text" | "TEXT") => "'another'".to_owned(),
            (_, "INTEGER" | "bigint") => "5".to_owned(),
            (_, "timestamp with time zone") => "now()".to_owned(),
            _ => panic!("{column}"),
        };
        let is_silent = ["last_login", "username_canonical", "first_factor_at"].contains(&name);
        database.query(&format!("UPDATE users SET {name} = {value}"));
        let integer = user.id.as_integer().unwrap();
        // The columns that identify the user are set back, which is reported as a change of the user with the other ID.
        let (undo, other) = match name {
            "id" => (Some(format!("UPDATE users SET id = {integer}")), Some(UserId::Integer(integer + 1000))),
            "external_id" => {
                (Some("UPDATE users SET external_id = NULL".to_owned()), Some(UserId::parse("another").unwrap()))
            }
            _ => (None, None),
        };
        undo.iter().for_each(|undo| drop(database.query(undo)));
        let mut expected = if is_silent { vec![] } else { vec![changed(&user)] };
        expected.extend(other.map(Change::AccountChanged));
        assert_eq!(feed.next().await.unwrap(), expected, "{name}");
    }
}

async fn does_not_report_a_lock_as_a_change(database: Arc<Database>) {
    let (store, user, session, mut feed) = fixture(&database).await;
    let code = |number, purpose| code_of(&user.id, code_id(number), purpose, at(0));
    let (login, verification) = (code(1, CodePurpose::Login), code(2, CodePurpose::EmailVerification));
    for code in [&login, &verification] {
        assert!(store.issue(code, &Effects::NONE, &IssueIf::default()).await.unwrap());
    }
    assert!(store.redeem(login.id, VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
    store
        .update_profile(
            &user.id,
            &ProfileChange { effects: [new_email(9)].into_iter().collect(), ..Default::default() },
        )
        .await
        .unwrap();
    assert!(!store.remove_factors(&user.id, &[Method::Email], None, &Effects::NONE).await.unwrap());
    assert_eq!(feed.next().await.unwrap(), []);
    // A verified email address is a change.
    let verified = VerifiedEmail {
        user: user.id.clone(),
        code: verification.id,
        email: email(user.email.as_deref().unwrap()),
        is_change: false,
        only_at: None,
        effects: Effects::default(),
    };
    assert!(matches!(store.confirm_email(&verified, at(2).into()).await.unwrap(), EmailUpdate::Done(_)));
    assert_eq!(feed.next().await.unwrap(), [changed(&user)]);
    // A session that is kept is not reported as ended.
    let next = successor_of(&session, at(3));
    let keep = Some(KeptSession { id: session.id, from: session.generation, next });
    let new = NewPassword { keep, ..NewPassword::new(user.id.clone(), hash_of("new")) };
    assert_eq!(store.set_password(&new, at(3)).await.unwrap(), PasswordUpdate::Done);
    assert_eq!(feed.next().await.unwrap(), [changed(&user)]);
}

async fn reports_nothing_before_the_commit(database: Arc<Database>) {
    let (_, user, _, mut feed) = fixture(&database).await;
    let statements = ["UPDATE users SET is_staff = NOT is_staff", "UPDATE users SET first_name = 'x'"];
    let mut connection: Box<dyn FnMut(&str) + Send> = match &*database {
        Database::Sqlite(_) => {
            let mut connection = database.sqlite();
            Box::new(move |sql| connection.batch_execute(sql).unwrap())
        }
        Database::Postgres(_) => {
            let mut connection = database.postgres();
            Box::new(move |sql| connection.batch_execute(sql).unwrap())
        }
    };
    for (end, expected) in [("ROLLBACK", vec![]), ("COMMIT", vec![changed(&user)])] {
        connection("BEGIN");
        statements.iter().for_each(|statement| connection(statement));
        for _ in 0..3 {
            assert_eq!(feed.next().await.unwrap(), []);
        }
        connection(end);
        let reported: HashSet<_> = feed.next().await.unwrap().into_iter().collect();
        assert_eq!(reported, expected.into_iter().collect());
    }
}

/// Two processes start, rotate and revoke sessions; the feed of a third one reports the revocations.
async fn reports_the_changes_of_many_writers(database: Arc<Database>) {
    let (one, two) = two_processes(&database).await;
    let (user, _) = user_and_session(&one).await;
    let mut feed = started_feed(&database.store(PoolSettings::default()).await).await;
    let mut writers = JoinSet::new();
    for writer in 0..50_u64 {
        let (store, user) = (if writer % 2 == 0 { one.clone() } else { two.clone() }, user.clone());
        writers.spawn(async move {
            for number in 0..4 {
                let session = session_of(&user.id, session_id(1_000 * (writer + 1) + number), at(0));
                assert!(store.start(&session, &user, Some(at(1).into()), &Effects::NONE).await.unwrap());
                let next = successor_of(&session, at(1));
                assert_eq!(
                    store.advance(session.id, session.generation, next, &Effects::NONE).await.unwrap(),
                    Swap::Done
                );
                if number % 2 == 0 {
                    assert!(store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(2)).await.unwrap());
                }
            }
        });
    }
    let mut reported = HashSet::new();
    let deadline = Instant::now() + 6 * IN_TIME;
    while reported.len() < 100 {
        for change in feed.next().await.unwrap() {
            assert!(matches!(change, Change::SessionEnded(_)) && reported.insert(change.clone()), "{change:?}");
        }
        assert!(Instant::now() < deadline, "{} of 100 reports", reported.len());
    }
    writers.join_all().await;
    assert_eq!(feed.next().await.unwrap(), []);
    let ended = (0..50).flat_map(|writer| [0, 2].map(|number| session_id(1_000 * (writer + 1) + number)));
    assert_eq!(ended.map(Change::SessionEnded).collect::<HashSet<_>>(), reported);
}

async fn fails_until_the_tables_are_migrated(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let mut feed = store.changes();
    let error = feed.next().await.unwrap_err();
    let reason = std::error::Error::source(&error).unwrap().to_string();
    assert!(reason.contains("migrations") || reason.contains("no such table"), "{reason}");
    store.migrate().await.unwrap();
    assert_recovers(&mut feed).await;
}

async fn drops_changes_that_no_call_collects(database: Arc<Database>) {
    let (store, user, _, mut feed) = fixture(&database).await;
    for round in 0..12 {
        database.query(&match &*database {
            Database::Sqlite(_) => format!(
                "WITH RECURSIVE many(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 1000)
                 INSERT INTO changes (what) SELECT 'u:' || (n + {round} * 1000 + 1000) FROM many"
            ),
            Database::Postgres(_) => format!(
                "SELECT count(pg_notify('auth_changes', 'u:' || (n + {round} * 1000 + 1000)))
                 FROM generate_series(1, 1000) AS n"
            ),
        });
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    let answer = feed.next().await.unwrap();
    assert!(answer[0] == Change::Gap && answer.len() < 10_000, "{}", answer.len());
    assert!(store.set_staff(&user.id, true, &Effects::NONE).await.unwrap());
    assert_eq!(feed.next().await.unwrap(), [changed(&user)]);
}
