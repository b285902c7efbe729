//! Security events of changes: committed by the write that makes the change, and recorded after it has taken effect.

use std::collections::HashSet;
use std::fmt::Display;
use std::num::NonZeroU32;
use std::pin::Pin;

use auth_accounts::account::ProfileChange;
use auth_accounts::email::EmailKind;
use auth_accounts::password::{CheckedPassword, PasswordPolicy};
use auth_accounts::ports::Accounts;
use auth_accounts::second_factor::Method;
use auth_accounts::service::{Action, EmailVerification, Enrolment};
use auth_conformance::{new_user, person_name};
use auth_core::effects::Effects;
use auth_core::event::EventKind::{self, *};
use auth_core::service::{Caller, LogoutRequest, TokenPolicy};
use auth_core::token::{RawToken, RequiredFor, TokenKind};
use serde_json::json;

use crate::fixture::*;

/// An operation that runs after alice has registered. It may be refused.
type Operation = fn(&TestService) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;

/// The kinds of events that tell of no change, so no write commits them.
const WITHOUT_WRITE: [EventKind; 8] = [
    PasswordRefused,
    SecondFactorRefused,
    AttemptThrottled,
    LoginFailed,
    RefreshNeverIssued,
    LogoutRefused,
    RequestThrottled,
    PermissionDenied,
];

/// A policy that allows every operation: accepts sliding and externally issued tokens, and limits accounts to two sessions.
fn versatile() -> TestPolicy {
    let accepted_kinds = vec![TokenKind::Access, TokenKind::Sliding];
    let tokens =
        TokenPolicy { adopt_external_tokens: true, max_sessions: NonZeroU32::new(2), accepted_kinds, ..policy() };
    TestPolicy { tokens, ..with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional) }
}

fn checked(password: &str) -> CheckedPassword {
    PasswordPolicy::default().check(raw(password), &[]).unwrap()
}

/// An externally issued refresh token, signed with the same key.
fn external_token(service: &TestService, user: i64) -> RawToken {
    let now = service.now().seconds();
    let claims =
        json!({"token_type": "refresh", "exp": now + 300, "iat": now, "jti": "external", "user_id": user.to_string()});
    service.forge(claims)
}

async fn act(service: &TestService, action: Action) {
    drop(service.administration.act("alice", &action).await);
}

async fn log_out(service: &TestService, request: LogoutRequest) {
    let caller = service.caller(&service.login("alice").await).await;
    drop(service.tokens.logout(&caller, request).await);
}

async fn change_profile(service: &TestService, change: ProfileChange) {
    let caller = Caller { user: service.user("alice").await, session: None };
    drop(service.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await);
}

async fn verify_email(service: &TestService, kind: EmailKind) {
    let link = token_of(&service.deliver_emails().await, kind);
    drop(service.accounts.verify_email(&link, None, &client()).await);
}

/// Removes alice's codes by email, or replaces her recovery codes.
async fn manage_factors(service: &TestService, removes: bool) {
    let user = service.user("alice").await;
    service.enrol_email("alice").await;
    let challenge = service.second_factors.challenge(&user, &client()).await.unwrap();
    let shown = shown_with(&challenge, &service.emailed_code());
    match removes {
        true => drop(service.second_factors.remove(&user, Method::Email, shown).await),
        false => drop(service.second_factors.replace_recovery_codes(&user, shown).await),
    }
}

async fn add_factor(service: &TestService) {
    let user = service.user("alice").await;
    let enrolment = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
    let Enrolment::Email(challenge) = enrolment else { panic!("{enrolment:?}") };
    drop(service.second_factors.confirm(&user, challenge.expose(), &service.emailed_code(), &client()).await);
}

fn renamed() -> ProfileChange {
    ProfileChange { first_name: Some(person_name("Alicia")), ..ProfileChange::default() }
}

fn moved() -> ProfileChange {
    ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() }
}

