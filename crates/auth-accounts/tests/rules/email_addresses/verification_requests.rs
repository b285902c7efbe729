//! Requests for another verification link.

use super::*;

#[tokio::test]
async fn send_links_to_active_unverified_users_only() {
    let service = service(verifying(EmailVerification::Optional));
    for name in ["alice", "verified", "inactive"] {
        service.register(name).await;
    }
    service.act("inactive", Action::Deactivate).await;
    let first = service.deliver_emails().await;
    assert_eq!(first.len(), 2, "to active users");
    let token = first.iter().find(|email| email.to.starts_with("verified")).unwrap().content.get(Fact::Token).unwrap();
    service.accounts.verify_email(token, None, &client()).await.unwrap();
    let mut calls = Vec::new();
    for name in ["alice", "verified", "inactive", "nobody"] {
        let before = service.store.calls();
        service.accounts.request_verification(&email(&format!("{name}@example.com")), &client()).await.unwrap();
        calls.push(service.store.calls() - before);
    }
    assert!(calls.iter().all(|count| *count == calls[0]), "{calls:?}");
    let sent: Vec<_> = service.deliver_emails().await.into_iter().map(|email| email.to).collect();
    assert_eq!(sent, ["alice@example.com"]);
    assert_eq!(service.enqueued(), []);
}

#[tokio::test]
async fn end_the_older_link() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    let older = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
    let newer = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    assert!(is_bad_link(&service.accounts.verify_email(&older, None, &client()).await));
    assert!(service.accounts.verify_email(&newer, None, &client()).await.is_ok());
}

#[tokio::test]
async fn send_nothing_without_email_verification() {
    let service = service(verifying(EmailVerification::Off));
    service.register("alice").await;
    service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
    assert_eq!(service.deliver_emails().await, []);
}

#[tokio::test]
async fn send_five_links_an_hour() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    for _ in 0..3 {
        service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
        service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    }
    assert_eq!(service.deliver_emails().await.len(), 5, "four verification emails and one reset");
    service.advance(HOUR);
    service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    assert_eq!(service.deliver_emails().await.len(), 1);
}
