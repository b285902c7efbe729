//! Rows that a later release has written, with names that this one does not know. During an update both releases run.

use std::sync::Arc;

use auth_accounts::code::CodePurpose;
use auth_accounts::ports::{Codes, IssueIf, Outbox, OutboxPage, Retry, SecondFactors};
use auth_accounts::second_factor::NewFactor;
use auth_conformance::{at, code_id, code_of, message_id, new_email};
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::user::User;
use auth_diesel::{DieselStore, PoolSettings};
use libtest_mimic::Trial;

use crate::database::{Database, Kind, user_and_session};
use crate::on;

pub(crate) fn trials(kind: Kind) -> Vec<Trial> {
    vec![
        on(kind, "ignores_emails_of_a_later_release", ignores_emails_of_a_later_release),
        on(kind, "ignores_codes_of_a_later_release", ignores_codes_of_a_later_release),
        on(kind, "an_unknown_second_factor_does_not_count_as_none", an_unknown_second_factor_does_not_count_as_none),
    ]
}

async fn ignores_emails_of_a_later_release(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    for number in [1, 2, 3] {
        store.enqueue(&new_email(number)).await.unwrap();
    }
    database.query("UPDATE outbox SET kind = 'invoice' WHERE seq <> 2");
    let claimed = store.claim(at(0), at(60)).await.unwrap().unwrap();
    assert_eq!((claimed.email.id, claimed.attempt), (message_id(2), 1));
    assert_eq!(store.claim(at(0), at(60)).await.unwrap(), None);
    // The limit of a page counts only the emails of known kinds.
    let page = OutboxPage { only_failed: false, after: None, limit: 1 };
    let listed = store.list_outbox(page).await.unwrap();
    assert_eq!(listed.iter().map(|entry| entry.id).collect::<Vec<_>>(), [message_id(2)]);
    assert_eq!(store.list_outbox(OutboxPage { after: Some(message_id(2)), ..page }).await.unwrap(), []);
    assert_eq!(store.list_outbox(OutboxPage { after: Some(message_id(1)), ..page }).await.unwrap(), listed);
    assert_eq!(store.retry(Retry::AllFailed).await.unwrap(), 0);
    let untouched = "SELECT CAST(count(*) AS text) AS value FROM outbox
                     WHERE kind = 'invoice' AND attempts = 0 AND claimed_until IS NULL";
    assert_eq!(database.query(untouched), ["2"]);
}

async fn ignores_codes_of_a_later_release(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let (user, _) = user_and_session(&store).await;
    let code = code_of(&user.id, code_id(1), CodePurpose::Login, at(0));
    assert!(store.issue(&code, &Effects::NONE, &IssueIf::default()).await.unwrap());
    database.query("UPDATE one_time_codes SET purpose = 'passkey_enrolment'");
    assert_eq!(store.find_code(code.id).await.unwrap(), None);
    assert_eq!(store.try_code(code.id, at(1)).await.unwrap(), None);
    assert_eq!(database.query("SELECT CAST(attempts AS text) AS value FROM one_time_codes"), ["0"]);
}

async fn an_unknown_second_factor_does_not_count_as_none(database: Arc<Database>) {
    let store = database.store(PoolSettings::default()).await;
    let (user, _) = user_and_session(&store).await;
    add_email_factor(&store, &user, 1).await;
    database.query("UPDATE second_factors SET method = 'passkey'");
    let answer = store.factors_of(&user.id).await;
    assert!(matches!(answer, Err(StoreError::Broken(_))), "{answer:?}");
    // With a known factor beside it, the unknown one is ignored.
    add_email_factor(&store, &user, 2).await;
    let factors = store.factors_of(&user.id).await.unwrap();
    assert!(factors.email_since.is_some() && factors.totp.is_none(), "{factors:?}");
}

async fn add_email_factor(store: &DieselStore, user: &User, number: u64) {
    let enrolment = code_of(&user.id, code_id(number), CodePurpose::EmailEnrolment, at(0));
    assert!(store.issue(&enrolment, &Effects::NONE, &IssueIf::default()).await.unwrap());
    let added =
        store.add_factor(&user.id, &NewFactor::Email, enrolment.id, &[], &Effects::NONE, at(1).into()).await.unwrap();
    assert_eq!(added, Some(true));
}
