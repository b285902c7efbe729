//! The use-cases, on a whole service in memory.

use crate::fixture::*;
use auth_core::AuthError;
use auth_core::account::{AccountFault, Taken};
use auth_core::event::EventKind;
use auth_core::password::PasswordHash;
use auth_core::ports::{Accounts, NewPassword, PasswordUpdate, Sessions};
use auth_core::rotation::{OnRetry, RotationPolicy};
use auth_core::service::{Action, LogoutRequest, TokenPair, TokenPolicy};
use auth_core::time::UnixTime;
use auth_core::token::{RevokeReason, SessionId, TokenFault};
use serde_json::json;

fn session_of(service: &TestService, pair: &TokenPair) -> SessionId {
    SessionId::parse(service.claims(&refresh_of(pair))["sid"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_login_says_what_the_contract_promises() {
    let service = service(policy());
    let user = service.register("alice").await;
    let pair = service.login("alice").await;
    let (refresh, access) = (service.claims(&refresh_of(&pair)), service.claims(&access_of(&pair)));
    let now = service.now().seconds();
    for (claims, kind, ttl) in [(&refresh, "refresh", REFRESH_TTL), (&access, "access", ACCESS_TTL)] {
        assert_eq!(claims["token_type"], kind);
        assert_eq!(claims["iat"], now);
        assert_eq!(claims["exp"], now + ttl as i64);
        assert_eq!(claims["user_id"], user.id.get().to_string());
        assert_eq!(claims["email"], "alice@example.com");
        assert_eq!(claims["role"], "user");
        assert_eq!(claims["amr"], json!(["pwd"]));
        assert_eq!(claims["sid"], refresh["jti"]);
    }
    assert_eq!(refresh["gen"], 0);
    assert!(access.get("gen").is_none());
    assert_ne!(access["jti"], refresh["jti"]);
    let stored = service.store.find_user(user.id).await.unwrap().unwrap();
    assert_eq!(stored.last_login.map(|at| at.unix().seconds()), Some(now));
    assert_eq!(service.take_event_kinds(), [EventKind::AccountRegistered, EventKind::LoginSucceeded]);
}

#[tokio::test]
async fn every_refused_login_is_one_answer_after_one_comparison() {
    let service = service(policy());
    service.register("alice").await;
    service.register("bob").await;
    service.act("bob", Action::Deactivate).await;
    for (name, password) in [("alice", "Wrong-horse-42"), ("nobody", PASSWORD), ("bob", PASSWORD), ("ALICE", PASSWORD)]
    {
        let before = service.hasher.verifications();
        assert!(matches!(service.try_login(name, password).await, Err(AuthError::BadCredentials)), "{name}");
        assert_eq!(service.hasher.verifications() - before, 1, "{name}");
    }
    let before = service.hasher.verifications();
    assert!(matches!(service.try_login("alice", &"x".repeat(1_000_000)).await, Err(AuthError::BadCredentials)));
    assert_eq!(service.hasher.verifications(), before, "nothing is hashed of a password that no account can have");
}

#[tokio::test]
async fn an_outdated_hash_is_replaced_at_login() {
    let service = service(policy());
    let user = service.register("alice").await;
    let old = PasswordHash::new(format!("old${PASSWORD}"));
    let set = service.store.set_password(&NewPassword::new(user.id, old), UnixTime::from_seconds(1)).await.unwrap();
    assert_eq!(set, PasswordUpdate::Done);
    service.hasher.set_outdated("old$");
    service.login("alice").await;
    let name = auth_core::account::LoginName::Username("alice".into());
    let (_, hash) = service.store.find_for_login(&name).await.unwrap().unwrap();
    assert_eq!(hash.expose(), format!("plain${PASSWORD}"));
    service.login("alice").await;
}

#[tokio::test]
async fn a_taken_name_is_refused() {
    let service = service(policy());
    service.register("alice").await;
    let second = service.try_register("Alice").await;
    assert!(matches!(second, Err(AuthError::Account(AccountFault::Taken(Taken::Username)))));
}

#[tokio::test]
async fn a_refresh_token_is_good_once() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    assert_eq!(fault(service.try_refresh(&first).await), Some(TokenFault::Spent));
    let third = service.refresh(&second).await;
    let claims = [&first, &second, &third].map(|pair| service.claims(&refresh_of(pair)));
    assert_eq!(claims.each_ref().map(|claims| claims["gen"].clone()), [json!(0), json!(1), json!(2)]);
    assert!(claims[0]["jti"] != claims[1]["jti"] && claims[1]["jti"] != claims[2]["jti"]);
}

#[tokio::test]
async fn a_spent_token_that_comes_late_ends_its_session_and_no_other() {
    let service = service(policy());
    service.register("alice").await;
    let (first, other) = (service.login("alice").await, service.login("alice").await);
    let second = service.refresh(&first).await;
    service.events.taken();
    service.advance(RETRY_WINDOW);
    assert_eq!(fault(service.try_refresh(&first).await), Some(TokenFault::Reused));
    assert_eq!(fault(service.try_refresh(&second).await), Some(TokenFault::Revoked));
    assert_eq!(fault(service.try_refresh(&first).await), Some(TokenFault::Revoked));
    assert_eq!(fault(service.tokens.authenticate(&access_of(&second)).await), Some(TokenFault::Revoked));
    assert!(service.try_refresh(&other).await.is_ok());
    assert_eq!(service.take_event_kinds(), [EventKind::RefreshReused]);
    let stored = service.store.find_session(session_of(&service, &first)).await.unwrap().unwrap();
    assert_eq!(stored.session.revoke_reason, Some(RevokeReason::Reuse));
}

#[tokio::test]
async fn a_token_two_rotations_old_has_no_window() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    service.refresh(&second).await;
    assert_eq!(fault(service.try_refresh(&first).await), Some(TokenFault::Reused));
}

#[tokio::test]
async fn a_retry_is_answered_the_same_successor_byte_for_byte() {
    let rotation = RotationPolicy { on_retry: OnRetry::Replay, ..policy().rotation };
    for policy in [policy(), simplejwt_policy()] {
        let service = service(TokenPolicy { rotation, ..policy });
        service.register("alice").await;
        let first = service.login("alice").await;
        let second = service.refresh(&first).await;
        service.advance(RETRY_WINDOW - 1);
        let again = service.refresh(&first).await;
        assert_eq!(again.refresh.expose(), second.refresh.expose());
        assert!(service.try_refresh(&again).await.is_ok());
    }
}

#[tokio::test]
async fn claims_are_fresh_at_each_refresh() {
    let service = service(simplejwt_policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    service.act("alice", Action::Promote).await;
    let second = service.refresh(&first).await;
    assert_eq!(service.claims(&access_of(&second))["role"], "admin");
    assert_eq!(service.claims(&refresh_of(&second))["role"], "admin");
}

#[tokio::test]
async fn inactive_and_deleted_accounts_get_no_new_tokens() {
    let service = service(policy());
    service.register("alice").await;
    let pair = service.login("alice").await;
    service.act("alice", Action::Deactivate).await;
    assert!(matches!(service.try_refresh(&pair).await, Err(AuthError::NoActiveAccount)));
    assert!(matches!(service.tokens.authenticate(&access_of(&pair)).await, Err(AuthError::UserInactive)));
    service.act("alice", Action::Activate).await;
    let pair = service.refresh(&pair).await;
    service.act("alice", Action::Delete).await;
    assert!(matches!(service.try_refresh(&pair).await, Err(AuthError::NoActiveAccount)));
    assert!(matches!(service.tokens.authenticate(&access_of(&pair)).await, Err(AuthError::UserNotFound)));
}

#[tokio::test]
async fn a_session_ends_for_good_however_often_it_is_refreshed() {
    let service = service(policy());
    service.register("alice").await;
    let mut pair = service.login("alice").await;
    let end = service.now().seconds() + SESSION_MAX_TTL as i64;
    while service.now().seconds() + 400 < end {
        service.advance(400);
        pair = service.refresh(&pair).await;
        assert!(service.claims(&refresh_of(&pair))["exp"].as_i64().unwrap() <= end);
        assert!(service.claims(&access_of(&pair))["exp"].as_i64().unwrap() <= end);
    }
    service.advance((end - service.now().seconds()) as u64);
    assert_eq!(fault(service.try_refresh(&pair).await), Some(TokenFault::Expired));
}

#[tokio::test]
async fn logout_ends_one_session_the_others_or_all() {
    let service = service(policy());
    service.register("alice").await;
    service.register("bob").await;
    let bob = service.login("bob").await;
    let pairs = [service.login("alice").await, service.login("alice").await, service.login("alice").await];
    let caller = service.tokens.authenticate(&access_of(&pairs[0])).await.unwrap();

    service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&pairs[1]))).await.unwrap();
    assert_eq!(fault(service.try_refresh(&pairs[1]).await), Some(TokenFault::Revoked));
    let again = service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&pairs[1]))).await;
    assert_eq!(fault(again), Some(TokenFault::Revoked));

    service.tokens.logout(&caller, LogoutRequest::Others).await.unwrap();
    assert_eq!(fault(service.try_refresh(&pairs[2]).await), Some(TokenFault::Revoked));
    let own = service.refresh(&pairs[0]).await;

    service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
    assert_eq!(fault(service.try_refresh(&own).await), Some(TokenFault::Revoked));
    assert!(service.try_refresh(&bob).await.is_ok());
}

