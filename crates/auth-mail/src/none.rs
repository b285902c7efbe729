//! No mail at all.

use async_trait::async_trait;
use auth_accounts::mail::Mail;
use auth_accounts::ports::{EmailError, Mailer};

/// Takes every mail and sends none: for services that need no mail. Whatever depends on a link or a code does not work
/// with it.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMailer;

#[async_trait]
impl Mailer for NoMailer {
    async fn send(&self, mail: &Mail) -> Result<(), EmailError> {
        tracing::debug!(id = %mail.id, kind = mail.kind.name(), "email dropped; no emails are sent");
        Ok(())
    }
}
