//! Removal of a second factor.

use super::*;

#[tokio::test]
async fn requires_password_and_code_and_sends_a_notice() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let (secret, codes) = service.enrol_totp("alice").await;
    service.next_totp_step();
    service.deliver_emails().await;
    let missing = service.second_factors.remove(&user, Method::Totp, shown(PASSWORD)).await;
    assert!(matches!(missing, Err(AccountError::ChallengeMissing)), "{missing:?}");
    let challenge = confirmation(&service, &user).await;
    let right = service.totp_code(&secret, 0);
    let shown = Reauthentication { password: raw("Wrong-horse-42"), ..shown_with(&challenge, &right) };
    let refused = service.second_factors.remove(&user, Method::Totp, shown).await;
    assert!(matches!(refused, Err(AccountError::WrongPassword)), "{refused:?}");
    assert!(is_wrong(
        &service.second_factors.remove(&user, Method::Totp, shown_with(&challenge, &other_than(&right))).await
    ));
    assert_eq!(service.enqueued(), []);
    service.second_factors.remove(&user, Method::Totp, shown_with(&challenge, &right)).await.unwrap();
    assert_eq!(
        service.store.factors_of(&user.id).await.unwrap(),
        Factors::default(),
        "the recovery codes are removed too"
    );
    let emails = service.deliver_emails().await;
    assert_eq!(emails.iter().map(|email| email.kind).collect::<Vec<_>>(), [EmailKind::SecondFactorRemoved]);
    assert_eq!(emails[0].content.get(Fact::Method), Some("totp"));
    assert!(service.try_login("alice", PASSWORD).await.is_ok());
    drop(codes);
}

/// The password is reset after the old one was compared.
#[tokio::test]
async fn is_refused_if_the_account_changes_concurrently() {
    for call in ["remove_factors", "replace_recovery_codes"] {
        let Fixture { service, eventful, .. } = fixture(mailing());
        let user = service.register("alice").await;
        let (secret, _) = service.enrol_totp("alice").await;
        let before = service.store.factors_of(&user.id).await.unwrap().recovery_codes;
        service.next_totp_step();
        let challenge = confirmation(&service, &user).await;
        let shown = shown_with(&challenge, &service.totp_code(&secret, 0));
        let store = service.store.clone();
        eventful.before(call, async move {
            let new = NewPassword::new(user.id, auth_conformance::hash_of("new"));
            let done =
                auth_accounts::ports::Accounts::set_password(store.as_ref(), &new, user.token_epoch).await.unwrap();
            assert_eq!(done, PasswordUpdate::Done);
        });
        let user = service.user("alice").await;
        let refused = match call {
            "remove_factors" => service.second_factors.remove(&user, Method::Totp, shown).await,
            _ => service.second_factors.replace_recovery_codes(&user, shown).await.map(drop),
        };
        assert!(matches!(refused, Err(AccountError::Auth(AuthError::Store(_)))), "{call}: {refused:?}");
        let factors = service.store.factors_of(&user.id).await.unwrap();
        assert_eq!((factors.on(), factors.recovery_codes), (vec![Method::Totp], before), "{call}");
    }
}

#[tokio::test]
async fn of_a_method_that_is_off_is_refused() {
    let service = service(mailing());
    let user = service.register("alice").await;
    service.enrol_email("alice").await;
    for method in [Method::Totp, Method::RecoveryCode] {
        let refused = service.second_factors.remove(&user, method, shown(PASSWORD)).await;
        assert!(matches!(refused, Err(AccountError::NoSecondFactor)), "{method:?}: {refused:?}");
    }
}

#[tokio::test]
async fn ends_open_challenges() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    service.next_totp_step();
    let open = service.second_factor_challenge("alice").await;
    let challenge = confirmation(&service, &user).await;
    let shown = shown_with(&challenge, &service.totp_code(&secret, 0));
    service.second_factors.remove(&user, Method::Totp, shown).await.unwrap();
    service.next_totp_step();
    assert!(is_invalid(&answer(&service, &open, &service.totp_code(&secret, 0)).await));
}

#[tokio::test]
async fn by_an_operator_removes_all_factors_and_sends_one_notice() {
    let service = service(mailing());
    service.register("alice").await;
    let (_, codes) = service.enrol_totp("alice").await;
    service.deliver_emails().await;
    let open = service.second_factor_challenge("alice").await;
    service.act("alice", Action::RemoveSecondFactors).await;
    let again = service.administration.act("alice", &Action::RemoveSecondFactors).await.unwrap();
    assert_eq!(again, Outcome::NothingToDo);
    assert!(is_invalid(&answer(&service, &open, &codes[0].expose()).await), "old recovery codes are refused");
    assert!(service.try_login("alice", PASSWORD).await.is_ok());
    let sent: Vec<_> = service.deliver_emails().await.iter().map(|email| email.kind).collect();
    assert_eq!(sent, [EmailKind::SecondFactorRemoved], "one notice");
}

#[tokio::test]
async fn where_a_factor_is_required_leaves_codes_by_email() {
    let service = service(requiring(RequiredFor::All));
    let user = service.register("alice").await;
    // Enrolment requires what a login requires.
    let missing = service.second_factors.enrol(&user, Method::Totp, shown(PASSWORD)).await;
    assert!(matches!(missing, Err(AccountError::ChallengeMissing)), "{missing:?}");
    let challenge = confirmation(&service, &user).await;
    let shown = shown_with(&challenge, &service.emailed_code());
    let begun = service.second_factors.enrol(&user, Method::Totp, shown).await.unwrap();
    let Enrolment::Totp { challenge, secret, .. } = begun else { panic!("an authenticator") };
    service.second_factors.confirm(&user, challenge.expose(), &service.totp_code(&secret, 0), &client()).await.unwrap();
    assert_eq!(
        service.second_factor_challenge("alice").await.methods,
        [Method::Totp, Method::RecoveryCode],
        "codes by email do not replace the authenticator"
    );
    service.act("alice", Action::RemoveSecondFactors).await;
    assert_eq!(service.second_factor_challenge("alice").await.methods, [Method::Email]);
}
