//! Sending what is in the outbox, and looking into what was asked for.

use std::sync::Arc;

use auth_core::time::Seconds;
use auth_core::timeout::with_timeout;
use auth_core::user::User;

use crate::account::Email;
use crate::code::{CodePurpose, LinkCondition, LinkTarget};
use crate::error::AccountError;
use crate::mail::{
    ClaimedEmail, EmailContent, EmailKind, EmailRequest, Mail, MessageId, OutboxEntry, Queued, RetryPolicy,
};
use crate::ports::{EmailError, IssueIf, MAX_SEND_TIME, Mailer, OutboxPage, Retry};
use crate::service::EmailVerification;
use crate::service::context::AccountContext;

/// Sends mails, any number of it at once, in any number of processes.
///
/// A mail is sent once, unless its process dies, or loses its storage, after the server has taken the mail and before that
/// was noted: then it is sent again, with the same `Message-ID`.
#[derive(Clone)]
pub struct OutboxService {
    context: Arc<AccountContext>,
    mailer: Arc<dyn Mailer>,
    retry: RetryPolicy,
}

/// What became of something in the outbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// There was nothing to do.
    Idle,
    /// It was sent, or it was a request that was looked into.
    Done(MessageId),
    /// It was not sent, and will be tried again.
    Postponed(MessageId, String),
    /// It was not sent, and will not be.
    GivenUp(MessageId, String),
}

impl OutboxService {
    /// For how long a mail is kept from others: as long as it may take, and as much again for clocks that differ.
    const LEASE: Seconds = Seconds::new(2 * MAX_SEND_TIME.as_secs());

    /// Shortest time between two password-reset emails while a link is open. If no link is open, one is sent however many
    /// were requested before, so that an attacker cannot keep the user locked out.
    const RESET_INTERVAL: Seconds = Seconds::new(5 * 60);

    /// How often it is tried to note that a mail was sent. A storage takes its time before it fails.
    const NOTES: usize = 5;

    /// A service that sends with this mailer.
    pub const fn new(context: Arc<AccountContext>, mailer: Arc<dyn Mailer>, retry: RetryPolicy) -> Self {
        Self { context, mailer, retry }
    }

    /// Takes the next thing out of the outbox and does it.
    ///
    /// # Errors
    /// If the storage fails. What was taken out is free again after four minutes.
    pub async fn deliver_next(&self) -> Result<Delivery, AccountError> {
        let now = self.context.ports.clock.now();
        let Some(claimed) = self.context.ports.store.claim(now, now.plus(Self::LEASE)).await? else {
            return Ok(Delivery::Idle);
        };
        if claimed.attempt > self.retry.max_attempts {
            // Whoever took it before has died each time.
            return self.report(&claimed, Err(EmailError::Permanent("it was tried too often".to_owned()))).await;
        }
        match claimed.mail.queued {
            Queued::Request(request) => {
                self.look_into(&claimed, request).await?;
                Ok(Delivery::Done(claimed.mail.id))
            }
            Queued::Mail(kind) => {
                let outcome = self.send(&claimed, kind).await;
                self.report(&claimed, outcome).await
            }
        }
    }

    /// What is in the outbox.
    pub async fn list(&self, page: OutboxPage) -> Result<Vec<OutboxEntry>, AccountError> {
        Ok(self.context.ports.store.list_outbox(page).await?)
    }

    /// Makes mails due at once. Answers how many.
    pub async fn retry(&self, which: Retry) -> Result<usize, AccountError> {
        Ok(self.context.ports.store.retry(which).await?)
    }

    async fn send(&self, claimed: &ClaimedEmail, kind: EmailKind) -> Result<(), EmailError> {
        let mail = &claimed.mail;
        let age = self.context.ports.clock.now().seconds().saturating_sub(mail.queued_at.seconds());
        if useful_for(kind).is_some_and(|limit| age >= 0 && age.unsigned_abs() >= limit.get()) {
            return Err(EmailError::Permanent("what it says is no longer good".to_owned()));
        }
        let opened = self.context.ports.secret_box.open(&EmailContent::context(mail.id, mail.queued), &mail.content);
        let opened = opened.map_err(|error| EmailError::Temporary(format!("it cannot be opened: {error}")))?;
        let content = EmailContent::from_bytes(&opened);
        let content = content.ok_or_else(|| EmailError::Permanent("what it says cannot be read".to_owned()))?;
        let mail = Mail { id: mail.id, kind, to: mail.to.clone(), content, caused_at: mail.queued_at };
        let sent = with_timeout(self.context.ports.clock.as_ref(), MAX_SEND_TIME, self.mailer.send(&mail)).await;
        sent.unwrap_or_else(|interruption| Err(EmailError::Temporary(format!("sending it failed: {interruption}"))))
    }

