//! Switching second factors on and off. Each takes the password; where one is on, a code of it too (SEC-134).

use std::fmt;

use auth_core::effects::Effects;
use auth_core::error::AuthError;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::Email;
use crate::code::{ChallengeToken, CodeId, CodePurpose, OneTimeCode, SixDigitCode};
use crate::error::AccountError;
use crate::mail::{EmailKind, EmailRequest, Fact, OutgoingEmail};
use crate::ports::IssueIf;
use crate::second_factor::{Factors, Method, NewFactor, RecoveryCode, TotpSecret, matching_step};
use crate::secret::{Mac, Sealed};
use crate::service::context::AccountContext;
use crate::service::second_factor::{Reauthentication, SecondFactorChallenge, SecondFactorService};

/// The second factors of an account, as its owner sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorStatus {
    /// What is on.
    pub factors: Factors,
    /// Whether a login has to show one in any case.
    pub is_required: bool,
}

/// A second factor that waits for its first code. A `Debug` that shows no secret.
#[derive(Clone, PartialEq, Eq)]
pub enum Enrolment {
    /// A code went to the address of the account.
    Email(ChallengeToken),
    /// A secret for an authenticator.
    Totp {
        /// To be shown again with the code.
        challenge: ChallengeToken,
        /// The secret.
        secret: TotpSecret,
        /// The same for a QR code (`otpauth://`). Secret.
        uri: String,
    },
}

impl fmt::Debug for Enrolment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Email(_) => "Email(***)",
            Self::Totp { .. } => "Totp(***)",
        })
    }
}

/// A second factor that was switched on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmedFactor {
    /// Which one.
    pub method: Method,
    /// Ten recovery codes, shown this once; `None` if the account has some.
    pub recovery_codes: Option<Vec<RecoveryCode>>,
}

impl SecondFactorService {
    /// What is on, and whether one is required.
    pub async fn status(&self, user: &User) -> Result<FactorStatus, AccountError> {
        let factors = self.context.ports.store.factors_of(&user.id).await?;
        Ok(FactorStatus { factors, is_required: self.context.requires_second_factor(user) })
    }

    /// Asks somebody who is logged in for their second factor, for what takes one.
    ///
    /// # Errors
    /// [`AccountError::NoSecondFactor`] if none is asked of them; [`AccountError::Throttled`] after too many mails.
    pub async fn challenge(&self, user: &User, client: &ClientInfo) -> Result<SecondFactorChallenge, AccountError> {
        let user = &self.context.account_now(user).await?;
        let methods = self.context.methods_of(user).await?;
        if methods.is_empty() {
            return Err(AccountError::NoSecondFactor);
        }
        let challenge = self.context.challenge(user, methods, CodePurpose::Confirmation, client).await?;
        challenge.ok_or_else(AccountContext::overtaken)
    }

    /// Begins to switch a method on: it is on when its first code was [shown](Self::confirm).
    ///
    /// # Errors
    /// [`AccountError::WrongPassword`], [`AccountError::ChallengeInvalid`], [`AccountError::WrongCode`], [`AccountError::Throttled`];
    /// [`AccountError::MethodUnavailable`] for recovery codes, which come by themselves, and for codes by email where no emails
    /// are sent or the user has no address;
    /// [`AccountError::EmailNotVerified`] for an authenticator where email addresses are verified and this one is not:
    /// otherwise it could be that of a stranger who registered the address. The code of an enrolment by mail verifies it.
    pub async fn enrol(&self, user: &User, method: Method, shown: Reauthentication) -> Result<Enrolment, AccountError> {
        let purpose = match method {
            Method::Email if self.context.policy.sends_mail => CodePurpose::EmailEnrolment,
            Method::Totp => CodePurpose::TotpEnrolment,
            Method::Email | Method::RecoveryCode => return Err(AccountError::MethodUnavailable),
        };
        let context = &self.context;
        let user = &context.authorize(user, &shown).await?;
        if method == Method::Totp && !self.context.policy.lets_add_authenticator(user) {
            return Err(AccountError::EmailNotVerified);
        }
        let mut code = context.new_code(user, purpose);
        let challenge = context.challenge_of(code.id);
        let (effects, enrolment) = match method {
            Method::Totp => {
                let secret = TotpSecret::generate(self.context.ports.randomness.as_ref());
                let sealed = self.context.ports.secret_box.seal(&TotpSecret::context(&user.id), secret.expose());
                code.payload = Some(sealed.map_err(AuthError::Crypto)?.bytes().to_vec());
                let uri = secret.expose_uri(&self.context.policy.service_name, &user.username);
                (Effects::default(), Enrolment::Totp { challenge, secret, uri })
            }
            Method::Email | Method::RecoveryCode => {
                let email = user.email.as_ref().ok_or(AccountError::MethodUnavailable)?;
                context.limits.admit_code(user, purpose).await?;
                code.payload = Some(email.as_bytes().to_vec());
                (context.mailed_digits(&mut code, user, &shown.client)?, Enrolment::Email(challenge))
            }
        };
        if !self.context.ports.store.issue(&code, &effects, &IssueIf::still(user)).await? {
            return Err(AccountContext::overtaken());
        }
        Ok(enrolment)
    }

