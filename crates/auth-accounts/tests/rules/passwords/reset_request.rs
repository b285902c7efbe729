//! Requests for a password reset.

use super::*;

#[tokio::test]
async fn does_the_same_work_whether_or_not_the_account_exists() {
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
        assert_eq!(queued, [(Queued::Request(EmailRequest::PasswordReset), address.as_str().to_owned())]);
        assert_eq!(service.store.codes(), []);
    }
    assert_eq!(traces[0], traces[1]);
    assert_eq!(traces[0], traces[2]);
}

#[tokio::test]
async fn sends_a_link_to_active_accounts_only() {
    let service = service(mailing());
    service.register("alice").await;
    service.register("bob").await;
    service.act("bob", Action::Deactivate).await;
    for name in ["bob", "nobody", "Alice"] {
        service.accounts.request_reset(&email(&format!("{name}@example.com")), &client()).await.unwrap();
    }
    let emails = service.deliver_emails().await;
    // To the email address of the account, not to the one in the request (SEC-113).
    let sent: Vec<_> = emails.iter().map(|email| (email.kind, email.to.as_str())).collect();
    assert_eq!(sent, [(EmailKind::PasswordReset, "alice@example.com")]);
    assert_eq!(emails[0].content.get(Fact::Minutes), Some("30"));
    assert_eq!(emails[0].content.get(Fact::ClientIp), Some("192.0.2.7"));
    assert_eq!(service.store.codes().len(), 1);
    assert_eq!(service.enqueued(), []);
}

#[tokio::test]
async fn with_a_look_alike_letter_reaches_no_account() {
    let service = service(mailing());
    service.register("mike").await;
    // CVE-2019-19844: a dotless i folds to an i where letter case is not that of ASCII.
    assert!(auth_accounts::account::Email::parse("m\u{131}ke@example.com").is_err());
    assert!(auth_accounts::account::Email::parse("mike@example.com,eve@example.com").is_err());
    service.accounts.request_reset(&email("mike@examp1e.com"), &client()).await.unwrap();
    assert_eq!(service.deliver_emails().await, []);
}

#[tokio::test]
async fn sends_another_valid_link_after_five_minutes() {
    let service = service(mailing());
    service.register("alice").await;
    let ask = async |count: usize| {
        for _ in 0..count {
            service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
        }
        let emails = service.deliver_emails().await;
        assert_eq!(service.enqueued(), [], "the outbox is empty");
        emails.iter().filter_map(|email| email.content.get(Fact::Token)).map(str::to_owned).collect::<Vec<_>>()
    };
    let confirm = async |token: &str| service.accounts.confirm_reset(token, raw(NEW_PASSWORD), &client()).await;
    let first = ask(8).await;
    assert_eq!(first.len(), 1);
    service.advance(5 * MINUTE - 1);
    assert_eq!(ask(1).await, [] as [String; 0]);
    service.advance(1);
    let second = ask(2).await;
    assert_eq!(second.len(), 1);
    assert!(confirm(&first[0]).await.is_ok(), "a newer link does not end it");
    for used in [&first[0], &second[0]] {
        assert!(is_bad_link(&confirm(used).await), "using one link ends all");
    }
    // No link is open, so one is sent no matter how many were requested before.
    assert_eq!(ask(3).await.len(), 1);
    service.advance(30 * MINUTE);
    assert_eq!(ask(3).await.len(), 1);
}

#[tokio::test]
async fn is_counted_separately_from_verification_requests() {
    let service = service(with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional));
    service.register("alice").await;
    assert_eq!(service.deliver_emails().await.len(), 1);
    for _ in 0..20 {
        service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
    }
    service.deliver_emails().await;
    service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    let emails = service.deliver_emails().await;
    assert_eq!(emails.iter().map(|email| email.kind).collect::<Vec<_>>(), [EmailKind::PasswordReset]);
}

/// An attacker who sends many requests for an email address does not keep its owner from getting a link.
#[tokio::test]
async fn always_leaves_an_open_link_however_many_are_sent() {
    let service = service(mailing());
    service.register("alice").await;
    for minute in 0..180_u64 {
        for number in 0..3 {
            let attacker = from(&format!("198.51.{minute}.{number}"));
            let _ = service.accounts.request_reset(&email("alice@example.com"), &attacker).await;
        }
        service.deliver_emails().await;
        let open = codes_for(&service, CodePurpose::PasswordReset);
        assert!(open.iter().any(|code| code.is_open(service.now())), "minute {minute}");
        service.advance(MINUTE);
    }
}

#[tokio::test]
async fn is_limited_for_the_email_address_and_for_the_client_ip() {
    let service = service(mailing());
    service.register("alice").await;
    let ask = async |address: &str, ip: &str| service.accounts.request_reset(&email(address), &from(ip)).await;
    for address in ["alice@example.com", "nobody@example.com"] {
        for number in 0..20 {
            assert!(ask(address, &format!("198.51.100.{number}")).await.is_ok(), "{address} {number}");
        }
        // One more every five minutes.
        for _ in 0..3 {
            assert!(ask(address, "198.51.100.98").await.is_ok(), "{address}");
            let refused = ask(&address.to_uppercase(), "198.51.100.99").await;
            let is_soon = |delay: Seconds| delay.get() <= 5 * MINUTE;
            assert!(
                matches!(refused, Err(AccountError::Throttled { retry_after }) if is_soon(retry_after)),
                "{address}: {refused:?}"
            );
            service.advance(5 * MINUTE);
        }
    }
    for number in 0..60 {
        assert!(ask(&format!("user{number}@example.com"), "203.0.113.1").await.is_ok(), "{number}");
    }
    let refused = ask("another@example.com", "203.0.113.1").await;
    assert!(matches!(refused, Err(AccountError::Throttled { .. })), "{refused:?}");
    assert!(ask("another@example.com", "203.0.113.2").await.is_ok());
}

#[tokio::test]
async fn enqueues_nothing_if_no_emails_are_sent() {
    let service = service(policy());
    service.register("alice").await;
    service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    assert_eq!(service.enqueued(), []);
}

#[tokio::test]
async fn processed_by_two_workers_sends_one_link() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    // The lease of the first worker ends, and the second worker processes the request first.
    let (outbox, clock) = (service.outbox.clone(), service.clock.clone());
    eventful.before("issue", async move {
        clock.advance(Seconds::new(241));
        outbox.deliver_next().await.unwrap();
    });
    service.outbox.deliver_next().await.unwrap();
    assert_eq!(service.store.codes().len(), 1);
    assert_eq!(service.deliver_emails().await.len(), 1);
}
