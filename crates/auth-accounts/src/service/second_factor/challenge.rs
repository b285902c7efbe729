//! Challenges for a second factor.

use std::fmt;

use auth_core::effects::Effects;
use auth_core::error::AuthError;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::code::{ChallengeToken, CodeId, CodePurpose, OneTimeCode, SixDigitCode};
use crate::email::{EmailKind, Fact};
use crate::error::AccountError;
use crate::password::RawPassword;
use crate::ports::IssueIf;
use crate::second_factor::{Factors, Method, RecoveryCode, TotpSecret, VerifiedFactor, matching_step};
use crate::service::context::AccountContext;

/// A challenge for a second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactorChallenge {
    /// The challenge, which is sent back with the code. It gives access to nothing by itself.
    pub challenge: ChallengeToken,
    /// The methods that can answer it.
    pub methods: Vec<Method>,
}

/// The credentials that a logged-in user enters again. `Debug` prints no secrets.
#[derive(Clone)]
pub struct Reauthentication {
    /// The password.
    pub password: RawPassword,
    /// A challenge and the code that answers it. Required where a login requires a second factor.
    pub answer: Option<(String, String)>,
    /// The client that sends the request.
    pub client: ClientInfo,
}

impl fmt::Debug for Reauthentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reauthentication")
            .field("is_answered", &self.answer.is_some())
            .field("client", &self.client)
            .finish()
    }
}

/// A challenge that was answered correctly.
pub(in crate::service) struct AnsweredChallenge {
    pub(in crate::service) user: User,
    pub(in crate::service) purpose: CodePurpose,
}

impl AccountContext {
    /// The methods that a login to this account offers in addition to the password; empty if no second factor is required.
    ///
    /// # Errors
    /// [`AuthError::MultiFactorRequired`] if a second factor is required, but the only method is a code by email and the account
    /// has no email address.
    pub(in crate::service) async fn methods_of(&self, user: &User) -> Result<Vec<Method>, AccountError> {
        let factors = self.ports.store.factors_of(&user.id).await?;
        let mut methods = factors.methods(self.requires_second_factor(user));
        let is_required = !methods.is_empty();
        methods.retain(|method| *method != Method::Email || user.email.is_some());
        if is_required && methods.is_empty() {
            return Err(AuthError::MultiFactorRequired.into());
        }
        Ok(methods)
    }

    /// Whether a login to this account requires a second factor, even if the user has none.
    pub(in crate::service) async fn needs_factor(&self, user: &User) -> Result<bool, AccountError> {
        Ok(self.requires_second_factor(user) || self.ports.store.factors_of(&user.id).await?.is_on())
    }

    /// Issues a challenge, and sends a code if codes by email are among the methods. After too many emails, offers only the other
    /// methods.
    ///
    /// Returns `None` if the account has changed since `user` was read.
    ///
    /// # Errors
    /// [`AccountError::Throttled`] after too many challenges, or after too many emails if there is no other method.
    pub(in crate::service) async fn challenge(
        &self,
        user: &User,
        mut methods: Vec<Method>,
        purpose: CodePurpose,
        client: &ClientInfo,
    ) -> Result<Option<SecondFactorChallenge>, AccountError> {
        self.limits.admit_challenge(user, purpose, client).await?;
        let mut code = self.new_code(user, purpose);
        // Recorded only for logins: a logged-in user asks for the challenge.
        let mut effects = match purpose.is_login() {
            true => SecurityEvent::of_user(EventKind::SecondFactorAsked, &user.id).into(),
            false => Effects::NONE,
        };
        if methods.contains(&Method::Email) {
            match self.limits.admit_code(user, purpose).await {
                Ok(()) => effects.append(self.email_code(&mut code, user, client)?),
                // Too many emails must not lock out a user who has another method.
                Err(AccountError::Throttled { .. }) if methods.len() > 1 => {
                    methods.retain(|method| *method != Method::Email);
                }
                Err(error) => return Err(error),
            }
        }
        if !self.ports.store.issue(&code, &effects, &IssueIf::still(user)).await? {
            return Ok(None);
        }
        self.ports.record_committed(&effects);
        Ok(Some(SecondFactorChallenge { challenge: self.challenge_for(code.id), methods }))
    }

    pub(super) fn new_code(&self, user: &User, purpose: CodePurpose) -> OneTimeCode {
        let id = CodeId::generate(self.ports.randomness.as_ref());
        OneTimeCode::new(id, user.id.clone(), purpose, self.ports.clock.now())
    }

    pub(super) fn challenge_for(&self, id: CodeId) -> ChallengeToken {
        ChallengeToken::of(id, self.ports.keyed_hash.as_ref())
    }

    /// Generates a 6-digit code, stores its keyed hash in `code`, and returns the email that carries it.
    pub(super) fn email_code(
        &self,
        code: &mut OneTimeCode,
        user: &User,
        client: &ClientInfo,
    ) -> Result<Effects, AuthError> {
        let digits = SixDigitCode::generate(self.ports.randomness.as_ref());
        code.mac = Some(digits.mac(code.id, self.ports.keyed_hash.as_ref()));
        let minutes = (code.purpose.ttl().get() / 60).to_string();
        let content = self.emails.content(user, client).with(Fact::Code, digits.expose()).with(Fact::Minutes, minutes);
        self.emails.email(EmailKind::SecondFactorCode, user.email.as_deref(), &content)
    }

