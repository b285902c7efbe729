//! A reset with the link of a mail.

use super::*;

#[tokio::test]
async fn sets_the_password_once_and_logs_nobody_in() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let link = world.reset_link("alice").await;
    world.events.taken();
    world.reset(&link, NEW_PASSWORD).await.unwrap();
    assert_eq!(world.store.sessions(), []);
    assert_eq!(world.event_kinds(), [EventKind::PasswordReset]);
    assert!(is_bad_link(&world.reset(&link, "Third-horse-45").await));
    assert!(world.has_password("alice", NEW_PASSWORD).await);
    let mails = world.deliver_all().await;
    assert_eq!(mails.iter().map(|mail| mail.kind).collect::<Vec<_>>(), [MailKind::PasswordChanged]);
}

#[tokio::test]
async fn works_once_for_any_number_at_once() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let link = world.reset_link("alice").await;
    world.eventful.yield_at_each_call();
    let mut resets = tokio::task::JoinSet::new();
    for number in 0..20 {
        let (accounts, link, new) = (world.accounts.clone(), link.clone(), format!("Another-horse-{number}"));
        resets.spawn(async move {
            let rules = auth_core::password::PasswordPolicy::default();
            accounts.confirm_reset(&link, raw(&new), &rules, &client()).await.map(|()| new)
        });
    }
    let outcomes = resets.join_all().await;
    assert_eq!(outcomes.iter().filter(|outcome| is_bad_link(outcome)).count(), 19);
    let won = outcomes.into_iter().find_map(Result::ok).unwrap();
    assert!(world.has_password("alice", &won).await);
    assert_eq!(world.waiting().len(), 1, "told once");
}

#[tokio::test]
async fn works_for_thirty_minutes_to_the_second() {
    for (seconds, is_good) in [(0, true), (30 * MINUTE - 1, true), (30 * MINUTE, false), (30 * MINUTE + 1, false)] {
        let world = world(mailing());
        world.register("alice").await.unwrap();
        let link = world.reset_link("alice").await;
        world.advance(seconds);
        // Of a link that is over nothing else is said, either.
        assert_eq!(is_bad_link(&world.reset(&link, "short").await), !is_good, "{seconds}");
        assert_eq!(world.reset(&link, NEW_PASSWORD).await.is_ok(), is_good, "{seconds}");
    }
}

#[tokio::test]
async fn is_refused_when_the_clock_was_moved_back() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let link = world.reset_link("alice").await;
    let made_at = world.now();
    let set = |seconds| world.clock.set(auth_core::time::UnixTime::from_seconds(made_at + seconds));
    for seconds in [-3_600, -61] {
        set(seconds);
        assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await), "{seconds}");
    }
    // The clocks of two machines may differ a little.
    set(-60);
    assert!(world.reset(&link, NEW_PASSWORD).await.is_ok());
}

/// The code could be used when it was looked at, and not any more when it was written.
#[tokio::test]
async fn is_judged_at_the_write() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let link = world.reset_link("alice").await;
    world.advance(30 * MINUTE - 1);
    let clock = world.clock.clone();
    world.eventful.before("find_user", async move { clock.advance(Seconds::new(1)) });
    assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await));
    assert!(world.has_password("alice", PASSWORD).await);
}

#[tokio::test]
async fn of_a_refused_password_does_not_burn_the_link() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let link = world.reset_link("alice").await;
    for weak in ["short", "password123", "alice@example.com"] {
        let refused = world.reset(&link, weak).await;
        assert!(matches!(refused, Err(AuthError::Account(AccountFault::WeakPassword(_)))), "{weak}: {refused:?}");
    }
    assert!(world.reset(&link, NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn works_with_the_newest_link_alone() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let (older, newer) = (world.reset_link("alice").await, world.reset_link("alice").await);
    assert!(is_bad_link(&world.reset(&older, NEW_PASSWORD).await));
    assert!(world.reset(&newer, NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn ends_with_another_password_address_or_state() {
    let world = world(mailing());
    let user = world.register("alice").await.unwrap();
    let rename = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };

    let link = world.reset_link("alice").await;
    let hash = auth_conformance::hash_of(PASSWORD);
    world.store.set_password(&NewPassword::new(user.id, hash), world.clock_now()).await.unwrap();
    assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await), "after another password");

    let link = world.reset_link("alice").await;
    world.act("alice", Action::Deactivate).await;
    assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await), "of an inactive account");
    world.act("alice", Action::Activate).await;

    let link = world.reset_link("alice").await;
    let caller = Caller { user, session: None };
    world.accounts.update_profile(caller, rename, None, &client()).await.unwrap();
    assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await), "after another address");
    assert!(world.has_password("alice", PASSWORD).await);
}

#[tokio::test]
async fn ends_with_an_address_that_was_proven() {
    let world = world(with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional));
    let user = world.register("alice").await.unwrap();
    world.deliver_all().await;
    let link = world.reset_link("alice").await;
    let change = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
    let caller = Caller { user, session: None };
    world.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await.unwrap();
    let proof = token_of(&world.deliver_all().await, MailKind::EmailChange);
    world.accounts.verify_email(&proof, &client()).await.unwrap();
    assert!(is_bad_link(&world.reset(&link, NEW_PASSWORD).await));
}

