//! Email verification by link: when it is required, and what a link is valid for.

use super::*;

#[tokio::test]
async fn emails_are_sent_at_registration_where_it_is_enabled() {
    for (wanted, expected) in [
        (EmailVerification::Off, vec![]),
        (EmailVerification::Optional, vec![Queued::Request(EmailRequest::EmailVerification)]),
        (EmailVerification::Required, vec![Queued::Request(EmailRequest::EmailVerification)]),
    ] {
        let service = service(verifying(wanted));
        service.register("alice").await;
        let waiting: Vec<_> = service.enqueued().into_iter().map(|(queued, _)| queued).collect();
        assert_eq!(waiting, expected, "{wanted:?}");
        let emails = service.deliver_emails().await;
        assert_eq!(emails.len(), expected.len(), "{wanted:?}");
        if let Some(email) = emails.first() {
            assert_eq!((email.kind, email.to.as_str()), (EmailKind::EmailVerification, "alice@example.com"));
            assert_eq!(email.content.get(Fact::Minutes), Some("1440"));
        }
    }
}

#[tokio::test]
async fn is_required_to_log_in_only_where_the_policy_says_so() {
    for (wanted, is_needed) in
        [(EmailVerification::Off, false), (EmailVerification::Optional, false), (EmailVerification::Required, true)]
    {
        let service = service(verifying(wanted));
        service.register("alice").await;
        match service.try_login("alice", PASSWORD).await {
            Err(AccountError::EmailNotVerified) => assert!(is_needed, "{wanted:?}"),
            outcome => assert!(outcome.is_ok() && !is_needed, "{wanted:?}"),
        }
    }
}

#[tokio::test]
async fn allows_the_login_and_starts_no_session() {
    let service = service(verifying(EmailVerification::Required));
    service.register("alice").await;
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    service.events.taken();
    let user = service.accounts.verify_email(&token, None, &client()).await.unwrap();
    assert_eq!(user.email_verified_at.map(|moment| moment.unix().seconds()), Some(service.now().seconds()));
    assert_eq!(service.take_event_kinds(), [EventKind::EmailVerified]);
    assert_eq!(service.store.sessions(), [], "no session");
    assert!(service.try_login("alice", PASSWORD).await.is_ok());
    assert!(is_bad_link(&service.accounts.verify_email(&token, None, &client()).await), "used link");
}

#[tokio::test]
async fn that_is_missing_is_reported_only_with_the_right_password() {
    let service = service(verifying(EmailVerification::Required));
    service.register("alice").await;
    for (name, password) in [("alice", "Wrong-horse-42"), ("nobody", PASSWORD), ("Alice", PASSWORD)] {
        let refused = service.try_login(name, password).await;
        assert!(matches!(refused, Err(AccountError::BadCredentials)), "{name}: {refused:?}");
    }
    service.act("alice", Action::Deactivate).await;
    assert!(matches!(service.try_login("alice", PASSWORD).await, Err(AccountError::BadCredentials)), "inactive");
    assert_eq!(service.store.sessions(), []);
}

#[tokio::test]
async fn links_work_for_a_day_and_for_their_account() {
    for (seconds, is_good) in [(24 * HOUR - 1, true), (24 * HOUR, false)] {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        service.register("bob").await;
        let emails = service.deliver_emails().await;
        let token =
            emails.iter().find(|email| email.to.starts_with("alice")).unwrap().content.get(Fact::Token).unwrap();
        service.advance(seconds);
        assert_eq!(service.accounts.verify_email(token, None, &client()).await.is_ok(), is_good, "{seconds}");
        assert_eq!(service.user("alice").await.email_verified_at.is_some(), is_good);
        assert_eq!(service.user("bob").await.email_verified_at, None);
    }
}

#[tokio::test]
async fn of_a_former_address_is_refused() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    // An operator changes the email address in the storage.
    let user = service.user("alice").await;
    let other = ProfileChange { email: Some(email("other@example.com")), ..ProfileChange::default() };
    auth_accounts::ports::Accounts::update_profile(service.store.as_ref(), &user.id, &other).await.unwrap();
    assert!(is_bad_link(&service.accounts.verify_email(&token, None, &client()).await));
    assert_eq!(service.user("alice").await.email_verified_at, None);
}

/// The owner of the email address, who follows the link, may not know about the factor.
#[tokio::test]
async fn is_refused_after_a_second_factor_was_added_concurrently() {
    let Fixture { service, eventful, .. } = fixture(verifying(EmailVerification::Optional));
    service.register("alice").await;
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    // On a replica that does not verify email addresses.
    let other = TestService::builder().policy(verifying(EmailVerification::Off)).memory(service.store.clone()).build();
    eventful.before("confirm_email", async move { drop(other.enrol_totp("alice").await) });
    assert!(is_bad_link(&service.accounts.verify_email(&token, None, &client()).await));
    assert_eq!(service.user("alice").await.email_verified_at, None);
}

#[tokio::test]
async fn of_an_inactive_account_is_refused() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    service.act("alice", Action::Deactivate).await;
    assert!(is_bad_link(&service.accounts.verify_email(&token, None, &client()).await));
}
