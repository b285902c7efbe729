//! Records what clients were told while their server was killed or lost its database, and checks that it still holds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use auth_tests::tokens::claims_of;
use auth_tests::{Answer, PASSWORD, TestClient, TokenPair};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::sync::watch;

use crate::operation::fixture::assert_blacklisted;

/// The outcome of a request.
pub(crate) enum Outcome {
    /// The request was answered.
    Answer(Answer),
    /// The request got no answer or a 503, so its effect is unknown.
    Unknown,
}

/// Sends a request to a server that may be killed meanwhile.
async fn send(api: &TestClient, method: Method, path: &str, bearer: Option<&str>, body: &Value) -> Outcome {
    let mut request = api.http.request(method, format!("{}{path}", api.url)).json(body);
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    let answer = async { Answer::try_of(request.send().await?).await }.await;
    match answer {
        Ok(answer) if answer.status == 503 => {
            auth_tests::answers::assert_unavailable(path, &answer);
            Outcome::Unknown
        }
        Ok(answer) => Outcome::Answer(answer),
        Err(_) => Outcome::Unknown,
    }
}

async fn post(api: &TestClient, path: &str, bearer: Option<&str>, body: Value) -> Outcome {
    send(api, Method::POST, path, bearer, &body).await
}

/// The acknowledged refreshes of all clients.
pub(crate) struct Ledger {
    /// Maps each refresh token to its successor.
    successors: Mutex<HashMap<String, String>>,
    refreshes: watch::Sender<usize>,
}

impl Ledger {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { successors: Mutex::default(), refreshes: watch::Sender::new(0) })
    }

    /// Records a refresh. Panics if the token already has a different successor.
    fn acknowledge(&self, token: &str, successor: &str) {
        let mut successors = self.successors.lock().expect("a lock");
        let acknowledged_count = successors.entry(token.to_owned()).or_insert_with(|| successor.to_owned());
        assert_eq!(claims_of(acknowledged_count), claims_of(successor), "one token has two successors");
        assert_eq!(acknowledged_count, successor, "one token has two successors");
        let generations = [token, successor].map(|token| claims_of(token)["gen"].as_u64().expect("a number"));
        assert_eq!(generations[0] + 1, generations[1]);
        drop(successors);
        self.refreshes.send_modify(|count| *count += 1);
    }

    /// Returns how many refreshes were acknowledged.
    pub(crate) fn refreshes(&self) -> usize {
        *self.refreshes.borrow()
    }

    /// Waits for `count` more acknowledged refreshes.
    pub(crate) async fn more_refreshes(&self, count: usize) {
        let goal = self.refreshes() + count;
        self.refreshes.subscribe().wait_for(|done| *done >= goal).await.expect("a ledger");
    }
}

/// A client that sends requests until the outcome of one is unknown, and then checks all acknowledged ones.
pub(crate) enum Client {
    Rotator(Rotator),
    Leaver(Leaver),
    Registrar(Registrar),
    Editor(Editor),
}

impl Client {
    /// Creates `rotators` clients that refresh, and one or two of each other kind.
    pub(crate) async fn create_all(api: &TestClient, ledger: &Arc<Ledger>, rotators: usize) -> Vec<Self> {
        let mut create_all = vec![
            Self::Registrar(Registrar::default()),
            Self::Editor(Editor {
                access: api.register_and_login("editor").await.access,
                acknowledged_count: 0,
                sent_count: 0,
            }),
        ];
        for n in 0..2 {
            let name = format!("leaver{n}");
            assert_eq!(api.register(&name).await.status, 201);
            create_all.push(Self::Leaver(Leaver { name, revoked: Vec::new() }));
        }
        for n in 0..rotators {
            let newest = api.register_and_login(&format!("rotator{n}")).await;
            create_all.push(Self::Rotator(Rotator { newest, ledger: ledger.clone() }));
        }
        create_all
    }

    /// Sends requests until the outcome of one is unknown.
    pub(crate) async fn work(mut self, api: TestClient) -> Self {
        while match &mut self {
            Self::Rotator(client) => client.step(&api).await,
            Self::Leaver(client) => client.step(&api).await,
            Self::Registrar(client) => client.step(&api).await,
            Self::Editor(client) => client.step(&api).await,
        } {}
        self
    }

