//! The outbox: an email is delivered once, rescheduled, or given up.

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use async_trait::async_trait;
use auth_core::code::ChallengeToken;
use auth_core::event::EventKind;
use auth_core::mail::{ClaimedMail, Fact, Mail, MailContent, MailId, MailKind, NewMail, Queued, RetryPolicy};
use auth_core::ports::{MAX_SEND_TIME, MailError, Mailer, Outbox, OutboxPage, Retry};
use auth_core::second_factor::{RequiredFor, TotpSecret};
use auth_core::service::{Action, Delivery, OutboxService, Ports, SecondFactorChallenge};
use auth_core::time::Seconds;

use crate::fixture::*;

const ALL: OutboxPage = OutboxPage { only_failed: false, after: None, limit: 100 };
const FAILED: OutboxPage = OutboxPage { only_failed: true, ..ALL };
/// How long a claimed email is kept from other processes.
const LEASE: u64 = 240;

fn busy() -> MailError {
    MailError::Temporary("451 try again".to_owned())
}

fn refused() -> MailError {
    MailError::Permanent("550 no such mailbox".to_owned())
}

/// Enqueues an email that never expires.
async fn put(service: &TestService, name: u64) -> MailId {
    put_kind(service, name, MailKind::PasswordChanged).await
}

async fn put_kind(service: &TestService, name: u64, kind: MailKind) -> MailId {
    let (id, queued) = (auth_conformance::mail_id(name), Queued::Mail(kind));
    let content = MailContent::default().with(Fact::Username, "alice").with(Fact::Code, "123456");
    let content = service.ports().vault.seal(&MailContent::context(id, queued), &content.to_bytes()).unwrap();
    let mail = NewMail { id, queued, to: "alice@example.com".to_owned(), content, queued_at: service.now() };
    service.store.enqueue(&mail).await.unwrap();
    id
}

/// The same outbox with another mailer.
fn with_mailer(service: &TestService, mailer: Arc<dyn Mailer>) -> OutboxService {
    OutboxService::new(service.ports().clone(), mailing().accounts, mailer, RetryPolicy::default())
}

#[tokio::test]
async fn a_mail_is_sent_once_and_forgotten() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle);
    let mails = service.mailer.taken();
    assert_eq!(mails.len(), 1);
    assert_eq!(
        (mails[0].id, mails[0].kind, mails[0].to.as_str()),
        (id, MailKind::PasswordChanged, "alice@example.com")
    );
    assert_eq!((mails[0].content.get(Fact::Code), mails[0].caused_at), (Some("123456"), service.now()));
    assert_eq!(service.outbox.list(ALL).await.unwrap(), []);
}

#[tokio::test]
async fn mails_leave_in_the_order_in_which_they_came() {
    let service = service(mailing());
    for number in [3, 1, 2] {
        put(&service, number).await;
        service.advance(1);
    }
    let sent: Vec<_> = service.deliver_emails().await.into_iter().map(|mail| mail.id).collect();
    assert_eq!(sent, [3, 1, 2].map(auth_conformance::mail_id));
}

#[tokio::test]
async fn a_failure_that_may_pass_is_tried_again_later_and_later() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    service.mailer.fail(9, &busy());
    for wait in [15, 30, 60, 120, 240, 480, 960, 1_920, 3_600] {
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Postponed(id, "451 try again".to_owned()));
        let entry = service.outbox.list(ALL).await.unwrap().remove(0);
        assert_eq!(entry.next_attempt_at, Some(service.now().plus(Seconds::new(wait))));
        assert_eq!((entry.last_error.as_deref(), entry.failed_at), (Some("451 try again"), None));
        service.advance(wait - 1);
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle, "not before {wait}");
        service.advance(1);
    }
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
    assert_eq!(service.mailer.taken().len(), 1);
}

