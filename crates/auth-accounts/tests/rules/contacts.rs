//! Users without an email address, and users whose email address is only a contact: nothing that is done for them affects
//! another user.

use auth_accounts::account::{LoginName, NewEmail, NewUser, ProfileChange};
use auth_accounts::code::CodePurpose;
use auth_accounts::email::{EmailKind, EmailRequest, Fact, Queued};
use auth_accounts::password::PasswordPolicy;
use auth_accounts::ports::{Accounts, SecondFactors};
use auth_accounts::second_factor::{Method, NewFactor};
use auth_accounts::service::{Action, EmailVerification, Enrolment};
use auth_conformance::{code_id, code_of, hash_of, new_user};
use auth_core::effects::Effects;
use auth_core::service::Caller;
use auth_core::token::RequiredFor;
use auth_core::user::{Subject, SubjectField, User};

use crate::fixture::*;

const NEW_PASSWORD: &str = "Another-horse-43";

async fn stored(service: &TestService, name: &str, email: Option<NewEmail>) -> User {
    service.store.create(&NewUser { email, ..new_user(name) }, &hash_of(PASSWORD)).await.unwrap().unwrap()
}

async fn without_address(service: &TestService, name: &str) -> User {
    stored(service, name, None).await
}

async fn with_contact(service: &TestService, name: &str, address: &str) -> User {
    stored(service, name, Some(NewEmail::Contact(email(address)))).await
}

fn emails_for(service: &TestService, address: &str) -> Vec<EmailKind> {
    let kind = |queued| match queued {
        Queued::Email(kind) => kind,
        Queued::Request(request) => panic!("a request: {request:?}"),
    };
    service.enqueued().into_iter().filter(|(_, to)| to == address).map(|(queued, _)| kind(queued)).collect()
}

fn login_by(address: &str) -> LoginName {
    LoginName::Email(address.to_owned())
}

/// Performs operations that normally send notices.
async fn cause_notices(service: &TestService, name: &str) {
    service.enrol_totp(name).await;
    service.act(name, Action::RemoveSecondFactors).await;
    let pair = service.login(name).await;
    let next = service.refresh(&pair).await;
    service.advance(RETRY_WINDOW + 1);
    assert!(service.try_refresh(&pair).await.is_err(), "reuse");
    assert!(service.try_refresh(&next).await.is_err(), "its session is revoked");
    let caller = service.caller(&service.login(name).await).await;
    change_password(service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap();
}

#[tokio::test]
async fn notices_go_to_contacts_and_are_dropped_without_an_email_address() {
    let service = service(mailing());
    without_address(&service, "none").await;
    with_contact(&service, "contact", "info@example.com").await;
    cause_notices(&service, "none").await;
    assert_eq!(service.enqueued(), []);
    cause_notices(&service, "contact").await;
    assert_eq!(
        emails_for(&service, "info@example.com"),
        [
            EmailKind::SecondFactorAdded,
            EmailKind::SecondFactorRemoved,
            EmailKind::SessionReused,
            EmailKind::PasswordChanged
        ]
    );
    assert!(service.deliver_emails().await.iter().all(|email| email.to == "info@example.com"));
}

/// Another adapter may return an empty string.
#[tokio::test]
async fn an_empty_email_address_counts_as_none() {
    let service = service(mailing());
    let user = without_address(&service, "none").await;
    assert!(service.store.put_user(User { email: Some(String::new()), ..user }));
    cause_notices(&service, "none").await;
    assert_eq!(service.enqueued(), []);
}

#[tokio::test]
async fn logins_with_an_email_address_ignore_contacts() {
    let service = service(mailing());
    with_contact(&service, "contact", "alice@example.com").await;
    let log_in = async || try_login_from(&service, &login_by("alice@example.com"), PASSWORD, "192.0.2.7").await;
    assert!(matches!(log_in().await, Err(AccountError::BadCredentials)));
    let alice = service.register("alice").await;
    assert!(log_in().await.is_ok());
    let sessions = service.store.sessions();
    assert_eq!(sessions.iter().map(|session| &session.user_id).collect::<Vec<_>>(), [&alice.id]);
    assert!(service.try_login("contact", PASSWORD).await.is_ok());
}

#[tokio::test]
async fn password_resets_ignore_contacts() {
    let service = service(mailing());
    with_contact(&service, "contact", "alice@example.com").await;
    without_address(&service, "none").await;
    let request = async || service.accounts.request_reset(&email("alice@example.com"), &client()).await;
    request().await.unwrap();
    assert_eq!(service.deliver_emails().await, []);
    service.register("alice").await;
    request().await.unwrap();
    let link = token_of(&service.deliver_emails().await, EmailKind::PasswordReset);
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    assert!(has_password(&service, "alice", NEW_PASSWORD).await);
    assert!(has_password(&service, "contact", PASSWORD).await);
    assert!(service.user("alice").await.email_verified_at.is_some());
    assert_eq!(service.user("contact").await.email_verified_at, None);
}

#[tokio::test]
async fn verification_requests_ignore_contacts() {
    let service = service(with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional));
    let contact = with_contact(&service, "contact", "alice@example.com").await;
    service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
    assert_eq!(service.deliver_emails().await, []);
    service.register("alice").await;
    let link = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    let verified = service.accounts.verify_email(&link, None, &client()).await.unwrap();
    assert_eq!((verified.username.as_str(), verified.email_verified_at.is_some()), ("alice", true));
    assert_eq!(service.user("contact").await, contact);
}

