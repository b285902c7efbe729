//! A new password for somebody who forgot theirs.

use auth_core::event::{EventKind, SecurityEvent};
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::Email;
use crate::code::{CodeId, CodePurpose};
use crate::error::AccountError;
use crate::mail::{EmailKind, EmailRequest};
use crate::password::{PasswordHash, RawPassword};
use crate::ports::{NewPassword, PasswordUpdate, QueueShare};
use crate::second_factor::Method;
use crate::service::AccountService;
use crate::service::context::AccountContext;

/// What a link to reset a password is good for.
struct Reset {
    code: CodeId,
    /// Where the link was sent.
    email: Email,
    user: User,
    /// The second factors that go with the old password.
    removes: Vec<Method>,
}

impl AccountService {
    /// Writes down that somebody wants to reset the password of whoever has this address. Whether there is an account is
    /// looked into afterwards, by the [`OutboxService`](crate::service::OutboxService): neither the answer nor its time can
    /// tell (SEC-112).
    ///
    /// # Errors
    /// [`AccountError::Throttled`], by the address that was typed and that of the client, never by the account.
    pub async fn request_reset(&self, email: &Email, client: &ClientInfo) -> Result<(), AccountError> {
        self.ask(EmailRequest::PasswordReset, email, client).await
    }

    /// How often a reset is tried again when the second factors of the account change while it is under way.
    const MAX_RESETS: usize = 3;

    /// Sets a new password with the token of a link. Ends every session of the account and every other open link and
    /// challenge; proves the address that the link was sent to. If it was not proven before, the second factors of the
    /// account are removed with the same transaction: they may be those of a stranger who registered the address. Logs
    /// nobody in (SEC-115).
    ///
    /// # Errors
    /// [`AccountError::BadLink`] for a token that was used or altered or has expired.
    /// [`AccountFault::WeakPassword`](crate::account::AccountFault::WeakPassword) if the password does not pass the
    /// [policy](crate::service::AccountPolicy::passwords);
    /// then the token stays good.
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

    /// What the link with this token resets.
    async fn reset_of(&self, token: &str) -> Result<Reset, AccountError> {
        let (code, target) = self.context.emails.followed(token, &[CodePurpose::PasswordReset]).await?;
        let email = target.email;
        let user = self.context.ports.store.find_user(&code.user_id).await?;
        let user = user.filter(|user| user.is_active).ok_or(AccountError::BadLink)?;
        let is_first_proof = user.email_verified_at.is_none()
            && user.login_email().is_some_and(|own| email.canonical().eq_ignore_ascii_case(own));
        let removes = match is_first_proof {
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
        let mut effects = context.emails.mail(
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
            proves: Some(reset.email.clone()),
            removes: reset.removes.clone(),
            effects,
            ..NewPassword::new(user.id.clone(), hash.clone())
        };
        let outcome = self.context.ports.store.set_password(&new, self.context.ports.clock.now()).await?;
        if outcome == PasswordUpdate::Done {
            self.context.ports.note_changed(&user.id);
            self.context.ports.record_committed(&new.effects);
            // The password is set in any case: at worst they wait a while.
            let _ = context.limits.forgive_passwords(user, client).await;
        }
        Ok(outcome)
    }

    pub(super) async fn ask(&self, what: EmailRequest, email: &Email, client: &ClientInfo) -> Result<(), AccountError> {
        let context = &self.context;
        context.limits.admit_request(what, email, client).await?;
        if let Some(request) = context.emails.request(what, email, client)? {
            self.context.ports.store.enqueue(&request).await?;
        }
        Ok(())
    }
}
