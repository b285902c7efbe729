//! Proof of addresses: that of a new account, and a changed one.

use auth_core::effects::Effects;
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::service::Caller;
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::{AccountFault, Email, Taken};
use crate::code::{CodePurpose, LinkCondition, LinkTarget};
use crate::error::AccountError;
use crate::mail::{EmailKind, EmailRequest};
use crate::ports::{EmailUpdate, IssueIf, VerifiedEmail};
use crate::service::AccountService;
use crate::service::context::AccountContext;

impl AccountService {
    /// Writes down that somebody wants another mail to prove this address. As for
    /// [`request_reset`](Self::request_reset), nothing tells whether there is an account.
    ///
    /// # Errors
    /// [`AccountError::Throttled`], by the address that was typed and that of the client.
    pub async fn request_verification(&self, email: &Email, client: &ClientInfo) -> Result<(), AccountError> {
        self.ask(EmailRequest::EmailVerification, email, client).await
    }

    /// Verifies the email address of an account with the token of a link, or changes it to the one that the link was sent
    /// to.
    ///
    /// The second factors of an account whose address is unverified may be those of a stranger who registered it. While
    /// there are any, and for links that were made while there were, this takes a `caller` who is logged in to the account:
    /// otherwise its owner, by following the link, would put the stranger's factors between themselves and a later reset of
    /// the password, which [removes them](Self::confirm_reset) only from an account whose address is unverified. A change of
    /// the address takes a login wherever a login takes a second factor, since its codes may follow the address; and it ends
    /// with any change of the account's rights, password or factors.
    ///
    /// # Errors
    /// [`AccountError::BadLink`] for a token that was used or altered or has expired, or if the account has changed
    /// since a change of its address was asked for. [`AccountError::LoginRequired`] if a login is needed and `caller` is
    /// another user or nobody; then the token stays good. Those of
    /// [`TokenService::live_session`](auth_core::service::TokenService::live_session) if the session of the caller would not
    /// be continued. [`AccountFault::Taken`] if another account has the address by now.
    pub async fn verify_email(
        &self,
        token: &str,
        caller: Option<&Caller>,
        client: &ClientInfo,
    ) -> Result<User, AccountError> {
        let context = &self.context;
        let purposes = [CodePurpose::EmailVerification, CodePurpose::EmailChange];
        let (code, LinkTarget { email, condition }) = context.emails.followed(token, &purposes).await?;
        let user = context.ports.store.find_user(&code.user_id).await?;
        let user = user.filter(|user| user.is_active).ok_or(AccountError::BadLink)?;
        let is_change = code.purpose == CodePurpose::EmailChange;
        if is_change && condition != LinkCondition::Unchanged(user.security_stamp) {
            return Err(AccountError::BadLink);
        }
        if condition == LinkCondition::Login || self.takes_login(&user, is_change).await? {
            let own = caller.filter(|caller| caller.user.id == user.id);
            context.tokens.live_session(own.ok_or(AccountError::LoginRequired)?).await?;
        }
        let effects = self.verification_effects(&user, is_change.then_some(&email), client)?;
        let only_at = Some(user.security_stamp);
        let proven = VerifiedEmail { user: user.id, code: code.id, email, is_change, only_at, effects };
        match context.ports.store.confirm_email(&proven, context.ports.clock.timestamp()).await? {
            EmailUpdate::Done(user) => {
                context.ports.note_changed(&user.id);
                context.ports.record_committed(&proven.effects);
                Ok(user)
            }
            EmailUpdate::Taken => Err(AccountFault::Taken(Taken::Email).into()),
            EmailUpdate::Overtaken => Err(AccountError::BadLink),
        }
    }

    /// What is committed when an address is verified; `new` is the one that replaces the address of the account, if it is
    /// another one, which is told to the old address.
    fn verification_effects(
        &self,
        user: &User,
        new: Option<&Email>,
        client: &ClientInfo,
    ) -> Result<Effects, AccountError> {
        let Some(new) = new else { return Ok(SecurityEvent::of_user(EventKind::EmailVerified, &user.id).into()) };
        let emails = &self.context.emails;
        let content = emails.content_of_change(user, new, client);
        let notice = emails.mail(EmailKind::EmailChanged, user.email.as_deref(), &content)?;
        Ok(notice.with_event(SecurityEvent::of_user(EventKind::EmailChanged, &user.id)))
    }

    /// Whether following a link takes a login, as the account is now. An address that is verified already, and is not
    /// changed, is another matter: there is nothing to gain.
    async fn takes_login(&self, user: &User, is_change: bool) -> Result<bool, AccountError> {
        if is_change {
            return self.context.asks_for_factor(user).await;
        }
        Ok(user.email_verified_at.is_none() && self.context.ports.store.factors_of(&user.id).await?.is_on())
    }

    /// Whether a proof of a new address may be asked for.
    pub(super) async fn admit_email(&self, user: &User, email: &Email) -> Result<(), AccountError> {
        // Counted first: who only wants to know which addresses are taken is counted too.
        self.context.limits.admit_code(user, CodePurpose::EmailChange).await?;
        let other = self.context.ports.store.find_by_email(email).await?;
        if other.is_some_and(|other| other.id != user.id) {
            return Err(AccountFault::Taken(Taken::Email).into());
        }
        Ok(())
    }

    /// Asks for a proof of a new address at the address itself, and tells the old one.
    pub(super) async fn propose_email(
        &self,
        user: &User,
        email: &Email,
        client: &ClientInfo,
    ) -> Result<(), AccountError> {
        let context = &self.context;
        // The new address is not verified: its owner may have nothing to do with the account.
        let content = context.emails.content(user, client).without_free_text();
        let told = context.emails.content_of_change(user, email, client);
        let condition = LinkCondition::Unchanged(user.security_stamp);
        let target = LinkTarget { email: email.clone(), condition };
        let (code, mut effects) =
            context.emails.link(user, CodePurpose::EmailChange, EmailKind::EmailChange, &target, content)?;
        effects.append(context.emails.mail(EmailKind::EmailChangeRequested, user.email.as_deref(), &told)?);
        let effects = effects.with_event(SecurityEvent::of_user(EventKind::EmailChangeRequested, &user.id));
        if !self.context.ports.store.issue(&code, &effects, &IssueIf::still(user)).await? {
            return Err(AccountContext::overtaken());
        }
        self.context.ports.record_committed(&effects);
        Ok(())
    }
}

/// An address of which a stranger who reads the mail learns little: `a…@example.com`.
pub(super) fn shortened(email: &Email) -> String {
    let (local, domain) = email.as_str().rsplit_once('@').unwrap_or_default();
    format!("{}…@{domain}", local.chars().next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shortened() {
        assert_eq!(shortened(&Email::parse("alice@example.com").unwrap()), "a…@example.com");
    }
}
