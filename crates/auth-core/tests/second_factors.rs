//! Second factors: how one is switched on and off, what a login asks for, and what answers it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set its stage has failed")]

mod world;

use auth_core::AuthError;
use auth_core::account::{User, UserId};
use auth_core::code::{DigitCode, OneTimeCode};
use auth_core::event::EventKind;
use auth_core::mail::{Fact, MailKind};
use auth_core::ports::{NewPassword, PasswordUpdate, SecondFactors};
use auth_core::second_factor::{Factors, Method, RecoveryCode, RequiredFor, TotpSecret};
use auth_core::secret::MacPurpose;
use auth_core::service::{
    Action, ConfirmedFactor, Enrolment, Issued, Outcome, SecondFactorChallenge, Shown, TokenPair, TokenPolicy,
    TokenService,
};
use auth_core::token::{RawToken, TokenKind};
use serde_json::json;
use world::*;

const DAY: u64 = 24 * 60 * 60;

async fn answer(world: &World, challenge: &SecondFactorChallenge, code: &str) -> Result<TokenPair, AuthError> {
    match world.tokens.answer_challenge(challenge.challenge.expose(), code, client()).await? {
        Issued::Pair(pair) => Ok(pair),
        Issued::Sliding(_) => panic!("a sliding token for a login that was to answer a pair"),
    }
}

fn is_wrong<T>(outcome: &Result<T, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::WrongCode))
}

fn is_invalid<T>(outcome: &Result<T, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::ChallengeInvalid))
}

fn is_throttled<T>(outcome: &Result<T, AuthError>) -> bool {
    matches!(outcome, Err(AuthError::Throttled { .. }))
}

/// A challenge to confirm something, of somebody who is logged in.
async fn confirmation(world: &World, user: &User) -> SecondFactorChallenge {
    world.factors.challenge(user, &client()).await.unwrap()
}

fn enrolment_challenge(enrolment: &Enrolment) -> &str {
    match enrolment {
        Enrolment::Email(challenge) | Enrolment::Totp { challenge, .. } => challenge.expose(),
    }
}

/// How many guesses were compared with anything.
fn compared(world: &World) -> usize {
    world.vault.comparisons(MacPurpose::Code) + world.vault.numbers() / 3
}

mod enrolment {
    use super::*;

