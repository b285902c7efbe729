//! Accounts: finding, changing and verifying email addresses.

use std::sync::Arc;

use auth_accounts::account::{NewUser, ProfileChange, Taken};
use auth_accounts::code::{CodeId, CodePurpose, OneTimeCode};
use auth_accounts::ports::{EmailUpdate, IssueIf, NewPassword, PasswordUpdate, ProfileUpdate, Store, VerifiedEmail};
use auth_core::effects::Effects;
use auth_core::time::Timestamp;
use auth_core::user::{SecurityStamp, User, UserId};
use macro_rules_attribute::apply;

use super::account_fixture::{AccountFixture, exhaust, unusable_codes, usable_codes};
use super::fixture::{by_email, code_now, created, effects, issued, queued, stored, user_now};
use crate::{at, code_id, email, hash_of, login_email, new_user, person_name, username};

const NOW: Timestamp = Timestamp::from_micros(1_000_000_060_123_457);

/// An email address verified by a code, with an email to enqueue.
fn verified(user: &UserId, code: CodeId, address: &str, is_change: bool) -> VerifiedEmail {
    VerifiedEmail { user: user.clone(), code, email: email(address), is_change, only_at: None, effects: effects(&[1]) }
}

fn moved(address: &str) -> ProfileChange {
    ProfileChange { email: Some(email(address)), ..ProfileChange::default() }
}

async fn assert_nothing_done(
    store: &dyn Store,
    fixture: &AccountFixture<'_>,
    verified: &VerifiedEmail,
    expected: &EmailUpdate,
    why: &str,
) {
    let verified = VerifiedEmail { effects: effects(&[99]), ..verified.clone() };
    let before = fixture.state().await;
    assert_eq!(store.confirm_email(&verified, NOW).await.unwrap(), *expected, "{why}");
    assert_eq!(fixture.state().await, before, "{why}");
}

#[apply(account_case!)]
async fn find_by_email_ignores_letter_case(store: Arc<dyn Store>) {
    let alice = created(&*store, &NewUser { email: login_email("Alice@Example.com"), ..new_user("alice") }).await;
    stored(&*store, "bob").await;
    let found = async |address: &str| store.find_by_email(&email(address)).await.unwrap();
    for spelling in ["Alice@Example.com", "alice@example.com", "ALICE@EXAMPLE.COM"] {
        assert_eq!(found(spelling).await.as_ref(), Some(&alice), "{spelling}");
    }
    for other in ["alic@example.com", "alice@example.org", "alice_@example.com", "a%@example.com", "_lice@example.com"]
    {
        assert_eq!(found(other).await, None, "{other}");
    }
    assert!(store.set_active(&alice.id, false, &Effects::NONE).await.unwrap());
    assert_eq!(
        found("alice@example.com").await,
        Some(User { is_active: false, security_stamp: SecurityStamp::new(1), ..alice.clone() })
    );
    assert!(matches!(
        store.update_profile(&alice.id, &moved("new@example.com")).await.unwrap(),
        ProfileUpdate::Done(_)
    ));
    assert_eq!(found("alice@example.com").await, None);
    assert_eq!(found("New@example.com").await.map(|user| user.id), Some(alice.id.clone()));
    assert!(store.delete(&alice.id, &Effects::NONE).await.unwrap());
    assert_eq!(found("new@example.com").await, None);
}

