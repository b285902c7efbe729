//! Accounts: creating, finding and listing them.

use std::collections::BTreeSet;
use std::sync::Arc;

use auth_accounts::account::{LoginName, NewUser, NewUserId, Taken, Username, UsernameRules};
use auth_accounts::password::PasswordHash;
use auth_accounts::ports::{AccountPage, ListedUsers, Store};
use auth_core::effects::Effects;
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::Subject;
use auth_core::user::{SecurityStamp, StringId, User, UserId};
use macro_rules_attribute::apply;
use uuid::Uuid;

use super::fixture::{all_users, by_email, by_username, created, stored};
use crate::{BEGINNING, hash_of, login_email, new_user, person_name, username};

/// One character: four bytes in UTF-8, two code units in UTF-16.
const WIDE: &str = "\u{1F980}";

/// A username whose canonical form keeps the letter case.
fn cased(text: &str) -> Username {
    Username::parse(text, UsernameRules { plain_alphabet: false, ignore_case: false }).unwrap()
}

fn as_stored(new: &NewUser, id: &UserId) -> User {
    User {
        id: id.clone(),
        username: new.username.as_str().to_owned(),
        email: new.email.as_ref().map(|email| email.email().as_str().to_owned()),
        email_is_login_name: new.email.as_ref().is_some_and(|email| email.login_name().is_some()),
        first_name: new.first_name.as_str().to_owned(),
        last_name: new.last_name.as_str().to_owned(),
        is_active: true,
        is_staff: new.is_staff,
        is_superuser: new.is_superuser,
        groups: BTreeSet::new(),
        date_joined: new.date_joined,
        last_login: None,
        email_verified_at: new.email_verified_at,
        token_epoch: UnixTime::default(),
        multi_factor_since: None,
        security_stamp: SecurityStamp::default(),
    }
}

/// Creates the account and asserts that every lookup returns every field as given.
async fn assert_kept(store: &dyn Store, new: &NewUser, hash: &PasswordHash) {
    let user = store.create(new, hash).await.unwrap().unwrap();
    assert_eq!(user, as_stored(new, &user.id));
    assert_eq!(store.find_user(&user.id).await.unwrap().as_ref(), Some(&user));
    assert_eq!(store.find_by_subject(&Subject::Id(user.id.clone())).await.unwrap().as_ref(), Some(&user));
    assert_eq!(all_users(store).await.last(), Some(&user));
    let email = user.login_email().map(|email| LoginName::Email(email.to_owned()));
    for name in [LoginName::Username(user.username.clone())].into_iter().chain(email) {
        let (found, found_hash) = store.find_for_login(&name).await.unwrap().unwrap();
        assert_eq!(found, user);
        assert_eq!(found_hash.expose(), hash.expose());
    }
}

#[apply(account_case!)]
async fn stores_every_field_of_an_account(store: Arc<dyn Store>) {
    let new = NewUser {
        id: NewUserId::Next,
        username: username("Zo\u{EB} O'Neil; \"%_\\\" <\u{674E}>"),
        email: login_email("Zoe.O'Neil+%_@Example.com"),
        first_name: person_name(" Zoe\u{308} "),
        last_name: person_name("O'Neil-\u{D1}u\u{F1}ez \u{674E}"),
        is_staff: true,
        is_superuser: false,
        is_imported: false,
        date_joined: Timestamp::from_micros(1_000_000_000_123_457),
        email_verified_at: Some(Timestamp::from_micros(1_000_000_000_123_458)),
        effects: Effects::default(),
    };
    assert_kept(&*store, &new, &PasswordHash::new("$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA+/=")).await;
}

#[apply(account_case!)]
async fn stores_the_extreme_values_of_an_account(store: Arc<dyn Store>) {
    let domain = ["b".repeat(60), "c".repeat(60), "d".repeat(60), "example".to_owned()].join(".");
    let longest = NewUser {
        id: NewUserId::Next,
        username: username(&WIDE.repeat(Username::MAX_CHARS)),
        email: login_email(&format!("{}@{domain}", "A".repeat(63))),
        first_name: person_name(&WIDE.repeat(150)),
        last_name: person_name(&WIDE.repeat(150)),
        is_staff: false,
        is_superuser: true,
        is_imported: false,
        // 9999-12-31T23:59:59.999999Z.
        date_joined: Timestamp::from_micros(UnixTime::MAX.seconds() * 1_000_000 + 999_999),
        email_verified_at: Some(Timestamp::from_micros(UnixTime::MAX.seconds() * 1_000_000 + 999_999)),
        effects: Effects::default(),
    };
    assert_eq!(longest.email.as_ref().unwrap().email().as_str().len(), 254);
    assert_kept(&*store, &longest, &PasswordHash::new("$".repeat(1_100))).await;
    let shortest = NewUser {
        username: username("x"),
        email: login_email("a@b.cd"),
        first_name: person_name(""),
        last_name: person_name(""),
        date_joined: Timestamp::from_micros(0),
        email_verified_at: Some(Timestamp::from_micros(0)),
        ..longest
    };
    assert_kept(&*store, &shortest, &PasswordHash::new("!")).await;
}

