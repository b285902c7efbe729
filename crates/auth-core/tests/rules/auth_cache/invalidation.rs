//! Invalidation, by changes of this process and by change events of the feed.

use auth_accounts::account::{NewUser, NewUserId};
use auth_accounts::ports::Accounts;
use auth_conformance::{hash_of, new_user};
use auth_core::effects::Effects;
use auth_core::user::StringId;

use super::*;

#[tokio::test]
async fn a_revocation_by_this_process_invalidates_before_it_returns() {
    let fixture = cached_service(policy(), with_many_entries());
    fixture.start().await;
    let service = &fixture.service;
    for (number, ending) in ["one", "all", "others", "blacklist", "reuse", "password"].into_iter().enumerate() {
        let name = format!("user{number}");
        let pair = fixture.register_and_login(&name).await;
        let victim = service.login(&name).await;
        let caller = service.tokens.authenticate(&access_of(&pair)).await.unwrap();
        assert_eq!(fixture.cost(&access_of(&victim)).await, (1, true), "{ending}");
        assert_eq!(fixture.cost(&access_of(&victim)).await, (0, true), "{ending}");
        match ending {
            "one" => service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&victim))).await.unwrap(),
            "all" => service.tokens.logout(&caller, LogoutRequest::All).await.unwrap(),
            "others" => service.tokens.logout(&caller, LogoutRequest::Others).await.unwrap(),
            "blacklist" => service.tokens.blacklist(&refresh_of(&victim)).await.unwrap(),
            "reuse" => {
                service.refresh(&victim).await;
                service.advance(RETRY_WINDOW);
                assert!(service.try_refresh(&victim).await.is_err());
            }
            _ => {
                let new = auth_accounts::password::RawPassword::new("Another-horse-43");
                let new = auth_accounts::password::PasswordPolicy::default().check(new, &[]).unwrap();
                service.act(&name, Action::SetPassword(new)).await;
            }
        }
        assert!(!fixture.cost(&access_of(&victim)).await.1, "{ending}");
        let own_lives = ["one", "others", "blacklist", "reuse"].contains(&ending);
        assert_eq!(fixture.cost(&access_of(&pair)).await.1, own_lives, "{ending}");
    }
}

#[tokio::test]
async fn a_change_of_an_account_by_this_process_invalidates_before_it_returns() {
    let fixture = cached_service(policy(), with_many_entries());
    fixture.start().await;
    let service = &fixture.service;
    let pair = fixture.register_and_login("alice").await;
    let now = async || service.tokens.authenticate(&access_of(&pair)).await.map(|caller| caller.user);
    assert!(!now().await.unwrap().is_staff);
    service.act("alice", Action::Promote).await;
    assert!(now().await.unwrap().is_staff);
    service.act("alice", Action::Demote).await;
    assert!(!now().await.unwrap().is_staff);
    service.act("alice", Action::SetGroups([GroupName::parse("editors").unwrap()].into())).await;
    assert_eq!(now().await.unwrap().groups.len(), 1);
    service.act("alice", Action::Deactivate).await;
    assert!(matches!(now().await, Err(AuthError::UserInactive)));
    service.act("alice", Action::Activate).await;
    assert!(now().await.is_ok());
    service.act("alice", Action::Delete).await;
    assert!(matches!(now().await, Err(AuthError::UserNotFound | AuthError::Token(_))));
}

#[tokio::test]
async fn changes_by_other_processes_invalidate_when_the_feed_reports_them() {
    let fixture = cached_service(policy(), with_many_entries());
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.register_and_login("alice").await);
    let id = service.tokens.authenticate(&access_of(&pair)).await.unwrap().user.id;
    // Not through the services, like a change by another process.
    service.store.set_active(&id, false, &Effects::NONE).await.unwrap();
    assert_eq!(fixture.cost(&access_of(&pair)).await, (0, true), "the feed has not reported it yet");
    fixture.feed_returns(Ok(vec![Change::AccountChanged(id.clone())])).await;
    assert!(!fixture.cost(&access_of(&pair)).await.1);
    // A refusal is not cached.
    service.store.set_active(&id, true, &Effects::NONE).await.unwrap();
    assert!(fixture.cost(&access_of(&pair)).await.1);

    let session = fixture.session(&pair);
    service
        .store
        .revoke(session, RevokeReason::Logout, &Effects::NONE, auth_core::ports::Clock::now(&*service.clock))
        .await
        .unwrap();
    fixture.feed_returns(Ok(vec![Change::SessionEnded(session)])).await;
    assert!(!fixture.cost(&access_of(&pair)).await.1);
}

#[tokio::test]
async fn a_clock_set_back_revives_no_entry() {
    let fixture = cached_service(policy(), with_many_entries());
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.register_and_login("alice").await);
    let caller = service.tokens.authenticate(&access_of(&pair)).await.unwrap();
    let now = auth_core::ports::Clock::now(&*service.clock);
    service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&pair))).await.unwrap();
    service.advance(3_600);
    service.clock.set(now);
    assert!(!fixture.cost(&access_of(&pair)).await.1);
}

#[tokio::test]
async fn a_change_of_the_username_invalidates_tokens_that_name_the_old_one() {
    use auth_core::token::{ClaimRules, SubjectField};
    let claim_rules = ClaimRules { subject_field: SubjectField::Username, ..ClaimRules::default() };
    let fixture = cached_service(TokenPolicy { claim_rules, ..policy() }, with_many_entries());
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.register_and_login("alice").await);
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (0, true));
    let user = service.user("alice").await;
    service.store.put_user(auth_core::user::User { username: "anne".to_owned(), ..user.clone() });
    fixture.feed_returns(Ok(vec![Change::AccountChanged(user.id)])).await;
    assert!(!fixture.cost(&access_of(&pair)).await.1);
}

#[tokio::test]
async fn a_user_with_a_string_id_is_cached_and_invalidated() {
    let fixture = cached_service(policy(), with_many_entries());
    fixture.start().await;
    let service = &fixture.service;
    let id = NewUserId::String(StringId::parse("key-7").unwrap());
    let user = service.store.create(&NewUser { id, ..new_user("alice") }, &hash_of(PASSWORD)).await.unwrap().unwrap();
    let token = access_of(&service.login("alice").await);
    assert_eq!(fixture.cost(&token).await, (1, true));
    assert_eq!(fixture.cost(&token).await, (0, true));
    service.store.set_active(&user.id, false, &Effects::NONE).await.unwrap();
    fixture.feed_returns(Ok(vec![Change::AccountChanged(user.id)])).await;
    assert!(!fixture.cost(&token).await.1);
}
