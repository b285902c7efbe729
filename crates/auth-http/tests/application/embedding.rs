//! The routes of the service in the application of a host.

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::middleware::from_fn;
use actix_web::{App as Application, HttpResponse, Responder, ResponseError, web};
use auth_accounts::AccountError;
use auth_accounts::account::{AccountFault, Taken};
use auth_accounts::password::PasswordFlaw;
use auth_accounts::service::Ports;
use auth_conformance::PlainSigner;
use auth_core::error::{AuthError, ErrorKind, StoreError};
use auth_core::permission::Rule::{AllowAny, IsAdmin, IsOwner};
use auth_core::time::Seconds;
use auth_core::token::TokenFault;
use auth_http::routes::{AuthRoutes, AuthRoutesBuilder, Endpoint, RouteError, Routes, standard};
use auth_http::{ApiError, CurrentUser, require};
use serde_json::{Value, json};

use crate::fixture::*;

async fn hello(user: CurrentUser) -> impl Responder {
    HttpResponse::Ok().json(json!({"name": user.username()}))
}

async fn home() -> impl Responder {
    "home"
}

/// The host's handler for unknown paths.
async fn lost() -> impl Responder {
    HttpResponse::NotFound().body("lost")
}

/// A host with these routes under `/auth`, and its own routes.
async fn host(builder: AuthRoutesBuilder) -> TestClient {
    let routes = builder.prefix("/auth").build().unwrap();
    let reports = web::scope("/reports")
        .wrap(from_fn(|request, next| require(IsAdmin, request, next)))
        .route("/mine", web::get().to(home))
        .service(web::resource("/{id}").to(home));
    let own = web::resource("/own").wrap(from_fn(|request, next| require(IsOwner | IsAdmin, request, next))).to(home);
    TestClient::of(
        Application::new()
            .route("/", web::get().to(home))
            .configure(|config| routes.configure(config))
            .service(reports)
            .service(own)
            .route("/auth/of-the-host", web::get().to(home))
            .default_service(web::to(lost)),
    )
    .await
}

#[actix_web::test]
async fn a_host_without_account_services_serves_the_token_routes_and_its_own() {
    let fixture = Fixture::new();
    let pair = fixture.service.login("alice").await;
    let (access, refresh) = (pair.access.into_exposed(), pair.refresh.into_exposed());
    let client = host(AuthRoutes::builder(fixture.app()).with(Endpoint::new("/hello/").get(hello))).await;
    assert_eq!(client.get("/hello/", Some(&access)).await.json(), json!({"name": "alice"}));
    client.get("/hello/", None).await.assert_refused(401, NO_CREDENTIALS);
    client.post("/auth/api/token/verify/", None, json!({"token": access})).await.json();
    let next = client.post("/auth/api/token/refresh/", None, json!({"refresh": refresh})).await.json();
    let refresh = &next["refresh"];
    let logout = client.post("/auth/api/logout/", Some(&access), json!({"refresh": refresh})).await;
    assert_eq!(logout.status, 200, "{logout:?}");
    client.get("/hello/", Some(&access)).await.assert_refused(401, BAD_TOKEN);
    assert_eq!(client.get("/auth/readyz", None).await.status, 200);
    for path in ["/auth/api/token/", "/auth/api/register/", "/auth/api/users/me/", "/api/token/refresh/", "/nothing"] {
        let answer = client.post(path, None, json!({})).await;
        assert_eq!((answer.status, &*answer.text), (404, "lost"), "{path}");
    }
}