#[tokio::test]
async fn a_mail_is_given_up_after_ten_attempts() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    service.mailer.fail(100, &busy());
    let mut attempts = 0;
    loop {
        match service.outbox.deliver_next().await.unwrap() {
            Delivery::Postponed(..) => attempts += 1,
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
async fn a_failure_that_will_not_pass_is_given_up_at_once() {
    let service = service(mailing());
    let (bad, good) = (put(&service, 1).await, put(&service, 2).await);
    service.mailer.fail(1, &refused());
    let given_up = Delivery::GivenUp(bad, "550 no such mailbox".to_owned());
    assert_eq!(service.outbox.deliver_next().await.unwrap(), given_up);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(good), "which holds nobody up");
    let failed = service.outbox.list(FAILED).await.unwrap();
    assert_eq!((failed.len(), failed[0].failed_at), (1, Some(service.now())));
}

#[tokio::test]
async fn what_was_given_up_is_tried_again_when_somebody_asks() {
    let service = service(mailing());
    let (one, two) = (put(&service, 1).await, put(&service, 2).await);
    service.mailer.fail(2, &refused());
    assert_eq!(service.deliver_emails().await, []);
    assert_eq!(service.outbox.retry(Retry::One(two)).await.unwrap(), 1);
    assert_eq!(service.deliver_emails().await.into_iter().map(|mail| mail.id).collect::<Vec<_>>(), [two]);
    assert_eq!(service.outbox.retry(Retry::AllFailed).await.unwrap(), 1);
    // Attempts are counted from zero again.
    service.mailer.fail(9, &busy());
    for _ in 0..9 {
        assert!(matches!(service.outbox.deliver_next().await.unwrap(), Delivery::Postponed(..)));
        service.advance(3_600);
    }
    assert_eq!(service.deliver_emails().await.into_iter().map(|mail| mail.id).collect::<Vec<_>>(), [one]);
    assert_eq!(service.outbox.retry(Retry::AllFailed).await.unwrap(), 0);
}

/// A mailer with a fault.
struct Faulty {
    hangs: bool,
    calls: AtomicUsize,
}

#[async_trait]
impl Mailer for Faulty {
    async fn send(&self, _: &Mail) -> Result<(), MailError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.hangs { pending().await } else { panic!("a fault of the mailer") }
    }
}

#[tokio::test]
async fn a_mailer_that_panics_or_hangs_may_do_better_the_next_time() {
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
            assert!(!delivery.is_finished(), "it has its time");
            service.advance(1);
        }
        let Delivery::Postponed(postponed, why) = delivery.await.unwrap() else { panic!("it was not postponed") };
        assert_eq!((postponed, why.contains("it took too long")), (id, hangs), "{why}");
        service.advance(15);
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
    }
}

#[tokio::test]
async fn any_number_of_services_send_each_mail_once() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    for number in 0..200 {
        put(&service, number).await;
    }
    service.mailer.fail(50, &busy());
    eventful.yield_at_each_call();
    let mailer = Arc::new(Slow { inner: service.mailer.clone() });
    while !service.store.mails().is_empty() {
        let mut services = tokio::task::JoinSet::new();
        for _ in 0..40 {
            let outbox = with_mailer(&service, mailer.clone());
            services.spawn(async move { while outbox.deliver_next().await.unwrap() != Delivery::Idle {} });
        }
        services.join_all().await;
        service.advance(15);
    }
    let mut sent = BTreeMap::<MailId, usize>::new();
    service.mailer.taken().into_iter().for_each(|mail| *sent.entry(mail.id).or_default() += 1);
    assert_eq!(sent.len(), 200);
    assert!(sent.values().all(|times| *times == 1), "{sent:?}");
}

/// Lets others go first while it sends.
struct Slow {
    inner: Arc<auth_conformance::RecordedMailer>,
}

#[async_trait]
impl Mailer for Slow {
    async fn send(&self, mail: &Mail) -> Result<(), MailError> {
        tokio::task::yield_now().await;
        self.inner.send(mail).await
    }
}

