//! The auth cache: which reads it saves, and that every change invalidates what it holds.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use auth_core::account::GroupName;
use auth_core::ports::{Accounts, Change, ChangeFeed, Sessions};
use auth_core::service::{Action, LogoutRequest, Ports, TokenPair, TokenPolicy};
use auth_core::time::Seconds;
use auth_core::token::{RawToken, RevokeReason, SessionId};
use auth_core::view::{GuardViews, ViewPolicy, WhenStale, follow};
use auth_core::{AuthError, StoreError};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, yield_now};

use crate::fixture::*;

const ACCOUNT_TTL: u64 = 30;

const VIEWS: ViewPolicy =
    ViewPolicy { ttl: Seconds::new(ACCOUNT_TTL), capacity: NonZeroUsize::MIN, when_stale: WhenStale::Read };

fn for_many(policy: ViewPolicy) -> ViewPolicy {
    ViewPolicy { capacity: NonZeroUsize::new(100).unwrap(), ..policy }
}

/// A feed that returns what a test sends.
struct Scripted(UnboundedReceiver<Result<Vec<Change>, StoreError>>);

#[async_trait]
impl ChangeFeed for Scripted {
    async fn next(&mut self) -> Result<Vec<Change>, StoreError> {
        match self.0.recv().await {
            Some(said) => said,
            None => std::future::pending().await,
        }
    }
}

/// A service with an auth cache, and the task that follows the feed for it.
struct CachedService {
    service: TestService,
    views: Arc<GuardViews>,
    feed: UnboundedSender<Result<Vec<Change>, StoreError>>,
    follower: JoinHandle<()>,
    failures: Arc<AtomicUsize>,
}

fn cached_service(policy: TokenPolicy, views: ViewPolicy) -> CachedService {
    let views = Arc::new(GuardViews::new(views));
    let service = builder(policy).ports(|ports| Ports { views: Some(views.clone()), ..ports }).build();
    let (feed, said) = unbounded_channel();
    let failures = Arc::new(AtomicUsize::new(0));
    let follower = tokio::spawn({
        let (views, clock, failures) = (views.clone(), service.clock.clone(), failures.clone());
        async move {
            let report = |_: &StoreError| {
                failures.fetch_add(1, Ordering::SeqCst);
            };
            follow(&views, &mut Scripted(said), clock.as_ref(), report).await;
        }
    });
    CachedService { service, views, feed, follower, failures }
}

impl CachedService {
    /// Makes the feed return this, and waits until the cache has applied it.
    async fn say(&self, said: Result<Vec<Change>, StoreError>) {
        self.feed.send(said).unwrap();
        for _ in 0..20 {
            yield_now().await;
        }
    }

    async fn start(&self) {
        self.say(Ok(vec![Change::Missed])).await;
        assert_eq!(self.views.staleness(), None);
    }

    /// How many reads of the storage the authentication of a token costs, and whether it is accepted.
    async fn cost(&self, token: &RawToken) -> (u64, bool) {
        let before = self.service.store.calls();
        let accepted = self.service.tokens.authenticate(token).await.is_ok();
        (self.service.store.calls() - before, accepted)
    }

    async fn newcomer(&self, name: &str) -> TokenPair {
        self.service.register(name).await;
        self.service.login(name).await
    }

    fn session(&self, pair: &TokenPair) -> SessionId {
        SessionId::parse(self.service.claims(&access_of(pair))["sid"].as_str().unwrap()).unwrap()
    }
}

#[tokio::test]
async fn a_thousand_requests_cost_one_read() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let pair = fixture.newcomer("alice").await;
    let other = fixture.service.login("alice").await;
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    for _ in 0..1_000 {
        assert_eq!(fixture.cost(&access_of(&pair)).await, (0, true));
    }
    // Another session is another one.
    assert_eq!(fixture.cost(&access_of(&other)).await, (1, true));
    assert_eq!(fixture.cost(&access_of(&other)).await, (0, true));
    // The next token of the session costs nothing.
    let next = fixture.service.refresh(&pair).await;
    assert_eq!(fixture.cost(&access_of(&next)).await, (0, true));
}

#[tokio::test]
async fn without_a_feed_every_request_is_a_read() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    let pair = fixture.newcomer("alice").await;
    for _ in 0..3 {
        assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    }
}

