//! Enrolment of a second factor.

use auth_core::service::Caller;

use super::*;

#[tokio::test]
async fn by_email_is_completed_by_the_code_in_the_email() {
    let service = service(mailing());
    let user = service.register("alice").await;
    service.events.taken();
    let enrolment = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
    let code = service.emailed_code();
    assert!(service.login("alice").await.access.expose().len() > 1, "codes by email are not on yet");
    let challenge = enrolment_challenge(&enrolment);
    let wrong = service.second_factors.confirm(&user, challenge, &other_than(&code), &client()).await;
    assert!(is_wrong(&wrong), "{wrong:?}");
    let confirmed = service.second_factors.confirm(&user, challenge, &code, &client()).await.unwrap();
    assert_eq!(confirmed.method, Method::Email);
    assert_eq!(confirmed.recovery_codes.map(|codes| codes.len()), Some(10));
    let status = service.second_factors.status(&user).await.unwrap();
    assert!(status.factors.has(Method::Email) && status.factors.has(Method::RecoveryCode) && !status.is_required);
    assert!(
        service.user("alice").await.email_verified_at.is_some(),
        "the code in the email verifies the email address"
    );
    assert_eq!(service.second_factor_challenge("alice").await.methods, [Method::Email, Method::RecoveryCode]);
    let again = service.second_factors.confirm(&user, challenge, &code, &client()).await;
    assert!(is_invalid(&again), "once: {again:?}");
    let emails = service.deliver_emails().await;
    let notices: Vec<_> = emails.iter().filter(|email| email.kind == EmailKind::SecondFactorAdded).collect();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].content.get(Fact::Method), Some("email"));
}

#[tokio::test]
async fn of_an_authenticator_is_completed_by_its_first_code() {
    let service = service(policy());
    let user = service.register("alice").await;
    let enrolment = service.second_factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
    let Enrolment::Totp { challenge, secret, uri } = &enrolment else { panic!("an authenticator") };
    assert_eq!(secret.expose().len(), 20, "160 bits");
    assert!(uri.starts_with("otpauth://totp/auth:alice?secret="), "{uri}");
    assert!(!format!("{secret:?} {challenge:?}").contains(&secret.expose_base32()));
    for text in [&*service.totp_code(secret, 2), &*service.totp_code(secret, -2), "", "abc", "1234567"] {
        let wrong = service.second_factors.confirm(&user, challenge.expose(), text, &client()).await;
        assert!(is_wrong(&wrong), "{text}: {wrong:?}");
    }
    let late =
        service.second_factors.confirm(&user, challenge.expose(), &service.totp_code(secret, 0), &client()).await;
    assert!(is_invalid(&late), "no attempts left: {late:?}");

    let (secret, codes) = service.enrol_totp("alice").await;
    assert_eq!(codes.len(), Factors::RECOVERY_CODES);
    let challenge = service.second_factor_challenge("alice").await;
    assert_eq!(challenge.methods, [Method::Totp, Method::RecoveryCode]);
    let again = answer(&service, &challenge, &service.totp_code(&secret, 0)).await;
    assert!(is_wrong(&again), "the code that completed the enrolment is used: {again:?}");
}

#[tokio::test]
async fn requires_the_password() {
    let service = service(mailing());
    let user = service.register("alice").await;
    for method in [Method::Email, Method::Totp] {
        let refused = service.second_factors.enrol(&user, method, shown("Wrong-horse-42")).await;
        assert!(matches!(refused, Err(AccountError::WrongPassword)), "{refused:?}");
    }
    assert_eq!((service.store.codes(), service.enqueued()), (vec![], vec![]));
}

#[tokio::test]
async fn is_refused_for_unavailable_methods() {
    let service = service(policy()); // No emails are sent.
    let user = service.register("alice").await;
    for method in [Method::Email, Method::RecoveryCode] {
        let refused = service.second_factors.enrol(&user, method, shown(PASSWORD)).await;
        assert!(matches!(refused, Err(AccountError::MethodUnavailable)), "{method:?}: {refused:?}");
    }
}

#[tokio::test]
async fn of_another_factor_requires_a_code_and_keeps_the_recovery_codes() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    service.next_totp_step();
    let missing = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await;
    assert!(matches!(missing, Err(AccountError::ChallengeMissing)), "{missing:?}");
    let challenge = confirmation(&service, &user).await;
    let code = service.totp_code(&secret, 0);
    let wrong = service.second_factors.enrol(&user, Method::Email, shown_with(&challenge, &other_than(&code))).await;
    assert!(is_wrong(&wrong), "{wrong:?}");
    let enrolment = service.second_factors.enrol(&user, Method::Email, shown_with(&challenge, &code)).await.unwrap();
    let again = service.second_factors.enrol(&user, Method::Email, shown_with(&challenge, &code)).await;
    assert!(is_invalid(&again), "a challenge can be used once: {again:?}");
    let (challenge, code) = (enrolment_challenge(&enrolment), service.emailed_code());
    let confirmed = service.second_factors.confirm(&user, challenge, &code, &client()).await.unwrap();
    assert_eq!(confirmed, ConfirmedFactor { method: Method::Email, recovery_codes: None });
    let methods = service.second_factor_challenge("alice").await.methods;
    assert_eq!(methods, [Method::Totp, Method::Email, Method::RecoveryCode]);
}