/// Runs an operation, asserts that it recorded what it committed, and returns the kinds of events.
async fn committed_by(service: &TestService, operation: Operation, what: impl Display) -> Vec<EventKind> {
    let before = service.store.committed_events().len();
    service.events.taken();
    operation(service).await;
    let committed = service.store.committed_events().split_off(before);
    let mut recorded = service.events.taken();
    recorded.retain(|event| !WITHOUT_WRITE.contains(&event.kind));
    assert_eq!(committed, recorded, "{what}");
    committed.into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn equal_the_recorded_events() {
    let table: &[(&[EventKind], Operation)] = &[
        (&[AccountRegistered], |service| Box::pin(async { drop(service.register("bob").await) })),
        (&[AccountAdministered], |service| {
            Box::pin(async {
                service.administration.create(&new_user("bob"), &checked(PASSWORD)).await.unwrap();
            })
        }),
        (&[AccountActivated], |service| Box::pin(act(service, Action::Activate))),
        (&[AccountDeactivated], |service| Box::pin(act(service, Action::Deactivate))),
        (&[AccountPromoted], |service| Box::pin(act(service, Action::Promote))),
        (&[AccountDemoted], |service| Box::pin(act(service, Action::Demote))),
        (&[AccountGroupsChanged], |service| Box::pin(act(service, Action::SetGroups([].into())))),
        (&[AccountDeleted], |service| Box::pin(act(service, Action::Delete))),
        (&[PasswordChanged], |service| Box::pin(act(service, Action::SetPassword(checked(NEW_PASSWORD))))),
        (&[SecondFactorAdded, SecondFactorRemoved], |service| {
            Box::pin(async {
                service.enrol_email("alice").await;
                act(service, Action::RemoveSecondFactors).await;
            })
        }),
        (&[], |service| Box::pin(act(service, Action::RemoveSecondFactors))),
        (&[ProfileChanged], |service| Box::pin(change_profile(service, renamed()))),
        (&[EmailVerified], |service| Box::pin(verify_email(service, EmailKind::EmailVerification))),
        (&[EmailChangeRequested, EmailChanged], |service| {
            Box::pin(async {
                change_profile(service, moved()).await;
                verify_email(service, EmailKind::EmailChange).await;
            })
        }),
        (&[LoginSucceeded, PasswordChanged], |service| {
            Box::pin(async {
                let caller = service.caller(&service.login("alice").await).await;
                change_password(service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap();
            })
        }),
        (&[PasswordReset], |service| {
            Box::pin(async {
                let link = reset_link(service, "alice").await;
                reset_password(service, &link, NEW_PASSWORD).await.unwrap();
            })
        }),
        (&[SecondFactorAdded, SecondFactorAsked, LoginSucceeded], |service| {
            Box::pin(async {
                service.enrol_email("alice").await;
                let challenge = service.second_factor_challenge("alice").await;
                let (challenge, code) = (challenge.challenge.expose().to_owned(), service.emailed_code());
                service.logins.answer_challenge(&challenge, &code, client()).await.unwrap();
            })
        }),
        (&[SecondFactorAdded, SecondFactorRemoved], |service| Box::pin(manage_factors(service, true))),
        (&[SecondFactorAdded, RecoveryCodesReplaced], |service| Box::pin(manage_factors(service, false))),
        (&[LoginSucceeded], |service| Box::pin(async { drop(service.try_login_sliding("alice").await.unwrap()) })),
        (&[LoginSucceeded, LoginSucceeded, LoginSucceeded, SessionLimitReached], |service| {
            Box::pin(async {
                for _ in 0..3 {
                    service.login("alice").await;
                }
            })
        }),
        (&[LoginSucceeded, RefreshReused], |service| {
            Box::pin(async {
                let first = service.login("alice").await;
                service.refresh(&first).await;
                service.advance(RETRY_WINDOW);
                assert!(service.try_refresh(&first).await.is_err());
            })
        }),
        (&[TokenAdopted], |service| {
            Box::pin(async { drop(service.tokens.refresh(&external_token(service, 1)).await.unwrap()) })
        }),
        (&[LoginSucceeded, LoggedOut], |service| {
            Box::pin(async {
                let pair = service.login("alice").await;
                let request = LogoutRequest::One(refresh_of(&pair));
                service.tokens.logout(&service.caller(&pair).await, request).await.unwrap();
            })
        }),
        (&[LoginSucceeded, LoggedOutOthers], |service| Box::pin(log_out(service, LogoutRequest::Others))),
        (&[LoginSucceeded, LoggedOutAll], |service| Box::pin(log_out(service, LogoutRequest::All))),
        (&[LoginSucceeded, TokenBlacklisted], |service| {
            Box::pin(async {
                let pair = service.login("alice").await;
                service.tokens.blacklist(&refresh_of(&pair)).await.unwrap();
            })
        }),
        (&[TokenBlacklisted], |service| {
            Box::pin(async { service.tokens.blacklist(&external_token(service, 999)).await.unwrap() })
        }),
    ];
    let mut committed = HashSet::new();
    for (expected, operation) in table {
        let service = service(versatile());
        service.register("alice").await;
        let kinds = committed_by(&service, *operation, format!("{expected:?}")).await;
        assert_eq!(kinds, *expected);
        committed.extend(kinds);
    }
    for kind in EventKind::ALL {
        assert_ne!(committed.contains(kind), WITHOUT_WRITE.contains(kind), "{kind:?} is in both lists or in neither");
    }
}

#[tokio::test]
async fn have_the_user_id_that_the_storage_assigns() {
    let service = service(versatile());
    let user = service.register("alice").await;
    let committed = service.store.committed_events();
    assert_eq!(committed.iter().map(|event| event.user.clone()).collect::<Vec<_>>(), [Some(user.id)]);
}

#[tokio::test]
async fn remain_after_the_account_is_deleted() {
    let service = service(versatile());
    service.register("alice").await;
    act(&service, Action::Delete).await;
    let kinds: Vec<_> = service.store.committed_events().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [AccountRegistered, AccountDeleted]);
}

#[tokio::test]
async fn of_a_promotion_that_revokes_sessions_equal_the_recorded_events() {
    let service = service(requiring(RequiredFor::Staff));
    service.register("alice").await;
    let kinds = committed_by(&service, |service| Box::pin(act(service, Action::Promote)), "a promotion").await;
    assert_eq!(kinds, [AccountPromoted]);
}

#[tokio::test]
async fn of_a_reset_that_removes_second_factors_equal_the_recorded_events() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_totp("alice").await;
    let operation: Operation = |service| {
        Box::pin(async {
            let link = reset_link(service, "alice").await;
            reset_password(service, &link, NEW_PASSWORD).await.unwrap();
        })
    };
    assert_eq!(committed_by(&service, operation, "a reset").await, [PasswordReset, SecondFactorRemoved]);
}