    #[tokio::test]
    async fn by_mail_is_on_with_the_code_that_was_mailed() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        world.events.taken();
        let enrolment = world.factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
        let code = world.mailed_code();
        assert!(world.login("alice").await.access.expose().len() > 1, "it is not on yet");
        let challenge = enrolment_challenge(&enrolment);
        let wrong = world.factors.confirm(&user, challenge, &other_than(&code), &client()).await;
        assert!(is_wrong(&wrong), "{wrong:?}");
        let confirmed = world.factors.confirm(&user, challenge, &code, &client()).await.unwrap();
        assert_eq!(confirmed.method, Method::Email);
        assert_eq!(confirmed.recovery_codes.map(|codes| codes.len()), Some(10));
        let status = world.factors.status(&user).await.unwrap();
        assert!(status.factors.has(Method::Email) && status.factors.has(Method::RecoveryCode) && !status.is_required);
        assert!(world.stored("alice").await.email_verified_at.is_some(), "whoever read the mail has the address");
        assert_eq!(world.asked("alice").await.methods, [Method::Email, Method::RecoveryCode]);
        let again = world.factors.confirm(&user, challenge, &code, &client()).await;
        assert!(is_invalid(&again), "once: {again:?}");
        let mails = world.deliver_all().await;
        let told: Vec<_> = mails.iter().filter(|mail| mail.kind == MailKind::SecondFactorAdded).collect();
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].content.get(Fact::Method), Some("email"));
    }

    #[tokio::test]
    async fn of_an_authenticator_is_on_with_its_first_code() {
        let world = world(policy());
        let user = world.register("alice").await.unwrap();
        let enrolment = world.factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
        let Enrolment::Totp { challenge, secret, uri } = &enrolment else { panic!("an authenticator") };
        assert_eq!(secret.expose().len(), 20, "160 bits");
        assert!(uri.starts_with("otpauth://totp/auth:alice?secret="), "{uri}");
        assert!(!format!("{secret:?} {challenge:?}").contains(&secret.expose_base32()));
        for text in [&*world.code_of(secret, 2), &*world.code_of(secret, -2), "", "abc", "1234567"] {
            let wrong = world.factors.confirm(&user, challenge.expose(), text, &client()).await;
            assert!(is_wrong(&wrong), "{text}: {wrong:?}");
        }
        let late = world.factors.confirm(&user, challenge.expose(), &world.code_of(secret, 0), &client()).await;
        assert!(is_invalid(&late), "five attempts: {late:?}");

        let (secret, codes) = world.enrol_totp("alice").await;
        assert_eq!(codes.len(), Factors::RECOVERY_CODES);
        let challenge = world.asked("alice").await;
        assert_eq!(challenge.methods, [Method::Totp, Method::RecoveryCode]);
        let again = answer(&world, &challenge, &world.code_of(&secret, 0)).await;
        assert!(is_wrong(&again), "the code that switched it on is used up: {again:?}");
    }

    #[tokio::test]
    async fn takes_the_password() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        for method in [Method::Email, Method::Totp] {
            let refused = world.factors.enrol(&user, method, shown("Wrong-horse-42")).await;
            assert!(matches!(refused, Err(AuthError::WrongPassword)), "{refused:?}");
        }
        assert_eq!((world.store.codes(), world.waiting()), (vec![], vec![]));
    }

    #[tokio::test]
    async fn is_for_methods_that_there_are() {
        let world = world(policy()); // Nobody sends mails.
        let user = world.register("alice").await.unwrap();
        for method in [Method::Email, Method::RecoveryCode] {
            let refused = world.factors.enrol(&user, method, shown(PASSWORD)).await;
            assert!(matches!(refused, Err(AuthError::MethodUnavailable)), "{method:?}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn of_a_second_one_takes_a_code_of_the_first_and_shows_no_new_recovery_codes() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        world.next_step();
        let missing = world.factors.enrol(&user, Method::Email, shown(PASSWORD)).await;
        assert!(matches!(missing, Err(AuthError::ChallengeMissing)), "{missing:?}");
        let challenge = confirmation(&world, &user).await;
        let code = world.code_of(&secret, 0);
        let wrong = world.factors.enrol(&user, Method::Email, shown_with(&challenge, &other_than(&code))).await;
        assert!(is_wrong(&wrong), "{wrong:?}");
        let enrolment = world.factors.enrol(&user, Method::Email, shown_with(&challenge, &code)).await.unwrap();
        let again = world.factors.enrol(&user, Method::Email, shown_with(&challenge, &code)).await;
        assert!(is_invalid(&again), "a challenge confirms once: {again:?}");
        let (challenge, code) = (enrolment_challenge(&enrolment), world.mailed_code());
        let confirmed = world.factors.confirm(&user, challenge, &code, &client()).await.unwrap();
        assert_eq!(confirmed, ConfirmedFactor { method: Method::Email, recovery_codes: None });
        let methods = world.asked("alice").await.methods;
        assert_eq!(methods, [Method::Totp, Method::Email, Method::RecoveryCode]);
    }

    /// What was begun with the password alone is not to be finished so, once a factor is on.
    #[tokio::test]
    async fn that_was_begun_before_another_factor_was_on_is_over() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let begun = world.factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
        let Enrolment::Totp { challenge, secret, .. } = begun else { panic!("an authenticator") };
        world.enrol_email("alice").await;
        let code = world.code_of(&secret, 0);
        assert!(is_invalid(&world.factors.confirm(&user, challenge.expose(), &code, &client()).await));
        assert_eq!(world.store.factors_of(user.id).await.unwrap().totp, None);
    }

    #[tokio::test]
    async fn of_another_user_is_refused() {
        let world = world(mailing());
        let alice = world.register("alice").await.unwrap();
        let mallory = world.register("mallory").await.unwrap();
        let enrolment = world.factors.enrol(&alice, Method::Email, shown(PASSWORD)).await.unwrap();
        let code = world.mailed_code();
        let refused = world.factors.confirm(&mallory, enrolment_challenge(&enrolment), &code, &client()).await;
        assert!(is_invalid(&refused), "{refused:?}");
        assert!(!world.store.factors_of(alice.id).await.unwrap().is_on());
        assert!(!world.store.factors_of(mallory.id).await.unwrap().is_on());
        assert!(world.factors.confirm(&alice, enrolment_challenge(&enrolment), &code, &client()).await.is_ok());
    }

    #[tokio::test]
    async fn by_mail_ends_with_the_address_that_the_code_went_to() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let enrolment = world.factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
        let code = world.mailed_code();
        let stale = User { email: "other@example.com".to_owned(), ..user };
        let refused = world.factors.confirm(&stale, enrolment_challenge(&enrolment), &code, &client()).await;
        assert!(is_wrong(&refused), "{refused:?}");
    }

    #[tokio::test]
    async fn waits_ten_minutes_for_its_code() {
        for (seconds, is_good) in [(599, true), (600, false)] {
            let world = world(mailing());
            let user = world.register("alice").await.unwrap();
            let enrolment = world.factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
            let code = world.mailed_code();
            world.advance(seconds);
            let confirmed = world.factors.confirm(&user, enrolment_challenge(&enrolment), &code, &client()).await;
            assert_eq!(confirmed.is_ok(), is_good, "{seconds}");
        }
    }

    #[tokio::test]
    async fn confirmed_by_many_at_once_shows_recovery_codes_once() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let enrolment = world.factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
        let Enrolment::Totp { challenge, secret, .. } = &enrolment else { panic!("an authenticator") };
        let code = world.code_of(secret, 0);
        world.eventful.yield_at_each_call();
        let mut attempts = tokio::task::JoinSet::new();
        for _ in 0..5 {
            let (factors, user, code) = (world.factors.clone(), user.clone(), code.clone());
            let challenge = challenge.expose().to_owned();
            attempts.spawn(async move { factors.confirm(&user, &challenge, &code, &client()).await });
        }
        let done: Vec<_> = attempts.join_all().await.into_iter().filter_map(Result::ok).collect();
        assert_eq!(done.len(), 1);
        assert!(done[0].recovery_codes.is_some());
    }
}

mod login {
    use super::*;

