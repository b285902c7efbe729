//! Verification by link: where it is required, and what the link is good for.

use super::*;

#[tokio::test]
async fn is_asked_for_at_the_registration_where_it_is_wanted() {
    for (wanted, expected) in [
        (EmailVerification::Off, vec![]),
        (EmailVerification::Optional, vec![Queued::Request(EmailRequest::EmailVerification)]),
        (EmailVerification::Required, vec![Queued::Request(EmailRequest::EmailVerification)]),
    ] {
        let service = service(verifying(wanted));
        service.register("alice").await;
        let waiting: Vec<_> = service.enqueued().into_iter().map(|(queued, _)| queued).collect();
        assert_eq!(waiting, expected, "{wanted:?}");
        let mails = service.deliver_emails().await;
        assert_eq!(mails.len(), expected.len(), "{wanted:?}");
        if let Some(mail) = mails.first() {
            assert_eq!((mail.kind, mail.to.as_str()), (EmailKind::EmailVerification, "alice@example.com"));
            assert_eq!(mail.content.get(Fact::Minutes), Some("1440"));
        }
    }
}

#[tokio::test]
async fn is_needed_to_log_in_only_where_it_is_required() {
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
async fn lets_in_whoever_brings_it() {
    let service = service(verifying(EmailVerification::Required));
    service.register("alice").await;
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    service.events.taken();
    let user = service.accounts.verify_email(&token, None, &client()).await.unwrap();
    assert_eq!(user.email_verified_at.map(|moment| moment.unix().seconds()), Some(service.now().seconds()));
    assert_eq!(service.take_event_kinds(), [EventKind::EmailVerified]);
    assert_eq!(service.store.sessions(), [], "it logs nobody in");
    assert!(service.try_login("alice", PASSWORD).await.is_ok());
    assert!(is_bad_link(&service.accounts.verify_email(&token, None, &client()).await), "once");
}

#[tokio::test]
async fn that_is_missing_is_told_to_whoever_has_the_password_and_to_nobody_else() {
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
async fn works_for_a_day_and_for_the_account_it_was_made_for() {
    for (seconds, is_good) in [(24 * HOUR - 1, true), (24 * HOUR, false)] {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        service.register("bob").await;
        let mails = service.deliver_emails().await;
        let token = mails.iter().find(|mail| mail.to.starts_with("alice")).unwrap().content.get(Fact::Token).unwrap();
        service.advance(seconds);
        assert_eq!(service.accounts.verify_email(token, None, &client()).await.is_ok(), is_good, "{seconds}");
        assert_eq!(service.user("alice").await.email_verified_at.is_some(), is_good);
        assert_eq!(service.user("bob").await.email_verified_at, None);
    }
}

#[tokio::test]
async fn of_an_address_that_is_not_the_accounts_any_more_proves_nothing() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    // By an administrator, past the use-case.
    let user = service.user("alice").await;
    let other = ProfileChange { email: Some(email("other@example.com")), ..ProfileChange::default() };
    auth_accounts::ports::Accounts::update_profile(service.store.as_ref(), &user.id, &other).await.unwrap();
    assert!(is_bad_link(&service.accounts.verify_email(&token, None, &client()).await));
    assert_eq!(service.user("alice").await.email_verified_at, None);
}

/// Whoever follows the link may not know that there is a factor.
#[tokio::test]
async fn proves_nothing_if_a_second_factor_was_added_meanwhile() {
    let Fixture { service, eventful, .. } = fixture(verifying(EmailVerification::Optional));
    service.register("alice").await;
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    // By a replica where email addresses need no verification.
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
