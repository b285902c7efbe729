//! Enrolment and removal of second factors. Both require the password and, if a second factor is on, a code (SEC-134).

use std::fmt;

use auth_core::effects::Effects;
use auth_core::error::AuthError;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::Email;
use crate::code::{ChallengeToken, CodeId, CodePurpose, OneTimeCode, SixDigitCode};
use crate::email::{EmailKind, EmailRequest, Fact, OutgoingEmail};
use crate::error::AccountError;
use crate::ports::IssueIf;
use crate::second_factor::{Factors, Method, NewFactor, RecoveryCode, TotpSecret, matching_step};
use crate::secret::{Mac, Sealed};
use crate::service::context::AccountContext;
use crate::service::second_factor::{Reauthentication, SecondFactorChallenge, SecondFactorService};

/// The second factors of an account, as its user sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FactorStatus {
    /// The second factors that are on.
    pub factors: Factors,
    /// Whether the policy requires a second factor.
    pub is_required: bool,
}

/// An enrolment that waits for its first code. `Debug` prints no secrets.
#[derive(Clone, PartialEq, Eq)]
pub enum Enrolment {
    /// A code was sent to the email address of the account.
    Email(ChallengeToken),
    /// A secret for an authenticator.
    Totp {
        /// The challenge, which is sent back with the code.
        challenge: ChallengeToken,
        /// The secret.
        secret: TotpSecret,
        /// The secret as an `otpauth` URI for a QR code. Secret.
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

/// A second factor that was added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfirmedFactor {
    /// The method.
    pub method: Method,
    /// Ten recovery codes, which cannot be read again; `None` if the account already has some.
    pub recovery_codes: Option<Vec<RecoveryCode>>,
}

impl SecondFactorService {
    /// Returns which second factors are on, and whether one is required.
    pub async fn status(&self, user: &User) -> Result<FactorStatus, AccountError> {
        let factors = self.context.ports.store.factors_of(&user.id).await?;
        Ok(FactorStatus { factors, is_required: self.context.requires_second_factor(user) })
    }

    /// Issues a challenge to a logged-in user, for a reauthentication.
    ///
    /// # Errors
    /// [`AccountError::NoSecondFactor`] if none is required; [`AccountError::Throttled`] after too many challenges or emails.
    pub async fn challenge(&self, user: &User, client: &ClientInfo) -> Result<SecondFactorChallenge, AccountError> {
        let user = &self.context.account_now(user).await?;
        let methods = self.context.methods_of(user).await?;
        if methods.is_empty() {
            return Err(AccountError::NoSecondFactor);
        }
        let challenge = self.context.challenge(user, methods, CodePurpose::Confirmation, client).await?;
        challenge.ok_or_else(AccountContext::overtaken)
    }

