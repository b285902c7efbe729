//! Replays a chain of rows with their users and tokens.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};

use crate::contract::answer::{Answer, Expected, ensure};
use crate::contract::forge::{Draft, Kind};
use crate::contract::own_answers::own_way;
use crate::contract::posts::{POST_ID, Posts};
use crate::contract::recipes::RECIPES;
use crate::contract::recording::Row;
use crate::contract::request::{PLACEHOLDER, Request, placeholders};
use crate::contract::sending::{CLIENT, send};
use crate::contract::target::Target;
use crate::contract::token_plan::{Step, Token};
use crate::contract::users::{ALICE, Account, BOB, Tokens, Users};
use crate::contract::variant::Variant;
use crate::contract::{claims, rewrites, token_plan};

/// How long the auth cache may delay the effect of a change by an operator.
const CACHE_DELAY: Duration = Duration::from_millis(1_100);

/// Replays rows; users, tokens and posts are created when they are first needed.
pub(crate) struct Fixture<'a> {
    target: &'a dyn Target,
    variant: &'static Variant,
    allowed: &'a BTreeMap<String, String>,
    users: Users<'a>,
    second_login: Option<Tokens>,
    refreshed: Option<Tokens>,
    posts: Posts,
    /// Whether the auth cache may contain one of its users.
    is_cached: bool,
}

impl<'a> Fixture<'a> {
    /// `name` makes its usernames unique.
    pub(crate) fn new(
        (target, variant): (&'a dyn Target, &'static Variant),
        allowed: &'a BTreeMap<String, String>,
        name: &str,
    ) -> Self {
        let users = Users::new(target, name);
        let (second_login, refreshed, posts) = (None, None, Posts::default());
        Self { target, variant, allowed, users, second_login, refreshed, posts, is_cached: false }
    }

    /// Replays a row: prepares it, sends it, and returns how the answer differs.
    pub(crate) fn replay(&mut self, row: &Row) -> Result<(), String> {
        if row.method.is_empty() { self.check_claims(row) } else { self.check_exchange(row) }
    }

    fn check_exchange(&mut self, row: &Row) -> Result<(), String> {
        let text = rewrites::request(row);
        ensure(!text.contains(" chars)"), || "abbreviated, and no table completes the request".to_owned())?;
        let text = self.with_own_names(row, &text)?;
        let (bearer, token) = self.tokens(row, &text)?;
        self.prepare(row)?;
        let request = Request::parse(&text, &bearer, &token)?;
        let answer = self.send_request(row, &request, &bearer)?;
        self.is_cached |= answer.status < 300 && !bearer.is_empty();
        let shown = answer.to_string();
        let expected = self.expected(row, &Request::parse(&self.with_recorded_names(&text), "", "")?);
        let checked = self.read(row, answer, &token).and_then(|answer| expected.check(&answer));
        checked.map_err(|difference| format!("{difference}\n  answer: {shown}"))
    }

    fn send_request(&self, row: &Row, request: &Request, bearer: &str) -> Result<Answer, String> {
        let path = self.posts.with_id(&row.path.replace(PLACEHOLDER, bearer))?;
        let method = Method::from_bytes(row.method.as_bytes()).map_err(|error| error.to_string())?;
        let sent = request.apply(CLIENT.request(method, self.url(&path))).send();
        Answer::read(sent.map_err(|error| format!("no answer: {error:?}"))?)
    }

    /// Checks the claims of a token against a row that shows some.
    fn check_claims(&mut self, row: &Row) -> Result<(), String> {
        self.prepare(row)?;
        let token = self.token(token_plan::token(row, Kind::Refresh)?)?;
        let recorded = match own_way(row) {
            Some(answer) => answer.claims(row)?,
            None => row.body.clone(),
        };
        let recorded = recorded.replace(ALICE, &self.users.name_of(ALICE));
        let recorded: Value = serde_json::from_str(&recorded).map_err(|error| error.to_string())?;
        claims::compare(&token, &recorded, self.variant)
    }

    fn expected(&self, row: &Row, request: &Request) -> Expected {
        let Some(own) = own_way(row) else { return Expected::recorded(row, request) };
        // Where the reference implementation crashed, it did not list the methods.
        let allow = if row.status == 500 { self.allowed.get(&row.path) } else { row.headers.get("allow") };
        Expected::own(own).allowing(allow.cloned())
    }

    /// Checks what varies in an answer (tokens, profile, posts), and replaces it: tokens by `<jwt>`, usernames by those of the
    /// recording.
    fn read(&mut self, row: &Row, answer: Answer, presented: &str) -> Result<Answer, String> {
        let mut text = self.with_recorded_names(&answer.text);
        if let Some(tokens) = Tokens::read(&answer.body) {
            for (kind, token) in tokens.iter() {
                let checked = self.check_token(kind, token, presented);
                checked.map_err(|difference| format!("{} token: {difference}", kind.name()))?;
                text = text.replace(token, PLACEHOLDER);
            }
            if presented.is_empty() { self.users.keep_login(Some(tokens)) } else { self.refreshed = Some(tokens) }
        }
        match (row.area.as_str(), answer.status, &answer.body) {
            ("posts", 200, Value::Array(posts)) => self.posts.check_list(posts)?,
            ("posts", 201, post) => self.posts.check_new(post)?,
            ("posts", 200, post) if row.body.contains(POST_ID) => self.posts.check_first(post)?,
            (_, 200, body) if body["date_joined"].is_string() => self.check_profile(body)?,
            _ => {}
        }
        Ok(answer.with_text(text))
    }

