//! The content of an email is sealed, and `Debug` does not print it.

use super::*;

#[tokio::test]
async fn content_moved_to_another_row_cannot_be_decrypted() {
    let service = service(mailing());
    let (one, queued) =
        (put_kind(&service, 1, EmailKind::PasswordReset).await, Queued::Email(EmailKind::PasswordReset));
    let content = service.store.emails().remove(0).content;
    // An attacker who can write to the storage sends alice's link to another email address.
    let moved = OutgoingEmail {
        id: auth_conformance::message_id(2),
        queued,
        to: "mallory@example.com".to_owned(),
        content: content.clone(),
        queued_at: service.now(),
    };
    // Or as another kind, whose template might show the secret.
    let other_kind = OutgoingEmail {
        id: auth_conformance::message_id(3),
        queued: Queued::Email(EmailKind::PasswordChanged),
        content,
        ..moved.clone()
    };
    for email in [&moved, &other_kind] {
        service.store.enqueue(email).await.unwrap();
    }
    let sent: Vec<_> = service.deliver_emails().await.into_iter().map(|email| email.id).collect();
    assert_eq!(sent, [one]);
    for entry in service.outbox.list(ALL).await.unwrap() {
        assert!(
            entry.last_error.as_deref().is_some_and(|error| error.starts_with("the content cannot be decrypted")),
            "{entry:?}"
        );
    }
    // The context also includes the kind.
    let id = put_kind(&service, 4, EmailKind::PasswordReset).await;
    let email = service.store.emails().into_iter().find(|email| email.id == id).unwrap();
    let context = EmailContent::context(id, Queued::Email(EmailKind::PasswordChanged));
    assert!(service.ports().secret_box.open(&context, &email.content).is_err());
}

#[tokio::test]
async fn debug_output_contains_no_secrets() {
    let service = service(requiring(RequiredFor::All));
    service.register("alice").await;
    let challenge: SecondFactorChallenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    let emails = service.deliver_emails().await;
    let link = token_of(&emails, EmailKind::PasswordReset);
    let secrets = [code.clone(), link.clone(), link[32..].to_owned(), challenge.challenge.expose()[32..].to_owned()];
    put(&service, 9).await;
    let new: OutgoingEmail = service.store.emails().remove(0);
    let claimed: ClaimedEmail =
        service.store.claim(service.now(), service.now().plus(Seconds::new(1))).await.unwrap().unwrap();
    let entries = service.outbox.list(ALL).await.unwrap();
    let output = format!("{emails:?} {:?} {challenge:?} {new:?} {claimed:?} {entries:?}", service.store.codes());
    for secret in secrets {
        assert!(!output.contains(&secret), "{secret} in {output}");
    }
    assert!(!format!("{new:?}{claimed:?}").contains("123456"));
    let secret = TotpSecret::from_bytes(b"12345678901234567890".to_vec());
    assert_eq!(format!("{secret:?}"), "TotpSecret(***)");
    let token = ChallengeToken::of(auth_conformance::code_id(1), service.ports().keyed_hash.as_ref());
    assert_eq!(format!("{token:?}"), "ChallengeToken(***)");
}

#[tokio::test]
async fn emails_under_an_unknown_key_are_rescheduled() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    let ports = Ports { secret_box: Arc::new(auth_conformance::PlainSecret::new(7)), ..service.ports().clone() };
    let other = OutboxService::new(service.context_with(ports), service.mailer.clone(), RetryPolicy::default());
    assert!(matches!(other.deliver_next().await.unwrap(), Delivery::Rescheduled(rescheduled, _) if rescheduled == id));
    assert_eq!(service.mailer.taken(), []);
    service.advance(15);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
}
