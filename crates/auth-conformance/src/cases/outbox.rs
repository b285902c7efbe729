//! The outbox: enqueuing, claiming, listing and rescheduling emails.

use std::collections::BTreeSet;
use std::sync::Arc;

use auth_accounts::account::{NewUser, ProfileChange};
use auth_accounts::code::CodePurpose;
use auth_accounts::email::{ClaimedEmail, EmailKind, EmailRequest, OutboxEntry, OutgoingEmail, Queued};
use auth_accounts::ports::{IssueIf, NewPassword, OutboxPage, PasswordUpdate, Store, VerifiedEmail};
use auth_accounts::second_factor::{Method, NewFactor, VerifiedFactor};
use auth_accounts::secret::Sealed;
use auth_core::effects::Effects;
use auth_core::ports::Swap;
use auth_core::time::UnixTime;
use auth_core::token::RevokeReason;
use macro_rules_attribute::apply;

use super::account_fixture::AccountFixture;
use super::fixture::{created, effects, outbox, queued, started, stored};
use crate::{
    at, code_id, code_of, email, hash_of, message_id, new_email, new_request, new_user, session_id, session_of,
    successor_of,
};

/// Claims an email for a minute. Returns its number and the attempt.
pub(super) async fn claimed(store: &dyn Store, seconds: i64) -> Option<(u64, u32)> {
    let ClaimedEmail { email, attempt } = store.claim(at(seconds), at(seconds + 60)).await.unwrap()?;
    let number = (0..1_000).find(|number| message_id(*number) == email.id).expect("a number");
    Some((number, attempt))
}

/// Enqueues emails with these numbers, in order.
pub(super) async fn enqueued(store: &dyn Store, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        store.enqueue(&new_email(number)).await.unwrap();
    }
}

fn waiting(mail: &OutgoingEmail) -> OutboxEntry {
    OutboxEntry {
        id: mail.id,
        queued: mail.queued,
        to: mail.to.clone(),
        queued_at: mail.queued_at,
        attempts: 0,
        next_attempt_at: None,
        failed_at: None,
        last_error: None,
    }
}

#[apply(account_case!)]
async fn stores_every_field_of_an_email(store: Arc<dyn Store>) {
    let kinds = EmailKind::ALL.iter().map(|kind| Queued::Email(*kind));
    let requests = EmailRequest::ALL.iter().map(|request| Queued::Request(*request));
    let longest = format!("{}@example.com", "\u{E9}'\"%\\".repeat(48));
    let every_byte: Vec<u8> = (0..=255).cycle().take(4_096).collect();
    let contents = [every_byte, Vec::new(), b"\0".to_vec()].into_iter().cycle();
    let addresses = ["Alice@Example.com", "", &longest].into_iter().cycle();
    let moments = [at(-100), UnixTime::MAX, UnixTime::from_seconds(0), at(7)].into_iter().cycle();
    for ((number, queued), (content, (to, queued_at))) in
        (0..).zip(kinds.chain(requests)).zip(contents.zip(addresses.zip(moments)))
    {
        let mail =
            OutgoingEmail { queued, to: to.to_owned(), content: Sealed::new(content), queued_at, ..new_email(number) };
        store.enqueue(&mail).await.unwrap();
        assert_eq!(outbox(&*store).await, [waiting(&mail)]);
        let claimed = store.claim(at(0), at(60)).await.unwrap();
        assert_eq!(claimed, Some(ClaimedEmail { email: mail.clone(), attempt: 1 }));
        assert!(store.delivered(mail.id, 1).await.unwrap());
        assert_eq!(outbox(&*store).await, []);
    }
    assert_eq!(claimed(&*store, 0).await, None);
}

#[apply(account_case!)]
async fn claims_emails_in_the_order_in_which_they_were_enqueued(store: Arc<dyn Store>) {
    let user = NewUser { effects: effects(&[7, 2, 9]), ..new_user("alice") };
    enqueued(&*store, [5, 3, 8]).await;
    created(&*store, &user).await;
    enqueued(&*store, [1, 6]).await;
    assert_eq!(queued(&*store).await, [5, 3, 8, 7, 2, 9, 1, 6]);
    for expected in [5, 3, 8, 7, 2, 9, 1, 6] {
        assert_eq!(claimed(&*store, 0).await, Some((expected, 1)));
    }
    assert_eq!(claimed(&*store, 0).await, None);
}

