//! Password resets with the link from an email.

use super::*;

#[tokio::test]
async fn sets_the_password_once_and_starts_no_session() {
    let service = service(mailing());
    service.register("alice").await;
    let link = reset_link(&service, "alice").await;
    service.events.taken();
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    assert_eq!(service.store.sessions(), []);
    assert_eq!(service.take_event_kinds(), [EventKind::PasswordReset]);
    assert!(is_bad_link(&reset_password(&service, &link, "Third-horse-45").await));
    assert!(has_password(&service, "alice", NEW_PASSWORD).await);
    let emails = service.deliver_emails().await;
    assert_eq!(emails.iter().map(|email| email.kind).collect::<Vec<_>>(), [EmailKind::PasswordChanged]);
}

#[tokio::test]
async fn succeeds_once_under_concurrency() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    let link = reset_link(&service, "alice").await;
    eventful.yield_at_each_call();
    let mut resets = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (accounts, link, new) = (service.accounts.clone(), link.clone(), format!("Another-horse-{number}"));
        resets.spawn(async move { accounts.confirm_reset(&link, raw(&new), &client()).await.map(|()| new) });
    }
    let outcomes = resets.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| is_bad_link(outcome)).count(), 19);
    let won = outcomes.into_iter().find_map(Result::ok).unwrap();
    assert!(has_password(&service, "alice", &won).await);
    assert_eq!(service.enqueued().len(), 1, "one notice");
}

#[tokio::test]
async fn links_work_for_exactly_thirty_minutes() {
    for (seconds, is_good) in [(0, true), (30 * MINUTE - 1, true), (30 * MINUTE, false), (30 * MINUTE + 1, false)] {
        let service = service(mailing());
        service.register("alice").await;
        let link = reset_link(&service, "alice").await;
        service.advance(seconds);
        // An expired link is reported before a weak password.
        assert_eq!(is_bad_link(&reset_password(&service, &link, "short").await), !is_good, "{seconds}");
        assert_eq!(reset_password(&service, &link, NEW_PASSWORD).await.is_ok(), is_good, "{seconds}");
    }
}

#[tokio::test]
async fn is_refused_after_the_clock_was_moved_back() {
    let service = service(mailing());
    service.register("alice").await;
    let link = reset_link(&service, "alice").await;
    let created_at = service.now().seconds();
    let set = |seconds| service.clock.set(auth_core::time::UnixTime::from_seconds(created_at + seconds));
    for seconds in [-3_600, -61] {
        set(seconds);
        assert!(is_bad_link(&reset_password(&service, &link, NEW_PASSWORD).await), "{seconds}");
    }
    // The clocks of two machines may differ by up to a minute.
    set(-60);
    assert!(reset_password(&service, &link, NEW_PASSWORD).await.is_ok());
}

/// The write checks the expiry again.
#[tokio::test]
async fn is_refused_if_the_link_expires_before_the_write() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    let link = reset_link(&service, "alice").await;
    service.advance(30 * MINUTE - 1);
    let clock = service.clock.clone();
    eventful.before("find_user", async move { clock.advance(Seconds::new(1)) });
    assert!(is_bad_link(&reset_password(&service, &link, NEW_PASSWORD).await));
    assert!(has_password(&service, "alice", PASSWORD).await);
}

#[tokio::test]
async fn with_a_weak_password_does_not_use_the_link() {
    let service = service(mailing());
    service.register("alice").await;
    let link = reset_link(&service, "alice").await;
    for weak in ["short", "password123", "alice@example.com"] {
        let refused = reset_password(&service, &link, weak).await;
        assert!(matches!(refused, Err(AccountError::Account(AccountFault::WeakPassword(_)))), "{weak}: {refused:?}");
    }
    assert!(reset_password(&service, &link, NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn works_with_any_open_link_and_ends_all_of_them() {
    for used in [0, 1] {
        let service = service(mailing());
        service.register("alice").await;
        let older = reset_link(&service, "alice").await;
        service.advance(5 * MINUTE);
        let links = [older, reset_link(&service, "alice").await];
        assert!(reset_password(&service, &links[used], NEW_PASSWORD).await.is_ok());
        for link in links {
            assert!(is_bad_link(&reset_password(&service, &link, NEW_PASSWORD).await));
        }
    }
}

#[tokio::test]
async fn links_end_with_a_change_of_password_email_address_or_state() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let rename = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };

    let link = reset_link(&service, "alice").await;
    let hash = auth_conformance::hash_of(PASSWORD);
    service.store.set_password(&NewPassword::new(user.id, hash), service.now()).await.unwrap();
    assert!(is_bad_link(&reset_password(&service, &link, NEW_PASSWORD).await), "after a password change");

    let link = reset_link(&service, "alice").await;
    service.act("alice", Action::Deactivate).await;
    assert!(is_bad_link(&reset_password(&service, &link, NEW_PASSWORD).await), "after deactivation");
    service.act("alice", Action::Activate).await;

    service.advance(5 * MINUTE);
    let link = reset_link(&service, "alice").await;
    let caller = Caller { user: service.user("alice").await, session: None };
    service.accounts.update_profile(caller, rename, None, &client()).await.unwrap();
    assert!(is_bad_link(&reset_password(&service, &link, NEW_PASSWORD).await), "after a change of the email address");
    assert!(has_password(&service, "alice", PASSWORD).await);
}

#[tokio::test]
async fn links_end_with_a_verified_change_of_the_email_address() {
    let service = service(with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional));
    let user = service.register("alice").await;
    service.deliver_emails().await;
    let link = reset_link(&service, "alice").await;
    let change = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
    let caller = Caller { user, session: None };
    service.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await.unwrap();
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
    service.accounts.verify_email(&token, None, &client()).await.unwrap();
    assert!(is_bad_link(&reset_password(&service, &link, NEW_PASSWORD).await));
}