#[tokio::test]
async fn what_this_process_ends_is_over_before_it_is_answered() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let service = &fixture.service;
    for (number, ending) in ["one", "all", "others", "blacklist", "reuse", "password"].into_iter().enumerate() {
        let name = format!("user{number}");
        let pair = fixture.newcomer(&name).await;
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
                let new = auth_core::password::RawPassword::new("Another-horse-43");
                let new = auth_core::password::PasswordPolicy::default().check(new, &[]).unwrap();
                service.act(&name, Action::SetPassword(new)).await;
            }
        }
        assert!(!fixture.cost(&access_of(&victim)).await.1, "{ending}");
        let own_lives = ["one", "others", "blacklist", "reuse"].contains(&ending);
        assert_eq!(fixture.cost(&access_of(&pair)).await.1, own_lives, "{ending}");
    }
}

#[tokio::test]
async fn what_this_process_does_to_an_account_is_obeyed_before_it_is_answered() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let service = &fixture.service;
    let pair = fixture.newcomer("alice").await;
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
async fn what_others_do_is_obeyed_when_the_feed_says_so() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.newcomer("alice").await);
    let id = service.tokens.authenticate(&access_of(&pair)).await.unwrap().user.id;
    // Past the services, as another process does it.
    service.store.set_active(id, false).await.unwrap();
    assert_eq!(fixture.cost(&access_of(&pair)).await, (0, true), "nobody has said so yet");
    fixture.say(Ok(vec![Change::AccountChanged(id)])).await;
    assert!(!fixture.cost(&access_of(&pair)).await.1);
    // Who is not let in is not remembered so.
    service.store.set_active(id, true).await.unwrap();
    assert!(fixture.cost(&access_of(&pair)).await.1);

    let session = fixture.session(&pair);
    service.store.revoke(session, RevokeReason::Logout, auth_core::ports::Clock::now(&*service.clock)).await.unwrap();
    fixture.say(Ok(vec![Change::SessionEnded(session)])).await;
    assert!(!fixture.cost(&access_of(&pair)).await.1);
}

#[tokio::test]
async fn while_the_feed_fails_the_storage_is_asked_and_afterwards_nothing_was_missed() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.newcomer("alice").await);
    let gone = service.login("alice").await;
    assert!(fixture.cost(&access_of(&gone)).await.1);
    fixture.say(Err(StoreError::unavailable("away"))).await;
    assert_eq!((fixture.views.staleness(), fixture.failures.load(Ordering::SeqCst)), (Some(WhenStale::Read), 1));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    // Ended by another process while nobody listened.
    let now = auth_core::ports::Clock::now(&*service.clock);
    service.store.revoke(fixture.session(&gone), RevokeReason::Logout, now).await.unwrap();
    service.advance(1);
    fixture.say(Ok(vec![Change::Missed])).await;
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (0, true));
    assert!(!fixture.cost(&access_of(&gone)).await.1, "it was ended while the feed was away");
}

#[tokio::test]
async fn a_feed_that_hangs_is_not_waited_for() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let pair = fixture.newcomer("alice").await;
    assert!(fixture.cost(&access_of(&pair)).await.1);
    assert_eq!(fixture.views.staleness(), None);
    for _ in 0..3 {
        fixture.service.advance(1);
        yield_now().await;
    }
    assert_eq!(fixture.views.staleness(), Some(WhenStale::Read));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
}

#[tokio::test]
async fn nobody_is_let_in_while_the_feed_fails_where_that_is_wanted() {
    let fixture = cached_service(policy(), ViewPolicy { when_stale: WhenStale::Refuse, ..for_many(VIEWS) });
    let pair = fixture.newcomer("alice").await;
    let refused = async || fixture.service.tokens.authenticate(&access_of(&pair)).await;
    assert!(matches!(refused().await, Err(AuthError::Store(StoreError::Unavailable(_)))));
    fixture.start().await;
    assert!(refused().await.is_ok());
    fixture.say(Err(StoreError::unavailable("away"))).await;
    assert!(matches!(refused().await, Err(AuthError::Store(StoreError::Unavailable(_)))));
}

#[tokio::test]
async fn views_that_nobody_follows_any_more_are_not_used() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let pair = fixture.newcomer("alice").await;
    assert!(fixture.cost(&access_of(&pair)).await.1);
    fixture.follower.abort();
    yield_now().await;
    assert_eq!(fixture.views.staleness(), Some(WhenStale::Read));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
}

