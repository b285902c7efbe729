//! Emails for the outbox, and the links that they contain.

use auth_core::effects::Effects;
use auth_core::error::AuthError;
use auth_core::ports::ReuseNotices;
use auth_core::token::ClientInfo;
use auth_core::user::User;

use crate::account::Email;
use crate::code::{CodeId, CodePurpose, LinkTarget, LinkToken, OneTimeCode};
use crate::email::{EmailContent, EmailKind, EmailRequest, Fact, MessageId, OutgoingEmail, Queued};
use crate::error::AccountError;
use crate::second_factor::Method;
use crate::service::Ports;
use crate::service::verification::shortened;

/// Composes the emails to users, for the outbox.
#[derive(Clone)]
pub struct Emails {
    ports: Ports,
    sends_emails: bool,
}

impl Emails {
    /// Creates a composer. It composes nothing if `sends_emails` is `false`.
    pub const fn new(ports: Ports, sends_emails: bool) -> Self {
        Self { ports, sends_emails }
    }

    /// The facts about an account and about the client that caused the email. For an unverified email address, leaves out
    /// everything that the client can choose freely, since anyone can register someone else's email address.
    pub(in crate::service) fn content(&self, user: &User, client: &ClientInfo) -> EmailContent {
        self.about(user, Self::content_of_client(client))
    }

    /// Adds the facts about an account to `content`.
    pub(in crate::service) fn about(&self, user: &User, content: EmailContent) -> EmailContent {
        let content = content.with(Fact::Username, &user.username).with(Fact::FirstName, &user.first_name);
        if user.email_verified_at.is_some() { content } else { content.without_free_text() }
    }

    /// As `content`, with the new email address added, for a notice to the current one.
    pub(in crate::service) fn content_of_change(&self, user: &User, new: &Email, client: &ClientInfo) -> EmailContent {
        let content = self.content(user, client);
        // The client chooses the domain, which email clients may display as a link.
        if user.email_verified_at.is_some() { content.with(Fact::NewEmail, shortened(new)) } else { content }
    }

    /// The facts about the client.
    pub(in crate::service) fn content_of_client(client: &ClientInfo) -> EmailContent {
        let content = EmailContent::default().with_known(Fact::ClientIp, client.ip.as_deref());
        content.with_known(Fact::UserAgent, client.user_agent.as_deref())
    }

    /// An email for the outbox. Nothing if the user has no email address or if emails are not sent.
    pub(in crate::service) fn email(
        &self,
        kind: EmailKind,
        to: Option<&str>,
        content: &EmailContent,
    ) -> Result<Effects, AuthError> {
        match to.filter(|to| self.sends_emails && !to.is_empty()) {
            Some(to) => Ok([self.queued(Queued::Email(kind), to, content)?].into_iter().collect()),
            None => Ok(Effects::default()),
        }
    }

    /// The emails that notify a user of second factors that are removed.
    pub(in crate::service) fn removal_notices(
        &self,
        user: &User,
        methods: &[Method],
        client: &ClientInfo,
    ) -> Result<Effects, AuthError> {
        let mut notices = Effects::default();
        for method in methods {
            let content = self.content(user, client).with(Fact::Method, method.name());
            notices.append(self.email(EmailKind::SecondFactorRemoved, user.email.as_deref(), &content)?);
        }
        Ok(notices)
    }

    /// A request for the outbox; `None` if emails are not sent.
    pub(in crate::service) fn request(
        &self,
        request: EmailRequest,
        to: &Email,
        client: &ClientInfo,
    ) -> Result<Option<OutgoingEmail>, AuthError> {
        if !self.sends_emails {
            return Ok(None);
        }
        self.queued(Queued::Request(request), to.as_str(), &Self::content_of_client(client)).map(Some)
    }

    fn queued(&self, queued: Queued, to: &str, content: &EmailContent) -> Result<OutgoingEmail, AuthError> {
        let id = MessageId::generate(self.ports.randomness.as_ref());
        let sealed = self.ports.secret_box.seal(&EmailContent::context(id, queued), &content.to_bytes());
        let content = sealed.map_err(AuthError::Crypto)?;
        Ok(OutgoingEmail { id, queued, to: to.to_owned(), content, queued_at: self.ports.clock.now() })
    }

    /// A one-time code for a link, and the email with the link.
    pub(in crate::service) fn link(
        &self,
        user: &User,
        purpose: CodePurpose,
        kind: EmailKind,
        target: &LinkTarget,
        content: EmailContent,
    ) -> Result<(OneTimeCode, Effects), AuthError> {
        let id = CodeId::generate(self.ports.randomness.as_ref());
        let token = LinkToken::generate(id, self.ports.randomness.as_ref());
        let mut code = OneTimeCode::new(id, user.id.clone(), purpose, self.ports.clock.now());
        code.mac = Some(token.mac(self.ports.keyed_hash.as_ref()));
        code.payload = Some(target.to_payload());
        let minutes = purpose.ttl().get() / 60;
        let content = content.with(Fact::Token, token.expose()).with(Fact::Minutes, minutes.to_string());
        Ok((code, self.email(kind, Some(target.email.as_str()), &content)?))
    }

    /// Finds the open code of a link token, and the target of the link.
    ///
    /// # Errors
    /// [`AccountError::BadLink`].
    pub(in crate::service) async fn find_link(
        &self,
        token: &str,
        purposes: &[CodePurpose],
    ) -> Result<(OneTimeCode, LinkTarget), AccountError> {
        let token = LinkToken::parse(token).ok_or(AccountError::BadLink)?;
        let code = self.ports.store.find_code(token.id()).await?.ok_or(AccountError::BadLink)?;
        let is_good = purposes.contains(&code.purpose)
            && token.matches(&code, self.ports.keyed_hash.as_ref())
            && code.is_open(self.ports.clock.now());
        let target = code.payload.as_deref().and_then(LinkTarget::from_payload);
        target.filter(|_| is_good).map(|target| (code, target)).ok_or(AccountError::BadLink)
    }
}

impl ReuseNotices for Emails {
    fn effects(&self, user: &User) -> Result<Effects, AuthError> {
        // Either the user or an attacker may have presented the token, so the email states no facts about the client.
        let content = self.content(user, &ClientInfo::default());
        self.email(EmailKind::SessionReused, user.email.as_deref(), &content)
    }
}