#[apply(account_case!)]
async fn a_changed_email_address_is_unverified_and_ends_all_open_codes(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let spared = AccountFixture::of(&*store, "other").await;
    let others = spared.state().await;
    let verifies = NewPassword {
        verifies: Some(email("alice@example.com")),
        ..NewPassword::new(fixture.id.clone(), hash_of("new"))
    };
    assert_eq!(store.set_password(&verifies, at(1)).await.unwrap(), PasswordUpdate::Done);
    for (number, purpose) in (0..).zip(CodePurpose::ALL) {
        let code = issued(&*store, &fixture.id, number, *purpose).await;
        assert_eq!(store.try_code(code.id, at(2)).await.unwrap().map(|code| code.attempts), Some(1));
    }
    let answer = store.update_profile(&fixture.id, &moved("new@example.com")).await.unwrap();
    let ProfileUpdate::Done(user) = answer else { panic!("{answer:?}") };
    assert_eq!((user.email.as_deref(), user.email_verified_at), (Some("new@example.com"), None));
    assert_eq!(user_now(&*store, &fixture.id).await, user);
    for (number, purpose) in (0..).zip(CodePurpose::ALL) {
        let id = code_id(number);
        assert!(code_now(&*store, id).await.consumed_at.is_some(), "{purpose:?}");
        assert_eq!(store.try_code(id, at(2)).await.unwrap(), None, "{purpose:?}");
    }
    assert_eq!(spared.state().await, others);
}

#[apply(account_case!)]
async fn a_profile_change_that_keeps_the_mailbox_ends_no_code(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let code = fixture.code(CodePurpose::EmailVerification);
    let verified =
        VerifiedEmail { effects: Effects::default(), ..verified(&fixture.id, code, "alice@example.com", false) };
    assert!(matches!(store.confirm_email(&verified, NOW).await.unwrap(), EmailUpdate::Done(_)));
    let before = fixture.state().await;
    let taken = stored(&*store, "other").await;
    for change in [
        ProfileChange::default(),
        moved("ALICE@Example.com"),
        ProfileChange {
            username: Some(username("Alicia")),
            first_name: Some(person_name("A")),
            ..moved("alice@example.com")
        },
        ProfileChange { email: taken.email.as_deref().map(email), ..ProfileChange::default() },
    ] {
        store.update_profile(&fixture.id, &change).await.unwrap();
        let after = fixture.state().await;
        assert_eq!(after.codes, before.codes, "{change:?}");
        assert_eq!(after.user.email_verified_at, Some(NOW), "{change:?}");
    }
}

#[apply(account_case!)]
async fn enqueues_emails_only_if_an_account_is_created_or_changed(store: Arc<dyn Store>) {
    let alice = created(&*store, &NewUser { effects: effects(&[1, 2]), ..new_user("alice") }).await;
    assert_eq!(queued(&*store).await, [1, 2]);
    let again = NewUser { effects: effects(&[3]), ..new_user("alice") };
    assert_eq!(store.create(&again, &hash_of("x")).await.unwrap(), Err(Taken::Username));
    let bob = created(&*store, &new_user("bob")).await;
    let taken = ProfileChange { effects: effects(&[4]), ..moved("alice@example.com") };
    assert_eq!(store.update_profile(&bob.id, &taken).await.unwrap(), ProfileUpdate::Taken(Taken::Email));
    assert_eq!(store.update_profile(&UserId::new(i64::MAX), &taken).await.unwrap(), ProfileUpdate::Gone);
    assert_eq!(queued(&*store).await, [1, 2]);
    let change = ProfileChange { effects: effects(&[5]), ..moved("new@example.com") };
    assert!(matches!(store.update_profile(&alice.id, &change).await.unwrap(), ProfileUpdate::Done(_)));
    assert_eq!(queued(&*store).await, [1, 2, 5]);
}

#[apply(account_case!)]
async fn a_code_verifies_the_email_address_of_its_account(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let spared = AccountFixture::of(&*store, "other").await;
    let (mut expected, others) = (fixture.state().await, spared.state().await);
    let code = fixture.code(CodePurpose::EmailVerification);
    let verified =
        VerifiedEmail { effects: Effects::default(), ..verified(&fixture.id, code, "ALICE@example.com", false) };

    let answer = store.confirm_email(&verified, NOW).await.unwrap();

    expected.user.email_verified_at = Some(NOW);
    assert_eq!(answer, EmailUpdate::Done(expected.user.clone()));
    let used = expected.codes.iter_mut().find(|other| other.id == code).unwrap();
    used.consumed_at = Some(NOW.unix());
    assert_eq!(fixture.state().await, expected, "all other codes are unchanged");
    assert_eq!(spared.state().await, others);
    assert_nothing_done(&*store, &fixture, &verified, &EmailUpdate::Overtaken, "used before").await;
}

