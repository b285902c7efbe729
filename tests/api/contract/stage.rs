//! A few accounts with their tokens, on a service: where rows are played.

use std::collections::BTreeMap;
use std::sync::LazyLock;
use std::time::Duration;

use reqwest::blocking::Client;
use reqwest::{Method, redirect};
use serde_json::{Map, Value, json};

use crate::answer::{Answer, Expected, ensure};
use crate::claims;
use crate::forge::{Draft, Kind, RECIPES, open};
use crate::plan::{self, STAND_INS, Step, Token};
use crate::product::own_way;
use crate::recording::Row;
use crate::request::{PLACEHOLDER, Request, placeholders};
use crate::target::Target;

const PASSWORD: &str = "Correct-horse-42";

/// One connection for each request: none is ever closed under a request that is just being sent.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let client = Client::builder().redirect(redirect::Policy::none()).pool_max_idle_per_host(0);
    client.timeout(Duration::from_secs(60)).build().expect("an HTTP client")
});

/// An account as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) username: String,
    pub(crate) email: String,
}

#[derive(Clone)]
struct Pair {
    access: String,
    refresh: String,
}

impl Pair {
    fn read(body: &Value) -> Option<Self> {
        let token = |name: &str| body[name].as_str().map(str::to_owned);
        Some(Self { access: token("access")?, refresh: token("refresh")? })
    }

    fn of(&self, kind: Kind) -> String {
        match kind {
            Kind::Access => self.access.clone(),
            Kind::Refresh => self.refresh.clone(),
        }
    }
}

/// Where a chain of rows is played. Everything in it is made when it is first needed.
pub(crate) struct Stage<'a> {
    target: &'a dyn Target,
    allowed: &'a BTreeMap<String, String>,
    /// Makes the names of its accounts unlike all others.
    name: String,
    alice: Option<Account>,
    bob: Option<Account>,
    login: Option<Pair>,
    second_login: Option<Pair>,
    login_of_bob: Option<Pair>,
    refreshed: Option<Pair>,
}

impl<'a> Stage<'a> {
    pub(crate) fn new(target: &'a dyn Target, allowed: &'a BTreeMap<String, String>, name: &str) -> Self {
        Self {
            target,
            allowed,
            name: name.to_lowercase(),
            alice: None,
            bob: None,
            login: None,
            second_login: None,
            login_of_bob: None,
            refreshed: None,
        }
    }

    /// Plays a row: prepares it, sends it, and says how the answer differs.
    pub(crate) fn play(&mut self, row: &Row) -> Result<(), String> {
        if row.method.is_empty() { self.show_claims(row) } else { self.exchange(row) }
    }

    fn exchange(&mut self, row: &Row) -> Result<(), String> {
        let text = plan::request(row);
        ensure(!text.contains(" chars)"), || "abbreviated, and no table completes it".to_owned())?;
        let text = self.with_names(row, &text)?;
        let (bearer, token) = self.tokens(row, &text)?;
        self.prepare(row)?;
        let request = Request::parse(&text, &bearer, &token)?;
        let answer = self.ask(row, &request, &bearer)?;
        let shown = answer.to_string();
        let expected = self.expected(row, &Request::parse(&self.without_names(&text), "", "")?);
        let checked = self.read(answer, &token).and_then(|answer| expected.check(&answer));
        checked.map_err(|difference| format!("{difference}\n  answer: {shown}"))
    }

    fn ask(&self, row: &Row, request: &Request, bearer: &str) -> Result<Answer, String> {
        let path = stand_in(&row.path).replace(PLACEHOLDER, bearer);
        let method = Method::from_bytes(row.method.as_bytes()).map_err(|error| error.to_string())?;
        let sent = request.apply(CLIENT.request(method, format!("{}{path}", self.target.url()))).send();
        Answer::read(sent.map_err(|error| format!("no answer: {error:?}"))?)
    }

    /// The claims of a token, of which the recording has a row.
    fn show_claims(&mut self, row: &Row) -> Result<(), String> {
        self.prepare(row)?;
        let token = self.token(plan::token(row, Kind::Refresh)?)?;
        let recorded = match own_way(row) {
            Some(answer) => answer.status_and_body().1.to_string(),
            None => row.body.clone(),
        };
        let recorded = recorded.replace("alice", &self.name_of("alice"));
        let recorded: Value = serde_json::from_str(&recorded).map_err(|error| error.to_string())?;
        claims::compare(&token, &recorded)
    }