#[tokio::test]
async fn accounts_are_remembered_for_a_while_and_the_least_seen_is_forgotten_first() {
    let fixture = cached_service(policy(), ViewPolicy { capacity: NonZeroUsize::new(2).unwrap(), ..VIEWS });
    fixture.start().await;
    let mut tokens = Vec::new();
    for name in ["alice", "bob", "carol"] {
        tokens.push(access_of(&fixture.newcomer(name).await));
        assert_eq!(fixture.cost(tokens.last().unwrap()).await, (1, true));
        assert_eq!(fixture.cost(&tokens[0]).await, (0, true), "alice is seen all the time");
    }
    assert_eq!(fixture.cost(&tokens[1]).await, (1, true), "bob was forgotten");
    fixture.service.advance(ACCOUNT_TTL - 1);
    assert_eq!(fixture.cost(&tokens[0]).await, (0, true));
    fixture.service.advance(1);
    assert_eq!(fixture.cost(&tokens[0]).await, (1, true));
    assert_eq!(fixture.cost(&tokens[0]).await, (0, true));
}

#[tokio::test]
async fn a_clock_that_is_set_back_revives_nothing() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.newcomer("alice").await);
    let caller = service.tokens.authenticate(&access_of(&pair)).await.unwrap();
    let now = auth_core::ports::Clock::now(&*service.clock);
    service.tokens.logout(&caller, LogoutRequest::One(refresh_of(&pair))).await.unwrap();
    service.advance(3_600);
    service.clock.set(now);
    assert!(!fixture.cost(&access_of(&pair)).await.1);
}

#[tokio::test]
async fn a_session_lets_in_nobody_but_its_user() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.newcomer("alice").await);
    let other = fixture.newcomer("bob").await;
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
async fn tokens_of_no_session_are_remembered_by_whom_they_name() {
    let fixture = cached_service(simplejwt_policy(), for_many(VIEWS));
    fixture.start().await;
    let service = &fixture.service;
    let user = service.register("alice").await;
    let foreign = |iat: i64| {
        service.forge(
            serde_json::json!({"token_type": "access", "exp": service.now().seconds() + 600, "iat": iat, "jti": "a",
            "user_id": user.id.get()}),
        )
    };
    assert_eq!(fixture.cost(&foreign(service.now().seconds())).await, (1, true));
    assert_eq!(fixture.cost(&foreign(service.now().seconds())).await, (0, true));
    service.act("alice", Action::Deactivate).await;
    assert!(!fixture.cost(&foreign(service.now().seconds())).await.1);
}

#[tokio::test]
async fn a_new_name_ends_the_tokens_that_name_the_old_one() {
    use auth_core::token::{ClaimRules, SubjectField};
    let claim_rules = ClaimRules { subject_field: SubjectField::Username, ..ClaimRules::default() };
    let fixture = cached_service(TokenPolicy { claim_rules, ..policy() }, for_many(VIEWS));
    fixture.start().await;
    let (service, pair) = (&fixture.service, fixture.newcomer("alice").await);
    assert_eq!(fixture.cost(&access_of(&pair)).await, (1, true));
    assert_eq!(fixture.cost(&access_of(&pair)).await, (0, true));
    let user = service.user("alice").await;
    service.store.put_user(auth_core::account::User { username: "anne".to_owned(), ..user.clone() });
    fixture.say(Ok(vec![Change::AccountChanged(user.id)])).await;
    assert!(!fixture.cost(&access_of(&pair)).await.1);
}

#[tokio::test]
async fn imported_accounts_are_remembered_and_forgotten_by_their_number() {
    let fixture = cached_service(policy(), for_many(VIEWS));
    fixture.start().await;
    let service = &fixture.service;
    let user = service.register("alice").await;
    service.store.put_user(auth_core::account::User { external_id: Some("key-7".to_owned()), ..user.clone() });
    let token = access_of(&service.login("alice").await);
    assert_eq!(fixture.cost(&token).await, (1, true));
    assert_eq!(fixture.cost(&token).await, (0, true));
    service.store.set_active(user.id, false).await.unwrap();
    fixture.say(Ok(vec![Change::AccountChanged(user.id)])).await;
    assert!(!fixture.cost(&token).await.1);
}
