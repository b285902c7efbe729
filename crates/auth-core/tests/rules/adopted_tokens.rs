//! Externally issued tokens, which are adopted as sessions if the policy allows it.

use auth_core::service::{LogoutRequest, SlidingPolicy, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::RequiredFor;
use auth_core::token::{RawToken, TokenFault, TokenKind};
use serde_json::json;

use crate::fixture::*;

fn external_token(service: &TestService, jti: &str, user: i64) -> RawToken {
    let now = service.now().seconds();
    service.forge(json!({
        "token_type": "refresh", "exp": now + 300, "iat": now, "jti": jti, "user_id": user.to_string(),
        "email": "old@example.com", "custom": {"a": [1]}, "nbf": 1, "aud": "another-service",
    }))
}

#[tokio::test]
async fn an_external_token_is_adopted_once_and_its_successors_rotate() {
    let service = service(simplejwt_policy());
    let user = service.register("alice").await;
    for jti in ["e430b0ef5c2a40d3a7c2fa027bd9afc1", "not-a-uuid"] {
        let token = external_token(&service, jti, user.id.as_integer().unwrap());
        assert!(service.tokens.verify(&token).await.is_ok());
        let pair = pair_of(service.tokens.refresh(&token).await.unwrap());
        let claims = service.claims(&access_of(&pair));
        assert_eq!((&claims["email"], &claims["custom"]), (&json!("alice@example.com"), &json!({"a": [1]})));
        assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::Used));
        let next = service.refresh(&pair).await;
        let inherited = service.claims(&refresh_of(&next));
        assert_eq!((&inherited["custom"], &inherited["nbf"]), (&json!({"a": [1]}), &json!(1)));
        assert_eq!(inherited["aud"], "another-service");
        assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::Reused));
        assert_eq!(fault(service.try_refresh(&next).await), Some(TokenFault::Revoked));
    }
}

#[tokio::test]
async fn external_tokens_are_refused_without_adoption() {
    let service = service(policy());
    let user = service.register("alice").await;
    let token = external_token(&service, "e430b0ef5c2a40d3a7c2fa027bd9afc1", user.id.as_integer().unwrap());
    assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::UnknownSession));
    assert_eq!(fault(service.tokens.verify(&token).await), Some(TokenFault::UnknownSession));
    assert_eq!(fault(service.tokens.blacklist(&token).await), Some(TokenFault::UnknownSession));
}

#[tokio::test]
async fn blacklisted_external_tokens_are_refused() {
    let service = service(simplejwt_policy());
    let user = service.register("alice").await;
    for (jti, user) in [("known", user.id.as_integer().unwrap()), ("unknown", 999)] {
        let token = external_token(&service, jti, user);
        assert!(service.tokens.verify(&token).await.is_ok());
        service.tokens.blacklist(&token).await.unwrap();
        assert_eq!(fault(service.tokens.blacklist(&token).await), Some(TokenFault::Revoked), "{jti}");
        assert_eq!(fault(service.tokens.verify(&token).await), Some(TokenFault::Revoked), "{jti}");
        assert!(service.tokens.refresh(&token).await.is_err(), "{jti}");
    }
}

#[tokio::test]
async fn a_logout_of_all_sessions_revokes_external_tokens_that_were_never_presented() {
    let service = service(simplejwt_policy());
    let user = service.register("alice").await;
    let token = external_token(&service, "e430b0ef5c2a40d3a7c2fa027bd9afc1", user.id.as_integer().unwrap());
    service.advance(1);
    let pair = service.login("alice").await;
    let caller = service.tokens.authenticate(&access_of(&pair)).await.unwrap();
    service.tokens.logout(&caller, LogoutRequest::All).await.unwrap();
    assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::Revoked));
}

#[tokio::test]
async fn external_tokens_that_name_no_user_are_refused() {
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
    let without_subject = service.forge(json!({"token_type": "access", "exp": now + 300, "jti": "x"}));
    assert!(matches!(service.tokens.authenticate(&without_subject).await, Err(AuthError::SubjectMissing)));
}

/// The token types.
fn kinds() -> [&'static str; 3] {
    ["refresh", "access", "sliding"]
}

/// The fault with which a token of this type is refused where it is used.
async fn fault_when_used(service: &TestService, kind: &str, token: &RawToken) -> Option<TokenFault> {
    match kind {
        "refresh" => fault(service.tokens.refresh(token).await),
        "sliding" => {
            let guarded = fault(service.tokens.authenticate(token).await);
            assert_eq!(fault(service.tokens.refresh_sliding(token).await), guarded);
            guarded
        }
        _ => fault(service.tokens.authenticate(token).await),
    }
}

fn with_sliding() -> TokenPolicy {
    TokenPolicy { accepted_kinds: vec![TokenKind::Access, TokenKind::Sliding], ..simplejwt_policy() }
}

