//! Rate limits: which attempts are counted, and for which limit keys.

mod guess;

pub(in crate::service) use guess::Guess;

use std::net::IpAddr;

use auth_core::error::StoreError;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::time::Seconds;
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::{Email, LoginName, Username};
use crate::code::{CodePurpose, to_hex};
use crate::email::EmailRequest;
use crate::error::AccountError;
use crate::secret::MacPurpose;
use crate::service::Ports;
use crate::throttle::{Admission, Attempt, Limit, LimitKey, Reduction, ThrottlePolicy, network};

/// Applies the rate limits.
#[derive(Clone)]
pub(in crate::service) struct Limits {
    ports: Ports,
    policy: Option<ThrottlePolicy>,
}

impl Limits {
    pub(in crate::service) const fn new(ports: Ports, policy: Option<ThrottlePolicy>) -> Self {
        Self { ports, policy }
    }

    /// Counts a guess at a password for the login name as it was entered. A refusal is the same whether or not the account exists
    /// (SEC-121). From a client IP with too many failures, only the first guess is allowed; [`Guess::settle`] hides whether it
    /// was compared.
    ///
    /// # Errors
    /// [`AccountError::Throttled`].
    pub(in crate::service) async fn guess_at_name(
        &self,
        name: &LoginName,
        client: &ClientInfo,
    ) -> Result<Guess<'_>, AccountError> {
        let typed = |policy: ThrottlePolicy| (self.login_name_key(name), policy.password, Reduction::Reset);
        self.guess(self.policy.map(typed), client).await
    }

    /// Counts the same guess for the account, whichever of its login names was used. Returns `None` if the account had too many
    /// guesses under its other login name; the answer must not reveal that both belong to one account. Does the same work if
    /// there is no account.
    pub(in crate::service) async fn guess_at_account(
        &self,
        user: Option<&User>,
        name: &LoginName,
        by_name: &Guess<'_>,
    ) -> Result<Option<Guess<'_>>, AccountError> {
        let counted = self.policy.map(|policy| {
            let limit_key = user
                .map_or_else(|| self.limit_key("nobody", &canonical_login_name(name)), |user| self.password_key(user));
            (limit_key, by_name.strict(policy.password), Reduction::Reset)
        });
        match self.guess(counted, &ClientInfo::default()).await {
            Ok(guess) => Ok(Some(guess)),
            Err(AccountError::Throttled { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Counts a guess at the password of a logged-in user, for the login name and for the account.
    ///
    /// # Errors
    /// [`AccountError::Throttled`].
    pub(in crate::service) async fn guess_at_own_password(
        &self,
        user: &User,
        client: &ClientInfo,
    ) -> Result<Guess<'_>, AccountError> {
        let name = LoginName::Username(user.username.clone());
        let mut by_name = self.guess_at_name(&name, client).await?;
        let own = |policy: ThrottlePolicy| (self.password_key(user), by_name.strict(policy.password), Reduction::Reset);
        match self.guess(self.policy.map(own), &ClientInfo::default()).await {
            Ok(by_account) => {
                by_name.add(by_account);
                Ok(by_name)
            }
            Err(refused) => by_name.settle_refused(refused).await,
        }
    }

    /// Counts a guess at a code of an account.
    ///
    /// # Errors
    /// [`AccountError::Throttled`].
    pub(in crate::service) async fn guess_code(
        &self,
        user: &User,
        client: &ClientInfo,
    ) -> Result<Guess<'_>, AccountError> {
        let limit_key = |policy: ThrottlePolicy| {
            (self.limit_key("second-factor", &user.id.to_string()), policy.second_factor, Reduction::Refund)
        };
        self.guess(self.policy.map(limit_key), client).await
    }

    /// Counts a guess for an account and for a client IP. If the client IP had too many failures and the account none, counts it as
    /// an exception (SEC-125).
    async fn guess(
        &self,
        counted: Option<(LimitKey, Limit, Reduction)>,
        client: &ClientInfo,
    ) -> Result<Guess<'_>, AccountError> {
        let Some((policy, counted)) = self.policy.zip(counted) else { return Ok(self.counted(Vec::new())) };
        let per_client_ip =
            |scope: &str, limit: Limit| Some((self.client_ip_key(scope, client)?, limit, Reduction::Refund));
        let limit = policy.failures_per_client_ip;
        let beyond = per_client_ip("exception", limit.times(ThrottlePolicy::EXCEPTIONS));
        let Some((client_ip, beyond)) = per_client_ip("guess", limit).zip(beyond) else {
            return self.try_guess(&[counted]).await?.map_err(|delay| self.refused(delay));
        };
        let delay = match self.try_guess(&[counted.clone(), client_ip]).await? {
            Ok(guess) => return Ok(guess),
            Err(delay) => delay,
        };
        let (limit_key, of_account, reduction) = counted;
        match self.try_guess(&[(limit_key, of_account.first_only(), reduction), beyond]).await? {
            Ok(guess) => Ok(guess.into_exception(delay)),
            Err(_) => Err(self.refused(delay)),
        }
    }

    /// Counts a guess, or returns the delay if it is refused.
    async fn try_guess(
        &self,
        counted: &[(LimitKey, Limit, Reduction)],
    ) -> Result<Result<Guess<'_>, Seconds>, StoreError> {
        let attempt =
            |(limit_key, limit, _): &(LimitKey, Limit, _)| Attempt { limit_key: limit_key.clone(), limit: *limit };
        let attempts: Vec<_> = counted.iter().map(attempt).collect();
        Ok(match self.count(&attempts).await? {
            None => Ok(self.counted(counted.iter().map(|(limit_key, _, how)| (limit_key.clone(), *how)).collect())),
            Some(delay) => Err(delay),
        })
    }

    fn refused(&self, retry_after: Seconds) -> AccountError {
        self.ports.record(SecurityEvent::without_user(EventKind::AttemptThrottled));
        AccountError::Throttled { retry_after }
    }

    const fn counted(&self, limit_keys: Vec<(LimitKey, Reduction)>) -> Guess<'_> {
        Guess::new(&self.ports, limit_keys)
    }

    /// Counts a registration from a client IP (SEC-126).
    ///
    /// # Errors
    /// [`AccountError::TooManyRegistrations`].
    pub(in crate::service) async fn admit_registration(&self, client: &ClientInfo) -> Result<Guess<'_>, AccountError> {
        let limit = self.policy.map(|policy| policy.registrations_per_client_ip);
        let attempt =
            limit.and_then(|limit| Some(Attempt { limit_key: self.client_ip_key("register", client)?, limit }));
        let attempts: Vec<_> = attempt.into_iter().collect();
        match self.admit(&attempts).await {
            Err(AccountError::Throttled { retry_after }) => Err(AccountError::TooManyRegistrations { retry_after }),
            outcome => outcome.map(|()| {
                self.counted(attempts.into_iter().map(|attempt| (attempt.limit_key, Reduction::Refund)).collect())
            }),
        }
    }

    /// Counts a request for an email, for the email address as it was entered and for the client IP.
    ///
    /// # Errors
    /// [`AccountError::Throttled`].
    pub(in crate::service) async fn admit_request(
        &self,
        what: EmailRequest,
        email: &Email,
        client: &ClientInfo,
    ) -> Result<(), AccountError> {
        let Some(policy) = self.policy else { return Ok(()) };
        let per_client_ip = self.client_ip_key("request", client);
        let per_client_ip = per_client_ip.map(|limit_key| Attempt { limit_key, limit: policy.requests_per_client_ip });
        let attempts = |scope: &str, limit: Limit| {
            let named = Attempt { limit_key: self.limit_key(scope, email.canonical()), limit };
            [named].into_iter().chain(per_client_ip.clone()).collect::<Vec<_>>()
        };
        if self.count(&attempts(what.name(), policy.requests_per_email)).await?.is_none() {
            return Ok(());
        }
        // An attacker who sends many requests for an email address must not block those of its owner.
        self.admit(&attempts(&format!("{} beyond", what.name()), ThrottlePolicy::REQUESTS_BEYOND)).await
    }

    /// Counts a verification email to an account, which anyone can request (SEC-117).
    pub(in crate::service) async fn admit_link(&self, user: &User) -> Result<(), AccountError> {
        self.admit_for("link", user, |policy| policy.links).await
    }

    /// Counts an email with a code to an account. Those for logins and those for logged-in users are counted separately, so that a
    /// stolen access token cannot use up the emails that the user needs to log in.
    pub(in crate::service) async fn admit_code(&self, user: &User, purpose: CodePurpose) -> Result<(), AccountError> {
        let (scope, times) = match purpose {
            CodePurpose::Login | CodePurpose::SlidingLogin => ("login code", ThrottlePolicy::LOGIN_CODES),
            CodePurpose::Confirmation => ("confirmation code", 1),
            CodePurpose::PasswordReset
            | CodePurpose::EmailVerification
            | CodePurpose::EmailChange
            | CodePurpose::EmailEnrolment
            | CodePurpose::TotpEnrolment => ("code", 1),
        };
        self.admit_for(scope, user, |policy| policy.codes.times(times)).await
    }

    /// Counts a challenge, for the account and for the pair of account and client IP. Those for reauthentication are counted
    /// separately, as in [`admit_code`](Self::admit_code).
    pub(in crate::service) async fn admit_challenge(
        &self,
        user: &User,
        purpose: CodePurpose,
        client: &ClientInfo,
    ) -> Result<(), AccountError> {
        let Some(policy) = &self.policy else { return Ok(()) };
        let scope = if purpose == CodePurpose::Confirmation { "confirmation" } else { "challenge" };
        let account = user.id.to_string();
        let of_account = Attempt { limit_key: self.limit_key(scope, &account), limit: policy.challenges };
        let per_client_ip = self.client_ip_key(&format!("{scope} {account}"), client);
        let per_client_ip =
            per_client_ip.map(|limit_key| Attempt { limit_key, limit: policy.challenges_per_client_ip });
        self.admit(&[of_account].into_iter().chain(per_client_ip).collect::<Vec<_>>()).await
    }

    /// Counts an attempt for an account.
    async fn admit_for(
        &self,
        scope: &str,
        user: &User,
        limit: impl FnOnce(&ThrottlePolicy) -> Limit,
    ) -> Result<(), AccountError> {
        let Some(policy) = &self.policy else { return Ok(()) };
        let limit_key = self.limit_key(scope, &user.id.to_string());
        self.admit(&[Attempt { limit_key, limit: limit(policy) }]).await
    }

    /// Resets the counts that logins with the former password have caused, after the password was reset or set by an operator: the
    /// guesses for every login name of the user, the challenges and emails with a code of the account, and its challenges from
    /// this client IP (SEC-122).
    pub(in crate::service) async fn reset_password_counts(
        &self,
        user: &User,
        client: &ClientInfo,
    ) -> Result<(), AccountError> {
        if self.policy.is_none() {
            return Ok(());
        }
        let id = user.id.to_string();
        // A contact is left out: it may be the login name of another user.
        let email = user.login_email().map(|email| LoginName::Email(email.to_owned()));
        let names: Vec<_> = [LoginName::Username(user.username.clone())].into_iter().chain(email).collect();
        let typed = names.iter().map(|name| self.login_name_key(name));
        let own = [self.password_key(user), self.limit_key("challenge", &id), self.limit_key("login code", &id)];
        let limit_keys: Vec<_> = typed
            .chain(own)
            .chain(self.client_ip_key(&format!("challenge {id}"), client))
            .map(|one| (one, Reduction::Reset))
            .collect();
        Ok(self.ports.store.reduce(&limit_keys).await?)
    }

    async fn admit(&self, attempts: &[Attempt]) -> Result<(), AccountError> {
        self.count(attempts).await?.map_or(Ok(()), |delay| Err(self.refused(delay)))
    }

    /// Counts attempts, or returns the delay if they are refused.
    async fn count(&self, attempts: &[Attempt]) -> Result<Option<Seconds>, StoreError> {
        if attempts.is_empty() {
            return Ok(None);
        }
        Ok(match self.ports.store.admit(attempts, self.ports.clock.now()).await? {
            Admission::Admitted => None,
            Admission::Refused(delay) => Some(delay),
        })
    }

    fn password_key(&self, user: &User) -> LimitKey {
        self.limit_key("password", &user.id.to_string())
    }

    /// The limit key for all spellings of a login name (SEC-123).
    fn login_name_key(&self, name: &LoginName) -> LimitKey {
        self.limit_key("name", &canonical_login_name(name))
    }

    /// The limit key for a client IP; `None` if it is unknown.
    fn client_ip_key(&self, scope: &str, client: &ClientInfo) -> Option<LimitKey> {
        let client_ip: IpAddr = client.ip.as_deref()?.parse().ok()?;
        Some(self.limit_key(scope, &format!("address {}", network(client_ip))))
    }

    fn limit_key(&self, scope: &str, subject: &str) -> LimitKey {
        let mac = self.ports.keyed_hash.mac(MacPurpose::LimitKey, format!("{scope} {subject}").as_bytes());
        LimitKey::new(format!("{scope} {}", to_hex(mac.bytes())))
    }
}

/// The canonical form of a login name as it was entered. Only the beginning counts if it is too long for any login name.
fn canonical_login_name(name: &LoginName) -> String {
    let (LoginName::Username(input) | LoginName::Email(input)) = name;
    Username::folded(&input.chars().take(2 * Email::MAX_CHARS).collect::<String>())
}
