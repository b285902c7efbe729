//! Workers that deliver the emails in the outbox while the server runs.

use std::error::Error;
use std::iter::successors;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth_accounts::AccountError;
use auth_accounts::service::{Delivery, OutboxService};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a worker waits after it found nothing to deliver.
const IDLE: Duration = Duration::from_millis(500);
/// How often [`IDLE`] is doubled while the storage fails: up to 16 seconds.
const MAX_DOUBLINGS: u32 = 5;
/// Shortest time between two log records about a failing storage.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// When the workers were asked to stop.
type StopRequest = Option<Instant>;

/// Tasks that deliver emails. They end when they are [asked to stop](Workers::stopper), or when this is dropped.
#[derive(Default)]
pub(crate) struct Workers {
    tasks: JoinSet<()>,
    stop: watch::Sender<StopRequest>,
}

/// Asks workers to stop.
#[derive(Clone)]
pub(crate) struct Stopper(watch::Sender<StopRequest>);

impl Stopper {
    /// Asks the workers to claim no further email. Only the first call has an effect.
    pub(crate) fn stop(&self) {
        self.0.send_if_modified(|requested_at| {
            let is_first = requested_at.is_none();
            requested_at.get_or_insert_with(Instant::now);
            is_first
        });
    }
}

impl Workers {
    /// Starts `count` workers.
    pub(crate) fn start(service: &OutboxService, count: usize) -> Self {
        let mut workers = Self::default();
        let outages = Arc::new(Outages::default());
        for _ in 0..count {
            workers.tasks.spawn(work(service.clone(), outages.clone(), workers.stop.subscribe()));
        }
        workers
    }

    pub(crate) fn stopper(&self) -> Stopper {
        Stopper(self.stop.clone())
    }

    /// Stops the workers and waits for the deliveries in flight, for at most `limit` after the workers were asked to stop. A
    /// delivery that is cancelled then is repeated by the next worker that claims the email.
    pub(crate) async fn finish(mut self, limit: Duration) {
        self.stopper().stop();
        let requested_at = self.stop.borrow().unwrap_or_else(Instant::now);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout_at(requested_at + limit, all).await.is_err() {
            tracing::warn!("email delivery interrupted; the email will be delivered again");
        }
    }
}

async fn work(service: OutboxService, outages: Arc<Outages>, mut stop: watch::Receiver<StopRequest>) {
    let mut failures = 0;
    while stop.borrow().is_none() {
        let pause = match service.deliver_next().await {
            Ok(delivery) => {
                failures = 0;
                after(delivery)
            }
            Err(error) => {
                failures += 1;
                outages.report(&error);
                Some(backoff(failures))
            }
        };
        if let Some(pause) = pause
            && timeout(pause, stop.wait_for(Option::is_some)).await.is_ok()
        {
            return;
        }
    }
}

/// Logs the outcome of a delivery, and returns how long to wait before the next one.
fn after(delivery: Delivery) -> Option<Duration> {
    match delivery {
        Delivery::Idle => return Some(IDLE),
        Delivery::Done(_) => {}
        Delivery::Rescheduled(id, error) => {
            tracing::warn!(%id, error, "email not delivered; rescheduled")
        }
        Delivery::GivenUp(id, error) => {
            tracing::warn!(%id, error, "gave up on an email; `auth-server outbox retry` tries it again");
        }
    }
    None
}

/// The delay after a number of consecutive failures of the storage.
fn backoff(failures: u32) -> Duration {
    IDLE * 2_u32.pow(failures.min(MAX_DOUBLINGS))
}

/// Limits the log records about a failing storage, which all workers notice at once.
#[derive(Default)]
struct Outages {
    reported_at: Mutex<Option<Instant>>,
}

impl Outages {
    fn report(&self, error: &AccountError) {
        if !self.is_due(Instant::now()) {
            return;
        }
        let causes = successors(error.source(), |cause: &&dyn Error| Error::source(*cause)).map(ToString::to_string);
        let cause = causes.collect::<Vec<_>>().join(": ");
        tracing::warn!(%error, cause, "outbox unavailable; email delivery is paused");
    }