    #[tokio::test]
    async fn is_answered_no_token_before_the_code() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        world.events.taken();
        let challenge = world.asked("alice").await;
        assert_eq!(world.store.sessions(), []);
        assert_eq!(world.event_kinds(), [EventKind::SecondFactorAsked]);
        // What stands for the login opens nothing: it is no token.
        assert!(RawToken::parse(challenge.challenge.expose()).is_err());
        let refused = world.try_login("alice", "Wrong-horse-42").await;
        assert!(matches!(refused, Err(AuthError::BadCredentials)), "the password comes first: {refused:?}");
    }

    #[tokio::test]
    async fn with_a_mailed_code_is_answered_once() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        let challenge = world.asked("alice").await;
        let code = world.mailed_code();
        let mail = world.deliver_all().await.pop().unwrap();
        assert_eq!((mail.kind, mail.to.as_str()), (MailKind::SecondFactorCode, "alice@example.com"));
        assert_eq!(mail.content.get(Fact::Minutes), Some("10"));
        let wrong = answer(&world, &challenge, &other_than(&code)).await;
        assert!(is_wrong(&wrong), "{wrong:?}");
        let spelt = format!(" {}-{} ", &code[..3], &code[3..]);
        assert!(answer(&world, &challenge, &spelt).await.is_ok());
        let again = answer(&world, &challenge, &code).await;
        assert!(is_invalid(&again), "{again:?}");
        assert_eq!(world.store.sessions().len(), 1);
    }

    #[tokio::test]
    async fn says_in_every_token_how_it_was_done() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        world.next_step();
        let challenge = world.asked("alice").await;
        let pair = answer(&world, &challenge, &world.code_of(&secret, 0)).await.unwrap();
        let next = world.refresh(&pair).await.unwrap();
        let caller = world.caller(&next).await;
        let changed = world.change_password(&caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
        for pair in [&pair, &next, &changed] {
            for token in [access_of(pair), refresh_of(pair)] {
                assert_eq!(world.claims(&token)["amr"], json!(["pwd", "otp", "mfa"]));
            }
        }
    }

    #[tokio::test]
    async fn for_a_sliding_token_is_asked_too() {
        let accepted_kinds = vec![TokenKind::Access, TokenKind::Sliding];
        let world = world(TokenPolicy { accepted_kinds, ..mailing() });
        world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        world.next_step();
        let Err(AuthError::SecondFactorRequired(challenge)) = world.try_login_sliding("alice").await else {
            panic!("the second factor is asked for");
        };
        let code = world.code_of(&secret, 0);
        let issued = world.tokens.answer_challenge(challenge.challenge.expose(), &code, client()).await.unwrap();
        let Issued::Sliding(token) = issued else { panic!("a sliding token") };
        let token = RawToken::parse(token.expose()).unwrap();
        assert_eq!(world.claims(&token)["amr"], json!(["pwd", "otp", "mfa"]));
        assert_eq!(world.claims(&token)["token_type"], "sliding");
        assert!(world.tokens.authenticate(&token).await.is_ok());
        let next = world.tokens.refresh_sliding(&token).await.unwrap();
        let next = world.claims(&RawToken::parse(next.expose()).unwrap());
        assert_eq!(next["amr"], json!(["pwd", "otp", "mfa"]));
    }

    #[tokio::test]
    async fn with_a_recovery_code_uses_it_up_and_is_told() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.register("mallory").await.unwrap();
        let (_, codes) = world.enrol_totp("alice").await;
        let (_, others) = world.enrol_totp("mallory").await;
        world.deliver_all().await;
        let challenge = world.asked("alice").await;
        let foreign = answer(&world, &challenge, &others[0].expose()).await;
        assert!(is_wrong(&foreign), "of another account: {foreign:?}");
        assert!(answer(&world, &challenge, &codes[0].expose().to_uppercase().replace('-', " ")).await.is_ok());
        let mails = world.deliver_all().await;
        assert_eq!(mails.iter().map(|mail| mail.kind).collect::<Vec<_>>(), [MailKind::RecoveryCodeUsed]);
        assert_eq!(mails[0].content.get(Fact::Left), Some("9"));
        let challenge = world.asked("alice").await;
        let again = answer(&world, &challenge, &codes[0].expose()).await;
        assert!(is_wrong(&again), "once: {again:?}");
        assert!(answer(&world, &challenge, &codes[1].expose()).await.is_ok());
    }

    #[tokio::test]
    async fn with_one_recovery_code_for_two_challenges_at_once_succeeds_once() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (_, codes) = world.enrol_totp("alice").await;
        let mut challenges = Vec::new();
        for _ in 0..4 {
            challenges.push(world.asked("alice").await);
        }
        let outcomes = in_parallel(&world, challenges, &codes[0].expose()).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert_eq!(world.deliver_all().await.iter().filter(|mail| mail.kind == MailKind::RecoveryCodeUsed).count(), 1);
    }

    #[tokio::test]
    async fn by_authenticator_bears_one_step_of_drift() {
        for (steps, is_good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
            let world = world(mailing());
            world.register("alice").await.unwrap();
            let (secret, _) = world.enrol_totp("alice").await;
            world.advance(300);
            let challenge = world.asked("alice").await;
            let outcome = answer(&world, &challenge, &world.code_of(&secret, steps)).await;
            assert_eq!(outcome.is_ok(), is_good, "{steps}: {outcome:?}");
        }
    }

    #[tokio::test]
    async fn by_authenticator_takes_no_code_twice_and_none_before_a_later_one() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        world.advance(300);
        let (first, second) = (world.asked("alice").await, world.asked("alice").await);
        let code = world.code_of(&secret, 1);
        assert!(answer(&world, &first, &code).await.is_ok());
        for steps in [1, 0, -1] {
            let outcome = answer(&world, &second, &world.code_of(&secret, steps)).await;
            assert!(is_wrong(&outcome), "{steps}: {outcome:?}");
        }
        world.advance(60);
        assert!(answer(&world, &second, &world.code_of(&secret, 0)).await.is_ok());
    }

    #[tokio::test]
    async fn by_authenticator_with_one_code_for_many_challenges_at_once_succeeds_once() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        world.next_step();
        let mut challenges = Vec::new();
        for _ in 0..8 {
            challenges.push(world.asked("alice").await);
        }
        let outcomes = in_parallel(&world, challenges, &world.code_of(&secret, 0)).await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
        assert_eq!(world.store.sessions().len(), 1);
    }

    async fn in_parallel(
        world: &World,
        challenges: Vec<SecondFactorChallenge>,
        code: &str,
    ) -> Vec<Result<Issued, AuthError>> {
        world.eventful.yield_at_each_call();
        let mut attempts = tokio::task::JoinSet::new();
        for challenge in challenges {
            let (tokens, code) = (world.tokens.clone(), code.to_owned());
            attempts.spawn(async move { tokens.answer_challenge(challenge.challenge.expose(), &code, client()).await });
        }
        attempts.join_all().await
    }

    #[tokio::test]
    async fn is_asked_of_those_it_is_required_of() {
        for (required, staff, everybody) in
            [(RequiredFor::Nobody, false, false), (RequiredFor::Staff, true, false), (RequiredFor::All, true, true)]
        {
            let world = world(with_accounts(|accounts| accounts.second_factor = required));
            world.register("alice").await.unwrap();
            world.register("root").await.unwrap();
            world.act("root", Action::Promote).await;
            for (name, is_asked) in [("alice", everybody), ("root", staff)] {
                let user = world.stored(name).await;
                assert_eq!(world.factors.status(&user).await.unwrap().is_required, is_asked);
                match world.try_login(name, PASSWORD).await {
                    Err(AuthError::SecondFactorRequired(challenge)) if is_asked => {
                        assert_eq!(challenge.methods, [Method::Email], "without any enrolment");
                        assert!(answer(&world, &challenge, &world.mailed_code()).await.is_ok());
                    }
                    outcome => assert!(outcome.is_ok() && !is_asked, "{required:?} {name}: {outcome:?}"),
                }
            }
        }
    }

    #[tokio::test]
    async fn of_an_account_that_was_deactivated_meanwhile_fails() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        let challenge = world.asked("alice").await;
        let code = world.mailed_code();
        world.act("alice", Action::Deactivate).await;
        assert!(is_invalid(&answer(&world, &challenge, &code).await));
        world.act("alice", Action::Activate).await;
        // At the last moment.
        let administration = world.administration.clone();
        world.eventful.before("start", async move {
            administration.act("alice", &Action::Deactivate).await.unwrap();
        });
        assert!(is_invalid(&answer(&world, &challenge, &code).await));
        assert_eq!(world.store.sessions(), []);
    }

    #[tokio::test]
    async fn ends_with_a_password_that_was_changed_meanwhile() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let (secret, codes) = world.enrol_totp("alice").await;
        world.next_step();
        let (early, late) = (world.asked("alice").await, world.asked("alice").await);
        let set = |world: &World| {
            let (store, now) = (world.store.clone(), world.clock_now());
            let new = NewPassword::new(user.id, auth_conformance::hash_of(PASSWORD));
            async move { auth_core::ports::Accounts::set_password(store.as_ref(), &new, now).await.unwrap() }
        };
        let change = set(&world);
        world.eventful.before("start", async move { assert_eq!(change.await, PasswordUpdate::Done) });
        let outcome = answer(&world, &early, &world.code_of(&secret, 0)).await;
        assert!(is_invalid(&outcome), "at the last moment: {outcome:?}");
        set(&world).await;
        let outcome = answer(&world, &late, &codes[0].expose()).await;
        assert!(is_invalid(&outcome), "{outcome:?}");
        assert_eq!(world.store.sessions(), []);
    }

    #[tokio::test]
    async fn by_authenticator_is_possible_where_no_more_mails_are_sent() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        world.next_step();
        let challenge = confirmation(&world, &user).await;
        let shown = shown_with(&challenge, &world.code_of(&secret, 0));
        let enrolment = world.factors.enrol(&user, Method::Email, shown).await.unwrap();
        let code = world.mailed_code();
        world.factors.confirm(&user, enrolment_challenge(&enrolment), &code, &client()).await.unwrap();
        for _ in 0..19 {
            assert!(world.asked("alice").await.methods.contains(&Method::Email));
        }
        let challenge = world.asked("alice").await;
        assert_eq!(challenge.methods, [Method::Totp, Method::RecoveryCode]);
        world.next_step();
        assert!(answer(&world, &challenge, &world.code_of(&secret, 0)).await.is_ok());
    }

    #[tokio::test]
    async fn sends_twenty_codes_an_hour() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        for _ in 0..19 {
            world.asked("alice").await;
        }
        let sent = world.waiting().len();
        assert_eq!(world.asked("alice").await.methods, [Method::RecoveryCode], "there is another way in");
        assert_eq!(world.waiting().len(), sent);
        // What somebody asks for who is logged in is counted apart.
        assert_eq!(
            confirmation(&world, &world.stored("alice").await).await.methods,
            [Method::Email, Method::RecoveryCode]
        );
        world.advance(60 * 60);
        assert_eq!(world.asked("alice").await.methods, [Method::Email, Method::RecoveryCode]);
    }
}

