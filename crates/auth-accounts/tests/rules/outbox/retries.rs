//! Failures: rescheduled, given up, and retried by an operator.

use super::*;

#[tokio::test]
async fn temporary_failures_are_retried_with_growing_delays() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    service.mailer.fail(9, &busy());
    for delay in [15, 30, 60, 120, 240, 480, 960, 1_920, 3_600] {
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Rescheduled(id, "451 try again".to_owned()));
        let entry = service.outbox.list(ALL).await.unwrap().remove(0);
        assert_eq!(entry.next_attempt_at, Some(service.now().plus(Seconds::new(delay))));
        assert_eq!((entry.last_error.as_deref(), entry.failed_at), (Some("451 try again"), None));
        service.advance(delay - 1);
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle, "not before {delay}");
        service.advance(1);
    }
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
    assert_eq!(service.mailer.taken().len(), 1);
}

#[tokio::test]
async fn emails_are_given_up_after_ten_attempts() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    service.mailer.fail(100, &busy());
    let mut attempts = 0;
    loop {
        match service.outbox.deliver_next().await.unwrap() {
            Delivery::Rescheduled(..) => attempts += 1,
            Delivery::Idle => service.advance(1_800),
            Delivery::GivenUp(given_up, _) => {
                assert_eq!(given_up, id);
                break;
            }
            Delivery::Done(_) => panic!("sent"),
        }
    }
    assert_eq!(attempts + 1, 10);
    service.advance(1_000_000);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle);
    let failed = service.outbox.list(FAILED).await.unwrap();
    assert_eq!((failed[0].id, failed[0].attempts, failed.len()), (id, 10, 1));
}

#[tokio::test]
async fn permanent_failures_are_given_up_immediately() {
    let service = service(mailing());
    let (bad, good) = (put(&service, 1).await, put(&service, 2).await);
    service.mailer.fail(1, &refused());
    let given_up = Delivery::GivenUp(bad, "550 no such mailbox".to_owned());
    assert_eq!(service.outbox.deliver_next().await.unwrap(), given_up);
    assert_eq!(
        service.outbox.deliver_next().await.unwrap(),
        Delivery::Done(good),
        "the failure does not delay other emails"
    );
    let failed = service.outbox.list(FAILED).await.unwrap();
    assert_eq!((failed.len(), failed[0].failed_at), (1, Some(service.now())));
}

#[tokio::test]
async fn given_up_emails_can_be_retried() {
    let service = service(mailing());
    let (one, two) = (put(&service, 1).await, put(&service, 2).await);
    service.mailer.fail(2, &refused());
    assert_eq!(service.deliver_emails().await, []);
    assert_eq!(service.outbox.retry(Retry::One(two)).await.unwrap(), 1);
    assert_eq!(service.deliver_emails().await.into_iter().map(|email| email.id).collect::<Vec<_>>(), [two]);
    assert_eq!(service.outbox.retry(Retry::AllFailed).await.unwrap(), 1);
    // The attempts were reset.
    service.mailer.fail(9, &busy());
    for _ in 0..9 {
        assert!(matches!(service.outbox.deliver_next().await.unwrap(), Delivery::Rescheduled(..)));
        service.advance(3_600);
    }
    assert_eq!(service.deliver_emails().await.into_iter().map(|email| email.id).collect::<Vec<_>>(), [one]);
    assert_eq!(service.outbox.retry(Retry::AllFailed).await.unwrap(), 0);
}

/// A mailer that hangs or panics.
struct Faulty {
    hangs: bool,
    calls: AtomicUsize,
}

#[async_trait]
impl Mailer for Faulty {
    async fn send(&self, _: &UnsealedEmail) -> Result<(), EmailError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.hangs { pending().await } else { panic!("the mailer panics") }
    }
}

#[tokio::test]
async fn emails_are_retried_after_the_mailer_panics_or_hangs() {
    for hangs in [false, true] {
        let service = service(mailing());
        let id = put(&service, 1).await;
        let mailer = Arc::new(Faulty { hangs, calls: AtomicUsize::new(0) });
        let outbox = with_mailer(&service, mailer.clone());
        let delivery = tokio::spawn(async move { outbox.deliver_next().await.unwrap() });
        while mailer.calls.load(Ordering::SeqCst) == 0 {
            tokio::task::yield_now().await;
        }
        if hangs {
            service.advance(MAX_SEND_TIME.as_secs() - 1);
            tokio::task::yield_now().await;
            assert!(!delivery.is_finished(), "the time limit is not reached");
            service.advance(1);
        }
        let Delivery::Rescheduled(rescheduled, why) = delivery.await.unwrap() else { panic!("not rescheduled") };
        assert_eq!((rescheduled, why.contains("it took too long")), (id, hangs), "{why}");
        service.advance(15);
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
    }
}

#[tokio::test]
async fn requests_are_processed_again_after_the_storage_failed() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    for method in ["find_by_email", "issue"] {
        // The link of the previous iteration no longer blocks another one.
        service.advance(300);
        service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        eventful.fail(method);
        assert!(service.outbox.deliver_next().await.is_err(), "{method}");
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle, "{method}");
        service.advance(LEASE);
        assert_eq!(service.deliver_emails().await.len(), 1, "{method}");
    }
}
