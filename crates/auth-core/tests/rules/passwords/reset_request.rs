//! Requests for a password reset.

use super::*;

#[tokio::test]
async fn leaves_the_same_trace_whether_or_not_there_is_an_account() {
    let service = service(mailing());
    service.register("alice").await;
    service.register("bob").await;
    service.act("bob", Action::Deactivate).await;
    let mut traces = Vec::new();
    for name in ["alice", "bob", "nobody"] {
        service.events.taken();
        let address = email(&format!("{name}@example.com"));
        let (calls, before) = (service.store.calls(), service.enqueued().len());
        service.accounts.request_reset(&address, &client()).await.unwrap();
        traces.push((service.store.calls() - calls, service.take_event_kinds()));
        let queued: Vec<_> = service.enqueued().split_off(before);
        assert_eq!(queued, [(Queued::Request(MailRequest::PasswordReset), address.as_str().to_owned())]);
        assert_eq!(service.store.codes(), []);
    }
    assert_eq!(traces[0], traces[1]);
    assert_eq!(traces[0], traces[2]);
}

#[tokio::test]
async fn makes_a_link_for_the_active_account_and_nothing_else() {
    let service = service(mailing());
    service.register("alice").await;
    service.register("bob").await;
    service.act("bob", Action::Deactivate).await;
    for name in ["bob", "nobody", "Alice"] {
        service.accounts.request_reset(&email(&format!("{name}@example.com")), &client()).await.unwrap();
    }
    let mails = service.deliver_emails().await;
    // To the address of the account, not to the one that was typed.
    let sent: Vec<_> = mails.iter().map(|mail| (mail.kind, mail.to.as_str())).collect();
    assert_eq!(sent, [(MailKind::PasswordReset, "alice@example.com")]);
    assert_eq!(mails[0].content.get(Fact::Minutes), Some("30"));
    assert_eq!(mails[0].content.get(Fact::Address), Some("192.0.2.7"));
    assert_eq!(service.store.codes().len(), 1);
    assert_eq!(service.enqueued(), []);
}

#[tokio::test]
async fn of_a_letter_that_looks_alike_reaches_nobody() {
    let service = service(mailing());
    service.register("mike").await;
    // CVE-2019-19844: a dotless i folds to an i where letter case is not that of ASCII.
    assert!(auth_core::account::Email::parse("m\u{131}ke@example.com").is_err());
    assert!(auth_core::account::Email::parse("mike@example.com,eve@example.com").is_err());
    service.accounts.request_reset(&email("mike@examp1e.com"), &client()).await.unwrap();
    assert_eq!(service.deliver_emails().await, []);
}

#[tokio::test]
async fn is_answered_with_five_mails_an_hour() {
    let service = service(mailing());
    service.register("alice").await;
    for _ in 0..8 {
        service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    }
    assert_eq!(service.deliver_emails().await.len(), 5);
    assert_eq!(service.enqueued(), []);
    service.advance(60 * MINUTE);
    service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    assert_eq!(service.deliver_emails().await.len(), 1);
}

#[tokio::test]
async fn is_limited_by_what_was_typed_and_by_where_it_comes_from() {
    let service = service(mailing());
    service.register("alice").await;
    let ask = async |address: &str, ip: &str| service.accounts.request_reset(&email(address), &from(ip)).await;
    for address in ["alice@example.com", "nobody@example.com"] {
        for number in 0..20 {
            assert!(ask(address, &format!("198.51.100.{number}")).await.is_ok(), "{address} {number}");
        }
        let refused = ask(&address.to_uppercase(), "198.51.100.99").await;
        assert!(matches!(refused, Err(AuthError::Throttled { .. })), "{address}: {refused:?}");
    }
    for number in 0..60 {
        assert!(ask(&format!("user{number}@example.com"), "203.0.113.1").await.is_ok(), "{number}");
    }
    let refused = ask("another@example.com", "203.0.113.1").await;
    assert!(matches!(refused, Err(AuthError::Throttled { .. })), "{refused:?}");
    assert!(ask("another@example.com", "203.0.113.2").await.is_ok());
}

#[tokio::test]
async fn leaves_nothing_where_nobody_sends_mails() {
    let service = service(policy());
    service.register("alice").await;
    service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    assert_eq!(service.enqueued(), []);
}

#[tokio::test]
async fn looked_into_by_two_at_once_makes_one_link() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    // The first one takes so long that the request is free again, and the second one is faster.
    let (outbox, clock) = (service.outbox.clone(), service.clock.clone());
    eventful.before("issue", async move {
        clock.advance(Seconds::new(241));
        outbox.deliver_next().await.unwrap();
    });
    service.outbox.deliver_next().await.unwrap();
    assert_eq!(service.store.codes().len(), 1);
    assert_eq!(service.deliver_emails().await.len(), 1);
}
