//! Password changes by logged-in users.

use super::*;
use auth_core::effects::Effects;

#[tokio::test]
async fn requires_the_current_password_and_counts_guesses() {
    let service = service(mailing());
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    service.events.taken();
    for guess in 1..=10 {
        let refused = change_password(&service, &caller, "Wrong-horse-42", NEW_PASSWORD).await;
        assert!(matches!(refused, Err(AccountError::WrongPassword)), "guess {guess}: {refused:?}");
    }
    assert_eq!(service.take_event_kinds(), [EventKind::PasswordRefused; 10]);
    let throttled = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await;
    assert!(matches!(throttled, Err(AccountError::Throttled { .. })), "even with the right password: {throttled:?}");
    assert!(has_password(&service, "alice", PASSWORD).await);
    assert_eq!(service.enqueued(), []);
}

#[tokio::test]
async fn does_not_hash_a_password_that_is_too_long() {
    let service = service(mailing());
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    let before = service.hasher.verifications();
    let refused = change_password(&service, &caller, &"x".repeat(1_025), NEW_PASSWORD).await;
    assert!(matches!(refused, Err(AccountError::WrongPassword)));
    assert_eq!(service.hasher.verifications(), before);
}

#[tokio::test]
async fn applies_the_password_policy() {
    let service = service(mailing());
    service.register("alice77").await;
    let pair = service.login("alice77").await;
    let caller = service.caller(&pair).await;
    for (new, expected) in [
        ("xK9#qqq", PasswordFlaw::TooShort(8)),
        ("password123", PasswordFlaw::TooCommon),
        ("8273645190", PasswordFlaw::EntirelyNumeric),
        ("Alice77!", PasswordFlaw::TooSimilar(Attribute::Username)),
    ] {
        match change_password(&service, &caller, PASSWORD, new).await {
            Err(AccountError::Account(AccountFault::WeakPassword(flaws))) => assert_eq!(flaws, [expected], "{new}"),
            other => panic!("{new}: {other:?}"),
        }
    }
    assert!(has_password(&service, "alice77", PASSWORD).await);
    assert!(service.try_refresh(&pair).await.is_ok(), "a refused change revokes nothing");
    assert_eq!(service.enqueued(), []);
}

