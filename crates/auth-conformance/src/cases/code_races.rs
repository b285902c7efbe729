//! One-time codes and second factors: concurrent calls.

use auth_core::effects::Effects;
use std::collections::BTreeSet;
use std::sync::Arc;

use auth_accounts::code::{CodePurpose, OneTimeCode};
use auth_accounts::ports::{IssueIf, NewPassword, PasswordUpdate, Store};
use auth_accounts::second_factor::{Factors, Method, NewFactor, VerifiedFactor};
use macro_rules_attribute::apply;

use super::concurrency::{Gate, ROUNDS, answers, count};
use super::fixture::{code_now, effects, enrolled, issued, queued, stored, totp};
use crate::{at, code_id, code_of, hash_of, mac, message_id, new_request};

#[apply(account_case!)]
async fn concurrent_attempts_do_not_exceed_the_limit_of_a_code(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let code = issued(&*store, &user, round, CodePurpose::Login).await.id;
        let gate = Gate::of(8, round, &store);
        let tries = (0..8).map(|_| gate.send(move |store| async move { store.try_code(code, at(1)).await.unwrap() }));
        let answered: Vec<_> = answers(tries.collect()).await.into_iter().flatten().collect();
        assert_eq!(answered.len(), OneTimeCode::MAX_ATTEMPTS as usize);
        let counts: BTreeSet<_> = answered.iter().map(|code| code.attempts).collect();
        assert!(counts.into_iter().eq(1..=OneTimeCode::MAX_ATTEMPTS), "each call counts a different attempt");
        assert_eq!(code_now(&*store, code).await.attempts, OneTimeCode::MAX_ATTEMPTS);
    }
}

#[apply(account_case!)]
async fn one_of_many_redemptions_of_a_code_succeeds(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        let code = issued(&*store, &user, round, CodePurpose::Login).await.id;
        let gate = Gate::of(6, round, &store);
        let rivals = (0..6).map(|rival| {
            let effects = effects(&[6 * round + rival]);
            gate.send(
                move |store| async move { store.redeem(code, VerifiedFactor::Email, &effects, at(1)).await.unwrap() },
            )
        });
        let rivals = answers(rivals.collect()).await;
        assert_eq!(count(&rivals, |won| *won), 1);
        let winner = (0..).zip(&rivals).find(|(_, won)| **won).map(|(rival, _)| 6 * round + rival).unwrap();
        assert_eq!(queued(&*store).await.last(), Some(&winner));
    }
    assert_eq!(queued(&*store).await.len() as u64, ROUNDS);
}

/// Redeems each of these codes concurrently with the same factor. One is redeemed; the others are unchanged.
async fn assert_redeems_one(store: &Arc<dyn Store>, round: u64, codes: Vec<OneTimeCode>, factor: VerifiedFactor) {
    let gate = Gate::of(codes.len(), round, store);
    let rivals = codes.iter().map(|code| code.id);
    let rivals = rivals.map(|id| {
        gate.send(move |store| async move { store.redeem(id, factor, &Effects::NONE, at(1)).await.unwrap() })
    });
    let rivals = answers(rivals.collect()).await;
    assert_eq!(count(&rivals, |won| *won), 1, "{factor:?}");
    for (code, won) in codes.into_iter().zip(rivals) {
        assert_eq!(code_now(&**store, code.id).await.consumed_at.is_some(), won);
    }
}

#[apply(account_case!)]
async fn a_recovery_code_or_time_step_redeems_one_of_many_codes(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let recovery_codes: Vec<_> = (0..ROUNDS as u8).map(mac).collect();
    enrolled(&*store, &user, &totp(100), &recovery_codes).await;
    for round in 0..ROUNDS {
        for (half, factor) in
            [(0, VerifiedFactor::RecoveryCode(mac(round as u8))), (1, VerifiedFactor::Totp(101 + round))]
        {
            let mut codes = Vec::new();
            for number in 0..5 {
                codes.push(issued(&*store, &user, 10 * round + 5 * half + number, CodePurpose::Login).await);
            }
            assert_redeems_one(&store, round, codes, factor).await;
        }
    }
    assert_eq!(store.factors_of(&user).await.unwrap().recovery_codes, []);
}

#[apply(account_case!)]
async fn one_of_many_codes_that_end_each_other_stays_open(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await.id;
        let gate = Gate::of(6, round, &store);
        let rivals = (0..6).map(|rival| {
            let code = code_of(&user, code_id(6 * round + rival), CodePurpose::EmailVerification, at(0));
            gate.send(
                move |store| async move { store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap() },
            )
        });
        assert_eq!(count(&answers(rivals.collect()).await, |issued| *issued), 6);
        let mut left = 0;
        for rival in 0..6 {
            left += usize::from(code_now(&*store, code_id(6 * round + rival)).await.consumed_at.is_none());
        }
        assert_eq!(left, 1);
    }
}

#[apply(account_case!)]
async fn one_of_many_codes_within_the_minimum_interval_is_issued(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await.id;
        let gate = Gate::of(6, round, &store);
        let rivals = (0..6).map(|rival| {
            let code = code_of(&user, code_id(6 * round + rival), CodePurpose::PasswordReset, at(0));
            let only = IssueIf { none_since: Some(at(-300)), ..IssueIf::default() };
            gate.send(move |store| async move { store.issue(&code, &Effects::NONE, &only).await.unwrap() })
        });
        assert_eq!(count(&answers(rivals.collect()).await, |issued| *issued), 1);
    }
}

