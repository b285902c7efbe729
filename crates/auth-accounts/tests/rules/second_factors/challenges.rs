//! Challenges: what they confirm, and for how long.

use auth_accounts::service::{Ports, prune};

use super::*;

#[tokio::test]
async fn take_their_own_codes_only() {
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
    // Two challenges at once: a second one does not end the first.
    assert!(answer(&service, &first, &first_code).await.is_ok());
    assert!(answer(&service, &second, &second_code).await.is_ok());
}

#[tokio::test]
async fn are_good_for_what_they_were_made_for() {
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
    assert!(answer(&service, &login, &code).await.is_ok(), "what was refused so used nothing up");
}

#[tokio::test]
async fn of_an_enrolment_do_not_log_in() {
    let service = service(mailing());
    let user = service.register("alice").await;
    let enrolment = service.second_factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
    let code = service.emailed_code();
    let outcome = service.logins.answer_challenge(enrolment_challenge(&enrolment), &code, client()).await;
    assert!(is_invalid(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn of_another_user_confirm_nothing() {
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
    // Nor does one's own code answer what another was asked.
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
async fn that_have_expired_are_pruned_after_a_minute_and_links_after_a_day() {
    let service = service(mailing());
    service.register("alice").await;
    service.enrol_totp("alice").await;
    service.second_factor_challenge("alice").await;
    reset_link(&service, "alice").await;
    let Ports { store, clock, .. } = service.ports();
    // The code of the enrolment and the challenge last ten minutes, the link lasts thirty.
    for (seconds, expected) in [(11 * 60, 0), (1, 2), (DAY + 19 * 60 - 1, 0), (1, 1)] {
        service.advance(seconds);
        assert_eq!(prune(store.as_ref(), clock.as_ref(), 10).await.unwrap().codes, expected, "{seconds}");
    }
}

#[tokio::test]
async fn that_are_not_ours_are_refused_and_cost_nothing() {
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
    assert_eq!(service.store.calls(), calls, "nobody asks the storage for what we did not write");
    assert!(answer(&service, &challenge, &code).await.is_ok());
}

#[tokio::test]
async fn are_for_those_who_have_a_second_factor() {
    for (required, expected) in [(RequiredFor::Nobody, None), (RequiredFor::All, Some(vec![Method::Email]))] {
        let service = service(requiring(required));
        let user = service.register("alice").await;
        match service.second_factors.challenge(&user, &client()).await {
            Err(AccountError::NoSecondFactor) => assert_eq!(expected, None),
            asked => assert_eq!(asked.ok().map(|challenge| challenge.methods), expected),
        }
    }
}

/// Whoever knows the password opens as many as they may from one client IP; the one that the owner is about to answer stays
/// open. A challenge lasts ten minutes.
#[tokio::test]
async fn that_others_open_from_one_client_ip_do_not_end_the_owners() {
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