/// An externally issued token that is `age` seconds old, with or without `iat`.
fn issued_before(service: &TestService, kind: &str, age: i64, has_iat: bool, jti: &str) -> RawToken {
    let issued_at = service.now().seconds() - age;
    let policy = service.tokens.policy();
    let ttl = match kind {
        "refresh" => policy.rotation.refresh_ttl,
        "sliding" => policy.sliding.ttl,
        _ => policy.access_ttl,
    };
    let exp = issued_at + ttl.get() as i64;
    let mut claims = json!({"token_type": kind, "exp": exp, "jti": jti, "user_id": "1"});
    if has_iat {
        claims["iat"] = issued_at.into();
    }
    if kind == "sliding" {
        claims["refresh_exp"] = (issued_at + REFRESH_TTL as i64).into();
    }
    service.forge(claims)
}

/// They may be of an account with the same ID that was deleted in SimpleJWT.
#[tokio::test]
async fn external_tokens_older_than_the_account_are_refused() {
    for (number, kind) in (0..).zip(kinds()) {
        let service = service(with_sliding());
        service.advance(1_000);
        service.register("alice").await;
        service.advance(20);
        for (row, (age, has_iat, is_good)) in
            [(21, true, false), (20, true, true), (21, false, false), (-1_000, false, true)].into_iter().enumerate()
        {
            if kind == "sliding" && age < 0 {
                continue; // The end of the refresh period tells when the token was first issued.
            }
            let token = issued_before(&service, kind, age, has_iat, &format!("{number}-{row}"));
            let expected = (!is_good).then_some(TokenFault::Revoked);
            assert_eq!(fault_when_used(&service, kind, &token).await, expected, "{kind}, {age} s, iat: {has_iat}");
        }
    }
}

/// `iat` of a renewed sliding token is the time of its renewal, not that of its first issue.
#[tokio::test]
async fn the_age_of_a_sliding_token_follows_from_its_refresh_period() {
    let service = service(with_sliding());
    service.register("alice").await;
    service.advance(5);
    let now = service.now().seconds();
    for (refresh_exp, is_good) in [(now + REFRESH_TTL as i64 - 5, true), (now + REFRESH_TTL as i64 - 6, false)] {
        let token = service.forge(json!({
            "token_type": "sliding", "exp": now + 60, "iat": now, "refresh_exp": refresh_exp, "jti": "a", "user_id": "1",
        }));
        assert_eq!(service.tokens.authenticate(&token).await.is_ok(), is_good);
    }
}

/// SimpleJWT asks for no second factor.
#[tokio::test]
async fn external_tokens_issued_after_a_second_factor_are_refused() {
    for (number, kind) in (0..).zip(kinds()) {
        let ttl = Seconds::new(REFRESH_TTL);
        let sliding = SlidingPolicy { ttl, ..with_sliding().sliding };
        let service = service(TokenPolicy { access_ttl: ttl, sliding, ..with_sliding() });
        service.register("alice").await;
        service.advance(100);
        service.enrol_totp("alice").await;
        service.advance(10);
        // Up to a minute before the second factor counts as after it, because the clock of the issuer may be behind.
        for (row, (age, has_iat, is_good)) in
            [(71, true, true), (70, true, false), (0, true, false), (0, false, false)].into_iter().enumerate()
        {
            let token = issued_before(&service, kind, age, has_iat, &format!("{number}-{row}"));
            let expected = (!is_good).then_some(TokenFault::Revoked);
            assert_eq!(fault_when_used(&service, kind, &token).await, expected, "{kind}, {age} s, iat: {has_iat}");
        }
        assert_eq!(service.store.sessions().len(), usize::from(kind != "access"));
    }
}

#[tokio::test]
async fn external_tokens_are_refused_if_a_second_factor_is_required() {
    for kind in kinds() {
        for (required, is_good) in [(RequiredFor::Staff, true), (RequiredFor::All, false)] {
            let service = service(emailing(TokenPolicy { multi_factor_required_for: required, ..with_sliding() }));
            service.register("alice").await;
            let token = issued_before(&service, kind, 0, true, "a");
            assert_eq!(fault_when_used(&service, kind, &token).await.is_none(), is_good, "{kind} {required:?}");
            assert_eq!(service.store.sessions().is_empty(), !is_good || kind == "access");
        }
    }
}

/// The second factor is added between the decision and the write.
#[tokio::test]
async fn a_token_is_not_adopted_if_a_second_factor_is_added_concurrently() {
    let Fixture { service, eventful, .. } = fixture(simplejwt_policy());
    service.register("alice").await;
    let token = issued_before(&service, "refresh", 0, true, "a");
    let other = TestService::builder().policy(simplejwt_policy()).memory(service.store.clone()).build();
    eventful.before("adopt", async move { drop(other.enrol_totp("alice").await) });
    assert_eq!(fault(service.tokens.refresh(&token).await), Some(TokenFault::Revoked));
    assert_eq!(service.store.sessions(), []);
}
