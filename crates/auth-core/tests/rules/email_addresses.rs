//! Addresses: whether one has to be proven, how that is done, and how one is changed.

use crate::fixture::*;
use auth_core::AuthError;
use auth_core::account::{AccountFault, ProfileChange, Taken};
use auth_core::event::EventKind;
use auth_core::mail::{Fact, MailKind, MailRequest, Queued};
use auth_core::service::{Action, Caller, EmailVerification, ProfileUpdated, TokenPolicy};
use auth_core::time::Seconds;

const HOUR: u64 = 60 * 60;

fn verifying(email_verification: EmailVerification) -> TokenPolicy {
    with_accounts(|accounts| accounts.email_verification = email_verification)
}

fn is_taken<T>(outcome: &Result<T, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::Account(AccountFault::Taken(Taken::Email))))
}

/// Asks for another address, as the owner of an account.
async fn change(
    service: &TestService,
    name: &str,
    to: &str,
    password: Option<&str>,
) -> Result<ProfileUpdated, AuthError> {
    let caller = Caller { user: service.user(name).await, session: None };
    let change = ProfileChange { email: Some(email(to)), ..ProfileChange::default() };
    service.accounts.update_profile(caller, change, password.map(shown).as_ref(), &client()).await
}

mod proof {
    use super::*;

    #[tokio::test]
    async fn is_asked_for_at_the_registration_where_it_is_wanted() {
        for (wanted, expected) in [
            (EmailVerification::Off, vec![]),
            (EmailVerification::Optional, vec![Queued::Request(MailRequest::EmailVerification)]),
            (EmailVerification::Required, vec![Queued::Request(MailRequest::EmailVerification)]),
        ] {
            let service = service(verifying(wanted));
            service.register("alice").await;
            let waiting: Vec<_> = service.enqueued().into_iter().map(|(queued, _)| queued).collect();
            assert_eq!(waiting, expected, "{wanted:?}");
            let mails = service.deliver_emails().await;
            assert_eq!(mails.len(), expected.len(), "{wanted:?}");
            if let Some(mail) = mails.first() {
                assert_eq!((mail.kind, mail.to.as_str()), (MailKind::EmailVerification, "alice@example.com"));
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
                Err(AuthError::EmailNotVerified) => assert!(is_needed, "{wanted:?}"),
                outcome => assert!(outcome.is_ok() && !is_needed, "{wanted:?}"),
            }
        }
    }

    #[tokio::test]
    async fn lets_in_whoever_brings_it() {
        let service = service(verifying(EmailVerification::Required));
        service.register("alice").await;
        let token = token_of(&service.deliver_emails().await, MailKind::EmailVerification);
        service.events.taken();
        let user = service.accounts.verify_email(&token, &client()).await.unwrap();
        assert_eq!(user.email_verified_at.map(|moment| moment.unix().seconds()), Some(service.now().seconds()));
        assert_eq!(service.take_event_kinds(), [EventKind::EmailVerified]);
        assert_eq!(service.store.sessions(), [], "it logs nobody in");
        assert!(service.try_login("alice", PASSWORD).await.is_ok());
        assert!(is_bad_link(&service.accounts.verify_email(&token, &client()).await), "once");
    }

    #[tokio::test]
    async fn that_is_missing_is_told_to_whoever_has_the_password_and_to_nobody_else() {
        let service = service(verifying(EmailVerification::Required));
        service.register("alice").await;
        for (name, password) in [("alice", "Wrong-horse-42"), ("nobody", PASSWORD), ("Alice", PASSWORD)] {
            let refused = service.try_login(name, password).await;
            assert!(matches!(refused, Err(AuthError::BadCredentials)), "{name}: {refused:?}");
        }
        service.act("alice", Action::Deactivate).await;
        assert!(matches!(service.try_login("alice", PASSWORD).await, Err(AuthError::BadCredentials)), "inactive");
        assert_eq!(service.store.sessions(), []);
    }

    #[tokio::test]
    async fn works_for_a_day_and_for_the_account_it_was_made_for() {
        for (seconds, is_good) in [(24 * HOUR - 1, true), (24 * HOUR, false)] {
            let service = service(verifying(EmailVerification::Optional));
            service.register("alice").await;
            service.register("bob").await;
            let mails = service.deliver_emails().await;
            let token =
                mails.iter().find(|mail| mail.to.starts_with("alice")).unwrap().content.get(Fact::Token).unwrap();
            service.advance(seconds);
            assert_eq!(service.accounts.verify_email(token, &client()).await.is_ok(), is_good, "{seconds}");
            assert_eq!(service.user("alice").await.email_verified_at.is_some(), is_good);
            assert_eq!(service.user("bob").await.email_verified_at, None);
        }
    }