    fn expected(&self, row: &Row, request: &Request) -> Expected {
        let stands_in = stand_in(&row.path) != row.path;
        let recorded_allow = row.headers.get("allow").cloned();
        let allow = match own_way(row) {
            Some(_) if row.status == 500 => self.allowed.get(&stand_in(&row.path)).cloned(),
            _ if stands_in && recorded_allow.is_some() => self.allowed.get(path_of(&stand_in(&row.path))).cloned(),
            _ => recorded_allow,
        };
        let expected = match own_way(row) {
            Some(answer) => Expected::own(answer),
            None => Expected::recorded(row, request, stands_in),
        };
        expected.allowing(allow).moved(stand_in)
    }

    /// Checks the tokens and the profile in an answer, and gives it with `<jwt>` for tokens and the recording's names.
    fn read(&mut self, answer: Answer, presented: &str) -> Result<Answer, String> {
        let mut text = self.without_names(&answer.text);
        if let Some(pair) = Pair::read(&answer.body) {
            self.check_pair(&pair, presented)?;
            text = text.replace(&pair.access, PLACEHOLDER).replace(&pair.refresh, PLACEHOLDER);
            self.refreshed = Some(pair);
        }
        if answer.status == 200 && answer.body["date_joined"].is_string() {
            self.check_profile(&answer.body)?;
        }
        Ok(answer.with_text(text))
    }

    fn check_pair(&mut self, pair: &Pair, presented: &str) -> Result<(), String> {
        let presented = open(presented).map_or_else(|_| Map::new(), |(_, claims)| claims);
        let is_bobs = |bob: &&Account| presented.get("user_id") == Some(&json!(bob.id.to_string()));
        let account = self.bob.as_ref().filter(is_bobs).or(self.alice.as_ref()).ok_or("tokens of nobody")?;
        [Kind::Refresh, Kind::Access].into_iter().try_for_each(|kind| {
            let checked = claims::check(&pair.of(kind), kind, account, &presented);
            checked.map_err(|difference| format!("{} token: {difference}", kind.name()))
        })
    }

    /// The profile is alice's. Takes note of her address, which she may have changed.
    fn check_profile(&mut self, body: &Value) -> Result<(), String> {
        let account = self.alice.as_mut().ok_or("the profile of nobody")?;
        ensure(body["id"] == account.id, || format!("id is {}, that of the account {}", body["id"], account.id))?;
        account.email = body["email"].as_str().unwrap_or_default().to_owned();
        Ok(())
    }

    fn name_of(&self, person: &str) -> String {
        format!("{person}-{}", self.name)
    }

    /// Puts the names of this stage into a text; registers those whom it needs.
    fn with_names(&mut self, row: &Row, text: &str) -> Result<String, String> {
        let needs = |name: &str| text.contains(name) || text.contains(&name.to_uppercase());
        if needs("bob") {
            self.bob()?;
        }
        if needs("alice") && row.area != "register" {
            self.alice()?;
        }
        let named = ["alice", "bob"].iter().fold(text.to_owned(), |text, person| {
            let name = self.name_of(person);
            text.replace(&person.to_uppercase(), &name.to_uppercase()).replace(person, &name)
        });
        Ok(named)
    }

    /// A text with the names of the recording.
    fn without_names(&self, text: &str) -> String {
        text.replace(&self.name_of("alice"), "alice").replace(&self.name_of("bob"), "bob")
    }

