//! Login with a password and a second factor.

use std::sync::Arc;

use auth_core::error::{AuthError, StoreError};
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::service::{Issued, SignedToken, TokenPair};
use auth_core::token::{Authentication, ClientInfo};
use auth_core::user::User;

use crate::account::LoginName;
use crate::code::CodePurpose;
use crate::error::AccountError;
use crate::password::{CheckedPassword, PasswordHash, RawPassword};
use crate::ports::{QueueShare, Verdict};
use crate::service::context::AccountContext;
use crate::service::limits::Guess;
use crate::service::second_factor::{AnsweredChallenge, Expected};
use crate::service::{EmailVerification, SecondFactorChallenge};

/// The outcome of a login with the right password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LoginOutcome<T = TokenPair> {
    /// The tokens of a new session.
    Tokens(T),
    /// A second factor is required; see [`LoginService::answer_challenge`].
    SecondFactorRequired(SecondFactorChallenge),
}

/// The next step of a login after the right password.
enum Step {
    /// Start a session for this user.
    Start(User),
    /// Ask for a second factor.
    Ask(SecondFactorChallenge),
    /// Start over, because the account has changed.
    Retry,
}

/// Logins and password changes: the operations that take the password of an account and return tokens.
#[derive(Clone)]
pub struct LoginService {
    pub(super) context: Arc<AccountContext>,
}

impl LoginService {
    /// Creates the service.
    pub const fn new(context: Arc<AccountContext>) -> Self {
        Self { context }
    }

    /// How often a login is attempted if the account changes concurrently: its rights, password or second factors, or if all its
    /// sessions are revoked.
    pub(super) const MAX_STARTS: usize = 3;

    /// Logs in to an active account with its password. A password hash with an outdated algorithm or cost is replaced.
    ///
    /// # Errors
    /// [`AccountError::BadCredentials`] for an unknown login name, a wrong password or an inactive account, each after the work
    /// of one password comparison (SEC-080, SEC-081). [`AccountError::EmailNotVerified`] only with the right password.
    /// [`AccountError::Throttled`] after too many attempts for the login name or from the client IP (SEC-121).
    pub async fn login(
        &self,
        name: &LoginName,
        password: &RawPassword,
        client: ClientInfo,
    ) -> Result<LoginOutcome<TokenPair>, AccountError> {
        let tokens = &self.context.tokens;
        let start =
            |user, authentication, client| async move { tokens.start_session(&user, &authentication, client).await };
        self.log_in(name, password, CodePurpose::Login, client, start).await
    }

    /// Logs in as [`login`](Self::login) does, for a sliding token.
    ///
    /// # Errors
    /// Those of `login`, and [`TokenFault::WrongKind`](auth_core::token::TokenFault::WrongKind) where sliding tokens are not
    /// accepted.
    pub async fn login_sliding(
        &self,
        name: &LoginName,
        password: &RawPassword,
        client: ClientInfo,
    ) -> Result<LoginOutcome<SignedToken>, AccountError> {
        let tokens = &self.context.tokens;
        tokens.check_sliding()?;
        let start = |user, authentication, client| async move {
            tokens.start_sliding_session(&user, &authentication, client).await
        };
        self.log_in(name, password, CodePurpose::SlidingLogin, client, start).await
    }

    /// Checks the password, and starts the session unless a second factor is required. Starts over if the account changes
    /// concurrently.
    async fn log_in<T, F>(
        &self,
        name: &LoginName,
        password: &RawPassword,
        purpose: CodePurpose,
        client: ClientInfo,
        start: impl Fn(User, Authentication, ClientInfo) -> F,
    ) -> Result<LoginOutcome<T>, AccountError>
    where
        F: Future<Output = Result<T, AuthError>>,
    {
        for _ in 0..Self::MAX_STARTS {
            let user = match self.first_factor(name, password, purpose, &client).await? {
                Step::Start(user) => user,
                Step::Ask(challenge) => return Ok(LoginOutcome::SecondFactorRequired(challenge)),
                Step::Retry => continue,
            };
            let authentication = Authentication::by_password(self.context.ports.clock.now());
            match start(user, authentication, client.clone()).await {
                Err(AuthError::UserChanged) => {}
                outcome => return Ok(LoginOutcome::Tokens(outcome?)),
            }
        }
        Err(StoreError::unavailable("the account kept changing during the login").into())
    }

