//! What clients were told while their server was killed, or lost its database; and whether it is all still so.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use auth_tests::tokens::claims_of;
use auth_tests::{Answer, PASSWORD, TestClient, TokenPair};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::operation::fixture::assert_blacklisted;

/// What became of a request.
pub(crate) enum Told {
    /// It was answered.
    Answer(Answer),
    /// It was not, or with a 503: whether it was done is not known.
    Nothing,
}

/// Sends a request to a server that may die meanwhile.
async fn send(api: &TestClient, method: Method, path: &str, bearer: Option<&str>, body: &Value) -> Told {
    let mut request = api.http.request(method, format!("{}{path}", api.url)).json(body);
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    let answer = async { Answer::try_of(request.send().await?).await }.await;
    match answer {
        Ok(answer) if answer.status == 503 => {
            auth_tests::answers::assert_unavailable(path, &answer);
            Told::Nothing
        }
        Ok(answer) => Told::Answer(answer),
        Err(_) => Told::Nothing,
    }
}

async fn post(api: &TestClient, path: &str, bearer: Option<&str>, body: Value) -> Told {
    send(api, Method::POST, path, bearer, &body).await
}

/// What was acknowledged, by everybody.
pub(crate) struct Ledger {
    /// The successor of each refresh token.
    successors: Mutex<HashMap<String, String>>,
    refreshes: watch::Sender<usize>,
}

impl Ledger {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { successors: Mutex::default(), refreshes: watch::Sender::new(0) })
    }

    /// Notes a refresh. No token may ever have two successors.
    fn acknowledge(&self, token: &str, successor: &str) {
        let mut successors = self.successors.lock().expect("a lock");
        let known = successors.entry(token.to_owned()).or_insert_with(|| successor.to_owned());
        assert_eq!(claims_of(known), claims_of(successor), "a fork: two successors of one token");
        assert_eq!(known, successor, "a fork: two successors of one token");
        let generations = [token, successor].map(|token| claims_of(token)["gen"].as_u64().expect("a number"));
        assert_eq!(generations[0] + 1, generations[1]);
        drop(successors);
        self.refreshes.send_modify(|count| *count += 1);
    }

    /// How many refreshes were acknowledged.
    pub(crate) fn refreshes(&self) -> usize {
        *self.refreshes.borrow()
    }

    /// Waits for so many more acknowledged refreshes.
    pub(crate) async fn more_refreshes(&self, count: usize) {
        let goal = self.refreshes() + count;
        self.refreshes.subscribe().wait_for(|done| *done >= goal).await.expect("a ledger");
    }
}

/// A client that works until it is told nothing, and then checks what it was told before.
pub(crate) enum Client {
    Rotator(Rotator),
    Leaver(Leaver),
    Newcomers(Newcomers),
    Editor(Editor),
}

impl Client {
    /// So many that refresh, and of the others one or two.
    pub(crate) async fn crowd(api: &TestClient, ledger: &Arc<Ledger>, rotators: usize) -> Vec<Self> {
        let mut crowd = vec![
            Self::Newcomers(Newcomers::default()),
            Self::Editor(Editor { access: api.newcomer("editor").await.access, known: 0, perhaps: 0 }),
        ];
        for n in 0..2 {
            let name = format!("leaver{n}");
            assert_eq!(api.register(&name).await.status, 201);
            crowd.push(Self::Leaver(Leaver { name, dead: Vec::new() }));
        }
        for n in 0..rotators {
            let newest = api.newcomer(&format!("rotator{n}")).await;
            crowd.push(Self::Rotator(Rotator { newest, ledger: ledger.clone() }));
        }
        crowd
    }

    /// Works until it is told nothing.
    pub(crate) async fn work(mut self, api: TestClient) -> Self {
        while match &mut self {
            Self::Rotator(client) => client.step(&api).await,
            Self::Leaver(client) => client.step(&api).await,
            Self::Newcomers(client) => client.step(&api).await,
            Self::Editor(client) => client.step(&api).await,
        } {}
        self
    }

    /// Checks that the server knows all that it acknowledged.
    pub(crate) async fn check(&mut self, api: &TestClient) {
        match self {
            Self::Rotator(client) => client.check(api).await,
            Self::Leaver(client) => client.check(api).await,
            Self::Newcomers(client) => client.check(api).await,
            Self::Editor(client) => client.check(api).await,
        }
    }