mod guesses {
    use super::*;

    #[tokio::test]
    async fn are_five_for_a_challenge() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        let challenge = world.asked("alice").await;
        let code = world.mailed_code();
        let before = compared(&world);
        for _ in 0..OneTimeCode::MAX_ATTEMPTS {
            assert!(is_wrong(&answer(&world, &challenge, &other_than(&code)).await));
        }
        assert_eq!(compared(&world) - before, 5);
        let sixth = answer(&world, &challenge, &code).await;
        assert!(is_invalid(&sixth), "though it is right: {sixth:?}");
        assert_eq!(compared(&world) - before, 5, "it is not even compared");
        let challenge = world.asked("alice").await;
        assert!(answer(&world, &challenge, &world.mailed_code()).await.is_ok(), "another one begins anew");
    }

    /// Throttles nothing else, to see the challenge alone.
    fn unthrottled() -> TokenPolicy {
        with_accounts(|accounts| accounts.throttle = None)
    }

    async fn at_once(world: &World, challenge: &SecondFactorChallenge, guesses: Vec<String>) -> Vec<bool> {
        world.eventful.yield_at_each_call();
        let mut attempts = tokio::task::JoinSet::new();
        for guess in guesses {
            let (tokens, challenge) = (world.tokens.clone(), challenge.clone());
            attempts.spawn(async move {
                tokens.answer_challenge(challenge.challenge.expose(), &guess, client()).await.is_ok()
            });
        }
        attempts.join_all().await
    }

    #[tokio::test]
    async fn at_once_are_no_more_than_five() {
        for policy in [unthrottled(), mailing()] {
            let world = world(policy);
            world.register("alice").await.unwrap();
            let (secret, _) = world.enrol_totp("alice").await;
            let challenge = world.asked("alice").await;
            let right: Vec<_> = (-1..=1).map(|steps| world.code_of(&secret, steps)).collect();
            let guesses = (0..1_000_000).map(|number| format!("{number:06}")).filter(|code| !right.contains(code));
            let before = compared(&world);
            let outcomes = at_once(&world, &challenge, guesses.take(1_000).collect()).await;
            assert!(outcomes.iter().all(|is_right| !is_right));
            // Each is compared with no mailed code, for there is none, and with the authenticator.
            assert_eq!(compared(&world) - before, 5);
        }
    }

    #[tokio::test]
    async fn end_with_the_right_one() {
        let world = world(unthrottled());
        world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        let challenge = world.asked("alice").await;
        let code = world.mailed_code();
        assert!(answer(&world, &challenge, &code).await.is_ok());
        let before = compared(&world);
        let outcomes = at_once(&world, &challenge, vec![code; 1_000]).await;
        assert!(outcomes.iter().all(|is_right| !is_right));
        assert_eq!(compared(&world), before);
    }

    #[tokio::test]
    async fn of_the_right_code_at_once_succeed_once() {
        let world = world(unthrottled());
        world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        let challenge = world.asked("alice").await;
        let code = world.mailed_code();
        let before = compared(&world);
        let outcomes = at_once(&world, &challenge, vec![code; 1_000]).await;
        assert_eq!(outcomes.iter().filter(|is_right| **is_right).count(), 1);
        assert!(compared(&world) - before <= 5);
        assert_eq!(world.store.sessions().len(), 1);
    }

    #[tokio::test]
    async fn are_twenty_a_day_over_all_challenges_and_addresses() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        let mut wrong = 0;
        for number in 0..4 {
            world.next_step();
            let challenge = world.asked("alice").await;
            for attempt in 0..5 {
                let code = world.code_of(&secret, 10);
                let ip = from(&format!("198.51.100.{}", number * 5 + attempt));
                let outcome = world.tokens.answer_challenge(challenge.challenge.expose(), &code, ip).await;
                assert!(is_wrong(&outcome), "{outcome:?}");
                wrong += 1;
            }
        }
        assert_eq!(wrong, 20);
        let challenge = world.asked("alice").await;
        let before = compared(&world);
        // A new process knows of them as well.
        let restarted = TokenService::new(world.tokens.ports().clone(), mailing());
        for tokens in [&world.tokens, &restarted] {
            let code = world.code_of(&secret, 0);
            let outcome = tokens.answer_challenge(challenge.challenge.expose(), &code, from("203.0.113.9")).await;
            assert!(is_throttled(&outcome), "{outcome:?}");
        }
        let user = world.stored("alice").await;
        let confirmation = confirmation(&world, &user).await;
        let removal =
            world.factors.remove(&user, Method::Totp, shown_with(&confirmation, &world.code_of(&secret, 0))).await;
        assert!(is_throttled(&removal), "what it is shown for makes no difference: {removal:?}");
        assert_eq!(compared(&world), before);
        world.advance(DAY);
        let challenge = world.asked("alice").await;
        assert!(answer(&world, &challenge, &world.code_of(&secret, 0)).await.is_ok());
    }

    #[tokio::test]
    async fn over_many_challenges_at_once_are_no_more_than_twenty() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        let mut challenges = Vec::new();
        for _ in 0..40 {
            challenges.push(world.asked("alice").await);
        }
        let (before, wrong) = (compared(&world), world.code_of(&secret, 10));
        world.eventful.yield_at_each_call();
        let mut attempts = tokio::task::JoinSet::new();
        for number in 0..400 {
            let (tokens, wrong) = (world.tokens.clone(), wrong.clone());
            let (challenge, client) = (challenges[number % 40].clone(), from(&format!("198.51.100.{}", number % 200)));
            attempts.spawn(async move { tokens.answer_challenge(challenge.challenge.expose(), &wrong, client).await });
        }
        let outcomes = attempts.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| is_wrong(outcome)).count(), 20);
        assert_eq!(outcomes.iter().filter(|outcome| is_throttled(outcome)).count(), 380);
        assert_eq!(compared(&world) - before, 20);
    }

    #[tokio::test]
    async fn count_for_the_address_they_come_from() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        for number in 0..299 {
            let guess = world.try_login_from(&named(&format!("user{number}")), "Wrong-horse-42", "203.0.113.1").await;
            assert!(matches!(guess, Err(AuthError::BadCredentials)), "{number}: {guess:?}");
        }
        let challenge = world.asked("alice").await;
        let guess = async |code: String, address| {
            world.tokens.answer_challenge(challenge.challenge.expose(), &code, from(address)).await
        };
        assert!(is_wrong(&guess(world.code_of(&secret, 10), "203.0.113.1").await));
        assert!(is_throttled(&guess(world.code_of(&secret, 1), "203.0.113.1").await));
        assert!(guess(world.code_of(&secret, 1), "203.0.113.2").await.is_ok());
    }

    #[tokio::test]
    async fn at_a_first_code_count_as_well() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        for _ in 0..4 {
            let enrolment = world.factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
            for _ in 0..5 {
                let outcome = world.factors.confirm(&user, enrolment_challenge(&enrolment), "000000", &client()).await;
                assert!(is_wrong(&outcome), "{outcome:?}");
            }
        }
        let enrolment = world.factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
        let outcome = world.factors.confirm(&user, enrolment_challenge(&enrolment), "000000", &client()).await;
        assert!(is_throttled(&outcome), "{outcome:?}");
    }

    #[tokio::test]
    async fn that_are_right_do_not_count_nor_those_at_what_is_over() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        let mut last = None;
        for _ in 0..30 {
            world.next_step();
            let challenge = world.asked("alice").await;
            assert!(answer(&world, &challenge, &world.code_of(&secret, 0)).await.is_ok());
            last = Some(challenge);
        }
        for _ in 0..30 {
            assert!(is_invalid(&answer(&world, last.as_ref().unwrap(), "000000").await));
        }
        world.next_step();
        let challenge = world.asked("alice").await;
        assert!(answer(&world, &challenge, &world.code_of(&secret, 0)).await.is_ok());
    }

    #[tokio::test]
    async fn do_not_end_by_a_right_one_in_between() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        // Twenty wrong ones, with a right one after each four: it forgives itself only.
        for _ in 0..5 {
            world.next_step();
            let challenge = world.asked("alice").await;
            for _ in 0..4 {
                assert!(is_wrong(&answer(&world, &challenge, &world.code_of(&secret, 10)).await));
            }
            let right = answer(&world, &challenge, &world.code_of(&secret, 0)).await;
            assert!(right.is_ok() || is_throttled(&right), "{right:?}");
        }
        let challenge = world.asked("alice").await;
        assert!(is_throttled(&answer(&world, &challenge, &world.code_of(&secret, 10)).await));
    }
}