/// The store method that makes a change, the events committed before it, and the operation.
const LAST_CALLS: &[(&str, &[EventKind], Operation)] = &[
    ("set_active", &[], |service| Box::pin(act(service, Action::Deactivate))),
    ("set_staff", &[], |service| Box::pin(act(service, Action::Demote))),
    ("set_groups", &[], |service| Box::pin(act(service, Action::SetGroups([].into())))),
    ("delete", &[], |service| Box::pin(act(service, Action::Delete))),
    ("set_password", &[], |service| Box::pin(act(service, Action::SetPassword(checked(NEW_PASSWORD))))),
    ("update_profile", &[], |service| Box::pin(change_profile(service, renamed()))),
    ("confirm_email", &[], |service| Box::pin(verify_email(service, EmailKind::EmailVerification))),
    ("issue", &[], |service| Box::pin(change_profile(service, moved()))),
    ("add_factor", &[], |service| Box::pin(add_factor(service))),
    ("remove_factors", &[SecondFactorAdded], |service| Box::pin(manage_factors(service, true))),
    ("replace_recovery_codes", &[SecondFactorAdded], |service| Box::pin(manage_factors(service, false))),
    ("start", &[], |service| Box::pin(async { drop(service.try_login("alice", PASSWORD).await) })),
    ("advance", &[], |service| Box::pin(async { drop(service.tokens.refresh(&external_token(service, 1)).await) })),
    ("revoke", &[], |service| Box::pin(async { drop(service.tokens.blacklist(&external_token(service, 1)).await) })),
    ("revoke_all", &[LoginSucceeded], |service| Box::pin(log_out(service, LogoutRequest::All))),
];

/// Like [`LAST_CALLS`], for methods that do not need alice's account.
const CALLS_WITHOUT_ALICE: &[(&str, &[EventKind], Operation)] = &[
    ("create", &[], |service| Box::pin(async { drop(service.try_register("bob").await) })),
    ("refuse", &[], |service| Box::pin(async { drop(service.tokens.blacklist(&external_token(service, 999)).await) })),
];

#[tokio::test]
async fn of_a_write_that_finds_no_account_are_neither_committed_nor_recorded() {
    for (call, expected, operation) in LAST_CALLS {
        let Fixture { service, eventful, .. } = fixture(versatile());
        let (id, memory) = (service.register("alice").await.id, service.store.clone());
        eventful.before(call, async move { assert!(memory.delete(&id, &Effects::NONE).await.unwrap()) });
        assert_eq!(committed_by(&service, *operation, call).await, *expected, "{call}");
    }
}

#[tokio::test]
async fn of_a_write_that_fails_are_neither_committed_nor_recorded() {
    for (call, expected, operation) in LAST_CALLS.iter().chain(CALLS_WITHOUT_ALICE) {
        let Fixture { service, eventful, .. } = fixture(versatile());
        service.register("alice").await;
        eventful.fail(call);
        assert_eq!(committed_by(&service, *operation, call).await, *expected, "{call}");
    }
}

/// Another replica performs the same operation just before the write.
#[tokio::test]
async fn of_a_write_that_loses_a_race_are_neither_committed_nor_recorded() {
    let races = LAST_CALLS.iter().filter(|(call, ..)| ["delete", "advance", "revoke"].contains(call));
    for (call, _, operation) in races.chain(CALLS_WITHOUT_ALICE) {
        let Fixture { service, eventful, .. } = fixture(versatile());
        service.register("alice").await;
        let before = service.store.committed_events().len();
        service.events.taken();
        let replica = builder(versatile()).memory(service.store.clone()).build();
        let (rival, operation) = (replica.clone(), *operation);
        eventful.before(call, async move { operation(&rival).await });
        operation(&service).await;
        let committed = service.store.committed_events().split_off(before);
        assert_eq!(committed.len(), 1, "{call}");
        assert_eq!(replica.events.taken(), committed, "{call}");
        assert_eq!(service.events.taken(), [], "{call}");
    }
}