#[tokio::test]
async fn a_mail_whose_sender_died_is_sent_again_under_its_name() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    let id = put(&service, 1).await;
    // It is tried more than once to note it, so that it is not sent again for a moment's weakness.
    (0..5).for_each(|_| eventful.fail("delivered"));
    assert!(service.outbox.deliver_next().await.is_err(), "sent, and not noted");
    service.advance(LEASE - 1);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle, "it is kept from others");
    service.advance(1);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
    let sent: Vec<_> = service.mailer.taken().into_iter().map(|mail| mail.id).collect();
    assert_eq!(sent, [id, id], "both have the same message ID");
    service.advance(LEASE);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle);

    let id = put(&service, 2).await;
    (0..4).for_each(|_| eventful.fail("delivered"));
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
}

#[tokio::test]
async fn a_mail_whose_senders_die_each_time_is_given_up() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    for _ in 0..10 {
        // Claimed by a process that dies at once.
        let now = auth_core::ports::Clock::now(service.clock.as_ref());
        let until = now.plus(auth_core::time::Seconds::new(LEASE));
        assert!(auth_core::ports::Outbox::claim(service.store.as_ref(), now, until).await.unwrap().is_some());
        service.advance(LEASE);
    }
    assert!(matches!(service.outbox.deliver_next().await.unwrap(), Delivery::GivenUp(given_up, _) if given_up == id));
    assert_eq!(service.mailer.taken(), []);
}

/// Somebody took so long that another one has the mail by now: their report concerns a claim that is over.
#[tokio::test]
async fn a_late_report_changes_nothing() {
    for error in [None, Some(busy()), Some(refused())] {
        let Fixture { service, eventful, .. } = fixture(mailing());
        let id = put(&service, 1).await;
        let method = match &error {
            None => "delivered",
            Some(MailError::Temporary(_)) => "postpone",
            Some(MailError::Permanent(_)) => "give_up",
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
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle, "{method}: it is the other one's");
        service.advance(LEASE);
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id), "{method}");
    }
}

#[tokio::test]
async fn what_is_no_longer_good_is_not_sent() {
    for (kind, seconds) in [
        (MailKind::PasswordReset, Some(30 * 60)),
        (MailKind::EmailVerification, Some(24 * 60 * 60)),
        (MailKind::EmailChange, Some(24 * 60 * 60)),
        (MailKind::SecondFactorCode, Some(10 * 60)),
        (MailKind::PasswordChanged, None),
        (MailKind::SessionReused, None),
    ] {
        let service = service(mailing());
        let id = put_kind(&service, 1, kind).await;
        service.advance(seconds.unwrap_or(1_000_000) - 1);
        service.mailer.fail(1, &busy());
        assert!(matches!(service.outbox.deliver_next().await.unwrap(), Delivery::Postponed(..)), "{kind:?}: in time");
        service.advance(15);
        let late = service.outbox.deliver_next().await.unwrap();
        match seconds {
            Some(_) => assert!(matches!(late, Delivery::GivenUp(given_up, _) if given_up == id), "{kind:?}: {late:?}"),
            None => assert_eq!(late, Delivery::Done(id), "{kind:?}"),
        }
        assert_eq!(service.mailer.taken().len(), usize::from(seconds.is_none()), "{kind:?}");
    }
}

#[tokio::test]
async fn the_content_of_another_row_does_not_open() {
    let service = service(mailing());
    let (one, queued) = (put_kind(&service, 1, MailKind::PasswordReset).await, Queued::Mail(MailKind::PasswordReset));
    let content = service.store.mails().remove(0).content;
    // Somebody who can write to the storage sends alice's link to himself.
    let moved = NewMail {
        id: auth_conformance::mail_id(2),
        queued,
        to: "mallory@example.com".to_owned(),
        content: content.clone(),
        queued_at: service.now(),
    };
    // Or has a template show the secret that is not made for it.
    let other_kind = NewMail {
        id: auth_conformance::mail_id(3),
        queued: Queued::Mail(MailKind::PasswordChanged),
        content,
        ..moved.clone()
    };
    for mail in [&moved, &other_kind] {
        service.store.enqueue(mail).await.unwrap();
    }
    let sent: Vec<_> = service.deliver_emails().await.into_iter().map(|mail| mail.id).collect();
    assert_eq!(sent, [one]);
    for entry in service.outbox.list(ALL).await.unwrap() {
        assert!(entry.last_error.as_deref().is_some_and(|error| error.starts_with("it cannot be opened")), "{entry:?}");
    }
    // As another kind under its own name, too.
    let id = put_kind(&service, 4, MailKind::PasswordReset).await;
    let mail = service.store.mails().into_iter().find(|mail| mail.id == id).unwrap();
    let context = MailContent::context(id, Queued::Mail(MailKind::PasswordChanged));
    assert!(service.ports().vault.open(&context, &mail.content).is_err());
}

