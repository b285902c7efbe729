//! Guesses at codes, and how many are compared.

use super::*;

#[tokio::test]
async fn are_limited_to_five_for_a_challenge() {
    let Fixture { service, application_secret, .. } = fixture(mailing());
    service.register("alice").await;
    service.enrol_email("alice").await;
    let challenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    let before = compared(&application_secret);
    for _ in 0..OneTimeCode::MAX_ATTEMPTS {
        assert!(is_wrong(&answer(&service, &challenge, &other_than(&code)).await));
    }
    assert_eq!(compared(&application_secret) - before, 5);
    let sixth = answer(&service, &challenge, &code).await;
    assert!(is_invalid(&sixth), "even if it is right: {sixth:?}");
    assert_eq!(compared(&application_secret) - before, 5, "the sixth is not compared");
    let challenge = service.second_factor_challenge("alice").await;
    assert!(answer(&service, &challenge, &service.emailed_code()).await.is_ok(), "another challenge counts from zero");
}

/// Without rate limits, so that only the limit of the challenge applies.
fn unthrottled() -> TestPolicy {
    with_accounts(|accounts| accounts.throttle = None)
}

async fn answer_concurrently(
    service: &TestService,
    challenge: &SecondFactorChallenge,
    guesses: Vec<String>,
) -> Vec<bool> {
    let mut attempts = tokio::task::JoinSet::new();
    for guess in guesses {
        let (logins, challenge) = (service.logins.clone(), challenge.clone());
        attempts.spawn(
            async move { logins.answer_challenge(challenge.challenge.expose(), &guess, client()).await.is_ok() },
        );
    }
    attempts.join_all().await
}

#[tokio::test]
async fn are_limited_to_five_under_concurrency() {
    for policy in [unthrottled(), mailing()] {
        let Fixture { service, eventful, application_secret } = fixture(policy);
        service.register("alice").await;
        let (secret, _) = service.enrol_totp("alice").await;
        let challenge = service.second_factor_challenge("alice").await;
        let right: Vec<_> = (-1..=1).map(|steps| service.totp_code(&secret, steps)).collect();
        let guesses = (0..1_000_000).map(|number| format!("{number:06}")).filter(|code| !right.contains(code));
        let before = compared(&application_secret);
        eventful.yield_at_each_call();
        let outcomes = answer_concurrently(&service, &challenge, guesses.take(1_000).collect()).await;
        assert!(outcomes.iter().all(|is_right| !is_right));
        // Each guess is compared with the authenticator only, because no code was sent by email.
        assert_eq!(compared(&application_secret) - before, 5);
    }
}

#[tokio::test]
async fn are_not_compared_after_the_right_one() {
    let Fixture { service, eventful, application_secret } = fixture(unthrottled());
    service.register("alice").await;
    service.enrol_email("alice").await;
    let challenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    assert!(answer(&service, &challenge, &code).await.is_ok());
    let before = compared(&application_secret);
    eventful.yield_at_each_call();
    let outcomes = answer_concurrently(&service, &challenge, vec![code; 1_000]).await;
    assert!(outcomes.iter().all(|is_right| !is_right));
    assert_eq!(compared(&application_secret), before);
}

#[tokio::test]
async fn with_the_right_code_succeed_once_under_concurrency() {
    let Fixture { service, eventful, application_secret } = fixture(unthrottled());
    service.register("alice").await;
    service.enrol_email("alice").await;
    let challenge = service.second_factor_challenge("alice").await;
    let code = service.emailed_code();
    let before = compared(&application_secret);
    eventful.yield_at_each_call();
    let outcomes = answer_concurrently(&service, &challenge, vec![code; 1_000]).await;
    assert_eq!(outcomes.iter().filter(|is_right| **is_right).count(), 1);
    assert!(compared(&application_secret) - before <= 5);
    assert_eq!(service.store.sessions().len(), 1);
}

#[tokio::test]
async fn are_limited_to_twenty_a_day_over_all_challenges_and_client_ips() {
    let Fixture { service, application_secret, .. } = fixture(mailing());
    service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    let mut wrong = 0;
    for number in 0..4 {
        service.next_totp_step();
        let challenge = service.second_factor_challenge("alice").await;
        for attempt in 0..5 {
            let code = service.totp_code(&secret, 10);
            let ip = from(&format!("198.51.100.{}", number * 5 + attempt));
            let outcome = service.logins.answer_challenge(challenge.challenge.expose(), &code, ip).await;
            assert!(is_wrong(&outcome), "{outcome:?}");
            wrong += 1;
        }
    }
    assert_eq!(wrong, 20);
    let challenge = service.second_factor_challenge("alice").await;
    let before = compared(&application_secret);
    // Another process counts them too.
    let restarted = LoginService::new(service.context());
    for logins in [&service.logins, &restarted] {
        let code = service.totp_code(&secret, 0);
        let outcome = logins.answer_challenge(challenge.challenge.expose(), &code, from("203.0.113.9")).await;
        assert!(is_throttled(&outcome), "{outcome:?}");
    }
    let user = service.user("alice").await;
    let confirmation = confirmation(&service, &user).await;
    let removal = service
        .second_factors
        .remove(&user, Method::Totp, shown_with(&confirmation, &service.totp_code(&secret, 0)))
        .await;
    assert!(is_throttled(&removal), "the purpose makes no difference: {removal:?}");
    assert_eq!(compared(&application_secret), before);
    service.advance(DAY);
    let challenge = service.second_factor_challenge("alice").await;
    assert!(answer(&service, &challenge, &service.totp_code(&secret, 0)).await.is_ok());
}

