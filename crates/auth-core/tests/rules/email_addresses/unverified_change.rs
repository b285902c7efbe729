//! Change of an email address where none is verified.

use auth_core::account::User;

use super::*;

#[tokio::test]
async fn takes_effect_at_once_and_is_told_to_the_old_address() {
    let service = service(verifying(EmailVerification::Off));
    service.register("alice").await;
    service.events.taken();
    let updated = change(&service, "alice", "new@example.com", None).await.unwrap();
    assert_eq!((updated.user.email.as_str(), updated.pending_email), ("new@example.com", None));
    assert_eq!(service.take_event_kinds(), [EventKind::ProfileChanged]);
    let mails = service.deliver_emails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!((mails[0].kind, mails[0].to.as_str()), (MailKind::EmailChanged, "alice@example.com"));
    assert_eq!(mails[0].content.get(Fact::NewEmail), None, "an unverified address may be a stranger's");

    let verified = User { email_verified_at: Some(service.now().into()), ..service.user("alice").await };
    assert!(service.store.put_user(verified));
    change(&service, "alice", "newest@example.com", None).await.unwrap();
    let mails = service.deliver_emails().await;
    assert_eq!(mails[0].content.get(Fact::NewEmail), Some("n…@example.com"), "shortened for a stranger");
}

#[tokio::test]
async fn is_refused_if_another_has_the_address() {
    let service = service(verifying(EmailVerification::Off));
    service.register("alice").await;
    service.register("bob").await;
    assert!(is_taken(&change(&service, "alice", "BOB@example.com", None).await));
    assert_eq!(service.enqueued(), []);
}