    /// Switches a method on, with its first code.
    ///
    /// # Errors
    /// [`AccountError::ChallengeInvalid`], [`AccountError::WrongCode`], [`AccountError::Throttled`].
    pub async fn confirm(
        &self,
        user: &User,
        challenge: &str,
        text: &str,
        client: &ClientInfo,
    ) -> Result<ConfirmedFactor, AccountError> {
        let context = &self.context;
        let id = ChallengeToken::read(challenge, self.context.ports.keyed_hash.as_ref())
            .ok_or(AccountError::ChallengeInvalid)?;
        let stored = self.context.ports.store.find_code(id).await?.ok_or(AccountError::ChallengeInvalid)?;
        let is_enrolment = matches!(stored.purpose, CodePurpose::EmailEnrolment | CodePurpose::TotpEnrolment);
        if stored.user_id != user.id || !is_enrolment {
            return Err(AccountError::ChallengeInvalid);
        }
        let guess = context.limits.guess_code(user, client).await?;
        let compared = self.compare_first_code(id, text, user).await;
        let (factor, code) = guess.settle(compared, AccountError::WrongCode).await?;
        self.switch_on(user, &factor, &code, client).await
    }

    /// The factor of the enrolment with this ID and its code, if the text is its first code.
    async fn compare_first_code(
        &self,
        id: CodeId,
        text: &str,
        user: &User,
    ) -> Result<Option<(NewFactor, OneTimeCode)>, AccountError> {
        let ports = &self.context.ports;
        let code = ports.store.try_code(id, ports.clock.now()).await?.ok_or(AccountError::ChallengeInvalid)?;
        let factor = self.enrolled(user, &code, text)?;
        if factor.is_none() {
            ports.record(SecurityEvent::of_user(EventKind::SecondFactorRefused, &user.id));
        }
        Ok(factor.map(|factor| (factor, code)))
    }

    /// The factor of an enrolment, if this is its code.
    fn enrolled(&self, user: &User, code: &OneTimeCode, text: &str) -> Result<Option<NewFactor>, AccountError> {
        let (keyed_hash, payload) = (self.context.ports.keyed_hash.as_ref(), code.payload.clone().unwrap_or_default());
        let Some(digits) = SixDigitCode::parse(text) else { return Ok(None) };
        if code.purpose == CodePurpose::EmailEnrolment {
            let is_same_address = user.email.as_ref().is_some_and(|email| payload == email.as_bytes());
            let is_right = digits.matches(code, keyed_hash) && is_same_address;
            return Ok(is_right.then_some(NewFactor::Email));
        }
        let sealed = Sealed::new(payload);
        let opened =
            self.context.ports.secret_box.open(&TotpSecret::context(&user.id), &sealed).map_err(AuthError::Crypto)?;
        let step =
            matching_step(&TotpSecret::from_bytes(opened), digits, None, self.context.ports.clock.now(), keyed_hash);
        Ok(step.map(|step| NewFactor::Totp { secret: sealed, step }))
    }

