//! Logins with a second factor: when it is required, and which codes are accepted.

use super::*;

#[tokio::test]
async fn returns_no_token_before_the_code() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_email("alice").await;
    service.events.taken();
    let challenge = service.second_factor_challenge("alice").await;
    assert_eq!(service.store.sessions(), []);
    assert_eq!(service.take_event_kinds(), [EventKind::SecondFactorAsked]);
    // The challenge is not a token.
    assert!(RawToken::parse(challenge.challenge.expose()).is_err());
    let refused = service.try_login("alice", "Wrong-horse-42").await;
    assert!(matches!(refused, Err(AccountError::BadCredentials)), "the password comes first: {refused:?}");
}

#[tokio::test]
async fn with_a_code_by_email_succeeds_once() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_email("alice").await;
    let challenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    let emails = service.deliver_emails().await;
    let email = emails.iter().rfind(|email| email.kind == EmailKind::SecondFactorCode).unwrap();
    assert_eq!(email.to, "alice@example.com");
    assert_eq!(email.content.get(Fact::Minutes), Some("10"));
    let wrong = answer(&service, &challenge, &other_than(&code)).await;
    assert!(is_wrong(&wrong), "{wrong:?}");
    let spelt = format!(" {}-{} ", &code[..3], &code[3..]);
    assert!(answer(&service, &challenge, &spelt).await.is_ok());
    let again = answer(&service, &challenge, &code).await;
    assert!(is_invalid(&again), "{again:?}");
    assert_eq!(service.store.sessions().len(), 1);
}

#[tokio::test]
async fn records_the_authentication_methods_in_every_token() {
    let service = service(mailing());
    service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    service.next_totp_step();
    let challenge = service.second_factor_challenge("alice").await;
    let pair = answer(&service, &challenge, &service.totp_code(&secret, 0)).await.unwrap();
    let next = service.refresh(&pair).await;
    let caller = service.caller(&next).await;
    service.next_totp_step();
    let own = confirmation(&service, &caller.user).await;
    let shown = shown_with(&own, &service.totp_code(&secret, 0));
    let changed = change_password_with(&service, &caller, shown, NEW_PASSWORD).await.unwrap().unwrap();
    for pair in [&pair, &next, &changed] {
        for token in [access_of(pair), refresh_of(pair)] {
            assert_eq!(service.claims(&token)["amr"], json!(["pwd", "otp", "mfa"]));
        }
    }
}

#[tokio::test]
async fn for_a_sliding_token_requires_the_second_factor() {
    let accepted_kinds = vec![TokenKind::Access, TokenKind::Sliding];
    let service = service(emailing(TokenPolicy { accepted_kinds, ..policy() }));
    service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    service.next_totp_step();
    let login = service.logins.login_sliding(&named("alice"), &raw(PASSWORD), client()).await;
    let Ok(LoginOutcome::SecondFactorRequired(challenge)) = login else {
        panic!("no challenge");
    };
    let code = service.totp_code(&secret, 0);
    let issued = service.logins.answer_challenge(challenge.challenge.expose(), &code, client()).await.unwrap();
    let Issued::Sliding(token) = issued else { panic!("a sliding token") };
    let token = RawToken::parse(token.expose()).unwrap();
    assert_eq!(service.claims(&token)["amr"], json!(["pwd", "otp", "mfa"]));
    assert_eq!(service.claims(&token)["token_type"], "sliding");
    assert!(service.tokens.authenticate(&token).await.is_ok());
    let next = service.tokens.refresh_sliding(&token).await.unwrap();
    let next = service.claims(&RawToken::parse(next.expose()).unwrap());
    assert_eq!(next["amr"], json!(["pwd", "otp", "mfa"]));
}

