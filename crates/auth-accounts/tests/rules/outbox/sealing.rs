//! The content of an email is sealed, and its secrets are not shown.

use super::*;

#[tokio::test]
async fn the_content_of_another_row_does_not_open() {
    let service = service(mailing());
    let (one, queued) = (put_kind(&service, 1, EmailKind::PasswordReset).await, Queued::Mail(EmailKind::PasswordReset));
    let content = service.store.mails().remove(0).content;
    // Somebody who can write to the storage sends alice's link to himself.
    let moved = OutgoingEmail {
        id: auth_conformance::message_id(2),
        queued,
        to: "mallory@example.com".to_owned(),
        content: content.clone(),
        queued_at: service.now(),
    };
    // Or has a template show the secret that is not made for it.
    let other_kind = OutgoingEmail {
        id: auth_conformance::message_id(3),
        queued: Queued::Mail(EmailKind::PasswordChanged),
        content,
        ..moved.clone()
    };
    for mail in [&moved, &other_kind] {
        service.store.enqueue(mail).await.unwrap();
    }
    let sent: Vec<_> = service.deliver_emails().await.into_iter().map(|mail| mail.id).collect();
    assert_eq!(sent, [one]);
    for entry in service.outbox.list(ALL).await.unwrap() {
        assert!(
            entry.last_error.as_deref().is_some_and(|error| error.starts_with("the content cannot be decrypted")),
            "{entry:?}"
        );
    }
    // As another kind under its own name, too.
    let id = put_kind(&service, 4, EmailKind::PasswordReset).await;
    let mail = service.store.mails().into_iter().find(|mail| mail.id == id).unwrap();
    let context = EmailContent::context(id, Queued::Mail(EmailKind::PasswordChanged));
    assert!(service.ports().secret_box.open(&context, &mail.content).is_err());
}

#[tokio::test]
async fn nothing_shows_a_secret_by_its_debug() {
    let service = service(requiring(RequiredFor::All));
    service.register("alice").await;
    let challenge: SecondFactorChallenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    service.accounts.request_reset(&email("alice@example.com"), &client()).await.unwrap();
    let mails = service.deliver_emails().await;
    let link = token_of(&mails, EmailKind::PasswordReset);
    let secrets = [code.clone(), link.clone(), link[32..].to_owned(), challenge.challenge.expose()[32..].to_owned()];
    put(&service, 9).await;
    let new: OutgoingEmail = service.store.mails().remove(0);
    let claimed: ClaimedEmail =
        service.store.claim(service.now(), service.now().plus(Seconds::new(1))).await.unwrap().unwrap();
    let entries = service.outbox.list(ALL).await.unwrap();
    let shown = format!("{mails:?} {:?} {challenge:?} {new:?} {claimed:?} {entries:?}", service.store.codes());
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret} in {shown}");
    }
    assert!(!format!("{new:?}{claimed:?}").contains("123456"));
    let secret = TotpSecret::from_bytes(b"12345678901234567890".to_vec());
    assert_eq!(format!("{secret:?}"), "TotpSecret(***)");
    let token = ChallengeToken::of(auth_conformance::code_id(1), service.ports().keyed_hash.as_ref());
    assert_eq!(format!("{token:?}"), "ChallengeToken(***)");
}

#[tokio::test]
async fn a_mail_under_a_key_that_is_lost_waits_for_it() {
    let service = service(mailing());
    let id = put(&service, 1).await;
    let ports = Ports { secret_box: Arc::new(auth_conformance::PlainSecret::new(7)), ..service.ports().clone() };
    let other = OutboxService::new(service.context_with(ports), service.mailer.clone(), RetryPolicy::default());
    assert!(matches!(other.deliver_next().await.unwrap(), Delivery::Postponed(postponed, _) if postponed == id));
    assert_eq!(service.mailer.taken(), []);
    service.advance(15);
    assert_eq!(service.outbox.deliver_next().await.unwrap(), Delivery::Done(id));
}
