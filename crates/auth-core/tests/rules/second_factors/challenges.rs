//! What a challenge is good for, and for how long.

use super::*;

#[tokio::test]
async fn take_their_own_codes_only() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    world.enrol_email("alice").await;
    let first = world.asked("alice").await;
    let first_code = world.mailed_code();
    let second = world.asked("alice").await;
    let second_code = world.mailed_code();
    assert_ne!(first_code, second_code);
    assert!(is_wrong(&answer(&world, &first, &second_code).await));
    assert!(is_wrong(&answer(&world, &second, &first_code).await));
    // Side by side: somebody who asks for one does not end the other.
    assert!(answer(&world, &first, &first_code).await.is_ok());
    assert!(answer(&world, &second, &second_code).await.is_ok());
}

#[tokio::test]
async fn are_good_for_what_they_were_made_for() {
    let world = world(mailing());
    let user = world.register("alice").await.unwrap();
    let (secret, _) = world.enrol_totp("alice").await;
    world.next_step();
    let (login, confirmation) = (world.asked("alice").await, confirmation(&world, &user).await);
    let code = world.code_of(&secret, 0);
    let removal = world.factors.remove(&user, Method::Totp, shown_with(&login, &code)).await;
    assert!(is_invalid(&removal), "{removal:?}");
    let logged_in = answer(&world, &confirmation, &code).await;
    assert!(is_invalid(&logged_in), "{logged_in:?}");
    let enrolled = world.factors.confirm(&user, login.challenge.expose(), &code, &client()).await;
    assert!(is_invalid(&enrolled), "{enrolled:?}");
    assert!(world.store.factors_of(user.id).await.unwrap().is_on());
    assert!(answer(&world, &login, &code).await.is_ok(), "what was refused so used nothing up");
}

#[tokio::test]
async fn of_an_enrolment_do_not_log_in() {
    let world = world(mailing());
    let user = world.register("alice").await.unwrap();
    let enrolment = world.factors.enrol(&user, Method::Email, shown(PASSWORD)).await.unwrap();
    let code = world.mailed_code();
    let outcome = world.tokens.answer_challenge(enrolment_challenge(&enrolment), &code, client()).await;
    assert!(is_invalid(&outcome), "{outcome:?}");
}

#[tokio::test]
async fn of_another_user_confirm_nothing() {
    let world = world(mailing());
    let (alice, mallory) = (world.register("alice").await.unwrap(), world.register("mallory").await.unwrap());
    let (alices, _) = world.enrol_totp("alice").await;
    let (mallorys, _) = world.enrol_totp("mallory").await;
    world.next_step();
    let own = confirmation(&world, &mallory).await;
    for code in [world.code_of(&mallorys, 0), world.code_of(&alices, 0)] {
        let outcome = world.factors.remove(&alice, Method::Totp, shown_with(&own, &code)).await;
        assert!(is_invalid(&outcome), "{outcome:?}");
    }
    // Nor does one's own code answer what another was asked.
    let asked = world.asked("alice").await;
    assert!(is_wrong(&answer(&world, &asked, &world.code_of(&mallorys, 0)).await));
}

#[tokio::test]
async fn last_ten_minutes() {
    for (seconds, is_good) in [(599, true), (600, false)] {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        world.enrol_email("alice").await;
        let challenge = world.asked("alice").await;
        let code = world.mailed_code();
        world.advance(seconds);
        assert_eq!(answer(&world, &challenge, &code).await.is_ok(), is_good, "{seconds}");
    }
}

#[tokio::test]
async fn that_are_not_ours_are_refused_and_cost_nothing() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    world.enrol_email("alice").await;
    let challenge = world.asked("alice").await;
    let (code, text) = (world.mailed_code(), challenge.challenge.expose().to_owned());
    let calls = world.store.calls();
    for place in 0..text.len() {
        let digit = if &text[place..=place] == "0" { "1" } else { "0" };
        let altered = format!("{}{digit}{}", &text[..place], &text[place + 1..]);
        assert!(is_invalid(&world.tokens.answer_challenge(&altered, &code, client()).await), "at {place}");
    }
    for other in ["", "0", &text[..95], &text.to_uppercase()] {
        assert!(is_invalid(&world.tokens.answer_challenge(other, &code, client()).await), "{other}");
    }
    assert_eq!(world.store.calls(), calls, "nobody asks the storage for what we did not write");
    assert!(answer(&world, &challenge, &code).await.is_ok());
}

#[tokio::test]
async fn are_for_those_who_have_a_second_factor() {
    for (required, expected) in [(RequiredFor::Nobody, None), (RequiredFor::All, Some(vec![Method::Email]))] {
        let world = world(with_accounts(|accounts| accounts.second_factor = required));
        let user = world.register("alice").await.unwrap();
        match world.factors.challenge(&user, &client()).await {
            Err(AuthError::NoSecondFactor) => assert_eq!(expected, None),
            asked => assert_eq!(asked.ok().map(|challenge| challenge.methods), expected),
        }
    }
}