#[apply(account_case!)]
async fn claims_the_email_that_has_been_due_for_longest_first(store: Arc<dyn Store>) {
    enqueued(&*store, [1, 2, 3]).await;
    for (number, next_attempt_at) in [(1, 50), (2, 10), (3, 30)] {
        assert_eq!(claimed(&*store, 0).await, Some((number, 1)));
        assert!(store.reschedule(message_id(number), 1, at(next_attempt_at), "busy").await.unwrap());
    }
    store.enqueue(&OutgoingEmail { queued_at: at(20), ..new_email(4) }).await.unwrap();
    store.enqueue(&OutgoingEmail { queued_at: at(40), ..new_email(5) }).await.unwrap();
    for expected in [(2, 2), (4, 1), (3, 2), (5, 1), (1, 2)] {
        assert_eq!(claimed(&*store, 100).await, Some(expected));
    }
}

/// A flood of registrations must not delay codes and password resets.
#[apply(account_case!)]
async fn claims_codes_before_resets_before_other_emails(store: Arc<dyn Store>) {
    let (others, resets, codes) = (
        [Queued::Email(EmailKind::EmailVerification), Queued::Request(EmailRequest::EmailVerification)],
        [Queued::Request(EmailRequest::PasswordReset), Queued::Email(EmailKind::PasswordReset)],
        [Queued::Email(EmailKind::SecondFactorCode), Queued::Email(EmailKind::SecondFactorCode)],
    );
    for (number, queued) in (0..).zip(others.into_iter().chain(resets).chain(codes)) {
        let queued_at = at(number - 100);
        store.enqueue(&OutgoingEmail { queued, queued_at, ..new_email(number.unsigned_abs()) }).await.unwrap();
    }
    // An email that waits for its next attempt does not block the others.
    assert_eq!(claimed(&*store, 0).await, Some((4, 1)));
    assert!(store.reschedule(message_id(4), 1, at(50), "busy").await.unwrap());
    for expected in [5, 2, 3, 0] {
        assert_eq!(claimed(&*store, 0).await, Some((expected, 1)));
    }
    assert_eq!(claimed(&*store, 50).await, Some((4, 2)));
    assert_eq!(claimed(&*store, 50).await, Some((1, 1)));
}

#[apply(account_case!)]
async fn a_claimed_email_is_not_claimed_again_before_the_claim_ends(store: Arc<dyn Store>) {
    enqueued(&*store, [1, 2]).await;
    assert_eq!(claimed(&*store, 0).await, Some((1, 1)));
    assert_eq!(claimed(&*store, 30).await, Some((2, 1)));
    for seconds in [30, 59] {
        assert_eq!(claimed(&*store, seconds).await, None, "{seconds}");
    }
    assert_eq!(claimed(&*store, 60).await, Some((1, 2)));
    assert_eq!(claimed(&*store, 89).await, None);
    assert_eq!(claimed(&*store, 90).await, Some((2, 2)));
    assert_eq!(outbox(&*store).await.iter().map(|entry| entry.attempts).collect::<Vec<_>>(), [2, 2]);
}

#[apply(account_case!)]
async fn only_the_last_claim_reports_an_outcome(store: Arc<dyn Store>) {
    enqueued(&*store, [1, 2]).await;
    for seconds in [0, 60] {
        assert_eq!(claimed(&*store, seconds).await.map(|(number, _)| number), Some(1));
        assert_eq!(claimed(&*store, seconds).await.map(|(number, _)| number), Some(2));
    }
    let before = outbox(&*store).await;
    for (number, attempt) in [(1, 1), (1, 0), (1, 3), (9, 2)] {
        assert!(!store.delivered(message_id(number), attempt).await.unwrap());
        assert!(!store.reschedule(message_id(number), attempt, at(60), "busy").await.unwrap());
        assert!(!store.give_up(message_id(number), attempt, at(60), "unknown").await.unwrap());
        assert_eq!(outbox(&*store).await, before);
        assert_eq!(claimed(&*store, 61).await, None);
    }
    // A claim is the last one until the next claim, however late its outcome is reported.
    assert!(store.delivered(message_id(1), 2).await.unwrap());
    assert!(!store.delivered(message_id(1), 2).await.unwrap());
    assert!(store.give_up(message_id(2), 2, at(100_000), "unknown").await.unwrap());
    assert_eq!(queued(&*store).await, [2]);
}

