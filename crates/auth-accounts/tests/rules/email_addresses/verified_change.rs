//! Change of an email address where the new one must be verified.

use super::*;

#[tokio::test]
async fn requires_the_password() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    service.deliver_emails().await;
    let refused = change(&service, "alice", "new@example.com", None).await;
    assert!(matches!(refused, Err(AccountError::PasswordMissing)), "{refused:?}");
    for password in [Some("Wrong-horse-42"), Some("")] {
        let refused = change(&service, "alice", "new@example.com", password).await;
        assert!(matches!(refused, Err(AccountError::WrongPassword)), "{password:?}: {refused:?}");
    }
    assert_eq!((service.store.codes().len(), service.enqueued()), (1, vec![]));
    // Guesses count as at a login.
    for _ in 0..8 {
        let refused = change(&service, "alice", "new@example.com", Some("Wrong-horse-42")).await;
        assert!(matches!(refused, Err(AccountError::WrongPassword)), "{refused:?}");
    }
    assert!(matches!(service.try_login("alice", PASSWORD).await, Err(AccountError::Throttled { .. })));
}

#[tokio::test]
async fn is_limited_to_twenty_requests_an_hour() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    service.deliver_emails().await;
    for number in 0..20 {
        change(&service, "alice", &format!("new{number}@example.com"), Some(PASSWORD)).await.unwrap();
    }
    service.deliver_emails().await;
    let refused = change(&service, "alice", "new@example.com", Some(PASSWORD)).await;
    assert!(matches!(refused, Err(AccountError::Throttled { .. })), "{refused:?}");
    assert_eq!(service.enqueued(), []);
    service.advance(HOUR);
    assert!(change(&service, "alice", "new@example.com", Some(PASSWORD)).await.is_ok());
}

#[tokio::test]
async fn keeps_the_old_address_until_the_new_one_is_verified() {
    for wanted in [EmailVerification::Optional, EmailVerification::Required] {
        let service = service(verifying(wanted));
        service.register("alice").await;
        let first = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
        service.accounts.verify_email(&first, None, &client()).await.unwrap();
        service.events.taken();
        let updated = change(&service, "alice", "new@example.com", Some(PASSWORD)).await.unwrap();
        assert_eq!(updated.user.email.as_deref(), Some("alice@example.com"));
        assert_eq!(updated.pending_email, Some(email("new@example.com")));
        assert_eq!(service.user("alice").await.email.as_deref(), Some("alice@example.com"));
        assert_eq!(service.take_event_kinds(), [EventKind::EmailChangeRequested]);
        let emails = service.deliver_emails().await;
        let sent: Vec<_> = emails.iter().map(|email| (email.kind, email.to.as_str())).collect();
        assert_eq!(
            sent,
            [(EmailKind::EmailChange, "new@example.com"), (EmailKind::EmailChangeRequested, "alice@example.com")]
        );
        assert_eq!(emails[0].content.get(Fact::FirstName), None, "the new address may be someone else's");
        assert_eq!(emails[1].content.get(Fact::Token), None, "the old address gets no link");
        assert_eq!(emails[1].content.get(Fact::NewEmail), Some("n…@example.com"));

        service.advance(1);
        let token = token_of(&emails, EmailKind::EmailChange);
        let user = service.accounts.verify_email(&token, None, &client()).await.unwrap();
        assert_eq!(user.email.as_deref(), Some("new@example.com"));
        assert_eq!(user.email_verified_at.map(|moment| moment.unix().seconds()), Some(service.now().seconds()));
        assert_eq!(service.take_event_kinds(), [EventKind::EmailChanged]);
        let notices: Vec<_> = service.deliver_emails().await.into_iter().map(|email| (email.kind, email.to)).collect();
        assert_eq!(notices, [(EmailKind::EmailChanged, "alice@example.com".to_owned())]);
        assert!(is_bad_link(&service.accounts.verify_email(&token, None, &client()).await), "once");
    }
}

#[tokio::test]
async fn of_letter_case_takes_effect_without_reauthentication() {
    let service = service(verifying(EmailVerification::Required));
    service.register("alice").await;
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    service.accounts.verify_email(&token, None, &client()).await.unwrap();
    let updated = change(&service, "alice", "Alice@Example.com", None).await.unwrap();
    assert_eq!((updated.user.email.as_deref(), updated.pending_email), (Some("Alice@Example.com"), None));
    assert!(updated.user.email_verified_at.is_some(), "it is the same address");
    assert_eq!(service.enqueued(), []);
}

