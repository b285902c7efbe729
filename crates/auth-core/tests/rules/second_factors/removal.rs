//! Switching one off.

use super::*;

#[tokio::test]
async fn takes_password_and_code_and_is_told() {
    let world = world(mailing());
    let user = world.register("alice").await.unwrap();
    let (secret, codes) = world.enrol_totp("alice").await;
    world.next_step();
    world.deliver_all().await;
    let missing = world.factors.remove(&user, Method::Totp, shown(PASSWORD)).await;
    assert!(matches!(missing, Err(AuthError::ChallengeMissing)), "{missing:?}");
    let challenge = confirmation(&world, &user).await;
    let right = world.code_of(&secret, 0);
    let shown = Shown { password: raw("Wrong-horse-42"), ..shown_with(&challenge, &right) };
    let refused = world.factors.remove(&user, Method::Totp, shown).await;
    assert!(matches!(refused, Err(AuthError::WrongPassword)), "{refused:?}");
    assert!(is_wrong(&world.factors.remove(&user, Method::Totp, shown_with(&challenge, &other_than(&right))).await));
    assert_eq!(world.waiting(), []);
    world.factors.remove(&user, Method::Totp, shown_with(&challenge, &right)).await.unwrap();
    assert_eq!(world.store.factors_of(user.id).await.unwrap(), Factors::default(), "the recovery codes go too");
    let mails = world.deliver_all().await;
    assert_eq!(mails.iter().map(|mail| mail.kind).collect::<Vec<_>>(), [MailKind::SecondFactorRemoved]);
    assert_eq!(mails[0].content.get(Fact::Method), Some("totp"));
    assert!(world.try_login("alice", PASSWORD).await.is_ok());
    drop(codes);
}

#[tokio::test]
async fn of_what_is_not_on_is_refused() {
    let world = world(mailing());
    let user = world.register("alice").await.unwrap();
    world.enrol_email("alice").await;
    for method in [Method::Totp, Method::RecoveryCode] {
        let refused = world.factors.remove(&user, method, shown(PASSWORD)).await;
        assert!(matches!(refused, Err(AuthError::NoSecondFactor)), "{method:?}: {refused:?}");
    }
}

#[tokio::test]
async fn ends_what_the_method_could_answer() {
    let world = world(mailing());
    let user = world.register("alice").await.unwrap();
    let (secret, _) = world.enrol_totp("alice").await;
    world.next_step();
    let open = world.asked("alice").await;
    let challenge = confirmation(&world, &user).await;
    let shown = shown_with(&challenge, &world.code_of(&secret, 0));
    world.factors.remove(&user, Method::Totp, shown).await.unwrap();
    world.next_step();
    assert!(is_invalid(&answer(&world, &open, &world.code_of(&secret, 0)).await));
}

#[tokio::test]
async fn by_an_administrator_is_for_those_who_lost_theirs() {
    let world = world(mailing());
    world.register("alice").await.unwrap();
    let (_, codes) = world.enrol_totp("alice").await;
    world.deliver_all().await;
    let open = world.asked("alice").await;
    world.act("alice", Action::RemoveSecondFactors).await;
    let again = world.administration.act("alice", &Action::RemoveSecondFactors).await.unwrap();
    assert_eq!(again, Outcome::NothingToDo);
    assert!(is_invalid(&answer(&world, &open, &codes[0].expose()).await), "old recovery codes open nothing");
    assert!(world.try_login("alice", PASSWORD).await.is_ok());
    let sent: Vec<_> = world.deliver_all().await.iter().map(|mail| mail.kind).collect();
    assert_eq!(sent, [MailKind::SecondFactorRemoved], "told once");
}

#[tokio::test]
async fn where_it_is_required_leaves_codes_by_mail() {
    let world = world(with_accounts(|accounts| accounts.second_factor = RequiredFor::All));
    let user = world.register("alice").await.unwrap();
    // What a login takes, switching one on takes too.
    let missing = world.factors.enrol(&user, Method::Totp, shown(PASSWORD)).await;
    assert!(matches!(missing, Err(AuthError::ChallengeMissing)), "{missing:?}");
    let challenge = confirmation(&world, &user).await;
    let shown = shown_with(&challenge, &world.mailed_code());
    let begun = world.factors.enrol(&user, Method::Totp, shown).await.unwrap();
    let Enrolment::Totp { challenge, secret, .. } = begun else { panic!("an authenticator") };
    world.factors.confirm(&user, challenge.expose(), &world.code_of(&secret, 0), &client()).await.unwrap();
    assert_eq!(world.asked("alice").await.methods, [Method::Totp, Method::RecoveryCode], "mail does not stand in");
    world.act("alice", Action::RemoveSecondFactors).await;
    assert_eq!(world.asked("alice").await.methods, [Method::Email]);
}
