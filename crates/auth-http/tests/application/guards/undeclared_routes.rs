//! Routes that only actix-web knows: they need an access token, unless a rule is declared for them.

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::Method;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, Responder, guard, web};
use auth_core::permission::Rule::{AllowAny, IsAdmin, IsOwner};
use auth_http::require;

use super::{SECRET, inside, routes};
use crate::fixture::*;

/// How often the handler was reached.
static REACHED: AtomicUsize = AtomicUsize::new(0);

async fn reached() -> impl Responder {
    REACHED.fetch_add(1, Ordering::SeqCst);
    HttpResponse::Ok().body(SECRET)
}

#[actix_web::test]
async fn what_only_actix_web_knows_is_closed_however_it_is_spelt() {
    let fixture = Fixture::new();
    let token = fixture.access_token("alice").await;
    let application = fixture.application(routes());
    let client = TestClient::of(
        application
            .service(web::resource("/plain").to(reached))
            .service(web::resource(["/either", "/or"]).to(reached))
            .service(web::resource("/of/{name}").to(reached))
            .service(
                web::scope("/scope")
                    .service(web::resource("/plain").to(reached))
                    .service(web::scope("/inner").route("/plain", web::get().to(reached))),
            )
            .route("/route", web::get().to(reached)),
    )
    .await;
    for path in [
        "/plain",
        "/pl%61in",
        "/%70%6C%61%69%6E",
        "/plain?x=1",
        "/either",
        "/or",
        "/%6fr",
        "/of/alice",
        "/of/al%20ice",
        "/of/al%2Fice",
        "/%6Ff/alice",
        "/scope/plain",
        "/sc%6Fpe/plain",
        "/scope/pl%61in",
        "/scope/inner/plain",
        "/scope/inner/%70lain",
        "/route",
        "/rout%65",
    ] {
        client.get(path, None).await.assert_refused(401, NO_CREDENTIALS);
        client.get(path, Some("a.b.c")).await.assert_refused(401, BAD_TOKEN);
        let before = REACHED.load(Ordering::SeqCst);
        assert_eq!(client.get(path, Some(&token)).await.text, SECRET, "{path}");
        assert_eq!(REACHED.load(Ordering::SeqCst), before + 1, "{path}");
    }
    assert_eq!(REACHED.load(Ordering::SeqCst), 18, "no other request reached the handler");
    for path in ["/Plain", "/plain/", "/of/", "/scope", "/scope/", "/scope/nothing", "/of/alice/x"] {
        client.get(path, None).await.assert_refused(404, "Not found.");
    }
}

#[actix_web::test]
async fn what_a_scope_does_with_the_rest_is_closed_too() {
    let fixture = Fixture::new();
    let token = fixture.access_token("alice").await;
    let application = fixture.application(routes());
    let rest = web::scope("/scope").service(web::resource("/plain").to(inside)).default_service(web::to(inside));
    let client = TestClient::of(application.service(rest)).await;
    for path in ["/scope/nothing", "/scope/", "/scope", "/sc%6Fpe/nothing"] {
        let answer = client.get(path, None).await;
        assert!([401, 404].contains(&answer.status) && !answer.text.contains(SECRET), "{path}: {answer:?}");
    }
    assert_eq!(client.get("/scope/plain", Some(&token)).await.status, 200);
}

