//! What the topics share: a case on both databases, servers with settings for tests, requests that start together.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use auth_tests::postgres;
use auth_tests::server::ServerOptions;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use libtest_mimic::Trial;
use serde_json::Value;
use sha2::Sha256;
use tempfile::TempDir;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Answer, Api, Database};

/// How long something outside may take: far more than it needs, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A case on both databases: `sqlite::NAME` and `postgres::NAME`.
pub(crate) fn on_both<F>(name: &str, case: fn(Database) -> F) -> [Trial; 2]
where
    F: Future<Output = ()> + 'static,
{
    [on_sqlite(name, case), on_postgres(name, case)]
}

/// A case on SQLite alone.
pub(crate) fn on_sqlite<F: Future<Output = ()> + 'static>(name: &str, case: fn(Database) -> F) -> Trial {
    Trial::test(format!("sqlite::{name}"), move || {
        run(case(Database::Sqlite));
        Ok(())
    })
}

/// A case on PostgreSQL alone.
pub(crate) fn on_postgres<F: Future<Output = ()> + 'static>(name: &str, case: fn(Database) -> F) -> Trial {
    postgres::trial(format!("postgres::{name}"), move || {
        run(case(Database::Postgres(postgres::fresh_database())));
        Ok(())
    })
}

fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(case);
}

/// Makes trials of functions; their names are the functions' own, after the module's.
macro_rules! cases {
    ($maker:ident: $($case:ident),* $(,)?) => {
        [$($crate::stage::$maker(&format!("{}::{}", $crate::stage::topic(module_path!()), stringify!($case)), $case)),*]
    };
}
pub(crate) use cases;

/// The last part of the path of a module.
pub(crate) fn topic(module: &str) -> &str {
    module.rsplit("::").next().unwrap_or(module)
}

/// A server of a profile whose passwords cost next to nothing, and where a spent token is a retry for an hour: no case
/// depends on how fast the machine is.
pub(crate) fn options(database: &Database, profile: &str) -> ServerOptions {
    let options = database.server(profile).env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "3600");
    options.env("AUTH__PASSWORDS__ARGON2_MEMORY_KIB", "8").env("AUTH__PASSWORDS__ARGON2_ITERATIONS", "1")
}

/// Options under which any number of people may have the wrong password for one account, or try it at once.
pub(crate) fn patient(options: ServerOptions) -> ServerOptions {
    options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", "1000")
}

/// Options with which any number of servers share one database: on SQLite, a file in `folder`.
pub(crate) fn shared(database: &Database, options: ServerOptions, folder: &TempDir) -> ServerOptions {
    match database {
        Database::Sqlite => options.env("DATABASE_URL", &format!("sqlite://{}", sqlite_file(folder))),
        Database::Postgres(_) => options,
    }
}

/// The file that [`shared`] names.
pub(crate) fn sqlite_file(folder: &TempDir) -> String {
    folder.path().join("shared.sqlite3").display().to_string()
}

/// One column of a database that [`shared`] options name, past the server.
pub(crate) fn query(database: &Database, folder: &TempDir, sql: &str) -> Vec<String> {
    match database {
        Database::Postgres(database) => database.psql(sql).lines().map(str::to_owned).collect(),
        Database::Sqlite => {
            let file = rusqlite::Connection::open(sqlite_file(folder)).expect("the database");
            let mut statement = file.prepare(sql).expect("a query");
            let rows = statement.query_map([], |row| row.get(0)).expect("rows");
            rows.collect::<Result<_, _>>().expect("texts")
        }
    }
}

/// Runs all of them, started at one moment; the results in the order of the calls.
pub(crate) async fn at_once<F>(calls: impl IntoIterator<Item = F>) -> Vec<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    let calls: Vec<_> = calls.into_iter().collect();
    let start = Arc::new(Barrier::new(calls.len()));
    let mut running = JoinSet::new();
    for (place, call) in calls.into_iter().enumerate() {
        let start = start.clone();
        running.spawn(async move {
            start.wait().await;
            (place, call.await)
        });
    }
    let mut results = running.join_all().await;
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Opens so many connections, so that the race that follows is not one of handshakes.
pub(crate) async fn connect(api: &Api, count: usize) {
    let calls = (0..count).map(|_| {
        let api = api.clone();
        async move { api.get("/healthz").await.status.as_u16() }
    });
    assert_eq!(at_once(calls).await, vec![200; count]);
}

/// Waits until something outside is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// The claims of a token, unchecked.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

/// A token of our own making (HS256).
pub(crate) fn signed(claims: &Value, key: &str) -> String {
    let encode = |text: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(text);
    let message = format!("{}.{}", encode(br#"{"alg":"HS256","typ":"JWT"}"#), encode(claims.to_string().as_bytes()));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).expect("a key");
    mac.update(message.as_bytes());
    format!("{message}.{}", encode(&mac.finalize().into_bytes()))
}

/// Panics unless the token is refused as one out of use.
pub(crate) fn assert_out_of_use(answer: &Answer) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.field("detail"), "Token is blacklisted");
    assert_eq!(answer.field("code"), "token_not_valid");
}

/// Panics unless it is a 503 that says when to try again.
pub(crate) fn assert_unavailable(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{what}: {}", answer.text);
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert!(header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{what}: {:?}", answer.headers);
    assert!(header("content-type").starts_with("application/json"), "{what}: {:?}", answer.headers);
    assert_eq!(answer.field("code"), "temporarily_unavailable", "{what}");
}
