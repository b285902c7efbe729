//! The same routes in this process, on the storage that forgets: the rules and the wire without a database.

use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App as Application, HttpServer, rt, web};
use async_trait::async_trait;
use auth_conformance::{MemoryStore, PlainHasher, RecordedEvents};
use auth_core::account::UsernameRules;
use auth_core::password::PasswordPolicy;
use auth_core::rotation::{OnRetry, RotationPolicy};
use auth_core::service::{AccountService, Action, AdministrationService, Outcome, Ports, TokenPolicy, TokenService};
use auth_core::time::Seconds;
use auth_core::token::{ClaimRules, ProfileClaim};
use auth_crypto::{Algorithm, KeyRing, RingOptions, SigningKey, SystemClock, SystemRandomness};
use auth_http::{App, HttpSettings, Readiness};
use auth_tests::server::SIGNING_KEY;

use crate::target::Target;

/// A server on a thread of this process.
pub(crate) struct InProcess {
    address: SocketAddr,
    handle: ServerHandle,
    administration: AdministrationService,
    thread: Option<thread::JoinHandle<()>>,
}

impl InProcess {
    /// Starts it on a free port.
    pub(crate) fn start() -> Self {
        let ports = ports();
        let administration = AdministrationService::new(ports.clone());
        let app = web::Data::new(app(ports));
        let (report, reported) = mpsc::channel();
        let thread = thread::spawn(move || {
            rt::System::new().block_on(async move {
                let server = HttpServer::new(move || {
                    let app = app.clone();
                    let routes = move |config: &mut web::ServiceConfig| auth_http::routes::configure(config, &app);
                    Application::new().wrap(from_fn(auth_http::outer)).configure(routes)
                });
                let server = server.workers(2).disable_signals().bind(("127.0.0.1", 0)).expect("a free port");
                let address = server.addrs()[0];
                let running = server.run();
                report.send((address, running.handle())).expect("somebody waits for the address");
                running.await.expect("the server runs");
            });
        });
        let (address, handle) = reported.recv().expect("the server starts");
        Self { address, handle, administration, thread: Some(thread) }
    }
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

fn ports() -> Ports {
    let key = SigningKey::from_secret(Algorithm::Hs256, SIGNING_KEY).expect("a key of 32 bytes or more");
    Ports {
        store: Arc::new(MemoryStore::default()),
        signer: Arc::new(KeyRing::new(key, Vec::new(), RingOptions::default()).expect("a single key")),
        hasher: Arc::new(PlainHasher::default()),
        clock: Arc::new(SystemClock),
        randomness: Arc::new(SystemRandomness),
        events: Arc::new(RecordedEvents::default()),
    }
}

/// As `config/simplejwt.toml` over `config/default.toml` has it.
fn app(ports: Ports) -> App {
    let policy = TokenPolicy {
        access_ttl: Seconds::new(1_800),
        rotation: RotationPolicy {
            refresh_ttl: Seconds::new(604_800),
            retry_window: Seconds::new(10),
            on_retry: OnRetry::Refuse,
        },
        session_max_ttl: None,
        claim_rules: ClaimRules::default(),
        profile_claims: vec![ProfileClaim::Email, ProfileClaim::Role],
        keep_custom_claims: true,
        adopt_foreign_tokens: true,
        check_session_on_access: false,
        update_last_login: true,
    };
    App {
        tokens: TokenService::new(ports.clone(), policy),
        accounts: AccountService::new(ports),
        passwords: PasswordPolicy::default(),
        usernames: UsernameRules { plain_alphabet: false, ignore_case: false },
        jwks: serde_json::json!({"keys": []}),
        readiness: Box::new(AlwaysReady),
        settings: HttpSettings {
            body_limit: 2_621_440,
            body_timeout_seconds: 30,
            aliases: true,
            reasons: false,
            trim_passwords: true,
        },
    }
}

struct AlwaysReady;

#[async_trait]
impl Readiness for AlwaysReady {
    async fn is_ready(&self) -> bool {
        true
    }
}