#[tokio::test]
async fn is_refused_if_another_account_has_the_address_by_then() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    service.register("bob").await;
    service.deliver_emails().await;
    assert!(is_taken(&change(&service, "alice", "Bob@example.com", Some(PASSWORD)).await));
    assert_eq!(service.enqueued(), []);

    change(&service, "alice", "carol@example.com", Some(PASSWORD)).await.unwrap();
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
    service.register("carol").await;
    service.deliver_emails().await;
    assert!(is_taken(&service.accounts.verify_email(&token, None, &client()).await));
    assert_eq!(service.user("alice").await.email.as_deref(), Some("alice@example.com"));
    assert_eq!(service.enqueued(), [], "no notice of a change that did not happen");
    // The failed attempt did not use the link.
    service.act("carol", Action::Delete).await;
    assert!(service.accounts.verify_email(&token, None, &client()).await.is_ok());
}

#[tokio::test]
async fn ends_with_a_newer_request() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    service.deliver_emails().await;
    change(&service, "alice", "first@example.com", Some(PASSWORD)).await.unwrap();
    let first = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
    change(&service, "alice", "second@example.com", Some(PASSWORD)).await.unwrap();
    let second = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
    assert!(is_bad_link(&service.accounts.verify_email(&first, None, &client()).await));
    assert_eq!(
        service.accounts.verify_email(&second, None, &client()).await.unwrap().email.as_deref(),
        Some("second@example.com")
    );
}

#[tokio::test]
async fn ends_with_the_password() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    service.deliver_emails().await;
    change(&service, "alice", "thief@example.com", Some(PASSWORD)).await.unwrap();
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
    let link = reset_link(&service, "alice").await;
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    assert!(is_bad_link(&service.accounts.verify_email(&token, None, &client()).await));
    assert_eq!(service.user("alice").await.email.as_deref(), Some("alice@example.com"));
}

#[tokio::test]
async fn happens_once_under_concurrent_verifications() {
    let Fixture { service, eventful, .. } = fixture(verifying(EmailVerification::Optional));
    service.register("alice").await;
    service.deliver_emails().await;
    change(&service, "alice", "new@example.com", Some(PASSWORD)).await.unwrap();
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
    eventful.yield_at_each_call();
    let mut verifications = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (accounts, token) = (service.accounts.clone(), token.clone());
        verifications.spawn(async move { accounts.verify_email(&token, None, &client()).await.is_ok() });
    }
    assert_eq!(verifications.join_all().await.into_iter().filter(|is_ok| *is_ok).count(), 1);
    assert_eq!(service.enqueued().len(), 1, "one notice");
}

#[tokio::test]
async fn sends_no_link_if_another_field_is_refused() {
    let service = service(verifying(EmailVerification::Optional));
    let user = service.register("alice").await;
    service.register("bob").await;
    service.deliver_emails().await;
    let change = ProfileChange {
        username: Some(auth_conformance::username("bob")),
        email: Some(email("new@example.com")),
        ..ProfileChange::default()
    };
    let (caller, password) = (Caller { user, session: None }, shown(PASSWORD));
    let refused = service.accounts.update_profile(caller, change, Some(&password), &client()).await;
    assert!(matches!(refused, Err(AccountError::Account(AccountFault::Taken(Taken::Username)))), "{refused:?}");
    assert_eq!(service.enqueued(), []);
    assert_eq!(codes_for(&service, auth_accounts::code::CodePurpose::EmailChange), []);
}

#[tokio::test]
async fn applies_other_fields_immediately() {
    let service = service(verifying(EmailVerification::Optional));
    let user = service.register("alice").await;
    let change = ProfileChange {
        email: Some(email("new@example.com")),
        first_name: Some(auth_conformance::person_name("Alicia")),
        ..ProfileChange::default()
    };
    let caller = Caller { user, session: None };
    let password = shown(PASSWORD);
    let updated = service.accounts.update_profile(caller, change, Some(&password), &client()).await.unwrap();
    assert_eq!(
        (updated.user.first_name.as_str(), updated.user.email.as_deref()),
        ("Alicia", Some("alice@example.com"))
    );
}

#[tokio::test]
async fn ends_with_every_change_of_rights_or_sessions() {
    for number in 0..5 {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        service.deliver_emails().await;
        change(&service, "alice", "new@example.com", Some(PASSWORD)).await.unwrap();
        let token = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
        match number {
            0 => service.act("alice", Action::Promote).await,
            1 => service.act("alice", Action::SetGroups([GroupName::parse("editors").unwrap()].into())).await,
            2 => {
                let caller = service.caller(&service.login("alice").await).await;
                service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
            }
            3 => {
                service.act("alice", Action::Deactivate).await;
                service.act("alice", Action::Activate).await;
            }
            _ => {
                change(&service, "alice", "ALICE@example.com", None).await.unwrap();
                assert!(service.accounts.verify_email(&token, None, &client()).await.is_ok(), "nothing has changed");
                continue;
            }
        }
        assert!(is_bad_link(&service.accounts.verify_email(&token, None, &client()).await), "{number}");
        assert_eq!(service.user("alice").await.email.as_deref(), Some("alice@example.com"), "{number}");
    }
}