    async fn switch_on(
        &self,
        user: &User,
        factor: &NewFactor,
        code: &OneTimeCode,
        client: &ClientInfo,
    ) -> Result<ConfirmedFactor, AccountError> {
        let (codes, macs) = self.new_recovery_codes(user);
        let method = factor.method();
        let content = self.context.emails.content(user, client).with(Fact::Method, method.name());
        let mut effects = self.context.emails.mail(EmailKind::SecondFactorAdded, user.email.as_deref(), &content)?;
        if method == Method::Totp && user.email_verified_at.is_none() {
            // Until it is verified, the factor does not outlast a reset of the password.
            effects.append(self.verification_request(user, client)?.into_iter().collect());
        }
        let effects = effects.with_event(SecurityEvent::of_user(EventKind::SecondFactorAdded, &user.id));
        let now = self.context.ports.clock.timestamp();
        let added = self.context.ports.store.add_factor(&user.id, factor, code.id, &macs, &effects, now).await?;
        let takes_codes = added.ok_or(AccountError::ChallengeInvalid)?;
        self.context.ports.note_changed(&user.id);
        self.context.ports.record_committed(&effects);
        Ok(ConfirmedFactor { method, recovery_codes: takes_codes.then_some(codes) })
    }

    /// A request to verify the email address of a user; none if there is none, or it is a contact only, by which another user
    /// would be found, or it was written past the rules.
    fn verification_request(&self, user: &User, client: &ClientInfo) -> Result<Option<OutgoingEmail>, AuthError> {
        match user.login_email().and_then(|email| Email::parse(email).ok()) {
            Some(email) => self.context.emails.request(EmailRequest::EmailVerification, &email, client),
            None => Ok(None),
        }
    }

    /// Switches a method off, and tells so by mail.
    ///
    /// # Errors
    /// As for [`enrol`](Self::enrol), and [`AccountError::NoSecondFactor`] if it is not on.
    pub async fn remove(&self, user: &User, method: Method, shown: Reauthentication) -> Result<(), AccountError> {
        let factors = self.context.ports.store.factors_of(&user.id).await?;
        if method == Method::RecoveryCode || !factors.has(method) {
            return Err(AccountError::NoSecondFactor);
        }
        let user = self.context.authorize(user, &shown).await?;
        let notices = self.context.emails.removal_notices(&user, &[method], &shown.client)?;
        let effects = notices.with_event(SecurityEvent::of_user(EventKind::SecondFactorRemoved, &user.id));
        if !self.context.ports.store.remove_factors(&user.id, &[method], Some(user.security_stamp), &effects).await? {
            return Err(AccountContext::overtaken());
        }
        self.context.ports.record_committed(&effects);
        Ok(())
    }

    /// Makes ten new recovery codes; those before open nothing any more.
    ///
    /// # Errors
    /// As for [`remove`](Self::remove).
    pub async fn replace_recovery_codes(
        &self,
        user: &User,
        shown: Reauthentication,
    ) -> Result<Vec<RecoveryCode>, AccountError> {
        if !self.context.ports.store.factors_of(&user.id).await?.is_on() {
            return Err(AccountError::NoSecondFactor);
        }
        let user = self.context.authorize(user, &shown).await?;
        let (codes, macs) = self.new_recovery_codes(&user);
        let content = self.context.emails.content(&user, &shown.client);
        let notice = self.context.emails.mail(EmailKind::RecoveryCodesReplaced, user.email.as_deref(), &content)?;
        let effects = notice.with_event(SecurityEvent::of_user(EventKind::RecoveryCodesReplaced, &user.id));
        let only_at = Some(user.security_stamp);
        if !self.context.ports.store.replace_recovery_codes(&user.id, &macs, only_at, &effects).await? {
            return Err(AccountContext::overtaken());
        }
        self.context.ports.record_committed(&effects);
        Ok(codes)
    }

    fn new_recovery_codes(&self, user: &User) -> (Vec<RecoveryCode>, Vec<Mac>) {
        let draw = |_| RecoveryCode::generate(self.context.ports.randomness.as_ref());
        let codes: Vec<_> = (0..Factors::RECOVERY_CODES).map(draw).collect();
        let macs = codes.iter().map(|code| code.mac(&user.id, self.context.ports.keyed_hash.as_ref())).collect();
        (codes, macs)
    }
}
