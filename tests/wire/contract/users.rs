//! The users of a fixture, with their accounts and tokens. Each is registered when it is first needed.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::contract::forge::Kind;
use crate::contract::sending::send;
use crate::contract::target::Target;

const PASSWORD: &str = "Correct-horse-42";

/// Alice, whom most rows are about.
pub(crate) const ALICE: &str = "alice";
/// Another user.
pub(crate) const BOB: &str = "bob";
/// An administrator.
pub(crate) const ADMIN: &str = "admin";

/// An account as it is now.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) username: String,
    pub(crate) email: String,
}

/// The tokens of one answer.
#[derive(Clone, Default)]
pub(crate) struct Tokens(BTreeMap<Kind, String>);

impl Tokens {
    /// None, if there are none in it.
    pub(crate) fn read(body: &Value) -> Option<Self> {
        let token = |kind: Kind| Some((kind, body[kind.key()].as_str()?.to_owned()));
        let tokens: BTreeMap<_, _> = Kind::ALL.into_iter().filter_map(token).collect();
        (!tokens.is_empty()).then_some(Self(tokens))
    }

    pub(crate) fn of(&self, kind: Kind) -> Result<String, String> {
        self.0.get(&kind).cloned().ok_or_else(|| format!("no {} token", kind.name()))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Kind, &str)> {
        self.0.iter().map(|(kind, token)| (*kind, token.as_str()))
    }
}

/// All users of a fixture.
pub(crate) struct Users<'a> {
    target: &'a dyn Target,
    /// Makes the names unlike those of all other stages.
    fixture: String,
    accounts: BTreeMap<&'static str, Account>,
    logins: BTreeMap<&'static str, Tokens>,
}

impl<'a> Users<'a> {
    pub(crate) fn new(target: &'a dyn Target, fixture: &str) -> Self {
        Self { target, fixture: fixture.to_lowercase(), accounts: BTreeMap::new(), logins: BTreeMap::new() }
    }

    pub(crate) fn name_of(&self, person: &str) -> String {
        format!("{person}-{}", self.fixture)
    }

    /// The account of somebody, registered before.
    pub(crate) fn account(&mut self, person: &'static str) -> Result<&mut Account, String> {
        if !self.accounts.contains_key(person) {
            let account = self.register(person)?;
            self.accounts.insert(person, account);
        }
        self.accounts.get_mut(person).ok_or_else(String::new)
    }

    /// The account of somebody, if it is registered.
    pub(crate) fn known(&self, person: &str) -> Option<&Account> {
        self.accounts.get(person)
    }

    /// The tokens of somebody's first login.
    pub(crate) fn login(&mut self, person: &'static str) -> Result<&Tokens, String> {
        if !self.logins.contains_key(person) {
            let tokens = self.log_in(person)?;
            self.logins.insert(person, tokens);
        }
        self.logins.get(person).ok_or_else(String::new)
    }

    /// Takes these for the tokens of alice's first login, or forgets it.
    pub(crate) fn keep_login(&mut self, tokens: Option<Tokens>) {
        match tokens {
            Some(tokens) => drop(self.logins.insert(ALICE, tokens)),
            None => drop(self.logins.remove(ALICE)),
        }
    }

    /// Logs somebody in once more.
    pub(crate) fn log_in(&mut self, person: &'static str) -> Result<Tokens, String> {
        let credentials = json!({"username": self.account(person)?.username, "password": PASSWORD});
        let body = send(Method::POST, &format!("{}/api/token/", self.target.url()), None, &credentials)?;
        Tokens::read(&body).ok_or_else(|| format!("no tokens: {body}"))
    }

    fn register(&self, person: &str) -> Result<Account, String> {
        let username = self.name_of(person);
        let email = format!("{username}@example.com");
        let body = json!({
            "username": username, "email": email, "first_name": "Alice", "password": PASSWORD, "password2": PASSWORD,
        });
        let body = send(Method::POST, &format!("{}/api/register/", self.target.url()), None, &body)?;
        if person == ADMIN {
            self.target.users("promote", &username)?;
        }
        Ok(Account { id: body["id"].as_i64().ok_or("an account without an id")?, username, email })
    }
}
