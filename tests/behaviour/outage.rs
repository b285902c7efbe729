//! A database that is away, silent, or held by somebody else, or too much to do: 503 with `Retry-After` meanwhile, and
//! afterwards all is as it was, without a restart (REL-004, REL-005, REL-016).

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use auth_tests::postgres::Cluster;
use auth_tests::server::{Server, ServerOptions};
use libtest_mimic::Trial;
use serde_json::json;
use tempfile::TempDir;
use tokio::task::{JoinSet, block_in_place};

use crate::ledger::{Client, Ledger};
use crate::lock::Lock;
use crate::stage::{assert_out_of_use, assert_unavailable, at_once, cases, eventually, options, patient, shared};
use crate::support::{Answer, Api, BINARY, Database, PASSWORD, Pair};

pub(crate) fn trials() -> Vec<Trial> {
    let on_one = cases![on_postgres:
        while_postgres_is_stopped_answers_are_503_and_afterwards_all_is_as_before,
        nothing_acknowledged_is_lost_when_postgres_crashes_under_load,
        while_postgres_is_silent_answers_are_503_and_afterwards_all_is_as_before,
    ];
    let on_each = cases![on_both:
        while_somebody_else_holds_the_tables_writes_are_503_and_afterwards_they_work,
        a_crowd_at_one_connection_is_served_or_told_to_come_back,
        a_crowd_that_logs_in_is_served_or_told_to_come_back,
    ];
    on_one.into_iter().chain(on_each.into_iter().flatten()).collect()
}

/// A server that does not wait long for its database.
fn impatient(options: ServerOptions) -> ServerOptions {
    let options = options.env("AUTH__DATABASE__ACQUIRE_TIMEOUT_MILLISECONDS", "1000");
    options.env("AUTH__DATABASE__STATEMENT_TIMEOUT_MILLISECONDS", "1500")
}

/// What somebody had before an outage.
struct Possessions {
    live: Pair,
    spent: Pair,
    ended: Pair,
}

impl Possessions {
    async fn acquire(api: &Api) -> Self {
        let spent = api.newcomer("owner").await;
        let live = Pair::of(&api.refresh(&spent.refresh).await);
        let ended = api.login("owner").await;
        let logout = api.logout(&ended.access, json!({"refresh": ended.refresh})).await;
        assert_eq!(logout.status, 200, "{}", logout.text);
        Self { live, spent, ended }
    }

    /// All is as it was; and everything can be done that could be done before.
    async fn check(&self, api: &Api) {
        assert_out_of_use(&api.refresh(&self.ended.refresh).await);
        assert_out_of_use(&api.refresh(&self.spent.refresh).await);
        assert_eq!(api.me(&self.live.access).await.status, 200);
        let next = Pair::of(&api.refresh(&self.live.refresh).await);
        assert_eq!(api.me(&next.access).await.status, 200);
        api.login("owner").await;
        api.newcomer("afterwards").await;
    }
}

/// Every request that needs the database, at once.
async fn all_requests(api: &Api, mine: &Possessions) -> Vec<(&'static str, Answer)> {
    let Pair { access, refresh } = mine.live.clone();
    let login = json!({"username": "owner", "password": PASSWORD});
    let registration = json!({
        "username": "meanwhile", "email": "meanwhile@example.com", "first_name": "Al",
        "password": PASSWORD, "password2": PASSWORD,
    });
    let calls = [
        ("/api/token/", None, login),
        ("/api/token/refresh/", None, json!({"refresh": refresh})),
        ("/api/token/verify/", None, json!({"token": refresh})),
        ("/api/token/blacklist/", None, json!({"refresh": refresh})),
        ("/api/logout/", Some(access.clone()), json!({"all": true})),
        ("/api/register/", None, registration),
    ];
    let calls = calls.map(|(path, bearer, body)| {
        let api = api.clone();
        async move { (path, api.post(path, bearer.as_deref(), body).await) }
    });
    let (me, ready) = (api.me(&access), api.get("/readyz"));
    let (mut answers, me, ready) = tokio::join!(at_once(calls), me, ready);
    answers.extend([("/api/users/me/", me), ("/readyz", ready)]);
    answers
}

/// What needs no database goes on.
async fn is_alive(api: &Api) {
    for path in ["/healthz", "/.well-known/jwks.json", "/api/schema/"] {
        let answer = api.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
    }
}

async fn is_ready(api: &Api) {
    eventually("the server is ready", async || api.get("/readyz").await.status == 200).await;
}

