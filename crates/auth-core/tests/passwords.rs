//! Other passwords: by those who know theirs, and by those who forgot it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set its stage has failed")]

mod world;

use auth_core::AuthError;
use auth_core::account::{AccountFault, ProfileChange};
use auth_core::code::CodePurpose;
use auth_core::event::EventKind;
use auth_core::mail::{Fact, MailKind, MailRequest, Queued};
use auth_core::password::{Attribute, PasswordFlaw};
use auth_core::ports::{Accounts, NewPassword, Sessions};
use auth_core::rotation::{OnRefresh, OnRetry, RotationPolicy};
use auth_core::service::{Action, Caller, EmailVerification, LogoutRequest, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::{RawToken, RevokeReason, TokenFault, TokenKind};
use world::*;

const MINUTE: u64 = 60;

fn fault<T>(result: Result<T, AuthError>) -> Option<TokenFault> {
    match result {
        Err(AuthError::Token(fault)) => Some(fault),
        _ => None,
    }
}

fn is_bad_link<T>(outcome: &Result<T, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::BadLink))
}

mod change {
    use super::*;

    #[tokio::test]
    async fn takes_the_old_password_and_counts_guesses_at_it() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let caller = world.caller(&world.login("alice").await).await;
        world.events.taken();
        for guess in 1..=10 {
            let refused = world.change_password(&caller, "Wrong-horse-42", NEW_PASSWORD).await;
            assert!(matches!(refused, Err(AuthError::WrongPassword)), "guess {guess}: {refused:?}");
        }
        assert_eq!(world.event_kinds(), [EventKind::PasswordRefused; 10]);
        let throttled = world.change_password(&caller, PASSWORD, NEW_PASSWORD).await;
        assert!(matches!(throttled, Err(AuthError::Throttled { .. })), "the right one as well: {throttled:?}");
        assert!(world.has_password("alice", PASSWORD).await);
        assert_eq!(world.waiting(), []);
    }

    #[tokio::test]
    async fn compares_nothing_with_a_password_that_nobody_can_have() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let caller = world.caller(&world.login("alice").await).await;
        let before = world.hasher.verifications();
        let refused = world.change_password(&caller, &"x".repeat(1_025), NEW_PASSWORD).await;
        assert!(matches!(refused, Err(AuthError::WrongPassword)));
        assert_eq!(world.hasher.verifications(), before);
    }

    #[tokio::test]
    async fn keeps_the_rules_for_passwords() {
        let world = world(mailing());
        world.register("alice77").await.unwrap();
        let pair = world.login("alice77").await;
        let caller = world.caller(&pair).await;
        for (new, expected) in [
            ("xK9#qqq", PasswordFlaw::TooShort(8)),
            ("password123", PasswordFlaw::TooCommon),
            ("8273645190", PasswordFlaw::EntirelyNumeric),
            ("Alice77!", PasswordFlaw::TooSimilar(Attribute::Username)),
        ] {
            match world.change_password(&caller, PASSWORD, new).await {
                Err(AuthError::Account(AccountFault::WeakPassword(flaws))) => assert_eq!(flaws, [expected], "{new}"),
                other => panic!("{new}: {other:?}"),
            }
        }
        assert!(world.has_password("alice77", PASSWORD).await);
        assert!(world.refresh(&pair).await.is_ok(), "what is refused ends nothing");
        assert_eq!(world.waiting(), []);
    }

    #[tokio::test]
    async fn ends_every_other_session_and_goes_on_with_the_answered_pair() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.register("bob").await.unwrap();
        let (own, other, bob) = (world.login("alice").await, world.login("alice").await, world.login("bob").await);
        let caller = world.caller(&own).await;
        world.advance(1);
        let pair = world.change_password(&caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
        assert!(matches!(world.tokens.authenticate(&access_of(&other)).await, Err(AuthError::PasswordChanged)));
        assert_eq!(fault(world.refresh(&other).await), Some(TokenFault::Revoked));
        assert!(world.refresh(&bob).await.is_ok());
        assert_eq!(world.caller(&pair).await.session, caller.session);
        let next = world.refresh(&pair).await.unwrap();
        assert!(world.tokens.authenticate(&access_of(&next)).await.is_ok());
        assert!(world.try_login("alice", PASSWORD).await.is_err());
        assert!(world.try_login("alice", NEW_PASSWORD).await.is_ok());
    }

    #[tokio::test]
    async fn spends_the_refresh_token_before_it() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let own = world.login("alice").await;
        let caller = world.caller(&own).await;
        let pair = world.change_password(&caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
        assert_eq!(fault(world.refresh(&own).await), Some(TokenFault::Spent));
        world.advance(RETRY_WINDOW);
        // Whoever still has it is somebody else: the session falls.
        assert_eq!(fault(world.refresh(&own).await), Some(TokenFault::Reused));
        assert_eq!(fault(world.refresh(&pair).await), Some(TokenFault::Revoked));
    }

    /// Where spent tokens may still be exchanged, for a while or for good.
    #[tokio::test]
    async fn shuts_out_whoever_has_the_refresh_token_before_it_under_every_policy() {
        for (on_retry, on_refresh) in [
            (OnRetry::Refuse, OnRefresh::Spend),
            (OnRetry::Replay, OnRefresh::Spend),
            (OnRetry::Refuse, OnRefresh::KeepAndRotate),
            (OnRetry::Refuse, OnRefresh::Keep),
        ] {
            let rotation = RotationPolicy { on_retry, on_refresh, ..policy().rotation };
            let world = world(TokenPolicy { rotation, ..mailing() });
            world.register("alice").await.unwrap();
            let own = world.login("alice").await;
            let caller = world.caller(&own).await;
            let pair = world.change_password(&caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
            let thief = world.tokens.refresh(&refresh_of(&own)).await;
            assert!(thief.is_err(), "{on_retry:?} {on_refresh:?}: {thief:?}");
            assert!(world.tokens.authenticate(&access_of(&pair)).await.is_ok(), "{on_retry:?} {on_refresh:?}");
            assert!(world.tokens.refresh(&refresh_of(&pair)).await.is_ok(), "{on_retry:?} {on_refresh:?}");
        }
    }

    #[tokio::test]
    async fn shuts_out_whoever_has_a_copy_of_a_sliding_token() {
        let accepted_kinds = vec![TokenKind::Access, TokenKind::Sliding];
        let world = world(TokenPolicy { accepted_kinds, ..mailing() });
        world.register("alice").await.unwrap();
        let sliding = world.try_login_sliding("alice").await.unwrap();
        let sliding = RawToken::parse(sliding.expose()).unwrap();
        let caller = world.tokens.authenticate(&sliding).await.unwrap();
        let pair = world.change_password(&caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
        assert_eq!(fault(world.tokens.refresh_sliding(&sliding).await), Some(TokenFault::Revoked));
        assert!(matches!(world.tokens.authenticate(&sliding).await, Err(AuthError::PasswordChanged)));
        assert!(world.tokens.authenticate(&access_of(&pair)).await.is_ok());
        assert!(world.refresh(&pair).await.is_ok());
    }

    #[tokio::test]
    async fn in_another_session_lasts_no_longer_than_the_one_before() {
        let rotation = RotationPolicy { on_retry: OnRetry::Replay, ..policy().rotation };
        let world = world(TokenPolicy { rotation, ..mailing() });
        world.register("alice").await.unwrap();
        let own = world.login("alice").await;
        let end = world.now() + SESSION_MAX_TTL as i64;
        world.advance(REFRESH_TTL - 1);
        let own = world.refresh(&own).await.unwrap();
        let caller = world.caller(&own).await;
        let pair = world.change_password(&caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
        assert_eq!(world.claims(&refresh_of(&pair))["exp"], end);
        assert_eq!(world.claims(&refresh_of(&pair))["amr"], serde_json::json!(["pwd"]));
        assert_ne!(world.caller(&pair).await.session, caller.session);
    }

    #[tokio::test]
    async fn ends_all_sessions_where_the_caller_has_none() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let pair = world.login("alice").await;
        let answered = world.change_password(&Caller { user, session: None }, PASSWORD, NEW_PASSWORD).await.unwrap();
        assert_eq!(answered, None);
        assert_eq!(fault(world.refresh(&pair).await), Some(TokenFault::Revoked));
    }

    #[tokio::test]
    async fn is_refused_to_a_session_that_has_ended() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let caller = world.caller(&world.login("alice").await).await;
        world.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
        let refused = world.change_password(&caller, PASSWORD, NEW_PASSWORD).await;
        assert_eq!(fault(refused), Some(TokenFault::Revoked));
        assert!(world.has_password("alice", PASSWORD).await);
    }

    #[tokio::test]
    async fn ends_open_links_and_challenges() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let caller = world.caller(&world.login("alice").await).await;
        world.enrol_email("alice").await;
        let link = world.reset_link("alice").await;
        let challenge = world.asked("alice").await;
        let code = world.mailed_code();
        world.change_password(&caller, PASSWORD, NEW_PASSWORD).await.unwrap();
        assert!(is_bad_link(&world.reset(&link, "Thieving-magpie-1").await));
        let answered = world.tokens.answer_challenge(challenge.challenge.expose(), &code, client()).await;
        assert!(matches!(answered, Err(AuthError::ChallengeInvalid)), "{answered:?}");
        assert!(world.has_password("alice", NEW_PASSWORD).await);
    }

    #[tokio::test]
    async fn is_told_by_mail() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let caller = world.caller(&world.login("alice").await).await;
        world.events.taken();
        world.change_password(&caller, PASSWORD, NEW_PASSWORD).await.unwrap();
        assert_eq!(world.event_kinds(), [EventKind::PasswordChanged]);
        let mails = world.deliver_all().await;
        assert_eq!(mails.len(), 1);
        assert_eq!((mails[0].kind, mails[0].to.as_str()), (MailKind::PasswordChanged, "alice@example.com"));
        assert_eq!(mails[0].content.get(Fact::Address), Some("192.0.2.7"));
        assert_eq!(mails[0].content.get(Fact::Token), None);
    }

    #[tokio::test]
    async fn loses_against_a_reset_that_came_after_the_comparison() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let (own, link) = (world.login("alice").await, world.reset_link("alice").await);
        let caller = world.caller(&own).await;
        let (accounts, rules) = (world.accounts.clone(), auth_core::password::PasswordPolicy::default());
        world.eventful.before("set_password", async move {
            accounts.confirm_reset(&link, raw("Rescued-horse-44"), &rules, &client()).await.unwrap();
        });
        let refused = world.change_password(&caller, PASSWORD, NEW_PASSWORD).await;
        assert!(refused.is_err(), "{refused:?}");
        assert!(world.has_password("alice", "Rescued-horse-44").await);
        let live = world.store.sessions().into_iter().filter(|session| session.revoked_at.is_none()).count();
        assert_eq!(live, 0, "the reset ended all of them");
        assert!(world.store.find_user(user.id).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn of_a_caller_without_a_session_loses_against_a_reset_too() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let link = world.reset_link("alice").await;
        let (accounts, rules) = (world.accounts.clone(), auth_core::password::PasswordPolicy::default());
        world.eventful.before("set_password", async move {
            accounts.confirm_reset(&link, raw("Rescued-horse-44"), &rules, &client()).await.unwrap();
        });
        let refused = world.change_password(&Caller { user, session: None }, PASSWORD, NEW_PASSWORD).await;
        assert!(matches!(refused, Err(AuthError::WrongPassword)), "{refused:?}");
        assert!(world.has_password("alice", "Rescued-horse-44").await);
    }

    /// The session is that of the caller, but somebody with its refresh token is faster.
    #[tokio::test]
    async fn comes_to_an_end_though_the_session_is_refreshed_meanwhile() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let own = world.login("alice").await;
        let caller = world.caller(&own).await;
        let (tokens, refresh) = (world.tokens.clone(), refresh_of(&own));
        let (stolen, received) = tokio::sync::oneshot::channel();
        world.eventful.before("set_password", async move {
            let _ = stolen.send(pair_of(tokens.refresh(&refresh).await.unwrap()));
        });
        let pair = world.change_password(&caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
        let stolen = received.await.unwrap();
        assert!(world.has_password("alice", NEW_PASSWORD).await);
        assert!(world.refresh(&stolen).await.is_err(), "the faster one is out as well");
        assert!(world.refresh(&pair).await.is_ok());
    }

    #[tokio::test]
    async fn of_several_at_once_one_wins() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let mut callers = Vec::new();
        for _ in 0..8 {
            callers.push(world.caller(&world.login("alice").await).await);
        }
        world.eventful.yield_at_each_call();
        let mut changes = tokio::task::JoinSet::new();
        for (number, caller) in callers.into_iter().enumerate() {
            let (tokens, new) = (world.tokens.clone(), format!("Another-horse-{number}"));
            let change = auth_core::service::PasswordChange { old: raw(PASSWORD), new: raw(&new), client: client() };
            changes.spawn(async move {
                let rules = auth_core::password::PasswordPolicy::default();
                tokens.change_password(&caller, change, &rules).await.map(|_| new)
            });
        }
        let won: Vec<_> = changes.join_all().await.into_iter().filter_map(Result::ok).collect();
        assert_eq!(won.len(), 1, "{won:?}");
        assert!(world.has_password("alice", &won[0]).await);
        assert_eq!(world.waiting().len(), 1);
    }
}