#[apply(account_case!)]
async fn a_rescheduled_email_is_due_at_the_given_time(store: Arc<dyn Store>) {
    enqueued(&*store, [1]).await;
    let mut now = 0;
    for (attempt, next_attempt_at, error) in [(1, 15, "busy"), (2, 45, "\u{E9}: \"busy\" (%s)"), (3, 105, "")] {
        assert_eq!(claimed(&*store, now).await, Some((1, attempt)));
        assert!(store.reschedule(message_id(1), attempt, at(next_attempt_at), error).await.unwrap());
        let expected = OutboxEntry {
            attempts: attempt,
            next_attempt_at: Some(at(next_attempt_at)),
            last_error: Some(error.to_owned()),
            ..waiting(&new_email(1))
        };
        assert_eq!(outbox(&*store).await, [expected]);
        assert_eq!(claimed(&*store, next_attempt_at - 1).await, None);
        now = next_attempt_at;
    }
}

#[apply(account_case!)]
async fn an_email_that_was_given_up_stays_but_is_not_claimed(store: Arc<dyn Store>) {
    for (number, mail) in [(1, new_email(1)), (2, new_request(2))] {
        store.enqueue(&mail).await.unwrap();
        assert_eq!(claimed(&*store, 0).await, Some((number, 1)));
        assert!(store.reschedule(message_id(number), 1, at(10), "busy").await.unwrap());
        assert_eq!(claimed(&*store, 10).await, Some((number, 2)));
        assert!(store.give_up(message_id(number), 2, at(20), "unknown").await.unwrap());
    }
    let expected = [new_email(1), new_request(2)].map(|mail| OutboxEntry {
        attempts: 2,
        failed_at: Some(at(20)),
        last_error: Some("unknown".to_owned()),
        ..waiting(&mail)
    });
    assert_eq!(outbox(&*store).await, expected);
    for seconds in [20, 1_000_000, -1_000_000] {
        assert_eq!(claimed(&*store, seconds).await, None, "{seconds}");
    }
}

#[apply(account_case!)]
async fn lists_the_outbox_in_pages(store: Arc<dyn Store>) {
    enqueued(&*store, [4, 1, 5, 2, 3]).await;
    for number in [4, 1, 5] {
        assert_eq!(claimed(&*store, 0).await, Some((number, 1)));
    }
    for number in [5, 4] {
        assert!(store.give_up(message_id(number), 1, at(1), "unknown").await.unwrap());
    }
    for (only_failed, after, limit, expected) in [
        (false, None, 10, vec![4, 1, 5, 2, 3]),
        (false, None, 2, vec![4, 1]),
        (false, Some(1), 2, vec![5, 2]),
        (false, Some(2), 2, vec![3]),
        (false, Some(3), 2, vec![]),
        (false, None, 0, vec![]),
        (true, None, 10, vec![4, 5]),
        (true, None, 1, vec![4]),
        (true, Some(4), 1, vec![5]),
        (true, Some(1), 1, vec![5]),
        (true, Some(5), 1, vec![]),
    ] {
        let page = OutboxPage { only_failed, after: after.map(message_id), limit };
        let listed = store.list_outbox(page).await.unwrap();
        let expected: Vec<_> = expected.into_iter().map(message_id).collect();
        assert_eq!(listed.into_iter().map(|entry| entry.id).collect::<Vec<_>>(), expected, "{page:?}");
    }
}

