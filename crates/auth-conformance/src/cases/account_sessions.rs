//! Sessions: what revokes or refuses them in a store of accounts, beyond the token half.

use std::sync::Arc;

use auth_accounts::code::CodePurpose;
use auth_accounts::ports::Store;
use auth_accounts::second_factor::Method;
use auth_core::effects::Effects;
use auth_core::ports::{Adoption, TokenStore};
use auth_core::time::UnixTime;
use auth_core::token::{RevokeReason, Session};
use macro_rules_attribute::apply;

use super::fixture::{effects, issued, jti_of, password_set, queued, session_now, started, stored, totp, user_now};
use crate::{at, session_id, session_of};

async fn adopted(store: &dyn TokenStore, session: &Session, issued_at: Option<UnixTime>) -> Adoption {
    store.adopt(session, &jti_of(session), issued_at).await.unwrap()
}

#[apply(account_case!)]
async fn revoking_a_reused_session_enqueues_its_emails_once(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let (session, other) = (started(&*store, &user.id, 1).await, started(&*store, &user.id, 2).await);
    assert!(store.revoke(session.id, RevokeReason::Reuse, &effects(&[1, 2]), at(5)).await.unwrap());
    assert!(!store.revoke(session.id, RevokeReason::Reuse, &effects(&[3]), at(6)).await.unwrap());
    assert!(!store.revoke(session_id(3), RevokeReason::Reuse, &effects(&[4]), at(6)).await.unwrap());
    assert!(!store.revoke(session.id, RevokeReason::Logout, &Effects::NONE, at(6)).await.unwrap());
    assert!(store.revoke(other.id, RevokeReason::Logout, &Effects::NONE, at(6)).await.unwrap());
    assert!(!store.revoke(other.id, RevokeReason::Reuse, &effects(&[5]), at(7)).await.unwrap());
    let expected = Session { revoked_at: Some(at(5)), revoke_reason: Some(RevokeReason::Reuse), ..session };
    assert_eq!(session_now(&*store, expected.id).await, expected);
    assert_eq!(session_now(&*store, other.id).await.revoke_reason, Some(RevokeReason::Logout));
    assert_eq!(queued(&*store).await, [1, 2]);
    assert_eq!(user_now(&*store, &user.id).await, user);
}

/// A login that read the old epoch must not start a session.
#[apply(account_case!)]
async fn a_new_password_advances_the_epoch_within_one_second(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    store.revoke_all(&user.id, None, RevokeReason::LogoutAll, &Effects::NONE, at(200)).await.unwrap();
    password_set(&*store, &user.id, "other", at(200)).await;
    assert_eq!(user_now(&*store, &user.id).await.token_epoch, at(201));
}

#[apply(account_case!)]
async fn no_session_starts_for_a_user_read_before_a_password_change(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let session = session_of(&user.id, session_id(1), at(0));
    password_set(&*store, &user.id, "new", at(1)).await;
    let before = user_now(&*store, &user.id).await;
    assert!(!store.start(&session, &user, Some(at(2).into()), &Effects::NONE).await.unwrap());
    assert_eq!(store.find_session(session.id).await.unwrap(), None);
    assert_eq!(user_now(&*store, &user.id).await, before);
    assert!(store.start(&session, &before, None, &Effects::NONE).await.unwrap());
}

#[apply(account_case!)]
async fn a_session_is_found_with_its_user_after_a_password_change(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    let id = started(&*store, &user.id, 1).await.id;
    password_set(&*store, &user.id, "new", at(1)).await;
    let found = store.find_session(id).await.unwrap().unwrap().user;
    assert_eq!(found, user_now(&*store, &user.id).await);
}

#[apply(account_case!)]
async fn refuses_to_adopt_a_token_from_before_a_password_change(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await;
    password_set(&*store, &user.id, "new", at(10)).await;
    let session = session_of(&user.id, session_id(1), at(0));
    for (issued_at, expected) in
        [(None, Adoption::Refused), (Some(at(10)), Adoption::Refused), (Some(at(11)), Adoption::Present)]
    {
        assert_eq!(adopted(&*store, &session, issued_at).await, expected, "{issued_at:?}");
    }
}

/// The issuer did not require the second factor.
#[apply(account_case!)]
async fn refuses_to_adopt_a_token_issued_since_the_first_second_factor(store: Arc<dyn Store>) {
    let user = stored(&*store, "alice").await.id;
    let adopts = async |number, issued_at| {
        let session = session_of(&user, session_id(number), at(0));
        adopted(&*store, &session, Some(at(issued_at))).await
    };
    let code = issued(&*store, &user, 1, CodePurpose::TotpEnrolment).await.id;
    assert!(store.add_factor(&user, &totp(1), code, &[], &Effects::NONE, at(100).into()).await.unwrap().is_some());
    assert_eq!(adopts(1, 101).await, Adoption::Refused);
    assert!(store.remove_factors(&user, &[Method::Totp], None, &Effects::NONE).await.unwrap());
    assert_eq!(adopts(1, 101).await, Adoption::Present, "the account has no second factor any more");
    let code = issued(&*store, &user, 2, CodePurpose::TotpEnrolment).await.id;
    assert!(store.add_factor(&user, &totp(1), code, &[], &Effects::NONE, at(1_000).into()).await.unwrap().is_some());
    assert_eq!(adopts(2, 101).await, Adoption::Refused, "the account had a second factor before");
    assert_eq!(adopts(2, 39).await, Adoption::Present);
}