#[actix_web::test]
async fn declared_rules_hold_for_what_only_actix_web_knows() {
    let fixture = Fixture::new();
    let (token, admin) = (fixture.access_token("alice").await, fixture.staff("dora").await);
    let declared = routes()
        .declare("/open", AllowAny)
        .declare("/scope/open/{id}", AllowAny)
        .declare("/admin", IsAdmin)
        .declare("/scope/admin", IsAdmin)
        .declare("/one", IsAdmin);
    let scope = web::scope("/scope")
        .service(web::resource("/open/{id}").to(inside))
        .service(web::resource("/admin").to(inside))
        .service(web::resource("/forgotten").to(inside));
    let application = fixture.application(declared);
    let client = TestClient::of(
        application
            .service(web::resource("/open").to(inside))
            .service(web::resource("/admin").to(inside))
            .service(web::resource(["/one", "/another"]).to(inside))
            .service(scope),
    )
    .await;
    let bearers = [None, Some(&*token), Some(&*admin), Some("a.b.c")];
    for (path, expected) in [
        ("/open", [200, 200, 200, 401]),
        ("/op%65n", [200, 200, 200, 401]),
        ("/scope/open/7", [200, 200, 200, 401]),
        ("/admin", [401, 403, 200, 401]),
        ("/adm%69n", [401, 403, 200, 401]),
        ("/scope/admin", [401, 403, 200, 401]),
        ("/scope/forgotten", [401, 200, 200, 401]),
        // Of several patterns, the first one is declared for all.
        ("/one", [401, 403, 200, 401]),
        ("/another", [401, 403, 200, 401]),
    ] {
        for (bearer, expected) in bearers.iter().zip(expected) {
            let answer = client.get(path, *bearer).await;
            assert_eq!(answer.status, expected, "{path}: {answer:?}");
            assert_eq!(answer.text.contains(SECRET), expected == 200, "{path}: {answer:?}");
        }
    }
}

#[actix_web::test]
async fn a_rule_for_a_route_that_is_not_there_closes_everything() {
    let fixture = Fixture::new();
    let token = fixture.access_token("alice").await;
    let client = TestClient::of(
        fixture.application(routes().declare("/metircs", IsAdmin)).service(web::resource("/metrics").to(inside)),
    )
    .await;
    for path in ["/metrics", "/api/users/me/"] {
        for bearer in [None, Some(&*token)] {
            let answer = client.get(path, bearer).await;
            assert_eq!((answer.status, answer.text.contains(SECRET)), (500, false), "{path}");
        }
    }
}

#[actix_web::test]
async fn an_answer_of_another_service_than_the_one_that_was_asked_for_is_withheld() {
    let fixture = Fixture::new();
    let token = fixture.access_token("alice").await;
    // The first has a rule for every path, and answers GET only.
    let catch_all = web::resource("/{name}").guard(guard::Get()).to(inside);
    let application = fixture.application(routes().declare("/{name}", AllowAny));
    let client = TestClient::of(application.service(catch_all).service(web::resource("/internal").to(inside))).await;
    assert_eq!(client.get("/public", None).await.status, 200);
    for bearer in [None, Some(&*token)] {
        let answer = client.ask(Method::POST, "/internal", bearer).await;
        assert_eq!((answer.status, answer.text.contains(SECRET)), (500, false), "{answer:?}");
    }
}

#[actix_web::test]
async fn a_middleware_of_a_scope_lets_in_whom_its_rule_lets_in() {
    let fixture = Fixture::new();
    let (token, admin) = (fixture.access_token("alice").await, fixture.staff("dora").await);
    fixture.service.events.taken();
    let application = fixture.application(routes().declare("/reports/public", AllowAny));
    let client = TestClient::of(
        application
            .service(
                web::scope("/reports")
                    .wrap(from_fn(|request, next| require(IsAdmin, request, next)))
                    .service(web::resource("/public").to(inside))
                    .service(web::resource("/{id}").to(inside)),
            )
            .service(
                web::resource("/mine")
                    .wrap(from_fn(|request, next| require(IsOwner | IsAdmin, request, next)))
                    .to(inside),
            ),
    )
    .await;
    for path in ["/reports/7", "/reports/public"] {
        client.get(path, None).await.assert_refused(401, NO_CREDENTIALS);
        client.get(path, Some(&token)).await.assert_refused(403, FORBIDDEN);
        assert_eq!(fixture.denials(), [(1, "IsAdmin".to_owned())]);
        assert_eq!(client.get(path, Some(&admin)).await.status, 200);
    }
    // No handler says whose object it is.
    client.get("/mine", Some(&token)).await.assert_refused(403, FORBIDDEN);
    assert_eq!(client.get("/mine", Some(&admin)).await.status, 200);
}
