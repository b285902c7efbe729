//! Change of an email address without email verification.

use auth_core::user::User;

use super::*;

#[tokio::test]
async fn takes_effect_immediately_and_notifies_the_old_email_address() {
    let service = service(verifying(EmailVerification::Off));
    service.register("alice").await;
    service.events.taken();
    let updated = change(&service, "alice", "new@example.com", None).await.unwrap();
    assert_eq!((updated.user.email.as_deref(), updated.pending_email), (Some("new@example.com"), None));
    assert_eq!(service.take_event_kinds(), [EventKind::ProfileChanged]);
    let emails = service.deliver_emails().await;
    assert_eq!(emails.len(), 1);
    assert_eq!((emails[0].kind, emails[0].to.as_str()), (EmailKind::EmailChanged, "alice@example.com"));
    assert_eq!(emails[0].content.get(Fact::NewEmail), None, "an unverified email address may be someone else's");

    let verified = User { email_verified_at: Some(service.now().into()), ..service.user("alice").await };
    assert!(service.store.put_user(verified));
    change(&service, "alice", "newest@example.com", None).await.unwrap();
    let emails = service.deliver_emails().await;
    assert_eq!(emails[0].content.get(Fact::NewEmail), Some("n…@example.com"), "shortened");
}

/// The caller may come from the auth cache, with the former email address.
#[tokio::test]
async fn back_to_a_former_email_address_requires_reauthentication() {
    let service = service(verifying(EmailVerification::Off));
    service.register("alice").await;
    service.enrol_email("alice").await;
    let cached = service.user("alice").await;
    let moved = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
    auth_accounts::ports::Accounts::update_profile(service.store.as_ref(), &cached.id, &moved).await.unwrap();
    let caller = || Caller { user: cached.clone(), session: None };
    let back = ProfileChange { email: Some(email("alice@example.com")), ..ProfileChange::default() };
    let refused = service.accounts.update_profile(caller(), back, None, &client()).await;
    assert!(matches!(refused, Err(AccountError::PasswordMissing)), "{refused:?}");
    // Setting the email address that the account already has requires no reauthentication.
    let updated = service.accounts.update_profile(caller(), moved, None, &client()).await.unwrap();
    assert_eq!(updated.user.email.as_deref(), Some("new@example.com"));
}

/// No reauthentication was required because the email address was unchanged. If it is different at the time of the write, the
/// write is refused.
#[tokio::test]
async fn to_the_same_email_address_is_refused_after_a_concurrent_change() {
    let Fixture { service, eventful, .. } = fixture(verifying(EmailVerification::Off));
    service.register("alice").await;
    let moved = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
    let (store, user) = (service.store.clone(), service.user("alice").await);
    eventful.before("update_profile", async move {
        auth_accounts::ports::Accounts::update_profile(store.as_ref(), &user.id, &moved).await.unwrap();
    });
    let refused = change(&service, "alice", "ALICE@example.com", None).await;
    assert!(matches!(refused, Err(AccountError::Auth(AuthError::Store(_)))), "{refused:?}");
    assert_eq!(service.user("alice").await.email.as_deref(), Some("new@example.com"));
}

#[tokio::test]
async fn is_refused_if_another_account_has_the_email_address() {
    let service = service(verifying(EmailVerification::Off));
    service.register("alice").await;
    service.register("bob").await;
    assert!(is_taken(&change(&service, "alice", "BOB@example.com", None).await));
    assert_eq!(service.enqueued(), []);
}
