//! Accounts without an email address, and accounts whose email address is only a contact.

use std::sync::Arc;

use auth_accounts::account::{LoginName, NewEmail, NewUser, ProfileChange, Taken};
use auth_accounts::code::CodePurpose;
use auth_accounts::ports::{EmailUpdate, IssueIf, NewPassword, PasswordUpdate, ProfileUpdate, Store, VerifiedEmail};
use auth_accounts::second_factor::{Method, NewFactor};
use auth_core::effects::Effects;
use auth_core::token::Subject;
use auth_core::user::User;
use macro_rules_attribute::apply;

use super::fixture::{all_users, by_email, by_username, code_now, created, enrolled, issued, stored, totp, user_now};
use crate::{at, code_id, code_of, email, hash_of, login_email, mac, new_user};

async fn without_email(store: &dyn Store, name: &str) -> User {
    created(store, &NewUser { email: None, ..new_user(name) }).await
}

fn with_contact(name: &str, address: &str) -> NewUser {
    NewUser { email: Some(NewEmail::Contact(email(address))), ..new_user(name) }
}

fn moved(address: &str) -> ProfileChange {
    ProfileChange { email: Some(email(address)), ..ProfileChange::default() }
}

/// Asserts which user every lookup by this email address finds.
async fn assert_found(store: &dyn Store, address: &str, expected: Option<&User>) {
    assert_eq!(store.find_by_email(&email(address)).await.unwrap().as_ref(), expected);
    assert_eq!(by_email(store, address).await.as_ref(), expected);
    assert_eq!(store.find_by_subject(&Subject::Email(address.to_owned())).await.unwrap().as_ref(), expected);
}

#[apply(account_case!)]
async fn many_accounts_may_have_no_email_address(store: Arc<dyn Store>) {
    let mut users = Vec::new();
    for name in ["amy", "bob", "cid"] {
        let user = without_email(&*store, name).await;
        assert_eq!((&user.email, user.email_is_login_name), (&None, false));
        assert_eq!(user_now(&*store, &user.id).await, user);
        assert_eq!(by_username(&*store, name).await.as_ref(), Some(&user));
        users.push(user);
    }
    assert_eq!(all_users(&*store).await, users);
    for text in ["", "None", "null", "amy"] {
        assert_eq!(store.find_for_login(&LoginName::Email(text.to_owned())).await.unwrap(), None, "{text:?}");
        assert_eq!(store.find_by_subject(&Subject::Email(text.to_owned())).await.unwrap(), None, "{text:?}");
    }
}

#[apply(account_case!)]
async fn a_contact_finds_no_user_but_one_who_logs_in_with_it(store: Arc<dyn Store>) {
    let before = created(&*store, &with_contact("before", "alice@example.com")).await;
    assert_eq!((before.email.as_deref(), before.email_is_login_name), (Some("alice@example.com"), false));
    assert_found(&*store, "alice@example.com", None).await;
    let alice = stored(&*store, "alice").await;
    let after = created(&*store, &with_contact("after", "alice@example.com")).await;
    let respelt = created(&*store, &with_contact("respelt", "ALICE@example.com")).await;
    assert_found(&*store, "alice@example.com", Some(&alice)).await;
    assert_eq!(by_email(&*store, "ALICE@example.com").await, None, "a login name is compared exactly");
    let second = NewUser { email: login_email("Alice@example.com"), ..new_user("second") };
    assert_eq!(store.create(&second, &hash_of("x")).await.unwrap(), Err(Taken::Email));
    assert_eq!(all_users(&*store).await, [before.clone(), alice.clone(), after, respelt]);
    assert!(store.delete(&alice.id, &Effects::NONE).await.unwrap());
    assert_found(&*store, "alice@example.com", None).await;
    // The contacts have not reserved the email address.
    let heir = created(&*store, &NewUser { email: login_email("alice@example.com"), ..new_user("heir") }).await;
    assert_found(&*store, "alice@example.com", Some(&heir)).await;
    assert_eq!(user_now(&*store, &before.id).await, before);
}

/// This counts as a change even if the spelling is the same: the verification of a contact does not verify a login
/// name.
#[apply(account_case!)]
async fn turning_a_contact_into_a_login_name_is_a_change(store: Arc<dyn Store>) {
    let verified = Some(at(0).into());
    let contact = NewUser { email_verified_at: verified, ..with_contact("contact", "info@example.com") };
    let contact = created(&*store, &contact).await;
    let none = without_email(&*store, "none").await;
    let other = created(&*store, &with_contact("other", "info@example.com")).await;
    for (number, user, address) in [(1, contact, "info@example.com"), (2, none, "none@example.com")] {
        let code = issued(&*store, &user.id, number, CodePurpose::PasswordReset).await.id;
        let ProfileUpdate::Done(now) = store.update_profile(&user.id, &moved(address)).await.unwrap() else { panic!() };
        let expected = User {
            email: Some(address.to_owned()),
            email_is_login_name: true,
            email_verified_at: None,
            security_stamp: user.security_stamp.next(),
            ..user
        };
        assert_eq!(now, expected);
        assert_found(&*store, address, Some(&expected)).await;
        assert!(code_now(&*store, code).await.consumed_at.is_some());
    }
    assert_eq!(
        store.update_profile(&other.id, &moved("info@example.com")).await.unwrap(),
        ProfileUpdate::Taken(Taken::Email)
    );
    assert_eq!(user_now(&*store, &other.id).await, other);
}

