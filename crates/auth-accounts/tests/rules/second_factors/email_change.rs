//! Codes by email go to the current email address, so a change of it requires what a login requires (SEC-134).

use auth_accounts::account::ProfileChange;
use auth_accounts::service::{AccountPolicy, Reauthentication};
use auth_core::service::Caller;
use auth_core::token::{RequiredFor, TokenFault};

use super::*;

async fn moved(service: &TestService, shown: Option<&Reauthentication>) -> Result<String, AccountError> {
    let caller = Caller { user: service.user("alice").await, session: None };
    let change = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
    service
        .accounts
        .update_profile(caller, change, shown, &client())
        .await
        .map(|updated| updated.user.email.unwrap_or_default())
}

fn policies() -> [TestPolicy; 3] {
    let with = |email_verification, second_factor| {
        let accounts = AccountPolicy { email_verification, ..mailing().accounts };
        TestPolicy { accounts, ..requiring(second_factor) }
    };
    [
        with(EmailVerification::Off, RequiredFor::Nobody),
        with(EmailVerification::Optional, RequiredFor::Nobody),
        with(EmailVerification::Off, RequiredFor::All),
    ]
}

#[tokio::test]
async fn requires_password_and_code_where_a_login_does() {
    for policy in policies() {
        let is_required = policy.tokens.multi_factor_required_for == RequiredFor::All;
        let is_verified = policy.accounts.email_verification != EmailVerification::Off;
        let service = service(policy);
        let user = service.register("alice").await;
        if !is_required {
            service.enrol_email("alice").await;
        }
        assert!(matches!(moved(&service, None).await, Err(AccountError::PasswordMissing)));
        let refused = moved(&service, Some(&shown(PASSWORD))).await;
        assert!(matches!(refused, Err(AccountError::ChallengeMissing)), "{refused:?}");
        let challenge = confirmation(&service, &user).await;
        let code = service.emailed_code();
        assert!(is_wrong(&moved(&service, Some(&shown_with(&challenge, &other_than(&code)))).await));
        assert_eq!(service.user("alice").await.email.as_deref(), Some("alice@example.com"));
        let email = moved(&service, Some(&shown_with(&challenge, &code))).await.unwrap();
        assert_eq!(email, if is_verified { "alice@example.com" } else { "new@example.com" });
        if is_verified {
            // The owner of the new email address may have nothing to do with the account or its factors.
            let token = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
            let refused = service.accounts.verify_email(&token, None, &client()).await;
            assert!(matches!(refused, Err(AccountError::LoginRequired)), "{refused:?}");
            let caller = Caller { user: user.clone(), session: None };
            let moved = service.accounts.verify_email(&token, Some(&caller), &client()).await.unwrap();
            assert_eq!(moved.email.as_deref(), Some("new@example.com"));
        }
    }
}

/// An attacker requests it with the password alone, before a second factor is required of the account.
#[tokio::test]
async fn requested_before_a_promotion_is_refused() {
    let service = service(TestPolicy {
        accounts: AccountPolicy { email_verification: EmailVerification::Optional, ..mailing().accounts },
        ..requiring(RequiredFor::Staff)
    });
    service.register("alice").await;
    service.deliver_emails().await;
    moved(&service, Some(&shown(PASSWORD))).await.unwrap();
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
    service.act("alice", Action::Promote).await;
    let user = service.user("alice").await;
    for caller in [None, Some(&Caller { user, session: None })] {
        assert!(is_bad_link(&service.accounts.verify_email(&token, caller, &client()).await));
    }
    assert_eq!(service.user("alice").await.email.as_deref(), Some("alice@example.com"));
}

/// The configuration requires a second factor of all users while a link is open.
#[tokio::test]
async fn requires_a_login_with_a_factor_where_it_has_become_required() {
    let accounts = AccountPolicy { email_verification: EmailVerification::Optional, ..mailing().accounts };
    let before = service(TestPolicy { accounts: accounts.clone(), ..mailing() });
    let user = before.register("alice").await;
    before.deliver_emails().await;
    moved(&before, Some(&shown(PASSWORD))).await.unwrap();
    let token = token_of(&before.deliver_emails().await, EmailKind::EmailChange);
    let pair = before.try_login("alice", PASSWORD).await.unwrap();
    let session = before.caller(&pair).await.session;
    let restarted = TestService::builder().policy(TestPolicy { accounts, ..requiring(RequiredFor::All) });
    let restarted = restarted.memory(before.store.clone()).build();
    let refused = restarted.accounts.verify_email(&token, None, &client()).await;
    assert!(matches!(refused, Err(AccountError::LoginRequired)), "{refused:?}");
    let caller = Caller { user, session };
    let refused = restarted.accounts.verify_email(&token, Some(&caller), &client()).await;
    assert_eq!(fault(refused), Some(TokenFault::Revoked), "a session that started with the password alone");
}
