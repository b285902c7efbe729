//! One-time codes: which events end the codes of which purpose.

use auth_accounts::account::ProfileChange;
use auth_accounts::code::CodePurpose;
use auth_accounts::email::EmailKind;
use auth_accounts::password::{CheckedPassword, PasswordPolicy};
use auth_accounts::ports::{Accounts, Codes, IssueIf, SecondFactors};
use auth_accounts::second_factor::{Method, NewFactor};
use auth_accounts::service::{Action, EmailVerification, Enrolment, Reauthentication};
use auth_conformance::{code_id, code_of};
use auth_core::effects::Effects;
use auth_core::service::{Caller, LogoutRequest};
use auth_core::token::RequiredFor;
use auth_core::user::{GroupName, User};

use crate::fixture::*;

/// Something that may end the open codes of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    FactorAdded,
    FactorReplaced,
    SecondFactorAdded,
    FactorRemoved,
    FactorsRemovedByOperator,
    RecoveryCodesReplaced,
    /// Where staff must have a second factor.
    Promoted,
    PasswordChanged,
    PasswordSetByOperator,
    PasswordReset,
    /// With a link to the new email address.
    EmailVerifiedAndChanged,
    /// Without email verification.
    EmailChanged,
    EmailVerified,
    ProfileChanged,
    /// Where staff need no second factor.
    MadeStaff,
    GroupsChanged,
    Activated,
    LoggedOutEverywhere,
    Deactivated,
    Deleted,
    NewerCode,
}

use CodePurpose::{
    Confirmation, EmailChange, EmailEnrolment, EmailVerification as Verification, Login, PasswordReset, SlidingLogin,
    TotpEnrolment,
};

const FACTOR_EVENTS: [Event; 7] = [
    Event::FactorAdded,
    Event::FactorReplaced,
    Event::SecondFactorAdded,
    Event::FactorRemoved,
    Event::FactorsRemovedByOperator,
    Event::RecoveryCodesReplaced,
    Event::Promoted,
];
const ACCOUNT_EVENTS: [Event; 7] = [
    Event::PasswordChanged,
    Event::PasswordSetByOperator,
    Event::PasswordReset,
    Event::EmailVerifiedAndChanged,
    Event::EmailChanged,
    Event::Deactivated,
    Event::Deleted,
];
const ENDS_NOTHING: [Event; 6] = [
    Event::EmailVerified,
    Event::ProfileChanged,
    Event::MadeStaff,
    Event::GroupsChanged,
    Event::Activated,
    Event::LoggedOutEverywhere,
];

/// For each purpose, whether each of these ends its codes: changes to second factors, changes to the account, a newer code.
const TABLE: [(CodePurpose, bool, bool, bool); 8] = [
    (PasswordReset, false, true, false),
    (Verification, false, true, true),
    (EmailChange, true, true, true),
    (Login, true, true, false),
    (SlidingLogin, true, true, false),
    (Confirmation, true, true, false),
    (EmailEnrolment, true, true, true),
    (TotpEnrolment, true, true, true),
];

#[tokio::test]
async fn are_ended_by_the_events_in_the_table() {
    let listed: Vec<_> = TABLE.iter().map(|(purpose, ..)| *purpose).collect();
    assert_eq!(listed, CodePurpose::ALL, "every purpose has a row");
    for (event, column) in columns() {
        let open = open_after(event).await;
        for row in TABLE {
            assert_eq!(open.contains(&row.0), !column(row), "{:?} after {event:?}", row.0);
        }
    }
}

type Column = fn((CodePurpose, bool, bool, bool)) -> bool;

fn columns() -> Vec<(Event, Column)> {
    let mut columns: Vec<(Event, Column)> = FACTOR_EVENTS.map(|event| (event, (|row| row.1) as Column)).into();
    columns.extend(ACCOUNT_EVENTS.map(|event| (event, (|row| row.2) as Column)));
    columns.extend(ENDS_NOTHING.map(|event| (event, (|_| false) as Column)));
    columns.push((Event::NewerCode, |row| row.3));
    columns
}

