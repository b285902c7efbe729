//! Rules about owners, and the response if the handler does not check them.

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::{HttpResponse, Responder, ResponseError, web};
use auth_core::permission::Rule::{self, IsAdmin, IsAuthenticated, IsOwner};
use auth_core::user::UserId;
use auth_http::body::{Body, BodyBudget, OWN_BODY_LIMIT, UnreadBody};
use auth_http::routes::{Endpoint, Routes, standard};
use auth_http::{ApiError, ObjectPermission};
use serde_json::json;
use tokio::sync::Notify;

use super::{SECRET, inside, routes};
use crate::fixture::*;

/// Posts 1 and 2 belong to the first two users.
fn post_of(id: i64) -> Result<UserId, ApiError> {
    if (1..=2).contains(&id) {
        Ok(UserId::new(id))
    } else {
        Err(ApiError::not_found("No Post matches the given query."))
    }
}

async fn show(id: web::Path<i64>, permission: ObjectPermission) -> Result<HttpResponse, ApiError> {
    permission.check(&post_of(*id)?)?;
    Ok(HttpResponse::Ok().json(json!({"secret": SECRET})))
}

async fn replace(id: web::Path<i64>, permission: ObjectPermission, body: UnreadBody) -> Result<HttpResponse, ApiError> {
    permission.check(&post_of(*id)?)?;
    body.read().await?.into_fields()?;
    Ok(HttpResponse::Ok().json(json!({"secret": SECRET})))
}

pub(super) fn posts(rule: Rule) -> Routes {
    routes().with(Endpoint::new("/posts/{id:[0-9]+}/").rule(rule).get(show).put(replace).named("Post", ""))
}

#[actix_web::test]
async fn rules_about_owners_are_checked_by_the_handler() {
    let fixture = Fixture::new();
    let (owner, stranger) = (fixture.access_token("alice").await, fixture.access_token("bob").await);
    let admin = fixture.staff("dora").await;
    let bearers = [None, Some(&*owner), Some(&*stranger), Some(&*admin), Some("a.b.c")];
    for (rule, path, expected) in [
        (IsOwner | IsAdmin, "/posts/1/", [401, 200, 403, 200, 401]),
        (IsOwner | IsAdmin, "/posts/2/", [401, 403, 200, 200, 401]),
        (IsOwner | IsAdmin, "/posts/3/", [404, 404, 404, 404, 401]),
        (IsOwner, "/posts/1/", [401, 200, 403, 403, 401]),
        (IsOwner, "/posts/3/", [404, 404, 404, 404, 401]),
        (IsAuthenticated & IsOwner, "/posts/3/", [401, 404, 404, 404, 401]),
        (!IsOwner, "/posts/1/", [200, 403, 200, 200, 401]),
    ] {
        let client = TestClient::of(fixture.application(posts(rule.clone()))).await;
        for (bearer, expected) in bearers.iter().zip(expected) {
            let answer = client.get(path, *bearer).await;
            assert_eq!(answer.status, expected, "{rule} {path} {bearer:?}: {answer:?}");
            assert_eq!(answer.text.contains(SECRET), expected == 200, "{rule} {path}: {answer:?}");
        }
    }
}

#[actix_web::test]
async fn permission_is_checked_before_the_body_is_read() {
    let fixture = Fixture::new();
    let (owner, stranger) = (fixture.access_token("alice").await, fixture.access_token("bob").await);
    let client = TestClient::of(fixture.application(posts(IsOwner | IsAdmin))).await;
    let put = async |path: &str, bearer: Option<&str>, media: &str, body: &str| {
        let request = request(Method::PUT, path, bearer).insert_header(("Content-Type", media.to_owned()));
        client.send(request.set_payload(body.to_owned())).await
    };
    let too_long = "x".repeat(20_000);
    for (media, body, status) in [
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/xml", "<a/>", 415),
        ("application/json", &*too_long, 413),
        ("application/json", "{}", 200),
    ] {
        put("/posts/1/", None, media, body).await.assert_refused(401, NO_CREDENTIALS);
        put("/posts/1/", Some(&stranger), media, body).await.assert_refused(403, FORBIDDEN);
        put("/posts/9/", Some(&owner), media, body).await.assert_refused(404, "No Post matches the given query.");
        put("/posts/9/", None, media, body).await.assert_refused(404, "No Post matches the given query.");
        assert_eq!(put("/posts/1/", Some(&owner), media, body).await.status, status, "{media} {body:.9}");
    }
}

