//! One-time codes: issuing, finding, trying and pruning them.

use std::sync::Arc;

use auth_accounts::code::{CodeId, CodePurpose, OneTimeCode};
use auth_accounts::ports::{IssueIf, OwnerAsRead, Store};
use auth_accounts::second_factor::VerifiedFactor;
use auth_core::effects::Effects;
use auth_core::time::{Seconds, UnixTime};
use auth_core::user::UserId;
use macro_rules_attribute::apply;

use super::account_fixture::{AccountFixture, exhaust};
use super::fixture::{code_now, effects, issued, queued, stored, user_now};
use crate::{at, code_id, code_of, mac, new_request};

#[apply(account_case!)]
async fn stores_every_field_of_a_code(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let every_byte: Vec<u8> = (0..=255).cycle().take(1_024).collect();
    let address = b"Alice@Example.com".to_vec();
    for (number, purpose) in (0..).zip(CodePurpose::ALL) {
        let code = code_of(&user, code_id(number), *purpose, at(1));
        for code in [
            OneTimeCode { mac: Some(mac(0xFF)), payload: Some(every_byte.clone()), ..code.clone() },
            OneTimeCode { id: CodeId::from_bytes([number as u8; 16]), payload: Some(address.clone()), ..code.clone() },
            OneTimeCode { id: code_id(100 + number), mac: Some(mac(0)), ..code.clone() },
            OneTimeCode { id: code_id(200 + number), payload: Some(Vec::new()), expires_at: UnixTime::MAX, ..code },
        ] {
            assert!(store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap());
            assert_eq!(store.find_code(code.id).await.unwrap(), Some(code));
        }
    }
    assert_eq!(store.find_code(code_id(999)).await.unwrap(), None);
}

#[apply(account_case!)]
async fn issues_a_code_only_for_an_unchanged_account(store: Arc<dyn Store>) {
    let read = stored(&*store, "alice").await;
    let code = |number| code_of(&read.id, code_id(number), CodePurpose::Login, at(0));
    let only = |change: fn(&mut OwnerAsRead)| {
        let mut only = IssueIf::still(&read);
        change(only.owner.as_mut().unwrap());
        only
    };
    assert!(store.issue(&code(1), &Effects::NONE, &only(|_| ())).await.unwrap());
    for other in [
        only(|owner| owner.email = Some("other@example.com".to_owned())),
        only(|owner| owner.email = owner.email.as_ref().map(|email| email.to_uppercase())),
        only(|owner| owner.security_stamp = owner.security_stamp.next()),
    ] {
        assert!(!store.issue(&code(3), &effects(&[1]), &other).await.unwrap(), "{other:?}");
    }
    assert!(store.set_active(&read.id, false, &Effects::NONE).await.unwrap());
    let inactive = user_now(&*store, &read.id).await;
    assert!(!store.issue(&code(6), &effects(&[1]), &IssueIf::still(&inactive)).await.unwrap());
    for number in [3, 6] {
        assert_eq!(store.find_code(code_id(number)).await.unwrap(), None);
    }
    assert_eq!(queued(&*store).await, [] as [u64; 0]);
}

#[apply(account_case!)]
async fn refuses_to_issue_a_code_for_a_missing_user(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    assert!(store.delete(&user, &Effects::NONE).await.unwrap());
    store.enqueue(&new_request(1)).await.unwrap();
    for unknown_user in [user, UserId::new(i64::MAX)] {
        let code = code_of(&unknown_user, code_id(1), CodePurpose::PasswordReset, at(0));
        for answers in [None, Some(new_request(1).id)] {
            assert!(!store.issue(&code, &effects(&[2]), &IssueIf { answers, ..IssueIf::default() }).await.unwrap());
        }
        assert_eq!(store.find_code(code.id).await.unwrap(), None);
    }
    assert_eq!(queued(&*store).await, [1]);
}

