//! Delivery: in order, once, and only until an email expires.

use super::*;

#[tokio::test]
async fn emails_are_delivered_once_and_removed() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Idle);
    let emails = service.mailer.taken();
    assert_eq!(emails.len(), 1);
    assert_eq!(
        (emails[0].id, emails[0].kind, emails[0].to.as_str()),
        (id, EmailKind::PasswordChanged, "alice@example.com")
    );
    assert_eq!((emails[0].content.get(Fact::Code), emails[0].caused_at), (Some("123456"), service.now()));
    assert_eq!(service.outbox.list(ALL).await.unwrap(), []);
}

#[tokio::test]
async fn emails_are_delivered_in_the_order_of_enqueueing() {
    let service = service(mailing());
    for number in [3, 1, 2] {
        put(&service, number).await;
        service.advance(1);
    }
    let sent: Vec<_> = service.deliver_emails().await.into_iter().map(|email| email.id).collect();
    assert_eq!(sent, [3, 1, 2].map(auth_conformance::message_id));
}

#[tokio::test]
async fn expired_emails_are_given_up() {
    for (kind, seconds) in [
        (EmailKind::PasswordReset, Some(30 * 60)),
        (EmailKind::EmailVerification, Some(24 * 60 * 60)),
        (EmailKind::EmailChange, Some(24 * 60 * 60)),
        (EmailKind::SecondFactorCode, Some(10 * 60)),
        (EmailKind::PasswordChanged, None),
        (EmailKind::SessionReused, None),
    ] {
        let service = service(mailing());
        let id = put_kind(&service, 1, kind).await;
        service.advance(seconds.unwrap_or(1_000_000) - 1);
        service.mailer.fail(1, &busy());
        assert!(matches!(service.outbox.deliver_next().await.unwrap(), Delivery::Rescheduled(..)), "{kind:?}: in time");
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
async fn token_reuse_sends_one_notice_for_each_session() {
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
        let notices: Vec<_> = service.deliver_emails().await.into_iter().map(|email| (email.kind, email.to)).collect();
        assert_eq!(notices, [(EmailKind::SessionReused, "alice@example.com".to_owned())]);
    }
}

#[tokio::test]
async fn emails_of_a_deleted_account_are_removed() {
    let service = service(mailing());
    service.register("alice").await;
    let caller = service.caller(&service.login("alice").await).await;
    change_password(&service, &caller, PASSWORD, NEW_PASSWORD).await.unwrap();
    assert_eq!(service.enqueued().len(), 1);
    service.act("alice", Action::Delete).await;
    assert_eq!(service.deliver_emails().await, []);
}