#[apply(account_case!)]
async fn stores_a_username_with_a_long_canonical_form(store: Arc<dyn Store>) {
    // A single character whose compatibility form (NFKC) has eighteen.
    let name = "\u{FDFA}".repeat(Username::MAX_CHARS);
    let long = NewUser { username: username(&name), ..new_user("long") };
    assert_kept(&*store, &long, &hash_of("x")).await;
    let again = NewUser { email: login_email("other@example.com"), ..long };
    assert_eq!(store.create(&again, &hash_of("x")).await.unwrap(), Err(Taken::Username));
}

#[apply(account_case!)]
async fn a_new_account_has_the_given_rights(store: Arc<dyn Store>) {
    for (name, is_staff, is_superuser) in
        [("a", false, false), ("b", true, false), ("c", false, true), ("d", true, true)]
    {
        let user = created(&*store, &NewUser { is_staff, is_superuser, ..new_user(name) }).await;
        assert_eq!((user.is_active, user.is_staff, user.is_superuser), (true, is_staff, is_superuser));
    }
}

#[apply(account_case!)]
async fn a_username_with_the_same_canonical_form_is_taken(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    for look_alike in ["alice", "ALICE", "\u{FF41}\u{FF4C}\u{FF49}\u{FF43}\u{FF45}", "ali\u{200B}ce"] {
        let second = NewUser { username: username(look_alike), ..new_user("second") };
        assert_eq!(store.create(&second, &hash_of("x")).await.unwrap(), Err(Taken::Username), "{look_alike:?}");
    }
    // Nothing was stored: neither the account nor a reservation of its email address.
    assert_eq!(all_users(&*store).await, [alice]);
    stored(&*store, "second").await;
}

#[apply(account_case!)]
async fn an_email_address_with_the_same_canonical_form_is_taken(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    for same in ["alice@example.com", "Alice@EXAMPLE.com"] {
        let second = NewUser { email: login_email(same), ..new_user("second") };
        assert_eq!(store.create(&second, &hash_of("x")).await.unwrap(), Err(Taken::Email), "{same:?}");
    }
    assert_eq!(all_users(&*store).await, [alice]);
    stored(&*store, "second").await;
}

#[apply(account_case!)]
async fn reports_the_username_if_both_names_are_taken(store: Arc<dyn Store>) {
    stored(&*store, "alice").await;
    stored(&*store, "bob").await;
    assert_eq!(store.create(&new_user("ALICE"), &hash_of("x")).await.unwrap(), Err(Taken::Username));
    for (name, address) in [("alice", "bob@example.com"), ("bob", "alice@example.com")] {
        let of_both = NewUser { email: login_email(address), ..new_user(name) };
        assert_eq!(store.create(&of_both, &hash_of("x")).await.unwrap(), Err(Taken::Username));
    }
}

#[apply(account_case!)]
async fn usernames_with_different_canonical_forms_are_distinct(store: Arc<dyn Store>) {
    let lower = created(&*store, &NewUser { username: cased("alice"), ..new_user("one") }).await;
    let upper = created(&*store, &NewUser { username: cased("Alice"), ..new_user("two") }).await;
    assert_eq!(by_username(&*store, "alice").await, Some(lower));
    assert_eq!(by_username(&*store, "Alice").await, Some(upper));
}

/// The rules for canonical forms may change between two registrations. A username must still belong to one account
/// only.
#[apply(account_case!)]
async fn an_identical_username_is_taken_under_any_rules(store: Arc<dyn Store>) {
    let kept = NewUser { username: cased("Alice"), ..new_user("one") };
    let user = created(&*store, &kept).await;
    let folded = NewUser { username: username("Alice"), ..new_user("two") };
    assert_ne!(kept.username.canonical(), folded.username.canonical());
    assert_eq!(store.create(&folded, &hash_of("x")).await.unwrap(), Err(Taken::Username));
    assert_eq!(by_username(&*store, "Alice").await, Some(user));
}

#[apply(account_case!)]
async fn an_unknown_id_finds_no_user(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    let next = alice.id.as_integer().unwrap() + 1;
    let integers = [0, -1, next, i64::MAX, i64::MIN].map(UserId::new);
    let others = ["-1", "01", "alice", "' OR 1=1 --", "00000000-0000-0000-0000-000000000001"];
    for id in integers.into_iter().chain(others.map(|text| UserId::parse(text).unwrap())) {
        assert_eq!(store.find_user(&id).await.unwrap(), None, "{id}");
        assert_eq!(store.find_by_subject(&Subject::Id(id.clone())).await.unwrap(), None, "{id}");
    }
}