#[tokio::test]
async fn nothing_shows_a_secret_by_its_debug() {
    let service = service(with_accounts(|accounts| accounts.second_factor = RequiredFor::All));
    service.register("alice").await;
    let challenge: SecondFactorChallenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    let mails = service.deliver_emails().await;
    let link = token_of(&mails, MailKind::PasswordReset);
    let secrets = [code.clone(), link.clone(), link[32..].to_owned(), challenge.challenge.expose()[32..].to_owned()];
    put(&service, 9).await;
    let new: NewMail = service.store.mails().remove(0);
    let claimed: ClaimedMail =
        service.store.claim(service.now(), service.now().plus(Seconds::new(1))).await.unwrap().unwrap();
    let entries = service.outbox.list(ALL).await.unwrap();
    let shown = format!("{mails:?} {:?} {challenge:?} {new:?} {claimed:?} {entries:?}", service.store.codes());
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret} in {shown}");
    }
    assert!(!format!("{new:?}{claimed:?}").contains("123456"));
    let secret = TotpSecret::from_bytes(b"12345678901234567890".to_vec());
    assert_eq!(format!("{secret:?}"), "TotpSecret(***)");
    let token = ChallengeToken::of(auth_conformance::code_id(1), service.ports().vault.as_ref());
    assert_eq!(format!("{token:?}"), "ChallengeToken(***)");
}

#[tokio::test]
async fn a_token_that_comes_back_is_told_once_for_each_session() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    for _ in 0..2 {
        let first = service.login("alice").await;
        service.refresh(&first).await;
        service.advance(RETRY_WINDOW);
        service.events.taken();
        eventful.yield_at_each_call();
        let mut replays = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (tokens, refresh) = (service.tokens.clone(), refresh_of(&first));
            replays.spawn(async move { tokens.refresh(&refresh).await.is_err() });
        }
        assert!(replays.join_all().await.into_iter().all(|is_refused| is_refused));
        assert_eq!(service.take_event_kinds(), [EventKind::RefreshReused]);
        let told: Vec<_> = service.deliver_emails().await.into_iter().map(|mail| (mail.kind, mail.to)).collect();
        assert_eq!(told, [(MailKind::SessionReused, "alice@example.com".to_owned())]);
    }
}

#[tokio::test]
async fn the_mails_of_a_deleted_account_go_with_it() {
    let service = service(mailing());
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap();
    assert_eq!(service.enqueued().len(), 1);
    service.act("alice", Action::Delete).await;
    assert_eq!(service.deliver_emails().await, []);
}

#[tokio::test]
async fn a_request_whose_look_failed_is_looked_into_again() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    for method in ["find_by_email", "issue"] {
        service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        eventful.fail(method);
        assert!(service.outbox.deliver_next().await.is_err(), "{method}");
        assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle, "{method}");
        service.advance(LEASE);
        assert_eq!(service.deliver_emails().await.len(), 1, "{method}");
    }
}

#[tokio::test]
async fn a_mail_under_a_key_that_is_lost_waits_for_it() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    let ports = Ports { vault: Arc::new(auth_conformance::PlainVault::new(7)), ..service.ports().clone() };
    let other = OutboxService::new(ports, mailing().accounts, service.mailer.clone(), RetryPolicy::default());
    assert!(matches!(other.deliver_next().await.unwrap(), Delivery::Postponed(postponed, _) if postponed == id));
    assert_eq!(service.mailer.taken(), []);
    service.advance(15);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
}
