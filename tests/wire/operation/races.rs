//! Requests at the same moment: what may happen once happens once, and what has ended stays ended.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use auth_tests::cases::OnBothDatabases;
use auth_tests::concurrency::{at_once, connect, eventually};
use auth_tests::server::SIGNING_KEY;
use auth_tests::tokens::{claims_of, signed};
use auth_tests::{Answer, Database, PASSWORD, ServerOptions, TestClient, TestServer, TokenPair, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::{JoinSet, block_in_place};

use crate::SERVER;
use crate::operation::fixture::{assert_blacklisted, options, without_login_delay};

/// How many do the same at once.
const CROWD: usize = 50;

pub(crate) fn trials() -> Vec<Trial> {
    cases![OnBothDatabases =>
        one_name_registered_fifty_times_at_once_is_one_account,
        one_name_in_any_letter_case_is_one_account,
        one_address_in_any_letter_case_is_one_account,
        fifty_refreshes_of_one_token_have_one_winner,
        fifty_refreshes_of_one_token_on_two_servers_have_one_winner,
        fifty_refreshes_of_one_simplejwt_token_on_two_servers_have_one_winner,
        fifty_retries_get_the_same_successor,
        fifty_retries_on_two_servers_get_the_same_successor,
        nothing_of_a_session_outlives_its_logout,
        nothing_of_a_session_outlives_a_logout_of_all,
        nothing_begun_with_an_old_password_outlives_it,
        no_login_without_a_second_factor_becomes_an_administrators,
        fifty_uses_of_a_stolen_token_end_its_session_and_no_other,
    ]
}

// Registration

async fn one_name_registered_fifty_times_at_once_is_one_account(database: Database) {
    let people = (0..CROWD).map(|n| ("racer".to_owned(), format!("racer{n}@example.com")));
    one_account_of(&database, people, json!({"username": ["User with this username already exists."]})).await;
}

async fn one_name_in_any_letter_case_is_one_account(database: Database) {
    let people = (0..CROWD).map(|n| (in_letter_case("photographer", n), format!("racer{n}@example.com")));
    one_account_of(&database, people, json!({"username": ["User with this username already exists."]})).await;
}

async fn one_address_in_any_letter_case_is_one_account(database: Database) {
    let people = (0..CROWD).map(|n| (format!("racer{n}"), in_letter_case("photographer@example.com", n)));
    one_account_of(&database, people, json!({"email": ["User with this email already exists."]})).await;
}

/// The text with those letters in upper case that have a 1 in `pattern`.
fn in_letter_case(text: &str, pattern: usize) -> String {
    let is_upper = |place: usize| place < 12 && pattern >> (place % 6) & 1 == 1;
    text.char_indices().map(|(place, c)| if is_upper(place) { c.to_ascii_uppercase() } else { c }).collect()
}

/// Registers all of them at once: one gets the account, and can log in; the others are told, and cannot.
async fn one_account_of(database: &Database, people: impl Iterator<Item = (String, String)>, refusal: Value) {
    let server = without_login_delay(options(database, "development")).start(SERVER);
    let api = TestClient::new(&server.url());
    connect(&api, CROWD).await;
    let people: Vec<_> = people.collect();
    // A password for each, so that only the one whose registration won can log in.
    let password = |n: usize| format!("{PASSWORD}-{n}");
    let calls = people.iter().enumerate().map(|(n, (username, email))| {
        let body = json!({
            "username": username, "email": email, "first_name": "Al", "password": password(n), "password2": password(n),
        });
        let api = api.clone();
        async move { api.post("/api/register/", None, body).await }
    });
    let answers = at_once(calls).await;
    let (made, refused): (Vec<_>, Vec<_>) = answers.iter().enumerate().partition(|(_, answer)| answer.status == 201);
    for (_, answer) in &refused {
        assert_eq!((answer.status.as_u16(), answer.json()), (400, refusal.clone()));
    }
    assert_eq!(made.len(), 1);
    for (n, (username, _)) in people.iter().enumerate() {
        let login = api.post("/api/token/", None, json!({"username": username, "password": password(n)})).await;
        assert_eq!(login.status, if n == made[0].0 { 200 } else { 401 }, "{username}: {}", login.text);
    }
}

// Refresh

async fn fifty_refreshes_of_one_token_have_one_winner(database: Database) {
    let servers = servers(1, options(&database, "development"));
    let first = servers.apis[0].newcomer("racer").await;
    one_winner(&servers, &first.refresh).await;
}

async fn fifty_refreshes_of_one_token_on_two_servers_have_one_winner(database: Database) {
    let servers = servers(2, options(&database, "development"));
    let first = servers.apis[0].newcomer("racer").await;
    one_winner(&servers, &first.refresh).await;
}

/// The first use of a token from elsewhere also makes its session.
async fn fifty_refreshes_of_one_simplejwt_token_on_two_servers_have_one_winner(database: Database) {
    let servers = servers(2, options(&database, "simplejwt"));
    let own = servers.apis[0].newcomer("racer").await;
    let mut foreign = claims_of(&own.refresh);
    let claims = foreign.as_object_mut().expect("claims");
    claims.retain(|name, _| name != "sid" && name != "gen");
    claims.insert("jti".to_owned(), json!("6f1a0c4de2b94a3f8c5d7e9b1a2c3d4e"));
    one_winner(&servers, &signed(&foreign, SIGNING_KEY)).await;
}

async fn fifty_retries_get_the_same_successor(database: Database) {
    one_successor(&servers(1, replaying(&database))).await;
}

async fn fifty_retries_on_two_servers_get_the_same_successor(database: Database) {
    one_successor(&servers(2, replaying(&database))).await;
}

fn replaying(database: &Database) -> ServerOptions {
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

/// Refreshes one token as often as there are people in the crowd, spread over the servers.
async fn crowd_refreshes(servers: &Servers, token: &str) -> Vec<Answer> {
    for api in &servers.apis {
        connect(api, CROWD / servers.apis.len()).await;
    }
    let calls = servers.apis.iter().cycle().take(CROWD).map(|api| {
        let (api, token) = (api.clone(), token.to_owned());
        async move { api.refresh(&token).await }
    });
    at_once(calls).await
}

async fn one_winner(servers: &Servers, token: &str) {
    let answers = crowd_refreshes(servers, token).await;
    let (winners, losers): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    losers.into_iter().for_each(assert_blacklisted);
    assert_eq!(winners.len(), 1);
    let next = TokenPair::of(winners[0]);
    assert_eq!(claims_of(&next.refresh)["gen"], 1);
    successor_works(servers, &next).await;
}

async fn one_successor(servers: &Servers) {
    let first = servers.apis[0].newcomer("racer").await;
    let pairs: Vec<_> = crowd_refreshes(servers, &first.refresh).await.iter().map(TokenPair::of).collect();
    let successors: BTreeSet<_> = pairs.iter().map(|pair| &pair.refresh).collect();
    assert_eq!(successors.len(), 1);
    let successor = claims_of(&pairs[0].refresh);
    assert_eq!(successor["gen"], 1);
    // The same also to a retry that comes when the clock has gone on.
    let second = || SystemTime::UNIX_EPOCH.elapsed().expect("a time after 1970").as_secs();
    eventually("the next second", async || second() > successor["iat"].as_u64().expect("seconds")).await;
    assert_eq!(TokenPair::of(&servers.apis[0].refresh(&first.refresh).await).refresh, pairs[0].refresh);
    for pair in &pairs {
        assert_eq!(servers.apis[0].me(&pair.access).await.status, 200);
    }
    successor_works(servers, &pairs[0]).await;
}

/// On every server; the session has made one step, not more.
async fn successor_works(servers: &Servers, pair: &TokenPair) {
    let mut newest = pair.clone();
    for (step, api) in servers.apis.iter().enumerate() {
        newest = TokenPair::of(&api.refresh(&newest.refresh).await);
        assert_eq!(claims_of(&newest.refresh)["gen"], step + 2);
        assert_eq!(api.me(&newest.access).await.status, 200);
    }
}

// Logout

/// How many sessions are refreshed at once while somebody logs out; and how often that is tried, for a logout meets a
/// refresh at its weakest moment by chance.
const SESSIONS: usize = 6;
const ROUNDS: usize = 5;

async fn nothing_of_a_session_outlives_its_logout(database: Database) {
    let servers = servers(2, options(&database, "development"));
    assert_eq!(servers.apis[0].register("leaver").await.status, 201);
    for round in 0..ROUNDS {
        let mut logouts = Vec::new();
        for n in 0..SESSIONS {
            // Refreshed on one server; logged out of on the same, or on the other.
            let here = servers.apis[n % 2].clone();
            let there = servers.apis[usize::from(n >= SESSIONS / 2) ^ (n % 2)].clone();
            let chain = Chain::start(&here, here.login("leaver").await);
            // After another number of refreshes for each session, with whatever token is at hand then.
            logouts.push(log_out_of(chain, 2 * n + round, there));
        }
        at_once(logouts).await;
    }
}

async fn log_out_of(chain: Chain, after: usize, api: TestClient) {
    let pair = chain.after(after).await;
    let logout = api.logout(&pair.access, json!({"refresh": pair.refresh})).await;
    chain.has_ended();
    assert_eq!(logout.status, 200, "{}", logout.text);
    assert_dead(&api, &chain.tokens().await).await;
}

async fn nothing_of_a_session_outlives_a_logout_of_all(database: Database) {
    let servers = servers(2, options(&database, "development"));
    let [here, there] = [0, 1].map(|server| &servers.apis[server]);
    assert_eq!(here.register("leaver").await.status, 201);
    let bystander = Chain::start(here, here.newcomer("bystander").await);
    for round in 0..ROUNDS {
        let own = there.login("leaver").await;
        let mut chains = Vec::new();
        for n in 0..SESSIONS {
            let api = &servers.apis[n % 2];
            chains.push(Chain::start(api, api.login("leaver").await));
        }
        for chain in &chains {
            chain.after(2 + round).await;
        }
        let logout = there.logout(&own.access, json!({"all": true})).await;
        chains.iter().for_each(Chain::has_ended);
        assert_eq!(logout.status, 200, "{}", logout.text);
        assert_dead(there, &[own]).await;
        for chain in chains {
            assert_dead(there, &chain.tokens().await).await;
        }
    }
    let others = bystander.stop().await;
    assert_eq!(here.refresh(&others.last().expect("a token").refresh).await.status, 200);
    assert_eq!(here.me(&others[0].access).await.status, 200);
}

/// A client that refreshes its session as fast as it can.
struct Chain {
    newest: watch::Receiver<(usize, TokenPair)>,
    has_ended: Arc<AtomicBool>,
    is_to_stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<Vec<TokenPair>>,
}

impl Chain {
    fn start(api: &TestClient, first: TokenPair) -> Self {
        let (has_ended, is_to_stop) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let (report, newest) = watch::channel((0, first.clone()));
        let task =
            tokio::spawn(refresh_until_refused(api.clone(), first, report, has_ended.clone(), is_to_stop.clone()));
        Self { newest, has_ended, is_to_stop, task }
    }

    /// Waits for so many refreshes; gives the newest pair.
    async fn after(&self, count: usize) -> TokenPair {
        let mut newest = self.newest.clone();
        let reached = newest.wait_for(|(done, _)| *done >= count).await;
        reached.expect("the session is refreshed until its end").1.clone()
    }

    /// From now on no refresh may succeed.
    fn has_ended(&self) {
        self.has_ended.store(true, Ordering::SeqCst);
    }

    /// Waits until it is refused; gives all tokens it ever had.
    async fn tokens(self) -> Vec<TokenPair> {
        self.task.await.expect("every refresh is answered as it should be")
    }

    /// Lets it stop by itself; gives all tokens it ever had.
    async fn stop(self) -> Vec<TokenPair> {
        self.is_to_stop.store(true, Ordering::SeqCst);
        self.tokens().await
    }
}

async fn refresh_until_refused(
    api: TestClient,
    first: TokenPair,
    report: watch::Sender<(usize, TokenPair)>,
    has_ended: Arc<AtomicBool>,
    is_to_stop: Arc<AtomicBool>,
) -> Vec<TokenPair> {
    let mut pairs = vec![first];
    while !is_to_stop.load(Ordering::SeqCst) {
        let has_ended = has_ended.load(Ordering::SeqCst);
        let answer = api.refresh(&pairs[pairs.len() - 1].refresh).await;
        if answer.status != 200 {
            assert_blacklisted(&answer);
            return pairs;
        }
        assert!(!has_ended, "refreshed after its logout was answered");
        pairs.push(TokenPair::of(&answer));
        report.send_replace((pairs.len() - 1, pairs[pairs.len() - 1].clone()));
    }
    pairs
}

/// Tries every token, the newest one first: a spent one would end the session, if it were alive.
async fn assert_dead(api: &TestClient, pairs: &[TokenPair]) {
    for pair in pairs.iter().rev() {
        assert_blacklisted(&api.refresh(&pair.refresh).await);
        assert_eq!(api.me(&pair.access).await.status, 401);
    }
}

// A new password

/// How many people know the old password, and log in as fast as they can.
const INTRUDERS: usize = 6;

/// Also when several changes fall into one second.
async fn nothing_begun_with_an_old_password_outlives_it(database: Database) {
    let server = options(&database, "development").start(SERVER);
    let api = TestClient::new(&server.url());
    assert_eq!(api.register("owner").await.status, 201);
    for round in 0..ROUNDS {
        let chain = Chain::start(&api, api.login("owner").await);
        let is_changed = Arc::new(AtomicBool::new(false));
        let count = watch::Sender::new(0);
        let intruders = (0..INTRUDERS).map(|_| log_in_until_refused(api.clone(), is_changed.clone(), count.clone()));
        let intruders: JoinSet<_> = intruders.collect();
        count.subscribe().wait_for(|count| *count >= INTRUDERS * (round + 1)).await.expect("intruders");
        set_password(&server, "Another-horse-43");
        is_changed.store(true, Ordering::SeqCst);
        chain.has_ended();
        assert_dead(&api, &chain.tokens().await).await;
        assert_dead(&api, &intruders.join_all().await.concat()).await;
        set_password(&server, PASSWORD);
    }
}

// New rights

/// Where administrators have to show a second factor, a login that began before the promotion has either ended with it, or
/// is asked for the factor.
async fn no_login_without_a_second_factor_becomes_an_administrators(database: Database) {
    let options = options(&database, "development").env("AUTH__SECOND_FACTOR__REQUIRED_FOR", "staff");
    let server = without_login_delay(options).start(SERVER);
    let api = TestClient::new(&server.url());
    for round in 0..4 * ROUNDS {
        let name = format!("climber{round}");
        assert_eq!(api.register(&name).await.status, 201);
        let is_promoted = Arc::new(AtomicBool::new(false));
        let count = watch::Sender::new(0);
        let logins = (0..INTRUDERS)
            .map(|_| log_in_until_asked(api.clone(), name.clone(), is_promoted.clone(), count.clone()))
            .collect::<JoinSet<_>>();
        count.subscribe().wait_for(|count| *count >= INTRUDERS).await.expect("logins");
        block_in_place(|| server.users("promote", &name));
        is_promoted.store(true, Ordering::SeqCst);
        assert_dead(&api, &logins.join_all().await.concat()).await;
    }
}

/// The pairs of the logins by the password alone.
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
            // Asked for by email, of so many at once.
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

/// Gives all pairs it got. After the change it must get none.
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
        assert!(!is_changed, "logged in with a password that was replaced");
        count.send_modify(|count| *count += 1);
    }
}

// Reuse

async fn fifty_uses_of_a_stolen_token_end_its_session_and_no_other(database: Database) {
    let server = options(&database, "development").env("AUTH__TOKENS__RETRY_WINDOW_SECONDS", "0").start(SERVER);
    let api = TestClient::new(&server.url());
    let stolen = api.newcomer("victim").await;
    let other_login = api.login("victim").await;
    let bystander = api.newcomer("bystander").await;
    let newest = TokenPair::of(&api.refresh(&stolen.refresh).await);
    connect(&api, CROWD).await;
    let calls = (0..CROWD).map(|_| {
        let (api, token) = (api.clone(), stolen.refresh.clone());
        async move { api.refresh(&token).await }
    });
    at_once(calls).await.iter().for_each(assert_blacklisted);
    assert_dead(&api, &[stolen.clone(), newest]).await;
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
    assert_eq!(reused[0]["fields"]["user"].to_string(), stolen["user_id"].as_str().expect("an id"));
}
