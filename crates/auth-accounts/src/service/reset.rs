//! Password resets.

use auth_core::event::{EventKind, SecurityEvent};
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::Email;
use crate::code::{CodeId, CodePurpose};
use crate::email::{EmailKind, EmailRequest};
use crate::error::AccountError;
use crate::password::{PasswordHash, RawPassword};
use crate::ports::{NewPassword, PasswordUpdate, QueueShare};
use crate::second_factor::Method;
use crate::service::AccountService;
use crate::service::context::AccountContext;

/// A reset that a valid link allows.
struct Reset {
    code: CodeId,
    /// The email address that the link was sent to.
    email: Email,
    user: User,
    /// The second factors that the reset removes.
    removes: Vec<Method>,
}

impl AccountService {
    /// Enqueues a request for a password-reset email. The [`OutboxService`](crate::service::OutboxService) looks up the account
    /// later, so neither the answer nor its timing reveals whether there is one (SEC-112).
    ///
    /// # Errors
    /// [`AccountError::Throttled`] after too many requests for the email address or from the client IP, whether or not there is
    /// an account.
    pub async fn request_reset(&self, email: &Email, client: &ClientInfo) -> Result<(), AccountError> {
        self.enqueue_request(EmailRequest::PasswordReset, email, client).await
    }

    /// How often a reset is attempted if the second factors of the account change concurrently.
    const MAX_RESETS: usize = 3;

    /// Sets a new password with a link token. Revokes every session of the account, and ends every other open link and challenge.
    /// Starts no session (SEC-115).
    ///
    /// Also verifies the email address that the link was sent to. If that is the first verification, the second factors of the
    /// account are removed in the same transaction, since an attacker may have registered the address (SEC-134).
    ///
    /// # Errors
    /// [`AccountError::BadLink`] if the token is not valid, was used, or has expired.
    /// [`AccountFault::WeakPassword`](crate::account::AccountFault::WeakPassword) if the password breaks the
    /// [policy](crate::service::AccountPolicy::passwords); the token stays valid.
    pub async fn confirm_reset(
        &self,
        token: &str,
        password: RawPassword,
        client: &ClientInfo,
    ) -> Result<(), AccountError> {
        let mut reset = self.reset_of(token).await?;
        let hash =
            self.context.ports.hasher.hash(&self.context.checked(&reset.user, password)?, QueueShare::Whole).await?;
        for _ in 0..Self::MAX_RESETS {
            match self.try_reset(&reset, &hash, client).await? {
                PasswordUpdate::Done => return Ok(()),
                PasswordUpdate::Gone => return Err(AccountError::BadLink),
                PasswordUpdate::Overtaken => reset = self.reset_of(token).await?,
            }
        }
        Err(AccountContext::overtaken())
    }

    /// The reset that a link token allows.
    async fn reset_of(&self, token: &str) -> Result<Reset, AccountError> {
        let (code, target) = self.context.emails.find_link(token, &[CodePurpose::PasswordReset]).await?;
        let email = target.email;
        let user = self.context.ports.store.find_user(&code.user_id).await?;
        let user = user.filter(|user| user.is_active).ok_or(AccountError::BadLink)?;
        let is_first_verification = user.email_verified_at.is_none()
            && user.login_email().is_some_and(|own| email.canonical().eq_ignore_ascii_case(own));
        let removes = match is_first_verification {
            true => self.context.ports.store.factors_of(&user.id).await?.on(),
            false => Vec::new(),
        };
        Ok(Reset { code: code.id, email, user, removes })
    }

    async fn try_reset(
        &self,
        reset: &Reset,
        hash: &PasswordHash,
        client: &ClientInfo,
    ) -> Result<PasswordUpdate, AccountError> {
        let (context, user) = (&self.context, &reset.user);
        let mut effects = context.emails.email(
            EmailKind::PasswordChanged,
            user.email.as_deref(),
            &context.emails.content(user, client),
        )?;
        effects.append(context.emails.removal_notices(user, &reset.removes, client)?);
        effects.events.push(SecurityEvent::of_user(EventKind::PasswordReset, &user.id));
        let removal = SecurityEvent::of_user(EventKind::SecondFactorRemoved, &user.id);
        effects.events.extend(reset.removes.iter().map(|_| removal.clone()));
        let new = NewPassword {
            code: Some(reset.code),
            verifies: Some(reset.email.clone()),
            removes: reset.removes.clone(),
            effects,
            ..NewPassword::new(user.id.clone(), hash.clone())
        };
        let outcome = self.context.ports.store.set_password(&new, self.context.ports.clock.now()).await?;
        if outcome == PasswordUpdate::Done {
            self.context.ports.invalidate_account(&user.id);
            self.context.ports.record_committed(&new.effects);
            // The password is set. If this fails, the user only has to wait for the delay.
            let _ = context.limits.reset_password_counts(user, client).await;
        }
        Ok(outcome)
    }

    /// Enqueues a request for an email.
    pub(super) async fn enqueue_request(
        &self,
        request: EmailRequest,
        email: &Email,
        client: &ClientInfo,
    ) -> Result<(), AccountError> {
        let context = &self.context;
        context.limits.admit_request(request, email, client).await?;
        if let Some(request) = context.emails.request(request, email, client)? {
            self.context.ports.store.enqueue(&request).await?;
        }
        Ok(())
    }
}