    #[tokio::test]
    async fn of_an_address_that_is_not_the_accounts_any_more_proves_nothing() {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        let token = token_of(&service.deliver_emails().await, MailKind::EmailVerification);
        // By an administrator, past the use-case.
        let user = service.user("alice").await;
        let other = ProfileChange { email: Some(email("other@example.com")), ..ProfileChange::default() };
        auth_core::ports::Accounts::update_profile(service.store.as_ref(), user.id, &other).await.unwrap();
        assert!(is_bad_link(&service.accounts.verify_email(&token, &client()).await));
        assert_eq!(service.user("alice").await.email_verified_at, None);
    }

    #[tokio::test]
    async fn of_an_inactive_account_is_refused() {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        let token = token_of(&service.deliver_emails().await, MailKind::EmailVerification);
        service.act("alice", Action::Deactivate).await;
        assert!(is_bad_link(&service.accounts.verify_email(&token, &client()).await));
    }
}

mod another_mail {
    use super::*;

    #[tokio::test]
    async fn goes_to_those_who_have_something_to_prove() {
        let service = service(verifying(EmailVerification::Optional));
        for name in ["alice", "proven", "inactive"] {
            service.register(name).await;
        }
        service.act("inactive", Action::Deactivate).await;
        let first = service.deliver_emails().await;
        assert_eq!(first.len(), 2, "to the active ones");
        let token = first.iter().find(|mail| mail.to.starts_with("proven")).unwrap().content.get(Fact::Token).unwrap();
        service.accounts.verify_email(token, &client()).await.unwrap();
        let mut calls = Vec::new();
        for name in ["alice", "proven", "inactive", "nobody"] {
            let before = service.store.calls();
            service.accounts.request_verification(&email(&format!("{name}@example.com")), &client()).await.unwrap();
            calls.push(service.store.calls() - before);
        }
        assert!(calls.iter().all(|count| *count == calls[0]), "{calls:?}");
        let sent: Vec<_> = service.deliver_emails().await.into_iter().map(|mail| mail.to).collect();
        assert_eq!(sent, ["alice@example.com"]);
        assert_eq!(service.enqueued(), []);
    }

    #[tokio::test]
    async fn ends_the_link_before_it() {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        let older = token_of(&service.deliver_emails().await, MailKind::EmailVerification);
        service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
        let newer = token_of(&service.deliver_emails().await, MailKind::EmailVerification);
        assert!(is_bad_link(&service.accounts.verify_email(&older, &client()).await));
        assert!(service.accounts.verify_email(&newer, &client()).await.is_ok());
    }

    #[tokio::test]
    async fn is_not_sent_where_nobody_wants_a_proof() {
        let service = service(verifying(EmailVerification::Off));
        service.register("alice").await;
        service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
        assert_eq!(service.deliver_emails().await, []);
    }

    #[tokio::test]
    async fn comes_five_times_an_hour_together_with_other_links_that_anybody_can_ask_for() {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        for _ in 0..3 {
            service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
            service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        }
        assert_eq!(service.deliver_emails().await.len(), 5, "of the seven that were asked for");
        service.advance(HOUR);
        service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        assert_eq!(service.deliver_emails().await.len(), 1);
    }
}

/// Links can be asked for by anybody: that must not keep the owner of an account out (SEC-122).
#[tokio::test]
async fn links_that_strangers_ask_for_take_no_login_codes_from_the_owner() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_email("alice").await;
    for number in 0..10 {
        service
            .accounts
            .request_reset(&email("alice@example.com"), &from(&format!("198.51.100.{number}")))
            .await
            .unwrap();
    }
    service.deliver_emails().await;
    let challenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    assert!(service.tokens.answer_challenge(challenge.challenge.expose(), &code, client()).await.is_ok());
}

mod change_without_proof {
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
}

mod change_with_proof {
    use super::*;