#[tokio::test]
async fn revokes_other_sessions_and_continues_with_the_returned_pair() {
    let service = service(mailing());
    service.register("alice").await;
    service.register("bob").await;
    let (own, other, bob) = (service.login("alice").await, service.login("alice").await, service.login("bob").await);
    let caller = service.caller(&own).await;
    service.advance(1);
    let pair = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
    assert!(matches!(service.tokens.authenticate(&access_of(&other)).await, Err(AuthError::PasswordChanged)));
    assert_eq!(fault(service.try_refresh(&other).await), Some(TokenFault::Revoked));
    assert!(service.try_refresh(&bob).await.is_ok());
    assert_eq!(service.caller(&pair).await.session, caller.session);
    let next = service.refresh(&pair).await;
    assert!(service.tokens.authenticate(&access_of(&next)).await.is_ok());
    assert!(service.try_login("alice", PASSWORD).await.is_err());
    assert!(service.try_login("alice", NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn uses_up_the_earlier_refresh_token() {
    let service = service(mailing());
    service.register("alice").await;
    let own = service.login("alice").await;
    let caller = service.caller(&own).await;
    let pair = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
    assert_eq!(fault(service.try_refresh(&own).await), Some(TokenFault::Used));
    service.advance(RETRY_WINDOW);
    // Only an attacker can still present it: the session is revoked.
    assert_eq!(fault(service.try_refresh(&own).await), Some(TokenFault::Reused));
    assert_eq!(fault(service.try_refresh(&pair).await), Some(TokenFault::Revoked));
}

/// Some policies accept used refresh tokens, temporarily or permanently.
#[tokio::test]
async fn refuses_earlier_refresh_tokens_under_every_policy() {
    for (on_retry, on_refresh) in [
        (OnRetry::Refuse, OnRefresh::Rotate),
        (OnRetry::Replay, OnRefresh::Rotate),
        (OnRetry::Refuse, OnRefresh::KeepAndRotate),
        (OnRetry::Refuse, OnRefresh::Keep),
    ] {
        let rotation = RotationPolicy { on_retry, on_refresh, ..policy().rotation };
        let service = service(emailing(TokenPolicy { rotation, ..policy() }));
        service.register("alice").await;
        let own = service.login("alice").await;
        let caller = service.caller(&own).await;
        let pair = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
        let thief = service.tokens.refresh(&refresh_of(&own)).await;
        assert!(thief.is_err(), "{on_retry:?} {on_refresh:?}: {thief:?}");
        assert!(service.tokens.authenticate(&access_of(&pair)).await.is_ok(), "{on_retry:?} {on_refresh:?}");
        assert!(service.tokens.refresh(&refresh_of(&pair)).await.is_ok(), "{on_retry:?} {on_refresh:?}");
    }
}

#[tokio::test]
async fn refuses_copies_of_a_sliding_token() {
    let accepted_kinds = vec![TokenKind::Access, TokenKind::Sliding];
    let service = service(emailing(TokenPolicy { accepted_kinds, ..policy() }));
    service.register("alice").await;
    let sliding = service.try_login_sliding("alice").await.unwrap();
    let sliding = RawToken::parse(sliding.expose()).unwrap();
    let caller = service.tokens.authenticate(&sliding).await.unwrap();
    let pair = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
    assert_eq!(fault(service.tokens.refresh_sliding(&sliding).await), Some(TokenFault::Revoked));
    assert!(matches!(service.tokens.authenticate(&sliding).await, Err(AuthError::PasswordChanged)));
    assert!(service.tokens.authenticate(&access_of(&pair)).await.is_ok());
    assert!(service.try_refresh(&pair).await.is_ok());
}

#[tokio::test]
async fn in_a_new_session_keeps_the_absolute_lifetime() {
    let rotation = RotationPolicy { on_retry: OnRetry::Replay, ..policy().rotation };
    let service = service(emailing(TokenPolicy { rotation, ..policy() }));
    service.register("alice").await;
    let own = service.login("alice").await;
    let end = service.now().seconds() + SESSION_MAX_TTL as i64;
    service.advance(REFRESH_TTL - 1);
    let own = service.refresh(&own).await;
    let caller = service.caller(&own).await;
    let pair = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
    assert_eq!(service.claims(&refresh_of(&pair))["exp"], end);
    assert_eq!(service.claims(&refresh_of(&pair))["amr"], serde_json::json!(["pwd"]));
    assert_ne!(service.caller(&pair).await.session, caller.session);
}

/// A single write, so that a concurrent revocation of all sessions cannot happen between the password and the new session.
#[tokio::test]
async fn in_a_new_session_is_one_write() {
    let rotation = RotationPolicy { on_retry: OnRetry::Replay, ..policy().rotation };
    let Fixture { service, eventful, .. } = fixture(emailing(TokenPolicy { rotation, ..policy() }));
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    for call in ["start", "find_user"] {
        eventful.fail(call);
    }
    let pair = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap();
    let live = service.store.sessions().into_iter().filter(|session| session.revoked_at.is_none());
    let pair = pair.expect("a session that replaces the revoked one");
    assert_eq!(live.map(|session| session.id).collect::<Vec<_>>(), Vec::from_iter(service.caller(&pair).await.session));
}

#[tokio::test]
async fn revokes_all_sessions_if_the_caller_has_none() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let pair = service.login("alice").await;
    let answered = change_password(&service, &Caller { user, session: None }, PASSWORD, NEW_PASSWORD).await.unwrap();
    assert_eq!(answered, None);
    assert_eq!(fault(service.try_refresh(&pair).await), Some(TokenFault::Revoked));
}

#[tokio::test]
async fn is_refused_for_a_revoked_session() {
    let service = service(mailing());
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
    let refused = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await;
    assert_eq!(fault(refused), Some(TokenFault::Revoked));
    assert!(has_password(&service, "alice", PASSWORD).await);
}

/// The caller may come from the auth cache.
#[tokio::test]
async fn is_refused_for_a_deactivated_account() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    assert!(service.store.set_active(&user.id, false, &Effects::NONE).await.unwrap());
    let refused = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await;
    assert!(matches!(refused, Err(AccountError::Auth(AuthError::NoActiveAccount))), "{refused:?}");
}

#[tokio::test]
async fn ends_open_links_and_challenges() {
    let service = service(mailing());
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    service.enrol_email("alice").await;
    let link = reset_link(&service, "alice").await;
    let challenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    let own = service.second_factors.challenge(&service.user("alice").await, &client()).await.unwrap();
    let shown = shown_with(&own, &service.emailed_code());
    change_password_with(&service, &caller, shown, NEW_PASSWORD).await.unwrap();
    assert!(is_bad_link(&reset_password(&service, &link, "Thieving-magpie-1").await));
    let answered = service.logins.answer_challenge(challenge.challenge.expose(), &code, client()).await;
    assert!(matches!(answered, Err(AccountError::ChallengeInvalid)), "{answered:?}");
    assert!(has_password(&service, "alice", NEW_PASSWORD).await);
}

#[tokio::test]
async fn sends_a_notice() {
    let service = service(mailing());
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    service.events.taken();
    change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap();
    assert_eq!(service.take_event_kinds(), [EventKind::PasswordChanged]);
    let emails = service.deliver_emails().await;
    assert_eq!(emails.len(), 1);
    assert_eq!((emails[0].kind, emails[0].to.as_str()), (EmailKind::PasswordChanged, "alice@example.com"));
    assert_eq!(emails[0].content.get(Fact::ClientIp), Some("192.0.2.7"));
    assert_eq!(emails[0].content.get(Fact::Token), None);
}

#[tokio::test]
async fn loses_against_a_concurrent_reset() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    let user = service.register("alice").await;
    let (own, link) = (service.login("alice").await, reset_link(&service, "alice").await);
    let caller = service.caller(&own).await;
    let accounts = service.accounts.clone();
    eventful.before("set_password", async move {
        accounts.confirm_reset(&link, raw("Rescued-horse-44"), &client()).await.unwrap();
    });
    let refused = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await;
    assert!(refused.is_err(), "{refused:?}");
    assert!(has_password(&service, "alice", "Rescued-horse-44").await);
    let live = service.store.sessions().into_iter().filter(|session| session.revoked_at.is_none()).count();
    assert_eq!(live, 0, "the reset revoked all of them");
    assert!(service.store.find_user(&user.id).await.unwrap().is_some());
}

