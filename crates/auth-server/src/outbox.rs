//! Workers that send what is in the outbox, for as long as the server runs.

use std::error::Error;
use std::iter::successors;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use auth_accounts::AccountError;
use auth_accounts::service::{Delivery, OutboxService};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout, timeout_at};

/// How long a worker that found nothing to do waits before it looks again.
const IDLE: Duration = Duration::from_millis(500);
/// How often [`IDLE`] is doubled at most while the storage fails: up to sixteen seconds.
const MOST_DOUBLINGS: u32 = 5;
/// How often at most it is said that the storage fails.
const REPORT_INTERVAL: Duration = Duration::from_secs(60);

/// When the workers were told to stop, if they were.
type Told = Option<Instant>;

/// Tasks that send mails. They end when they are [told to](Workers::stopper), or when this is dropped.
#[derive(Default)]
pub(crate) struct Workers {
    tasks: JoinSet<()>,
    stop: watch::Sender<Told>,
}

/// Tells workers to stop.
#[derive(Clone)]
pub(crate) struct Stopper(watch::Sender<Told>);

impl Stopper {
    /// From now on no worker takes out another mail.
    pub(crate) fn stop(&self) {
        self.0.send_if_modified(|told| {
            let is_news = told.is_none();
            told.get_or_insert_with(Instant::now);
            is_news
        });
    }
}

impl Workers {
    /// Starts so many.
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

    /// Stops them, and waits until the mails in flight are sent, for so long at most, counted from the moment that the workers
    /// were told to stop. What is broken off then is sent again by whoever takes it out next.
    pub(crate) async fn finish(mut self, within: Duration) {
        self.stopper().stop();
        let told_at = self.stop.borrow().unwrap_or_else(Instant::now);
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout_at(told_at + within, all).await.is_err() {
            tracing::warn!("delivery of an email was interrupted; it is delivered again");
        }
    }
}

async fn work(service: OutboxService, outages: Arc<Outages>, mut stop: watch::Receiver<Told>) {
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

/// Says what became of a mail. Answers how long to wait before the next one.
fn after(delivery: Delivery) -> Option<Duration> {
    match delivery {
        Delivery::Idle => return Some(IDLE),
        Delivery::Done(_) => {}
        Delivery::Postponed(id, error) => tracing::warn!(%id, error, "an email was not delivered; it is retried later"),
        Delivery::GivenUp(id, error) => {
            tracing::warn!(%id, error, "an email was given up; `outbox retry` retries it");
        }
    }
    None
}

/// How long to wait after so many failures of the storage in a row.
fn backoff(failures: u32) -> Duration {
    IDLE * 2_u32.pow(failures.min(MOST_DOUBLINGS))
}

/// Failures of the storage, as all workers meet them at once.
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
        tracing::warn!(%error, cause, "the outbox is unavailable; emails wait");
    }

    /// Whether it is to be said again.
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
    use auth_accounts::mail::{EmailContent, EmailKind, Mail, OutgoingEmail, Queued, RetryPolicy};
    use auth_accounts::ports::{EmailError, Mailer, Outbox, OutboxPage};
    use auth_conformance::{BEGINNING, MemoryStore, TestService, message_id};
    use tokio::sync::Semaphore;

    use super::*;

    /// Sends as many mails as it is let.
    struct GatedMailer {
        begun: watch::Sender<usize>,
        let_through: Semaphore,
    }

    #[async_trait]
    impl Mailer for GatedMailer {
        async fn send(&self, _: &Mail) -> Result<(), EmailError> {
            self.begun.send_modify(|begun| *begun += 1);
            self.let_through.acquire().await.unwrap().forget();
            Ok(())
        }
    }

    struct Stage {
        store: Arc<MemoryStore>,
        service: TestService,
        mailer: Arc<GatedMailer>,
    }

    impl Stage {
        fn new() -> Self {
            let store = Arc::new(MemoryStore::default());
            let service = TestService::builder().memory(store.clone()).build();
            let mailer = Arc::new(GatedMailer { begun: watch::Sender::default(), let_through: Semaphore::new(0) });
            Self { store, service, mailer }
        }

        fn start(&self, workers: usize) -> Workers {
            let outbox = OutboxService::new(self.service.context(), self.mailer.clone(), RetryPolicy::default());
            Workers::start(&outbox, workers)
        }

        async fn put_in(&self, number: u64) {
            let (id, queued) = (message_id(number), Queued::Mail(EmailKind::PasswordChanged));
            let content = EmailContent::default().to_bytes();
            let content = self.service.ports().secret_box.seal(&EmailContent::context(id, queued), &content).unwrap();
            let mail = OutgoingEmail { id, queued, to: "alice@example.com".to_owned(), content, queued_at: BEGINNING };
            self.store.enqueue(&mail).await.unwrap();
        }

        async fn begun(&self, count: usize) {
            self.mailer.begun.subscribe().wait_for(|begun| *begun >= count).await.unwrap();
        }

        async fn left(&self) -> usize {
            self.store.list_outbox(OutboxPage { only_failed: false, after: None, limit: 10 }).await.unwrap().len()
        }

        async fn is_empty(&self) {
            while self.left().await > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }

    #[tokio::test]
    async fn what_is_put_in_later_is_sent_too() {
        let stage = Stage::new();
        stage.mailer.let_through.add_permits(10);
        stage.put_in(1).await;
        let workers = stage.start(2);
        stage.is_empty().await;
        stage.put_in(2).await;
        stage.put_in(3).await;
        stage.is_empty().await;
        workers.finish(Duration::from_secs(60)).await;
        assert_eq!(*stage.mailer.begun.borrow(), 3);
    }

    #[tokio::test]
    async fn at_a_stop_the_mail_in_flight_is_finished_and_no_other_begun() {
        let stage = Stage::new();
        stage.put_in(1).await;
        stage.put_in(2).await;
        let workers = stage.start(1);
        stage.begun(1).await;
        workers.stopper().stop();
        stage.mailer.let_through.add_permits(10);
        workers.finish(Duration::from_secs(60)).await;
        assert_eq!((*stage.mailer.begun.borrow(), stage.left().await), (1, 1));
    }

    #[tokio::test]
    async fn a_mail_that_takes_too_long_at_a_stop_is_broken_off() {
        let stage = Stage::new();
        stage.put_in(1).await;
        let workers = stage.start(2);
        stage.begun(1).await;
        workers.finish(Duration::from_millis(20)).await;
        assert_eq!(stage.left().await, 1);
    }

    #[test]
    fn failures_are_waited_out_and_told_once_a_minute() {
        assert_eq!([1, 2, 5, 6, u32::MAX].map(|failures| backoff(failures).as_secs()), [1, 2, 16, 16, 16]);
        let (outages, start) = (Outages::default(), Instant::now());
        let told = [0, 1, 59, 60, 61, 119, 120].map(|second| outages.is_due(start + Duration::from_secs(second)));
        assert_eq!(told, [true, false, false, true, false, false, true]);
    }
}