#[apply(account_case!)]
async fn a_code_changes_the_email_address_of_its_account(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let before = fixture.state().await;
    let code = fixture.code(CodePurpose::EmailChange);
    let answer = store.confirm_email(&verified(&fixture.id, code, "New@Example.com", true), NOW).await.unwrap();
    let security_stamp = before.user.security_stamp.next();
    let address = Some("New@Example.com".to_owned());
    let expected = User { email: address, email_verified_at: Some(NOW), security_stamp, ..before.user };
    assert_eq!(answer, EmailUpdate::Done(expected.clone()));
    let after = fixture.state().await;
    assert_eq!((&after.user, &after.sessions, &after.hash), (&expected, &before.sessions, &before.hash));
    assert!(after.codes.iter().all(|code| code.consumed_at == Some(NOW.unix())), "{:?}", after.open());
    assert_eq!(queued(&*store).await, [1]);
    assert_eq!(by_email(&*store, "alice@example.com").await, None);
    assert_eq!(by_email(&*store, "New@Example.com").await, Some(expected));
    created(&*store, &NewUser { email: login_email("Alice@example.com"), ..new_user("heir") }).await; // The former email address is not taken.
    let same = NewUser { email: login_email("new@example.com"), ..new_user("another") };
    assert_eq!(store.create(&same, &hash_of("x")).await.unwrap(), Err(Taken::Email));
}

#[apply(account_case!)]
async fn refuses_to_verify_a_taken_email_address(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let other = stored(&*store, "other").await.id;
    let code = fixture.code(CodePurpose::EmailChange);
    let change = verified(&fixture.id, code, "Other@example.com", true);
    assert_nothing_done(&*store, &fixture, &change, &EmailUpdate::Taken, "taken").await;
    assert!(store.delete(&other, &Effects::NONE).await.unwrap());
    assert!(
        matches!(store.confirm_email(&change, NOW).await.unwrap(), EmailUpdate::Done(_)),
        "the code can still be used"
    );
}

#[apply(account_case!)]
async fn refuses_to_verify_a_former_email_address(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    stored(&*store, "other").await;
    let code = fixture.code(CodePurpose::EmailVerification);
    for former in ["former@example.com", "other@example.com"] {
        let verified = verified(&fixture.id, code, former, false);
        assert_nothing_done(&*store, &fixture, &verified, &EmailUpdate::Overtaken, former).await;
    }
}

#[apply(account_case!)]
async fn verifies_an_email_address_only_with_a_usable_code(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let other = stored(&*store, "other").await.id;
    for (fault, code) in unusable_codes(&*store, &fixture.id, other, NOW.unix()).await {
        for (address, is_change) in [("alice@example.com", false), ("new@example.com", true)] {
            let verified = verified(&fixture.id, code, address, is_change);
            assert_nothing_done(&*store, &fixture, &verified, &EmailUpdate::Overtaken, fault).await;
        }
    }
    let unknown_user =
        verified(&UserId::new(i64::MAX), fixture.code(CodePurpose::EmailChange), "new@example.com", true);
    assert_nothing_done(&*store, &fixture, &unknown_user, &EmailUpdate::Overtaken, "missing user").await;
    for (address, code) in
        ["a@example.com", "b@example.com", "c@example.com"].into_iter().zip(usable_codes(&fixture.id, NOW.unix()))
    {
        assert!(store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap());
        exhaust(&*store, code.id, NOW.unix()).await;
        let verified = VerifiedEmail { effects: Effects::default(), ..verified(&fixture.id, code.id, address, true) };
        assert!(matches!(store.confirm_email(&verified, NOW).await.unwrap(), EmailUpdate::Done(_)), "{code:?}");
        let used = OneTimeCode { attempts: 0, ..code_now(&*store, code.id).await };
        assert_eq!(used, OneTimeCode { consumed_at: Some(NOW.unix()), ..code });
    }
}
