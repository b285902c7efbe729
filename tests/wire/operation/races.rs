//! Races between concurrent requests: what may succeed once succeeds once, and what was revoked stays revoked.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use auth_tests::cases::OnBothDatabases;
use auth_tests::concurrency::{eventually, open_connections, run_concurrently};
use auth_tests::server::SIGNING_KEY;
use auth_tests::tokens::{claims_of, sign};
use auth_tests::{Answer, Database, PASSWORD, ServerOptions, TestClient, TestServer, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};

use crate::SERVER;
use crate::operation::fixture::{assert_blacklisted, options, without_login_delay};

/// How many requests race.
const RACERS: usize = 50;

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnBothDatabases =>
        concurrent_registrations_of_a_username_create_one_account,
        concurrent_registrations_ignoring_username_case_create_one_account,
        concurrent_registrations_ignoring_email_case_create_one_account,
        concurrent_refreshes_have_one_winner,
        concurrent_refreshes_on_two_replicas_have_one_winner,
        concurrent_adoptions_on_two_replicas_have_one_winner,
        concurrent_retries_get_the_same_successor,
        concurrent_retries_on_two_replicas_get_the_same_successor,
        no_token_outlives_a_concurrent_logout,
        no_token_outlives_a_concurrent_logout_of_all_sessions,
        no_session_outlives_a_concurrent_password_change,
        no_login_without_a_second_factor_outlives_a_promotion,
        concurrent_reuse_revokes_one_session_once,
    ]
}

// Registration

async fn concurrent_registrations_of_a_username_create_one_account(database: Database) {
    let users = (0..RACERS).map(|n| ("racer".to_owned(), format!("racer{n}@example.com")));
    assert_one_account(&database, users, json!({"username": ["User with this username already exists."]})).await;
}

async fn concurrent_registrations_ignoring_username_case_create_one_account(database: Database) {
    let users = (0..RACERS).map(|n| (in_letter_case("photographer", n), format!("racer{n}@example.com")));
    assert_one_account(&database, users, json!({"username": ["User with this username already exists."]})).await;
}

async fn concurrent_registrations_ignoring_email_case_create_one_account(database: Database) {
    let users = (0..RACERS).map(|n| (format!("racer{n}"), in_letter_case("photographer@example.com", n)));
    assert_one_account(&database, users, json!({"email": ["User with this email already exists."]})).await;
}

/// Returns the string with those letters in upper case that have a 1 in `pattern`.
fn in_letter_case(text: &str, pattern: usize) -> String {
    let is_upper = |index: usize| index < 12 && pattern >> (index % 6) & 1 == 1;
    text.char_indices().map(|(index, c)| if is_upper(index) { c.to_ascii_uppercase() } else { c }).collect()
}

/// Registers all users concurrently: one registration succeeds and its user can log in; the others get `refusal`.
async fn assert_one_account(database: &Database, users: impl Iterator<Item = (String, String)>, refusal: Value) {
    let server = without_login_delay(options(database, "development")).start(SERVER);
    let api = TestClient::new(&server.url());
    open_connections(&api, RACERS).await;
    let users: Vec<_> = users.collect();
    // A different password for each, so that only the successful registration can log in.
    let password = |n: usize| format!("{PASSWORD}-{n}");
    let calls = users.iter().enumerate().map(|(n, (username, email))| {
        let body = json!({
            "username": username, "email": email, "first_name": "Al", "password": password(n), "password2": password(n),
        });
        let api = api.clone();
        async move { api.post("/api/register/", None, body).await }
    });
    let answers = run_concurrently(calls).await;
    let (created, refused): (Vec<_>, Vec<_>) = answers.iter().enumerate().partition(|(_, answer)| answer.status == 201);
    for (_, answer) in &refused {
        assert_eq!((answer.status.as_u16(), answer.json()), (400, refusal.clone()));
    }
    assert_eq!(created.len(), 1);
    for (n, (username, _)) in users.iter().enumerate() {
        let login = api.post("/api/token/", None, json!({"username": username, "password": password(n)})).await;
        assert_eq!(login.status, if n == created[0].0 { 200 } else { 401 }, "{username}: {}", login.text);
    }
}