#[actix_web::test]
async fn routes_of_the_host_are_unchanged() {
    let fixture = Fixture::new();
    let (token, admin) = (fixture.access_token("alice").await, fixture.staff("dora").await);
    let client = host(AuthRoutes::builder(fixture.app())).await;
    for path in ["/", "/auth/of-the-host"] {
        for bearer in [None, Some(&*token), Some("a.b.c")] {
            let answer = client.get(path, bearer).await;
            assert_eq!((answer.status, &*answer.text), (200, "home"), "{path}");
            assert_eq!(answer.header("x-frame-options"), None, "{path}");
        }
    }
    // What is wrapped in `require` is guarded, with the same refusals as the routes of the service.
    for path in ["/reports/mine", "/reports/7", "/own"] {
        let answer = client.get(path, None).await;
        answer.assert_refused(401, NO_CREDENTIALS);
        assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="api""#));
        fixture.service.events.taken();
        // No caller counts as the owner.
        client.get(path, Some(&token)).await.assert_refused(403, FORBIDDEN);
        assert_eq!(fixture.denials().len(), 1, "{path}");
        assert_eq!(client.get(path, Some(&admin)).await.text, "home");
    }
}

#[actix_web::test]
async fn documents_and_redirects_have_the_prefix() {
    let fixture = Fixture::new();
    let builder = AuthRoutes::builder(fixture.app()).accounts(fixture.accounts()).without_registration();
    let client = host(builder.without_health().aliases(true)).await;
    let document = client.get("/auth/api/schema/", None).await.json();
    let paths: Vec<_> = document["paths"].as_object().unwrap().keys().collect();
    assert!(paths.iter().all(|path| path.starts_with("/auth/")), "{paths:?}");
    assert!(paths.iter().any(|path| *path == "/auth/.well-known/jwks.json"), "{paths:?}");
    assert!(!paths.iter().any(|path| path.contains("register") || path.contains("health")), "{paths:?}");
    assert_eq!(client.get("/auth/.well-known/jwks.json", None).await.json(), json!({"keys": []}));
    let answer = client.post("/auth/api/token?x=1", None, json!({})).await;
    assert_eq!((answer.status, answer.header("location")), (308, Some("/auth/api/token/?x=1")));
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
    fixture.service.register("alice").await;
    for path in ["/auth/api/token/", "/auth/accounts/token/"] {
        let credentials = json!({"username": "alice", "password": PASSWORD});
        let answer = client.post(path, None, credentials).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(
            (answer.header("cache-control"), answer.header("x-frame-options")),
            (Some("no-store"), Some("DENY"))
        );
    }
}

#[actix_web::test]
async fn two_services_in_one_application_keep_their_routes_apart() {
    // Each service has its own keys.
    let other_keys = |ports| Ports { signer: Arc::new(PlainSigner::new(7)), ..ports };
    let (staff, customers) = (Fixture::new(), Fixture::over(builder().ports(other_keys).build()));
    let routes = |fixture: &Fixture, prefix: &str| {
        let hello = Endpoint::new(format!("{prefix}/hello")).get(hello);
        AuthRoutes::builder(fixture.app()).accounts(fixture.accounts()).prefix(prefix).with(hello).build().unwrap()
    };
    let (first, second) = (routes(&staff, "/staff"), routes(&customers, "/customers"));
    let inner = Endpoint::new("/hello").get(hello);
    let inner = AuthRoutes::builder(customers.app()).prefix("/auth").with(inner).build().unwrap();
    let both = web::scope("/both")
        .configure(|config| inner.configure(config))
        .app_data(first.app())
        .wrap(from_fn(|request, next| require(IsAdmin | !IsAdmin, request, next)));
    let reports = web::scope("/reports")
        .app_data(first.app())
        .wrap(from_fn(|request, next| require(IsAdmin | !IsAdmin, request, next)))
        .route("/mine", web::get().to(home));
    let client = TestClient::of(
        Application::new()
            .configure(|config| first.configure(config))
            .configure(|config| second.configure(config))
            .service(both)
            .service(reports),
    )
    .await;
    let (alice, bob) = (staff.access_token("alice").await, customers.access_token("bob").await);
    for (path, good, bad) in [
        ("/staff/hello", &alice, &bob),
        ("/customers/hello", &bob, &alice),
        ("/staff/api/users/me/", &alice, &bob),
        ("/customers/api/users/me/", &bob, &alice),
        ("/reports/mine", &alice, &bob),
    ] {
        assert_eq!(client.get(path, Some(good)).await.status, 200, "{path}");
        client.get(path, Some(bad)).await.assert_refused(401, BAD_TOKEN);
    }
    // A caller that one service has authenticated is unknown to the other one.
    for bearer in [&alice, &bob] {
        client.get("/both/hello", Some(bearer)).await.assert_refused(401, BAD_TOKEN);
    }
    for prefix in ["/staff", "/customers"] {
        let answer = client.post(&format!("{prefix}/api/token"), None, json!({})).await;
        let target = format!("{prefix}/api/token/");
        assert_eq!((answer.status, answer.header("location")), (308, Some(&*target)));
    }
}