mod reset_request {
    use super::*;

    #[tokio::test]
    async fn leaves_the_same_trace_whether_or_not_there_is_an_account() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.register("bob").await.unwrap();
        world.act("bob", Action::Deactivate).await;
        let mut traces = Vec::new();
        for name in ["alice", "bob", "nobody"] {
            world.events.taken();
            let address = email(&format!("{name}@example.com"));
            let (calls, before) = (world.store.calls(), world.waiting().len());
            world.accounts.request_reset(&address, &client()).await.unwrap();
            traces.push((world.store.calls() - calls, world.event_kinds()));
            let queued: Vec<_> = world.waiting().split_off(before);
            assert_eq!(queued, [(Queued::Request(MailRequest::PasswordReset), address.as_str().to_owned())]);
            assert_eq!(world.store.codes(), []);
        }
        assert_eq!(traces[0], traces[1]);
        assert_eq!(traces[0], traces[2]);
    }

    #[tokio::test]
    async fn makes_a_link_for_the_active_account_and_nothing_else() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.register("bob").await.unwrap();
        world.act("bob", Action::Deactivate).await;
        for name in ["bob", "nobody", "Alice"] {
            world.accounts.request_reset(&email(&format!("{name}@example.com")), &client()).await.unwrap();
        }
        let mails = world.deliver_all().await;
        // To the address of the account, not to the one that was typed.
        let sent: Vec<_> = mails.iter().map(|mail| (mail.kind, mail.to.as_str())).collect();
        assert_eq!(sent, [(MailKind::PasswordReset, "alice@example.com")]);
        assert_eq!(mails[0].content.get(Fact::Minutes), Some("30"));
        assert_eq!(mails[0].content.get(Fact::Address), Some("192.0.2.7"));
        assert_eq!(world.store.codes().len(), 1);
        assert_eq!(world.waiting(), []);
    }

    #[tokio::test]
    async fn of_a_letter_that_looks_alike_reaches_nobody() {
        let world = world(mailing());
        world.register("mike").await.unwrap();
        // CVE-2019-19844: a dotless i folds to an i where letter case is not that of ASCII.
        assert!(auth_core::account::Email::parse("m\u{131}ke@example.com").is_err());
        assert!(auth_core::account::Email::parse("mike@example.com,eve@example.com").is_err());
        world.accounts.request_reset(&email("mike@examp1e.com"), &client()).await.unwrap();
        assert_eq!(world.deliver_all().await, []);
    }

    #[tokio::test]
    async fn is_answered_with_five_mails_an_hour() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        for _ in 0..8 {
            world.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        }
        assert_eq!(world.deliver_all().await.len(), 5);
        assert_eq!(world.waiting(), []);
        world.advance(60 * MINUTE);
        world.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        assert_eq!(world.deliver_all().await.len(), 1);
    }

    #[tokio::test]
    async fn is_limited_by_what_was_typed_and_by_where_it_comes_from() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let ask = async |address: &str, ip: &str| world.accounts.request_reset(&email(address), &from(ip)).await;
        for address in ["alice@example.com", "nobody@example.com"] {
            for number in 0..20 {
                assert!(ask(address, &format!("198.51.100.{number}")).await.is_ok(), "{address} {number}");
            }
            let refused = ask(&address.to_uppercase(), "198.51.100.99").await;
            assert!(matches!(refused, Err(AuthError::Throttled { .. })), "{address}: {refused:?}");
        }
        for number in 0..60 {
            assert!(ask(&format!("user{number}@example.com"), "203.0.113.1").await.is_ok(), "{number}");
        }
        let refused = ask("another@example.com", "203.0.113.1").await;
        assert!(matches!(refused, Err(AuthError::Throttled { .. })), "{refused:?}");
        assert!(ask("another@example.com", "203.0.113.2").await.is_ok());
    }

    #[tokio::test]
    async fn leaves_nothing_where_nobody_sends_mails() {
        let world = world(policy());
        world.register("alice").await.unwrap();
        world.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        assert_eq!(world.waiting(), []);
    }

    #[tokio::test]
    async fn looked_into_by_two_at_once_makes_one_link() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        // The first one takes so long that the request is free again, and the second one is faster.
        let (outbox, clock) = (world.outbox.clone(), world.clock.clone());
        world.eventful.before("issue", async move {
            clock.advance(Seconds::new(241));
            outbox.deliver_next().await.unwrap();
        });
        world.outbox.deliver_next().await.unwrap();
        assert_eq!(world.store.codes().len(), 1);
        assert_eq!(world.deliver_all().await.len(), 1);
    }
}