#[apply(account_case!)]
async fn one_of_many_codes_answers_a_request(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        store.enqueue(&new_request(0)).await.unwrap();
        let gate = Gate::of(4, round, &store);
        let rivals = (0..4).map(|rival| {
            let (code, effects) = (code_id(4 * round + rival), effects(&[1 + 4 * round + rival]));
            let code = code_of(&user, code, CodePurpose::PasswordReset, at(0));
            gate.send(move |store| async move {
                store
                    .issue(&code, &effects, &IssueIf { answers: Some(message_id(0)), ..IssueIf::default() })
                    .await
                    .unwrap()
            })
        });
        let rivals = answers(rivals.collect()).await;
        assert_eq!(count(&rivals, |issued| *issued), 1);
        for (rival, issued) in (0..4).zip(rivals) {
            assert_eq!(store.find_code(code_id(4 * round + rival)).await.unwrap().is_some(), issued);
        }
    }
    assert_eq!(queued(&*store).await.len() as u64, ROUNDS);
}

#[apply(account_case!)]
async fn no_code_outlives_its_account(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await.id;
        let gate = Gate::of(4, round, &store);
        let issues = (0..3).map(|number| {
            let code = code_of(&user, code_id(3 * round + number), CodePurpose::Login, at(0));
            let effects = effects(&[3 * round + number]);
            gate.send(move |store| async move { store.issue(&code, &effects, &IssueIf::default()).await.unwrap() })
        });
        let issues = issues.collect();
        let deletion = gate.send(move |store| async move { store.delete(&user, &Effects::NONE).await.unwrap() });
        answers(issues).await;
        assert!(deletion.await.unwrap());
        for number in 0..3 {
            assert_eq!(store.find_code(code_id(3 * round + number)).await.unwrap(), None);
        }
        assert!(queued(&*store).await.is_empty());
    }
}

/// A code can be used only once, by any of the calls that use codes.
#[apply(account_case!)]
async fn a_code_is_used_for_only_one_call(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await.id;
        let code = issued(&*store, &user, round, CodePurpose::Login).await.id;
        let gate = Gate::of(4, round, &store);
        let new = NewPassword { code: Some(code), ..NewPassword::new(user.clone(), hash_of("new")) };
        let uses = vec![
            gate.send(async move |s| s.redeem(code, VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap()),
            gate.send(async move |s| s.set_password(&new, at(1)).await.unwrap() == PasswordUpdate::Done),
            gate.send_for(&user, async move |s, user| {
                s.add_factor(&user, &NewFactor::Email, code, &[], &Effects::NONE, at(1).into()).await.unwrap().is_some()
            }),
            gate.send_for(&user, async move |s, user| {
                s.add_factor(&user, &totp(1), code, &[], &Effects::NONE, at(1).into()).await.unwrap().is_some()
            }),
        ];
        assert_eq!(count(&answers(uses).await, |used| *used), 1);
    }
}

/// The first confirmation ends the other enrolments.
#[apply(account_case!)]
async fn one_of_many_enrolments_is_confirmed(store: Arc<dyn Store>) {
    for round in 0..ROUNDS {
        let user = stored(&*store, &format!("user{round}")).await.id;
        let mut codes = Vec::new();
        for number in 0..4 {
            codes.push(issued(&*store, &user, 4 * round + number, CodePurpose::Login).await.id);
        }
        let gate = Gate::of(4, round, &store);
        let enrolments = (0..).zip(codes).map(|(number, code)| {
            let factor = if number % 2 == 0 { NewFactor::Email } else { totp(1) };
            gate.send_for(&user, async move |s, user| {
                s.add_factor(&user, &factor, code, &[mac(number)], &Effects::NONE, at(1).into()).await.unwrap()
            })
        });
        let enrolments = answers(enrolments.collect()).await;
        assert_eq!(count(&enrolments, |taken| *taken == Some(true)), 1);
        assert_eq!(count(&enrolments, Option::is_none), 3);
        let winner = enrolments.iter().position(|taken| *taken == Some(true)).unwrap();
        assert_eq!(store.factors_of(&user).await.unwrap().recovery_codes, [mac(winner as u8)]);
    }
}

/// Each call may have read the other's factor as present, but one of them removes the last factor.
#[apply(account_case!)]
async fn no_recovery_code_outlives_the_last_factor(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    for round in 0..ROUNDS {
        for (number, factor) in [(0, NewFactor::Email), (1, totp(1))] {
            let code = issued(&*store, &user, 2 * round + number, CodePurpose::Login).await.id;
            let codes = [mac(1), mac(2)];
            assert!(
                store.add_factor(&user, &factor, code, &codes, &Effects::NONE, at(1).into()).await.unwrap().is_some()
            );
        }
        let gate = Gate::of(3, round, &store);
        let removals = [Method::Email, Method::Totp].map(|method| {
            gate.send_for(&user, async move |s, user| {
                s.remove_factors(&user, &[method], None, &Effects::NONE).await.unwrap()
            })
        });
        let replacement = gate.send_for(&user, async move |s, user| {
            s.replace_recovery_codes(&user, &[mac(3), mac(4)], None, &Effects::NONE).await.unwrap()
        });
        assert_eq!(count(&answers(removals.into()).await, |removed| *removed), 2);
        replacement.await.unwrap();
        assert_eq!(store.factors_of(&user).await.unwrap(), Factors::default());
    }
}