#[tokio::test]
async fn proves_the_address_that_the_link_went_to() {
    let world = world(with_accounts(|accounts| accounts.email_verification = EmailVerification::Required));
    world.register("alice").await.unwrap();
    world.deliver_all().await;
    assert!(matches!(world.try_login("alice", PASSWORD).await, Err(AuthError::EmailNotVerified)));
    let link = world.reset_link("alice").await;
    world.reset(&link, NEW_PASSWORD).await.unwrap();
    assert!(world.stored("alice").await.email_verified_at.is_some());
    assert!(world.try_login("alice", NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn ends_every_session() {
    let world = world(mailing());
    let user = world.register("alice").await.unwrap();
    let (one, two) = (world.login("alice").await, world.login("alice").await);
    let link = world.reset_link("alice").await;
    world.reset(&link, NEW_PASSWORD).await.unwrap();
    for pair in [&one, &two] {
        assert!(matches!(world.tokens.authenticate(&access_of(pair)).await, Err(AuthError::PasswordChanged)));
        assert_eq!(fault(world.refresh(pair).await), Some(TokenFault::Revoked));
    }
    for session in world.store.sessions() {
        let found = world.store.find_session(session.id).await.unwrap().unwrap();
        assert_eq!((found.user.id, found.session.revoke_reason), (user.id, Some(RevokeReason::PasswordChanged)));
    }
}

#[tokio::test]
async fn forgives_the_waits_of_the_login() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let link = world.reset_link("alice").await;
    for _ in 0..10 {
        assert!(matches!(world.try_login("alice", "Wrong-horse-42").await, Err(AuthError::BadCredentials)));
    }
    assert!(matches!(world.try_login("alice", PASSWORD).await, Err(AuthError::Throttled { .. })));
    world.reset(&link, NEW_PASSWORD).await.unwrap();
    assert!(world.try_login("alice", NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn does_not_go_round_the_second_factor() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let (secret, _) = world.enrol_totp("alice").await;
    let link = world.reset_link("alice").await;
    world.reset(&link, NEW_PASSWORD).await.unwrap();
    let Err(AuthError::SecondFactorRequired(challenge)) = world.try_login("alice", NEW_PASSWORD).await else {
        panic!("the second factor is asked for");
    };
    world.next_step();
    let code = world.code_of(&secret, 0);
    assert!(world.tokens.answer_challenge(challenge.challenge.expose(), &code, client()).await.is_ok());
}

#[tokio::test]
async fn takes_the_token_of_a_link_to_reset_and_no_other() {
    let world = world(with_accounts(|accounts| accounts.email_verification = EmailVerification::Optional));
    let user = world.register("alice").await.unwrap();
    let verification = token_of(&world.deliver_all().await, MailKind::EmailVerification);
    let change = ProfileChange { email: Some(email("new@example.com")), ..ProfileChange::default() };
    let caller = Caller { user, session: None };
    world.accounts.update_profile(caller, change, Some(&shown(PASSWORD)), &client()).await.unwrap();
    let address = token_of(&world.deliver_all().await, MailKind::EmailChange);
    let reset = world.reset_link("alice").await;
    for token in [&verification, &address] {
        assert!(is_bad_link(&world.reset(token, NEW_PASSWORD).await));
    }
    assert!(is_bad_link(&world.accounts.verify_email(&reset, &client()).await));
    // Each is good for what it is for.
    assert!(world.reset(&reset, NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn refuses_altered_tokens_and_those_of_others() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    world.register("mallory").await.unwrap();
    let (alice, mallory) = (world.reset_link("alice").await, world.reset_link("mallory").await);
    for place in 0..alice.len() {
        let digit = if &alice[place..=place] == "0" { "1" } else { "0" };
        let altered = format!("{}{digit}{}", &alice[..place], &alice[place + 1..]);
        assert!(is_bad_link(&world.reset(&altered, NEW_PASSWORD).await), "at {place}");
    }
    let mixed = [format!("{}{}", &alice[..32], &mallory[32..]), format!("{}{}", &mallory[..32], &alice[32..])];
    for token in mixed.iter().map(String::as_str).chain(["", "0", &alice[..95], &alice.to_uppercase()]) {
        assert!(is_bad_link(&world.reset(token, NEW_PASSWORD).await), "{token}");
    }
    world.reset(&mallory, NEW_PASSWORD).await.unwrap();
    assert!(world.has_password("alice", PASSWORD).await, "it opens its own account only");
    assert!(world.reset(&alice, NEW_PASSWORD).await.is_ok());
}

#[tokio::test]
async fn leaves_nothing_of_the_token_in_the_storage() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let link = world.reset_link("alice").await;
    let stored = world.codes_for(CodePurpose::PasswordReset).remove(0);
    let secret = &link[32..];
    let hex: String = stored.mac.unwrap().bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_ne!(hex, secret);
    assert_eq!(link.len(), 96, "the name of the code and 256 bits");
    assert!(!format!("{stored:?}").contains(secret));
}