mod reset {
    use super::*;

    #[tokio::test]
    async fn sets_the_password_once_and_logs_nobody_in() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let link = world.reset_link("alice").await;
        world.events.taken();
        world.reset(&link, NEW_PASSWORD).await.unwrap();
        assert_eq!(world.store.sessions(), []);
        assert_eq!(world.event_kinds(), [EventKind::PasswordReset]);
        assert!(is_bad_link(&world.reset(&link, "Third-horse-45").await));
        assert!(world.has_password("alice", NEW_PASSWORD).await);
        let mails = world.deliver_all().await;
        assert_eq!(mails.iter().map(|mail| mail.kind).collect::<Vec<_>>(), [MailKind::PasswordChanged]);
    }

    #[tokio::test]
    async fn works_once_for_any_number_at_once() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let link = world.reset_link("alice").await;
        world.eventful.yield_at_each_call();
        let mut resets = tokio::task::JoinSet::new();
        for number in 0..20 {
            let (accounts, link, new) = (world.accounts.clone(), link.clone(), format!("Another-horse-{number}"));
            resets.spawn(async move {
                let rules = auth_core::password::PasswordPolicy::default();
                accounts.confirm_reset(&link, raw(&new), &rules, &client()).await.map(|()| new)
            });
        }
        let outcomes = resets.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| is_bad_link(outcome)).count(), 19);
        let won = outcomes.into_iter().find_map(Result::ok).unwrap();
        assert!(world.has_password("alice", &won).await);
        assert_eq!(world.waiting().len(), 1, "told once");
    }

    #[tokio::test]
    async fn works_for_thirty_minutes_to_the_second() {
        for (seconds, is_good) in [(0, true), (30 * MINUTE - 1, true), (30 * MINUTE, false), (30 * MINUTE + 1, false)] {
            let world = world(mailing());
            world.register("alice").await.unwrap();
            let link = world.reset_link("alice").await;
            world.advance(seconds);
            // Of a link that is over nothing else is said, either.
            assert_eq!(is_bad_link(&world.reset(&link, "short").await), !is_good, "{seconds}");
            assert_eq!(world.reset(&link, NEW_PASSWORD).await.is_ok(), is_good, "{seconds}");
        }
    }

    #[tokio::test]
    async fn is_refused_when_the_clock_was_moved_back() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let link = world.reset_link("alice").await;
        let made_at = world.now();
        let set = |seconds| world.clock.set(auth_core::time::UnixTime::from_seconds(made_at + seconds));
        for seconds in [-3_600, -61] {
            set(seconds);
            assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await), "{seconds}");
        }
        // The clocks of two machines may differ a little.
        set(-60);
        assert!(world.reset(&link, NEW_PASSWORD).await.is_ok());
    }

    /// The code could be used when it was looked at, and not any more when it was written.
    #[tokio::test]
    async fn is_judged_at_the_write() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let link = world.reset_link("alice").await;
        world.advance(30 * MINUTE - 1);
        let clock = world.clock.clone();
        world.eventful.before("find_user", async move { clock.advance(Seconds::new(1)) });
        assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await));
        assert!(world.has_password("alice", PASSWORD).await);
    }

    #[tokio::test]
    async fn of_a_refused_password_does_not_burn_the_link() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let link = world.reset_link("alice").await;
        for weak in ["short", "password123", "alice@example.com"] {
            let refused = world.reset(&link, weak).await;
            assert!(matches!(refused, Err(AuthError::Account(AccountFault::WeakPassword(_)))), "{weak}: {refused:?}");
        }
        assert!(world.reset(&link, NEW_PASSWORD).await.is_ok());
    }

    #[tokio::test]
    async fn works_with_the_newest_link_alone() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (older, newer) = (world.reset_link("alice").await, world.reset_link("alice").await);
        assert!(is_bad_link(&world.reset(&older, NEW_PASSWORD).await));
        assert!(world.reset(&newer, NEW_PASSWORD).await.is_ok());
    }

    #[tokio::test]
    async fn ends_with_another_password_address_or_state() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let rename = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };

        let link = world.reset_link("alice").await;
        let hash = auth_conformance::hash_of(PASSWORD);
        world.store.set_password(&NewPassword::new(user.id, hash), world.clock_now()).await.unwrap();
        assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await), "after another password");

        let link = world.reset_link("alice").await;
        world.act("alice", Action::Deactivate).await;
        assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await), "of an inactive account");
        world.act("alice", Action::Activate).await;

        let link = world.reset_link("alice").await;
        let caller = Caller { user, session: None };
        world.accounts.update_profile(caller, rename, None, &client()).await.unwrap();
        assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await), "after another address");
        assert!(world.has_password("alice", PASSWORD).await);
    }

    #[tokio::test]
    async fn ends_with_an_address_that_was_proven() {
        let world = world(with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional));
        let user = world.register("alice").await.unwrap();
        world.deliver_all().await;
        let link = world.reset_link("alice").await;
        let change = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
        let caller = Caller { user, session: None };
        world.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await.unwrap();
        let proof = token_of(&world.deliver_all().await, MailKind::EmailChange);
        world.accounts.verify_email(&proof, &client()).await.unwrap();
        assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await));
    }

    #[tokio::test]
    async fn proves_the_address_that_the_link_went_to() {
        let world = world(with_accounts(|accounts| accounts.email_verification = EmailVerification::Required));
        world.register("alice").await.unwrap();
        world.deliver_all().await;
        assert!(matches!(world.try_login("alice", PASSWORD).await, Err(AuthError::EmailNotVerified)));
        let link = world.reset_link("alice").await;
        world.reset(&link, NEW_PASSWORD).await.unwrap();
        assert!(world.stored("alice").await.email_verified_at.is_some());
        assert!(world.try_login("alice", NEW_PASSWORD).await.is_ok());
    }

    #[tokio::test]
    async fn ends_every_session() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let (one, two) = (world.login("alice").await, world.login("alice").await);
        let link = world.reset_link("alice").await;
        world.reset(&link, NEW_PASSWORD).await.unwrap();
        for pair in [&one, &two] {
            assert!(matches!(world.tokens.authenticate(&access_of(pair)).await, Err(AuthError::PasswordChanged)));
            assert_eq!(fault(world.refresh(pair).await), Some(TokenFault::Revoked));
        }
        for session in world.store.sessions() {
            let found = world.store.find_session(session.id).await.unwrap().unwrap();
            assert_eq!((found.user.id, found.session.revoke_reason), (user.id, Some(RevokeReason::PasswordChanged)));
        }
    }

    #[tokio::test]
    async fn forgives_the_waits_of_the_login() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let link = world.reset_link("alice").await;
        for _ in 0..10 {
            assert!(matches!(world.try_login("alice", "Wrong-horse-42").await, Err(AuthError::BadCredentials)));
        }
        assert!(matches!(world.try_login("alice", PASSWORD).await, Err(AuthError::Throttled { .. })));
        world.reset(&link, NEW_PASSWORD).await.unwrap();
        assert!(world.try_login("alice", NEW_PASSWORD).await.is_ok());
    }

    #[tokio::test]
    async fn does_not_go_round_the_second_factor() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        let link = world.reset_link("alice").await;
        world.reset(&link, NEW_PASSWORD).await.unwrap();
        let Err(AuthError::SecondFactorRequired(challenge)) = world.try_login("alice", NEW_PASSWORD).await else {
            panic!("the second factor is asked for");
        };
        world.next_step();
        let code = world.code_of(&secret, 0);
        assert!(world.tokens.answer_challenge(challenge.challenge.expose(), &code, client()).await.is_ok());
    }

    #[tokio::test]
    async fn takes_the_token_of_a_link_to_reset_and_no_other() {
        let world = world(with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional));
        let user = world.register("alice").await.unwrap();
        let verification = token_of(&world.deliver_all().await, MailKind::EmailVerification);
        let change = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
        let caller = Caller { user, session: None };
        world.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await.unwrap();
        let address = token_of(&world.deliver_all().await, MailKind::EmailChange);
        let reset = world.reset_link("alice").await;
        for token in [&verification, &address] {
            assert!(is_bad_link(&world.reset(token, NEW_PASSWORD).await));
        }
        assert!(is_bad_link(&world.accounts.verify_email(&reset, &client()).await));
        // Each is good for what it is for.
        assert!(world.reset(&reset, NEW_PASSWORD).await.is_ok());
    }

    #[tokio::test]
    async fn refuses_altered_tokens_and_those_of_others() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.register("mallory").await.unwrap();
        let (alice, mallory) = (world.reset_link("alice").await, world.reset_link("mallory").await);
        for place in 0..alice.len() {
            let digit = if &alice[place..=place] == "0" { "1" } else { "0" };
            let altered = format!("{}{digit}{}", &alice[..place], &alice[place + 1..]);
            assert!(is_bad_link(&world.reset(&altered, NEW_PASSWORD).await), "at {place}");
        }
        let mixed = [format!("{}{}", &alice[..32], &mallory[32..]), format!("{}{}", &mallory[..32], &alice[32..])];
        for token in mixed.iter().map(String::as_str).chain(["", "0", &alice[..95], &alice.to_uppercase()]) {
            assert!(is_bad_link(&world.reset(token, NEW_PASSWORD).await), "{token}");
        }
        world.reset(&mallory, NEW_PASSWORD).await.unwrap();
        assert!(world.has_password("alice", PASSWORD).await, "it opens its own account only");
        assert!(world.reset(&alice, NEW_PASSWORD).await.is_ok());
    }

    #[tokio::test]
    async fn leaves_nothing_of_the_token_in_the_storage() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let link = world.reset_link("alice").await;
        let stored = world.codes_for(CodePurpose::PasswordReset).remove(0);
        let secret = &link[32..];
        let hex: String = stored.mac.unwrap().bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        assert_ne!(hex, secret);
        assert_eq!(link.len(), 96, "the name of the code and 256 bits");
        assert!(!format!("{stored:?}").contains(secret));
    }
}

#[tokio::test]
async fn an_administrators_password_ends_all_and_is_told() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let (pair, link) = (world.login("alice").await, world.reset_link("alice").await);
    let new = auth_core::password::PasswordPolicy::default().check(raw(NEW_PASSWORD), &[]).unwrap();
    world.act("alice", Action::SetPassword(new)).await;
    assert_eq!(fault(world.refresh(&pair).await), Some(TokenFault::Revoked));
    assert!(is_bad_link(&world.reset(&link, "Third-horse-45").await));
    let sent: Vec<_> = world.deliver_all().await.iter().map(|mail| mail.kind).collect();
    assert_eq!(sent, [MailKind::PasswordChanged]);
}
