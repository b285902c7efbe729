//! The same routes in this process, on the in-memory storage: rules and HTTP without a database.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread;

use actix_web::dev::ServerHandle;
use actix_web::{HttpResponse, HttpServer, rt};
use auth_accounts::account::UsernameRules;
use auth_accounts::service::{AccountPolicy, Action, AdministrationService, Outcome, Ports};
use auth_accounts::throttle::{Limit, ThrottlePolicy};
use auth_conformance::{TestPolicy, TestService};
use auth_core::permission::Rule;
use auth_core::service::TokenPolicy;
use auth_core::time::Seconds;
use auth_core::token::ProfileClaim;
use auth_crypto::{Algorithm, KeyRing, RingOptions, SigningKey, SystemClock, SystemRandomness};
use auth_http::routes::{AuthRoutes, Endpoint, Routes, standard};
use auth_http::{AccountServices, App, CurrentUser, HttpSettings};
use auth_tests::server::SIGNING_KEY;
use serde_json::json;

use crate::contract::target::Target;

/// A server on a thread of this process.
pub(crate) struct InProcess {
    address: SocketAddr,
    handle: ServerHandle,
    administration: AdministrationService,
    thread: Option<thread::JoinHandle<()>>,
}

impl InProcess {
    /// Starts a server on a free port.
    pub(crate) fn start() -> Self {
        let service = service();
        let administration = service.administration.clone();
        let (app, accounts) = (app(&service), accounts(service));
        let (report, reported) = mpsc::channel();
        let thread = thread::spawn(move || {
            rt::System::new().block_on(async move {
                let own = [
                    Endpoint::new("/api/protected/").named("Protected", "").get(protected),
                    Endpoint::new("/api/posts/").named("Post List", "").rule(Rule::AllowAny).get(no_posts),
                ];
                let routes = Routes::new(standard().into_iter().chain(own)).aliases(true).build().expect("routes");
                let routes = AuthRoutes::new(routes, app, Some(accounts)).expect("services for all routes");
                let server = HttpServer::new(move || auth_http::application(&routes));
                let server = server.workers(2).disable_signals().bind(("127.0.0.1", 0)).expect("a free port");
                let address = server.addrs()[0];
                let running = server.run();
                report.send((address, running.handle())).expect("the receiver waits for the address");
                running.await.expect("the server runs");
            });
        });
        let (address, handle) = reported.recv().expect("the server starts");
        Self { address, handle, administration, thread: Some(thread) }
    }
}

async fn protected(user: CurrentUser) -> HttpResponse {
    HttpResponse::Ok().json(json!({"message": format!("Hello, {}!", user.username())}))
}

/// Serves the path for rows about its methods; only the database has posts.
async fn no_posts() -> HttpResponse {
    HttpResponse::Ok().json(json!([]))
}

impl Drop for InProcess {
    fn drop(&mut self) {
        block_on(self.handle.stop(false));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Target for InProcess {
    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn users(&self, action: &str, name: &str) -> Result<(), String> {
        let action = match action {
            "deactivate" => Action::Deactivate,
            "delete" => Action::Delete,
            other => return Err(format!("users {other}: unknown here")),
        };
        match block_on(self.administration.act(name, &action)) {
            Ok(Outcome::Done) => Ok(()),
            other => Err(format!("users {action:?} {name}: {other:?}")),
        }
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    runtime.block_on(future)
}

/// The services with real signatures and the current time, configured like the profile `simplejwt`.
fn service() -> TestService {
    let key = SigningKey::from_secret(Algorithm::Hs256, SIGNING_KEY).expect("a key of 32 bytes or more");
    let signer = Arc::new(KeyRing::new(key, Vec::new(), RingOptions::default()).expect("a single key"));
    let (clock, randomness) = (Arc::new(SystemClock), Arc::new(SystemRandomness));
    // All rows come from one client IP.
    let throttle = ThrottlePolicy {
        registrations_per_client_ip: Limit::Window { most: 1_000_000, window: Seconds::new(3_600) },
        ..ThrottlePolicy::default()
    };
    TestService::builder()
        .policy(TestPolicy {
            accounts: AccountPolicy {
                throttle: Some(throttle),
                usernames: UsernameRules { plain_alphabet: false, ignore_case: false },
                ..AccountPolicy::default()
            },
            tokens: TokenPolicy {
                access_ttl: Seconds::new(1_800),
                session_max_ttl: None,
                keep_custom_claims: true,
                adopt_external_tokens: true,
                check_session_on_access: false,
                ..TokenPolicy::default()
            },
        })
        .ports(|ports| Ports { signer, clock, randomness, ..ports })
        .claims_provider(Arc::new(ProfileClaim::Email))
        .claims_provider(Arc::new(ProfileClaim::Role))
        .build()
}

/// The HTTP settings of the profile `simplejwt`.
fn app(service: &TestService) -> App {
    App {
        settings: HttpSettings {
            body_limit: 2_621_440,
            reasons: false,
            trim_passwords: true,
            ..HttpSettings::default()
        },
        ..App::new(service.tokens.clone())
    }
}

fn accounts(service: TestService) -> AccountServices {
    AccountServices { logins: service.logins, accounts: service.accounts, second_factors: service.second_factors }
}
