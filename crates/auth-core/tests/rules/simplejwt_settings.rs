//! Policies that correspond to settings of SimpleJWT.

use auth_accounts::service::Action;
use auth_core::rotation::{OnRefresh, RotationPolicy};
use auth_core::service::{Refreshed, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::{ClaimNames, ClaimRules, ClientInfo, SubjectField, TokenFault, TokenKind};

use crate::fixture::*;

fn refreshing(on_refresh: OnRefresh) -> TokenPolicy {
    TokenPolicy { rotation: RotationPolicy { on_refresh, ..policy().rotation }, ..policy() }
}

#[tokio::test]
async fn a_refresh_without_rotation_returns_an_access_token_only() {
    let service = service(refreshing(OnRefresh::Keep));
    service.register("alice").await;
    let pair = service.login("alice").await;
    for _ in 0..3 {
        let Refreshed { access, refresh } = service.tokens.refresh(&refresh_of(&pair)).await.unwrap();
        assert_eq!(refresh, None);
        let access = auth_core::token::RawToken::parse(access.expose()).unwrap();
        assert!(service.tokens.authenticate(&access).await.is_ok());
        service.advance(1);
    }
    service.tokens.blacklist(&refresh_of(&pair)).await.unwrap();
    assert_eq!(fault(service.tokens.refresh(&refresh_of(&pair)).await), Some(TokenFault::Revoked));
}

#[tokio::test]
async fn rotation_without_blacklist_keeps_every_token_live() {
    let service = service(refreshing(OnRefresh::KeepAndRotate));
    service.register("alice").await;
    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    let third = service.refresh(&first).await;
    service.advance(RETRY_WINDOW * 2);
    let fourth = service.refresh(&second).await;
    for pair in [&first, &second, &third, &fourth] {
        assert!(service.tokens.verify(&refresh_of(pair)).await.is_ok());
    }
    // Blacklisting one of them revokes all.
    service.tokens.blacklist(&refresh_of(&first)).await.unwrap();
    for pair in [&first, &second, &third, &fourth] {
        assert_eq!(fault(service.tokens.refresh(&refresh_of(pair)).await), Some(TokenFault::Revoked));
    }
}

#[tokio::test]
async fn claims_have_the_configured_names() {
    for (subject_field, subject) in [
        (SubjectField::Id, None),
        (SubjectField::Username, Some("alice")),
        (SubjectField::Email, Some("alice@example.com")),
    ] {
        let names = ClaimNames::new("typ_", "id_", "sub", "refresh_exp").unwrap();
        let claim_rules = ClaimRules { names, subject_field, ..ClaimRules::default() };
        let service = service(TokenPolicy { claim_rules, ..policy() });
        service.register("bob").await;
        let id = service.register("alice").await.id.to_string();
        let subject = subject.unwrap_or(&id);
        let pair = service.login("alice").await;
        let next = service.refresh(&pair).await;
        for pair in [&pair, &next] {
            for (token, kind) in [(access_of(pair), "access"), (refresh_of(pair), "refresh")] {
                let claims = service.claims(&token);
                assert_eq!((&claims["typ_"], &claims["sub"]), (&kind.into(), &subject.into()));
                assert!(claims.contains_key("id_") && !claims.contains_key("jti"));
                assert!(!claims.contains_key("token_type") && !claims.contains_key("user_id"));
            }
            let caller = service.tokens.authenticate(&access_of(pair)).await.unwrap();
            assert_eq!(caller.user.username, "alice", "{subject_field:?}");
        }
        assert_ne!(service.claims(&refresh_of(&next))["id_"], service.claims(&refresh_of(&pair))["id_"]);
    }
}

#[tokio::test]
async fn a_login_updates_last_login_if_the_policy_says_so() {
    for update_last_login in [true, false] {
        let accepted_kinds = vec![TokenKind::Access, TokenKind::Sliding];
        let service = service(TokenPolicy { update_last_login, accepted_kinds, ..policy() });
        for name in ["alice", "bob"] {
            service.register(name).await;
            assert_eq!(service.user(name).await.last_login, None);
        }
        service.login("alice").await;
        service.try_login_sliding("bob").await.unwrap();
        let expected = update_last_login.then(|| service.now().seconds());
        for name in ["alice", "bob"] {
            let last_login = service.user(name).await.last_login.map(|at| at.unix().seconds());
            assert_eq!(last_login, expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_token_with_a_username_is_refused_after_another_user_takes_the_name() {
    use auth_accounts::account::{ProfileChange, Username, UsernameRules};
    let claim_rules = ClaimRules { subject_field: SubjectField::Username, ..ClaimRules::default() };
    let service = service(TokenPolicy { claim_rules, ..policy() });
    service.register("alice").await;
    let (pair, bob) = (service.login("alice").await, service.register("bob").await);
    let rename = |name: &str| {
        let rules = UsernameRules { plain_alphabet: true, ignore_case: true };
        ProfileChange { username: Some(Username::parse(name, rules).unwrap()), ..ProfileChange::default() }
    };
    let alice = service.tokens.authenticate(&access_of(&pair)).await.unwrap();
    service.accounts.update_profile(alice, rename("anne"), None, &ClientInfo::default()).await.unwrap();
    let bob = auth_core::service::Caller { user: bob, session: None };
    service.accounts.update_profile(bob, rename("alice"), None, &ClientInfo::default()).await.unwrap();
    assert_eq!(fault(service.tokens.authenticate(&access_of(&pair)).await), Some(TokenFault::BadClaim));
    assert_eq!(fault(service.tokens.refresh(&refresh_of(&pair)).await), Some(TokenFault::BadClaim));
}

#[tokio::test]
async fn tokens_of_a_deleted_user_are_refused_for_a_new_user_with_the_same_name() {
    let claim_rules = ClaimRules { subject_field: SubjectField::Username, ..ClaimRules::default() };
    let service = service(TokenPolicy { claim_rules, ..simplejwt_policy() });
    service.register("alice").await;
    let pair = service.login("alice").await;
    let external_token = |kind: &str| {
        service.forge(serde_json::json!({"token_type": kind, "exp": service.now().seconds() + 60, "iat": service.now().seconds(), "jti": kind,
            "user_id": "alice"}))
    };
    let (access, refresh) = (external_token("access"), external_token("refresh"));
    assert!(service.tokens.authenticate(&access).await.is_ok());
    service.act("alice", Action::Delete).await;
    service.advance(1);
    service.register("alice").await;
    assert!(service.tokens.authenticate(&access_of(&pair)).await.is_err());
    assert!(service.try_refresh(&pair).await.is_err());
    assert_eq!(fault(service.tokens.authenticate(&access).await), Some(TokenFault::Revoked));
    assert_eq!(fault(service.tokens.refresh(&refresh).await), Some(TokenFault::Revoked));
    // Tokens that were issued for the new user are accepted.
    let newer = service.forge(
        serde_json::json!({"token_type": "access", "exp": service.now().seconds() + 60, "iat": service.now().seconds(),
        "jti": "newer", "user_id": "alice"}),
    );
    assert!(service.tokens.authenticate(&newer).await.is_ok());
}

#[tokio::test]
async fn inactive_users_are_accepted_if_the_policy_does_not_check_them() {
    let service = service(TokenPolicy { check_user_is_active: false, ..policy() });
    service.register("alice").await;
    let pair = service.login("alice").await;
    service.act("alice", Action::Deactivate).await;
    assert!(service.tokens.authenticate(&access_of(&pair)).await.is_ok());
    let next = service.refresh(&pair).await;
    assert!(matches!(service.try_login("alice", PASSWORD).await, Err(AccountError::BadCredentials)));
    // A revoked session is still refused.
    service.tokens.blacklist(&refresh_of(&next)).await.unwrap();
    assert_eq!(fault(service.tokens.authenticate(&access_of(&next)).await), Some(TokenFault::Revoked));
    service.act("alice", Action::Delete).await;
    assert!(matches!(service.tokens.authenticate(&access_of(&next)).await, Err(AuthError::UserNotFound)));
}

#[tokio::test]
async fn leeway_applies_to_every_token() {
    let leeway = Seconds::new(10);
    let claim_rules = ClaimRules { leeway, ..ClaimRules::default() };
    let service = service(TokenPolicy { claim_rules, session_max_ttl: None, ..policy() });
    service.register("alice").await;
    let pair = service.login("alice").await;
    service.advance(ACCESS_TTL + 9);
    assert!(service.tokens.authenticate(&access_of(&pair)).await.is_ok());
    service.advance(1);
    assert_eq!(fault(service.tokens.authenticate(&access_of(&pair)).await), Some(TokenFault::Expired));
    service.advance(REFRESH_TTL - ACCESS_TTL - 1);
    assert!(service.try_refresh(&pair).await.is_ok());
    let pair = service.login("alice").await;
    service.advance(REFRESH_TTL + 10);
    assert_eq!(fault(service.try_refresh(&pair).await), Some(TokenFault::Expired));
}

#[tokio::test]
async fn a_token_refused_after_a_password_change_has_its_own_error() {
    let service = service(policy());
    service.register("alice").await;
    let pair = service.login("alice").await;
    let new = auth_accounts::password::PasswordPolicy::default();
    let new = new.check(auth_accounts::password::RawPassword::new("Another-horse-43"), &[]).unwrap();
    service.act("alice", Action::SetPassword(new)).await;
    assert!(matches!(service.tokens.authenticate(&access_of(&pair)).await, Err(AuthError::PasswordChanged)));
    assert_eq!(fault(service.try_refresh(&pair).await), Some(TokenFault::Revoked));
}
