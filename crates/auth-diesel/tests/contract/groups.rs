//! Group changes by SQL and by concurrent calls: they are read with the users and reported by the feed.

use std::collections::HashSet;
use std::sync::Arc;

use auth_accounts::ports::Accounts;
use auth_conformance::{hash_of, new_user};
use auth_core::effects::Effects;
use auth_core::ports::{Change, InvalidationFeed};
use auth_core::user::{GroupName, User};
use auth_diesel::{DieselStore, PoolSettings};
use libtest_mimic::Trial;

use crate::database::{Database, Kind};
use crate::on;

pub(crate) fn trials(kind: Kind) -> Vec<Trial> {
    let mut trials = vec![
        on(kind, "reads_and_reports_group_changes_by_sql", reads_and_reports_group_changes_by_sql),
        on(kind, "keeps_groups_without_members", keeps_groups_without_members),
        on(
            kind,
            "refuses_group_names_with_a_separator_and_empty_ones",
            refuses_group_names_with_a_separator_and_empty_ones,
        ),
        on(
            kind,
            "concurrent_calls_do_not_mix_the_groups_that_they_set",
            concurrent_calls_do_not_mix_the_groups_that_they_set,
        ),
    ];
    if kind == Kind::Postgres {
        let name = "concurrent_additions_by_sql_lose_no_group";
        trials.push(on(kind, name, concurrent_additions_by_sql_lose_no_group));
        let name = "deleting_a_group_while_a_user_joins_it_stays_consistent";
        trials.push(on(kind, name, deleting_a_group_while_a_user_joins_it_stays_consistent));
    }
    trials
}

fn integer(user: &User) -> i64 {
    user.id.as_integer().unwrap()
}

async fn groups_of(store: &DieselStore, user: &User) -> Vec<String> {
    let user = store.find_user(&user.id).await.unwrap().unwrap();
    user.groups.iter().map(|name| name.as_str().to_owned()).collect()
}

async fn set_groups(store: &DieselStore, user: &User, names: &[&str]) {
    let groups = names.iter().map(|name| GroupName::parse(name).unwrap()).collect();
    assert!(store.set_groups(&user.id, &groups, &Effects::NONE).await.unwrap());
}

async fn reads_and_reports_group_changes_by_sql(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let alice = store.create(&new_user("alice"), &hash_of("x")).await.unwrap().unwrap();
    let bob = store.create(&new_user("bob"), &hash_of("x")).await.unwrap().unwrap();
    set_groups(&store, &alice, &["chief editors", "writers"]).await;
    let mut feed = store.changes();
    assert_eq!(feed.next().await.unwrap(), [Change::Gap]);
    let id = |name: &str| format!("(SELECT id FROM groups WHERE name = '{name}')");
    let (a, b) = (integer(&alice), integer(&bob));
    let mut steps = vec![
        ("INSERT INTO groups (name) VALUES ('readers')".to_owned(), vec![], ["chief editors,writers", ""]),
        (
            format!("INSERT INTO user_groups (user_id, group_id) SELECT {b}, id FROM groups"),
            vec![b],
            ["chief editors,writers", "chief editors,readers,writers"],
        ),
        (
            "UPDATE groups SET name = 'editors' WHERE name = 'chief editors'".to_owned(),
            vec![a, b],
            ["editors,writers", "editors,readers,writers"],
        ),
        ("UPDATE groups SET name = name".to_owned(), vec![], ["editors,writers", "editors,readers,writers"]),
        (
            format!("DELETE FROM user_groups WHERE user_id = {b} AND group_id = {}", id("editors")),
            vec![b],
            ["editors,writers", "readers,writers"],
        ),
        ("DELETE FROM groups WHERE name = 'writers'".to_owned(), vec![a, b], ["editors", "readers"]),
        (format!("UPDATE user_groups SET user_id = {b} WHERE user_id = {a}"), vec![a, b], ["", "editors,readers"]),
        (
            format!("UPDATE user_groups SET user_id = {a} WHERE group_id = {}", id("readers")),
            vec![a, b],
            ["readers", "editors"],
        ),
    ];
    if let Database::Postgres(_) = &*database {
        steps.push(("TRUNCATE groups CASCADE".to_owned(), vec![a, b], ["", ""]));
    } else {
        steps.push(("DELETE FROM groups".to_owned(), vec![a, b], ["", ""]));
    }
    for (sql, changed, expected) in steps {
        database.query(&sql);
        assert_eq!(
            [groups_of(&store, &alice).await.join(","), groups_of(&store, &bob).await.join(",")],
            expected,
            "{sql}"
        );
        let reported: HashSet<_> = feed.next().await.unwrap().into_iter().collect();
        let of_user = |id| Change::AccountChanged(auth_core::user::UserId::new(id));
        assert_eq!(reported, changed.into_iter().map(of_user).collect(), "{sql}");
    }
    // Setting groups through the port afterwards replaces what SQL has set.
    set_groups(&store, &bob, &["editors"]).await;
    assert_eq!(groups_of(&store, &bob).await, ["editors"]);
}