// Refresh

async fn concurrent_refreshes_have_one_winner(database: Database) {
    let servers = servers(1, options(&database, "development"));
    let first = servers.apis[0].register_and_login("racer").await;
    assert_one_winner(&servers, &first.refresh).await;
}

async fn concurrent_refreshes_on_two_replicas_have_one_winner(database: Database) {
    let servers = servers(2, options(&database, "development"));
    let first = servers.apis[0].register_and_login("racer").await;
    assert_one_winner(&servers, &first.refresh).await;
}

/// The first use of an externally issued token also creates its session.
async fn concurrent_adoptions_on_two_replicas_have_one_winner(database: Database) {
    let servers = servers(2, options(&database, "simplejwt"));
    let own = servers.apis[0].register_and_login("racer").await;
    let mut external = claims_of(&own.refresh);
    let claims = external.as_object_mut().expect("claims");
    claims.retain(|name, _| name != "sid" && name != "gen");
    claims.insert("jti".to_owned(), json!("6f1a0c4de2b94a3f8c5d7e9b1a2c3d4e"));
    assert_one_winner(&servers, &sign(&external, SIGNING_KEY)).await;
}

async fn concurrent_retries_get_the_same_successor(database: Database) {
    assert_one_successor(&servers(1, with_replay(&database))).await;
}

async fn concurrent_retries_on_two_replicas_get_the_same_successor(database: Database) {
    assert_one_successor(&servers(2, with_replay(&database))).await;
}

fn with_replay(database: &Database) -> ServerOptions {
    options(database, "development").env("AUTH__TOKENS__ON_RETRY", "replay")
}

/// Servers with the same key on one database.
struct Servers {
    _processes: Vec<TestServer>,
    apis: Vec<TestClient>,
}

fn servers(count: usize, options: ServerOptions) -> Servers {
    let processes: Vec<_> = (0..count).map(|_| options.clone().start(SERVER)).collect();
    let apis = processes.iter().map(|server| TestClient::new(&server.url())).collect();
    Servers { _processes: processes, apis }
}

/// Refreshes one token [`RACERS`] times concurrently, spread over the replicas.
async fn refresh_concurrently(servers: &Servers, token: &str) -> Vec<Answer> {
    for api in &servers.apis {
        open_connections(api, RACERS / servers.apis.len()).await;
    }
    let calls = servers.apis.iter().cycle().take(RACERS).map(|api| {
        let (api, token) = (api.clone(), token.to_owned());
        async move { api.refresh(&token).await }
    });
    run_concurrently(calls).await
}

async fn assert_one_winner(servers: &Servers, token: &str) {
    let answers = refresh_concurrently(servers, token).await;
    let (winners, losers): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    losers.into_iter().for_each(assert_blacklisted);
    assert_eq!(winners.len(), 1);
    let next = TokenPair::of(winners[0]);
    assert_eq!(claims_of(&next.refresh)["gen"], 1);
    assert_successor_works(servers, &next).await;
}

async fn assert_one_successor(servers: &Servers) {
    let first = servers.apis[0].register_and_login("racer").await;
    let pairs: Vec<_> = refresh_concurrently(servers, &first.refresh).await.iter().map(TokenPair::of).collect();
    let successors: BTreeSet<_> = pairs.iter().map(|pair| &pair.refresh).collect();
    assert_eq!(successors.len(), 1);
    let successor = claims_of(&pairs[0].refresh);
    assert_eq!(successor["gen"], 1);
    // A later retry gets the same successor too, although the clock has advanced.
    let second = || SystemTime::UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs();
    eventually("the next second", async || second() > successor["iat"].as_u64().expect("seconds")).await;
    assert_eq!(TokenPair::of(&servers.apis[0].refresh(&first.refresh).await).refresh, pairs[0].refresh);
    for pair in &pairs {
        assert_eq!(servers.apis[0].me(&pair.access).await.status, 200);
    }
    assert_successor_works(servers, &pairs[0]).await;
}