#[tokio::test]
async fn with_a_recovery_code_uses_it_up_and_sends_a_notice() {
    let service = service(mailing());
    service.register("alice").await;
    service.register("mallory").await;
    let (_, codes) = service.enrol_totp("alice").await;
    let (_, others) = service.enrol_totp("mallory").await;
    service.deliver_emails().await;
    let challenge = service.second_factor_challenge("alice").await;
    let wrong = answer(&service, &challenge, &others[0].expose()).await;
    assert!(is_wrong(&wrong), "of another account: {wrong:?}");
    assert!(answer(&service, &challenge, &codes[0].expose().to_uppercase().replace('-', " ")).await.is_ok());
    let emails = service.deliver_emails().await;
    assert_eq!(emails.iter().map(|email| email.kind).collect::<Vec<_>>(), [EmailKind::RecoveryCodeUsed]);
    assert_eq!(emails[0].content.get(Fact::Left), Some("9"));
    let challenge = service.second_factor_challenge("alice").await;
    let again = answer(&service, &challenge, &codes[0].expose()).await;
    assert!(is_wrong(&again), "once: {again:?}");
    assert!(answer(&service, &challenge, &codes[1].expose()).await.is_ok());
}

#[tokio::test]
async fn with_one_recovery_code_for_concurrent_challenges_succeeds_once() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    let (_, codes) = service.enrol_totp("alice").await;
    let mut challenges = Vec::new();
    for _ in 0..4 {
        challenges.push(service.second_factor_challenge("alice").await);
    }
    eventful.yield_at_each_call();
    let outcomes = in_parallel(&service, challenges, &codes[0].expose()).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert_eq!(
        service.deliver_emails().await.iter().filter(|email| email.kind == EmailKind::RecoveryCodeUsed).count(),
        1
    );
}

#[tokio::test]
async fn by_authenticator_tolerates_one_step_of_drift() {
    for (steps, is_good) in [(-2, false), (-1, true), (0, true), (1, true), (2, false)] {
        let service = service(mailing());
        service.register("alice").await;
        let (secret, _) = service.enrol_totp("alice").await;
        service.advance(300);
        let challenge = service.second_factor_challenge("alice").await;
        let outcome = answer(&service, &challenge, &service.totp_code(&secret, steps)).await;
        assert_eq!(outcome.is_ok(), is_good, "{steps}: {outcome:?}");
    }
}

#[tokio::test]
async fn by_authenticator_refuses_used_and_earlier_codes() {
    let service = service(mailing());
    service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    service.advance(300);
    let (first, second) =
        (service.second_factor_challenge("alice").await, service.second_factor_challenge("alice").await);
    let code = service.totp_code(&secret, 1);
    assert!(answer(&service, &first, &code).await.is_ok());
    for steps in [1, 0, -1] {
        let outcome = answer(&service, &second, &service.totp_code(&secret, steps)).await;
        assert!(is_wrong(&outcome), "{steps}: {outcome:?}");
    }
    service.advance(60);
    assert!(answer(&service, &second, &service.totp_code(&secret, 0)).await.is_ok());
}

#[tokio::test]
async fn by_authenticator_with_one_code_for_concurrent_challenges_succeeds_once() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    service.next_totp_step();
    let mut challenges = Vec::new();
    for _ in 0..8 {
        challenges.push(service.second_factor_challenge("alice").await);
    }
    eventful.yield_at_each_call();
    let outcomes = in_parallel(&service, challenges, &service.totp_code(&secret, 0)).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1, "{outcomes:?}");
    assert_eq!(service.store.sessions().len(), 1);
}

async fn in_parallel(
    service: &TestService,
    challenges: Vec<SecondFactorChallenge>,
    code: &str,
) -> Vec<Result<Issued, AccountError>> {
    let mut attempts = tokio::task::JoinSet::new();
    for challenge in challenges {
        let (logins, code) = (service.logins.clone(), code.to_owned());
        attempts.spawn(async move { logins.answer_challenge(challenge.challenge.expose(), &code, client()).await });
    }
    attempts.join_all().await
}