#[tokio::test]
async fn logout_with_a_spent_token_of_ones_own_ends_the_session() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    let caller = service.tokens.authenticate(&access_of(&second)).await.unwrap();
    service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&first))).await.unwrap();
    assert_eq!(fault(service.try_refresh(&second).await), Some(TokenFault::Revoked));
}

#[tokio::test]
async fn nobody_logs_another_user_out() {
    let service = service(policy());
    service.register("alice").await;
    service.register("mallory").await;
    let (alice, mallory) = (service.login("alice").await, service.login("mallory").await);
    let caller = service.tokens.authenticate(&access_of(&mallory)).await.unwrap();
    let refused = service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&alice))).await;
    assert!(matches!(refused, Err(AuthError::ForeignToken)));
    assert!(service.try_refresh(&alice).await.is_ok());
    assert_eq!(service.take_event_kinds().last(), Some(&EventKind::LogoutRefused));
}

#[tokio::test]
async fn a_blacklisted_token_ends_its_session() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    service.tokens.blacklist(&refresh_of(&first)).await.unwrap();
    assert_eq!(fault(service.tokens.blacklist(&refresh_of(&first)).await), Some(TokenFault::Revoked));
    assert_eq!(fault(service.try_refresh(&first).await), Some(TokenFault::Revoked));
    assert_eq!(fault(service.tokens.verify(&refresh_of(&first)).await), Some(TokenFault::Revoked));

    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    assert_eq!(fault(service.tokens.blacklist(&refresh_of(&first)).await), Some(TokenFault::Spent));
    assert_eq!(fault(service.try_refresh(&second).await), Some(TokenFault::Revoked));
}