/// An email that another port enqueues belongs to its account; one enqueued with `enqueue` belongs to none.
#[apply(account_case!)]
async fn deleting_an_account_deletes_its_emails(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let (id, code) = (fixture.id.clone(), |purpose| fixture.code(purpose));
    let other = created(&*store, &NewUser { effects: effects(&[1]), ..new_user("other") }).await.id;
    let change = ProfileChange { effects: effects(&[2]), ..ProfileChange::default() };
    store.update_profile(&id, &change).await.unwrap();
    let verification = code(CodePurpose::EmailVerification);
    let verified = |effects| VerifiedEmail {
        user: id.clone(),
        code: verification,
        email: email("alice@example.com"),
        is_change: false,
        only_at: None,
        effects,
    };
    store.confirm_email(&verified(effects(&[3])), at(1).into()).await.unwrap();
    assert!(store.redeem(code(CodePurpose::Login), VerifiedFactor::Email, &effects(&[4]), at(1)).await.unwrap());
    let enrolment = code(CodePurpose::EmailEnrolment);
    store.add_factor(&id, &NewFactor::Email, enrolment, &[], &effects(&[5]), at(1).into()).await.unwrap();
    assert!(store.replace_recovery_codes(&id, &[], None, &effects(&[6])).await.unwrap());
    assert!(store.remove_factors(&id, &[Method::Email], None, &effects(&[7])).await.unwrap());
    assert!(store.revoke(fixture.sessions[0], RevokeReason::Reuse, &effects(&[8]), at(1)).await.unwrap());
    let new = NewPassword { effects: effects(&[9]), ..NewPassword::new(id.clone(), hash_of("new")) };
    assert_eq!(store.set_password(&new, at(1)).await.unwrap(), PasswordUpdate::Done);
    let challenge = code_of(&id, code_id(1), CodePurpose::Login, at(1));
    assert!(store.issue(&challenge, &effects(&[10]), &IssueIf::default()).await.unwrap());
    enqueued(&*store, [11]).await;
    assert_eq!(queued(&*store).await, (1..12).collect::<Vec<_>>());
    assert_eq!(claimed(&*store, 0).await, Some((1, 1)));
    assert_eq!(claimed(&*store, 0).await, Some((2, 1)));

    assert!(store.delete(&id, &Effects::NONE).await.unwrap());

    assert_eq!(queued(&*store).await, [1, 11]);
    assert!(!store.delivered(message_id(2), 1).await.unwrap());
    assert!(store.delete(&other, &Effects::NONE).await.unwrap());
    assert_eq!(queued(&*store).await, [11]);
    stored(&*store, "alice").await;
    assert_eq!(claimed(&*store, 0).await, Some((11, 1)));
}

#[apply(account_case!)]
async fn changes_of_sessions_and_rights_enqueue_their_emails(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    let (id, groups) = (alice.id.clone(), BTreeSet::new());
    let session = session_of(&id, session_id(1), at(0));
    let next = successor_of(&session, at(1));
    assert!(store.start(&session, &alice, None, &effects(&[1])).await.unwrap());
    assert_eq!(store.advance(session.id, session.generation, next, &effects(&[2])).await.unwrap(), Swap::Done);
    assert!(store.revoke(session.id, RevokeReason::Logout, &effects(&[3]), at(2)).await.unwrap());
    assert_eq!(store.revoke_all(&id, None, RevokeReason::LogoutAll, &effects(&[4]), at(3)).await.unwrap(), Some(0));
    assert!(store.set_active(&id, true, &effects(&[5])).await.unwrap(), "it was active already");
    assert!(store.set_staff(&id, true, &effects(&[6])).await.unwrap());
    assert!(store.promote(&id, &effects(&[7]), at(4)).await.unwrap(), "it was staff already");
    assert!(store.set_groups(&id, &groups, &effects(&[8])).await.unwrap(), "it was in no group already");
    assert_eq!(queued(&*store).await, (1..9).collect::<Vec<_>>());
}

#[apply(account_case!)]
async fn changes_that_do_not_take_effect_enqueue_nothing(store: Arc<dyn Store>) {
    let alice = stored(&*store, "alice").await;
    let session = started(&*store, &alice.id, 1).await;
    let (next, groups, unknown_user) =
        (successor_of(&session, at(1)), BTreeSet::new(), stored(&*store, "unknown_user").await);
    assert!(store.delete(&unknown_user.id, &effects(&[1])).await.unwrap(), "the email belongs to the deleted account");
    let another = session_of(&unknown_user.id, session_id(2), at(0));
    assert!(!store.start(&another, &unknown_user, None, &effects(&[2])).await.unwrap());
    let lost = store.advance(session.id, next.generation, next, &effects(&[3])).await.unwrap();
    assert_eq!(lost, Swap::LostRace);
    assert!(!store.revoke(another.id, RevokeReason::Logout, &effects(&[4]), at(1)).await.unwrap());
    let id = unknown_user.id;
    assert_eq!(store.revoke_all(&id, None, RevokeReason::LogoutAll, &effects(&[5]), at(1)).await.unwrap(), None);
    assert!(!store.set_active(&id, true, &effects(&[6])).await.unwrap());
    assert!(!store.set_staff(&id, true, &effects(&[7])).await.unwrap());
    assert!(!store.promote(&id, &effects(&[8]), at(1)).await.unwrap());
    assert!(!store.set_groups(&id, &groups, &effects(&[9])).await.unwrap());
    assert!(!store.delete(&id, &effects(&[10])).await.unwrap());
    assert!(queued(&*store).await.is_empty());
}
