//! A mailer that sends nothing.

use async_trait::async_trait;
use auth_accounts::email::UnsealedEmail;
use auth_accounts::ports::{EmailError, Mailer};

/// Drops every email, for services that send none. Features that depend on a link or a code by email do not work.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoMailer;

#[async_trait]
impl Mailer for NoMailer {
    async fn send(&self, email: &UnsealedEmail) -> Result<(), EmailError> {
        tracing::debug!(id = %email.id, kind = email.kind.name(), "email dropped; no emails are sent");
        Ok(())
    }
}