#[tokio::test]
async fn verification_changes_nothing() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    service.advance(RETRY_WINDOW * 2);
    for (token, expected) in [
        (refresh_of(&first), Some(TokenFault::Spent)),
        (refresh_of(&second), None),
        (access_of(&second), None),
        (access_of(&first), None),
    ] {
        assert_eq!(fault(service.tokens.verify(&token).await), expected);
    }
    assert!(service.try_refresh(&second).await.is_ok());
}

#[tokio::test]
async fn a_token_is_refused_where_another_kind_is_wanted() {
    let service = service(policy());
    service.register("alice").await;
    let pair = service.login("alice").await;
    let access = access_of(&pair);
    let caller = service.tokens.authenticate(&access).await.unwrap();
    assert_eq!(fault(service.tokens.refresh(&access).await), Some(TokenFault::WrongKind));
    assert_eq!(fault(service.tokens.blacklist(&access).await), Some(TokenFault::WrongKind));
    assert_eq!(fault(service.tokens.logout(&caller, LogoutRequest::One(access)).await), Some(TokenFault::WrongKind));
    assert_eq!(fault(service.tokens.authenticate(&refresh_of(&pair)).await), Some(TokenFault::WrongKind));
}

#[tokio::test]
async fn subject_session_and_name_of_a_token_belong_together() {
    let service = service(policy());
    service.register("alice").await;
    let mallory = service.register("mallory").await;
    let pair = service.login("alice").await;
    for (claim, value) in [
        ("user_id", json!(mallory.id.get().to_string())),
        ("jti", json!("e430b0ef5c2a40d3a7c2fa027bd9afc1")),
        ("gen", json!(1)),
        ("gen", json!(null)),
    ] {
        let mut claims = service.claims(&refresh_of(&pair));
        claims.insert(claim.to_owned(), value);
        let forged = service.forge(claims.into());
        assert_eq!(fault(service.tokens.refresh(&forged).await), Some(TokenFault::BadClaim), "{claim}");
    }
    let mut claims = service.claims(&access_of(&pair));
    claims.insert("user_id".to_owned(), json!(mallory.id.get()));
    assert_eq!(fault(service.tokens.authenticate(&service.forge(claims.into())).await), Some(TokenFault::BadClaim));
    assert!(service.try_refresh(&pair).await.is_ok());
}

#[tokio::test]
async fn a_generation_that_was_never_issued_is_refused_and_recorded() {
    let service = service(policy());
    service.register("alice").await;
    let pair = service.login("alice").await;
    let session = session_of(&service, &pair);
    let mut claims = service.claims(&refresh_of(&pair));
    let generation = auth_core::token::Generation::new(7);
    claims.insert("gen".to_owned(), json!(7));
    claims.insert("jti".to_owned(), json!(auth_core::token::TokenId::of_generation(session, generation).as_str()));
    let forged = service.forge(claims.into());
    assert_eq!(fault(service.tokens.refresh(&forged).await), Some(TokenFault::NeverIssued));
    assert_eq!(service.take_event_kinds().last(), Some(&EventKind::RefreshNeverIssued));
    assert!(service.try_refresh(&pair).await.is_ok());
}