#[actix_web::test]
async fn only_endpoints_of_the_host_accept_long_bodies() {
    let fixture = Fixture { body_limit: 200_000, ..Fixture::new() };
    let owner = fixture.access_token("alice").await;
    let client = TestClient::of(fixture.application(posts(IsOwner))).await;
    let send = async |method: Method, path: &str, bearer: Option<&str>, length: usize| {
        let body = format!("{{}}{}", " ".repeat(length - 2));
        let request = request(method, path, bearer).insert_header(("Content-Type", "application/json"));
        client.send(request.set_payload(body)).await.status
    };
    assert_eq!(send(Method::PUT, "/posts/1/", Some(&owner), 200_000).await, 200);
    assert_eq!(send(Method::PUT, "/posts/1/", Some(&owner), 200_001).await, 413);
    for endpoint in standard() {
        let path = endpoint.path();
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            if endpoint.allow().contains(method.as_str()) {
                let (short, long) = (
                    send(method.clone(), path, Some(&owner), OWN_BODY_LIMIT).await,
                    send(method.clone(), path, Some(&owner), OWN_BODY_LIMIT + 1).await,
                );
                let takes_no_body = path.ends_with("/challenge/");
                assert!(short != 413 && (long == 413 || takes_no_body), "{method} {path}: {short}, {long}");
            }
        }
    }
}

/// The parsed body takes as much memory as the raw one.
#[actix_web::test]
async fn a_body_counts_against_the_budget_until_its_request_is_answered() {
    let fixture = Fixture { body_budget: BodyBudget::new(100), ..Fixture::new() };
    let answer_now = Arc::new(Notify::new());
    let held = answer_now.clone();
    let slow = move |_: Body| {
        let held = held.clone();
        async move {
            held.notified().await;
            HttpResponse::Ok().finish()
        }
    };
    let fast = |_: Body| async { HttpResponse::Ok().finish() };
    let posted = |path: &str| Endpoint::new(path).rule(Rule::AllowAny);
    let routes = routes().with(posted("/slow/").post(slow)).with(posted("/fast/").post(fast));
    let client = TestClient::of(fixture.application(routes)).await;
    let send = async |path: &str| {
        let request = request(Method::POST, path, None).insert_header(("Content-Type", "application/json"));
        client.send(request.set_payload(format!("{{}}{}", " ".repeat(58)))).await.status
    };
    let meanwhile = async {
        let status = send("/fast/").await;
        answer_now.notify_one();
        status
    };
    assert_eq!(tokio::join!(send("/slow/"), meanwhile), (200, 503));
    assert_eq!(send("/fast/").await, 200);
}

async fn gone() -> impl Responder {
    ApiError::not_found("No Post matches the given query.").error_response()
}

async fn elsewhere() -> impl Responder {
    HttpResponse::Found().insert_header(("Location", SECRET)).insert_header(("X-Secret", SECRET)).finish()
}

async fn nothing() -> impl Responder {
    HttpResponse::NoContent().insert_header(("X-Secret", SECRET)).finish()
}

#[actix_web::test]
async fn the_response_of_a_handler_that_does_not_check_is_withheld() {
    let fixture = Fixture::new();
    let (token, admin) = (fixture.access_token("alice").await, fixture.staff("dora").await);
    let owned = |path: &str| Endpoint::new(path).rule(IsOwner | IsAdmin);
    let routes = routes()
        .with(owned("/forgetful/").get(inside).delete(nothing).named("Forgetful", "It forgets."))
        .with(owned("/elsewhere/").get(elsewhere))
        .with(owned("/gone/").get(gone))
        .with(owned("/options/").method(Method::OPTIONS, inside));
    let client = TestClient::of(fixture.application(routes)).await;
    for bearer in [None, Some(&*token)] {
        for (method, path) in [
            (Method::GET, "/forgetful/"),
            (Method::HEAD, "/forgetful/"),
            (Method::DELETE, "/forgetful/"),
            (Method::GET, "/elsewhere/"),
            (Method::OPTIONS, "/options/"),
        ] {
            let answer = client.ask(method.clone(), path, bearer).await;
            assert_eq!(answer.status, 500, "{method} {path}: {answer:?}");
            assert!(!format!("{answer:?}").contains(SECRET), "{method} {path}: {answer:?}");
            assert_eq!(answer.json()["detail"], FAULT);
        }
        // A refusal is not withheld.
        client.get("/gone/", bearer).await.assert_refused(404, "No Post matches the given query.");
        let answer = client.ask(Method::OPTIONS, "/forgetful/", bearer).await;
        assert_eq!((answer.status, &answer.json()["name"]), (200, &json!("Forgetful")), "{answer:?}");
    }
    // The rule is decided without the owner.
    assert_eq!(client.get("/forgetful/", Some(&admin)).await.json()["secret"], SECRET);
    assert_eq!(client.get("/elsewhere/", Some(&admin)).await.status, 302);
}