#[tokio::test]
async fn are_limited_to_twenty_over_concurrent_challenges() {
    let Fixture { service, eventful, application_secret } = fixture(mailing());
    service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    let mut challenges = Vec::new();
    for _ in 0..20 {
        challenges.push(service.second_factor_challenge("alice").await);
    }
    let (before, wrong) = (compared(&application_secret), service.totp_code(&secret, 10));
    eventful.yield_at_each_call();
    let mut attempts = tokio::task::JoinSet::new();
    for number in 0..400 {
        let (logins, wrong) = (service.logins.clone(), wrong.clone());
        let (challenge, client) = (challenges[number % 20].clone(), from(&format!("198.51.100.{}", number % 200)));
        attempts.spawn(async move { logins.answer_challenge(challenge.challenge.expose(), &wrong, client).await });
    }
    let outcomes = attempts.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| is_wrong(outcome)).count(), 20);
    assert_eq!(outcomes.iter().filter(|outcome| is_throttled(outcome)).count(), 380);
    assert_eq!(compared(&application_secret) - before, 20);
}

#[tokio::test]
async fn count_for_the_client_ip() {
    let service = service(mailing());
    service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    for number in 0..99 {
        let guess = try_login_from(&service, &named(&format!("user{number}")), "Wrong-horse-42", "203.0.113.1").await;
        assert!(matches!(guess, Err(AccountError::BadCredentials)), "{number}: {guess:?}");
    }
    let challenge = service.second_factor_challenge("alice").await;
    let guess =
        async |code: String, ip| service.logins.answer_challenge(challenge.challenge.expose(), &code, from(ip)).await;
    assert!(is_wrong(&guess(service.totp_code(&secret, 10), "203.0.113.1").await));
    assert!(is_throttled(&guess(service.totp_code(&secret, 1), "203.0.113.1").await));
    assert!(guess(service.totp_code(&secret, 1), "203.0.113.2").await.is_ok());
}

#[tokio::test]
async fn at_an_enrolment_count_too() {
    let service = service(mailing());
    let user = service.register("alice").await;
    for _ in 0..4 {
        let enrolment = service.second_factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
        for _ in 0..5 {
            let outcome =
                service.second_factors.confirm(&user, enrolment_challenge(&enrolment), "000000", &client()).await;
            assert!(is_wrong(&outcome), "{outcome:?}");
        }
    }
    let enrolment = service.second_factors.enrol(&user, Method::Totp, shown(PASSWORD)).await.unwrap();
    let outcome = service.second_factors.confirm(&user, enrolment_challenge(&enrolment), "000000", &client()).await;
    assert!(is_throttled(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn that_are_right_or_for_a_used_challenge_do_not_count() {
    let service = service(mailing());
    service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    let mut last = None;
    for _ in 0..30 {
        service.next_totp_step();
        let challenge = service.second_factor_challenge("alice").await;
        assert!(answer(&service, &challenge, &service.totp_code(&secret, 0)).await.is_ok());
        last = Some(challenge);
    }
    for _ in 0..30 {
        assert!(is_invalid(&answer(&service, last.as_ref().unwrap(), "000000").await));
    }
    service.next_totp_step();
    let challenge = service.second_factor_challenge("alice").await;
    assert!(answer(&service, &challenge, &service.totp_code(&secret, 0)).await.is_ok());
}

#[tokio::test]
async fn are_not_reset_by_a_right_one() {
    let service = service(mailing());
    service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    // Twenty wrong codes, with a right one after every four. The right one refunds only itself.
    for _ in 0..5 {
        service.next_totp_step();
        let challenge = service.second_factor_challenge("alice").await;
        for _ in 0..4 {
            assert!(is_wrong(&answer(&service, &challenge, &service.totp_code(&secret, 10)).await));
        }
        let right = answer(&service, &challenge, &service.totp_code(&secret, 0)).await;
        assert!(right.is_ok() || is_throttled(&right), "{right:?}");
    }
    let challenge = service.second_factor_challenge("alice").await;
    assert!(is_throttled(&answer(&service, &challenge, &service.totp_code(&secret, 10)).await));
}