mod tokens_from_elsewhere {
    use super::*;

    fn foreign(service: &TestService, jti: &str, user: i64) -> auth_core::token::RawToken {
        let now = service.now().seconds();
        service.forge(json!({
            "token_type": "refresh", "exp": now + 300, "iat": now, "jti": jti, "user_id": user.to_string(),
            "email": "old@example.com", "custom": {"a": [1]}, "nbf": 1, "aud": "somebody",
        }))
    }

    #[tokio::test]
    async fn are_adopted_once_and_then_rotate_as_any_other() {
        let service = service(simplejwt_policy());
        let user = service.register("alice").await;
        for jti in ["e430b0ef5c2a40d3a7c2fa027bd9afc1", "no-uuid-at-all"] {
            let token = foreign(&service, jti, user.id.get());
            assert!(service.tokens.verify(&token).await.is_ok());
            let pair = pair_of(service.tokens.refresh(&token).await.unwrap());
            let claims = service.claims(&access_of(&pair));
            assert_eq!((&claims["email"], &claims["custom"]), (&json!("alice@example.com"), &json!({"a": [1]})));
            assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::Spent));
            let next = service.refresh(&pair).await;
            let inherited = service.claims(&refresh_of(&next));
            assert_eq!((&inherited["custom"], &inherited["nbf"]), (&json!({"a": [1]}), &json!(1)));
            assert_eq!(inherited["aud"], "somebody");
            assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::Reused));
            assert_eq!(fault(service.try_refresh(&next).await), Some(TokenFault::Revoked));
        }
    }

    #[tokio::test]
    async fn are_refused_where_nobody_wants_them() {
        let service = service(policy());
        let user = service.register("alice").await;
        let token = foreign(&service, "e430b0ef5c2a40d3a7c2fa027bd9afc1", user.id.get());
        assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::UnknownSession));
        assert_eq!(fault(service.tokens.verify(&token).await), Some(TokenFault::UnknownSession));
        assert_eq!(fault(service.tokens.blacklist(&token).await), Some(TokenFault::UnknownSession));
    }

    #[tokio::test]
    async fn stay_out_of_use_once_they_are_blacklisted() {
        let service = service(simplejwt_policy());
        let user = service.register("alice").await;
        for (jti, user) in [("known", user.id.get()), ("unknown", 999)] {
            let token = foreign(&service, jti, user);
            assert!(service.tokens.verify(&token).await.is_ok());
            service.tokens.blacklist(&token).await.unwrap();
            assert_eq!(fault(service.tokens.blacklist(&token).await), Some(TokenFault::Revoked), "{jti}");
            assert_eq!(fault(service.tokens.verify(&token).await), Some(TokenFault::Revoked), "{jti}");
            assert!(service.tokens.refresh(&token).await.is_err(), "{jti}");
        }
    }

    #[tokio::test]
    async fn die_with_a_logout_of_all_though_they_were_never_seen() {
        let service = service(simplejwt_policy());
        let user = service.register("alice").await;
        let token = foreign(&service, "e430b0ef5c2a40d3a7c2fa027bd9afc1", user.id.get());
        service.advance(1);
        let pair = service.login("alice").await;
        let caller = service.tokens.authenticate(&access_of(&pair)).await.unwrap();
        service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
        assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::Revoked));
    }

    #[tokio::test]
    async fn that_name_no_account_are_refused_everywhere() {
        let service = service(simplejwt_policy());
        service.register("alice").await;
        let now = service.now().seconds();
        for subject in
            [json!(null), json!("abc"), json!(""), json!([1]), json!(1e30), json!(1.5), json!(true), json!("1\u{0}")]
        {
            let claims = |kind| json!({"token_type": kind, "exp": now + 300, "jti": "x", "user_id": subject});
            let refreshed = service.tokens.refresh(&service.forge(claims("refresh"))).await;
            assert!(matches!(refreshed, Err(AuthError::NoActiveAccount)), "{subject}");
            let authenticated = service.tokens.authenticate(&service.forge(claims("access"))).await;
            assert!(matches!(authenticated, Err(AuthError::UserNotFound)), "{subject}");
        }
        let nameless = service.forge(json!({"token_type": "access", "exp": now + 300, "jti": "x"}));
        assert!(matches!(service.tokens.authenticate(&nameless).await, Err(AuthError::SubjectMissing)));
    }
}