fn on_cluster(database: &Database, url: &str) -> ServerOptions {
    impatient(options(database, "development")).env("DATABASE_URL", url)
}

async fn while_postgres_is_stopped_answers_are_503_and_afterwards_all_is_as_before(database: Database) {
    let mut cluster = block_in_place(Cluster::start);
    let url = cluster.url().replacen('@', ":its-password@", 1);
    let mut server = on_cluster(&database, &url).start(BINARY);
    let api = Api::new(&server.url());
    let mine = Possessions::acquire(&api).await;
    for _ in 0..2 {
        block_in_place(|| cluster.stop());
        // Twice: the first answers come from connections that break, the second ones find none.
        for _ in 0..2 {
            for (path, answer) in all_requests(&api, &mine).await {
                assert_unavailable(path, &answer);
            }
            is_alive(&api).await;
        }
        block_in_place(|| cluster.restart());
        is_ready(&api).await;
    }
    mine.check(&api).await;

    // It can be told to stop meanwhile as well. The operator was told why it failed, and no password.
    block_in_place(|| cluster.stop());
    server.terminate();
    let status = block_in_place(|| server.wait());
    let log = server.log();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains(r#""level":"ERROR""#) && log.contains("the storage is not available"), "{log}");
    assert!(!log.contains("its-password"), "{log}");
}

async fn nothing_acknowledged_is_lost_when_postgres_crashes_under_load(database: Database) {
    let mut cluster = block_in_place(Cluster::start);
    let server = on_cluster(&database, &cluster.url()).env("AUTH__TOKENS__ON_RETRY", "replay").start(BINARY);
    let api = Api::new(&server.url());
    let ledger = Ledger::new();
    let mut crowd = Client::crowd(&api, &ledger, 8).await;
    for crash in 0..3 {
        let working: JoinSet<_> = crowd.into_iter().map(|client| client.work(api.clone())).collect();
        ledger.more_refreshes(100 + 7 * crash).await;
        block_in_place(|| cluster.stop());
        crowd = working.join_all().await;
        block_in_place(|| cluster.restart());
        is_ready(&api).await;
        for client in &mut crowd {
            client.check(&api).await;
        }
    }
    assert!(crowd.iter().all(|client| client.acknowledged() > 0), "some client got nothing done");
}

async fn while_postgres_is_silent_answers_are_503_and_afterwards_all_is_as_before(database: Database) {
    let cluster = block_in_place(Cluster::start);
    let wire = Wire::to(cluster.port());
    let server = on_cluster(&database, &format!("postgres://postgres@127.0.0.1:{}/postgres", wire.port)).start(BINARY);
    let api = Api::new(&server.url());
    let mine = Possessions::acquire(&api).await;
    wire.hold(true);
    // Nothing that changes anything: it would have its effect when the wire is let go.
    for _ in 0..2 {
        let token = json!({"token": mine.live.refresh});
        let login = json!({"username": "owner", "password": PASSWORD});
        let (ready, me, verify, login) = tokio::join!(
            api.get("/readyz"),
            api.me(&mine.live.access),
            api.post("/api/token/verify/", None, token),
            api.post("/api/token/", None, login),
        );
        for (path, answer) in [("readyz", ready), ("me", me), ("verify", verify), ("login", login)] {
            assert_unavailable(path, &answer);
        }
        is_alive(&api).await;
    }
    wire.hold(false);
    is_ready(&api).await;
    mine.check(&api).await;
}

/// A connection to PostgreSQL on which bytes can be kept waiting, while it stays open.
struct Wire {
    port: u16,
    held: Arc<(Mutex<bool>, Condvar)>,
}

impl Wire {
    fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let wire = Self { port: listener.local_addr().expect("an address").port(), held: Arc::default() };
        let held = wire.held.clone();
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                for (from, to) in [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))] {
                    let (Ok(from), Ok(to), held) = (from, to, held.clone()) else { continue };
                    std::thread::spawn(move || carry(from, to, &held));
                }
            }
        });
        wire
    }

    fn hold(&self, hold: bool) {
        *self.held.0.lock().expect("a lock") = hold;
        self.held.1.notify_all();
    }
}

fn carry(mut from: TcpStream, mut to: TcpStream, (held, changed): &(Mutex<bool>, Condvar)) {
    let mut bytes = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes) {
        drop(changed.wait_while(held.lock().expect("a lock"), |held| *held).expect("a lock"));
        if to.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}

