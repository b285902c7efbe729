//! Delivery of the outbox: sends emails and processes requests for emails.

use std::sync::Arc;

use auth_core::time::Seconds;
use auth_core::timeout::with_timeout;
use auth_core::user::User;

use crate::account::Email;
use crate::code::{CodePurpose, LinkCondition, LinkTarget};
use crate::email::{
    ClaimedEmail, EmailContent, EmailKind, EmailRequest, MessageId, OutboxEntry, Queued, RetryPolicy, UnsealedEmail,
};
use crate::error::AccountError;
use crate::ports::{EmailError, IssueIf, MAX_SEND_TIME, Mailer, OutboxPage, Retry};
use crate::service::EmailVerification;
use crate::service::context::AccountContext;

/// Delivers the emails in the outbox. Any number of workers, in any number of processes, may run concurrently.
///
/// An email is delivered once, unless the process dies or loses the storage after the mail server has accepted the email and
/// before it is removed from the outbox. Then it is delivered again, with the same `Message-ID`.
#[derive(Clone)]
pub struct OutboxService {
    context: Arc<AccountContext>,
    mailer: Arc<dyn Mailer>,
    retry: RetryPolicy,
}

/// The outcome of [`OutboxService::deliver_next`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Nothing was due.
    Idle,
    /// The email was delivered, or the request was processed.
    Done(MessageId),
    /// Delivery failed, for this reason, and will be tried again.
    Rescheduled(MessageId, String),
    /// Delivery failed, for this reason, and was given up.
    GivenUp(MessageId, String),
}

impl OutboxService {
    /// How long an email is claimed: as long as sending may take, and the same again for clocks that differ.
    const LEASE: Seconds = Seconds::new(2 * MAX_SEND_TIME.as_secs());

    /// The minimum time between two password-reset emails while a link is open (SEC-117). If no link is open, an email is sent no
    /// matter how many were requested before, so that an attacker cannot keep the user locked out.
    const RESET_INTERVAL: Seconds = Seconds::new(5 * 60);

    /// How often removing a delivered email from the outbox is tried.
    const REMOVAL_ATTEMPTS: usize = 5;

    /// Creates the service.
    pub const fn new(context: Arc<AccountContext>, mailer: Arc<dyn Mailer>, retry: RetryPolicy) -> Self {
        Self { context, mailer, retry }
    }

    /// Claims the next entry of the outbox and delivers or processes it.
    ///
    /// # Errors
    /// If the storage fails. The entry can be claimed again after four minutes.
    pub async fn deliver_next(&self) -> Result<Delivery, AccountError> {
        let now = self.context.ports.clock.now();
        let Some(claimed) = self.context.ports.store.claim(now, now.plus(Self::LEASE)).await? else {
            return Ok(Delivery::Idle);
        };
        if claimed.attempt > self.retry.max_attempts {
            // Each worker that claimed the email crashed before it reported an outcome.
            return self
                .report(&claimed, Err(EmailError::Permanent("too many attempts without an outcome".to_owned())))
                .await;
        }
        match claimed.email.queued {
            Queued::Request(request) => {
                self.process(&claimed, request).await?;
                Ok(Delivery::Done(claimed.email.id))
            }
            Queued::Email(kind) => {
                let outcome = self.send(&claimed, kind).await;
                self.report(&claimed, outcome).await
            }
        }
    }

    /// Lists a page of the outbox.
    pub async fn list(&self, page: OutboxPage) -> Result<Vec<OutboxEntry>, AccountError> {
        Ok(self.context.ports.store.list_outbox(page).await?)
    }

    /// Makes emails due now. Returns how many.
    pub async fn retry(&self, which: Retry) -> Result<usize, AccountError> {
        Ok(self.context.ports.store.retry(which).await?)
    }

