//! Leases: no other process delivers a claimed email until the lease ends.

use super::*;

#[tokio::test]
async fn concurrent_workers_deliver_each_email_once() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    for number in 0..200 {
        put(&service, number).await;
    }
    service.mailer.fail(50, &busy());
    eventful.yield_at_each_call();
    let mailer = Arc::new(YieldingMailer { inner: service.mailer.clone() });
    while !service.store.emails().is_empty() {
        let mut services = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let outbox = with_mailer(&service, mailer.clone());
            services.spawn(async move { while outbox.deliver_next().await.unwrap() != Delivery::Idle {} });
        }
        services.join_all().await;
        service.advance(15);
    }
    let mut sent = BTreeMap::<MessageId, usize>::new();
    service.mailer.taken().into_iter().for_each(|email| *sent.entry(email.id).or_default() += 1);
    assert_eq!(sent.len(), 200);
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
}

/// Yields to other tasks before it sends.
struct YieldingMailer {
    inner: Arc<auth_conformance::RecordedMailer>,
}

#[async_trait]
impl Mailer for YieldingMailer {
    async fn send(&self, email: &UnsealedEmail) -> Result<(), EmailError> {
        tokio::task::yield_now().await;
        self.inner.send(email).await
    }
}

#[tokio::test]
async fn emails_are_sent_again_with_the_same_id_after_a_crash() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    let id = put(&service, 1).await;
    // Removing the delivered email is tried five times.
    (0..5).for_each(|_| eventful.fail("delivered"));
    assert!(service.outbox.deliver_next().await.is_err(), "sent, but not removed");
    service.advance(LEASE - 1);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle, "the lease has not ended");
    service.advance(1);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
    let sent: Vec<_> = service.mailer.taken().into_iter().map(|email| email.id).collect();
    assert_eq!(sent, [id, id], "both have the same message ID");
    service.advance(LEASE);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle);

    let id = put(&service, 2).await;
    (0..4).for_each(|_| eventful.fail("delivered"));
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
}

#[tokio::test]
async fn emails_whose_workers_crash_each_time_are_given_up() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    for _ in 0..10 {
        // Claimed by a process that crashes immediately.
        let now = auth_core::ports::Clock::now(service.clock.as_ref());
        let until = now.plus(auth_core::time::Seconds::new(LEASE));
        assert!(auth_accounts::ports::Outbox::claim(service.store.as_ref(), now, until).await.unwrap().is_some());
        service.advance(LEASE);
    }
    assert!(matches!(service.outbox.deliver_next().await.unwrap(), Delivery::GivenUp(given_up, _) if given_up == id));
    assert_eq!(service.mailer.taken(), []);
}

/// The worker took so long that another one has claimed the email.
#[tokio::test]
async fn outcomes_reported_after_the_lease_are_ignored() {
    for error in [None, Some(busy()), Some(refused())] {
        let Fixture { service, eventful, .. } = fixture(mailing());
        let id = put(&service, 1).await;
        let method = match &error {
            None => "delivered",
            Some(EmailError::Temporary(_)) => "reschedule",
            Some(EmailError::Permanent(_)) => "give_up",
        };
        error.iter().for_each(|error| service.mailer.fail(1, error));
        let (store, clock) = (service.store.clone(), service.clock.clone());
        eventful.before(method, async move {
            use auth_core::ports::Clock;
            clock.advance(Seconds::new(LEASE));
            let now = clock.now();
            assert_eq!(store.claim(now, now.plus(Seconds::new(LEASE))).await.unwrap().unwrap().attempt, 2);
        });
        service.outbox.deliver_next().await.unwrap();
        let entry = service.outbox.list(ALL).await.unwrap().remove(0);
        assert_eq!((entry.id, entry.attempts, entry.failed_at), (id, 2, None), "{method}");
        assert_eq!(
            service.outbox.deliver_next().await.unwrap(),
            Delivery::Idle,
            "{method}: claimed by the other worker"
        );
        service.advance(LEASE);
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id), "{method}");
    }
}
