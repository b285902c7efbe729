//! Cache entries: the reads that they save, the tokens that they serve, and their expiry.

use super::*;

#[tokio::test]
async fn a_thousand_requests_cost_one_read() {
    let fixture = cached_service(policy(), with_many_entries());
    fixture.start().await;
    let pair = fixture.register_and_login("alice").await;
    let other = fixture.service.login("alice").await;
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    for _ in 0..1_000 {
        assert_eq!(fixture.cost(&access_of(&pair)).await, (0, true));
    }
    // Another session of the user has a cache entry of its own.
    assert_eq!(fixture.cost(&access_of(&other)).await, (1, true));
    assert_eq!(fixture.cost(&access_of(&other)).await, (0, true));
    // The next access token of the session uses the same entry.
    let next = fixture.service.refresh(&pair).await;
    assert_eq!(fixture.cost(&access_of(&next)).await, (0, true));
}

#[tokio::test]
async fn without_a_feed_every_request_is_a_read() {
    let fixture = cached_service(policy(), with_many_entries());
    let pair = fixture.register_and_login("alice").await;
    for _ in 0..3 {
        assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    }
}

#[tokio::test]
async fn entries_expire_and_the_least_recently_used_one_is_evicted_first() {
    let fixture = cached_service(policy(), AuthCachePolicy { capacity: NonZeroUsize::new(2).unwrap(), ..ONE_ENTRY });
    fixture.start().await;
    let mut tokens = Vec::new();
    for name in ["alice", "bob", "carol"] {
        tokens.push(access_of(&fixture.register_and_login(name).await));
        assert_eq!(fixture.cost(tokens.last().unwrap()).await, (1, true));
        assert_eq!(fixture.cost(&tokens[0]).await, (0, true), "the entry of alice is used each time");
    }
    assert_eq!(fixture.cost(&tokens[1]).await, (1, true), "the entry of bob was evicted");
    fixture.service.advance(ACCOUNT_TTL - 1);
    assert_eq!(fixture.cost(&tokens[0]).await, (0, true));
    fixture.service.advance(1);
    assert_eq!(fixture.cost(&tokens[0]).await, (1, true));
    assert_eq!(fixture.cost(&tokens[0]).await, (0, true));
}

#[tokio::test]
async fn an_entry_of_a_session_serves_only_its_user() {
    let fixture = cached_service(policy(), with_many_entries());
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.register_and_login("alice").await);
    let other = fixture.register_and_login("bob").await;
    for token in [access_of(&pair), access_of(&other)] {
        assert!(fixture.cost(&token).await.1);
    }
    let mut forged = service.claims(&access_of(&pair));
    forged["user_id"] = service.claims(&access_of(&other))["user_id"].clone();
    let forged = service.forge(forged.into());
    for _ in 0..2 {
        assert!(!fixture.cost(&forged).await.1);
    }
    let mut unknown = service.claims(&access_of(&pair));
    unknown["sid"] = "00000000000040008000000000000001".into();
    assert!(!fixture.cost(&service.forge(unknown.into())).await.1);
}

#[tokio::test]
async fn tokens_without_a_session_are_cached_by_their_subject() {
    let fixture = cached_service(simplejwt_policy(), with_many_entries());
    fixture.start().await;
    let service = &fixture.service;
    let user = service.register("alice").await;
    let external_token = |iat: i64| {
        service.forge(
            serde_json::json!({"token_type": "access", "exp": service.now().seconds() + 600, "iat": iat, "jti": "a",
            "user_id": user.id.to_json()}),
        )
    };
    assert_eq!(fixture.cost(&external_token(service.now().seconds())).await, (1, true));
    assert_eq!(fixture.cost(&external_token(service.now().seconds())).await, (0, true));
    // Tokens that were issued before a second factor are accepted.
    service.advance(100);
    service.enrol_totp("alice").await;
    for reads in [1, 0] {
        assert_eq!(fixture.cost(&external_token(service.now().seconds() - 61)).await, (reads, true));
        assert!(!fixture.cost(&external_token(service.now().seconds())).await.1);
    }
    service.act("alice", Action::Deactivate).await;
    assert!(!fixture.cost(&external_token(service.now().seconds())).await.1);
}