    #[tokio::test]
    async fn takes_the_password() {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        service.deliver_emails().await;
        let refused = change(&service, "alice", "new@example.com", None).await;
        assert!(matches!(refused, Err(AuthError::PasswordMissing)), "{refused:?}");
        for password in [Some("Wrong-horse-42"), Some("")] {
            let refused = change(&service, "alice", "new@example.com", password).await;
            assert!(matches!(refused, Err(AuthError::WrongPassword)), "{password:?}: {refused:?}");
        }
        assert_eq!((service.store.codes().len(), service.enqueued()), (1, vec![]));
        // Guesses count as those at a login.
        for _ in 0..8 {
            let refused = change(&service, "alice", "new@example.com", Some("Wrong-horse-42")).await;
            assert!(matches!(refused, Err(AuthError::WrongPassword)), "{refused:?}");
        }
        assert!(matches!(service.try_login("alice", PASSWORD).await, Err(AuthError::Throttled { .. })));
    }

    #[tokio::test]
    async fn is_asked_for_twenty_times_an_hour() {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        service.deliver_emails().await;
        for number in 0..20 {
            change(&service, "alice", &format!("new{number}@example.com"), Some(PASSWORD)).await.unwrap();
        }
        service.deliver_emails().await;
        let refused = change(&service, "alice", "new@example.com", Some(PASSWORD)).await;
        assert!(matches!(refused, Err(AuthError::Throttled { .. })), "{refused:?}");
        assert_eq!(service.enqueued(), []);
        service.advance(HOUR);
        assert!(change(&service, "alice", "new@example.com", Some(PASSWORD)).await.is_ok());
    }

    #[tokio::test]
    async fn leaves_the_old_address_until_the_new_one_is_proven() {
        for wanted in [EmailVerification::Optional, EmailVerification::Required] {
            let service = service(verifying(wanted));
            service.register("alice").await;
            let first = token_of(&service.deliver_emails().await, MailKind::EmailVerification);
            service.accounts.verify_email(&first, &client()).await.unwrap();
            service.events.taken();
            let updated = change(&service, "alice", "new@example.com", Some(PASSWORD)).await.unwrap();
            assert_eq!(updated.user.email, "alice@example.com");
            assert_eq!(updated.pending_email, Some(email("new@example.com")));
            assert_eq!(service.user("alice").await.email, "alice@example.com");
            assert_eq!(service.take_event_kinds(), [EventKind::EmailChangeRequested]);
            let mails = service.deliver_emails().await;
            let sent: Vec<_> = mails.iter().map(|mail| (mail.kind, mail.to.as_str())).collect();
            assert_eq!(
                sent,
                [(MailKind::EmailChange, "new@example.com"), (MailKind::EmailChangeRequested, "alice@example.com")]
            );
            assert_eq!(mails[1].content.get(Fact::Token), None, "the old address gets no link");
            assert_eq!(mails[1].content.get(Fact::NewEmail), Some("n…@example.com"));

            service.advance(1);
            let token = token_of(&mails, MailKind::EmailChange);
            let user = service.accounts.verify_email(&token, &client()).await.unwrap();
            assert_eq!(user.email, "new@example.com");
            assert_eq!(user.email_verified_at.map(|moment| moment.unix().seconds()), Some(service.now().seconds()));
            assert_eq!(service.take_event_kinds(), [EventKind::EmailChanged]);
            let told: Vec<_> = service.deliver_emails().await.into_iter().map(|mail| (mail.kind, mail.to)).collect();
            assert_eq!(told, [(MailKind::EmailChanged, "alice@example.com".to_owned())]);
            assert!(is_bad_link(&service.accounts.verify_email(&token, &client()).await), "once");
        }
    }

    #[tokio::test]
    async fn of_letter_case_only_is_none() {
        let service = service(verifying(EmailVerification::Required));
        service.register("alice").await;
        let token = token_of(&service.deliver_emails().await, MailKind::EmailVerification);
        service.accounts.verify_email(&token, &client()).await.unwrap();
        let updated = change(&service, "alice", "Alice@Example.com", None).await.unwrap();
        assert_eq!((updated.user.email.as_str(), updated.pending_email), ("Alice@Example.com", None));
        assert!(updated.user.email_verified_at.is_some(), "it is the same address");
        assert_eq!(service.enqueued(), []);
    }

    #[tokio::test]
    async fn is_refused_if_another_has_the_address_by_then() {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        service.register("bob").await;
        service.deliver_emails().await;
        assert!(is_taken(&change(&service, "alice", "Bob@example.com", Some(PASSWORD)).await));
        assert_eq!(service.enqueued(), []);

        change(&service, "alice", "carol@example.com", Some(PASSWORD)).await.unwrap();
        let token = token_of(&service.deliver_emails().await, MailKind::EmailChange);
        service.register("carol").await;
        service.deliver_emails().await;
        assert!(is_taken(&service.accounts.verify_email(&token, &client()).await));
        assert_eq!(service.user("alice").await.email, "alice@example.com");
        assert_eq!(service.enqueued(), [], "nobody is told of what did not happen");
        // The link was not burnt by that.
        service.act("carol", Action::Delete).await;
        assert!(service.accounts.verify_email(&token, &client()).await.is_ok());
    }

