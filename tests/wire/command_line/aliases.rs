//! The alternative spellings of the paths that tutorials use (`http.aliases`).

use auth_tests::ServerOptions;
use auth_tests::cases::Once;
use auth_tests::{Answer, Database, PASSWORD, TestClient, TokenPair, cases};
use libtest_mimic::Trial;
use reqwest::StatusCode;
use serde_json::json;

use super::fixture::Fixture;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        Once =>
            serves_aliases_if_enabled,
            does_not_serve_aliases_if_disabled
    ]
}

const ALIASES: [&str; 4] = ["/accounts/register/", "/accounts/token/", "/accounts/token/refresh/", "/logout_token/"];

fn fixture(aliases: &str) -> Fixture {
    let options = ServerOptions::new("simplejwt", None).env("AUTH__HTTP__ALIASES", aliases);
    Fixture::with(Database::sqlite(), options)
}

async fn without_slash(api: &TestClient, path: &str) -> Answer {
    api.post(path.trim_end_matches('/'), None, json!({})).await
}

async fn serves_aliases_if_enabled() {
    let fixture = fixture("true");
    let api = &fixture.client;
    let account = json!({
        "username": "alice", "email": "alice@example.com", "first_name": "Al", "password": PASSWORD,
        "password2": PASSWORD,
    });
    assert_eq!(api.post("/accounts/register/", None, account).await.status, 201);
    let login = json!({"username": "alice", "password": PASSWORD});
    let pair = TokenPair::of(&api.post("/accounts/token/", None, login).await);
    let pair = TokenPair::of(&api.post("/accounts/token/refresh/", None, json!({"refresh": pair.refresh})).await);
    let body = json!({"refresh_token": pair.refresh});
    // The guard applies to the alias as well.
    assert_eq!(api.post("/logout_token/", None, body.clone()).await.status, 401);
    let answer = api.post("/logout_token/", Some(&pair.access), body).await;
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, json!({"status": "OK, goodbye"})));
    assert_eq!(api.refresh(&pair.refresh).await.status, 401);
    for path in ALIASES {
        let answer = without_slash(api, path).await;
        assert_eq!((answer.status.as_u16(), answer.headers["location"].to_str().unwrap()), (308, path));
    }
    // The standard paths are still served.
    fixture.client.login("alice").await;
}

async fn does_not_serve_aliases_if_disabled() {
    let fixture = fixture("false");
    for path in ALIASES {
        for answer in [fixture.client.post(path, None, json!({})).await, without_slash(&fixture.client, path).await] {
            assert_eq!((answer.status, answer.json()), (StatusCode::NOT_FOUND, json!({"detail": "Not found."})));
        }
    }
    fixture.client.register_and_login("alice").await;
}
