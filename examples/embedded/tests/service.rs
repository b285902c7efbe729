//! The example over HTTP, on a free port in this process.
#![allow(clippy::unwrap_used, reason = "a test whose fixture cannot be set up has failed")]

use actix_web::{App, HttpServer};
use auth_core::user::UserId;
use auth_crypto::{KeyRing, RingOptions, SigningKey, generate_ed25519_pem};
use embedded::Service;
use embedded::store::Store;
use reqwest::{Client, Response};
use serde_json::{Value, json};

const EMAIL: &str = "alice@example.com";
const PASSWORD: &str = "correct horse";

/// A client of a server in this process.
struct TestClient {
    url: String,
    client: Client,
}

impl TestClient {
    fn of(store: Store) -> Self {
        let key = SigningKey::from_pem(None, &generate_ed25519_pem().unwrap()).unwrap();
        let service = Service::new(store, KeyRing::new(key, Vec::new(), RingOptions::default()).unwrap()).unwrap();
        let server = HttpServer::new(move || App::new().configure(|config| service.configure(config)));
        let server = server.workers(1).disable_signals().bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        Self { url, client: Client::builder().no_proxy().build().unwrap() }
    }

    async fn get(&self, path: &str, token: Option<&str>) -> Response {
        let request = self.client.get(format!("{}{path}", self.url));
        token.into_iter().fold(request, |request, token| request.bearer_auth(token)).send().await.unwrap()
    }

    async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Response {
        let request = self.client.post(format!("{}{path}", self.url)).json(&body);
        token.into_iter().fold(request, |request, token| request.bearer_auth(token)).send().await.unwrap()
    }

    async fn login(&self, password: &str) -> Response {
        self.post("/login", None, json!({"email": EMAIL, "password": password})).await
    }
}

/// Returns a store with one user, and the user ID.
fn store() -> (Store, UserId) {
    let store = Store::default();
    let id = store.add_user(EMAIL, bcrypt::hash(PASSWORD, 4).unwrap());
    (store, id)
}

#[actix_web::test]
async fn a_host_user_logs_in_refreshes_and_logs_out() {
    let (store, id) = store();
    let client = TestClient::of(store);
    let pair: Value = client.login(PASSWORD).await.json().await.unwrap();
    let (access, refresh) = (pair["access"].as_str().unwrap(), &pair["refresh"]);
    let user: Value = client.get("/whoami", Some(access)).await.json().await.unwrap();
    assert_eq!(user, json!({"id": id.to_string(), "email": EMAIL}));

    let answer = client.post("/auth/api/token/refresh/", None, json!({"refresh": refresh})).await;
    assert_eq!(answer.status(), 200);
    let next: Value = answer.json().await.unwrap();
    // Reuse of a refresh token revokes the session, and with it the successor.
    assert_eq!(client.post("/auth/api/token/refresh/", None, json!({"refresh": refresh})).await.status(), 401);

    let pair: Value = client.login(PASSWORD).await.json().await.unwrap();
    let access = pair["access"].as_str().unwrap();
    assert_eq!(client.post("/auth/api/logout/", Some(access), json!({"all": true})).await.status(), 200);
    assert_eq!(client.get("/whoami", Some(access)).await.status(), 401);
    assert_eq!(client.post("/auth/api/token/refresh/", None, json!({"refresh": next["refresh"]})).await.status(), 401);
}

#[actix_web::test]
async fn refuses_wrong_credentials_and_inactive_users() {
    let client = TestClient::of(store().0);
    for (body, status) in [
        (json!({"email": EMAIL, "password": "wrong"}), 401),
        (json!({"email": "bob@example.com", "password": PASSWORD}), 401),
        (json!({"email": EMAIL}), 400),
    ] {
        assert_eq!(client.post("/login", None, body.clone()).await.status(), status, "{body}");
    }
    let (store, _) = store();
    store.change_user(EMAIL, |user| user.is_active = false);
    let answer = TestClient::of(store).login(PASSWORD).await;
    assert_eq!(answer.status(), 401);
    assert_eq!(answer.json::<Value>().await.unwrap()["code"], "user_inactive");
}

#[actix_web::test]
async fn rules_guard_the_routes_of_the_host() {
    let (store, _) = store();
    store.add_user("dora@example.com", bcrypt::hash(PASSWORD, 4).unwrap());
    store.change_user("dora@example.com", |user| user.is_staff = true);
    let client = TestClient::of(store);
    let access = async |email: &str| {
        let answer = client.post("/login", None, json!({"email": email, "password": PASSWORD})).await;
        answer.json::<Value>().await.unwrap()["access"].as_str().unwrap().to_owned()
    };
    let (alice, dora) = (access(EMAIL).await, access("dora@example.com").await);
    for (path, expected) in [("/", [200, 200, 200]), ("/whoami", [401, 200, 200]), ("/users", [401, 403, 200])] {
        for (bearer, expected) in [None, Some(&*alice), Some(&*dora)].into_iter().zip(expected) {
            assert_eq!(client.get(path, bearer).await.status(), expected, "{path}");
        }
    }
}

#[actix_web::test]
async fn documents_are_served_under_the_prefix() {
    let client = TestClient::of(store().0);
    let keys: Value = client.get("/auth/.well-known/jwks.json", None).await.json().await.unwrap();
    assert_eq!(keys["keys"].as_array().unwrap().len(), 1);
    let document: Value = client.get("/auth/api/schema/", None).await.json().await.unwrap();
    assert!(document["paths"]["/auth/api/token/refresh/"].is_object());
    assert!(document["paths"]["/auth/api/register/"].is_null());
    assert_eq!(client.post("/auth/api/token/", None, json!({})).await.status(), 404);
}
