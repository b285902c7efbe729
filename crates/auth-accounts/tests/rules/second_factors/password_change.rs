//! A password change requires what a login requires (SEC-134), and continues no session that a refresh would refuse.

use auth_accounts::code::CodePurpose;
use auth_accounts::ports::Accounts;
use auth_accounts::second_factor::NewFactor;
use auth_accounts::service::PasswordChange;
use auth_conformance::{code_id, code_of};
use auth_core::effects::Effects;
use auth_core::service::{Caller, Issued};
use auth_core::token::RequiredFor;
use auth_core::token::{RawToken, TokenFault, TokenKind};

use super::*;

#[tokio::test]
async fn requires_a_code_where_a_login_does() {
    for required in [RequiredFor::Nobody, RequiredFor::All] {
        let service = service(requiring(required));
        let user = service.register("alice").await;
        let pair = if required == RequiredFor::All {
            let challenge = service.second_factor_challenge("alice").await;
            answer(&service, &challenge, &service.emailed_code()).await.unwrap()
        } else {
            let pair = service.login("alice").await;
            service.enrol_email("alice").await;
            pair
        };
        let caller = service.caller(&pair).await;
        let refused = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await;
        assert!(matches!(refused, Err(AccountError::ChallengeMissing)), "{refused:?}");
        let challenge = confirmation(&service, &user).await;
        let code = service.emailed_code();
        let wrong = shown_with(&challenge, &other_than(&code));
        let refused = change_password_with(&service, &caller, wrong, NEW_PASSWORD).await;
        assert!(matches!(refused, Err(AccountError::WrongCode)), "{refused:?}");
        // Refused before the code is compared, which stays valid.
        let right = shown_with(&challenge, &code);
        let weak = change_password_with(&service, &caller, right.clone(), "12345678").await;
        assert!(matches!(weak, Err(AccountError::Account(_))), "{weak:?}");
        assert!(has_password(&service, "alice", PASSWORD).await);
        let next = change_password_with(&service, &caller, right, NEW_PASSWORD).await.unwrap().unwrap();
        assert!(has_password(&service, "alice", NEW_PASSWORD).await);
        assert!(service.try_refresh(&next).await.is_ok(), "{required:?}");
    }
}

#[tokio::test]
async fn of_a_session_without_a_required_factor_is_refused() {
    let service = service(requiring(RequiredFor::Staff));
    service.register("alice").await;
    let pair = service.login("alice").await;
    let session = service.caller(&pair).await.session;
    // An operator makes the user staff with SQL, without revoking sessions.
    let user = service.user("alice").await;
    assert!(service.store.set_staff(&user.id, true, &Effects::NONE).await.unwrap());
    let caller = Caller { user: service.user("alice").await, session };
    let challenge = confirmation(&service, &user).await;
    let sessionless = Caller { user: service.user("alice").await, session: None };
    service.events.taken();
    for caller in [&caller, &sessionless] {
        for shown in [shown(PASSWORD), shown("wrong"), shown_with(&challenge, &service.emailed_code())] {
            let refused = change_password_with(&service, caller, shown, NEW_PASSWORD).await;
            assert_eq!(fault(refused), Some(TokenFault::Revoked));
        }
    }
    assert_eq!(service.take_event_kinds(), [], "nothing is compared");
    assert!(has_password(&service, "alice", PASSWORD).await);
    assert!(service.try_refresh(&pair).await.is_err());
}

#[tokio::test]
async fn of_a_sliding_session_without_a_required_factor_is_refused() {
    let policy = requiring(RequiredFor::Staff);
    let service = service(emailing(TokenPolicy { accepted_kinds: vec![TokenKind::Sliding], ..policy.tokens }));
    service.register("alice").await;
    let sliding = service.try_login_sliding("alice").await.unwrap();
    let sliding = RawToken::parse(sliding.expose()).unwrap();
    let change = |shown| PasswordChange { reauthentication: shown, new: raw(NEW_PASSWORD) };
    let session = service.tokens.authenticate(&sliding).await.unwrap().session;
    assert!(service.store.set_staff(&service.user("alice").await.id, true, &Effects::NONE).await.unwrap());
    let caller = Caller { user: service.user("alice").await, session };
    let refused = service.logins.change_password(&caller, change(shown(PASSWORD))).await;
    assert_eq!(fault(refused), Some(TokenFault::Revoked));
    assert!(has_password(&service, "alice", PASSWORD).await);
    assert!(service.store.set_staff(&caller.user.id, false, &Effects::NONE).await.unwrap());
    let caller = service.tokens.authenticate(&sliding).await.unwrap();
    let changed = service.logins.change_password(&caller, change(shown(PASSWORD))).await.unwrap();
    assert!(matches!(changed, Some(Issued::Sliding(_))), "{changed:?}");
}

/// A factor is added between the comparison of the password and the write, so the password is no longer enough.
#[tokio::test]
async fn is_decided_again_if_a_factor_is_added_concurrently() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    let user = service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    let store = service.store.clone();
    let code = code_of(&user.id, code_id(1), CodePurpose::EmailEnrolment, service.now());
    service.store.put_code(code.clone());
    eventful.before("set_password", async move {
        let (factor, now) = (NewFactor::Email, code.created_at.into());
        let added = store.add_factor(&user.id, &factor, code.id, &[], &Effects::NONE, now).await;
        assert!(added.unwrap().is_some());
    });
    let refused = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await;
    assert!(matches!(refused, Err(AccountError::ChallengeMissing)), "{refused:?}");
    assert!(has_password(&service, "alice", PASSWORD).await);
}
