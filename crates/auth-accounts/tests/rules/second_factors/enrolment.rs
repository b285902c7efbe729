//! Enrolment of a second factor.

use auth_core::service::Caller;

use super::*;

#[tokio::test]
async fn by_mail_is_on_with_the_code_that_was_mailed() {
    let service = service(mailing());
    let user = service.register("alice").await;
    service.events.taken();
    let enrolment = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
    let code = service.emailed_code();
    assert!(service.login("alice").await.access.expose().len() > 1, "it is not on yet");
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
    let mails = service.deliver_emails().await;
    let told: Vec<_> = mails.iter().filter(|mail| mail.kind == EmailKind::SecondFactorAdded).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].content.get(Fact::Method), Some("email"));
}

#[tokio::test]
async fn of_an_authenticator_is_on_with_its_first_code() {
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
    assert!(is_invalid(&late), "five attempts: {late:?}");

    let (secret, codes) = service.enrol_totp("alice").await;
    assert_eq!(codes.len(), Factors::RECOVERY_CODES);
    let challenge = service.second_factor_challenge("alice").await;
    assert_eq!(challenge.methods, [Method::Totp, Method::RecoveryCode]);
    let again = answer(&service, &challenge, &service.totp_code(&secret, 0)).await;
    assert!(is_wrong(&again), "the code that switched it on is used up: {again:?}");
}

#[tokio::test]
async fn takes_the_password() {
    let service = service(mailing());
    let user = service.register("alice").await;
    for method in [Method::Email, Method::Totp] {
        let refused = service.second_factors.enrol(&user, method, shown("Wrong-horse-42")).await;
        assert!(matches!(refused, Err(AccountError::WrongPassword)), "{refused:?}");
    }
    assert_eq!((service.store.codes(), service.enqueued()), (vec![], vec![]));
}

#[tokio::test]
async fn is_for_methods_that_there_are() {
    let service = service(policy()); // Nobody sends mails.
    let user = service.register("alice").await;
    for method in [Method::Email, Method::RecoveryCode] {
        let refused = service.second_factors.enrol(&user, method, shown(PASSWORD)).await;
        assert!(matches!(refused, Err(AccountError::MethodUnavailable)), "{method:?}: {refused:?}");
    }
}

#[tokio::test]
async fn of_a_second_one_takes_a_code_of_the_first_and_shows_no_new_recovery_codes() {
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
    assert!(is_invalid(&again), "a challenge confirms once: {again:?}");
    let (challenge, code) = (enrolment_challenge(&enrolment), service.emailed_code());
    let confirmed = service.second_factors.confirm(&user, challenge, &code, &client()).await.unwrap();
    assert_eq!(confirmed, ConfirmedFactor { method: Method::Email, recovery_codes: None });
    let methods = service.second_factor_challenge("alice").await.methods;
    assert_eq!(methods, [Method::Totp, Method::Email, Method::RecoveryCode]);
}

/// What was begun with the password alone is not to be finished so, once a factor is on.
#[tokio::test]
async fn that_was_begun_before_another_factor_was_on_is_over() {
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
async fn by_mail_ends_with_the_address_that_the_code_went_to() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let enrolment = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
    let code = service.emailed_code();
    let stale = User { email: Some("other@example.com".to_owned()), ..user };
    let refused = service.second_factors.confirm(&stale, enrolment_challenge(&enrolment), &code, &client()).await;
    assert!(is_wrong(&refused), "{refused:?}");
}

#[tokio::test]
async fn waits_ten_minutes_for_its_code() {
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
async fn confirmed_by_many_at_once_shows_recovery_codes_once() {
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

/// Otherwise a stranger who registers an email address could put a second factor between its owner and the account.
#[tokio::test]
async fn of_an_authenticator_takes_a_verified_email_address_where_they_are_verified() {
    for (email_verification, is_asked) in
        [(EmailVerification::Off, false), (EmailVerification::Optional, true), (EmailVerification::Required, true)]
    {
        let service = service(with_accounts(|accounts| accounts.email_verification = email_verification));
        let user = service.register("alice").await;
        let begun = service.second_factors.enrol(&user, Method::Totp, shown(PASSWORD)).await;
        assert_eq!(matches!(begun, Err(AccountError::EmailNotVerified)), is_asked, "{email_verification:?}: {begun:?}");
        if !is_asked {
            continue;
        }
        assert_eq!(codes_for(&service, CodePurpose::TotpEnrolment), []);
        // The code of an enrolment by email verifies the address.
        assert!(service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.is_ok());
        let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
        let user = service.accounts.verify_email(&token, None, &client()).await.unwrap();
        let begun = service.second_factors.enrol(&user, Method::Totp, shown(PASSWORD)).await;
        assert!(begun.is_ok(), "{email_verification:?}: {begun:?}");
    }
}

/// Where email addresses need no verification, the owner of an authenticator can verify theirs all the same.
#[tokio::test]
async fn of_an_authenticator_sends_a_link_to_an_email_address_that_is_not_verified() {
    let service = service(mailing());
    service.register("alice").await;
    service.accounts.request_verification(&email("alice@example.com"), &client()).await.unwrap();
    assert_eq!(service.deliver_emails().await, [], "no factor, no link");
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