    async fn send(&self, claimed: &ClaimedEmail, kind: EmailKind) -> Result<(), EmailError> {
        let email = &claimed.email;
        let age = self.context.ports.clock.now().seconds().saturating_sub(email.queued_at.seconds());
        if delivery_ttl(kind).is_some_and(|limit| age >= 0 && age.unsigned_abs() >= limit.get()) {
            return Err(EmailError::Permanent("its link or code has expired".to_owned()));
        }
        let opened = self.context.ports.secret_box.open(&EmailContent::context(email.id, email.queued), &email.content);
        let opened =
            opened.map_err(|error| EmailError::Temporary(format!("the content cannot be decrypted: {error}")))?;
        let content = EmailContent::from_bytes(&opened);
        let content = content.ok_or_else(|| EmailError::Permanent("the content cannot be parsed".to_owned()))?;
        let email = UnsealedEmail { id: email.id, kind, to: email.to.clone(), content, caused_at: email.queued_at };
        let sent = with_timeout(self.context.ports.clock.as_ref(), MAX_SEND_TIME, self.mailer.send(&email)).await;
        sent.unwrap_or_else(|interruption| Err(EmailError::Temporary(format!("sending failed: {interruption}"))))
    }

    /// Stores the outcome of a delivery.
    async fn report(&self, claimed: &ClaimedEmail, outcome: Result<(), EmailError>) -> Result<Delivery, AccountError> {
        let (store, now) = (&self.context.ports.store, self.context.ports.clock.now());
        let (id, attempt) = (claimed.email.id, claimed.attempt);
        let (why, delay) = match outcome {
            Ok(()) => {
                self.remove_delivered(id, attempt).await?;
                return Ok(Delivery::Done(id));
            }
            Err(EmailError::Temporary(why)) => (why, self.retry.delay_after(attempt)),
            Err(EmailError::Permanent(why)) => (why, None),
        };
        match delay {
            Some(delay) => {
                store.reschedule(id, attempt, now.plus(delay), &why).await?;
                Ok(Delivery::Rescheduled(id, why))
            }
            None => {
                store.give_up(id, attempt, now, &why).await?;
                Ok(Delivery::GivenUp(id, why))
            }
        }
    }

    /// Removes a delivered email. Tries several times, because otherwise the email is delivered again.
    async fn remove_delivered(&self, id: MessageId, attempt: u32) -> Result<(), AccountError> {
        for _ in 1..Self::REMOVAL_ATTEMPTS {
            if self.context.ports.store.delivered(id, attempt).await.is_ok() {
                return Ok(());
            }
        }
        self.context.ports.store.delivered(id, attempt).await.map(drop).map_err(Into::into)
    }

    /// Processes a request: replaces it with an email if there is an account for it, and removes it otherwise.
    async fn process(&self, claimed: &ClaimedEmail, request: EmailRequest) -> Result<(), AccountError> {
        if let Some(user) = self.recipient(&claimed.email.to, request).await? {
            match self.answer(claimed, request, &user).await {
                // Too many emails to one account: the request is dropped without a notice (SEC-117).
                Err(AccountError::Throttled { .. }) => {}
                outcome => return outcome,
            }
        }
        self.context.ports.store.delivered(claimed.email.id, claimed.attempt).await?;
        Ok(())
    }

    /// The account that a request is for; `None` if no email is to be sent.
    async fn recipient(&self, to: &str, request: EmailRequest) -> Result<Option<User>, AccountError> {
        let Ok(email) = Email::parse(to) else { return Ok(None) };
        let user = self.context.ports.store.find_by_email(&email).await?.filter(|user| user.is_active);
        let Some(user) = user else { return Ok(None) };
        let is_wanted = match request {
            EmailRequest::PasswordReset => true,
            EmailRequest::EmailVerification => user.email_verified_at.is_none() && self.can_verify(&user).await?,
        };
        Ok(is_wanted.then_some(user))
    }

    /// Whether an account can verify its email address. Where email addresses are not verified, only accounts with a second factor
    /// can, because a password reset removes the factors of an account with an unverified email address.
    async fn can_verify(&self, user: &User) -> Result<bool, AccountError> {
        let is_asked = self.context.policy.email_verification != EmailVerification::Off;
        Ok(is_asked || self.context.ports.store.factors_of(&user.id).await?.is_on())
    }

