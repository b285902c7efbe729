//! Codes by mail follow the address, so that moves only for whoever could log in (SEC-134).

use auth_core::account::ProfileChange;
use auth_core::second_factor::RequiredFor;
use auth_core::service::{AccountPolicy, Caller, EmailVerification, Shown};

use super::*;

async fn moved(world: &World, shown: Option<&Shown>) -> Result<String, AuthError> {
    let caller = Caller { user: world.stored("alice").await, session: None };
    let change = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
    world.accounts.update_profile(caller, change, shown, &client()).await.map(|updated| updated.user.email)
}

fn policies() -> [TokenPolicy; 3] {
    let with = |email_verification, second_factor| {
        let accounts = AccountPolicy { email_verification, second_factor, ..mailing().accounts };
        TokenPolicy { accounts, ..mailing() }
    };
    [
        with(EmailVerification::Off, RequiredFor::Nobody),
        with(EmailVerification::Optional, RequiredFor::Nobody),
        with(EmailVerification::Off, RequiredFor::All),
    ]
}

#[tokio::test]
async fn takes_password_and_code_where_a_login_does() {
    for policy in policies() {
        let is_required = policy.accounts.second_factor == RequiredFor::All;
        let is_proven = policy.accounts.email_verification != EmailVerification::Off;
        let world = world(policy);
        let user = world.register("alice").await.unwrap();
        if !is_required {
            world.enrol_email("alice").await;
        }
        assert!(matches!(moved(&world, None).await, Err(AuthError::PasswordMissing)));
        let refused = moved(&world, Some(&shown(PASSWORD))).await;
        assert!(matches!(refused, Err(AuthError::ChallengeMissing)), "{refused:?}");
        let challenge = confirmation(&world, &user).await;
        let code = world.mailed_code();
        assert!(is_wrong(&moved(&world, Some(&shown_with(&challenge, &other_than(&code)))).await));
        assert_eq!(world.stored("alice").await.email, "alice@example.com");
        let email = moved(&world, Some(&shown_with(&challenge, &code))).await.unwrap();
        assert_eq!(email, if is_proven { "alice@example.com" } else { "new@example.com" });
    }
}