#[tokio::test]
async fn without_a_session_loses_against_a_concurrent_reset() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    let user = service.register("alice").await;
    let link = reset_link(&service, "alice").await;
    let accounts = service.accounts.clone();
    eventful.before("set_password", async move {
        accounts.confirm_reset(&link, raw("Rescued-horse-44"), &client()).await.unwrap();
    });
    let refused = change_password(&service, &Caller { user, session: None }, PASSWORD, NEW_PASSWORD).await;
    assert!(matches!(refused, Err(AccountError::WrongPassword)), "{refused:?}");
    assert!(has_password(&service, "alice", "Rescued-horse-44").await);
}

/// An attacker who has stolen the refresh token of the session refreshes it first.
#[tokio::test]
async fn succeeds_although_the_session_is_refreshed_concurrently() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    let own = service.login("alice").await;
    let caller = service.caller(&own).await;
    let (tokens, refresh) = (service.tokens.clone(), refresh_of(&own));
    let (stolen, received) = tokio::sync::oneshot::channel();
    eventful.before("set_password", async move {
        let _ = stolen.send(pair_of(tokens.refresh(&refresh).await.unwrap()));
    });
    let pair = change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap().unwrap();
    let stolen = received.await.unwrap();
    assert!(has_password(&service, "alice", NEW_PASSWORD).await);
    assert!(service.try_refresh(&stolen).await.is_err(), "the stolen pair is refused too");
    assert!(service.try_refresh(&pair).await.is_ok());
}

#[tokio::test]
async fn succeeds_once_under_concurrency() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    let mut callers = Vec::new();
    for _ in 0..8 {
        callers.push(service.caller(&service.login("alice").await).await);
    }
    eventful.yield_at_each_call();
    let mut changes = tokio::task::JoinSet::new();
    for (number, caller) in callers.into_iter().enumerate() {
        let (logins, new) = (service.logins.clone(), format!("Another-horse-{number}"));
        let change = auth_accounts::service::PasswordChange { reauthentication: shown(PASSWORD), new: raw(&new) };
        changes.spawn(async move { logins.change_password(&caller, change).await.map(|_| new) });
    }
    let won: Vec<_> = changes.join_all().await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(won.len(), 1, "{won:?}");
    assert!(has_password(&service, "alice", &won[0]).await);
    assert_eq!(service.enqueued().len(), 1);
}
