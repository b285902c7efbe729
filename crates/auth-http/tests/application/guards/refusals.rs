//! Refusals, as clients, handlers and the audit log see them.

use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, Responder, web};
use auth_core::event::EventKind;
use auth_core::permission::Rule::{self, AllowAny, IsAdmin, IsAuthenticated, IsOwner};
use auth_http::routes::Endpoint;
use auth_http::{CredentialHeader, CurrentUser, ObjectPermission, Rate, require};
use serde_json::json;

use super::object_permissions::posts;
use super::{SECRET, at, inside, routes};
use crate::fixture::*;

async fn panics() -> HttpResponse {
    panic!("{SECRET}")
}

#[actix_web::test]
async fn a_handler_that_panics_is_answered_500() {
    let fixture = Fixture::new();
    let token = fixture.access_token("alice").await;
    let routes = routes().with(Endpoint::new("/panics/").get(panics)).with(at("/inside/"));
    let client = TestClient::of(fixture.application(routes)).await;
    for _ in 0..3 {
        let answer = client.get("/panics/", Some(&token)).await;
        answer.assert_refused(500, FAULT);
        assert!(!format!("{answer:?}").contains(SECRET), "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        client.get("/panics/", None).await.assert_refused(401, NO_CREDENTIALS);
        assert_eq!(client.get("/inside/", Some(&token)).await.status, 200);
    }
}

#[actix_web::test]
async fn a_denial_is_recorded_with_its_cause_and_the_response_does_not_show_it() {
    let fixture = Fixture::new();
    let (alice, bob) = (fixture.access_token("alice").await, fixture.access_token("bob").await);
    let routes = posts(IsOwner).with(at("/staff/").rule(IsAuthenticated & Rule::role("librarian")));
    let client = TestClient::of(fixture.application(routes)).await;
    fixture.service.events.taken();
    for (path, bearer, user, leaf) in [
        ("/staff/", &alice, 1, r#"role("librarian")"#),
        ("/staff/", &bob, 2, r#"role("librarian")"#),
        ("/posts/1/", &bob, 2, "IsOwner"),
    ] {
        let answer = client.get(path, Some(bearer)).await;
        answer.assert_refused(403, FORBIDDEN);
        assert_eq!(fixture.denials(), [(user, leaf.to_owned())], "{path}");
        let told = format!("{answer:?}").to_lowercase();
        assert!(!told.contains("librarian") && !told.contains("owner"), "{answer:?}");
    }
    // Neither anonymous requests nor allowed ones are recorded.
    for path in ["/staff/", "/posts/1/"] {
        client.get(path, None).await.assert_refused(401, NO_CREDENTIALS);
    }
    assert_eq!(client.get("/posts/1/", Some(&alice)).await.status, 200);
    assert_eq!(fixture.service.events.taken(), []);
}

#[actix_web::test]
async fn a_401_has_a_challenge_and_a_403_has_none() {
    let mut fixture = Fixture::new();
    let other = CredentialHeader::new("X-Access-Token", ["JWT", "Bearer"]).unwrap();
    for (credentials, header, challenge) in [
        (CredentialHeader::default(), "Authorization", r#"Bearer realm="api""#),
        (other, "X-Access-Token", r#"JWT realm="api""#),
    ] {
        fixture.credentials = credentials;
        let token = fixture.access_token(&format!("of-{header}")).await;
        let scheme = challenge.split(' ').next().unwrap();
        let routes = fixture.routes(routes().with(at("/staff/").rule(IsAdmin)));
        let plain = web::resource("/plain").wrap(from_fn(|request, next| require(IsAdmin, request, next))).to(inside);
        let host = actix_web::App::new().configure(|config| routes.configure(config)).service(plain);
        let client = TestClient::of(host).await;
        for path in ["/staff/", "/plain"] {
            let ask = async |values: &[&str]| {
                let with = |request: actix_web::test::TestRequest, value: &&str| {
                    request.append_header((header, (*value).to_owned()))
                };
                client.send(values.iter().fold(request(Method::GET, path, None), with)).await
            };
            let good = format!("{scheme} {token}");
            for (values, status) in [
                (&[][..], 401),
                (&[&*format!("{scheme} a.b.c")], 401),
                (&[scheme], 401),
                (&[&*good, &*good], 401),
                (&[&*good, "Basic YTpi"], 401),
                (&[&*good], 403),
            ] {
                let answer = ask(values).await;
                assert_eq!(answer.status, status, "{header} {path} {values:?}: {answer:?}");
                let expected = (status == 401).then_some(challenge);
                assert_eq!(answer.header("www-authenticate"), expected, "{header} {path} {values:?}");
            }
            assert_eq!(ask(&[&good, &good]).await.json()["code"], "bad_authorization_header");
        }
    }
}

async fn whoami(user: CurrentUser) -> impl Responder {
    assert_eq!((&user.caller().user.id, &user.user().id), (user.id(), user.id()));
    HttpResponse::Ok().json(json!({"id": user.id().to_json(), "name": user.username(), "staff": user.is_staff()}))
}

async fn perhaps(user: Option<CurrentUser>) -> impl Responder {
    HttpResponse::Ok().json(json!({"name": user.map(|user| user.username().to_owned())}))
}

async fn lost(_: ObjectPermission) -> impl Responder {
    HttpResponse::new(StatusCode::IM_A_TEAPOT)
}

#[actix_web::test]
async fn handlers_can_extract_the_caller() {
    let fixture = Fixture::new();
    let (alice, dora) = (fixture.access_token("alice").await, fixture.staff("dora").await);
    let routes = routes()
        .with(Endpoint::new("/whoami/").rule(AllowAny).get(whoami))
        .with(Endpoint::new("/perhaps/").rule(AllowAny).get(perhaps))
        .with(Endpoint::new("/unread/").without_credentials().get(perhaps));
    let client = TestClient::of(fixture.application(routes)).await;
    let expected = json!({"id": 1, "name": "alice", "staff": false});
    assert_eq!(client.get("/whoami/", Some(&alice)).await.json(), expected);
    assert_eq!(client.get("/whoami/", Some(&dora)).await.json(), json!({"id": 2, "name": "dora", "staff": true}));
    // The rule allows them, but the handler needs a user.
    client.get("/whoami/", None).await.assert_refused(401, NO_CREDENTIALS);
    assert_eq!(client.get("/perhaps/", Some(&alice)).await.json(), json!({"name": "alice"}));
    assert_eq!(client.get("/perhaps/", None).await.json(), json!({"name": null}));
    client.get("/perhaps/", Some("a.b.c")).await.assert_refused(401, BAD_TOKEN);
    for bearer in [None, Some(&*alice), Some("a.b.c")] {
        assert_eq!(client.get("/unread/", bearer).await.json(), json!({"name": null}));
    }
    // ObjectPermission outside a guarded route is answered 500; access is not granted.
    let alone = actix_web::App::new().service(web::resource("/lost").to(lost));
    TestClient::of(alone).await.get("/lost", None).await.assert_refused(500, FAULT);
}

#[actix_web::test]
async fn only_requests_without_credentials_are_rate_limited() {
    let mut fixture = Fixture::new();
    fixture.rate = Rate::parse("2/min");
    let token = fixture.access_token("alice").await;
    let client = TestClient::of(fixture.application(routes())).await;
    fixture.service.events.taken();
    let ask = |path: &str, bearer: Option<&str>, address: &str| {
        client.send(request(Method::GET, path, bearer).peer_addr(format!("{address}:1").parse().unwrap()))
    };
    for expected in [405, 405, 429, 429] {
        let answer = ask("/api/register/", None, "192.0.2.1").await;
        assert_eq!(answer.status, expected, "{answer:?}");
        if expected == 429 {
            assert_eq!(answer.header("retry-after"), Some("60"));
            answer.assert_refused(429, "Request was throttled. Expected available in 60 seconds.");
        }
    }
    let kinds: Vec<_> = fixture.service.events.taken().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::RequestThrottled; 2]);
    // Not throttled: another client IP, requests with credentials, health checks.
    assert_eq!(ask("/api/register/", None, "192.0.2.2").await.status, 405);
    for _ in 0..5 {
        assert_eq!(ask("/api/users/me/", Some(&token), "192.0.2.1").await.status, 200);
        assert_eq!(ask("/healthz", None, "192.0.2.1").await.status, 200);
    }
}