/// Tokens identify a user by the user ID. Those of a deleted user must not be valid for another.
#[apply(account_case!)]
async fn the_id_of_a_deleted_account_is_not_assigned_again(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    assert!(store.delete(&alice.id, &Effects::NONE).await.unwrap());
    let bob = stored(&*store, "bob").await;
    assert_ne!(bob.id, alice.id);
    assert_eq!(store.find_user(&alice.id).await.unwrap(), None);
}

#[apply(account_case!)]
async fn a_login_name_is_compared_exactly(store: Arc<dyn Store>) {
    let alice = stored(&*store, "Alice").await;
    stored(&*store, "bob").await;
    assert_eq!(by_username(&*store, "Alice").await.as_ref(), Some(&alice));
    assert_eq!(by_email(&*store, "Alice@example.com").await.as_ref(), Some(&alice));
    let full_width = "\u{FF21}\u{FF4C}\u{FF49}\u{FF43}\u{FF45}";
    for other in ["alice", "ALICE", "Alice ", " Alice", "Alic", "A%", "_lice", full_width, "", "Alice@example.com"] {
        assert_eq!(by_username(&*store, other).await, None, "{other:?}");
    }
    for other in ["alice@example.com", "Alice@Example.com", "Alice@example.com ", "%", "", "Alice"] {
        assert_eq!(by_email(&*store, other).await, None, "{other:?}");
    }
}

/// An arbitrary string from a login form matches no account and is never an error.
#[apply(account_case!)]
async fn a_login_name_may_be_any_string(store: Arc<dyn Store>) {
    stored(&*store, "alice").await;
    let long = "x".repeat(100_000);
    for text in ["alice\0", "\0", "' OR ''='", "\\", "\u{FFFF}\u{10FFFF}", "\r\n\u{1b}", &long] {
        assert_eq!(by_username(&*store, text).await, None, "{:?}", &text[..1]);
        assert_eq!(by_email(&*store, text).await, None, "{:?}", &text[..1]);
    }
}

#[apply(account_case!)]
async fn an_inactive_account_is_found_for_login(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    assert!(store.set_active(&alice.id, false, &Effects::NONE).await.unwrap());
    let inactive = User { is_active: false, security_stamp: SecurityStamp::new(1), ..alice };
    assert_eq!(by_username(&*store, "alice").await.as_ref(), Some(&inactive));
    assert_eq!(by_email(&*store, "alice@example.com").await.as_ref(), Some(&inactive));
}

#[apply(account_case!)]
async fn lists_accounts_in_pages_in_order_of_creation(store: Arc<dyn Store>) {
    let page = async |after, limit| {
        let ListedUsers { users, end } = store.list(AccountPage { after, limit }).await.unwrap();
        assert_eq!(end.is_some(), !users.is_empty());
        (users, end)
    };
    assert_eq!(page(None, 10).await.0, []);
    let mut all = Vec::new();
    let ids = [NewUserId::Next, uuid(7), NewUserId::Next, uuid(3), NewUserId::String(StringId::parse("a|b").unwrap())];
    for (name, id) in ["eve", "dan", "cid", "bob", "amy"].into_iter().zip(ids) {
        all.push(created(&*store, &NewUser { id, ..new_user(name) }).await);
    }
    assert_eq!(page(None, 5).await.0, all);
    assert_eq!(page(None, u32::MAX).await.0, all);
    assert_eq!(page(None, 0).await.0, []);
    let (users, two) = page(None, 2).await;
    assert_eq!(users, all[..2]);
    let (users, four) = page(two, 2).await;
    assert_eq!(users, all[2..4]);
    let (users, five) = page(four, 2).await;
    assert_eq!(users, all[4..]);
    assert_eq!(page(five, 2).await.0, []);
    // The last account of a page may be deleted before the next page is read.
    assert!(store.delete(&all[1].id, &Effects::NONE).await.unwrap());
    assert_eq!(page(two, 2).await.0, all[2..4]);
}

fn uuid(number: u128) -> NewUserId {
    NewUserId::Uuid(Uuid::from_u128(number))
}

#[apply(account_case!)]
async fn has_superuser_until_the_last_one_is_demoted_or_deleted(store: Arc<dyn Store>) {
    let superuser = |name| NewUser { is_superuser: true, date_joined: BEGINNING.into(), ..new_user(name) };
    assert!(!store.has_superuser().await.unwrap());
    created(&*store, &NewUser { is_staff: true, ..new_user("staff") }).await;
    assert!(!store.has_superuser().await.unwrap());
    let one = created(&*store, &superuser("one")).await;
    let two = created(&*store, &superuser("two")).await;
    assert!(store.has_superuser().await.unwrap());
    assert!(store.set_staff(&one.id, false, &Effects::NONE).await.unwrap());
    assert!(store.set_active(&two.id, false, &Effects::NONE).await.unwrap());
    assert!(store.has_superuser().await.unwrap(), "an inactive superuser counts");
    assert!(store.delete(&two.id, &Effects::NONE).await.unwrap());
    assert!(!store.has_superuser().await.unwrap());
}