/// Checks the successor on every replica; the rotation generation must have grown by one.
async fn assert_successor_works(servers: &Servers, pair: &TokenPair) {
    let mut newest = pair.clone();
    for (index, api) in servers.apis.iter().enumerate() {
        newest = TokenPair::of(&api.refresh(&newest.refresh).await);
        assert_eq!(claims_of(&newest.refresh)["gen"], index + 2);
        assert_eq!(api.me(&newest.access).await.status, 200);
    }
}

// Logout

/// How many sessions are refreshed during a logout, and how often that is repeated: whether a logout hits the critical moment
/// of a refresh is a matter of chance.
const SESSIONS: usize = 6;
const ROUNDS: usize = 5;

async fn no_token_outlives_a_concurrent_logout(database: Database) {
    let servers = servers(2, options(&database, "development"));
    assert_eq!(servers.apis[0].register("leaver").await.status, 201);
    for round in 0..ROUNDS {
        let mut logouts = Vec::new();
        for n in 0..SESSIONS {
            // Refreshed on one replica; logged out on the same or on the other.
            let replica = servers.apis[n % 2].clone();
            let logout_replica = servers.apis[usize::from(n >= SESSIONS / 2) ^ (n % 2)].clone();
            let chain = Chain::start(&replica, replica.login("leaver").await);
            // Each session is logged out after a different number of refreshes, with the newest token.
            logouts.push(log_out(chain, 2 * n + round, logout_replica));
        }
        run_concurrently(logouts).await;
    }
}

async fn log_out(chain: Chain, after: usize, api: TestClient) {
    let pair = chain.after(after).await;
    let logout = api.logout(&pair.access, json!({"refresh": pair.refresh})).await;
    chain.mark_revoked();
    assert_eq!(logout.status, 200, "{}", logout.text);
    assert_revoked(&api, &chain.tokens().await).await;
}

async fn no_token_outlives_a_concurrent_logout_of_all_sessions(database: Database) {
    let servers = servers(2, options(&database, "development"));
    let [replica, logout_replica] = [0, 1].map(|server| &servers.apis[server]);
    assert_eq!(replica.register("leaver").await.status, 201);
    let bystander = Chain::start(replica, replica.register_and_login("bystander").await);
    for round in 0..ROUNDS {
        let own = logout_replica.login("leaver").await;
        let mut chains = Vec::new();
        for n in 0..SESSIONS {
            let api = &servers.apis[n % 2];
            chains.push(Chain::start(api, api.login("leaver").await));
        }
        for chain in &chains {
            chain.after(2 + round).await;
        }
        let logout = logout_replica.logout(&own.access, json!({"all": true})).await;
        chains.iter().for_each(Chain::mark_revoked);
        assert_eq!(logout.status, 200, "{}", logout.text);
        assert_revoked(logout_replica, &[own]).await;
        for chain in chains {
            assert_revoked(logout_replica, &chain.tokens().await).await;
        }
    }
    let others = bystander.stop().await;
    assert_eq!(replica.refresh(&others.last().expect("a token").refresh).await.status, 200);
    assert_eq!(replica.me(&others[0].access).await.status, 200);
}

/// A client that refreshes its session continuously.
struct Chain {
    newest: watch::Receiver<(usize, TokenPair)>,
    is_revoked: Arc<AtomicBool>,
    should_stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<TokenPair>>,
}