    /// Checks the answer to a challenge, and returns the user and the purpose. A right answer uses up the challenge and the code.
    ///
    /// A guess is counted twice before it is compared: for the account, across challenges and client IPs, and for the challenge,
    /// which allows [`MAX_ATTEMPTS`](OneTimeCode::MAX_ATTEMPTS) guesses, even concurrent ones (SEC-132).
    pub(in crate::service) async fn check_answer(
        &self,
        challenge: &str,
        input: &str,
        expected: Expected<'_>,
        client: &ClientInfo,
    ) -> Result<AnsweredChallenge, AccountError> {
        let (id, user) = self.find_challenge(challenge, expected).await?;
        let guess = self.limits.guess_code(&user, client).await?;
        let compared = self.compare_code(id, input, &user, client).await;
        let purpose = guess.settle(compared, AccountError::WrongCode).await?;
        Ok(AnsweredChallenge { user, purpose })
    }

    /// Compares `input` with the code of a challenge. If `input` is right, uses the code and returns its purpose.
    async fn compare_code(
        &self,
        id: CodeId,
        input: &str,
        user: &User,
        client: &ClientInfo,
    ) -> Result<Option<CodePurpose>, AccountError> {
        let code = self.ports.store.try_code(id, self.ports.clock.now()).await?;
        let code = code.ok_or(AccountError::ChallengeInvalid)?;
        let factors = self.ports.store.factors_of(&user.id).await?;
        let is_right = match self.matching_factor(input, &code, user, &factors)? {
            Some(factor) => {
                let effects = self.notice_of(factor, user, &factors, client)?;
                self.ports.store.redeem(id, factor, &effects, self.ports.clock.now()).await?
            }
            None => false,
        };
        if !is_right {
            self.ports.record(SecurityEvent::of_user(EventKind::SecondFactorRefused, &user.id));
        }
        Ok(is_right.then_some(code.purpose))
    }

    /// Reauthenticates a logged-in user with everything that a login requires (SEC-134). Returns the account that the decision was
    /// based on.
    pub(in crate::service) async fn authorize(
        &self,
        user: &User,
        reauthentication: &Reauthentication,
    ) -> Result<User, AccountError> {
        let user = self.check_own_password(user, &reauthentication.password, &reauthentication.client).await?;
        self.confirm_factor(&user, reauthentication).await?;
        Ok(user)
    }

    /// Checks the second factor in `reauthentication`, if a login requires one.
    pub(in crate::service) async fn confirm_factor(
        &self,
        user: &User,
        reauthentication: &Reauthentication,
    ) -> Result<(), AccountError> {
        if !self.needs_factor(user).await? {
            return Ok(());
        }
        let (challenge, code) = reauthentication.answer.as_ref().ok_or(AccountError::ChallengeMissing)?;
        self.check_answer(challenge, code, Expected::ConfirmationOf(user), &reauthentication.client).await.map(drop)
    }

    /// Finds the code of a challenge and its user. Counts no attempt.
    async fn find_challenge(&self, challenge: &str, expected: Expected<'_>) -> Result<(CodeId, User), AccountError> {
        let id =
            ChallengeToken::read(challenge, self.ports.keyed_hash.as_ref()).ok_or(AccountError::ChallengeInvalid)?;
        let code = self.ports.store.find_code(id).await?.ok_or(AccountError::ChallengeInvalid)?;
        let is_expected = match expected {
            Expected::Login => code.purpose.is_login(),
            Expected::ConfirmationOf(user) => code.purpose == CodePurpose::Confirmation && code.user_id == user.id,
        };
        let user = self.ports.store.find_user(&code.user_id).await?.filter(|user| user.is_active);
        user.filter(|_| is_expected).map(|user| (id, user)).ok_or(AccountError::ChallengeInvalid)
    }

    /// The second factor for which `input` is a right code; `None` if there is none.
    fn matching_factor(
        &self,
        input: &str,
        code: &OneTimeCode,
        user: &User,
        factors: &Factors,
    ) -> Result<Option<VerifiedFactor>, AccountError> {
        let keyed_hash = self.ports.keyed_hash.as_ref();
        if let Some(recovery) = RecoveryCode::parse(input).filter(|_| factors.is_on()) {
            let mut known = factors.recovery_codes.iter().filter(|mac| recovery.matches(&user.id, mac, keyed_hash));
            return Ok(known.next().copied().map(VerifiedFactor::RecoveryCode));
        }
        let Some(digits) = SixDigitCode::parse(input) else { return Ok(None) };
        if digits.matches(code, keyed_hash) {
            return Ok(Some(VerifiedFactor::Email));
        }
        let Some(totp) = &factors.totp else { return Ok(None) };
        let secret =
            self.ports.secret_box.open(&TotpSecret::context(&user.id), &totp.secret).map_err(AuthError::Unavailable)?;
        let secret = TotpSecret::from_bytes(secret);
        Ok(matching_step(&secret, digits, totp.last_step, self.ports.clock.now(), keyed_hash).map(VerifiedFactor::Totp))
    }

    /// The email that tells a user that a recovery code was used; none for other factors.
    fn notice_of(
        &self,
        factor: VerifiedFactor,
        user: &User,
        factors: &Factors,
        client: &ClientInfo,
    ) -> Result<Effects, AuthError> {
        let VerifiedFactor::RecoveryCode(_) = factor else { return Ok(Effects::default()) };
        let left = factors.recovery_codes.len().saturating_sub(1).to_string();
        self.emails.email(
            EmailKind::RecoveryCodeUsed,
            user.email.as_deref(),
            &self.emails.content(user, client).with(Fact::Left, left),
        )
    }
}

/// What a challenge must have been issued for.
#[derive(Clone, Copy)]
pub(in crate::service) enum Expected<'a> {
    /// A login by any user.
    Login,
    /// A reauthentication of this user.
    ConfirmationOf(&'a User),
}
