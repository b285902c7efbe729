//! The outbox: waiting emails and their delivery.

use auth_accounts::email::{EmailContent, EmailKind, Fact, Queued, UnsealedEmail};
use auth_accounts::service::Delivery;

use crate::TestService;

impl TestService {
    /// Delivers everything that is due in the outbox. Returns the emails that were sent since the last call, in order.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), auth_accounts::AccountError> {
    /// use auth_conformance::{TestService, email};
    /// use auth_accounts::email::{Fact, EmailKind};
    /// use auth_core::token::ClientInfo;
    ///
    /// let service = TestService::new();
    /// service.register("alice").await;
    /// service.accounts.request_reset(&email("alice@example.com"), &ClientInfo::default()).await?;
    /// let sent = service.deliver_emails().await;
    /// assert_eq!(sent[0].kind, EmailKind::PasswordReset);
    /// assert!(sent[0].content.get(Fact::Token).is_some());
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    /// If the store fails.
    pub async fn deliver_emails(&self) -> Vec<UnsealedEmail> {
        while self.outbox.deliver_next().await.expect("the store answers") != Delivery::Idle {}
        self.mailer.taken()
    }

    /// The kind and recipient of each email in the outbox, in order.
    pub fn enqueued(&self) -> Vec<(Queued, String)> {
        self.store.emails().into_iter().map(|mail| (mail.queued, mail.to)).collect()
    }

    /// A value in the newest email of this kind in the outbox.
    ///
    /// # Panics
    /// If there is no such email, or it does not contain the value.
    pub fn enqueued_fact(&self, kind: EmailKind, fact: Fact) -> String {
        let mails = self.store.emails();
        let newest = mails.iter().rev().find(|mail| mail.queued == Queued::Email(kind));
        let mail = newest.unwrap_or_else(|| panic!("no email of kind {kind:?} in the outbox"));
        let context = EmailContent::context(mail.id, mail.queued);
        let content = self.ports().secret_box.open(&context, &mail.content).expect("an email that was sealed here");
        let content = EmailContent::from_bytes(&content).expect("the content of an email");
        content.get(fact).unwrap_or_else(|| panic!("no {fact:?} in an email of kind {kind:?}")).to_owned()
    }
}