    /// Replaces a request with an email that contains a link.
    async fn answer(&self, claimed: &ClaimedEmail, request: EmailRequest, user: &User) -> Result<(), AccountError> {
        let context = &self.context;
        let now = self.context.ports.clock.now();
        let (purpose, kind) = match request {
            EmailRequest::PasswordReset => (CodePurpose::PasswordReset, EmailKind::PasswordReset),
            EmailRequest::EmailVerification => (CodePurpose::EmailVerification, EmailKind::EmailVerification),
        };
        // Send to the email address of the account, never to the one in the request (SEC-113), and only if it is a login name.
        // If a host has stored an invalid one, the request is removed as if there were no account.
        let Some(to) = user.login_email().and_then(|email| Email::parse(email).ok()) else {
            return self
                .context
                .ports
                .store
                .delivered(claimed.email.id, claimed.attempt)
                .await
                .map(drop)
                .map_err(Into::into);
        };
        let none_since = match request {
            EmailRequest::PasswordReset => self.context.policy.throttle.map(|_| now.minus(Self::RESET_INTERVAL)),
            EmailRequest::EmailVerification => {
                context.limits.admit_link(user).await?;
                None
            }
        };
        let condition = match request {
            EmailRequest::PasswordReset => LinkCondition::Nothing,
            EmailRequest::EmailVerification => self.condition_of_verification(user).await?,
        };
        let target = LinkTarget { email: to, condition };
        let sealed_facts = self
            .context
            .ports
            .secret_box
            .open(&EmailContent::context(claimed.email.id, claimed.email.queued), &claimed.email.content);
        let facts = sealed_facts.ok().and_then(|bytes| EmailContent::from_bytes(&bytes)).unwrap_or_default();
        let content = context.emails.about(user, facts);
        let (code, effects) = context.emails.link(user, purpose, kind, &target, content)?;
        let only = IssueIf { answers: Some(claimed.email.id), none_since, ..IssueIf::still(user) };
        if self.context.ports.store.issue(&code, &effects, &only).await? || !self.is_unchanged(user).await? {
            // Done; or the account has changed since it was read, and the request is processed again after the lease.
            return Ok(());
        }
        // A link was sent recently, or another process has answered the request.
        self.context.ports.store.delivered(claimed.email.id, claimed.attempt).await?;
        Ok(())
    }

    /// The condition of a verification link: a login if a second factor is on now, even if it is removed before the link is
    /// followed.
    async fn condition_of_verification(&self, user: &User) -> Result<LinkCondition, AccountError> {
        let factors = self.context.ports.store.factors_of(&user.id).await?;
        Ok(if factors.is_on() { LinkCondition::Login } else { LinkCondition::Nothing })
    }

    /// Whether the properties of an account that [`IssueIf::still`] checks are unchanged.
    async fn is_unchanged(&self, user: &User) -> Result<bool, AccountError> {
        let now = self.context.ports.store.find_user(&user.id).await?;
        Ok(now.is_some_and(|now| IssueIf::still(&now) == IssueIf::still(user) && now.is_active == user.is_active))
    }
}

/// How long an email is worth delivering; `None` if it does not expire.
const fn delivery_ttl(kind: EmailKind) -> Option<Seconds> {
    match kind {
        EmailKind::PasswordReset => Some(CodePurpose::PasswordReset.ttl()),
        EmailKind::EmailVerification => Some(CodePurpose::EmailVerification.ttl()),
        EmailKind::EmailChange => Some(CodePurpose::EmailChange.ttl()),
        EmailKind::SecondFactorCode => Some(CodePurpose::Login.ttl()),
        EmailKind::EmailChangeRequested
        | EmailKind::EmailChanged
        | EmailKind::PasswordChanged
        | EmailKind::SecondFactorAdded
        | EmailKind::SecondFactorRemoved
        | EmailKind::RecoveryCodesReplaced
        | EmailKind::RecoveryCodeUsed
        | EmailKind::SessionReused => None,
    }
}
