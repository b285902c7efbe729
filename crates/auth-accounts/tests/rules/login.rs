//! Registration and login: the claims of a token pair, and the answer to a refused login.

use auth_accounts::account::{AccountFault, Taken};
use auth_accounts::password::PasswordHash;
use auth_accounts::ports::{Accounts, NewPassword, PasswordUpdate};
use auth_accounts::service::Action;
use auth_core::event::EventKind;
use auth_core::time::UnixTime;
use serde_json::json;

use crate::fixture::*;

#[tokio::test]
async fn tokens_have_the_claims_of_the_wire_contract() {
    let service = service(policy());
    let user = service.register("alice").await;
    let pair = service.login("alice").await;
    let (refresh, access) = (service.claims(&refresh_of(&pair)), service.claims(&access_of(&pair)));
    let now = service.now().seconds();
    for (claims, kind, ttl) in [(&refresh, "refresh", REFRESH_TTL), (&access, "access", ACCESS_TTL)] {
        assert_eq!(claims["token_type"], kind);
        assert_eq!(claims["iat"], now);
        assert_eq!(claims["exp"], now + ttl as i64);
        assert_eq!(claims["user_id"], user.id.to_string());
        assert_eq!(claims["email"], "alice@example.com");
        assert_eq!(claims["role"], "user");
        assert_eq!(claims["amr"], json!(["pwd"]));
        assert_eq!(claims["sid"], refresh["jti"]);
    }
    assert_eq!(refresh["gen"], 0);
    assert!(access.get("gen").is_none());
    assert_ne!(access["jti"], refresh["jti"]);
    let stored = service.store.find_user(&user.id).await.unwrap().unwrap();
    assert_eq!(stored.last_login.map(|at| at.unix().seconds()), Some(now));
    assert_eq!(service.take_event_kinds(), [EventKind::AccountRegistered, EventKind::LoginSucceeded]);
}

#[tokio::test]
async fn refused_logins_have_the_same_answer_after_one_comparison() {
    let service = service(policy());
    service.register("alice").await;
    service.register("bob").await;
    service.act("bob", Action::Deactivate).await;
    for (name, password) in [("alice", "Wrong-horse-42"), ("nobody", PASSWORD), ("bob", PASSWORD), ("ALICE", PASSWORD)]
    {
        let before = service.hasher.verifications();
        assert!(matches!(service.try_login(name, password).await, Err(AccountError::BadCredentials)), "{name}");
        assert_eq!(service.hasher.verifications() - before, 1, "{name}");
    }
    let before = service.hasher.verifications();
    assert!(matches!(service.try_login("alice", &"x".repeat(1_000_000)).await, Err(AccountError::BadCredentials)));
    assert_eq!(service.hasher.verifications(), before, "a password that is too long is not hashed");
}

#[tokio::test]
async fn logins_replace_outdated_hashes() {
    let service = service(policy());
    let user = service.register("alice").await;
    let old = PasswordHash::new(format!("old${PASSWORD}"));
    let set = service.store.set_password(&NewPassword::new(user.id, old), UnixTime::from_seconds(1)).await.unwrap();
    assert_eq!(set, PasswordUpdate::Done);
    service.hasher.set_outdated("old$");
    service.login("alice").await;
    let name = auth_accounts::account::LoginName::Username("alice".into());
    let (_, hash) = service.store.find_for_login(&name).await.unwrap().unwrap();
    assert_eq!(hash.expose(), format!("plain${PASSWORD}"));
    service.login("alice").await;
}

#[tokio::test]
async fn taken_usernames_are_refused_regardless_of_letter_case() {
    let service = service(policy());
    service.register("alice").await;
    let second = service.try_register("Alice").await;
    assert!(matches!(second, Err(AccountError::Account(AccountFault::Taken(Taken::Username)))));
}