/// A request for this email address would verify that of another user.
#[tokio::test]
async fn adding_an_authenticator_requests_no_verification_of_a_contact() {
    let service = service(mailing());
    service.register("alice").await;
    service.deliver_emails().await;
    with_contact(&service, "contact", "alice@example.com").await;
    without_address(&service, "none").await;
    for name in ["contact", "none"] {
        service.enrol_totp(name).await;
    }
    let request = Queued::Request(EmailRequest::EmailVerification);
    assert!(service.enqueued().iter().all(|(queued, _)| *queued != request), "{:?}", service.enqueued());
    assert_eq!(emails_for(&service, "alice@example.com"), [EmailKind::SecondFactorAdded], "the notice to the contact");
}

/// These users cannot verify an email address, so they could otherwise have no second factor.
#[tokio::test]
async fn authenticators_need_no_verification_without_an_email_login_name() {
    let service = service(with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional));
    with_contact(&service, "contact", "info@example.com").await;
    without_address(&service, "none").await;
    for name in ["contact", "none"] {
        service.enrol_totp(name).await;
    }
    let alice = service.register("alice").await;
    let refused = service.second_factors.enrol(&alice, Method::Totp, shown(PASSWORD)).await;
    assert!(matches!(refused, Err(AccountError::EmailNotVerified)), "{refused:?}");
}

#[tokio::test]
async fn codes_by_email_require_an_email_address() {
    let service = service(mailing());
    let user = without_address(&service, "none").await;
    let refused = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await;
    assert!(matches!(refused, Err(AccountError::MethodUnavailable)), "{refused:?}");
    assert_eq!((service.enqueued(), service.store.codes()), (vec![], vec![]));
    // A contact may receive codes, even if it is shared.
    let contact = with_contact(&service, "contact", "info@example.com").await;
    let enrolment = service.second_factors.enrol(&contact, Method::Email, shown(PASSWORD)).await.unwrap();
    assert_eq!(emails_for(&service, "info@example.com"), [EmailKind::SecondFactorCode]);
    let Enrolment::Email(challenge) = enrolment else { panic!("codes by email") };
    let code = service.enqueued_fact(EmailKind::SecondFactorCode, Fact::Code);
    service.second_factors.confirm(&contact, challenge.expose(), &code, &client()).await.unwrap();
    assert!(service.user("contact").await.email_verified_at.is_some());
}

#[tokio::test]
async fn an_enrolment_code_is_wrong_after_its_email_address_is_removed() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let enrolment = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
    let Enrolment::Email(challenge) = enrolment else { panic!("codes by email") };
    let code = service.enqueued_fact(EmailKind::SecondFactorCode, Fact::Code);
    let gone = User { email: None, email_is_login_name: false, ..user };
    assert!(service.store.put_user(gone.clone()));
    let refused = service.second_factors.confirm(&gone, challenge.expose(), &code, &client()).await;
    assert!(matches!(refused, Err(AccountError::WrongCode)), "{refused:?}");
}

#[tokio::test]
async fn logins_that_need_a_code_by_email_are_refused_without_an_email_address() {
    let service = service(requiring(RequiredFor::All));
    let user = without_address(&service, "none").await;
    let refused = service.try_login("none", PASSWORD).await;
    assert!(matches!(refused, Err(AccountError::Auth(AuthError::MultiFactorRequired))), "{refused:?}");
    assert_eq!((service.enqueued(), service.store.codes()), (vec![], vec![]));
    let refused = service.second_factors.challenge(&user, &client()).await;
    assert!(matches!(refused, Err(AccountError::Auth(AuthError::MultiFactorRequired))), "{refused:?}");
    with_contact(&service, "contact", "info@example.com").await;
    assert_eq!(service.second_factor_challenge("contact").await.methods, [Method::Email]);
    assert_eq!(emails_for(&service, "info@example.com"), [EmailKind::SecondFactorCode]);
}

/// The password alone must not be enough if the factor that is on cannot be used.
#[tokio::test]
async fn codes_by_email_without_an_email_address_block_the_login() {
    let service = service(mailing());
    let user = without_address(&service, "none").await;
    let code = code_of(&user.id, code_id(1), CodePurpose::EmailEnrolment, service.now());
    service.store.put_code(code);
    let now = service.now().into();
    assert!(
        service
            .store
            .add_factor(&user.id, &NewFactor::Email, code_id(1), &[], &Effects::NONE, now)
            .await
            .unwrap()
            .is_some()
    );
    let refused = service.try_login("none", PASSWORD).await;
    assert!(matches!(refused, Err(AccountError::Auth(AuthError::MultiFactorRequired))), "{refused:?}");
    let caller = Caller { user: service.user("none").await, session: None };
    let refused = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await;
    assert!(matches!(refused, Err(AccountError::ChallengeMissing)), "{refused:?}");
    assert!(service.store.sessions().is_empty());
}