    /// How much of what it checks was acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        match self {
            Self::Rotator(client) => claims_of(&client.newest.refresh)["gen"].as_u64().unwrap_or(0) as usize,
            Self::Leaver(client) => client.dead.len(),
            Self::Newcomers(client) => client.made.len(),
            Self::Editor(client) => client.known,
        }
    }
}

/// Refreshes its session.
pub(crate) struct Rotator {
    newest: TokenPair,
    ledger: Arc<Ledger>,
}

impl Rotator {
    async fn step(&mut self, api: &TestClient) -> bool {
        match post(api, "/api/token/refresh/", None, json!({"refresh": self.newest.refresh})).await {
            Told::Answer(answer) => {
                let next = TokenPair::of(&answer);
                self.ledger.acknowledge(&self.newest.refresh, &next.refresh);
                self.newest = next;
                true
            }
            Told::Nothing => false,
        }
    }

    /// Its newest token is live, or was spent for an answer that was lost: then the same answer is to be had again.
    async fn check(&mut self, api: &TestClient) {
        assert_eq!(api.me(&self.newest.access).await.status, 200);
        assert!(self.step(api).await);
    }
}

/// Logs in, refreshes, and logs out.
pub(crate) struct Leaver {
    name: String,
    dead: Vec<[TokenPair; 2]>,
}

impl Leaver {
    async fn step(&mut self, api: &TestClient) -> bool {
        let login = json!({"username": self.name, "password": PASSWORD});
        let Told::Answer(login) = post(api, "/api/token/", None, login).await else { return false };
        let first = TokenPair::of(&login);
        let refresh = json!({"refresh": first.refresh});
        let Told::Answer(next) = post(api, "/api/token/refresh/", None, refresh).await else { return false };
        let second = TokenPair::of(&next);
        let logout = json!({"refresh": second.refresh});
        let Told::Answer(logout) = post(api, "/api/logout/", Some(&second.access), logout).await else { return false };
        assert_eq!(logout.status, 200, "{}", logout.text);
        self.dead.push([first, second]);
        true
    }

    /// Nothing that it logged out of is alive.
    async fn check(&mut self, api: &TestClient) {
        for [first, second] in &self.dead {
            assert_blacklisted(&api.refresh(&second.refresh).await);
            assert_blacklisted(&api.refresh(&first.refresh).await);
            assert_eq!(api.me(&second.access).await.status, 401);
        }
    }
}

/// Registers one account after the other.
#[derive(Default)]
pub(crate) struct Newcomers {
    tried: usize,
    made: Vec<String>,
}

impl Newcomers {
    async fn step(&mut self, api: &TestClient) -> bool {
        self.tried += 1;
        let name = format!("newcomer{}", self.tried);
        let body = json!({
            "username": name, "email": format!("{name}@example.com"), "first_name": "Al",
            "password": PASSWORD, "password2": PASSWORD,
        });
        let Told::Answer(answer) = post(api, "/api/register/", None, body).await else { return false };
        assert_eq!(answer.status, 201, "{}", answer.text);
        self.made.push(name);
        true
    }

    /// Each can log in.
    async fn check(&mut self, api: &TestClient) {
        for name in &self.made {
            api.login(name).await;
        }
    }
}

/// Changes its profile again and again.
pub(crate) struct Editor {
    access: String,
    known: usize,
    perhaps: usize,
}

impl Editor {
    async fn step(&mut self, api: &TestClient) -> bool {
        self.perhaps += 1;
        let body = json!({"first_name": format!("N{}", self.perhaps)});
        let told = send(api, Method::PATCH, "/api/users/me/", Some(&self.access), &body).await;
        let Told::Answer(answer) = told else { return false };
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.known = self.perhaps;
        true
    }

    /// It is called as it was told, or as it last wanted to be.
    async fn check(&mut self, api: &TestClient) {
        let me = api.me(&self.access).await;
        assert_eq!(me.status, 200, "{}", me.text);
        let name = me.field("first_name");
        assert!([self.known, self.perhaps].iter().any(|n| name == format!("N{n}") || (*n == 0 && name == "Al")));
        self.known = self.perhaps.min(name[1..].parse().unwrap_or(0));
    }
}