#[actix_web::test]
async fn two_applications_in_one_process_share_no_state() {
    let (first, second) = (Fixture::new(), Fixture::new());
    let clients = [&first, &second].map(|fixture| TestClient::of(fixture.application(Routes::new(standard()))));
    let mut ids = Vec::new();
    for client in futures_util::future::join_all(clients).await {
        for count in ["0", "1"] {
            let answer = client.get("/healthz", None).await;
            let id = answer.header("x-request-id").unwrap();
            assert_eq!(id.rsplit('-').next(), Some(count), "the counter is shared: {id}");
            ids.push(id.to_owned());
        }
    }
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), 4, "{ids:?}");
}

fn status_of(kind: ErrorKind) -> u16 {
    match kind {
        ErrorKind::Unauthenticated => 401,
        ErrorKind::Forbidden => 403,
        ErrorKind::Invalid => 400,
        ErrorKind::Throttled => 429,
        ErrorKind::Unavailable => 503,
        ErrorKind::Internal => 500,
    }
}

/// As documented in docs/embedding.md, for handlers that use `?`.
#[test]
fn the_status_of_a_token_error_follows_its_kind() {
    for error in [
        AuthError::NothingNamed,
        AuthError::NoOwnSession,
        AuthError::TokenOfAnotherUser,
        AuthError::UserInactive,
        AuthError::UserChanged,
        AuthError::MultiFactorRequired,
        AuthError::NoSubject,
        AuthError::Token(TokenFault::Expired),
        StoreError::unavailable("no connection").into(),
        StoreError::broken("a column is missing").into(),
    ] {
        let (text, status) = (error.to_string(), status_of(error.kind()));
        assert_eq!(ApiError::from(error).error_response().status(), status, "{text}");
    }
}

