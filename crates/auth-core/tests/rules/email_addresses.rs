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

fn is_bad_link<T>(outcome: &Result<T, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::BadLink))
}

fn is_taken<T>(outcome: &Result<T, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::Account(AccountFault::Taken(Taken::Email))))
}

/// Asks for another address, as the owner of an account.
async fn change(world: &World, name: &str, to: &str, password: Option<&str>) -> Result<ProfileUpdated, AuthError> {
    let caller = Caller { user: world.stored(name).await, session: None };
    let change = ProfileChange { email: Some(email(to)), ..ProfileChange::default() };
    world.accounts.update_profile(caller, change, password.map(shown).as_ref(), &client()).await
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
            let world = world(verifying(wanted));
            world.register("alice").await.unwrap();
            let waiting: Vec<_> = world.waiting().into_iter().map(|(queued, _)| queued).collect();
            assert_eq!(waiting, expected, "{wanted:?}");
            let mails = world.deliver_all().await;
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
            let world = world(verifying(wanted));
            world.register("alice").await.unwrap();
            match world.try_login("alice", PASSWORD).await {
                Err(AuthError::EmailNotVerified) => assert!(is_needed, "{wanted:?}"),
                outcome => assert!(outcome.is_ok() && !is_needed, "{wanted:?}"),
            }
        }
    }

    #[tokio::test]
    async fn lets_in_whoever_brings_it() {
        let world = world(verifying(EmailVerification::Required));
        world.register("alice").await.unwrap();
        let token = token_of(&world.deliver_all().await, MailKind::EmailVerification);
        world.events.taken();
        let user = world.accounts.verify_email(&token, &client()).await.unwrap();
        assert_eq!(user.email_verified_at.map(|moment| moment.unix().seconds()), Some(world.now()));
        assert_eq!(world.event_kinds(), [EventKind::EmailVerified]);
        assert_eq!(world.store.sessions(), [], "it logs nobody in");
        assert!(world.try_login("alice", PASSWORD).await.is_ok());
        assert!(is_bad_link(&world.accounts.verify_email(&token, &client()).await), "once");
    }

    #[tokio::test]
    async fn that_is_missing_is_told_to_whoever_has_the_password_and_to_nobody_else() {
        let world = world(verifying(EmailVerification::Required));
        world.register("alice").await.unwrap();
        for (name, password) in [("alice", "Wrong-horse-42"), ("nobody", PASSWORD), ("Alice", PASSWORD)] {
            let refused = world.try_login(name, password).await;
            assert!(matches!(refused, Err(AuthError::BadCredentials)), "{name}: {refused:?}");
        }
        world.act("alice", Action::Deactivate).await;
        assert!(matches!(world.try_login("alice", PASSWORD).await, Err(AuthError::BadCredentials)), "inactive");
        assert_eq!(world.store.sessions(), []);
    }

    #[tokio::test]
    async fn works_for_a_day_and_for_the_account_it_was_made_for() {
        for (seconds, is_good) in [(24 * HOUR - 1, true), (24 * HOUR, false)] {
            let world = world(verifying(EmailVerification::Optional));
            world.register("alice").await.unwrap();
            world.register("bob").await.unwrap();
            let mails = world.deliver_all().await;
            let token =
                mails.iter().find(|mail| mail.to.starts_with("alice")).unwrap().content.get(Fact::Token).unwrap();
            world.advance(seconds);
            assert_eq!(world.accounts.verify_email(token, &client()).await.is_ok(), is_good, "{seconds}");
            assert_eq!(world.stored("alice").await.email_verified_at.is_some(), is_good);
            assert_eq!(world.stored("bob").await.email_verified_at, None);
        }
    }

    #[tokio::test]
    async fn of_an_address_that_is_not_the_accounts_any_more_proves_nothing() {
        let world = world(verifying(EmailVerification::Optional));
        world.register("alice").await.unwrap();
        let token = token_of(&world.deliver_all().await, MailKind::EmailVerification);
        // By an administrator, past the use-case.
        let user = world.stored("alice").await;
        let other = ProfileChange { email: Some(email("other@example.com")), ..ProfileChange::default() };
        auth_core::ports::Accounts::update_profile(world.store.as_ref(), user.id, &other).await.unwrap();
        assert!(is_bad_link(&world.accounts.verify_email(&token, &client()).await));
        assert_eq!(world.stored("alice").await.email_verified_at, None);
    }

    #[tokio::test]
    async fn of_an_inactive_account_is_refused() {
        let world = world(verifying(EmailVerification::Optional));
        world.register("alice").await.unwrap();
        let token = token_of(&world.deliver_all().await, MailKind::EmailVerification);
        world.act("alice", Action::Deactivate).await;
        assert!(is_bad_link(&world.accounts.verify_email(&token, &client()).await));
    }
}

