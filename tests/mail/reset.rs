//! A forgotten password: from the request to the login with the new one.

use libtest_mimic::Trial;
use serde_json::json;

use crate::stage::{BASE_URL, NEW_PASSWORD, Stage, cases};
use crate::support::{Answer, Database, PASSWORD, Pair};

pub(crate) fn trials() -> Vec<Trial> {
    cases!(on_both: a_reset_ends_every_session, nobody_is_told_whether_there_is_an_account)
}

async fn a_reset_ends_every_session(database: Database) {
    let stage = Stage::of(database);
    let (one, other) = (stage.api.newcomer("alice").await, stage.api.login("alice").await);
    let request = stage.api.client.post(format!("{}/api/password-reset/", stage.api.url));
    // Neither the Host nor a forwarded one gets into the link (SEC-092, SEC-114).
    let request = request.header("Host", "evil.example").header("X-Forwarded-Host", "evil.example");
    let asked = Answer::of(request.json(&json!({"email": "ALICE@example.com"})).send().await.unwrap()).await;
    assert_eq!(asked.status, 202, "{}", asked.text);

    let letter = stage.postbox.nth("alice@example.com", 1).await;
    assert!(letter.link().starts_with(BASE_URL) && !letter.raw.contains("evil"), "{}", letter.raw);
    let confirmed = stage.confirm_reset(letter.token(), NEW_PASSWORD).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    assert_eq!(confirmed.json(), json!({"detail": "Password has been reset."}), "it logs nobody in");

    for pair in [one, other] {
        assert_eq!(stage.api.refresh(&pair.refresh).await.status, 401);
        assert_eq!(stage.api.me(&pair.access).await.status, 401);
    }
    assert_eq!(stage.try_login("alice", PASSWORD).await.status, 401);
    Pair::of(&stage.try_login("alice", NEW_PASSWORD).await);
    let again = stage.confirm_reset(letter.token(), PASSWORD).await;
    assert_eq!(again.status, 400);
    assert_eq!(again.json(), json!({"token": ["Token is invalid or expired."]}));
    assert!(stage.postbox.nth("alice@example.com", 2).await.subject.contains("password"));
}

async fn nobody_is_told_whether_there_is_an_account(database: Database) {
    let stage = Stage::with(database, |options| options.env("AUTH__MAIL__WORKERS", "1"));
    stage.api.register("alice").await;
    stage.api.register("bob").await;
    stage.server.users("deactivate", "bob");
    let known = stage.forget("alice@example.com").await;
    for email in ["nobody@example.com", "bob@example.com"] {
        let answer = stage.forget(email).await;
        assert_eq!((answer.status, &answer.text), (known.status, &known.text), "{email}");
    }
    // What was asked for after them is looked into after them.
    stage.api.register("carol").await;
    stage.forget("carol@example.com").await;
    stage.postbox.nth("carol@example.com", 1).await;
    let recipients: Vec<_> = stage.postbox.letters().into_iter().flat_map(|letter| letter.to).collect();
    assert_eq!(recipients, ["alice@example.com", "carol@example.com"]);
}
