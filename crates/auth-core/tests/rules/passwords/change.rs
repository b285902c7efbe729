//! Change by somebody who is logged in.

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
