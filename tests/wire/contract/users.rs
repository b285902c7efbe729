//! The users of a fixture with their accounts and tokens. Each is registered when first needed.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::contract::forge::Kind;
use crate::contract::sending::send;
use crate::contract::target::Target;

const PASSWORD: &str = "Correct-horse-42";

/// The user of most rows.
pub(crate) const ALICE: &str = "alice";
/// Another user.
pub(crate) const BOB: &str = "bob";
/// A staff user.
pub(crate) const ADMIN: &str = "admin";

/// The current state of an account.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) id: i64,
    pub(crate) username: String,
    pub(crate) email: String,
}

/// The tokens in one answer.
#[derive(Clone, Default)]
pub(crate) struct Tokens(BTreeMap<Kind, String>);

impl Tokens {
    /// Reads the tokens in a body; `None` if there are none.
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
    /// Makes the usernames unique among fixtures.
    fixture: String,
    accounts: BTreeMap<&'static str, Account>,
    logins: BTreeMap<&'static str, Tokens>,
}

impl<'a> Users<'a> {
    pub(crate) fn new(target: &'a dyn Target, fixture: &str) -> Self {
        Self { target, fixture: fixture.to_lowercase(), accounts: BTreeMap::new(), logins: BTreeMap::new() }
    }

    pub(crate) fn name_of(&self, user: &str) -> String {
        format!("{user}-{}", self.fixture)
    }

    /// Returns a user's account, registering it first if needed.
    pub(crate) fn account(&mut self, user: &'static str) -> Result<&mut Account, String> {
        if !self.accounts.contains_key(user) {
            let account = self.register(user)?;
            self.accounts.insert(user, account);
        }
        self.accounts.get_mut(user).ok_or_else(String::new)
    }

    /// Returns a user's account if it is registered.
    pub(crate) fn known(&self, user: &str) -> Option<&Account> {
        self.accounts.get(user)
    }

    /// Returns the tokens of a user's first login.
    pub(crate) fn login(&mut self, user: &'static str) -> Result<&Tokens, String> {
        if !self.logins.contains_key(user) {
            let tokens = self.log_in(user)?;
            self.logins.insert(user, tokens);
        }
        self.logins.get(user).ok_or_else(String::new)
    }

    /// Replaces the tokens of alice's first login, or discards them.
    pub(crate) fn keep_login(&mut self, tokens: Option<Tokens>) {
        match tokens {
            Some(tokens) => drop(self.logins.insert(ALICE, tokens)),
            None => drop(self.logins.remove(ALICE)),
        }
    }

    /// Logs a user in again.
    pub(crate) fn log_in(&mut self, user: &'static str) -> Result<Tokens, String> {
        let credentials = json!({"username": self.account(user)?.username, "password": PASSWORD});
        let body = send(Method::POST, &format!("{}/api/token/", self.target.url()), None, &credentials)?;
        Tokens::read(&body).ok_or_else(|| format!("no tokens: {body}"))
    }

    fn register(&self, user: &str) -> Result<Account, String> {
        let username = self.name_of(user);
        let email = format!("{username}@example.com");
        let body = json!({
            "username": username, "email": email, "first_name": "Alice", "password": PASSWORD, "password2": PASSWORD,
        });
        let body = send(Method::POST, &format!("{}/api/register/", self.target.url()), None, &body)?;
        if user == ADMIN {
            self.target.users("promote", &username)?;
        }
        Ok(Account { id: body["id"].as_i64().ok_or("an account without an ID")?, username, email })
    }
}
