//! What the topics share: a case on both databases, the blog under test, its posts.

use std::future::Future;
use std::time::{Duration, Instant};

use auth_tests::postgres;
use auth_tests::server::{Server, ServerOptions};
use libtest_mimic::Trial;
use serde_json::json;
use tempfile::TempDir;

use crate::support::{Answer, Api, Database};

/// The program under test.
pub(crate) const BLOG: &str = env!("CARGO_BIN_EXE_blog-under-test");

/// How long something outside may take: far more than it needs, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A case on both databases: `topic::case::sqlite` and `topic::case::postgres`.
pub(crate) fn on_both<F>(name: &str, case: fn(Database) -> F) -> Vec<Trial>
where
    F: Future<Output = ()> + 'static,
{
    let on_sqlite = Trial::test(format!("{name}::sqlite"), move || {
        run(case(Database::Sqlite));
        Ok(())
    });
    on_postgres(name, case).into_iter().chain([on_sqlite]).collect()
}

/// A case on PostgreSQL alone.
pub(crate) fn on_postgres<F: Future<Output = ()> + 'static>(name: &str, case: fn(Database) -> F) -> Vec<Trial> {
    vec![postgres::trial(format!("{name}::postgres"), move || {
        run(case(Database::Postgres(postgres::fresh_database())));
        Ok(())
    })]
}

/// A case that the database makes no difference to.
pub(crate) fn once<F: Future<Output = ()> + 'static>(name: &str, case: fn() -> F) -> Vec<Trial> {
    vec![Trial::test(name, move || {
        run(case());
        Ok(())
    })]
}

fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(case);
}

/// Makes trials of functions; their names are the functions' own, after the module's.
macro_rules! cases {
    ($($maker:ident: $($case:ident),+ $(,)?);+) => {
        [$($(
            $crate::stage::$maker(&format!("{}::{}", $crate::stage::topic(module_path!()), stringify!($case)), $case),
        )+)+].into_iter().flatten().collect()
    };
}
pub(crate) use cases;

/// The last part of the path of a module.
pub(crate) fn topic(module: &str) -> &str {
    module.rsplit("::").next().unwrap_or(module)
}

/// A blog of a profile whose passwords cost next to nothing.
pub(crate) fn options(database: &Database, profile: &str) -> ServerOptions {
    affordable(database.server(profile))
}

pub(crate) fn affordable(options: ServerOptions) -> ServerOptions {
    options.env("AUTH__PASSWORDS__ARGON2_MEMORY_KIB", "8").env("AUTH__PASSWORDS__ARGON2_ITERATIONS", "1")
}

/// Options with which any number of blogs share one database: on SQLite, by their data folder.
pub(crate) fn shared(database: &Database, options: ServerOptions, folder: &TempDir) -> ServerOptions {
    match database {
        Database::Sqlite => options.env("AUTH__DATA__DIR", &folder.path().display().to_string()),
        Database::Postgres(_) => options,
    }
}

/// Changes a database that [`shared`] options name, past every blog.
pub(crate) fn execute(database: &Database, folder: &TempDir, sql: &str) {
    match database {
        Database::Postgres(database) => drop(database.psql(sql)),
        Database::Sqlite => {
            let file = rusqlite::Connection::open(folder.path().join("auth.sqlite3")).expect("the database");
            assert_eq!(file.execute(sql, []).expect("a statement"), 1, "{sql}");
        }
    }
}

/// A blog with its client.
pub(crate) struct Blog {
    pub(crate) api: Api,
    pub(crate) server: Server,
}

impl Blog {
    pub(crate) fn start(options: ServerOptions) -> Self {
        let server = options.start(BLOG);
        Self { api: Api::new(&server.url()), server }
    }

    /// Runs a command beside it, which has to succeed.
    pub(crate) fn command(&self, args: &[&str]) {
        let output = self.server.run(args);
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    pub(crate) async fn get(&self, path: &str, bearer: &str) -> Answer {
        let request = self.api.client.get(format!("{}{path}", self.api.url)).bearer_auth(bearer);
        Answer::of(request.send().await.expect("an answer")).await
    }

    pub(crate) async fn protected(&self, bearer: &str) -> Answer {
        self.get("/api/protected/", bearer).await
    }

    /// Writes a post; the path it is at.
    pub(crate) async fn post(&self, bearer: &str) -> String {
        let body = json!({"title": "A title", "content": "Some text"});
        let answer = self.api.post("/api/posts/create/", Some(bearer), body).await;
        assert_eq!(answer.status, 201, "{}", answer.text);
        format!("/api/posts/{}/", answer.json()["id"])
    }
}

/// Waits until something outside is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Panics unless it is a 503 in JSON that says when to try again.
#[track_caller]
pub(crate) fn assert_unavailable(answer: &Answer) {
    assert_eq!(answer.status, 503, "{}", answer.text);
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    assert!(header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{:?}", answer.headers);
    assert!(header("content-type").starts_with("application/json"), "{:?}", answer.headers);
    assert_eq!(answer.field("code"), "temporarily_unavailable");
}