impl Chain {
    fn start(api: &TestClient, first: TokenPair) -> Self {
        let (is_revoked, should_stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (report, newest) = watch::channel((0, first.clone()));
        let task =
            tokio::spawn(refresh_until_refused(api.clone(), first, report, is_revoked.clone(), should_stop.clone()));
        Self { newest, is_revoked, should_stop, task }
    }

    /// Waits for `count` refreshes; returns the newest pair.
    async fn after(&self, count: usize) -> TokenPair {
        let mut newest = self.newest.clone();
        let reached = newest.wait_for(|(done, _)| *done >= count).await;
        reached.expect("the session is still refreshed").1.clone()
    }

    /// Records that from now on no refresh may succeed.
    fn mark_revoked(&self) {
        self.is_revoked.store(true, Ordering::SeqCst);
    }

    /// Waits until a refresh is refused; returns all pairs of the session.
    async fn tokens(self) -> Vec<TokenPair> {
        self.task.await.expect("the client has not failed")
    }

    /// Stops the client; returns all pairs of the session.
    async fn stop(self) -> Vec<TokenPair> {
        self.should_stop.store(true, Ordering::SeqCst);
        self.tokens().await
    }
}

async fn refresh_until_refused(
    api: TestClient,
    first: TokenPair,
    report: watch::Sender<(usize, TokenPair)>,
    is_revoked: Arc<AtomicBool>,
    should_stop: Arc<AtomicBool>,
) -> Vec<TokenPair> {
    let mut pairs = vec![first];
    while !should_stop.load(Ordering::SeqCst) {
        let is_revoked = is_revoked.load(Ordering::SeqCst);
        let answer = api.refresh(&pairs[pairs.len() - 1].refresh).await;
        if answer.status != 200 {
            assert_blacklisted(&answer);
            return pairs;
        }
        assert!(!is_revoked, "refreshed after its logout was answered");
        pairs.push(TokenPair::of(&answer));
        report.send_replace((pairs.len() - 1, pairs[pairs.len() - 1].clone()));
    }
    pairs
}

/// Checks that every token is refused, newest first: a used token would revoke the session if it were still live.
async fn assert_revoked(api: &TestClient, pairs: &[TokenPair]) {
    for pair in pairs.iter().rev() {
        assert_blacklisted(&api.refresh(&pair.refresh).await);
        assert_eq!(api.me(&pair.access).await.status, 401);
    }
}

// A new password

/// How many clients log in continuously with the old password.
const ATTACKERS: usize = 6;

/// Several changes may happen within one second.
async fn no_session_outlives_a_concurrent_password_change(database: Database) {
    let server = options(&database, "development").start(SERVER);
    let api = TestClient::new(&server.url());
    assert_eq!(api.register("owner").await.status, 201);
    for round in 0..ROUNDS {
        let chain = Chain::start(&api, api.login("owner").await);
        let is_changed = Arc::new(AtomicBool::new(false));
        let count = watch::Sender::new(0);
        let attackers = (0..ATTACKERS).map(|_| log_in_until_refused(api.clone(), is_changed.clone(), count.clone()));
        let attackers: JoinSet<_> = attackers.collect();
        count.subscribe().wait_for(|count| *count >= ATTACKERS * (round + 1)).await.expect("attackers");
        set_password(&server, "Another-horse-43");
        is_changed.store(true, Ordering::SeqCst);
        chain.mark_revoked();
        assert_revoked(&api, &chain.tokens().await).await;
        assert_revoked(&api, &attackers.join_all().await.concat()).await;
        set_password(&server, PASSWORD);
    }
}

// New rights

/// Where staff must use a second factor, the promotion revokes every login without one that began before it, or the login is
/// asked for the factor.
async fn no_login_without_a_second_factor_outlives_a_promotion(database: Database) {
    let options = options(&database, "development").env("AUTH__SECOND_FACTOR__REQUIRED_FOR", "staff");
    let server = without_login_delay(options).start(SERVER);
    let api = TestClient::new(&server.url());
    for round in 0..4 * ROUNDS {
        let name = format!("climber{round}");
        assert_eq!(api.register(&name).await.status, 201);
        let is_promoted = Arc::new(AtomicBool::new(false));
        let count = watch::Sender::new(0);
        let logins = (0..ATTACKERS)
            .map(|_| log_in_until_asked(api.clone(), name.clone(), is_promoted.clone(), count.clone()))
            .collect::<JoinSet<_>>();
        count.subscribe().wait_for(|count| *count >= ATTACKERS).await.expect("logins");
        block_in_place(|| server.users("promote", &name));
        is_promoted.store(true, Ordering::SeqCst);
        assert_revoked(&api, &logins.join_all().await.concat()).await;
    }
}

/// Logs in until a second factor is required; returns the pairs of logins by password alone.
async fn log_in_until_asked(
    api: TestClient,
    name: String,
    is_promoted: Arc<AtomicBool>,
    count: watch::Sender<usize>,
) -> Vec<TokenPair> {
    let mut pairs = Vec::new();
    loop {
        let is_promoted = is_promoted.load(Ordering::SeqCst);
        let answer = api.try_login(&name, PASSWORD).await;
        count.send_modify(|count| *count += 1);
        match answer.status.as_u16() {
            200 => pairs.push(TokenPair::of(&answer)),
            401 => {
                assert_eq!(answer.json()["code"], "second_factor_required", "{}", answer.text);
                return pairs;
            }
            // Too many emails with codes were requested concurrently.
            429 => return pairs,
            status => panic!("{status}: {}", answer.text),
        }
        assert!(!is_promoted, "logged in without a second factor after the promotion");
    }
}

fn set_password(server: &TestServer, password: &str) {
    let command = ["users", "set-password", "owner", "--password-stdin"];
    let output = block_in_place(|| server.run_with_input(command, password));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Logs in until the password is wrong; returns all pairs. After the change no login may succeed.
async fn log_in_until_refused(
    api: TestClient,
    is_changed: Arc<AtomicBool>,
    count: watch::Sender<usize>,
) -> Vec<TokenPair> {
    let mut pairs = Vec::new();
    loop {
        let is_changed = is_changed.load(Ordering::SeqCst);
        let answer = api.post("/api/token/", None, json!({"username": "owner", "password": PASSWORD})).await;
        if answer.status == 401 {
            return pairs;
        }
        pairs.push(TokenPair::of(&answer));
        assert!(!is_changed, "logged in with the old password");
        count.send_modify(|count| *count += 1);
    }
}

// Reuse

async fn concurrent_reuse_revokes_one_session_once(database: Database) {
    let server = options(&database, "development").env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0").start(SERVER);
    let api = TestClient::new(&server.url());
    let stolen = api.register_and_login("victim").await;
    let other_login = api.login("victim").await;
    let bystander = api.register_and_login("bystander").await;
    let newest = TokenPair::of(&api.refresh(&stolen.refresh).await);
    open_connections(&api, RACERS).await;
    let calls = (0..RACERS).map(|_| {
        let (api, token) = (api.clone(), stolen.refresh.clone());
        async move { api.refresh(&token).await }
    });
    run_concurrently(calls).await.iter().for_each(assert_blacklisted);
    assert_revoked(&api, &[stolen.clone(), newest]).await;
    for alive in [other_login, bystander] {
        assert_eq!(api.me(&alive.access).await.status, 200);
        assert_eq!(api.refresh(&alive.refresh).await.status, 200);
    }

    server.terminate();
    server.wait();
    let records = server.log();
    let events: Vec<Value> = records.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let reused: Vec<_> = events.iter().filter(|event| event["fields"]["event"] == "refresh_token_reused").collect();
    assert_eq!(reused.len(), 1, "{reused:?}");
    let stolen = claims_of(&stolen.refresh);
    assert_eq!(reused[0]["fields"]["session"], stolen["sid"]);
    assert_eq!(reused[0]["fields"]["user"].to_string(), stolen["user_id"].as_str().expect("a user ID"));
}
