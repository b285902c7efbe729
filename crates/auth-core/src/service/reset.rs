//! A new password for somebody who forgot theirs.

use crate::account::Email;
use crate::code::CodePurpose;
use crate::error::AuthError;
use crate::event::{EventKind, SecurityEvent};
use crate::mail::{MailKind, MailRequest};
use crate::password::{PasswordPolicy, RawPassword};
use crate::ports::{NewPassword, PasswordUpdate, QueueShare};
use crate::service::AccountService;
use crate::service::context::Context;
use crate::token::ClientInfo;

impl AccountService {
    /// Writes down that somebody wants to reset the password of whoever has this address. Whether there is an account is
    /// looked into afterwards, by the [`OutboxService`](crate::service::OutboxService): neither the answer nor its time can
    /// tell (SEC-112).
    ///
    /// # Errors
    /// [`AuthError::Throttled`], by the address that was typed and that of the client, never by the account.
    pub async fn request_reset(&self, email: &Email, client: &ClientInfo) -> Result<(), AuthError> {
        self.ask(MailRequest::PasswordReset, email, client).await
    }

    /// Sets a new password with the token of a link. Ends every session of the account and every other open link and
    /// challenge; proves the address that the link was sent to. Logs nobody in (SEC-115).
    ///
    /// # Errors
    /// [`AuthError::BadLink`] for a token that was used or altered, or whose time is over.
    /// [`AccountFault::WeakPassword`](crate::account::AccountFault::WeakPassword) if the password does not pass `rules`;
    /// then the token stays good.
    pub async fn confirm_reset(
        &self,
        token: &str,
        password: RawPassword,
        rules: &PasswordPolicy,
        client: &ClientInfo,
    ) -> Result<(), AuthError> {
        let context = self.context();
        let (code, email) = context.followed(token, &[CodePurpose::PasswordReset]).await?;
        let user = self.ports.store.find_user(code.user_id).await?;
        let user = user.filter(|user| user.is_active).ok_or(AuthError::BadLink)?;
        let hash = self.ports.hasher.hash(&Context::checked(&user, password, rules)?, QueueShare::Whole).await?;
        let new = NewPassword {
            code: Some(code.id),
            proves: Some(email),
            mails: context.mail(MailKind::PasswordChanged, &user.email, &context.content(&user, client))?,
            ..NewPassword::new(user.id, hash)
        };
        match self.ports.store.set_password(&new, self.ports.clock.now()).await? {
            PasswordUpdate::Done => {
                self.ports.note_changed(user.id);
                self.ports.record(SecurityEvent::of_user(EventKind::PasswordReset, user.id));
                // The password is set in any case: at worst they wait a while.
                let _ = context.forgive_passwords(&user).await;
                Ok(())
            }
            PasswordUpdate::Overtaken | PasswordUpdate::Gone => Err(AuthError::BadLink),
        }
    }

    pub(super) async fn ask(&self, what: MailRequest, email: &Email, client: &ClientInfo) -> Result<(), AuthError> {
        let context = self.context();
        context.admit_request(what, email, client).await?;
        if let Some(request) = context.request(what, email, client)? {
            self.ports.store.enqueue(&request).await?;
        }
        Ok(())
    }
}