/// An enrolment that the password alone authorised must not be completed after a factor was added.
#[tokio::test]
async fn ends_when_another_factor_is_added() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let begun = service.second_factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
    let Enrolment::Totp { challenge, secret, .. } = begun else { panic!("an authenticator") };
    service.enrol_email("alice").await;
    let code = service.totp_code(&secret, 0);
    assert!(is_invalid(&service.second_factors.confirm(&user, challenge.expose(), &code, &client()).await));
    assert_eq!(service.store.factors_of(&user.id).await.unwrap().totp, None);
}

#[tokio::test]
async fn of_another_user_is_refused() {
    let service = service(mailing());
    let alice = service.register("alice").await;
    let mallory = service.register("mallory").await;
    let enrolment = service.second_factors.enrol(&alice, Method::Email, shown(PASSWORD)).await.unwrap();
    let code = service.emailed_code();
    let refused = service.second_factors.confirm(&mallory, enrolment_challenge(&enrolment), &code, &client()).await;
    assert!(is_invalid(&refused), "{refused:?}");
    assert!(!service.store.factors_of(&alice.id).await.unwrap().is_on());
    assert!(!service.store.factors_of(&mallory.id).await.unwrap().is_on());
    assert!(service.second_factors.confirm(&alice, enrolment_challenge(&enrolment), &code, &client()).await.is_ok());
}

#[tokio::test]
async fn by_email_fails_after_a_change_of_the_email_address() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let enrolment = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
    let code = service.emailed_code();
    let stale = User { email: Some("other@example.com".to_owned()), ..user };
    let refused = service.second_factors.confirm(&stale, enrolment_challenge(&enrolment), &code, &client()).await;
    assert!(is_wrong(&refused), "{refused:?}");
}

#[tokio::test]
async fn expires_after_ten_minutes() {
    for (seconds, is_good) in [(599, true), (600, false)] {
        let service = service(mailing());
        let user = service.register("alice").await;
        let enrolment = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
        let code = service.emailed_code();
        service.advance(seconds);
        let confirmed = service.second_factors.confirm(&user, enrolment_challenge(&enrolment), &code, &client()).await;
        assert_eq!(confirmed.is_ok(), is_good, "{seconds}");
    }
}

#[tokio::test]
async fn confirmed_concurrently_returns_recovery_codes_once() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    let user = service.register("alice").await;
    let enrolment = service.second_factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
    let Enrolment::Totp { challenge, secret, .. } = &enrolment else { panic!("an authenticator") };
    let code = service.totp_code(secret, 0);
    eventful.yield_at_each_call();
    let mut attempts = tokio::task::JoinSet::new();
    for _ in 0..5 {
        let (factors, user, code) = (service.second_factors.clone(), user.clone(), code.clone());
        let challenge = challenge.expose().to_owned();
        attempts.spawn(async move { factors.confirm(&user, &challenge, &code, &client()).await });
    }
    let done: Vec<_> = attempts.join_all().await.into_iter().filter_map(Result::ok).collect();
    assert_eq!(done.len(), 1);
    assert!(done[0].recovery_codes.is_some());
}

/// Otherwise an attacker who registers someone else's email address could lock its owner out of the account.
#[tokio::test]
async fn of_an_authenticator_requires_a_verified_email_address_where_the_policy_verifies_them() {
    for (email_verification, requires_verification) in
        [(EmailVerification::Off, false), (EmailVerification::Optional, true), (EmailVerification::Required, true)]
    {
        let service = service(with_accounts(|accounts| accounts.email_verification = email_verification));
        let user = service.register("alice").await;
        let begun = service.second_factors.enrol(&user, Method::Totp, shown(PASSWORD)).await;
        assert_eq!(
            matches!(begun, Err(AccountError::EmailNotVerified)),
            requires_verification,
            "{email_verification:?}: {begun:?}"
        );
        if !requires_verification {
            continue;
        }
        assert_eq!(codes_for(&service, CodePurpose::TotpEnrolment), []);
        // Enrolling codes by email verifies the email address.
        assert!(service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.is_ok());
        let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
        let user = service.accounts.verify_email(&token, None, &client()).await.unwrap();
        let begun = service.second_factors.enrol(&user, Method::Totp, shown(PASSWORD)).await;
        assert!(begun.is_ok(), "{email_verification:?}: {begun:?}");
    }
}

/// Where email addresses are not verified, users with an authenticator can still verify theirs.
#[tokio::test]
async fn of_an_authenticator_sends_a_link_to_an_unverified_email_address() {
    let service = service(mailing());
    service.register("alice").await;
    service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
    assert_eq!(service.deliver_emails().await, [], "no link without a factor");
    service.enrol_totp("alice").await;
    let first = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
    let second = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    let caller = Caller { user: service.user("alice").await, session: None };
    let caller = Some(&caller);
    assert!(is_bad_link(&service.accounts.verify_email(&first, caller, &client()).await), "a newer one was sent");
    let user = service.accounts.verify_email(&second, caller, &client()).await.unwrap();
    assert!(user.email_verified_at.is_some());
}
