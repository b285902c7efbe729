//! Issuing, refreshing, reading and forging tokens.

use auth_accounts::AccountError;
use auth_accounts::account::LoginName;
use auth_accounts::password::RawPassword;
use auth_accounts::service::LoginOutcome;
use auth_core::AuthError;
use auth_core::service::{Caller, Refreshed, SignedToken, TokenPair};
use auth_core::token::{ClientInfo, Payload, RawToken};
use serde_json::Value;

use crate::{PlainSigner, TestService};

impl TestService {
    /// Logs in with [`PASSWORD`](Self::PASSWORD), after [registering](Self::register) the user if it does not exist.
    ///
    /// # Panics
    /// If the login is refused.
    pub async fn login(&self, name: &str) -> TokenPair {
        if !self.is_registered(name).await {
            self.register(name).await;
        }
        let pair = self.try_login(name, Self::PASSWORD).await;
        pair.unwrap_or_else(|error| panic!("cannot log {name:?} in: {error:?}"))
    }

    /// Logs in with this username and password. Does not register the user.
    ///
    /// # Errors
    /// If the login is refused.
    ///
    /// # Panics
    /// If a second factor is required.
    pub async fn try_login(&self, name: &str, password: &str) -> Result<TokenPair, AccountError> {
        let name = LoginName::Username(name.to_owned());
        let outcome = self.logins.login(&name, &RawPassword::new(password), ClientInfo::default()).await?;
        Ok(tokens_of(outcome))
    }

    /// Logs in with this username and [`PASSWORD`](Self::PASSWORD), for a sliding token.
    ///
    /// # Errors
    /// If the login is refused, which it always is unless the policy accepts sliding tokens.
    ///
    /// # Panics
    /// If a second factor is required.
    pub async fn try_login_sliding(&self, name: &str) -> Result<SignedToken, AccountError> {
        let name = LoginName::Username(name.to_owned());
        let outcome =
            self.logins.login_sliding(&name, &RawPassword::new(Self::PASSWORD), ClientInfo::default()).await?;
        Ok(tokens_of(outcome))
    }

    /// Exchanges the refresh token of this pair for the next pair.
    ///
    /// # Panics
    /// If the refresh is refused, or the policy does not rotate refresh tokens.
    pub async fn refresh(&self, pair: &TokenPair) -> TokenPair {
        self.try_refresh(pair).await.unwrap_or_else(|error| panic!("cannot refresh: {error:?}"))
    }

    /// Like [`refresh`](Self::refresh), for a refresh that may be refused.
    ///
    /// # Errors
    /// If the refresh is refused.
    ///
    /// # Panics
    /// If the policy does not rotate refresh tokens.
    pub async fn try_refresh(&self, pair: &TokenPair) -> Result<TokenPair, AuthError> {
        let Refreshed { access, refresh } = self.tokens.refresh(&refresh_of(pair)).await?;
        Ok(TokenPair { access, refresh: refresh.expect("a policy that rotates refresh tokens") })
    }

    /// The user and the session behind the access token of this pair.
    ///
    /// # Panics
    /// If the token is refused.
    pub async fn caller(&self, pair: &TokenPair) -> Caller {
        let caller = self.tokens.authenticate(&access_of(pair)).await;
        caller.unwrap_or_else(|error| panic!("cannot authenticate: {error:?}"))
    }

    /// The claims of a token, whether or not it is still accepted.
    ///
    /// # Panics
    /// If the token was not signed by [`PlainSigner::default`], the default signer of a test service.
    pub fn claims(&self, token: &RawToken) -> Payload {
        PlainSigner::default().open(token).expect("a token of the default signer")
    }

    /// A token with exactly these claims and a valid signature.
    ///
    /// # Panics
    /// If `claims` is not an object, or cannot be signed.
    pub fn forge(&self, claims: Value) -> RawToken {
        let Value::Object(claims) = claims else { panic!("claims must be a JSON object, not {claims}") };
        parsed(&self.ports().signer.sign(&claims).expect("a signature"))
    }
}

/// The access token of a pair, as a client presents it.
///
/// # Panics
/// If it does not have the shape of a token.
pub fn access_of(pair: &TokenPair) -> RawToken {
    parsed(pair.access.expose())
}

/// The refresh token of a pair, as a client presents it.
///
/// # Panics
/// If it does not have the shape of a token.
pub fn refresh_of(pair: &TokenPair) -> RawToken {
    parsed(pair.refresh.expose())
}

fn tokens_of<T>(outcome: LoginOutcome<T>) -> T {
    match outcome {
        LoginOutcome::Tokens(tokens) => tokens,
        LoginOutcome::SecondFactorRequired(_) => panic!("a second factor is required"),
    }
}

fn parsed(token: &str) -> RawToken {
    RawToken::parse(token).expect("a token")
}