mod another_mail {
    use super::*;

    #[tokio::test]
    async fn goes_to_those_who_have_something_to_prove() {
        let world = world(verifying(EmailVerification::Optional));
        for name in ["alice", "proven", "inactive"] {
            world.register(name).await.unwrap();
        }
        world.act("inactive", Action::Deactivate).await;
        let first = world.deliver_all().await;
        assert_eq!(first.len(), 2, "to the active ones");
        let token = first.iter().find(|mail| mail.to.starts_with("proven")).unwrap().content.get(Fact::Token).unwrap();
        world.accounts.verify_email(token, &client()).await.unwrap();
        let mut calls = Vec::new();
        for name in ["alice", "proven", "inactive", "nobody"] {
            let before = world.store.calls();
            world.accounts.request_verification(&email(&format!("{name}@example.com")), &client()).await.unwrap();
            calls.push(world.store.calls() - before);
        }
        assert!(calls.iter().all(|count| *count == calls[0]), "{calls:?}");
        let sent: Vec<_> = world.deliver_all().await.into_iter().map(|mail| mail.to).collect();
        assert_eq!(sent, ["alice@example.com"]);
        assert_eq!(world.waiting(), []);
    }

    #[tokio::test]
    async fn ends_the_link_before_it() {
        let world = world(verifying(EmailVerification::Optional));
        world.register("alice").await.unwrap();
        let older = token_of(&world.deliver_all().await, MailKind::EmailVerification);
        world.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
        let newer = token_of(&world.deliver_all().await, MailKind::EmailVerification);
        assert!(is_bad_link(&world.accounts.verify_email(&older, &client()).await));
        assert!(world.accounts.verify_email(&newer, &client()).await.is_ok());
    }

    #[tokio::test]
    async fn is_not_sent_where_nobody_wants_a_proof() {
        let world = world(verifying(EmailVerification::Off));
        world.register("alice").await.unwrap();
        world.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
        assert_eq!(world.deliver_all().await, []);
    }

    #[tokio::test]
    async fn comes_five_times_an_hour_together_with_other_links_that_anybody_can_ask_for() {
        let world = world(verifying(EmailVerification::Optional));
        world.register("alice").await.unwrap();
        for _ in 0..3 {
            world.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
            world.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        }
        assert_eq!(world.deliver_all().await.len(), 5, "of the seven that were asked for");
        world.advance(HOUR);
        world.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        assert_eq!(world.deliver_all().await.len(), 1);
    }
}

/// Links can be asked for by anybody: that must not keep the owner of an account out (SEC-122).
#[tokio::test]
async fn links_that_strangers_ask_for_take_no_login_codes_from_the_owner() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    world.enrol_email("alice").await;
    for number in 0..10 {
        world
            .accounts
            .request_reset(&email("alice@example.com"), &from(&format!("198.51.100.{number}")))
            .await
            .unwrap();
    }
    world.deliver_all().await;
    let challenge = world.asked("alice").await;
    let code = world.mailed_code();
    assert!(world.tokens.answer_challenge(challenge.challenge.expose(), &code, client()).await.is_ok());
}

mod change_without_proof {
    use super::*;