async fn keeps_groups_without_members(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let alice = store.create(&new_user("alice"), &hash_of("x")).await.unwrap().unwrap();
    let bob = store.create(&new_user("bob"), &hash_of("x")).await.unwrap().unwrap();
    set_groups(&store, &alice, &["editors", "writers"]).await;
    set_groups(&store, &bob, &["writers"]).await;
    assert!(store.delete(&alice.id, &Effects::NONE).await.unwrap());
    let members =
        "SELECT CAST(user_id AS text) || ' ' || name AS value FROM user_groups, groups WHERE groups.id = group_id";
    assert_eq!(database.query(members), [format!("{} writers", bob.id)]);
    set_groups(&store, &bob, &[]).await;
    assert_eq!(database.query("SELECT name AS value FROM groups ORDER BY name"), ["editors", "writers"]);
    assert!(database.query(members).is_empty());
    // Setting groups of a user that does not exist creates no group.
    assert!(!store.set_groups(&alice.id, &[GroupName::parse("ghosts").unwrap()].into(), &Effects::NONE).await.unwrap());
    assert_eq!(database.query("SELECT name AS value FROM groups ORDER BY name"), ["editors", "writers"]);
}

async fn refuses_group_names_with_a_separator_and_empty_ones(database: Arc<Database>) {
    let line_feed = match &*database {
        Database::Sqlite(_) => "char(10)",
        Database::Postgres(_) => "chr(10)",
    };
    for name in [format!("'a' || {line_feed} || 'b'"), "''".to_owned()] {
        let insert = format!("INSERT INTO groups (name) VALUES ({name})");
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| database.query(&insert)));
        assert!(outcome.is_err() || database.query("SELECT name AS value FROM groups").is_empty(), "{name}");
    }
}

async fn concurrent_calls_do_not_mix_the_groups_that_they_set(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let other = database.store(PoolSettings::default()).await;
    let alice = store.create(&new_user("alice"), &hash_of("x")).await.unwrap().unwrap();
    for _ in 0..8 {
        let (one, two) = (["a", "b", "c"], ["c", "b", "d"]);
        tokio::join!(set_groups(&store, &alice, &one), set_groups(&other, &alice, &two));
        let found = groups_of(&store, &alice).await;
        assert!(found == ["a", "b", "c"] || found == ["b", "c", "d"], "{found:?}");
        let members = "SELECT name AS value FROM user_groups, groups WHERE groups.id = group_id ORDER BY name";
        assert_eq!(database.query(members), found);
    }
}

/// Each transaction copies the names of the groups that it sees, and must therefore wait for the others to commit.
async fn concurrent_additions_by_sql_lose_no_group(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let alice = store.create(&new_user("alice"), &hash_of("x")).await.unwrap().unwrap();
    let names: Vec<String> = (0..8).map(|number| format!("group {number}")).collect();
    let adders = names.iter().map(|name| {
        let (database, name, id) = (Arc::clone(&database), name.clone(), integer(&alice));
        std::thread::spawn(move || {
            database.query(&format!(
                "WITH added AS (INSERT INTO groups (name) VALUES ('{name}') RETURNING id)
                 INSERT INTO user_groups (user_id, group_id) SELECT {id}, id FROM added"
            ))
        })
    });
    for adder in adders.collect::<Vec<_>>() {
        adder.join().unwrap();
    }
    assert_eq!(groups_of(&store, &alice).await, names);
}

async fn deleting_a_group_while_a_user_joins_it_stays_consistent(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let alice = store.create(&new_user("alice"), &hash_of("x")).await.unwrap().unwrap();
    for _ in 0..8 {
        let deletion = {
            let database = Arc::clone(&database);
            std::thread::spawn(move || database.query("DELETE FROM groups WHERE name = 'a'"))
        };
        set_groups(&store, &alice, &["a", "b"]).await;
        deletion.join().unwrap();
        let members = "SELECT name FROM user_groups, groups WHERE groups.id = group_id ORDER BY name";
        assert_eq!(groups_of(&store, &alice).await, database.query(members));
    }
}