    async fn report(&self, claimed: &ClaimedEmail, outcome: Result<(), EmailError>) -> Result<Delivery, AccountError> {
        let (store, now) = (&self.context.ports.store, self.context.ports.clock.now());
        let (id, attempt) = (claimed.mail.id, claimed.attempt);
        let (why, wait) = match outcome {
            Ok(()) => {
                self.note_delivered(id, attempt).await?;
                return Ok(Delivery::Done(id));
            }
            Err(EmailError::Temporary(why)) => (why, self.retry.wait_after(attempt)),
            Err(EmailError::Permanent(why)) => (why, None),
        };
        match wait {
            Some(wait) => {
                store.postpone(id, attempt, now.plus(wait), &why).await?;
                Ok(Delivery::Postponed(id, why))
            }
            None => {
                store.give_up(id, attempt, now, &why).await?;
                Ok(Delivery::GivenUp(id, why))
            }
        }
    }

    /// Notes that a mail was sent: more than once, if the storage is busy, for else it is sent again.
    async fn note_delivered(&self, id: MessageId, attempt: u32) -> Result<(), AccountError> {
        for _ in 1..Self::NOTES {
            if self.context.ports.store.delivered(id, attempt).await.is_ok() {
                return Ok(());
            }
        }
        self.context.ports.store.delivered(id, attempt).await.map(drop).map_err(Into::into)
    }

    /// Finds out whether there is an account that a request is about; if so, puts a mail in the place of the request.
    async fn look_into(&self, claimed: &ClaimedEmail, request: EmailRequest) -> Result<(), AccountError> {
        if let Some(user) = self.meant(&claimed.mail.to, request).await? {
            match self.answer(claimed, request, &user).await {
                // Too many mails to one account: this one is not sent, and nobody is told (SEC-117).
                Err(AccountError::Throttled { .. }) => {}
                outcome => return outcome,
            }
        }
        self.context.ports.store.delivered(claimed.mail.id, claimed.attempt).await?;
        Ok(())
    }

    /// The account that a request is about, if it is to get what was asked for.
    async fn meant(&self, address: &str, request: EmailRequest) -> Result<Option<User>, AccountError> {
        let Ok(email) = Email::parse(address) else { return Ok(None) };
        let user = self.context.ports.store.find_by_email(&email).await?.filter(|user| user.is_active);
        let Some(user) = user else { return Ok(None) };
        let is_wanted = match request {
            EmailRequest::PasswordReset => true,
            EmailRequest::EmailVerification => user.email_verified_at.is_none() && self.verifies(&user).await?,
        };
        Ok(is_wanted.then_some(user))
    }

    /// Whether an account may verify its email address: where that is asked of no account, those with a second factor may,
    /// since a reset of the password removes the factors of an unverified address.
    async fn verifies(&self, user: &User) -> Result<bool, AccountError> {
        let is_asked = self.context.policy.email_verification != EmailVerification::Off;
        Ok(is_asked || self.context.ports.store.factors_of(&user.id).await?.is_on())
    }

    async fn answer(&self, claimed: &ClaimedEmail, request: EmailRequest, user: &User) -> Result<(), AccountError> {
        let context = &self.context;
        let now = self.context.ports.clock.now();
        let (purpose, kind) = match request {
            EmailRequest::PasswordReset => (CodePurpose::PasswordReset, EmailKind::PasswordReset),
            EmailRequest::EmailVerification => (CodePurpose::EmailVerification, EmailKind::EmailVerification),
        };
        // The address of the account, never the one that was typed (SEC-113), and only if it is a login name.
        // One that was written past the rules gets no mail, and its request ends as those of nobody do.
        let Some(to) = user.login_email().and_then(|email| Email::parse(email).ok()) else {
            return self
                .context
                .ports
                .store
                .delivered(claimed.mail.id, claimed.attempt)
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
        let asked = self
            .context
            .ports
            .secret_box
            .open(&EmailContent::context(claimed.mail.id, claimed.mail.queued), &claimed.mail.content);
        let asked = asked.ok().and_then(|bytes| EmailContent::from_bytes(&bytes)).unwrap_or_default();
        let content = context.emails.about(user, asked);
        let (code, effects) = context.emails.link(user, purpose, kind, &target, content)?;
        let only = IssueIf { answers: Some(claimed.mail.id), none_since, ..IssueIf::still(user) };
        if self.context.ports.store.issue(&code, &effects, &only).await? || !self.is_unchanged(user).await? {
            // Done, or the account has changed since it was read: then it is looked into once more after the lease.
            return Ok(());
        }
        // There is a link that is almost new, or another process has looked into it: nothing is sent.
        self.context.ports.store.delivered(claimed.mail.id, claimed.attempt).await?;
        Ok(())
    }

    /// A link that is made while a second factor is on takes a login, even if the factor is removed before it is followed.
    async fn condition_of_verification(&self, user: &User) -> Result<LinkCondition, AccountError> {
        let factors = self.context.ports.store.factors_of(&user.id).await?;
        Ok(if factors.is_on() { LinkCondition::Login } else { LinkCondition::Nothing })
    }

    /// Whether an account is still as it was read, as far as [`IssueIf::still`] asks.
    async fn is_unchanged(&self, user: &User) -> Result<bool, AccountError> {
        let now = self.context.ports.store.find_user(&user.id).await?;
        Ok(now.is_some_and(|now| IssueIf::still(&now) == IssueIf::still(user) && now.is_active == user.is_active))
    }
}

/// For how long a mail is worth sending; `None`: always.
const fn useful_for(kind: EmailKind) -> Option<Seconds> {
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
