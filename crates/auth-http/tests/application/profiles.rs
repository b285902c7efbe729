//! The profiles of users without an email address, over HTTP.

use actix_web::http::Method;
use auth_accounts::account::NewUser;
use auth_accounts::ports::Accounts;
use auth_conformance::{hash_of, new_user};
use auth_http::routes::{Routes, standard};
use serde_json::{Value, json};

use crate::fixture::*;

const ME: &str = "/api/users/me/";

async fn put(client: &TestClient, method: Method, token: &str, body: &Value) -> Answer {
    client.send(request(method, ME, Some(token)).set_json(body)).await
}

#[actix_web::test]
async fn a_missing_email_address_is_shown_as_empty_and_may_be_sent_back() {
    let fixture = Fixture::new();
    let new = NewUser { email: None, ..new_user("alice") };
    fixture.service.store.create(&new, &hash_of(PASSWORD)).await.unwrap().unwrap();
    let client = TestClient::of(fixture.application(Routes::new(standard()))).await;
    let token = client.login("alice").await.json()["access"].as_str().unwrap().to_owned();
    let profile = client.get(ME, Some(&token)).await.json();
    assert_eq!(profile["email"], "");
    for (method, body) in [
        (Method::PUT, profile.clone()),
        (Method::PATCH, json!({"email": ""})),
        (Method::PATCH, json!({"email": "  ", "first_name": "First"})),
    ] {
        let answer = put(&client, method, &token, &body).await;
        assert_eq!((answer.status, answer.json()), (200, profile.clone()), "{body}");
    }
    assert_eq!(fixture.service.user("alice").await.email, None);
    let answer = put(&client, Method::PATCH, &token, &json!({"email": "nope"})).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    let answer = put(&client, Method::PATCH, &token, &json!({"email": "alice@example.com"})).await;
    assert_eq!((answer.status, &answer.json()["email"]), (200, &json!("alice@example.com")));
    // An existing email address cannot be removed.
    for method in [Method::PUT, Method::PATCH] {
        let answer = put(&client, method, &token, &json!({"username": "alice", "email": ""})).await;
        assert_eq!((answer.status, answer.json()), (400, json!({"email": ["This field may not be blank."]})));
    }
}