    #[tokio::test]
    async fn takes_effect_at_once_and_is_told_to_the_old_address() {
        let world = world(verifying(EmailVerification::Off));
        world.register("alice").await.unwrap();
        world.events.taken();
        let updated = change(&world, "alice", "new@example.com", None).await.unwrap();
        assert_eq!((updated.user.email.as_str(), updated.pending_email), ("new@example.com", None));
        assert_eq!(world.event_kinds(), [EventKind::ProfileChanged]);
        let mails = world.deliver_all().await;
        assert_eq!(mails.len(), 1);
        assert_eq!((mails[0].kind, mails[0].to.as_str()), (MailKind::EmailChanged, "alice@example.com"));
        assert_eq!(mails[0].content.get(Fact::NewEmail), Some("n…@example.com"), "shortened for a stranger");
    }

    #[tokio::test]
    async fn is_refused_if_another_has_the_address() {
        let world = world(verifying(EmailVerification::Off));
        world.register("alice").await.unwrap();
        world.register("bob").await.unwrap();
        assert!(is_taken(&change(&world, "alice", "BOB@example.com", None).await));
        assert_eq!(world.waiting(), []);
    }
}

mod change_with_proof {
    use super::*;

    #[tokio::test]
    async fn takes_the_password() {
        let world = world(verifying(EmailVerification::Optional));
        world.register("alice").await.unwrap();
        world.deliver_all().await;
        let refused = change(&world, "alice", "new@example.com", None).await;
        assert!(matches!(refused, Err(AuthError::PasswordMissing)), "{refused:?}");
        for password in [Some("Wrong-horse-42"), Some("")] {
            let refused = change(&world, "alice", "new@example.com", password).await;
            assert!(matches!(refused, Err(AuthError::WrongPassword)), "{password:?}: {refused:?}");
        }
        assert_eq!((world.store.codes().len(), world.waiting()), (1, vec![]));
        // Guesses count as those at a login.
        for _ in 0..8 {
            let refused = change(&world, "alice", "new@example.com", Some("Wrong-horse-42")).await;
            assert!(matches!(refused, Err(AuthError::WrongPassword)), "{refused:?}");
        }
        assert!(matches!(world.try_login("alice", PASSWORD).await, Err(AuthError::Throttled { .. })));
    }

    #[tokio::test]
    async fn is_asked_for_twenty_times_an_hour() {
        let world = world(verifying(EmailVerification::Optional));
        world.register("alice").await.unwrap();
        world.deliver_all().await;
        for number in 0..20 {
            change(&world, "alice", &format!("new{number}@example.com"), Some(PASSWORD)).await.unwrap();
        }
        world.deliver_all().await;
        let refused = change(&world, "alice", "new@example.com", Some(PASSWORD)).await;
        assert!(matches!(refused, Err(AuthError::Throttled { .. })), "{refused:?}");
        assert_eq!(world.waiting(), []);
        world.advance(HOUR);
        assert!(change(&world, "alice", "new@example.com", Some(PASSWORD)).await.is_ok());
    }

