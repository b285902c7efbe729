//! Challenges: a question that only a second factor answers.

use std::fmt;

use auth_core::effects::Effects;
use auth_core::error::AuthError;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::code::{ChallengeToken, CodeId, CodePurpose, OneTimeCode, SixDigitCode};
use crate::error::AccountError;
use crate::mail::{EmailKind, Fact};
use crate::password::RawPassword;
use crate::ports::IssueIf;
use crate::second_factor::{Factors, Method, Proof, RecoveryCode, TotpSecret, matching_step};
use crate::service::context::AccountContext;

/// What somebody is asked for beside the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecondFactorChallenge {
    /// To be shown again with the code. It opens nothing by itself.
    pub challenge: ChallengeToken,
    /// What may answer it.
    pub methods: Vec<Method>,
}

/// How somebody shows that it is them. A `Debug` that shows no secret.
#[derive(Clone)]
pub struct Reauthentication {
    /// Their password.
    pub password: RawPassword,
    /// A challenge and the code that answers it; needed where a login takes a second factor.
    pub answer: Option<(String, String)>,
    /// Who asks.
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

/// A challenge that was answered.
pub(in crate::service) struct Proven {
    pub(in crate::service) user: User,
    pub(in crate::service) purpose: CodePurpose,
}

impl AccountContext {
    /// What this account has to show beside its password; empty: nothing.
    ///
    /// # Errors
    /// [`AuthError::MultiFactorRequired`] if it has to show something, but could show only a code by email and has no address.
    pub(in crate::service) async fn methods_of(&self, user: &User) -> Result<Vec<Method>, AccountError> {
        let factors = self.ports.store.factors_of(&user.id).await?;
        let mut methods = factors.methods(self.requires_second_factor(user));
        let is_asked = !methods.is_empty();
        methods.retain(|method| *method != Method::Email || user.email.is_some());
        if is_asked && methods.is_empty() {
            return Err(AuthError::MultiFactorRequired.into());
        }
        Ok(methods)
    }

    /// Whether this account has to show anything beside its password, whether it can or not.
    pub(in crate::service) async fn asks_for_factor(&self, user: &User) -> Result<bool, AccountError> {
        Ok(self.requires_second_factor(user) || self.ports.store.factors_of(&user.id).await?.is_on())
    }