#[apply(account_case!)]
async fn a_new_code_ends_older_ones_of_its_purpose_and_account(store: Arc<dyn Store>) {
    let (alice, bob) = (stored(&*store, "alice").await.id, stored(&*store, "bob").await.id);
    for (place, purpose) in (0_u64..).zip(CodePurpose::ALL) {
        let numbered = |number| 10 * place + number;
        let other_purpose = CodePurpose::ALL[(place as usize + 1) % CodePurpose::ALL.len()];
        let used = issued(&*store, &alice, numbered(1), *purpose).await;
        assert!(store.redeem(used.id, VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
        let older = issued(&*store, &alice, numbered(2), *purpose).await;
        let others = [
            issued(&*store, &alice, numbered(3), other_purpose).await,
            issued(&*store, &bob, numbered(4), *purpose).await,
        ];

        let newer = code_of(&alice, code_id(numbered(5)), *purpose, at(9));
        assert!(store.issue(&newer, &Effects::NONE, &IssueIf::default()).await.unwrap());

        let ended_at = purpose.ends_older().then_some(at(9));
        assert_eq!(code_now(&*store, older.id).await, OneTimeCode { consumed_at: ended_at, ..older });
        assert_eq!(code_now(&*store, used.id).await.consumed_at, Some(at(1)), "{purpose:?}");
        for untouched in others.into_iter().chain([newer]) {
            assert_eq!(code_now(&*store, untouched.id).await, untouched, "{purpose:?}");
        }
        // Uses the remaining open code, so that none is left for the next purpose.
        assert!(store.redeem(code_id(numbered(3)), VerifiedFactor::Email, &Effects::NONE, at(9)).await.unwrap());
    }
}

#[apply(account_case!)]
async fn issuing_a_code_removes_the_request_that_it_answers(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for number in [1, 2, 3] {
        store.enqueue(&new_request(number)).await.unwrap();
    }
    assert!(store.claim(at(0), at(60)).await.unwrap().is_some());
    for (number, left) in [(2, vec![1, 3, 12]), (1, vec![3, 12, 11])] {
        let code = code_of(&user, code_id(number), CodePurpose::PasswordReset, at(0));
        assert!(
            store
                .issue(
                    &code,
                    &effects(&[10 + number]),
                    &IssueIf { answers: Some(new_request(number).id), ..IssueIf::default() }
                )
                .await
                .unwrap()
        );
        assert_eq!(queued(&*store).await, left);
    }
    assert!(!store.delivered(new_request(1).id, 1).await.unwrap(), "the request was removed");
}

#[apply(account_case!)]
async fn issues_an_answer_only_while_the_request_exists(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    store.enqueue(&new_request(1)).await.unwrap();
    let first = code_of(&user, code_id(1), CodePurpose::EmailVerification, at(0));
    assert!(
        store
            .issue(&first, &Effects::NONE, &IssueIf { answers: Some(new_request(1).id), ..IssueIf::default() })
            .await
            .unwrap()
    );
    for gone in [new_request(1).id, new_request(2).id] {
        let second = code_of(&user, code_id(2), CodePurpose::EmailVerification, at(1));
        assert!(
            !store
                .issue(&second, &effects(&[3]), &IssueIf { answers: Some(gone), ..IssueIf::default() })
                .await
                .unwrap()
        );
        assert_eq!(store.find_code(second.id).await.unwrap(), None);
        assert_eq!(code_now(&*store, first.id).await, first, "the older code is still open");
        assert!(queued(&*store).await.is_empty());
    }
}

#[apply(account_case!)]
async fn refuses_to_issue_a_code_while_a_recent_one_is_open(store: Arc<dyn Store>) {
    let (alice, bob) = (stored(&*store, "alice").await.id, stored(&*store, "bob").await.id);
    let purpose = CodePurpose::PasswordReset;
    let code = |user, number, seconds| code_of(user, code_id(number), purpose, at(seconds));
    let none_since = |seconds| IssueIf { none_since: Some(at(seconds)), ..IssueIf::default() };
    assert!(store.issue(&code(&alice, 1, 0), &Effects::NONE, &none_since(-300)).await.unwrap());
    for since in [-300, -1] {
        store.enqueue(&new_request(9)).await.unwrap();
        let only = IssueIf { answers: Some(new_request(9).id), ..none_since(since) };
        assert!(!store.issue(&code(&alice, 2, 10), &effects(&[1]), &only).await.unwrap(), "{since}");
        assert_eq!(queued(&*store).await, [9], "the request is still in the outbox");
        assert!(store.claim(at(0), at(60)).await.unwrap().is_some());
        assert!(store.delivered(new_request(9).id, 1).await.unwrap());
    }
    assert_eq!(store.find_code(code_id(2)).await.unwrap(), None);
    // Open codes of another account or purpose, or issued earlier, do not matter.
    assert!(store.issue(&code(&bob, 3, 10), &Effects::NONE, &none_since(-300)).await.unwrap());
    let other = code_of(&alice, code_id(4), CodePurpose::EmailVerification, at(10));
    assert!(store.issue(&other, &Effects::NONE, &none_since(-300)).await.unwrap());
    assert!(store.issue(&code(&alice, 5, 300), &Effects::NONE, &none_since(0)).await.unwrap());
    assert_eq!(code_now(&*store, code_id(1)).await.consumed_at, None, "both codes stay open");
    // A used or expired code is not open.
    assert!(!store.issue(&code(&bob, 6, 11), &Effects::NONE, &none_since(-300)).await.unwrap());
    assert!(store.redeem(code_id(3), VerifiedFactor::Email, &Effects::NONE, at(12)).await.unwrap());
    assert!(store.issue(&code(&bob, 7, 12), &Effects::NONE, &none_since(-300)).await.unwrap());
    let end = 12 + i64::try_from(purpose.ttl().get()).unwrap();
    assert!(!store.issue(&code(&bob, 8, end - 1), &Effects::NONE, &none_since(-300)).await.unwrap());
    assert!(store.issue(&code(&bob, 9, end), &Effects::NONE, &none_since(-300)).await.unwrap());
}

#[apply(account_case!)]
async fn a_code_allows_a_limited_number_of_attempts(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let (code, other) =
        (issued(&*store, &user, 1, CodePurpose::Login).await, issued(&*store, &user, 2, CodePurpose::Login).await);
    for attempts in 1..=OneTimeCode::MAX_ATTEMPTS {
        let counted = OneTimeCode { attempts, ..code.clone() };
        assert_eq!(store.try_code(code.id, at(1)).await.unwrap(), Some(counted.clone()));
        assert_eq!(code_now(&*store, code.id).await, counted);
    }
    for _ in 0..3 {
        assert_eq!(store.try_code(code.id, at(1)).await.unwrap(), None);
    }
    assert_eq!(code_now(&*store, code.id).await.attempts, OneTimeCode::MAX_ATTEMPTS);
    assert_eq!(code_now(&*store, other.id).await, other);
}

#[apply(account_case!)]
async fn a_code_can_be_tried_only_during_its_lifetime(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let made_at = at(1_000);
    let code = code_of(&user, code_id(1), CodePurpose::Login, made_at);
    assert!(store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap());
    let (skew, second) = (OneTimeCode::MAX_SKEW, Seconds::new(1));
    let mut attempts = 0;
    for (now, is_open) in [
        (code.expires_at, false),
        (UnixTime::MAX, false),
        (code.expires_at.minus(second), true),
        (made_at.minus(skew), true),
        (made_at.minus(skew).minus(second), false),
        (at(-1_000_000), false),
        (made_at, true),
    ] {
        attempts += u32::from(is_open);
        assert_eq!(store.try_code(code.id, now).await.unwrap().is_some(), is_open, "{now:?}");
        assert_eq!(code_now(&*store, code.id).await, OneTimeCode { attempts, ..code.clone() }, "{now:?}");
    }
}

#[apply(account_case!)]
async fn a_used_or_ended_code_cannot_be_tried(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let used = issued(&*store, &user, 1, CodePurpose::Login).await;
    assert!(store.redeem(used.id, VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
    let ended = issued(&*store, &user, 2, CodePurpose::TotpEnrolment).await;
    issued(&*store, &user, 3, CodePurpose::TotpEnrolment).await;
    for id in [used.id, ended.id, code_id(4)] {
        assert_eq!(store.try_code(id, at(2)).await.unwrap(), None);
    }
    for id in [used.id, ended.id] {
        assert_eq!(code_now(&*store, id).await.attempts, 0);
    }
}

#[apply(account_case!)]
async fn prunes_only_expired_codes(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for (number, expires_at) in [(1, 101), (2, 99), (3, 100), (4, 98), (5, 101), (6, 101)] {
        let code =
            OneTimeCode { expires_at: at(expires_at), ..code_of(&user, code_id(number), CodePurpose::Login, at(0)) };
        assert!(store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap());
    }
    // A code that was used, ended or exhausted has not expired.
    assert!(store.redeem(code_id(4), VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
    assert!(store.redeem(code_id(5), VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
    exhaust(&*store, code_id(6), at(1)).await;
    assert_eq!(store.prune_codes(at(100), 10).await.unwrap(), 2);
    for (number, is_left) in [(1, true), (2, false), (3, true), (4, false), (5, true), (6, true)] {
        assert_eq!(store.find_code(code_id(number)).await.unwrap().is_some(), is_left, "code {number}");
    }
    assert_eq!(store.prune_codes(at(100), 10).await.unwrap(), 0);
}

#[apply(account_case!)]
async fn prunes_no_more_codes_than_the_limit(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for number in 0..7 {
        issued(&*store, &user, number, CodePurpose::Login).await;
    }
    for (limit, expected, left) in [(0, 0, 7), (3, 3, 4), (3, 3, 1), (u32::MAX, 1, 0), (3, 0, 0)] {
        assert_eq!(store.prune_codes(at(10_000_000), limit).await.unwrap(), expected);
        let mut found = 0;
        for number in 0..7 {
            found += usize::from(store.find_code(code_id(number)).await.unwrap().is_some());
        }
        assert_eq!(found, left);
    }
}

#[apply(account_case!)]
async fn a_new_challenge_beyond_the_limit_ends_the_oldest(store: Arc<dyn Store>) {
    let (alice, bob) = (stored(&*store, "alice").await.id, stored(&*store, "bob").await.id);
    let others = [
        issued(&*store, &bob, 1_000, CodePurpose::Login).await,
        issued(&*store, &alice, 1_001, CodePurpose::PasswordReset).await,
    ];
    let confirmation = code_of(&alice, code_id(1_002), CodePurpose::Confirmation, at(-5));
    assert!(store.issue(&confirmation, &Effects::NONE, &IssueIf::default()).await.unwrap());
    let most = OneTimeCode::MAX_OPEN as u64;
    for number in 0..most + 5 {
        let purpose = if number % 2 == 0 { CodePurpose::Login } else { CodePurpose::SlidingLogin };
        let code = code_of(&alice, code_id(number), purpose, at(number as i64));
        assert!(store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap());
        let mut open = Vec::new();
        for number in 0..=number {
            if code_now(&*store, code_id(number)).await.consumed_at.is_none() {
                open.push(number);
            }
        }
        assert!(open.into_iter().eq((number + 1).saturating_sub(most)..=number), "after {number}");
    }
    assert_eq!(code_now(&*store, code_id(0)).await.consumed_at, Some(at(most as i64)));
    for untouched in others.into_iter().chain([confirmation]) {
        assert_eq!(code_now(&*store, untouched.id).await, untouched);
    }
}

#[apply(account_case!)]
async fn prunes_expired_challenges_but_not_links(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for (number, purpose) in (0..).zip(CodePurpose::ALL) {
        let code = OneTimeCode { expires_at: at(100), ..code_of(&user, code_id(number), *purpose, at(0)) };
        assert!(store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap());
    }
    assert!(store.redeem(code_id(3), VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
    assert_eq!(store.prune_challenges(at(100), 10).await.unwrap(), 0);
    assert_eq!(store.prune_challenges(at(101), 2).await.unwrap(), 2);
    assert_eq!(store.prune_challenges(at(101), 10).await.unwrap(), CodePurpose::OF_SECOND_FACTORS.len() - 2);
    for (number, purpose) in (0..).zip(CodePurpose::ALL) {
        let is_left = store.find_code(code_id(number)).await.unwrap().is_some();
        assert_eq!(is_left, !CodePurpose::OF_SECOND_FACTORS.contains(purpose), "{purpose:?}");
    }
}

/// Reactivating the account does not open them again.
#[apply(account_case!)]
async fn deactivation_ends_every_open_code(store: Arc<dyn Store>) {
    let fixture = AccountFixture::of(&*store, "alice").await;
    let spared = AccountFixture::of(&*store, "other").await;
    assert!(store.set_active(&fixture.id, true, &Effects::NONE).await.unwrap());
    assert_eq!(fixture.state().await.open(), CodePurpose::ALL);
    for active in [false, true] {
        assert!(store.set_active(&fixture.id, active, &Effects::NONE).await.unwrap());
        assert_eq!(fixture.state().await.open(), []);
    }
    assert_eq!(spared.state().await.open(), CodePurpose::ALL);
}