#[tokio::test]
async fn a_new_password_does_not_reset_the_delay_of_another_user() {
    let service = service(mailing());
    service.register("alice").await;
    with_contact(&service, "contact", "alice@example.com").await;
    let guess = async |password| try_login_from(&service, &login_by("alice@example.com"), password, "192.0.2.7").await;
    for _ in 0..10 {
        assert!(matches!(guess("Wrong-horse-42").await, Err(AccountError::BadCredentials)));
    }
    let caller = service.caller(&service.login("contact").await).await;
    change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap();
    let password = PasswordPolicy::default().check(raw(PASSWORD), &[]).unwrap();
    service.act("contact", Action::SetPassword(password)).await;
    assert!(matches!(guess(PASSWORD).await, Err(AccountError::Throttled { .. })));
}

async fn change_address(service: &TestService, name: &str, to: &str) -> Result<User, AccountError> {
    let caller = Caller { user: service.user(name).await, session: None };
    let change = ProfileChange { email: Some(email(to)), ..ProfileChange::default() };
    let changed = service.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await;
    changed.map(|changed| changed.user)
}

#[tokio::test]
async fn a_first_email_address_becomes_a_login_name_when_it_is_verified() {
    let service = service(with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional));
    without_address(&service, "none").await;
    with_contact(&service, "contact", "info@example.com").await;
    for (name, address, expected) in [
        ("none", "none@example.com", vec![EmailKind::EmailChange]),
        // The contact is the old email address, so it is notified too.
        ("contact", "info@example.com", vec![EmailKind::EmailChange, EmailKind::EmailChangeRequested]),
    ] {
        let before = change_address(&service, name, address).await.unwrap();
        assert!(!before.email_is_login_name, "{name}");
        assert_eq!(emails_for(&service, address), expected, "{name}");
        let emails = service.deliver_emails().await;
        let link = token_of(&emails, EmailKind::EmailChange);
        let user = service.accounts.verify_email(&link, None, &client()).await.unwrap();
        assert_eq!((user.login_email(), user.email_verified_at.is_some()), (Some(address), true));
        assert!(service.deliver_emails().await.iter().all(|email| !email.to.is_empty()));
        assert!(try_login_from(&service, &login_by(address), PASSWORD, "192.0.2.7").await.is_ok());
    }
}

#[tokio::test]
async fn a_first_email_address_takes_effect_immediately_without_verification() {
    let service = service(mailing());
    without_address(&service, "none").await;
    let changed = change_address(&service, "none", "none@example.com").await.unwrap();
    assert_eq!((changed.login_email(), changed.email_verified_at), (Some("none@example.com"), None));
    assert_eq!(service.enqueued(), [], "no old email address to notify");
    with_contact(&service, "contact", "NONE@example.com").await;
    let taken = change_address(&service, "contact", "NONE@example.com").await;
    assert!(matches!(taken, Err(AccountError::Account(_))), "{taken:?}");
}

#[tokio::test]
async fn logins_without_an_email_address_are_refused_where_verification_is_required() {
    let service = service(with_accounts(|accounts| accounts.email_verification = EmailVerification::Required));
    without_address(&service, "none").await;
    let refused = service.try_login("none", PASSWORD).await;
    assert!(matches!(refused, Err(AccountError::EmailNotVerified)), "{refused:?}");
}

/// Their tokens would identify no user, or another user.
#[tokio::test]
async fn no_session_starts_for_users_without_a_subject() {
    let mut policy = policy();
    policy.claim_rules.subject_field = SubjectField::Email;
    let service = service(emailing(policy));
    let none = without_address(&service, "none").await;
    let contact = with_contact(&service, "contact", "alice@example.com").await;
    for user in [&none, &contact] {
        assert_eq!(user.subject(SubjectField::Email), None);
        let refused = service.try_login(&user.username, PASSWORD).await;
        assert!(matches!(refused, Err(AccountError::Auth(AuthError::NoSubject))), "{refused:?}");
    }
    assert!(service.store.sessions().is_empty());
    let alice = service.register("alice").await;
    assert_eq!(alice.subject(SubjectField::Email), Some(Subject::Email("alice@example.com".to_owned())));
    let pair = service.login("alice").await;
    assert_eq!(service.caller(&pair).await.user.username, "alice");
    // Once the address is no longer a login name, the token identifies no user.
    assert!(service.store.put_user(User { email_is_login_name: false, ..service.user("alice").await }));
    assert!(service.tokens.authenticate(&access_of(&pair)).await.is_err());
    assert!(service.try_refresh(&pair).await.is_err());
}

/// Services that read tokens identify users by this claim, and a contact may be the address of several users.
#[tokio::test]
async fn tokens_have_no_email_claim() {
    let service = service(policy());
    let users = [without_address(&service, "alice").await, with_contact(&service, "bob", "b@example.com").await];
    for user in users {
        let claims = service.claims(&access_of(&service.login(&user.username).await));
        assert!(claims.get("email").is_none() && claims["role"] == "user", "{claims:?}");
    }
}