    /// Asks for a second factor. If one of the methods is mail, a code goes out with it; how many do is limited, and past
    /// that the other methods are asked for alone, where there are any. How many challenges there are is limited as well.
    /// `None` if the account is another by now than it was when the methods were decided on.
    pub(in crate::service) async fn challenge(
        &self,
        user: &User,
        mut methods: Vec<Method>,
        purpose: CodePurpose,
        client: &ClientInfo,
    ) -> Result<Option<SecondFactorChallenge>, AccountError> {
        self.limits.admit_challenge(user, purpose, client).await?;
        let mut code = self.new_code(user, purpose);
        // An event of logins alone: a caller who is logged in asks for the challenge themselves.
        let mut effects = match purpose.is_login() {
            true => SecurityEvent::of_user(EventKind::SecondFactorAsked, &user.id).into(),
            false => Effects::NONE,
        };
        if methods.contains(&Method::Email) {
            match self.limits.admit_code(user, purpose).await {
                Ok(()) => effects.append(self.mailed_digits(&mut code, user, client)?),
                // There is another way as well: too many mails keep nobody out.
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
        Ok(Some(SecondFactorChallenge { challenge: self.challenge_of(code.id), methods }))
    }

    pub(super) fn new_code(&self, user: &User, purpose: CodePurpose) -> OneTimeCode {
        let id = CodeId::generate(self.ports.randomness.as_ref());
        OneTimeCode::new(id, user.id.clone(), purpose, self.ports.clock.now())
    }

    pub(super) fn challenge_of(&self, id: CodeId) -> ChallengeToken {
        ChallengeToken::of(id, self.ports.keyed_hash.as_ref())
    }

    /// Draws six digits for a code, and the mail that brings them.
    pub(super) fn mailed_digits(
        &self,
        code: &mut OneTimeCode,
        user: &User,
        client: &ClientInfo,
    ) -> Result<Effects, AuthError> {
        let digits = SixDigitCode::generate(self.ports.randomness.as_ref());
        code.mac = Some(digits.mac(code.id, self.ports.keyed_hash.as_ref()));
        let minutes = (code.purpose.ttl().get() / 60).to_string();
        let content = self.emails.content(user, client).with(Fact::Code, digits.expose()).with(Fact::Minutes, minutes);
        self.emails.mail(EmailKind::SecondFactorCode, user.email.as_deref(), &content)
    }

    /// Answers a challenge: who it was for, if the code is right. It is used up then, and so is the code.
    ///
    /// A guess is counted twice before it is compared: for the account, whose budget neither a new challenge nor another
    /// address resets, and for the challenge, of which no more than
    /// [`MAX_ATTEMPTS`](OneTimeCode::MAX_ATTEMPTS) are compared, however many come at once (SEC-132).
    pub(in crate::service) async fn prove(
        &self,
        challenge: &str,
        text: &str,
        expected: Expected<'_>,
        client: &ClientInfo,
    ) -> Result<Proven, AccountError> {
        let (id, user) = self.challenged(challenge, expected).await?;
        let guess = self.limits.guess_code(&user, client).await?;
        let compared = self.compare_code(id, text, &user, client).await;
        let purpose = guess.settle(compared, AccountError::WrongCode).await?;
        Ok(Proven { user, purpose })
    }

    /// The purpose of the code with this ID, if the text answers it. Uses it then.
    async fn compare_code(
        &self,
        id: CodeId,
        text: &str,
        user: &User,
        client: &ClientInfo,
    ) -> Result<Option<CodePurpose>, AccountError> {
        let code = self.ports.store.try_code(id, self.ports.clock.now()).await?;
        let code = code.ok_or(AccountError::ChallengeInvalid)?;
        let factors = self.ports.store.factors_of(&user.id).await?;
        let is_right = match self.proof(text, &code, user, &factors)? {
            Some(proof) => {
                let effects = self.notice_of(proof, user, &factors, client)?;
                self.ports.store.redeem(id, proof, &effects, self.ports.clock.now()).await?
            }
            None => false,
        };
        if !is_right {
            self.ports.record(SecurityEvent::of_user(EventKind::SecondFactorRefused, &user.id));
        }
        Ok(is_right.then_some(code.purpose))
    }

    /// Reauthenticates a user who is logged in with all that a login asks for (SEC-134). Returns the account that the
    /// decision was based on.
    pub(in crate::service) async fn authorize(
        &self,
        user: &User,
        shown: &Reauthentication,
    ) -> Result<User, AccountError> {
        let user = self.own_password(user, &shown.password, &shown.client).await?;
        self.confirm_factor(&user, shown).await?;
        Ok(user)
    }

    /// The second factor, where a login would ask for one.
    pub(in crate::service) async fn confirm_factor(
        &self,
        user: &User,
        shown: &Reauthentication,
    ) -> Result<(), AccountError> {
        if !self.asks_for_factor(user).await? {
            return Ok(());
        }
        let (challenge, code) = shown.answer.as_ref().ok_or(AccountError::ChallengeMissing)?;
        self.prove(challenge, code, Expected::ConfirmationOf(user), &shown.client).await.map(drop)
    }

    /// The code of a challenge and its account, before anything is counted.
    async fn challenged(&self, challenge: &str, expected: Expected<'_>) -> Result<(CodeId, User), AccountError> {
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

    /// What a text proves, by any of the methods that the account has.
    fn proof(
        &self,
        text: &str,
        code: &OneTimeCode,
        user: &User,
        factors: &Factors,
    ) -> Result<Option<Proof>, AccountError> {
        let keyed_hash = self.ports.keyed_hash.as_ref();
        if let Some(recovery) = RecoveryCode::parse(text).filter(|_| factors.is_on()) {
            let mut known = factors.recovery_codes.iter().filter(|mac| recovery.matches(&user.id, mac, keyed_hash));
            return Ok(known.next().copied().map(Proof::RecoveryCode));
        }
        let Some(digits) = SixDigitCode::parse(text) else { return Ok(None) };
        if digits.matches(code, keyed_hash) {
            return Ok(Some(Proof::Email));
        }
        let Some(totp) = &factors.totp else { return Ok(None) };
        let secret =
            self.ports.secret_box.open(&TotpSecret::context(&user.id), &totp.secret).map_err(AuthError::Unavailable)?;
        let secret = TotpSecret::from_bytes(secret);
        Ok(matching_step(&secret, digits, totp.last_step, self.ports.clock.now(), keyed_hash).map(Proof::Totp))
    }

    /// Whose recovery code was used is told.
    fn notice_of(
        &self,
        proof: Proof,
        user: &User,
        factors: &Factors,
        client: &ClientInfo,
    ) -> Result<Effects, AuthError> {
        let Proof::RecoveryCode(_) = proof else { return Ok(Effects::default()) };
        let left = factors.recovery_codes.len().saturating_sub(1).to_string();
        self.emails.mail(
            EmailKind::RecoveryCodeUsed,
            user.email.as_deref(),
            &self.emails.content(user, client).with(Fact::Left, left),
        )
    }
}

/// What a challenge has to be for.
#[derive(Clone, Copy)]
pub(in crate::service) enum Expected<'a> {
    /// A login of anybody.
    Login,
    /// Something that this user asks for, who is logged in.
    ConfirmationOf(&'a User),
}
