//! Verification: token types, and claims that must belong together.

use auth_core::effects::Effects;
use auth_core::service::{LogoutRequest, TokenPolicy};
use auth_core::time::UnixTime;
use auth_core::token::{TokenFault, TokenId, TokenKind};
use serde_json::json;

use crate::fixture::*;

#[tokio::test]
async fn verification_changes_nothing() {
    let service = service(policy());
    service.register("alice").await;
    let first = service.login("alice").await;
    let second = service.refresh(&first).await;
    service.advance(RETRY_WINDOW * 2);
    for (token, expected) in [
        (refresh_of(&first), Some(TokenFault::Used)),
        (refresh_of(&second), None),
        (access_of(&second), None),
        (access_of(&first), None),
    ] {
        assert_eq!(fault(service.tokens.verify(&token).await), expected);
    }
    assert!(service.try_refresh(&second).await.is_ok());
}

#[tokio::test]
async fn a_token_of_another_type_is_refused() {
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
async fn subject_session_and_token_id_must_belong_together() {
    let service = service(policy());
    service.register("alice").await;
    let mallory = service.register("mallory").await;
    let pair = service.login("alice").await;
    for (claim, value) in [
        ("user_id", json!(mallory.id.to_string())),
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
    claims.insert("user_id".to_owned(), json!(mallory.id.to_json()));
    assert_eq!(fault(service.tokens.authenticate(&service.forge(claims.into())).await), Some(TokenFault::BadClaim));
    assert!(service.try_refresh(&pair).await.is_ok());
}

/// Verification looks in the session of the token, in the session that it was adopted as, or in the blacklist.
#[tokio::test]
async fn the_type_of_a_token_decides_where_verification_looks() {
    use TokenFault::{Revoked, UnknownSession};
    const ABSENT: &str = "e430b0ef5c2a40d3a7c2fa027bd9afc1";
    for (adopt, check) in [(false, false), (false, true), (true, false), (true, true)] {
        let accepted_kinds = vec![TokenKind::Access, TokenKind::Sliding];
        let service = service(TokenPolicy {
            adopt_external_tokens: adopt,
            check_session_on_access: check,
            accepted_kinds,
            ..policy()
        });
        service.register("alice").await;
        let (live, ended) = (service.login("alice").await, service.login("alice").await);
        service.tokens.blacklist(&refresh_of(&ended)).await.unwrap();
        let [live, ended] =
            [live, ended].map(|pair| service.claims(&access_of(&pair))["sid"].as_str().unwrap().to_owned());
        let blacklisted = TokenId::parse("blacklisted").unwrap();
        service.tokens.ports().store.refuse(&blacklisted, UnixTime::MAX, "blacklisted", &Effects::NONE).await.unwrap();

        let unless_adopted = |fault| if adopt { fault } else { Some(UnknownSession) };
        let if_checked = |fault, otherwise| if check { Some(fault) } else { otherwise };
        for (sid, jti, refresh, sliding, access) in [
            (Some(&*live), "any", None, None, None),
            (Some(&*ended), "any", Some(Revoked), Some(Revoked), if_checked(Revoked, None)),
            (Some(ABSENT), "any", unless_adopted(None), Some(UnknownSession), if_checked(UnknownSession, None)),
            (
                Some(ABSENT),
                "blacklisted",
                unless_adopted(Some(Revoked)),
                Some(UnknownSession),
                if_checked(UnknownSession, Some(Revoked)),
            ),
            (None, &*live, None, None, None),
            (None, &*ended, Some(Revoked), Some(Revoked), None),
            (None, ABSENT, unless_adopted(None), None, None),
            (None, "blacklisted", unless_adopted(Some(Revoked)), Some(Revoked), Some(Revoked)),
        ] {
            for (kind, expected) in [("refresh", refresh), ("sliding", sliding), ("access", access)] {
                let exp = service.now().seconds() + 60;
                let mut claims = json!({"token_type": kind, "exp": exp, "jti": jti, "user_id": "1"});
                if let Some(sid) = sid {
                    claims["sid"] = sid.into();
                }
                let verified = fault(service.tokens.verify(&service.forge(claims)).await);
                assert_eq!(verified, expected, "{kind} {sid:?} {jti}, adopt: {adopt}, check: {check}");
            }
        }
    }
}
