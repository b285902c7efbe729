//! Challenges: what they are valid for, and how long.

use auth_accounts::service::{Ports, prune};

use super::*;

#[tokio::test]
async fn accept_their_own_code_only() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_email("alice").await;
    let first = service.second_factor_challenge("alice").await;
    let first_code = service.emailed_code();
    let second = service.second_factor_challenge("alice").await;
    let second_code = service.emailed_code();
    assert_ne!(first_code, second_code);
    assert!(is_wrong(&answer(&service, &first, &second_code).await));
    assert!(is_wrong(&answer(&service, &second, &first_code).await));
    // The second challenge has not ended the first.
    assert!(answer(&service, &first, &first_code).await.is_ok());
    assert!(answer(&service, &second, &second_code).await.is_ok());
}

#[tokio::test]
async fn are_valid_for_their_purpose_only() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    service.next_totp_step();
    let (login, confirmation) = (service.second_factor_challenge("alice").await, confirmation(&service, &user).await);
    let code = service.totp_code(&secret, 0);
    let removal = service.second_factors.remove(&user, Method::Totp, shown_with(&login, &code)).await;
    assert!(is_invalid(&removal), "{removal:?}");
    let logged_in = answer(&service, &confirmation, &code).await;
    assert!(is_invalid(&logged_in), "{logged_in:?}");
    let enrolled = service.second_factors.confirm(&user, login.challenge.expose(), &code, &client()).await;
    assert!(is_invalid(&enrolled), "{enrolled:?}");
    assert!(service.store.factors_of(&user.id).await.unwrap().is_on());
    assert!(answer(&service, &login, &code).await.is_ok(), "the refused attempts used nothing up");
}

#[tokio::test]
async fn of_an_enrolment_complete_no_login() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let enrolment = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
    let code = service.emailed_code();
    let outcome = service.logins.answer_challenge(enrolment_challenge(&enrolment), &code, client()).await;
    assert!(is_invalid(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn of_another_user_are_refused() {
    let service = service(mailing());
    let (alice, mallory) = (service.register("alice").await, service.register("mallory").await);
    let (alices, _) = service.enrol_totp("alice").await;
    let (mallorys, _) = service.enrol_totp("mallory").await;
    service.next_totp_step();
    let own = confirmation(&service, &mallory).await;
    for code in [service.totp_code(&mallorys, 0), service.totp_code(&alices, 0)] {
        let outcome = service.second_factors.remove(&alice, Method::Totp, shown_with(&own, &code)).await;
        assert!(is_invalid(&outcome), "{outcome:?}");
    }
    // Nor is the code of one user right for the challenge of another.
    let asked = service.second_factor_challenge("alice").await;
    assert!(is_wrong(&answer(&service, &asked, &service.totp_code(&mallorys, 0)).await));
}

#[tokio::test]
async fn last_ten_minutes() {
    for (seconds, is_good) in [(599, true), (600, false)] {
        let service = service(mailing());
        service.register("alice").await;
        service.enrol_email("alice").await;
        let challenge = service.second_factor_challenge("alice").await;
        let code = service.emailed_code();
        service.advance(seconds);
        assert_eq!(answer(&service, &challenge, &code).await.is_ok(), is_good, "{seconds}");
    }
}

#[tokio::test]
async fn are_pruned_a_minute_after_they_expire_and_links_after_a_day() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_totp("alice").await;
    service.second_factor_challenge("alice").await;
    reset_link(&service, "alice").await;
    let Ports { store, clock, .. } = service.ports();
    // The enrolment and the challenge expire after ten minutes, the link after thirty.
    for (seconds, expected) in [(11 * 60, 0), (1, 2), (DAY + 19 * 60 - 1, 0), (1, 1)] {
        service.advance(seconds);
        assert_eq!(prune(store.as_ref(), clock.as_ref(), 10).await.unwrap().codes, expected, "{seconds}");
    }
}

#[tokio::test]
async fn that_were_not_issued_here_are_refused_without_a_query() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_email("alice").await;
    let challenge = service.second_factor_challenge("alice").await;
    let (code, text) = (service.emailed_code(), challenge.challenge.expose().to_owned());
    let calls = service.store.calls();
    for place in 0..text.len() {
        let digit = if &text[place..=place] == "0" { "1" } else { "0" };
        let altered = format!("{}{digit}{}", &text[..place], &text[place + 1..]);
        assert!(is_invalid(&service.logins.answer_challenge(&altered, &code, client()).await), "at {place}");
    }
    for other in ["", "0", &text[..95], &text.to_uppercase()] {
        assert!(is_invalid(&service.logins.answer_challenge(other, &code, client()).await), "{other}");
    }
    assert_eq!(service.store.calls(), calls, "the storage is not queried");
    assert!(answer(&service, &challenge, &code).await.is_ok());
}

#[tokio::test]
async fn are_issued_only_where_a_second_factor_is_required() {
    for (required, expected) in [(RequiredFor::Nobody, None), (RequiredFor::All, Some(vec![Method::Email]))] {
        let service = service(requiring(required));
        let user = service.register("alice").await;
        match service.second_factors.challenge(&user, &client()).await {
            Err(AccountError::NoSecondFactor) => assert_eq!(expected, None),
            asked => assert_eq!(asked.ok().map(|challenge| challenge.methods), expected),
        }
    }
}

/// An attacker who knows the password opens as many challenges as one client IP may. The user's challenge stays open for its ten
/// minutes.
#[tokio::test]
async fn opened_by_an_attacker_from_one_client_ip_do_not_end_the_users() {
    let service = service(mailing());
    service.register("alice").await;
    let (secret, _) = service.enrol_totp("alice").await;
    let login = async |ip: &str| service.logins.login(&named("alice"), &raw(PASSWORD), from(ip)).await;
    let attack = async |at_least: usize| {
        let mut opened = 0;
        while let Ok(LoginOutcome::SecondFactorRequired(_)) = login("198.51.100.7").await {
            opened += 1;
        }
        assert!(opened >= at_least, "{opened}");
        assert!(is_throttled(&login("198.51.100.7").await));
    };
    let Ok(LoginOutcome::SecondFactorRequired(_)) = login("198.51.100.7").await else { panic!("a challenge") };
    service.advance(10 * 60 - 1);
    let Ok(LoginOutcome::SecondFactorRequired(own)) = login("192.0.2.1").await else { panic!("a challenge") };
    attack(9).await;
    service.advance(1);
    attack(10).await;
    service.next_totp_step();
    assert!(answer(&service, &own, &service.totp_code(&secret, 0)).await.is_ok());
}