#[actix_web::test]
async fn the_status_of_an_account_error_follows_its_kind_and_the_body_names_the_field() {
    let retry_after = Seconds::new(7);
    let fields = |name: &str, message: &str| json!({name: [message]});
    let throttled = "Request was throttled. Expected available in 7 seconds.";
    let busy = "Service temporarily unavailable, try again later.";
    for (error, expected) in [
        (AccountError::BadCredentials, json!({"detail": "No active account found with the given credentials"})),
        (
            AccountError::EmailNotVerified,
            json!({"detail": "Email address is not verified.", "code": "email_not_verified"}),
        ),
        (
            AccountError::LoginRequired,
            json!({"detail": "Log in to verify this email address: the account has a second factor.", "code": "login_required"}),
        ),
        (
            AuthError::Token(TokenFault::Expired).into(),
            json!({"detail": "Token is expired", "code": "token_not_valid"}),
        ),
        (AccountError::WrongCode, fields("code", "Invalid code.")),
        (AccountError::ChallengeInvalid, fields("challenge", "Challenge is invalid or expired.")),
        (AccountError::ChallengeMissing, fields("challenge", "This field is required.")),
        (AccountError::NoSecondFactor, fields("method", "This second factor is not enabled.")),
        (AccountError::MethodUnavailable, fields("method", "This second factor is not available here.")),
        (AccountError::BadLink, fields("token", "Token is invalid or expired.")),
        (AccountError::PasswordMissing, fields("password", "This field is required.")),
        (AccountError::WrongPassword, fields("password", "Wrong password.")),
        (AccountFault::Taken(Taken::Username).into(), fields("username", "User with this username already exists.")),
        (AccountFault::Taken(Taken::Email).into(), fields("email", "User with this email already exists.")),
        (AccountFault::BadEmail.into(), fields("email", "Enter a valid email address.")),
        (
            AccountFault::BadUsername.into(),
            fields(
                "username",
                "Enter a valid username. This value may contain only letters, numbers, and @/./+/-/_ characters.",
            ),
        ),
        (AccountFault::BadPersonName.into(), fields("non_field_errors", "Control characters are not allowed.")),
        (
            AccountFault::TooLong(9).into(),
            fields("non_field_errors", "Ensure this field has no more than 9 characters."),
        ),
        (
            AccountFault::WeakPassword(vec![PasswordFlaw::TooCommon]).into(),
            fields("new_password", "This password is too common."),
        ),
        (AccountError::Throttled { retry_after }, json!({"detail": throttled})),
        (
            AccountError::TooManyRegistrations { retry_after },
            json!({
                "detail": "Too many registrations from this IP address. Expected available in 7 seconds.",
                "code": "too_many_registrations",
            }),
        ),
        (AccountError::Overloaded { retry_after }, json!({"detail": busy, "code": "temporarily_unavailable"})),
        (StoreError::unavailable("no connection").into(), json!({"detail": busy, "code": "temporarily_unavailable"})),
        (StoreError::broken("a column is missing").into(), json!({"detail": "A server error occurred."})),
    ] {
        let (text, status) = (error.to_string(), status_of(error.kind()));
        let response = ApiError::from(error).error_response();
        assert_eq!(response.status(), status, "{text}");
        for (name, statuses) in [("retry-after", &[429, 503][..]), ("www-authenticate", &[401])] {
            assert_eq!(response.headers().contains_key(name), statuses.contains(&status), "{name}: {text}");
        }
        let body = to_bytes(response.into_body()).await.unwrap();
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), expected, "{text}");
    }
}

#[test]
fn every_endpoint_group_can_be_left_out() {
    let fixture = Fixture::new();
    let builder = || AuthRoutes::builder(fixture.app());
    let all = || builder().accounts(fixture.accounts());
    let count = |builder: AuthRoutesBuilder| builder.build().unwrap().table().endpoints().count();
    assert_eq!(count(all()), standard().len());
    assert_eq!(count(builder()), 8);
    assert_eq!(count(builder().without_tokens()), 4);
    assert_eq!(count(builder().without_documents()), 6);
    assert_eq!(count(builder().without_health()), 6);
    assert_eq!(count(all().without_login()), standard().len() - 1);
    assert_eq!(count(all().without_registration()), standard().len() - 1);
    assert_eq!(count(all().without_profile()), standard().len() - 6);
    assert_eq!(count(all().without_second_factors()), standard().len() - 6);
}

#[test]
fn build_refuses_invalid_routes() {
    let fixture = Fixture::new();
    let builder = || AuthRoutes::builder(fixture.app()).prefix("auth/");
    let at = |path: &str| Endpoint::new(path).rule(AllowAny).get(home);
    let refused = |builder: AuthRoutesBuilder| builder.build().map(|_| ()).unwrap_err();
    assert_eq!(refused(builder().with(at("/auth/healthz"))), RouteError::Twice("/auth/healthz".to_owned()));
    assert_eq!(refused(builder().prefix("/{tenant}")), RouteError::BadPrefix("/{tenant}".to_owned()));
    assert_eq!(refused(builder().with(at("hello"))), RouteError::BadPath("hello".to_owned()));
    // With the prefix, this path is free.
    builder().with(at("/healthz")).build().unwrap();
    let table = Routes::new(standard()).build().unwrap();
    let error = AuthRoutes::new(table, fixture.app(), None).unwrap_err();
    assert_eq!(error, RouteError::NoAccounts("/api/token/".to_owned()));
}