mod challenges {
    use super::*;

    #[tokio::test]
    async fn take_their_own_codes_only() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        let first = world.asked("alice").await;
        let first_code = world.mailed_code();
        let second = world.asked("alice").await;
        let second_code = world.mailed_code();
        assert_ne!(first_code, second_code);
        assert!(is_wrong(&answer(&world, &first, &second_code).await));
        assert!(is_wrong(&answer(&world, &second, &first_code).await));
        // Side by side: somebody who asks for one does not end the other.
        assert!(answer(&world, &first, &first_code).await.is_ok());
        assert!(answer(&world, &second, &second_code).await.is_ok());
    }

    #[tokio::test]
    async fn are_good_for_what_they_were_made_for() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        world.next_step();
        let (login, confirmation) = (world.asked("alice").await, confirmation(&world, &user).await);
        let code = world.code_of(&secret, 0);
        let removal = world.factors.remove(&user, Method::Totp, shown_with(&login, &code)).await;
        assert!(is_invalid(&removal), "{removal:?}");
        let logged_in = answer(&world, &confirmation, &code).await;
        assert!(is_invalid(&logged_in), "{logged_in:?}");
        let enrolled = world.factors.confirm(&user, login.challenge.expose(), &code, &client()).await;
        assert!(is_invalid(&enrolled), "{enrolled:?}");
        assert!(world.store.factors_of(user.id).await.unwrap().is_on());
        assert!(answer(&world, &login, &code).await.is_ok(), "what was refused so used nothing up");
    }

    #[tokio::test]
    async fn of_an_enrolment_do_not_log_in() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let enrolment = world.factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
        let code = world.mailed_code();
        let outcome = world.tokens.answer_challenge(enrolment_challenge(&enrolment), &code, client()).await;
        assert!(is_invalid(&outcome), "{outcome:?}");
    }

    #[tokio::test]
    async fn of_another_user_confirm_nothing() {
        let world = world(mailing());
        let (alice, mallory) = (world.register("alice").await.unwrap(), world.register("mallory").await.unwrap());
        let (alices, _) = world.enrol_totp("alice").await;
        let (mallorys, _) = world.enrol_totp("mallory").await;
        world.next_step();
        let own = confirmation(&world, &mallory).await;
        for code in [world.code_of(&mallorys, 0), world.code_of(&alices, 0)] {
            let outcome = world.factors.remove(&alice, Method::Totp, shown_with(&own, &code)).await;
            assert!(is_invalid(&outcome), "{outcome:?}");
        }
        // Nor does one's own code answer what another was asked.
        let asked = world.asked("alice").await;
        assert!(is_wrong(&answer(&world, &asked, &world.code_of(&mallorys, 0)).await));
    }

    #[tokio::test]
    async fn last_ten_minutes() {
        for (seconds, is_good) in [(599, true), (600, false)] {
            let world = world(mailing());
            world.register("alice").await.unwrap();
            world.enrol_email("alice").await;
            let challenge = world.asked("alice").await;
            let code = world.mailed_code();
            world.advance(seconds);
            assert_eq!(answer(&world, &challenge, &code).await.is_ok(), is_good, "{seconds}");
        }
    }

    #[tokio::test]
    async fn that_are_not_ours_are_refused_and_cost_nothing() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        let challenge = world.asked("alice").await;
        let (code, text) = (world.mailed_code(), challenge.challenge.expose().to_owned());
        let calls = world.store.calls();
        for place in 0..text.len() {
            let digit = if &text[place..=place] == "0" { "1" } else { "0" };
            let altered = format!("{}{digit}{}", &text[..place], &text[place + 1..]);
            assert!(is_invalid(&world.tokens.answer_challenge(&altered, &code, client()).await), "at {place}");
        }
        for other in ["", "0", &text[..95], &text.to_uppercase()] {
            assert!(is_invalid(&world.tokens.answer_challenge(other, &code, client()).await), "{other}");
        }
        assert_eq!(world.store.calls(), calls, "nobody asks the storage for what we did not write");
        assert!(answer(&world, &challenge, &code).await.is_ok());
    }

    #[tokio::test]
    async fn are_for_those_who_have_a_second_factor() {
        for (required, expected) in [(RequiredFor::Nobody, None), (RequiredFor::All, Some(vec![Method::Email]))] {
            let world = world(with_accounts(|accounts| accounts.second_factor = required));
            let user = world.register("alice").await.unwrap();
            match world.factors.challenge(&user, &client()).await {
                Err(AuthError::NoSecondFactor) => assert_eq!(expected, None),
                asked => assert_eq!(asked.ok().map(|challenge| challenge.methods), expected),
            }
        }
    }
}

