//! A mailer whose emails tests can read.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use auth_accounts::email::UnsealedEmail;
use auth_accounts::ports::{EmailError, Mailer};

/// Keeps the emails in order and sends none. Fails when told to.
#[derive(Debug, Default)]
pub struct RecordedMailer(Mutex<Record>);

#[derive(Debug, Default)]
struct Record {
    mails: Vec<UnsealedEmail>,
    failures: VecDeque<EmailError>,
}

impl RecordedMailer {
    /// Takes the emails that were sent since the last call.
    pub fn taken(&self) -> Vec<UnsealedEmail> {
        std::mem::take(&mut self.record().mails)
    }

    /// Fails with `error` for the next `times` emails, after the failures that were set before.
    pub fn fail(&self, times: usize, error: &EmailError) {
        self.record().failures.extend(std::iter::repeat_n(error.clone(), times));
    }

    fn record(&self) -> MutexGuard<'_, Record> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Mailer for RecordedMailer {
    async fn send(&self, mail: &UnsealedEmail) -> Result<(), EmailError> {
        let mut record = self.record();
        match record.failures.pop_front() {
            Some(error) => Err(error),
            None => {
                record.mails.push(mail.clone());
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use auth_accounts::email::{EmailContent, EmailKind};

    use super::*;
    use crate::{BEGINNING, message_id};

    #[tokio::test]
    async fn fails_as_told_and_keeps_the_other_emails() {
        let mail = |number| UnsealedEmail {
            id: message_id(number),
            kind: EmailKind::PasswordChanged,
            to: "alice@example.com".to_owned(),
            content: EmailContent::default(),
            caused_at: BEGINNING,
        };
        let (busy, unknown) = (EmailError::Temporary("busy".to_owned()), EmailError::Permanent("unknown".to_owned()));
        let mailer = RecordedMailer::default();
        mailer.fail(2, &busy);
        mailer.fail(1, &unknown);
        for (number, expected) in [(1, Err(busy.clone())), (2, Err(busy)), (3, Err(unknown)), (4, Ok(())), (5, Ok(()))]
        {
            assert_eq!(mailer.send(&mail(number)).await, expected, "{number}");
        }
        assert_eq!(mailer.taken(), [mail(4), mail(5)]);
        assert_eq!(mailer.taken(), []);
    }
}