    #[tokio::test]
    async fn leaves_the_old_address_until_the_new_one_is_proven() {
        for wanted in [EmailVerification::Optional, EmailVerification::Required] {
            let world = world(verifying(wanted));
            world.register("alice").await.unwrap();
            let first = token_of(&world.deliver_all().await, MailKind::EmailVerification);
            world.accounts.verify_email(&first, &client()).await.unwrap();
            world.events.taken();
            let updated = change(&world, "alice", "new@example.com", Some(PASSWORD)).await.unwrap();
            assert_eq!(updated.user.email, "alice@example.com");
            assert_eq!(updated.pending_email, Some(email("new@example.com")));
            assert_eq!(world.stored("alice").await.email, "alice@example.com");
            assert_eq!(world.event_kinds(), [EventKind::EmailChangeRequested]);
            let mails = world.deliver_all().await;
            let sent: Vec<_> = mails.iter().map(|mail| (mail.kind, mail.to.as_str())).collect();
            assert_eq!(
                sent,
                [(MailKind::EmailChange, "new@example.com"), (MailKind::EmailChangeRequested, "alice@example.com")]
            );
            assert_eq!(mails[1].content.get(Fact::Token), None, "the old address gets no link");
            assert_eq!(mails[1].content.get(Fact::NewEmail), Some("n…@example.com"));

            world.advance(1);
            let token = token_of(&mails, MailKind::EmailChange);
            let user = world.accounts.verify_email(&token, &client()).await.unwrap();
            assert_eq!(user.email, "new@example.com");
            assert_eq!(user.email_verified_at.map(|moment| moment.unix().seconds()), Some(world.now()));
            assert_eq!(world.event_kinds(), [EventKind::EmailChanged]);
            let told: Vec<_> = world.deliver_all().await.into_iter().map(|mail| (mail.kind, mail.to)).collect();
            assert_eq!(told, [(MailKind::EmailChanged, "alice@example.com".to_owned())]);
            assert!(is_bad_link(&world.accounts.verify_email(&token, &client()).await), "once");
        }
    }

    #[tokio::test]
    async fn of_letter_case_only_is_none() {
        let world = world(verifying(EmailVerification::Required));
        world.register("alice").await.unwrap();
        let token = token_of(&world.deliver_all().await, MailKind::EmailVerification);
        world.accounts.verify_email(&token, &client()).await.unwrap();
        let updated = change(&world, "alice", "Alice@Example.com", None).await.unwrap();
        assert_eq!((updated.user.email.as_str(), updated.pending_email), ("Alice@Example.com", None));
        assert!(updated.user.email_verified_at.is_some(), "it is the same address");
        assert_eq!(world.waiting(), []);
    }

    #[tokio::test]
    async fn is_refused_if_another_has_the_address_by_then() {
        let world = world(verifying(EmailVerification::Optional));
        world.register("alice").await.unwrap();
        world.register("bob").await.unwrap();
        world.deliver_all().await;
        assert!(is_taken(&change(&world, "alice", "Bob@example.com", Some(PASSWORD)).await));
        assert_eq!(world.waiting(), []);

        change(&world, "alice", "carol@example.com", Some(PASSWORD)).await.unwrap();
        let token = token_of(&world.deliver_all().await, MailKind::EmailChange);
        world.register("carol").await.unwrap();
        world.deliver_all().await;
        assert!(is_taken(&world.accounts.verify_email(&token, &client()).await));
        assert_eq!(world.stored("alice").await.email, "alice@example.com");
        assert_eq!(world.waiting(), [], "nobody is told of what did not happen");
        // The link was not burnt by that.
        world.act("carol", Action::Delete).await;
        assert!(world.accounts.verify_email(&token, &client()).await.is_ok());
    }

    #[tokio::test]
    async fn is_overtaken_by_a_newer_one() {
        let world = world(verifying(EmailVerification::Optional));
        world.register("alice").await.unwrap();
        world.deliver_all().await;
        change(&world, "alice", "first@example.com", Some(PASSWORD)).await.unwrap();
        let first = token_of(&world.deliver_all().await, MailKind::EmailChange);
        change(&world, "alice", "second@example.com", Some(PASSWORD)).await.unwrap();
        let second = token_of(&world.deliver_all().await, MailKind::EmailChange);
        assert!(is_bad_link(&world.accounts.verify_email(&first, &client()).await));
        assert_eq!(world.accounts.verify_email(&second, &client()).await.unwrap().email, "second@example.com");
    }

    #[tokio::test]
    async fn dies_with_the_password() {
        let world = world(verifying(EmailVerification::Optional));
        world.register("alice").await.unwrap();
        world.deliver_all().await;
        change(&world, "alice", "thief@example.com", Some(PASSWORD)).await.unwrap();
        let token = token_of(&world.deliver_all().await, MailKind::EmailChange);
        let link = world.reset_link("alice").await;
        world.reset(&link, NEW_PASSWORD).await.unwrap();
        assert!(is_bad_link(&world.accounts.verify_email(&token, &client()).await));
        assert_eq!(world.stored("alice").await.email, "alice@example.com");
    }