mod removal {
    use super::*;

    #[tokio::test]
    async fn takes_password_and_code_and_is_told() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let (secret, codes) = world.enrol_totp("alice").await;
        world.next_step();
        world.deliver_all().await;
        let missing = world.factors.remove(&user, Method::Totp, shown(PASSWORD)).await;
        assert!(matches!(missing, Err(AuthError::ChallengeMissing)), "{missing:?}");
        let challenge = confirmation(&world, &user).await;
        let right = world.code_of(&secret, 0);
        let shown = Shown { password: raw("Wrong-horse-42"), ..shown_with(&challenge, &right) };
        let refused = world.factors.remove(&user, Method::Totp, shown).await;
        assert!(matches!(refused, Err(AuthError::WrongPassword)), "{refused:?}");
        assert!(is_wrong(
            &world.factors.remove(&user, Method::Totp, shown_with(&challenge, &other_than(&right))).await
        ));
        assert_eq!(world.waiting(), []);
        world.factors.remove(&user, Method::Totp, shown_with(&challenge, &right)).await.unwrap();
        assert_eq!(world.store.factors_of(user.id).await.unwrap(), Factors::default(), "the recovery codes go too");
        let mails = world.deliver_all().await;
        assert_eq!(mails.iter().map(|mail| mail.kind).collect::<Vec<_>>(), [MailKind::SecondFactorRemoved]);
        assert_eq!(mails[0].content.get(Fact::Method), Some("totp"));
        assert!(world.try_login("alice", PASSWORD).await.is_ok());
        drop(codes);
    }

    #[tokio::test]
    async fn of_what_is_not_on_is_refused() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        for method in [Method::Totp, Method::RecoveryCode] {
            let refused = world.factors.remove(&user, method, shown(PASSWORD)).await;
            assert!(matches!(refused, Err(AuthError::NoSecondFactor)), "{method:?}: {refused:?}");
        }
    }

    #[tokio::test]
    async fn ends_what_the_method_could_answer() {
        let world = world(mailing());
        let user = world.register("alice").await.unwrap();
        let (secret, _) = world.enrol_totp("alice").await;
        world.next_step();
        let open = world.asked("alice").await;
        let challenge = confirmation(&world, &user).await;
        let shown = shown_with(&challenge, &world.code_of(&secret, 0));
        world.factors.remove(&user, Method::Totp, shown).await.unwrap();
        world.next_step();
        assert!(is_invalid(&answer(&world, &open, &world.code_of(&secret, 0)).await));
    }

    #[tokio::test]
    async fn by_an_administrator_is_for_those_who_lost_theirs() {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let (_, codes) = world.enrol_totp("alice").await;
        world.deliver_all().await;
        let open = world.asked("alice").await;
        world.act("alice", Action::RemoveSecondFactors).await;
        let again = world.administration.act("alice", &Action::RemoveSecondFactors).await.unwrap();
        assert_eq!(again, Outcome::NothingToDo);
        assert!(is_invalid(&answer(&world, &open, &codes[0].expose()).await), "old recovery codes open nothing");
        assert!(world.try_login("alice", PASSWORD).await.is_ok());
        let sent: Vec<_> = world.deliver_all().await.iter().map(|mail| mail.kind).collect();
        assert_eq!(sent, [MailKind::SecondFactorRemoved], "told once");
    }

    #[tokio::test]
    async fn where_it_is_required_leaves_codes_by_mail() {
        let world = world(with_accounts(|accounts| accounts.second_factor = RequiredFor::All));
        let user = world.register("alice").await.unwrap();
        // What a login takes, switching one on takes too.
        let missing = world.factors.enrol(&user, Method::Totp, shown(PASSWORD)).await;
        assert!(matches!(missing, Err(AuthError::ChallengeMissing)), "{missing:?}");
        let challenge = confirmation(&world, &user).await;
        let shown = shown_with(&challenge, &world.mailed_code());
        let begun = world.factors.enrol(&user, Method::Totp, shown).await.unwrap();
        let Enrolment::Totp { challenge, secret, .. } = begun else { panic!("an authenticator") };
        world.factors.confirm(&user, challenge.expose(), &world.code_of(&secret, 0), &client()).await.unwrap();
        assert_eq!(world.asked("alice").await.methods, [Method::Totp, Method::RecoveryCode], "mail does not stand in");
        world.act("alice", Action::RemoveSecondFactors).await;
        assert_eq!(world.asked("alice").await.methods, [Method::Email]);
    }
}

