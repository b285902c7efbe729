//! Password changes by logged-in users.

use auth_core::error::{AuthError, StoreError};
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::service::{Caller, Continuation, Issued};
use auth_core::user::User;

use crate::email::EmailKind;
use crate::error::AccountError;
use crate::password::RawPassword;
use crate::ports::{NewPassword, PasswordUpdate, QueueShare};
use crate::service::{LoginService, Reauthentication};

/// A request to change the password.
#[derive(Clone, Debug)]
pub struct PasswordChange {
    /// The current password, and the second factor where a login requires one.
    pub reauthentication: Reauthentication,
    /// The new password.
    pub new: RawPassword,
}

impl LoginService {
    /// How often a change is attempted if the session is refreshed concurrently.
    const MAX_CHANGES: usize = 8;

    /// Changes the password of the caller. Revokes every other session of the user, and ends every open link and challenge.
    ///
    /// The caller's session continues with the returned token pair; its earlier tokens are refused (SEC-111). Where an older
    /// token could still be exchanged ([`OnRetry::Replay`](auth_core::rotation::OnRetry::Replay),
    /// [`OnRefresh::KeepAndRotate`](auth_core::rotation::OnRefresh::KeepAndRotate),
    /// [`TokenKind::Sliding`](auth_core::token::TokenKind::Sliding)), a new session replaces it. Where only sliding tokens are
    /// accepted, returns a sliding token. Returns `None` and revokes all sessions if the caller's token belongs to no session.
    ///
    /// # Errors
    /// [`AccountError::WrongPassword`] if the current password is wrong; guesses count as at a login (SEC-110).
    /// [`AccountError::ChallengeMissing`], [`AccountError::ChallengeInvalid`] or [`AccountError::WrongCode`] where a login requires
    /// a second factor (SEC-134). [`TokenFault::Revoked`](auth_core::token::TokenFault::Revoked) if the session is revoked, or
    /// cannot be [refreshed](auth_core::service::TokenService::refresh) because it lacks a required second factor.
    /// [`AccountFault::WeakPassword`](crate::account::AccountFault::WeakPassword) if the new password breaks the
    /// [policy](crate::service::AccountPolicy::passwords).
    pub async fn change_password(
        &self,
        caller: &Caller,
        change: PasswordChange,
    ) -> Result<Option<Issued>, AccountError> {
        let (context, tokens) = (&self.context, &self.context.tokens);
        let PasswordChange { reauthentication, new } = change;
        // A revoked session is refused before anything is compared or counted.
        tokens.live_session(caller).await?;
        let mut user =
            context.check_own_password(&caller.user, &reauthentication.password, &reauthentication.client).await?;
        let hash = self.context.ports.hasher.hash(&context.checked(&user, new)?, QueueShare::Whole).await?;
        // Last, because a right code is used up.
        context.confirm_factor(&user, &reauthentication).await?;
        for _ in 0..Self::MAX_CHANGES {
            let continuation = match tokens.live_session(caller).await? {
                Some(found) => tokens.continuation(found).await?,
                None => Continuation::default(),
            };
            let effects = context.emails.email(
                EmailKind::PasswordChanged,
                user.email.as_deref(),
                &context.emails.content(&user, &reauthentication.client),
            )?;
            let effects = effects.with_event(SecurityEvent::of_user(EventKind::PasswordChanged, &user.id));
            let Continuation { keep, replace, issued } = continuation;
            let only_at = Some(user.security_stamp);
            let new =
                NewPassword { only_at, keep, replace, effects, ..NewPassword::new(user.id.clone(), hash.clone()) };
            match self.context.ports.store.set_password(&new, self.context.ports.clock.now()).await? {
                PasswordUpdate::Done => {
                    self.context.ports.invalidate_account(&user.id);
                    self.context.ports.record_committed(&new.effects);
                    return Ok(issued);
                }
                PasswordUpdate::Gone => return Err(AuthError::UserNotFound.into()),
                // The session was rotated, or the account has changed: decide again.
                PasswordUpdate::Overtaken if self.has_same_stamp(&user).await? => {}
                PasswordUpdate::Overtaken => user = context.authorize(&user, &reauthentication).await?,
            }
        }
        Err(StoreError::unavailable("the session kept changing during the password change").into())
    }

    /// Whether the security stamp of the account is unchanged.
    async fn has_same_stamp(&self, user: &User) -> Result<bool, AccountError> {
        let now = self.context.ports.store.find_user(&user.id).await?.ok_or(AuthError::UserNotFound)?;
        Ok(now.security_stamp == user.security_stamp)
    }
}
