//! The servers that several cases share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use auth_tests::cases::Shared;
use auth_tests::database::DatabaseKind;
use auth_tests::{Database, ServerOptions, TestClient, TestServer};

use crate::SERVER;

/// The servers that several cases share.
pub(crate) struct SharedServers {
    /// The profile `simplejwt` on SQLite.
    pub(crate) simplejwt: Arc<Shared<Service>>,
    /// The profile `development` on SQLite.
    pub(crate) development: Arc<Shared<Service>>,
    /// The profile `simplejwt` on PostgreSQL.
    pub(crate) simplejwt_postgres: Arc<Shared<Service>>,
    /// The profile `development` on PostgreSQL.
    pub(crate) development_postgres: Arc<Shared<Service>>,
}

impl SharedServers {
    pub(crate) fn new() -> Self {
        let simplejwt = |database| Service::start(database, "simplejwt");
        let development = |database| Service::start(database, "development");
        Self {
            simplejwt: Shared::new("simplejwt", DatabaseKind::Sqlite, simplejwt),
            development: Shared::new("development", DatabaseKind::Sqlite, development),
            simplejwt_postgres: Shared::new("simplejwt_postgres", DatabaseKind::Postgres, simplejwt),
            development_postgres: Shared::new("development_postgres", DatabaseKind::Postgres, development),
        }
    }
}

/// A running service. Dereferences to its client.
pub(crate) struct Service {
    client: TestClient,
    server: TestServer,
    profile: &'static str,
    // Dropped after the server, which is connected to it.
    _database: Database,
}

impl Service {
    fn start(database: Database, profile: &'static str) -> Self {
        let server = raise_client_limits(database.server(profile)).start(SERVER);
        Self { client: server.client(), server, profile, _database: database }
    }

    pub(crate) fn server(&self) -> &TestServer {
        &self.server
    }

    pub(crate) fn profile(&self) -> &'static str {
        self.profile
    }

    /// Returns whether it answers exactly like the reference implementation.
    pub(crate) fn is_simplejwt(&self) -> bool {
        self.profile == "simplejwt"
    }
}

impl Deref for Service {
    type Target = TestClient;

    fn deref(&self) -> &TestClient {
        &self.client
    }
}

/// All cases share one client IP, so its limits for failures and emails are raised. Email addresses can be changed without
/// verification, so that cases can try any. (The cases in `email` cover limits and verification.)
fn raise_client_limits(options: ServerOptions) -> ServerOptions {
    options.envs(&[
        ("AUTH__THROTTLE__FAILURES_PER_CLIENT_IP_PER_HOUR", "100000"),
        ("AUTH__THROTTLE__EMAIL_REQUESTS_PER_CLIENT_IP_PER_HOUR", "100000"),
        ("AUTH__ACCOUNTS__EMAIL_VERIFICATION", "off"),
    ])
}

/// Starts a server with these settings for one case, on SQLite.
pub(crate) fn own_server(profile: &str, settings: &[(&str, &str)]) -> (TestServer, TestClient) {
    let server = ServerOptions::new(profile, None).envs(settings).start(SERVER);
    let client = server.client();
    (server, client)
}

/// Returns a username that no other account has.
pub(crate) fn fresh(stem: &str) -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{stem}{:04}", COUNT.fetch_add(1, Ordering::Relaxed))
}