#[apply(account_case!)]
async fn verifying_a_login_name_does_not_verify_a_contact(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    let contact = created(&*store, &with_contact("contact", "alice@example.com")).await;
    let none = without_email(&*store, "none").await;
    for (number, user) in [(1, &contact), (2, &none)] {
        let code = issued(&*store, &user.id, number, CodePurpose::EmailVerification).await.id;
        let verified = VerifiedEmail {
            user: user.id.clone(),
            code,
            email: email("alice@example.com"),
            is_change: false,
            only_at: None,
            effects: Effects::default(),
        };
        assert_eq!(store.confirm_email(&verified, at(1).into()).await.unwrap(), EmailUpdate::Overtaken);
        // Nor can it be changed to the login name of another user.
        let change = VerifiedEmail { is_change: true, ..verified };
        assert_eq!(store.confirm_email(&change, at(1).into()).await.unwrap(), EmailUpdate::Taken);
        assert_eq!(user_now(&*store, &user.id).await, *user);
        // The new password is set, but neither verifies the email address nor removes the factors.
        enrolled(&*store, &user.id, &totp(1), &[mac(1)]).await;
        let verifies = Some(email("alice@example.com"));
        let new = NewPassword { verifies, ..NewPassword::new(user.id.clone(), hash_of("new")) };
        let removing = NewPassword { removes: vec![Method::Totp], ..new.clone() };
        assert_eq!(store.set_password(&removing, at(2)).await.unwrap(), PasswordUpdate::Overtaken);
        assert_eq!(store.set_password(&new, at(2)).await.unwrap(), PasswordUpdate::Done);
        assert_eq!(user_now(&*store, &user.id).await.email_verified_at, None);
        assert!(store.factors_of(&user.id).await.unwrap().has(Method::Totp));
    }
    assert_eq!(user_now(&*store, &alice.id).await, alice);
}

#[apply(account_case!)]
async fn a_verified_change_sets_a_login_name(store: Arc<dyn Store>) {
    let contact = created(&*store, &with_contact("contact", "info@example.com")).await;
    let none = without_email(&*store, "none").await;
    for (number, user, address) in [(1, contact, "info@example.com"), (2, none, "none@example.com")] {
        let code = issued(&*store, &user.id, number, CodePurpose::EmailChange).await.id;
        let (email, only_at) = (email(address), Some(user.security_stamp));
        let verified =
            VerifiedEmail { user: user.id.clone(), code, email, is_change: true, only_at, effects: Effects::default() };
        let EmailUpdate::Done(now) = store.confirm_email(&verified, at(1).into()).await.unwrap() else { panic!() };
        let expected = User {
            email: Some(address.to_owned()),
            email_is_login_name: true,
            email_verified_at: Some(at(1).into()),
            security_stamp: user.security_stamp.next(),
            ..user
        };
        assert_eq!(now, expected);
        assert_found(&*store, address, Some(&expected)).await;
    }
}

#[apply(account_case!)]
async fn issues_a_code_to_an_unchanged_account_without_an_email_address(store: Arc<dyn Store>) {
    let user = without_email(&*store, "alice").await;
    let code = |number| code_of(&user.id, code_id(number), CodePurpose::TotpEnrolment, at(0));
    assert!(store.issue(&code(1), &Effects::NONE, &IssueIf::still(&user)).await.unwrap());
    let with_one = User { email: Some(String::new()), ..user.clone() };
    assert!(!store.issue(&code(2), &Effects::NONE, &IssueIf::still(&with_one)).await.unwrap());
    assert!(matches!(store.update_profile(&user.id, &moved("a@example.com")).await.unwrap(), ProfileUpdate::Done(_)));
    assert!(!store.issue(&code(3), &Effects::NONE, &IssueIf::still(&user)).await.unwrap());
}

#[apply(account_case!)]
async fn an_email_factor_verifies_nothing_without_an_email_address(store: Arc<dyn Store>) {
    let user = without_email(&*store, "alice").await;
    enrolled(&*store, &user.id, &NewFactor::Email, &[]).await;
    assert_eq!(user_now(&*store, &user.id).await.email_verified_at, None);
}
