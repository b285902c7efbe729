//! What a login asks for, and what answers it.

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
    assert_eq!(confirmation(&world, &world.stored("alice").await).await.methods, [Method::Email, Method::RecoveryCode]);
    world.advance(60 * 60);
    assert_eq!(world.asked("alice").await.methods, [Method::Email, Method::RecoveryCode]);
}
