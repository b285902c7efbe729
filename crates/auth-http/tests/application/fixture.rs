//! A service in memory, with a clock that stands still, and requests that need no socket.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceFactory, ServiceRequest, ServiceResponse};
use actix_web::http::header::HeaderMap;
use actix_web::http::{Method, header};
use actix_web::test::{self, TestRequest};
use actix_web::{App as Application, Error, web};
use async_trait::async_trait;
use auth_conformance::{FixedClock, MemoryStore, PlainSigner, RecordedEvents, hash_of, memory_ports, new_user};
use auth_core::account::{GroupName, LoginName, User, UsernameRules};
use auth_core::event::EventKind;
use auth_core::password::{PasswordPolicy, RawPassword};
use auth_core::ports::{Accounts, ClaimsEnricher};
use auth_core::service::{
    AccountPolicy, AccountService, Action, AdministrationService, Outcome, Ports, SecondFactorService, TokenPolicy,
    TokenService,
};
use auth_core::time::Seconds;
use auth_core::token::{ClientInfo, Payload, RawToken};
use auth_core::view::{GuardViews, ViewPolicy, WhenStale};
use auth_http::routes::Routes;
use auth_http::{AnonymousThrottle, App, CredentialHeader, HttpSettings, Rate, Readiness};
use futures_util::future::LocalBoxFuture;
use serde_json::{Value, json};

pub(crate) const PASSWORD: &str = "Correct-horse-42";
/// How long an enricher may take.
pub(crate) const ENRICH_SECONDS: u64 = 2;

/// Everything but the routes.
pub(crate) struct World {
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) events: Arc<RecordedEvents>,
    pub(crate) ports: Ports,
    pub(crate) credentials: CredentialHeader,
    pub(crate) enrichers: Vec<Arc<dyn ClaimsEnricher>>,
    pub(crate) rate: Option<Rate>,
}

impl World {
    pub(crate) fn new() -> Self {
        let (store, clock) = (Arc::new(MemoryStore::default()), Arc::new(FixedClock::default()));
        let events = Arc::new(RecordedEvents::default());
        let ports = Ports { store: store.clone(), clock: clock.clone(), events: events.clone(), ..memory_ports() };
        Self {
            store,
            clock,
            events,
            ports,
            credentials: CredentialHeader::default(),
            enrichers: Vec::new(),
            rate: None,
        }
    }

    /// One whose guarded routes remember, as soon as somebody keeps that up to date.
    pub(crate) fn viewed(when_stale: WhenStale) -> (Self, Arc<GuardViews>) {
        let policy = ViewPolicy { ttl: Seconds::new(30), capacity: NonZeroUsize::new(100).unwrap(), when_stale };
        let views = Arc::new(GuardViews::new(policy));
        let mut world = Self::new();
        world.ports.views = Some(views.clone());
        (world, views)
    }

    pub(crate) fn tokens(&self) -> TokenService {
        let policy = TokenPolicy {
            access_ttl: Seconds::new(60),
            session_max_ttl: None,
            enrich_timeout: Duration::from_secs(ENRICH_SECONDS),
            ..TokenPolicy::default()
        };
        let tokens = TokenService::new(self.ports.clone(), policy);
        self.enrichers.iter().cloned().fold(tokens, TokenService::enriched_by)
    }

    /// The application with these routes.
    pub(crate) fn application(
        &self,
        routes: Routes,
    ) -> Application<
        impl ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>
        + use<>,
    > {
        let app = App {
            tokens: self.tokens(),
            accounts: AccountService::new(self.ports.clone(), AccountPolicy::default()),
            second_factors: SecondFactorService::new(self.ports.clone(), AccountPolicy::default()),
            passwords: PasswordPolicy::default(),
            usernames: UsernameRules { plain_alphabet: true, ignore_case: true },
            jwks: json!({"keys": []}),
            readiness: Box::new(AlwaysReady),
            throttle: self.rate.map(AnonymousThrottle::new),
            settings: HttpSettings {
                body_limit: 10_000,
                reasons: false,
                credentials: self.credentials.clone(),
                ..HttpSettings::default()
            },
        };
        auth_http::application(&routes.build().unwrap(), &web::Data::new(app))
    }

    /// Makes an account in these groups.
    pub(crate) async fn register(&self, name: &str, groups: &[&str]) -> User {
        let user = self.store.create(&new_user(name), &hash_of(PASSWORD)).await.unwrap().unwrap();
        if !groups.is_empty() {
            let groups: BTreeSet<_> = groups.iter().map(|group| GroupName::parse(group).unwrap()).collect();
            self.act(name, Action::SetGroups(groups)).await;
        }
        user
    }

