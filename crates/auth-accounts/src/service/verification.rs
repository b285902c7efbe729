//! Email verification, for new accounts and changed email addresses.

use auth_core::effects::Effects;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::service::Caller;
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::{AccountFault, Email, Taken};
use crate::code::{CodePurpose, LinkCondition, LinkTarget};
use crate::email::{EmailKind, EmailRequest};
use crate::error::AccountError;
use crate::ports::{EmailUpdate, IssueIf, VerifiedEmail};
use crate::service::AccountService;
use crate::service::context::AccountContext;

impl AccountService {
    /// Enqueues a request for another verification email. As with [`request_reset`](Self::request_reset), nothing reveals whether
    /// an account exists (SEC-112).
    ///
    /// # Errors
    /// [`AccountError::Throttled`] after too many requests for the email address or from the client IP.
    pub async fn request_verification(&self, email: &Email, client: &ClientInfo) -> Result<(), AccountError> {
        self.enqueue_request(EmailRequest::EmailVerification, email, client).await
    }

    /// Verifies the email address of an account with a link token, or changes it to the email address that the link was sent to.
    ///
    /// If the account has second factors, or had some when the link was created, verification requires a `caller` who is logged
    /// in to the account. An attacker may have registered the email address and added the factors. A password reset
    /// [removes them](Self::confirm_reset) only while the email address is unverified, so following the link would lock out its
    /// owner.
    ///
    /// A change of the email address requires a login if a login requires a second factor, because codes may go to the new email
    /// address. Any change to the account's rights, password or second factors invalidates the link.
    ///
    /// # Errors
    /// [`AccountError::BadLink`] if the token is not valid, was used or has expired, or if the account has changed since the
    /// change was requested. [`AccountError::LoginRequired`] if a login is required and `caller` is `None` or another user; the
    /// token stays valid. The errors of
    /// [`TokenService::live_session`](auth_core::service::TokenService::live_session) if the caller's session cannot be
    /// continued. [`AccountFault::Taken`] if another account has the email address.
    pub async fn verify_email(
        &self,
        token: &str,
        caller: Option<&Caller>,
        client: &ClientInfo,
    ) -> Result<User, AccountError> {
        let context = &self.context;
        let purposes = [CodePurpose::EmailVerification, CodePurpose::EmailChange];
        let (code, LinkTarget { email, condition }) = context.emails.find_link(token, &purposes).await?;
        let user = context.ports.store.find_user(&code.user_id).await?;
        let user = user.filter(|user| user.is_active).ok_or(AccountError::BadLink)?;
        let is_change = code.purpose == CodePurpose::EmailChange;
        if is_change && condition != LinkCondition::Unchanged(user.security_stamp) {
            return Err(AccountError::BadLink);
        }
        if condition == LinkCondition::Login || self.requires_login(&user, is_change).await? {
            let own = caller.filter(|caller| caller.user.id == user.id);
            context.tokens.live_session(own.ok_or(AccountError::LoginRequired)?).await?;
        }
        let effects = self.verification_effects(&user, is_change.then_some(&email), client)?;
        let only_at = Some(user.security_stamp);
        let verified = VerifiedEmail { user: user.id, code: code.id, email, is_change, only_at, effects };
        match context.ports.store.confirm_email(&verified, context.ports.clock.timestamp()).await? {
            EmailUpdate::Done(user) => {
                context.ports.invalidate_account(&user.id);
                context.ports.record_committed(&verified.effects);
                Ok(user)
            }
            EmailUpdate::Taken => Err(AccountFault::Taken(Taken::Email).into()),
            EmailUpdate::Overtaken => Err(AccountError::BadLink),
        }
    }

    /// The effects of verifying an email address. For a change, `new` is the new email address, and the old one is notified.
    fn verification_effects(
        &self,
        user: &User,
        new: Option<&Email>,
        client: &ClientInfo,
    ) -> Result<Effects, AccountError> {
        let Some(new) = new else { return Ok(SecurityEvent::of_user(EventKind::EmailVerified, &user.id).into()) };
        let emails = &self.context.emails;
        let content = emails.content_of_change(user, new, client);
        let notice = emails.email(EmailKind::EmailChanged, user.email.as_deref(), &content)?;
        Ok(notice.with_event(SecurityEvent::of_user(EventKind::EmailChanged, &user.id)))
    }

    /// Whether following a link requires a login, in the current state of the account. An email address that is already verified
    /// and does not change requires none, because an attacker gains nothing.
    async fn requires_login(&self, user: &User, is_change: bool) -> Result<bool, AccountError> {
        if is_change {
            return self.context.needs_factor(user).await;
        }
        Ok(user.email_verified_at.is_none() && self.context.ports.store.factors_of(&user.id).await?.is_on())
    }

    /// Checks that a change of the email address may be requested.
    ///
    /// # Errors
    /// [`AccountError::Throttled`]; [`AccountFault::Taken`] if another account has the email address.
    pub(super) async fn admit_email(&self, user: &User, email: &Email) -> Result<(), AccountError> {
        // Counted first, so that attempts to find out which email addresses are taken are limited too.
        self.context.limits.admit_code(user, CodePurpose::EmailChange).await?;
        let other = self.context.ports.store.find_by_email(email).await?;
        if other.is_some_and(|other| other.id != user.id) {
            return Err(AccountFault::Taken(Taken::Email).into());
        }
        Ok(())
    }

    /// Sends a link to a new email address, and notifies the old one.
    pub(super) async fn request_email_change(
        &self,
        user: &User,
        email: &Email,
        client: &ClientInfo,
    ) -> Result<(), AccountError> {
        let context = &self.context;
        // The new email address is unverified: its owner may have nothing to do with the account.
        let content = context.emails.content(user, client).without_free_text();
        let notice = context.emails.content_of_change(user, email, client);
        let condition = LinkCondition::Unchanged(user.security_stamp);
        let target = LinkTarget { email: email.clone(), condition };
        let (code, mut effects) =
            context.emails.link(user, CodePurpose::EmailChange, EmailKind::EmailChange, &target, content)?;
        effects.append(context.emails.email(EmailKind::EmailChangeRequested, user.email.as_deref(), &notice)?);
        let effects = effects.with_event(SecurityEvent::of_user(EventKind::EmailChangeRequested, &user.id));
        if !self.context.ports.store.issue(&code, &effects, &IssueIf::still(user)).await? {
            return Err(AccountContext::overtaken());
        }
        self.context.ports.record_committed(&effects);
        Ok(())
    }
}

/// Shortens an email address so that a reader of the email learns little about it: `a…@example.com`.
pub(super) fn shortened(email: &Email) -> String {
    let (local, domain) = email.as_str().rsplit_once('@').unwrap_or_default();
    format!("{}…@{domain}", local.chars().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_character_of_the_local_part_is_kept() {
        assert_eq!(shortened(&Email::parse("alice@example.com").unwrap()), "a…@example.com");
    }
}