    /// Starts the enrolment of a method. It is on after [`confirm`](Self::confirm) with its first code.
    ///
    /// # Errors
    /// [`AccountError::WrongPassword`], [`AccountError::ChallengeMissing`], [`AccountError::ChallengeInvalid`],
    /// [`AccountError::WrongCode`] or [`AccountError::Throttled`] if the reauthentication fails.
    ///
    /// [`AccountError::MethodUnavailable`] for recovery codes, which are created with the first factor, and for codes by email
    /// if no emails are sent or the user has no email address.
    ///
    /// [`AccountError::EmailNotVerified`] for an authenticator, if email addresses are verified and the user's is not: an
    /// attacker may have registered the address. Enrolling codes by email verifies it.
    pub async fn enrol(
        &self,
        user: &User,
        method: Method,
        reauthentication: Reauthentication,
    ) -> Result<Enrolment, AccountError> {
        let purpose = match method {
            Method::Email if self.context.policy.sends_emails => CodePurpose::EmailEnrolment,
            Method::Totp => CodePurpose::TotpEnrolment,
            Method::Email | Method::RecoveryCode => return Err(AccountError::MethodUnavailable),
        };
        let context = &self.context;
        let user = &context.authorize(user, &reauthentication).await?;
        if method == Method::Totp && !self.context.policy.allows_authenticator(user) {
            return Err(AccountError::EmailNotVerified);
        }
        let mut code = context.new_code(user, purpose);
        let challenge = context.challenge_for(code.id);
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
                (context.email_code(&mut code, user, &reauthentication.client)?, Enrolment::Email(challenge))
            }
        };
        if !self.context.ports.store.issue(&code, &effects, &IssueIf::still(user)).await? {
            return Err(AccountContext::overtaken());
        }
        Ok(enrolment)
    }

    /// Completes an enrolment with the first code of the method.
    ///
    /// # Errors
    /// [`AccountError::ChallengeInvalid`], [`AccountError::WrongCode`], [`AccountError::Throttled`].
    pub async fn confirm(
        &self,
        user: &User,
        challenge: &str,
        input: &str,
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
        let compared = self.compare_first_code(id, input, user).await;
        let (factor, code) = guess.settle(compared, AccountError::WrongCode).await?;
        self.add_factor(user, &factor, &code, client).await
    }

    /// Counts an attempt on an enrolment, and returns the factor and the enrolment's code if `input` is right.
    async fn compare_first_code(
        &self,
        id: CodeId,
        input: &str,
        user: &User,
    ) -> Result<Option<(NewFactor, OneTimeCode)>, AccountError> {
        let ports = &self.context.ports;
        let code = ports.store.try_code(id, ports.clock.now()).await?.ok_or(AccountError::ChallengeInvalid)?;
        let factor = self.enrolled(user, &code, input)?;
        if factor.is_none() {
            ports.record(SecurityEvent::of_user(EventKind::SecondFactorRefused, &user.id));
        }
        Ok(factor.map(|factor| (factor, code)))
    }

    /// The factor of an enrolment, if `input` is its code.
    fn enrolled(&self, user: &User, code: &OneTimeCode, input: &str) -> Result<Option<NewFactor>, AccountError> {
        let (keyed_hash, payload) = (self.context.ports.keyed_hash.as_ref(), code.payload.clone().unwrap_or_default());
        let Some(digits) = SixDigitCode::parse(input) else { return Ok(None) };
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

    /// Adds a confirmed factor, with recovery codes if it is the first one.
    async fn add_factor(
        &self,
        user: &User,
        factor: &NewFactor,
        code: &OneTimeCode,
        client: &ClientInfo,
    ) -> Result<ConfirmedFactor, AccountError> {
        let (codes, macs) = self.new_recovery_codes(user);
        let method = factor.method();
        let content = self.context.emails.content(user, client).with(Fact::Method, method.name());
        let mut effects = self.context.emails.email(EmailKind::SecondFactorAdded, user.email.as_deref(), &content)?;
        if method == Method::Totp && user.email_verified_at.is_none() {
            // A password reset would remove the factor as long as the email address is unverified.
            effects.append(self.verification_request(user, client)?.into_iter().collect());
        }
        let effects = effects.with_event(SecurityEvent::of_user(EventKind::SecondFactorAdded, &user.id));
        let now = self.context.ports.clock.timestamp();
        let added = self.context.ports.store.add_factor(&user.id, factor, code.id, &macs, &effects, now).await?;
        let has_new_codes = added.ok_or(AccountError::ChallengeInvalid)?;
        self.context.ports.invalidate_account(&user.id);
        self.context.ports.record_committed(&effects);
        Ok(ConfirmedFactor { method, recovery_codes: has_new_codes.then_some(codes) })
    }

    /// A request to verify the email address of a user; `None` if there is none, if it is only a contact, or if a host has stored
    /// an invalid one.
    fn verification_request(&self, user: &User, client: &ClientInfo) -> Result<Option<OutgoingEmail>, AuthError> {
        match user.login_email().and_then(|email| Email::parse(email).ok()) {
            Some(email) => self.context.emails.request(EmailRequest::EmailVerification, &email, client),
            None => Ok(None),
        }
    }

    /// Removes a method, and notifies the user by email.
    ///
    /// # Errors
    /// [`AccountError::NoSecondFactor`] if the method is not on, and those of the reauthentication as for [`enrol`](Self::enrol).
    pub async fn remove(
        &self,
        user: &User,
        method: Method,
        reauthentication: Reauthentication,
    ) -> Result<(), AccountError> {
        let factors = self.context.ports.store.factors_of(&user.id).await?;
        if method == Method::RecoveryCode || !factors.has(method) {
            return Err(AccountError::NoSecondFactor);
        }
        let user = self.context.authorize(user, &reauthentication).await?;
        let notices = self.context.emails.removal_notices(&user, &[method], &reauthentication.client)?;
        let effects = notices.with_event(SecurityEvent::of_user(EventKind::SecondFactorRemoved, &user.id));
        if !self.context.ports.store.remove_factors(&user.id, &[method], Some(user.security_stamp), &effects).await? {
            return Err(AccountContext::overtaken());
        }
        self.context.ports.record_committed(&effects);
        Ok(())
    }

    /// Replaces the recovery codes by ten new ones, and notifies the user by email.
    ///
    /// # Errors
    /// Those of [`remove`](Self::remove).
    pub async fn replace_recovery_codes(
        &self,
        user: &User,
        reauthentication: Reauthentication,
    ) -> Result<Vec<RecoveryCode>, AccountError> {
        if !self.context.ports.store.factors_of(&user.id).await?.is_on() {
            return Err(AccountError::NoSecondFactor);
        }
        let user = self.context.authorize(user, &reauthentication).await?;
        let (codes, macs) = self.new_recovery_codes(&user);
        let content = self.context.emails.content(&user, &reauthentication.client);
        let notice = self.context.emails.email(EmailKind::RecoveryCodesReplaced, user.email.as_deref(), &content)?;
        let effects = notice.with_event(SecurityEvent::of_user(EventKind::RecoveryCodesReplaced, &user.id));
        let only_at = Some(user.security_stamp);
        if !self.context.ports.store.replace_recovery_codes(&user.id, &macs, only_at, &effects).await? {
            return Err(AccountContext::overtaken());
        }
        self.context.ports.record_committed(&effects);
        Ok(codes)
    }

    fn new_recovery_codes(&self, user: &User) -> (Vec<RecoveryCode>, Vec<Mac>) {
        let generate = |_| RecoveryCode::generate(self.context.ports.randomness.as_ref());
        let codes: Vec<_> = (0..Factors::RECOVERY_CODES).map(generate).collect();
        let macs = codes.iter().map(|code| code.mac(&user.id, self.context.ports.keyed_hash.as_ref())).collect();
        (codes, macs)
    }
}