    /// The tokens for the headers (or the path) and for the body; empty where there is none.
    fn tokens(&mut self, row: &Row, text: &str) -> Result<(String, String), String> {
        let (in_headers, in_body) = placeholders(text);
        let (mut bearer, mut token) = (String::new(), String::new());
        if in_headers || row.path.contains(PLACEHOLDER) {
            bearer = self.token(plan::bearer(row)?)?;
        }
        if in_body {
            let kind = if text.contains(r#""token""#) { Kind::Access } else { Kind::Refresh };
            token = self.token(plan::token(row, kind)?)?;
        }
        Ok((bearer, token))
    }

    fn token(&mut self, token: Token) -> Result<String, String> {
        match token {
            Token::Issued(kind) => Ok(self.login()?.of(kind)),
            Token::OfSecondLogin => Ok(self.second_login.as_ref().ok_or("no second login")?.refresh.clone()),
            Token::Refreshed(kind) => Ok(self.refreshed.as_ref().ok_or("no refresh so far")?.of(kind)),
            Token::OfBob => {
                if self.login_of_bob.is_none() {
                    let bob = self.bob()?;
                    self.login_of_bob = Some(self.log_in(&bob)?);
                }
                self.login_of_bob.as_ref().map(|pair| pair.refresh.clone()).ok_or_else(String::new)
            }
            Token::Forged(kind, name) => {
                let alice = self.alice()?;
                let recipe = RECIPES.iter().find(|(known, _)| *known == name).ok_or("no such recipe")?;
                Ok(recipe.1(Draft::new(kind, alice.id, &alice.email)))
            }
        }
    }

    fn prepare(&mut self, row: &Row) -> Result<(), String> {
        let Some(step) = plan::step(row) else { return Ok(()) };
        let alice = self.alice()?;
        match step {
            Step::Deactivate => self.target.users("deactivate", &alice.username),
            Step::Delete => self.target.users("delete", &alice.username),
            Step::Blacklist => {
                let refresh = self.login()?.refresh;
                self.send(Method::POST, "/api/token/blacklist/", None, &json!({"refresh": refresh})).map(drop)
            }
            Step::LogInAgain => {
                self.login()?;
                self.second_login = Some(self.log_in(&alice)?);
                Ok(())
            }
            Step::Exchange(token) => {
                let refresh = self.token(token)?;
                let body = self.send(Method::POST, "/api/token/refresh/", None, &json!({"refresh": refresh}))?;
                self.refreshed = Pair::read(&body);
                Ok(())
            }
            Step::ChangeEmail => {
                let bearer = self.login()?.access;
                let change = json!({"email": format!("new-{}", alice.email)});
                let body = self.send(Method::PATCH, "/api/users/me/", Some(&bearer), &change)?;
                self.login = None;
                self.check_profile(&body)
            }
        }
    }

    fn alice(&mut self) -> Result<Account, String> {
        if self.alice.is_none() {
            self.alice = Some(self.register("alice")?);
        }
        self.alice.clone().ok_or_else(String::new)
    }

    fn bob(&mut self) -> Result<Account, String> {
        if self.bob.is_none() {
            self.bob = Some(self.register("bob")?);
        }
        self.bob.clone().ok_or_else(String::new)
    }

    fn login(&mut self) -> Result<Pair, String> {
        if self.login.is_none() {
            let alice = self.alice()?;
            self.login = Some(self.log_in(&alice)?);
        }
        self.login.clone().ok_or_else(String::new)
    }

    fn register(&self, person: &str) -> Result<Account, String> {
        let username = self.name_of(person);
        let email = format!("{username}@example.com");
        let body = json!({
            "username": username, "email": email, "first_name": "Alice", "password": PASSWORD, "password2": PASSWORD,
        });
        let body = self.send(Method::POST, "/api/register/", None, &body)?;
        Ok(Account { id: body["id"].as_i64().ok_or("an account without an id")?, username, email })
    }

    fn log_in(&self, account: &Account) -> Result<Pair, String> {
        let credentials = json!({"username": account.username, "password": PASSWORD});
        let body = self.send(Method::POST, "/api/token/", None, &credentials)?;
        Pair::read(&body).ok_or_else(|| format!("no tokens: {body}"))
    }

    /// Sends a request that prepares a row, and that has to succeed.
    fn send(&self, method: Method, path: &str, bearer: Option<&str>, body: &Value) -> Result<Value, String> {
        let mut request = CLIENT.request(method, format!("{}{path}", self.target.url())).json(body);
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        let response = request.send().map_err(|error| format!("preparing at {path}: {error:?}"))?;
        let answer = Answer::read(response)?;
        ensure((200..300).contains(&answer.status), || format!("preparing at {path}: {answer}"))?;
        Ok(answer.body)
    }
}

/// The path here for one of the recording.
fn stand_in(path: &str) -> String {
    STAND_INS.iter().fold(path.to_owned(), |path, (theirs, ours)| path.replace(theirs, ours))
}

fn path_of(target: &str) -> &str {
    target.split('?').next().unwrap_or_default()
}
