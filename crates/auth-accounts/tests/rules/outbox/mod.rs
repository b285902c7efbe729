//! The outbox: an email is delivered once, rescheduled, or given up.

mod delivery;
mod leases;
mod retries;
mod sealing;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use auth_accounts::code::ChallengeToken;
use auth_accounts::email::{
    ClaimedEmail, EmailContent, EmailKind, Fact, MessageId, OutgoingEmail, Queued, RetryPolicy, UnsealedEmail,
};
use auth_accounts::ports::{EmailError, MAX_SEND_TIME, Mailer, Outbox, OutboxPage, Retry};
use auth_accounts::second_factor::TotpSecret;
use auth_accounts::service::{Action, Delivery, OutboxService, Ports, SecondFactorChallenge};
use auth_core::event::EventKind;
use auth_core::time::Seconds;
use auth_core::token::RequiredFor;

use crate::fixture::*;

const ALL: OutboxPage = OutboxPage { only_failed: false, after: None, limit: 100 };
const FAILED: OutboxPage = OutboxPage { only_failed: true, ..ALL };
/// The length of a lease, in seconds.
const LEASE: u64 = 240;

fn busy() -> EmailError {
    EmailError::Temporary("451 try again".to_owned())
}

fn refused() -> EmailError {
    EmailError::Permanent("550 no such mailbox".to_owned())
}

/// Enqueues an email that never expires.
async fn put(service: &TestService, number: u64) -> MessageId {
    put_kind(service, number, EmailKind::PasswordChanged).await
}

async fn put_kind(service: &TestService, number: u64, kind: EmailKind) -> MessageId {
    let (id, queued) = (auth_conformance::message_id(number), Queued::Email(kind));
    let content = EmailContent::default().with(Fact::Username, "alice").with(Fact::Code, "123456");
    let content = service.ports().secret_box.seal(&EmailContent::context(id, queued), &content.to_bytes()).unwrap();
    let email = OutgoingEmail { id, queued, to: "alice@example.com".to_owned(), content, queued_at: service.now() };
    service.store.enqueue(&email).await.unwrap();
    id
}

/// Creates a service for the same outbox with another mailer.
fn with_mailer(service: &TestService, mailer: Arc<dyn Mailer>) -> OutboxService {
    OutboxService::new(service.context(), mailer, RetryPolicy::default())
}