    /// Checks that the server has kept everything it acknowledged.
    pub(crate) async fn check(&mut self, api: &TestClient) {
        match self {
            Self::Rotator(client) => client.check(api).await,
            Self::Leaver(client) => client.check(api).await,
            Self::Registrar(client) => client.check(api).await,
            Self::Editor(client) => client.check(api).await,
        }
    }

    /// Returns how many requests of this client were acknowledged.
    pub(crate) fn acknowledged(&self) -> usize {
        match self {
            Self::Rotator(client) => claims_of(&client.newest.refresh)["gen"].as_u64().unwrap_or(0) as usize,
            Self::Leaver(client) => client.revoked.len(),
            Self::Registrar(client) => client.registered.len(),
            Self::Editor(client) => client.acknowledged_count,
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
            Outcome::Answer(answer) => {
                let next = TokenPair::of(&answer);
                self.ledger.acknowledge(&self.newest.refresh, &next.refresh);
                self.newest = next;
                true
            }
            Outcome::Unknown => false,
        }
    }

    /// Its newest token is live, or was used for an answer that was lost; then a replay returns the successor.
    async fn check(&mut self, api: &TestClient) {
        assert_eq!(api.me(&self.newest.access).await.status, 200);
        assert!(self.step(api).await);
    }
}

/// Logs in, refreshes and logs out.
pub(crate) struct Leaver {
    name: String,
    revoked: Vec<[TokenPair; 2]>,
}

impl Leaver {
    async fn step(&mut self, api: &TestClient) -> bool {
        let login = json!({"username": self.name, "password": PASSWORD});
        let Outcome::Answer(login) = post(api, "/api/token/", None, login).await else { return false };
        let first = TokenPair::of(&login);
        let refresh = json!({"refresh": first.refresh});
        let Outcome::Answer(next) = post(api, "/api/token/refresh/", None, refresh).await else { return false };
        let second = TokenPair::of(&next);
        let logout = json!({"refresh": second.refresh});
        let Outcome::Answer(logout) = post(api, "/api/logout/", Some(&second.access), logout).await else {
            return false;
        };
        assert_eq!(logout.status, 200, "{}", logout.text);
        self.revoked.push([first, second]);
        true
    }

    /// Checks that every logged-out session is revoked.
    async fn check(&mut self, api: &TestClient) {
        for [first, second] in &self.revoked {
            assert_blacklisted(&api.refresh(&second.refresh).await);
            assert_blacklisted(&api.refresh(&first.refresh).await);
            assert_eq!(api.me(&second.access).await.status, 401);
        }
    }
}

/// Registers accounts.
#[derive(Default)]
pub(crate) struct Registrar {
    attempts: usize,
    registered: Vec<String>,
}

impl Registrar {
    async fn step(&mut self, api: &TestClient) -> bool {
        self.attempts += 1;
        let name = format!("newcomer{}", self.attempts);
        let body = json!({
            "username": name, "email": format!("{name}@example.com"), "first_name": "Al",
            "password": PASSWORD, "password2": PASSWORD,
        });
        let Outcome::Answer(answer) = post(api, "/api/register/", None, body).await else { return false };
        assert_eq!(answer.status, 201, "{}", answer.text);
        self.registered.push(name);
        true
    }

    /// Checks that every registered user can log in.
    async fn check(&mut self, api: &TestClient) {
        for name in &self.registered {
            api.login(name).await;
        }
    }
}

/// Changes its profile repeatedly.
pub(crate) struct Editor {
    access: String,
    acknowledged_count: usize,
    sent_count: usize,
}

impl Editor {
    async fn step(&mut self, api: &TestClient) -> bool {
        self.sent_count += 1;
        let body = json!({"first_name": format!("N{}", self.sent_count)});
        let outcome = send(api, Method::PATCH, "/api/users/me/", Some(&self.access), &body).await;
        let Outcome::Answer(answer) = outcome else { return false };
        assert_eq!(answer.status, 200, "{}", answer.text);
        self.acknowledged_count = self.sent_count;
        true
    }

    /// The first name must be the one of the last acknowledged or of the last sent request.
    async fn check(&mut self, api: &TestClient) {
        let me = api.me(&self.access).await;
        assert_eq!(me.status, 200, "{}", me.text);
        let name = me.field("first_name");
        assert!(
            [self.acknowledged_count, self.sent_count]
                .iter()
                .any(|n| name == format!("N{n}") || (*n == 0 && name == "Al"))
        );
        self.acknowledged_count = self.sent_count.min(name[1..].parse().unwrap_or(0));
    }
}