    #[tokio::test]
    async fn is_overtaken_by_a_newer_one() {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        service.deliver_emails().await;
        change(&service, "alice", "first@example.com", Some(PASSWORD)).await.unwrap();
        let first = token_of(&service.deliver_emails().await, MailKind::EmailChange);
        change(&service, "alice", "second@example.com", Some(PASSWORD)).await.unwrap();
        let second = token_of(&service.deliver_emails().await, MailKind::EmailChange);
        assert!(is_bad_link(&service.accounts.verify_email(&first, &client()).await));
        assert_eq!(service.accounts.verify_email(&second, &client()).await.unwrap().email, "second@example.com");
    }

    #[tokio::test]
    async fn dies_with_the_password() {
        let service = service(verifying(EmailVerification::Optional));
        service.register("alice").await;
        service.deliver_emails().await;
        change(&service, "alice", "thief@example.com", Some(PASSWORD)).await.unwrap();
        let token = token_of(&service.deliver_emails().await, MailKind::EmailChange);
        let link = reset_link(&service, "alice").await;
        reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
        assert!(is_bad_link(&service.accounts.verify_email(&token, &client()).await));
        assert_eq!(service.user("alice").await.email, "alice@example.com");
    }

    #[tokio::test]
    async fn is_done_once_by_any_number_at_once() {
        let Fixture { service, eventful, .. } = fixture(verifying(EmailVerification::Optional));
        service.register("alice").await;
        service.deliver_emails().await;
        change(&service, "alice", "new@example.com", Some(PASSWORD)).await.unwrap();
        let token = token_of(&service.deliver_emails().await, MailKind::EmailChange);
        eventful.yield_at_each_call();
        let mut proofs = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (accounts, token) = (service.accounts.clone(), token.clone());
            proofs.spawn(async move { accounts.verify_email(&token, &client()).await.is_ok() });
        }
        assert_eq!(proofs.join_all().await.into_iter().filter(|is_ok| *is_ok).count(), 1);
        assert_eq!(service.enqueued().len(), 1, "told once");
    }

    #[tokio::test]
    async fn is_not_asked_for_if_the_rest_of_the_change_is_refused() {
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
        assert!(matches!(refused, Err(AuthError::Account(AccountFault::Taken(Taken::Username)))), "{refused:?}");
        assert_eq!(service.enqueued(), []);
        assert_eq!(codes_for(&service, auth_core::code::CodePurpose::EmailChange), []);
    }

    #[tokio::test]
    async fn does_other_changes_at_once() {
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
        assert_eq!((updated.user.first_name.as_str(), updated.user.email.as_str()), ("Alicia", "alice@example.com"));
    }
}

#[tokio::test]
async fn a_link_whose_time_ran_out_meanwhile_is_refused() {
    let Fixture { service, eventful, .. } = fixture(verifying(EmailVerification::Optional));
    service.register("alice").await;
    let token = token_of(&service.deliver_emails().await, MailKind::EmailVerification);
    service.advance(24 * HOUR - 1);
    let clock = service.clock.clone();
    eventful.before("find_user", async move { clock.advance(Seconds::new(1)) });
    assert!(is_bad_link(&service.accounts.verify_email(&token, &client()).await));
}

/// Whoever was shut out between the check of their token and the change gets no link to an address of theirs.
#[tokio::test]
async fn no_link_is_sent_for_who_was_shut_out_meanwhile() {
    let service = service(verifying(EmailVerification::Optional));
    service.register("alice").await;
    service.deliver_emails().await;
    let caller = service.caller(&service.login("alice").await).await;
    let link = reset_link(&service, "alice").await;
    // Wrong by now, and right for the account as the caller's token found it.
    reset_password(&service, &link, PASSWORD).await.unwrap();
    service.deliver_emails().await;
    let change = ProfileChange { email: Some(email("thief@example.com")), ..ProfileChange::default() };
    let refused = service.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await;
    assert!(matches!(refused, Err(AuthError::Store(_))), "{refused:?}");
    assert_eq!(service.enqueued(), []);
}