/// A server with one connection.
fn narrow(database: &Database, folder: &TempDir) -> Server {
    let options = impatient(options(database, "development")).env("AUTH__DATABASE__POOL_SIZE", "1");
    shared(database, options.env("AUTH__TOKENS__ON_RETRY", "replay"), folder).start(BINARY)
}

async fn while_somebody_else_holds_the_tables_writes_are_503_and_afterwards_they_work(database: Database) {
    let (database, folder) = (Arc::new(database), TempDir::new().expect("a temporary folder"));
    let server = narrow(&database, &folder);
    let api = Api::new(&server.url());
    let pair = api.newcomer("owner").await;
    let lock = Lock::take(&database, &folder).await;
    for (path, answer) in refused_meanwhile(&api, &pair).await {
        assert_unavailable(path, &answer);
    }
    is_alive(&api).await;
    if matches!(*database, Database::Sqlite) {
        assert_eq!(api.me(&pair.access).await.status, 200, "reading goes on");
    }
    lock.release().await;
    eventually("writes work", async || api.refresh(&pair.refresh).await.status == 200).await;
    is_ready(&api).await;
    let next = Pair::of(&api.refresh(&pair.refresh).await);
    assert_eq!(api.me(&next.access).await.status, 200);
    api.newcomer("afterwards").await;
}

/// Twenty of each write.
async fn refused_meanwhile(api: &Api, pair: &Pair) -> Vec<(&'static str, Answer)> {
    let login = json!({"username": "owner", "password": PASSWORD});
    let writes = [("/api/token/refresh/", json!({"refresh": pair.refresh})), ("/api/token/", login)];
    at_once(writes.into_iter().cycle().take(40).map(|(path, body)| {
        let api = api.clone();
        async move { (path, api.post(path, None, body).await) }
    }))
    .await
}

async fn a_crowd_at_one_connection_is_served_or_told_to_come_back(database: Database) {
    let folder = TempDir::new().expect("a temporary folder");
    let server = narrow(&database, &folder);
    let api = Api::new(&server.url());
    let mut pairs = Vec::new();
    for n in 0..8 {
        pairs.push(api.newcomer(&format!("visitor{n}")).await);
    }
    let calls = pairs.iter().cycle().take(400).enumerate().map(|(n, pair)| {
        let (api, pair) = (api.clone(), pair.clone());
        async move {
            match n % 3 {
                0 => api.me(&pair.access).await,
                1 => api.refresh(&pair.refresh).await,
                _ => api.post("/api/token/verify/", None, json!({"token": pair.access})).await,
            }
        }
    });
    for answer in at_once(calls).await {
        if answer.status != 200 {
            assert_unavailable("in the crowd", &answer);
        }
    }
    is_ready(&api).await;
    for pair in &pairs {
        assert_eq!(api.me(&pair.access).await.status, 200);
        assert_eq!(api.refresh(&pair.refresh).await.status, 200);
    }
}

async fn a_crowd_that_logs_in_is_served_or_told_to_come_back(database: Database) {
    // Passwords cost what they do in earnest; one is compared, one waits, and that is all.
    let options = patient(database.server("development")).env("AUTH__PASSWORDS__HASH_THREADS", "1");
    let server = options.env("AUTH__PASSWORDS__HASH_QUEUE", "1").start(BINARY);
    let api = Api::new(&server.url());
    let pair = api.newcomer("visitor").await;
    let calls = (0..60).map(|n| {
        let (api, pair) = (api.clone(), pair.clone());
        async move {
            match n % 3 {
                0 => {
                    ("login", api.post("/api/token/", None, json!({"username": "visitor", "password": PASSWORD})).await)
                }
                1 => {
                    ("nobody", api.post("/api/token/", None, json!({"username": "nobody", "password": PASSWORD})).await)
                }
                _ => ("me", api.me(&pair.access).await),
            }
        }
    });
    let answers = at_once(calls).await;
    for (what, answer) in &answers {
        match (*what, answer.status.as_u16()) {
            ("login" | "me", 200) | ("nobody", 401) => {}
            ("me", _) => panic!("{}: {}", answer.status, answer.text),
            _ => assert_unavailable(what, answer),
        }
    }
    let refused = answers.iter().filter(|(_, answer)| answer.status == 503).count();
    assert!((1..40).contains(&refused), "{refused} were told to come back");
    api.login("visitor").await;
}