#[tokio::test]
async fn new_recovery_codes_end_the_old_ones() {
    let world = world(mailing());
    let user = world.register("alice").await.unwrap();
    let (secret, old) = world.enrol_totp("alice").await;
    world.next_step();
    let missing = world.factors.replace_recovery_codes(&user, shown(PASSWORD)).await;
    assert!(matches!(missing, Err(AuthError::ChallengeMissing)), "{missing:?}");
    let challenge = confirmation(&world, &user).await;
    let shown = shown_with(&challenge, &world.code_of(&secret, 0));
    let new = world.factors.replace_recovery_codes(&user, shown).await.unwrap();
    assert_eq!(new.len(), Factors::RECOVERY_CODES);
    let challenge = world.asked("alice").await;
    assert!(is_wrong(&answer(&world, &challenge, &old[0].expose()).await));
    assert!(answer(&world, &challenge, &new[0].expose()).await.is_ok());
    let told = world.deliver_all().await;
    assert!(told.iter().any(|mail| mail.kind == MailKind::RecoveryCodesReplaced));
}

#[tokio::test]
async fn recovery_codes_are_no_second_factor_by_themselves() {
    let world = world(mailing());
    let user = world.register("alice").await.unwrap();
    let refused = world.factors.replace_recovery_codes(&user, shown(PASSWORD)).await;
    assert!(matches!(refused, Err(AuthError::NoSecondFactor)), "{refused:?}");
}