/// The purposes with an open code after an event, if there was one for every purpose before it.
async fn open_after(event: Event) -> Vec<CodePurpose> {
    let service = service(policy_for(event));
    let user = service.register("alice").await;
    perform(event, &service, &user).await;
    let codes = service.store.codes();
    let open = CodePurpose::ALL
        .iter()
        .zip(NUMBERS)
        .filter(|(_, number)| codes.iter().any(|code| code.id == code_id(*number) && code.consumed_at.is_none()));
    open.map(|(purpose, _)| *purpose).collect()
}

const NUMBERS: std::ops::Range<u64> = 1_000..1_100;

fn policy_for(event: Event) -> TestPolicy {
    if event == Event::Promoted {
        return requiring(RequiredFor::Staff);
    }
    let is_verified = matches!(event, Event::EmailVerifiedAndChanged | Event::EmailVerified);
    with_accounts(|accounts| {
        if is_verified {
            accounts.email_verification = EmailVerification::Optional;
        }
    })
}

/// Stores an open code of every purpose.
fn put_open_codes(service: &TestService, user: &User) {
    for (purpose, number) in CodePurpose::ALL.iter().zip(NUMBERS) {
        service.store.put_code(code_of(&user.id, code_id(number), *purpose, service.now()));
    }
}

/// Performs an event. Stores an open code of every purpose just before its last step.
async fn perform(event: Event, service: &TestService, user: &User) {
    let before = || put_open_codes(service, user);
    match event {
        Event::FactorAdded
        | Event::FactorReplaced
        | Event::SecondFactorAdded
        | Event::FactorRemoved
        | Event::RecoveryCodesReplaced
        | Event::FactorsRemovedByOperator => {
            change_factors(event, service, user).await;
        }
        Event::EmailVerifiedAndChanged | Event::EmailVerified | Event::EmailChanged | Event::ProfileChanged => {
            change_profile(event, service, user).await;
        }
        Event::PasswordChanged => {
            let caller = service.caller(&service.login("alice").await).await;
            before();
            change_password(service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap();
        }
        Event::PasswordReset => {
            let link = reset_link(service, "alice").await;
            before();
            reset_password(service, &link, NEW_PASSWORD).await.unwrap();
        }
        Event::PasswordSetByOperator => {
            before();
            service.act("alice", Action::SetPassword(checked(NEW_PASSWORD))).await;
        }
        Event::Deactivated => {
            before();
            service.act("alice", Action::Deactivate).await;
        }
        Event::Promoted | Event::MadeStaff => {
            before();
            service.act("alice", Action::Promote).await;
        }
        Event::GroupsChanged => {
            before();
            service.act("alice", Action::SetGroups([GroupName::parse("editors").unwrap()].into())).await;
        }
        Event::Activated => {
            service.act("alice", Action::Deactivate).await;
            before();
            service.act("alice", Action::Activate).await;
        }
        Event::LoggedOutEverywhere => {
            let caller = service.caller(&service.login("alice").await).await;
            before();
            service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
        }
        Event::Deleted => {
            before();
            service.act("alice", Action::Delete).await;
        }
        Event::NewerCode => {
            before();
            for (purpose, number) in CodePurpose::ALL.iter().zip(2_000..) {
                let code = code_of(&user.id, code_id(number), *purpose, service.now());
                assert!(service.store.issue(&code, &Effects::NONE, &IssueIf::still(user)).await.unwrap());
            }
        }
    }
}

fn checked(password: &str) -> CheckedPassword {
    PasswordPolicy::default().check(raw(password), &[]).unwrap()
}

async fn change_factors(event: Event, service: &TestService, user: &User) {
    if event == Event::FactorAdded {
        let (challenge, code) = start_totp_enrolment(service, user, None).await;
        put_open_codes(service, user);
        service.second_factors.confirm(user, &challenge, &code, &client()).await.unwrap();
        return;
    }
    let (secret, _) = service.enrol_totp("alice").await;
    if event == Event::FactorsRemovedByOperator {
        put_open_codes(service, user);
        return service.act("alice", Action::RemoveSecondFactors).await;
    }
    service.next_totp_step();
    let challenge = service.second_factors.challenge(user, &client()).await.unwrap();
    let shown = shown_with(&challenge, &service.totp_code(&secret, 0));
    match event {
        Event::FactorReplaced => {
            let (challenge, code) = start_totp_enrolment(service, user, Some(shown)).await;
            put_open_codes(service, user);
            service.second_factors.confirm(user, &challenge, &code, &client()).await.unwrap();
        }
        Event::SecondFactorAdded => {
            let begun = service.second_factors.enrol(user, Method::Email, shown).await.unwrap();
            let Enrolment::Email(challenge) = begun else { panic!("expected codes by email") };
            put_open_codes(service, user);
            let code = service.emailed_code();
            service.second_factors.confirm(user, challenge.expose(), &code, &client()).await.unwrap();
        }
        Event::FactorRemoved => {
            put_open_codes(service, user);
            service.second_factors.remove(user, Method::Totp, shown).await.unwrap();
        }
        _ => {
            put_open_codes(service, user);
            service.second_factors.replace_recovery_codes(user, shown).await.unwrap();
        }
    }
}

/// Starts the enrolment of an authenticator. Returns its challenge and its first code.
async fn start_totp_enrolment(
    service: &TestService,
    user: &User,
    reauthentication: Option<Reauthentication>,
) -> (String, String) {
    let shown = reauthentication.unwrap_or_else(|| shown(PASSWORD));
    let begun = service.second_factors.enrol(user, Method::Totp, shown).await.unwrap();
    let Enrolment::Totp { challenge, secret, .. } = begun else { panic!("expected an authenticator") };
    let code = service.totp_code(&secret, 0);
    (challenge.expose().to_owned(), code)
}

async fn change_profile(event: Event, service: &TestService, user: &User) {
    let caller = Caller { user: user.clone(), session: None };
    let mut change = ProfileChange::default();
    match event {
        Event::EmailVerified => {
            let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
            put_open_codes(service, user);
            service.accounts.verify_email(&token, None, &client()).await.unwrap();
        }
        Event::EmailVerifiedAndChanged => {
            change.email = Some(email("new@example.com"));
            service.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await.unwrap();
            let token = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
            put_open_codes(service, user);
            service.accounts.verify_email(&token, None, &client()).await.unwrap();
        }
        Event::EmailChanged => {
            change.email = Some(email("new@example.com"));
            put_open_codes(service, user);
            service.accounts.update_profile(caller, change, None, &client()).await.unwrap();
        }
        _ => {
            change.username = Some(auth_conformance::username("alicia"));
            put_open_codes(service, user);
            service.accounts.update_profile(caller, change, None, &client()).await.unwrap();
        }
    }
}

/// The user enables codes by email during a change of the email address that only the password authorised. The codes must not
/// go to the new email address.
#[tokio::test]
async fn of_an_email_change_are_not_issued_after_a_factor_was_added() {
    for verification in [EmailVerification::Off, EmailVerification::Optional] {
        let policy = with_accounts(|accounts| accounts.email_verification = verification);
        let Fixture { service, eventful, .. } = fixture(policy);
        let user = service.register("alice").await;
        service.deliver_emails().await;
        let (other, id) = (service.store.clone(), user.id.clone());
        let call = if verification == EmailVerification::Off { "update_profile" } else { "issue" };
        let owner = id.clone();
        eventful.before(call, async move {
            let code = code_of(&owner, code_id(1), EmailEnrolment, auth_conformance::at(0));
            assert!(other.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap());
            let factor = NewFactor::Email;
            assert!(
                other
                    .add_factor(&owner, &factor, code.id, &[], &Effects::NONE, auth_conformance::at(0).into())
                    .await
                    .unwrap()
                    .is_some()
            );
        });
        let change = ProfileChange { email: Some(email("thief@example.com")), ..ProfileChange::default() };
        let caller = Caller { user, session: None };
        let refused = service.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await;
        assert!(refused.is_err(), "{verification:?}: {refused:?}");
        assert_eq!(service.store.find_user(&id).await.unwrap().unwrap().email.as_deref(), Some("alice@example.com"));
        assert_eq!((service.enqueued(), codes_for(&service, EmailChange)), (vec![], vec![]));
    }
}