#[tokio::test]
async fn verifies_the_email_address_of_the_link() {
    let service = service(with_accounts(|accounts| accounts.email_verification = EmailVerification::Required));
    service.register("alice").await;
    service.deliver_emails().await;
    assert!(matches!(service.try_login("alice", PASSWORD).await, Err(AccountError::EmailNotVerified)));
    let link = reset_link(&service, "alice").await;
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    assert!(service.user("alice").await.email_verified_at.is_some());
    assert!(service.try_login("alice", NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn revokes_every_session() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let (one, two) = (service.login("alice").await, service.login("alice").await);
    let link = reset_link(&service, "alice").await;
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    for pair in [&one, &two] {
        assert!(matches!(service.tokens.authenticate(&access_of(pair)).await, Err(AuthError::PasswordChanged)));
        assert_eq!(fault(service.try_refresh(pair).await), Some(TokenFault::Revoked));
    }
    for session in service.store.sessions() {
        let found = service.store.find_session(session.id).await.unwrap().unwrap();
        assert_eq!((&found.user.id, found.session.revoke_reason), (&user.id, Some(RevokeReason::PasswordChanged)));
    }
}

#[tokio::test]
async fn resets_the_login_delay() {
    let service = service(mailing());
    service.register("alice").await;
    let link = reset_link(&service, "alice").await;
    for _ in 0..10 {
        assert!(matches!(service.try_login("alice", "Wrong-horse-42").await, Err(AccountError::BadCredentials)));
    }
    assert!(matches!(service.try_login("alice", PASSWORD).await, Err(AccountError::Throttled { .. })));
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    assert!(service.try_login("alice", NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn does_not_bypass_the_second_factor() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    // Adding an authenticator sends this link, because it does not verify the email address.
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    let caller = Caller { user: user.clone(), session: None };
    service.accounts.verify_email(&token, Some(&caller), &client()).await.unwrap();
    let link = reset_link(&service, "alice").await;
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    let challenge = service.challenged("alice", NEW_PASSWORD).await;
    service.next_totp_step();
    let code = service.totp_code(&secret, 0);
    assert!(service.logins.answer_challenge(challenge.challenge.expose(), &code, client()).await.is_ok());
}

#[tokio::test]
async fn accepts_reset_links_only() {
    let service = service(with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional));
    let user = service.register("alice").await;
    let verification = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    let change = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
    let caller = Caller { user, session: None };
    service.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await.unwrap();
    let address = token_of(&service.deliver_emails().await, EmailKind::EmailChange);
    let reset = reset_link(&service, "alice").await;
    for token in [&verification, &address] {
        assert!(is_bad_link(&reset_password(&service, token, NEW_PASSWORD).await));
    }
    assert!(is_bad_link(&service.accounts.verify_email(&reset, None, &client()).await));
    // The refused attempts did not use the link.
    assert!(reset_password(&service, &reset, NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn refuses_altered_tokens_and_those_of_other_users() {
    let service = service(mailing());
    service.register("alice").await;
    service.register("mallory").await;
    let (alice, mallory) = (reset_link(&service, "alice").await, reset_link(&service, "mallory").await);
    for place in 0..alice.len() {
        let digit = if &alice[place..=place] == "0" { "1" } else { "0" };
        let altered = format!("{}{digit}{}", &alice[..place], &alice[place + 1..]);
        assert!(is_bad_link(&reset_password(&service, &altered, NEW_PASSWORD).await), "at {place}");
    }
    let mixed = [format!("{}{}", &alice[..32], &mallory[32..]), format!("{}{}", &mallory[..32], &alice[32..])];
    for token in mixed.iter().map(String::as_str).chain(["", "0", &alice[..95], &alice.to_uppercase()]) {
        assert!(is_bad_link(&reset_password(&service, token, NEW_PASSWORD).await), "{token}");
    }
    reset_password(&service, &mallory, NEW_PASSWORD).await.unwrap();
    assert!(has_password(&service, "alice", PASSWORD).await, "it resets its own account only");
    assert!(reset_password(&service, &alice, NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn stores_only_a_keyed_hash_of_the_token() {
    let service = service(mailing());
    service.register("alice").await;
    let link = reset_link(&service, "alice").await;
    let stored = codes_for(&service, CodePurpose::PasswordReset).remove(0);
    let secret = &link[32..];
    let hex: String = stored.mac.unwrap().bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_ne!(hex, secret);
    assert_eq!(link.len(), 96, "the ID of the code and 256 bits");
    assert!(!format!("{stored:?}").contains(secret));
}

/// An attacker registered someone else's email address and added an authenticator.
#[tokio::test]
async fn that_verifies_the_email_address_removes_earlier_factors() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let (_, recovery) = service.enrol_totp("alice").await;
    let open = service.second_factor_challenge("alice").await;
    let link = reset_link(&service, "alice").await;
    service.events.taken();
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    assert_eq!(service.store.factors_of(&user.id).await.unwrap(), Factors::default());
    assert_eq!(service.take_event_kinds(), [EventKind::PasswordReset, EventKind::SecondFactorRemoved]);
    let notices = service.deliver_emails().await;
    let kinds: Vec<_> = notices.iter().map(|email| email.kind).collect();
    assert_eq!(kinds, [EmailKind::PasswordChanged, EmailKind::SecondFactorRemoved]);
    assert_eq!(notices[1].content.get(Fact::Method), Some("totp"));
    let code = recovery[0].expose();
    let answer = service.logins.answer_challenge(open.challenge.expose(), &code, client()).await;
    assert!(matches!(answer, Err(AccountError::ChallengeInvalid)), "{answer:?}");
    assert!(service.try_login("alice", NEW_PASSWORD).await.is_ok(), "the password is enough");

    // The email address is verified now, so a reset keeps the factors.
    let caller = service.caller(&service.try_login("alice", NEW_PASSWORD).await.unwrap()).await;
    service.advance(60 * 60);
    let begun = service.second_factors.enrol(&caller.user, Method::Totp, shown(NEW_PASSWORD)).await.unwrap();
    let Enrolment::Totp { challenge, secret, .. } = begun else { panic!("an authenticator") };
    let code = service.totp_code(&secret, 0);
    service.second_factors.confirm(&caller.user, challenge.expose(), &code, &client()).await.unwrap();
    let link = reset_link(&service, "alice").await;
    reset_password(&service, &link, PASSWORD).await.unwrap();
    service.second_factor_challenge("alice").await;
}

/// The owner follows the link that was sent for the attacker's authenticator, and then resets the password.
#[tokio::test]
async fn removes_factors_even_if_a_verification_link_was_followed() {
    let service = service(mailing());
    let user = service.register("alice").await;
    service.register("mallory").await;
    service.enrol_totp("alice").await;
    let token = token_of(&service.deliver_emails().await, EmailKind::EmailVerification);
    let mallory = Caller { user: service.user("mallory").await, session: None };
    for caller in [None, Some(&mallory)] {
        let refused = service.accounts.verify_email(&token, caller, &client()).await;
        assert!(matches!(refused, Err(AccountError::LoginRequired)), "{refused:?}");
    }
    // The attacker removes the factor, to add it again after the owner has followed the link.
    service.act("alice", Action::RemoveSecondFactors).await;
    let refused = service.accounts.verify_email(&token, None, &client()).await;
    assert!(matches!(refused, Err(AccountError::LoginRequired)), "{refused:?}");
    service.deliver_emails().await;
    service.advance(60);
    service.enrol_totp("alice").await;
    service.deliver_emails().await;
    assert_eq!(service.user("alice").await.email_verified_at, None);
    let link = reset_link(&service, "alice").await;
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    assert_eq!(service.store.factors_of(&user.id).await.unwrap(), Factors::default());
    assert!(service.try_login("alice", NEW_PASSWORD).await.is_ok());
}

/// The attacker adds a factor while the owner resets the password.
#[tokio::test]
async fn that_verifies_the_email_address_removes_factors_added_concurrently() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    let user = service.register("alice").await;
    let link = reset_link(&service, "alice").await;
    let other = TestService::builder().policy(mailing()).memory(service.store.clone()).build();
    eventful.before("set_password", async move { drop(other.enrol_totp("alice").await) });
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    assert_eq!(service.store.factors_of(&user.id).await.unwrap(), Factors::default());
    assert!(service.try_login("alice", NEW_PASSWORD).await.is_ok());
}

/// An attacker who knew the password has used up the challenges and the emails with codes.
#[tokio::test]
async fn resets_the_counts_of_challenges_and_codes() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_email("alice").await;
    let gets_challenge =
        async |password: &str, ip: &str| service.logins.login(&named("alice"), &raw(password), from(ip)).await.is_ok();
    for number in 0..300 {
        gets_challenge(PASSWORD, &format!("198.51.100.{}", number % 30)).await;
    }
    while gets_challenge(PASSWORD, "192.0.2.7").await {}
    assert!(!gets_challenge(PASSWORD, "203.0.113.1").await, "the codes of the hour are used up");
    let link = reset_link(&service, "alice").await;
    reset_password(&service, &link, NEW_PASSWORD).await.unwrap();
    for ip in ["192.0.2.7", "203.0.113.1"] {
        assert!(gets_challenge(NEW_PASSWORD, ip).await, "{ip}");
    }
}