/// Somebody who can write to the storage moves a hash to where it opens something.
#[test]
fn what_is_stored_of_a_code_is_bound_to_its_challenge_or_account() {
    let vault = auth_conformance::PlainVault::default();
    let (one, two) = (auth_conformance::code_id(1), auth_conformance::code_id(2));
    let digits = DigitCode::parse("123456").unwrap();
    assert_ne!(digits.mac(one, &vault), digits.mac(two, &vault));
    let (alice, mallory) = (UserId::new(1), UserId::new(2));
    let recovery = RecoveryCode::parse("01ab-cdef-ghjk-mnpq").unwrap();
    assert!(recovery.matches(alice, &recovery.mac(alice, &vault), &vault));
    assert!(!recovery.matches(alice, &recovery.mac(mallory, &vault), &vault));
    assert_ne!(TotpSecret::context(alice), TotpSecret::context(mallory));
}

#[tokio::test]
async fn nothing_that_is_stored_shows_a_secret() {
    let world = world(mailing());
    let user = world.register("alice").await.unwrap();
    let (secret, recovery) = world.enrol_totp("alice").await;
    let factors = world.store.factors_of(user.id).await.unwrap();
    assert!(!format!("{factors:?}").contains(&secret.expose_base32()));
    for code in &recovery {
        assert!(!format!("{factors:?} {code:?}").contains(&code.expose()));
    }
    world.asked("alice").await;
    let stored = format!("{:?}", world.store.codes());
    assert!(stored.contains("Mac(***)") || stored.contains("mac: None"), "{stored}");
}

/// SEC-134: codes by mail follow the address, so that moves only for whoever could log in.
mod another_address {
    use auth_core::account::ProfileChange;
    use auth_core::second_factor::RequiredFor;
    use auth_core::service::{AccountPolicy, Caller, EmailVerification, Shown};

    use super::*;

    async fn moved(world: &World, shown: Option<&Shown>) -> Result<String, AuthError> {
        let caller = Caller { user: world.stored("alice").await, session: None };
        let change = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
        world.accounts.update_profile(caller, change, shown, &client()).await.map(|updated| updated.user.email)
    }

    fn policies() -> [TokenPolicy; 3] {
        let with = |email_verification, second_factor| {
            let accounts = AccountPolicy { email_verification, second_factor, ..mailing().accounts };
            TokenPolicy { accounts, ..mailing() }
        };
        [
            with(EmailVerification::Off, RequiredFor::Nobody),
            with(EmailVerification::Optional, RequiredFor::Nobody),
            with(EmailVerification::Off, RequiredFor::All),
        ]
    }

    #[tokio::test]
    async fn takes_password_and_code_where_a_login_does() {
        for policy in policies() {
            let is_required = policy.accounts.second_factor == RequiredFor::All;
            let is_proven = policy.accounts.email_verification != EmailVerification::Off;
            let world = world(policy);
            let user = world.register("alice").await.unwrap();
            if !is_required {
                world.enrol_email("alice").await;
            }
            assert!(matches!(moved(&world, None).await, Err(AuthError::PasswordMissing)));
            let refused = moved(&world, Some(&shown(PASSWORD))).await;
            assert!(matches!(refused, Err(AuthError::ChallengeMissing)), "{refused:?}");
            let challenge = confirmation(&world, &user).await;
            let code = world.mailed_code();
            assert!(is_wrong(&moved(&world, Some(&shown_with(&challenge, &other_than(&code)))).await));
            assert_eq!(world.stored("alice").await.email, "alice@example.com");
            let email = moved(&world, Some(&shown_with(&challenge, &code))).await.unwrap();
            assert_eq!(email, if is_proven { "alice@example.com" } else { "new@example.com" });
        }
    }
}

#[test]
fn debug_shows_no_secret() {
    let secret = TotpSecret::from_bytes(b"12345678901234567890".to_vec());
    let uri = secret.expose_uri("auth", "alice");
    let challenge =
        auth_core::code::ChallengeToken::of(auth_conformance::code_id(1), &auth_conformance::PlainVault::default());
    let enrolment = Enrolment::Totp { challenge, secret: secret.clone(), uri };
    let shown = Shown { answer: Some(("a-challenge".to_owned(), "123456".to_owned())), ..shown(PASSWORD) };
    let text = format!("{enrolment:?} {shown:?}");
    for hidden in [&*secret.expose_base32(), "otpauth", "123456", "a-challenge", PASSWORD] {
        assert!(!text.contains(hidden), "{text}");
    }
}

/// SEC-134: where a second factor is required, a session that began without one is not carried on.
#[tokio::test]
async fn a_session_without_a_required_factor_is_not_refreshed() {
    let world = world(with_accounts(|accounts| accounts.second_factor = RequiredFor::Staff));
    world.register("alice").await.unwrap();
    let pair = world.login("alice").await;
    let pair = world.refresh(&pair).await.unwrap();
    // Made an administrator past the use-case, as with SQL.
    let user = world.stored("alice").await;
    assert!(auth_core::ports::Accounts::set_staff(world.store.as_ref(), user.id, true).await.unwrap());
    assert!(world.refresh(&pair).await.is_err());
    let challenge = world.asked("alice").await;
    let pair = answer(&world, &challenge, &world.mailed_code()).await.unwrap();
    assert!(world.refresh(&pair).await.is_ok());
}

#[tokio::test]
async fn whoever_becomes_an_administrator_logs_in_once_more_where_those_have_to_show_a_factor() {
    for (required, lives) in [(RequiredFor::Nobody, true), (RequiredFor::Staff, false)] {
        let world = world(with_accounts(|accounts| accounts.second_factor = required));
        world.register("alice").await.unwrap();
        let pair = world.login("alice").await;
        world.act("alice", Action::Promote).await;
        assert_eq!(world.tokens.authenticate(&access_of(&pair)).await.is_ok(), lives);
    }
}
