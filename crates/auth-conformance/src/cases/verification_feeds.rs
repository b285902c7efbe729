//! Invalidation feeds: verified email addresses, and sessions that a new password keeps.

use auth_accounts::code::CodePurpose;
use auth_accounts::ports::{EmailUpdate, IssueIf, NewPassword, PasswordUpdate, VerifiedEmail};
use auth_accounts::second_factor::{NewFactor, VerifiedFactor};
use auth_core::effects::Effects;
use auth_core::ports::KeptSession;
use auth_core::token::RevokeReason;
use macro_rules_attribute::apply;

use super::feed_fixture::FeedFixture;
use super::feeds::{all, changed, ended};
use super::fixture::{started, stored};
use crate::{at, code_id, code_of, email, hash_of, successor_of};

/// The auth cache holds whether the email address is verified.
#[apply(feed_case!)]
async fn reports_a_verified_email_address(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    let codes: [_; 4] = std::array::from_fn(|number| code_id(number as u64));
    for id in codes {
        assert!(
            store
                .issue(&code_of(&user.id, id, CodePurpose::Login, at(0)), &Effects::NONE, &IssueIf::default())
                .await
                .unwrap()
        );
    }
    assert!(store.try_code(codes[0], at(1)).await.unwrap().is_some());
    assert!(store.redeem(codes[0], VerifiedFactor::Email, &Effects::NONE, at(1)).await.unwrap());
    assert_eq!(followers.reports(&*store).await, [], "using a code is not reported");
    let (user_id, code, effects) = (user.id.clone(), codes[1], Effects::NONE);
    let proof = VerifiedEmail {
        user: user_id,
        code,
        email: email("alice@example.com"),
        is_change: false,
        only_at: None,
        effects,
    };
    assert!(matches!(store.confirm_email(&proof, at(1).into()).await.unwrap(), EmailUpdate::Done(_)));
    assert_eq!(followers.reports(&*store).await, [changed(&user)]);
    assert_eq!(store.confirm_email(&proof, at(2).into()).await.unwrap(), EmailUpdate::Overtaken);
    assert_eq!(followers.reports(&*store).await, []);
    let proof = VerifiedEmail { code: codes[2], email: email("new@example.com"), is_change: true, ..proof };
    assert!(matches!(store.confirm_email(&proof, at(3).into()).await.unwrap(), EmailUpdate::Done(_)));
    assert_eq!(followers.reports(&*store).await, [changed(&user)]);
    let other = stored(&*store, "other").await;
    assert!(
        store
            .issue(&code_of(&other.id, code_id(9), CodePurpose::Login, at(0)), &Effects::NONE, &IssueIf::default())
            .await
            .unwrap()
    );
    let now = at(4).into();
    assert!(
        store.add_factor(&other.id, &NewFactor::Email, code_id(9), &[], &Effects::NONE, now).await.unwrap().is_some()
    );
    // The factor and the email address: reported once or twice.
    assert_eq!(followers.reported(&*store).await, all([changed(&other)]));
}

#[apply(feed_case!)]
async fn does_not_report_a_session_kept_by_a_new_password(fixture: FeedFixture) {
    let (store, _, mut followers) = fixture.begin().await;
    let user = stored(&*store, "alice").await;
    let kept = started(&*store, &user.id, 1).await;
    started(&*store, &user.id, 2).await;
    let keep = KeptSession { id: kept.id, from: kept.generation, next: successor_of(&kept, at(1)) };
    let new = NewPassword { keep: Some(keep), ..NewPassword::new(user.id.clone(), hash_of("new")) };
    assert_eq!(store.set_password(&new, at(1)).await.unwrap(), PasswordUpdate::Done);
    assert_eq!(followers.reported(&*store).await, all([ended(2), changed(&user)]));
    assert_eq!(store.set_password(&new, at(2)).await.unwrap(), PasswordUpdate::Overtaken);
    assert!(store.revoke(kept.id, RevokeReason::Reuse, &Effects::default(), at(3)).await.unwrap());
    assert_eq!(followers.reports(&*store).await, [ended(1)]);
}