    /// An access token.
    pub(crate) async fn login(&self, name: &str) -> String {
        let name = LoginName::Username(name.to_owned());
        let pair = self.tokens().login(&name, &RawPassword::new(PASSWORD), ClientInfo::default()).await.unwrap();
        pair.access.into_exposed()
    }

    /// The access token of a new account.
    pub(crate) async fn newcomer(&self, name: &str) -> String {
        self.register(name, &[]).await;
        self.login(name).await
    }

    /// The access token of a new administrator.
    pub(crate) async fn admin(&self, name: &str) -> String {
        self.register(name, &[]).await;
        self.act(name, Action::Promote).await;
        self.login(name).await
    }

    /// As a command does, which is another process: nothing here hears of it.
    pub(crate) async fn act(&self, name: &str, action: Action) {
        let ports = Ports { views: None, ..self.ports.clone() };
        assert_eq!(
            AdministrationService::new(ports, AccountPolicy::default()).act(name, &action).await.unwrap(),
            Outcome::Done
        );
    }

    /// The parts of rules that refused, and whom, since the last time.
    pub(crate) fn denials(&self) -> Vec<(i64, String)> {
        let denied = self.events.taken().into_iter().filter(|event| event.kind == EventKind::PermissionDenied);
        denied.map(|event| (event.user.unwrap().get(), event.refused_by.unwrap())).collect()
    }
}

struct AlwaysReady;

#[async_trait]
impl Readiness for AlwaysReady {
    async fn is_ready(&self) -> bool {
        true
    }
}

/// The claims of a token.
pub(crate) fn claims(token: &str) -> Payload {
    PlainSigner::default().open(&RawToken::parse(token).unwrap()).unwrap()
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The body, which has to be JSON and to say so.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        assert_eq!(self.header("content-type"), Some("application/json"), "{self:?}");
        serde_json::from_str(&self.text).unwrap()
    }

    /// Panics unless it is this refusal, in JSON.
    #[track_caller]
    pub(crate) fn assert_refused(&self, status: u16, detail: &str) {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.json()["detail"], detail, "{self:?}");
    }
}

pub(crate) const NO_CREDENTIALS: &str = "Authentication credentials were not provided.";
pub(crate) const FORBIDDEN: &str = "You do not have permission to perform this action.";
pub(crate) const BAD_TOKEN: &str = "Given token not valid for any token type";
pub(crate) const FAULT: &str = "A server error occurred.";

/// A request with a bearer's token, if there is one.
pub(crate) fn request(method: Method, path: &str, bearer: Option<&str>) -> TestRequest {
    let request = TestRequest::with_uri(path).method(method);
    match bearer {
        Some(token) => request.insert_header((header::AUTHORIZATION, format!("Bearer {token}"))),
        None => request,
    }
}

/// A running application.
pub(crate) struct Site(Box<dyn Fn(TestRequest) -> LocalBoxFuture<'static, Answer>>);

impl Site {
    pub(crate) async fn of<T, B>(application: Application<T>) -> Self
    where
        T: ServiceFactory<ServiceRequest, Config = (), Response = ServiceResponse<B>, Error = Error, InitError = ()>
            + 'static,
        B: MessageBody + 'static,
    {
        let service = Rc::new(test::init_service(application).await);
        Self(Box::new(move |request| {
            let service = service.clone();
            Box::pin(async move {
                let response = test::call_service(service.as_ref(), request.to_request()).await;
                let (status, headers) = (response.status().as_u16(), response.headers().clone());
                let body = test::read_body(response).await;
                Answer { status, headers, text: String::from_utf8(body.to_vec()).unwrap() }
            })
        }))
    }

    pub(crate) fn send(&self, request: TestRequest) -> LocalBoxFuture<'static, Answer> {
        (self.0)(request)
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, bearer: Option<&str>) -> Answer {
        self.send(request(method, path, bearer)).await
    }

    pub(crate) async fn get(&self, path: &str, bearer: Option<&str>) -> Answer {
        self.ask(Method::GET, path, bearer).await
    }

    /// Sends JSON.
    pub(crate) async fn post(&self, path: &str, bearer: Option<&str>, body: Value) -> Answer {
        self.send(request(Method::POST, path, bearer).set_json(body)).await
    }

    pub(crate) async fn login(&self, name: &str) -> Answer {
        self.post("/api/token/", None, json!({"username": name, "password": PASSWORD})).await
    }
}