#[tokio::test]
async fn requires_a_factor_of_the_configured_users() {
    for (required, staff, others) in
        [(RequiredFor::Nobody, false, false), (RequiredFor::Staff, true, false), (RequiredFor::All, true, true)]
    {
        let service = service(requiring(required));
        service.register("alice").await;
        service.register("root").await;
        service.act("root", Action::Promote).await;
        for (name, is_required) in [("alice", others), ("root", staff)] {
            let user = service.user(name).await;
            assert_eq!(service.second_factors.status(&user).await.unwrap().is_required, is_required);
            match service.logins.login(&named(name), &raw(PASSWORD), client()).await {
                Ok(LoginOutcome::SecondFactorRequired(challenge)) if is_required => {
                    assert_eq!(challenge.methods, [Method::Email], "without any enrolment");
                    assert!(answer(&service, &challenge, &service.emailed_code()).await.is_ok());
                }
                outcome => assert!(outcome.is_ok() && !is_required, "{required:?} {name}: {outcome:?}"),
            }
        }
    }
}

#[tokio::test]
async fn fails_if_the_account_is_deactivated_concurrently() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    service.register("alice").await;
    service.enrol_email("alice").await;
    let challenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    service.act("alice", Action::Deactivate).await;
    assert!(is_invalid(&answer(&service, &challenge, &code).await));
    service.act("alice", Action::Activate).await;
    // Just before the session starts.
    let administration = service.administration.clone();
    eventful.before("start", async move {
        administration.act("alice", &Action::Deactivate).await.unwrap();
    });
    assert!(is_invalid(&answer(&service, &challenge, &code).await));
    assert_eq!(service.store.sessions(), []);
}

#[tokio::test]
async fn fails_if_the_password_is_changed_concurrently() {
    let Fixture { service, eventful, .. } = fixture(mailing());
    let user = service.register("alice").await;
    let (secret, codes) = service.enrol_totp("alice").await;
    service.next_totp_step();
    let (early, late) =
        (service.second_factor_challenge("alice").await, service.second_factor_challenge("alice").await);
    let set = |service: &TestService| {
        let (store, now) = (service.store.clone(), service.now());
        let new = NewPassword::new(user.id.clone(), auth_conformance::hash_of(PASSWORD));
        async move { auth_accounts::ports::Accounts::set_password(store.as_ref(), &new, now).await.unwrap() }
    };
    let change = set(&service);
    eventful.before("start", async move { assert_eq!(change.await, PasswordUpdate::Done) });
    let outcome = answer(&service, &early, &service.totp_code(&secret, 0)).await;
    assert!(is_invalid(&outcome), "just before the session starts: {outcome:?}");
    set(&service).await;
    let outcome = answer(&service, &late, &codes[0].expose()).await;
    assert!(is_invalid(&outcome), "{outcome:?}");
    assert_eq!(service.store.sessions(), []);
}

#[tokio::test]
async fn by_authenticator_is_possible_after_too_many_emails() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    service.next_totp_step();
    let challenge = confirmation(&service, &user).await;
    let shown = shown_with(&challenge, &service.totp_code(&secret, 0));
    let enrolment = service.second_factors.enrol(&user, Method::Email, shown).await.unwrap();
    let code = service.emailed_code();
    service.second_factors.confirm(&user, enrolment_challenge(&enrolment), &code, &client()).await.unwrap();
    for _ in 0..100 {
        assert!(service.second_factor_challenge("alice").await.methods.contains(&Method::Email));
    }
    let challenge = service.second_factor_challenge("alice").await;
    assert_eq!(challenge.methods, [Method::Totp, Method::RecoveryCode]);
    service.next_totp_step();
    assert!(answer(&service, &challenge, &service.totp_code(&secret, 0)).await.is_ok());
}

#[tokio::test]
async fn sends_a_hundred_codes_an_hour() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_email("alice").await;
    for _ in 0..100 {
        service.second_factor_challenge("alice").await;
    }
    let sent = service.enqueued().len();
    assert_eq!(
        service.second_factor_challenge("alice").await.methods,
        [Method::RecoveryCode],
        "another method is available"
    );
    assert_eq!(service.enqueued().len(), sent);
    // Codes for logged-in users are counted separately.
    assert_eq!(
        confirmation(&service, &service.user("alice").await).await.methods,
        [Method::Email, Method::RecoveryCode]
    );
    service.advance(60 * 60);
    assert_eq!(service.second_factor_challenge("alice").await.methods, [Method::Email, Method::RecoveryCode]);
}
