//! Change of the password by somebody who is logged in.

use auth_core::error::{AuthError, StoreError};
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::service::{Caller, Continuation, Issued};
use auth_core::user::User;

use crate::error::AccountError;
use crate::mail::EmailKind;
use crate::password::RawPassword;
use crate::ports::{NewPassword, PasswordUpdate, QueueShare};
use crate::service::{LoginService, Reauthentication};

/// What somebody asks for who wants another password.
#[derive(Clone, Debug)]
pub struct PasswordChange {
    /// The password that they have, and the second factor where a login takes one.
    pub shown: Reauthentication,
    /// The password that they want.
    pub new: RawPassword,
}

impl LoginService {
    /// How often a change is tried again when the session is refreshed while it is under way.
    const MAX_CHANGES: usize = 8;

    /// Changes the password of the caller. Every other session of theirs ends, and every open link and challenge; their own
    /// goes on with the pair that is answered, so that whoever else held a token of it is out (SEC-111). Where an older
    /// token may still be exchanged ([`OnRetry::Replay`](auth_core::rotation::OnRetry::Replay),
    /// [`OnRefresh::KeepAndRotate`](auth_core::rotation::OnRefresh::KeepAndRotate),
    /// [`TokenKind::Sliding`](auth_core::token::TokenKind::Sliding)), the pair is
    /// that of another session in its place; where sliding tokens alone are accepted, it is one of those. `None` if the
    /// caller's token belongs to no session: then all of them end.
    ///
    /// # Errors
    /// [`AccountError::WrongPassword`] if the old one is wrong; guesses count as at a login.
    /// [`AccountError::ChallengeMissing`], [`AccountError::ChallengeInvalid`], [`AccountError::WrongCode`] where a login takes a second
    /// factor (SEC-134). [`TokenFault::Revoked`](auth_core::token::TokenFault::Revoked) if the session has ended, or could not be
    /// [refreshed](auth_core::service::TokenService::refresh) for want of a second factor.
    /// [`AccountFault::WeakPassword`](crate::account::AccountFault::WeakPassword) if the new one does not pass the [policy](crate::service::AccountPolicy::passwords).
    pub async fn change_password(
        &self,
        caller: &Caller,
        change: PasswordChange,
    ) -> Result<Option<Issued>, AccountError> {
        let (context, tokens) = (&self.context, &self.context.tokens);
        let PasswordChange { shown, new } = change;
        // Before anything is compared or counted.
        tokens.live_session(caller).await?;
        let mut user = context.own_password(&caller.user, &shown.password, &shown.client).await?;
        let hash = self.context.ports.hasher.hash(&context.checked(&user, new)?, QueueShare::Whole).await?;
        // Last: a code is used up when it is compared.
        context.confirm_factor(&user, &shown).await?;
        for _ in 0..Self::MAX_CHANGES {
            let goes_on = match tokens.live_session(caller).await? {
                Some(found) => tokens.continuation(found).await?,
                None => Continuation::default(),
            };
            let effects = context.emails.mail(
                EmailKind::PasswordChanged,
                user.email.as_deref(),
                &context.emails.content(&user, &shown.client),
            )?;
            let effects = effects.with_event(SecurityEvent::of_user(EventKind::PasswordChanged, &user.id));
            let Continuation { keep, replace, issued } = goes_on;
            let only_at = Some(user.security_stamp);
            let new =
                NewPassword { only_at, keep, replace, effects, ..NewPassword::new(user.id.clone(), hash.clone()) };
            match self.context.ports.store.set_password(&new, self.context.ports.clock.now()).await? {
                PasswordUpdate::Done => {
                    self.context.ports.note_changed(&user.id);
                    self.context.ports.record_committed(&new.effects);
                    return Ok(issued);
                }
                PasswordUpdate::Gone => return Err(AuthError::UserNotFound.into()),
                // The session went on, or the account is another than it was: then all is decided once more.
                PasswordUpdate::Overtaken if self.is_still(&user).await? => {}
                PasswordUpdate::Overtaken => user = context.authorize(&user, &shown).await?,
            }
        }
        Err(StoreError::unavailable("the session keeps changing during the change of its password").into())
    }

    /// Whether what was decided on this account still counts.
    async fn is_still(&self, user: &User) -> Result<bool, AccountError> {
        let now = self.context.ports.store.find_user(&user.id).await?.ok_or(AuthError::UserNotFound)?;
        Ok(now.security_stamp == user.security_stamp)
    }
}