    /// Completes a login with a second factor. Returns the tokens that the login would have returned without it.
    ///
    /// # Errors
    /// [`AccountError::ChallengeInvalid`], [`AccountError::WrongCode`]; [`AccountError::Throttled`] after too many codes for the
    /// account or from the client IP (SEC-132, SEC-125).
    pub async fn answer_challenge(
        &self,
        challenge: &str,
        code: &str,
        client: ClientInfo,
    ) -> Result<Issued, AccountError> {
        let AnsweredChallenge { user, purpose } =
            self.context.check_answer(challenge, code, Expected::Login, &client).await?;
        let authentication = Authentication::by_password_and_code(self.context.ports.clock.now());
        let issued = match purpose {
            CodePurpose::SlidingLogin => {
                self.context.tokens.start_sliding_session(&user, &authentication, client).await.map(Issued::Sliding)
            }
            _ => self.context.tokens.start_session(&user, &authentication, client).await.map(Issued::Pair),
        };
        // The account has changed since the code was compared, and the code is used: the user must log in again.
        issued.map_err(|error| match error {
            AuthError::UserChanged => AccountError::ChallengeInvalid,
            error => error.into(),
        })
    }

    /// Checks the password, and decides whether a second factor is required.
    async fn first_factor(
        &self,
        name: &LoginName,
        password: &RawPassword,
        purpose: CodePurpose,
        client: &ClientInfo,
    ) -> Result<Step, AccountError> {
        let user = self.authenticate_password(name, password, client).await?;
        let context = &self.context;
        let must_be_verified = context.policy.email_verification == EmailVerification::Required;
        if must_be_verified && user.email_verified_at.is_none() {
            return Err(AccountError::EmailNotVerified);
        }
        let methods = context.methods_of(&user).await?;
        if methods.is_empty() {
            return Ok(Step::Start(user));
        }
        let challenge = context.challenge(&user, methods, purpose, client).await?;
        Ok(challenge.map_or(Step::Retry, Step::Ask))
    }

    /// Finds the account with this login name and password. The guess is counted before it is compared (SEC-124).
    async fn authenticate_password(
        &self,
        name: &LoginName,
        password: &RawPassword,
        client: &ClientInfo,
    ) -> Result<User, AccountError> {
        if password.is_too_long() {
            // Too long for any account. Skipping the comparison reveals nothing about whether this account exists.
            self.record_failure(None);
            return Err(AccountError::BadCredentials);
        }
        let mut guess = self.context.limits.guess_at_name(name, client).await?;
        let compared = self.compare(name, password, &mut guess).await;
        guess.settle(compared, AccountError::BadCredentials).await
    }

    /// The active account with this login name, if the password is right. Also counts the guess for the account.
    async fn compare<'a>(
        &'a self,
        name: &LoginName,
        password: &RawPassword,
        guess: &mut Guess<'a>,
    ) -> Result<Option<User>, AccountError> {
        let AccountContext { ports, limits, .. } = self.context.as_ref();
        let found = ports.store.find_for_login(name).await?;
        let user = found.as_ref().map(|(user, _)| user);
        match limits.guess_at_account(user, name, guess).await? {
            Some(by_account) => guess.add(by_account),
            None => {
                // Do the same work as for an unknown login name, so that the timing does not reveal that the account exists.
                drop(limits.guess_at_account(None, name, guess).await?);
                ports.hasher.verify(password, None).await?;
                self.record_failure(user);
                return Ok(None);
            }
        }
        let verdict = ports.hasher.verify(password, found.as_ref().map(|(_, hash)| hash)).await?;
        match found {
            Some((user, hash)) if user.is_active && verdict != Verdict::Wrong => {
                if verdict == Verdict::RightButOutdated {
                    self.upgrade_hash(&user, password, &hash).await?;
                }
                Ok(Some(user))
            }
            found => {
                if verdict == Verdict::RightButOutdated {
                    // An outdated hash takes less time to compare, which would reveal that the password was right.
                    ports.hasher.verify(password, None).await?;
                }
                self.record_failure(found.as_ref().map(|(user, _)| user));
                Ok(None)
            }
        }
    }

    /// Records a failed login.
    fn record_failure(&self, user: Option<&User>) {
        let kind = EventKind::LoginFailed;
        let event = user.map_or(SecurityEvent::without_user(kind), |user| SecurityEvent::of_user(kind, &user.id));
        self.context.ports.record(event);
    }

    /// Replaces an outdated hash. If hashing fails, the login succeeds all the same, and the next one tries again.
    async fn upgrade_hash(&self, user: &User, password: &RawPassword, old: &PasswordHash) -> Result<(), AccountError> {
        let password = CheckedPassword::in_use(password.clone());
        if let Ok(new) = self.context.ports.hasher.hash(&password, QueueShare::Whole).await {
            self.context.ports.store.upgrade_hash(&user.id, old, &new).await?;
        }
        Ok(())
    }
}