    #[tokio::test]
    async fn is_done_once_by_any_number_at_once() {
        let world = world(verifying(EmailVerification::Optional));
        world.register("alice").await.unwrap();
        world.deliver_all().await;
        change(&world, "alice", "new@example.com", Some(PASSWORD)).await.unwrap();
        let token = token_of(&world.deliver_all().await, MailKind::EmailChange);
        world.eventful.yield_at_each_call();
        let mut proofs = tokio::task::JoinSet::new();
        for _ in 0..20 {
            let (accounts, token) = (world.accounts.clone(), token.clone());
            proofs.spawn(async move { accounts.verify_email(&token, &client()).await.is_ok() });
        }
        assert_eq!(proofs.join_all().await.into_iter().filter(|is_ok| *is_ok).count(), 1);
        assert_eq!(world.waiting().len(), 1, "told once");
    }

    #[tokio::test]
    async fn is_not_asked_for_if_the_rest_of_the_change_is_refused() {
        let world = world(verifying(EmailVerification::Optional));
        let user = world.register("alice").await.unwrap();
        world.register("bob").await.unwrap();
        world.deliver_all().await;
        let change = ProfileChange {
            username: Some(auth_conformance::username("bob")),
            email: Some(email("new@example.com")),
            ..ProfileChange::default()
        };
        let (caller, password) = (Caller { user, session: None }, shown(PASSWORD));
        let refused = world.accounts.update_profile(caller, change, Some(&password), &client()).await;
        assert!(matches!(refused, Err(AuthError::Account(AccountFault::Taken(Taken::Username)))), "{refused:?}");
        assert_eq!(world.waiting(), []);
        assert_eq!(world.codes_for(auth_core::code::CodePurpose::EmailChange), []);
    }

    #[tokio::test]
    async fn does_other_changes_at_once() {
        let world = world(verifying(EmailVerification::Optional));
        let user = world.register("alice").await.unwrap();
        let change = ProfileChange {
            email: Some(email("new@example.com")),
            first_name: Some(auth_conformance::person_name("Alicia")),
            ..ProfileChange::default()
        };
        let caller = Caller { user, session: None };
        let password = shown(PASSWORD);
        let updated = world.accounts.update_profile(caller, change, Some(&password), &client()).await.unwrap();
        assert_eq!((updated.user.first_name.as_str(), updated.user.email.as_str()), ("Alicia", "alice@example.com"));
    }
}

#[tokio::test]
async fn a_link_whose_time_ran_out_meanwhile_is_refused() {
    let world = world(verifying(EmailVerification::Optional));
    world.register("alice").await.unwrap();
    let token = token_of(&world.deliver_all().await, MailKind::EmailVerification);
    world.advance(24 * HOUR - 1);
    let clock = world.clock.clone();
    world.eventful.before("find_user", async move { clock.advance(Seconds::new(1)) });
    assert!(is_bad_link(&world.accounts.verify_email(&token, &client()).await));
}

/// Whoever was shut out between the check of their token and the change gets no link to an address of theirs.
#[tokio::test]
async fn no_link_is_sent_for_who_was_shut_out_meanwhile() {
    let world = world(verifying(EmailVerification::Optional));
    world.register("alice").await.unwrap();
    world.deliver_all().await;
    let caller = world.caller(&world.login("alice").await).await;
    let link = world.reset_link("alice").await;
    // Wrong by now, and right for the account as the caller's token found it.
    world.reset(&link, PASSWORD).await.unwrap();
    world.deliver_all().await;
    let change = ProfileChange { email: Some(email("thief@example.com")), ..ProfileChange::default() };
    let refused = world.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await;
    assert!(matches!(refused, Err(AuthError::Store(_))), "{refused:?}");
    assert_eq!(world.waiting(), []);
}