    /// Whether a failure is to be logged again.
    fn is_due(&self, now: Instant) -> bool {
        let mut reported_at = self.reported_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = reported_at.is_none_or(|at| now.duration_since(at) >= REPORT_INTERVAL);
        if is_due {
            *reported_at = Some(now);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;
    use auth_accounts::email::{EmailContent, EmailKind, OutgoingEmail, Queued, RetryPolicy, UnsealedEmail};
    use auth_accounts::ports::{EmailError, Mailer, Outbox, OutboxPage};
    use auth_conformance::{BEGINNING, MemoryStore, TestService, message_id};
    use tokio::sync::Semaphore;

    use super::*;

    /// A mailer that blocks until the test releases a permit for each email.
    struct GatedMailer {
        started: watch::Sender<usize>,
        permits: Semaphore,
    }

    #[async_trait]
    impl Mailer for GatedMailer {
        async fn send(&self, _: &UnsealedEmail) -> Result<(), EmailError> {
            self.started.send_modify(|started| *started += 1);
            self.permits.acquire().await.unwrap().forget();
            Ok(())
        }
    }

    struct Fixture {
        store: Arc<MemoryStore>,
        service: TestService,
        mailer: Arc<GatedMailer>,
    }

    impl Fixture {
        fn new() -> Self {
            let store = Arc::new(MemoryStore::default());
            let service = TestService::builder().memory(store.clone()).build();
            let mailer = Arc::new(GatedMailer { started: watch::Sender::default(), permits: Semaphore::new(0) });
            Self { store, service, mailer }
        }

        fn start(&self, workers: usize) -> Workers {
            let outbox = OutboxService::new(self.service.context(), self.mailer.clone(), RetryPolicy::default());
            Workers::start(&outbox, workers)
        }

        async fn enqueue(&self, number: u64) {
            let (id, queued) = (message_id(number), Queued::Email(EmailKind::PasswordChanged));
            let content = EmailContent::default().to_bytes();
            let content = self.service.ports().secret_box.seal(&EmailContent::context(id, queued), &content).unwrap();
            let mail = OutgoingEmail { id, queued, to: "alice@example.com".to_owned(), content, queued_at: BEGINNING };
            self.store.enqueue(&mail).await.unwrap();
        }

        /// Waits until `count` deliveries have started.
        async fn wait_until_started(&self, count: usize) {
            self.mailer.started.subscribe().wait_for(|started| *started >= count).await.unwrap();
        }

        async fn remaining(&self) -> usize {
            self.store.list_outbox(OutboxPage { only_failed: false, after: None, limit: 10 }).await.unwrap().len()
        }

        async fn wait_until_empty(&self) {
            while self.remaining().await > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    #[tokio::test]
    async fn emails_enqueued_later_are_delivered_too() {
        let fixture = Fixture::new();
        fixture.mailer.permits.add_permits(10);
        fixture.enqueue(1).await;
        let workers = fixture.start(2);
        fixture.wait_until_empty().await;
        fixture.enqueue(2).await;
        fixture.enqueue(3).await;
        fixture.wait_until_empty().await;
        workers.finish(Duration::from_secs(60)).await;
        assert_eq!(*fixture.mailer.started.borrow(), 3);
    }

    #[tokio::test]
    async fn a_stop_waits_for_the_delivery_in_flight_and_starts_no_other() {
        let fixture = Fixture::new();
        fixture.enqueue(1).await;
        fixture.enqueue(2).await;
        let workers = fixture.start(1);
        fixture.wait_until_started(1).await;
        workers.stopper().stop();
        fixture.mailer.permits.add_permits(10);
        workers.finish(Duration::from_secs(60)).await;
        assert_eq!((*fixture.mailer.started.borrow(), fixture.remaining().await), (1, 1));
    }

    #[tokio::test]
    async fn a_delivery_that_exceeds_the_limit_is_cancelled() {
        let fixture = Fixture::new();
        fixture.enqueue(1).await;
        let workers = fixture.start(2);
        fixture.wait_until_started(1).await;
        workers.finish(Duration::from_millis(20)).await;
        assert_eq!(fixture.remaining().await, 1);
    }

    #[test]
    fn failures_back_off_and_are_logged_once_a_minute() {
        assert_eq!([1, 2, 5, 6, u32::MAX].map(|failures| backoff(failures).as_secs()), [1, 2, 16, 16, 16]);
        let (outages, start) = (Outages::default(), Instant::now());
        let logged = [0, 1, 59, 60, 61, 119, 120].map(|second| outages.is_due(start + Duration::from_secs(second)));
        assert_eq!(logged, [true, false, false, true, false, false, true]);
    }
}