    fn check_token(&self, kind: Kind, token: &str, presented: &str) -> Result<(), String> {
        let variant = self.variant;
        let presented = variant.key.open(presented).map_or_else(|_| Map::new(), |(_, claims)| claims);
        let is_bobs = |bob: &&Account| presented.get(variant.user_claim) == Some(&json!((variant.user_of)(bob)));
        let bob = self.users.known(BOB).filter(is_bobs);
        let account = bob.or(self.users.known(ALICE)).ok_or("tokens of an unknown user")?;
        claims::check(token, kind, account, &presented, variant)
    }

    /// Checks the profile, which is alice's, and stores her email address, which a row may have changed.
    fn check_profile(&mut self, body: &Value) -> Result<(), String> {
        let account = self.users.account(ALICE)?;
        ensure(body["id"] == account.id, || format!("id is {}, not {}", body["id"], account.id))?;
        account.email = body["email"].as_str().unwrap_or_default().to_owned();
        Ok(())
    }

    /// Replaces the usernames of the recording by those of this fixture, and registers the users that the row needs.
    fn with_own_names(&mut self, row: &Row, text: &str) -> Result<String, String> {
        let mut named = text.to_owned();
        for user in [BOB, ALICE] {
            let is_needed = text.contains(user) || text.contains(&user.to_uppercase());
            if is_needed && (user != ALICE || row.area != "register") {
                self.users.account(user)?;
            }
            let name = self.users.name_of(user);
            named = named.replace(&user.to_uppercase(), &name.to_uppercase()).replace(user, &name);
        }
        Ok(named)
    }

    /// Replaces the usernames of this fixture by those of the recording.
    fn with_recorded_names(&self, text: &str) -> String {
        [ALICE, BOB].iter().fold(text.to_owned(), |text, user| text.replace(&self.users.name_of(user), user))
    }

    /// Returns the tokens for the headers (or the path) and for the body; an empty string where the row has none.
    fn tokens(&mut self, row: &Row, text: &str) -> Result<(String, String), String> {
        let (in_headers, in_body) = placeholders(text);
        let (mut bearer, mut token) = (String::new(), String::new());
        if in_headers || row.path.contains(PLACEHOLDER) {
            bearer = self.token(token_plan::bearer(row)?)?;
        }
        if in_body {
            let kind = match text.contains(r#""token""#) {
                true if row.path.contains("/sliding/") => Kind::Sliding,
                true => Kind::Access,
                false => Kind::Refresh,
            };
            token = self.token(token_plan::token(row, kind)?)?;
        }
        Ok((bearer, token))
    }

    fn token(&mut self, token: Token) -> Result<String, String> {
        match token {
            Token::Issued(user, kind) => self.users.login(user)?.of(kind),
            Token::OfSecondLogin => self.second_login.as_ref().ok_or("no second login")?.of(Kind::Refresh),
            Token::Refreshed(kind) => self.refreshed.as_ref().ok_or("no refresh so far")?.of(kind),
            Token::Forged(kind, name) => {
                let recipe = RECIPES.iter().find(|(known, _)| *known == name).ok_or("no such recipe")?;
                Ok(recipe.1(Draft::new(kind, self.users.account(ALICE)?, self.variant)))
            }
        }
    }

    fn prepare(&mut self, row: &Row) -> Result<(), String> {
        match token_plan::step(row) {
            None => Ok(()),
            Some(Step::Deactivate) => self.administer("deactivate"),
            Some(Step::Delete) => self.administer("delete"),
            Some(Step::SetPassword) => self.administer("set-password"),
            Some(Step::Blacklist) => {
                let refresh = self.users.login(ALICE)?.of(Kind::Refresh)?;
                self.send(Method::POST, "/api/token/blacklist/", None, &json!({"refresh": refresh})).map(drop)
            }
            Some(Step::LogInAgain) => {
                self.users.login(ALICE)?;
                self.second_login = Some(self.users.log_in(ALICE)?);
                Ok(())
            }
            Some(Step::Exchange(token)) => {
                let refresh = self.token(token)?;
                let body = self.send(Method::POST, "/api/token/refresh/", None, &json!({"refresh": refresh}))?;
                self.refreshed = Tokens::read(&body);
                Ok(())
            }
            Some(Step::ChangeEmail) => {
                let bearer = self.users.login(ALICE)?.of(Kind::Access)?;
                let change = json!({"email": format!("new-{}", self.users.account(ALICE)?.email)});
                let body = self.send(Method::PATCH, "/api/users/me/", Some(&bearer), &change)?;
                self.users.keep_login(None);
                self.check_profile(&body)
            }
            Some(Step::BobPosts) => ["First", "Second"].into_iter().try_for_each(|title| {
                let bearer = self.users.login(BOB)?.of(Kind::Access)?;
                let post = json!({"title": title, "content": "of bob"});
                self.posts.add(self.send(Method::POST, "/api/posts/create/", Some(&bearer), &post)?);
                Ok(())
            }),
        }
    }

    /// Changes alice's account with a command of the program.
    fn administer(&mut self, action: &str) -> Result<(), String> {
        let name = self.users.account(ALICE)?.username.clone();
        self.target.users(action, &name)?;
        if self.is_cached {
            sleep(CACHE_DELAY);
        }
        Ok(())
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.target.url())
    }

    fn send(&self, method: Method, path: &str, bearer: Option<&str>, body: &Value) -> Result<Value, String> {
        send(method, &self.url(path), bearer, body)
    }
}
