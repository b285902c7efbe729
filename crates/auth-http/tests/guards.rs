//! Who gets in where: rules, guards and what they leave to handlers, asked over HTTP of an application in memory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test has no better answer")]

mod world;

use std::sync::atomic::{AtomicUsize, Ordering};

use actix_web::http::{Method, StatusCode};
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, Responder, ResponseError, guard, web};
use auth_core::account::UserId;
use auth_core::event::EventKind;
use auth_core::permission::Rule::{self, AllowAny, IsAdmin, IsAuthenticated, IsAuthenticatedOrReadOnly, IsOwner};
use auth_http::body::UnreadBody;
use auth_http::routes::{Endpoint, Routes, standard};
use auth_http::{ApiError, CredentialHeader, CurrentUser, ObjectPermission, Rate, require};
use serde_json::json;
use world::*;

/// What no refusal may contain.
const SECRET: &str = "what is inside";

async fn inside() -> impl Responder {
    HttpResponse::Ok().json(json!({"secret": SECRET}))
}

fn at(path: &str) -> Endpoint {
    Endpoint::new(path).get(inside).post(inside)
}

fn routes() -> Routes {
    Routes::new(standard())
}

#[actix_web::test]
async fn a_route_without_a_rule_is_closed() {
    let world = World::new();
    let token = world.newcomer("alice").await;
    let site = Site::of(world.application(routes().with(at("/inside/")))).await;
    site.get("/inside/", None).await.assert_refused(401, NO_CREDENTIALS);
    site.get("/inside/", Some("a.b.c")).await.assert_refused(401, BAD_TOKEN);
    assert_eq!(site.get("/inside/", Some(&token)).await.status, 200);
}

/// Each kind of rule, and what it answers to `GET` and to `POST` of: nobody, somebody, an editor, somebody banned, an
/// administrator. `+` is 200, `1` is 401, `3` is 403.
#[actix_web::test]
async fn every_rule_says_the_same_over_http() {
    let role = |name: &'static str| Rule::role(name);
    let table = [
        (AllowAny, ["++", "++", "++", "++", "++"]),
        (IsAuthenticated, ["11", "++", "++", "++", "++"]),
        (IsAdmin, ["11", "33", "33", "33", "++"]),
        (IsAuthenticatedOrReadOnly, ["+1", "++", "++", "++", "++"]),
        (role("editor"), ["11", "33", "++", "33", "33"]),
        (role("admin"), ["11", "33", "33", "33", "++"]),
        (role("user"), ["11", "++", "++", "++", "33"]),
        (!role("banned"), ["++", "++", "++", "33", "++"]),
        (IsAuthenticated & !role("banned"), ["11", "++", "++", "33", "++"]),
        (IsAdmin | role("editor"), ["11", "33", "++", "33", "++"]),
        (IsAuthenticatedOrReadOnly & !role("banned"), ["+1", "++", "++", "33", "++"]),
        // Of a list a handler is asked for nobody's object: it never says so, and what it answers is withheld.
        (IsAdmin & IsOwner, ["11", "33", "33", "33", "55"]),
    ];
    let world = World::new();
    let mut bearers = vec![None, Some(world.newcomer("carol").await)];
    for (name, group) in [("edith", "editor"), ("bob", "banned")] {
        world.register(name, &[group]).await;
        bearers.push(Some(world.login(name).await));
    }
    bearers.push(Some(world.admin("dora").await));
    let path = |number: usize| format!("/rule/{number}/");
    let with_all = table
        .iter()
        .enumerate()
        .fold(routes(), |routes, (number, (rule, _))| routes.with(at(&path(number)).rule(rule.clone())));
    let site = Site::of(world.application(with_all)).await;
    for (number, (rule, expected)) in table.iter().enumerate() {
        let mut found = Vec::new();
        for bearer in &bearers {
            let mut letters = String::new();
            for method in [Method::GET, Method::POST] {
                let answer = site.ask(method, &path(number), bearer.as_deref()).await;
                assert_eq!(answer.text.contains(SECRET), answer.status == 200, "{rule}: {answer:?}");
                letters.push(match answer.status {
                    200 => '+',
                    401 => '1',
                    403 => '3',
                    500 => '5',
                    other => panic!("{rule}: {other}"),
                });
            }
            found.push(letters);
        }
        assert_eq!(found, expected, "{rule}");
        // Bad credentials open nothing, not even what needs none.
        for method in [Method::GET, Method::POST] {
            site.ask(method, &path(number), Some("a.b.c")).await.assert_refused(401, BAD_TOKEN);
        }
    }
}

/// How often a handler that only actix-web knows was reached.
static REACHED: AtomicUsize = AtomicUsize::new(0);

async fn reached() -> impl Responder {
    REACHED.fetch_add(1, Ordering::SeqCst);
    HttpResponse::Ok().body(SECRET)
}

#[actix_web::test]
async fn what_only_actix_web_knows_is_closed_however_it_is_spelt() {
    let world = World::new();
    let token = world.newcomer("alice").await;
    let application = world.application(routes());
    let site = Site::of(
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
        site.get(path, None).await.assert_refused(401, NO_CREDENTIALS);
        site.get(path, Some("a.b.c")).await.assert_refused(401, BAD_TOKEN);
        let before = REACHED.load(Ordering::SeqCst);
        assert_eq!(site.get(path, Some(&token)).await.text, SECRET, "{path}");
        assert_eq!(REACHED.load(Ordering::SeqCst), before + 1, "{path}");
    }
    assert_eq!(REACHED.load(Ordering::SeqCst), 18, "somebody else got there too");
    for path in ["/Plain", "/plain/", "/of/", "/scope", "/scope/", "/scope/nothing", "/of/alice/x"] {
        site.get(path, None).await.assert_refused(404, "Not found.");
    }
}

#[actix_web::test]
async fn what_a_scope_does_with_the_rest_is_closed_too() {
    let world = World::new();
    let token = world.newcomer("alice").await;
    let application = world.application(routes());
    let rest = web::scope("/scope").service(web::resource("/plain").to(inside)).default_service(web::to(inside));
    let site = Site::of(application.service(rest)).await;
    for path in ["/scope/nothing", "/scope/", "/scope", "/sc%6Fpe/nothing"] {
        let answer = site.get(path, None).await;
        assert!([401, 404].contains(&answer.status) && !answer.text.contains(SECRET), "{path}: {answer:?}");
    }
    assert_eq!(site.get("/scope/plain", Some(&token)).await.status, 200);
}

#[actix_web::test]
async fn declared_rules_hold_for_what_only_actix_web_knows() {
    let world = World::new();
    let (token, admin) = (world.newcomer("alice").await, world.admin("dora").await);
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
    let application = world.application(declared);
    let site = Site::of(
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
            let answer = site.get(path, *bearer).await;
            assert_eq!(answer.status, expected, "{path}: {answer:?}");
            assert_eq!(answer.text.contains(SECRET), expected == 200, "{path}: {answer:?}");
        }
    }
}

#[actix_web::test]
async fn a_rule_for_a_route_that_is_not_there_closes_everything() {
    let world = World::new();
    let token = world.newcomer("alice").await;
    let site = Site::of(
        world.application(routes().declare("/metircs", IsAdmin)).service(web::resource("/metrics").to(inside)),
    )
    .await;
    for path in ["/metrics", "/api/users/me/"] {
        for bearer in [None, Some(&*token)] {
            let answer = site.get(path, bearer).await;
            assert_eq!((answer.status, answer.text.contains(SECRET)), (500, false), "{path}");
        }
    }
}

#[actix_web::test]
async fn an_answer_of_another_service_than_the_one_that_was_asked_for_is_withheld() {
    let world = World::new();
    let token = world.newcomer("alice").await;
    // The first has a rule for whatever it is, and answers GET only.
    let catch_all = web::resource("/{name}").guard(guard::Get()).to(inside);
    let application = world.application(routes().declare("/{name}", AllowAny));
    let site = Site::of(application.service(catch_all).service(web::resource("/internal").to(inside))).await;
    assert_eq!(site.get("/public", None).await.status, 200);
    for bearer in [None, Some(&*token)] {
        let answer = site.ask(Method::POST, "/internal", bearer).await;
        assert_eq!((answer.status, answer.text.contains(SECRET)), (500, false), "{answer:?}");
    }
}

#[actix_web::test]
async fn a_middleware_of_a_scope_lets_in_whom_its_rule_lets_in() {
    let world = World::new();
    let (token, admin) = (world.newcomer("alice").await, world.admin("dora").await);
    world.events.taken();
    let application = world.application(routes().declare("/reports/public", AllowAny));
    let site = Site::of(
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
        site.get(path, None).await.assert_refused(401, NO_CREDENTIALS);
        site.get(path, Some(&token)).await.assert_refused(403, FORBIDDEN);
        assert_eq!(world.denials(), [(1, "IsAdmin".to_owned())]);
        assert_eq!(site.get(path, Some(&admin)).await.status, 200);
    }
    // Nobody there says whose it is.
    site.get("/mine", Some(&token)).await.assert_refused(403, FORBIDDEN);
    assert_eq!(site.get("/mine", Some(&admin)).await.status, 200);
}

/// Posts 1 and 2 are those of the first two accounts.
fn post_of(id: i64) -> Result<UserId, ApiError> {
    if (1..=2).contains(&id) {
        Ok(UserId::new(id))
    } else {
        Err(ApiError::not_found("No Post matches the given query."))
    }
}

async fn show(id: web::Path<i64>, permission: ObjectPermission) -> Result<HttpResponse, ApiError> {
    permission.check(post_of(*id)?)?;
    Ok(HttpResponse::Ok().json(json!({"secret": SECRET})))
}

async fn replace(id: web::Path<i64>, permission: ObjectPermission, body: UnreadBody) -> Result<HttpResponse, ApiError> {
    permission.check(post_of(*id)?)?;
    body.read().await?.into_fields()?;
    Ok(HttpResponse::Ok().json(json!({"secret": SECRET})))
}

fn posts(rule: Rule) -> Routes {
    routes().with(Endpoint::new("/posts/{id:[0-9]+}/").rule(rule).get(show).put(replace).named("Post", ""))
}

#[actix_web::test]
async fn an_object_is_for_its_owner_and_administrators() {
    let world = World::new();
    let (owner, stranger) = (world.newcomer("alice").await, world.newcomer("bob").await);
    let admin = world.admin("dora").await;
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
        let site = Site::of(world.application(posts(rule.clone()))).await;
        for (bearer, expected) in bearers.iter().zip(expected) {
            let answer = site.get(path, *bearer).await;
            assert_eq!(answer.status, expected, "{rule} {path} {bearer:?}: {answer:?}");
            assert_eq!(answer.text.contains(SECRET), expected == 200, "{rule} {path}: {answer:?}");
        }
    }
}

#[actix_web::test]
async fn who_may_not_is_told_so_before_the_body_is_looked_at() {
    let world = World::new();
    let (owner, stranger) = (world.newcomer("alice").await, world.newcomer("bob").await);
    let site = Site::of(world.application(posts(IsOwner | IsAdmin))).await;
    let put = async |path: &str, bearer: Option<&str>, media: &str, body: &str| {
        let request = request(Method::PUT, path, bearer).insert_header(("Content-Type", media.to_owned()));
        site.send(request.set_payload(body.to_owned())).await
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
async fn what_a_forgetful_handler_answers_is_withheld() {
    let world = World::new();
    let (token, admin) = (world.newcomer("alice").await, world.admin("dora").await);
    let owned = |path: &str| Endpoint::new(path).rule(IsOwner | IsAdmin);
    let routes = routes()
        .with(owned("/forgetful/").get(inside).delete(nothing).named("Forgetful", "It forgets."))
        .with(owned("/elsewhere/").get(elsewhere))
        .with(owned("/gone/").get(gone))
        .with(owned("/options/").method(Method::OPTIONS, inside));
    let site = Site::of(world.application(routes)).await;
    for bearer in [None, Some(&*token)] {
        for (method, path) in [
            (Method::GET, "/forgetful/"),
            (Method::HEAD, "/forgetful/"),
            (Method::DELETE, "/forgetful/"),
            (Method::GET, "/elsewhere/"),
            (Method::OPTIONS, "/options/"),
        ] {
            let answer = site.ask(method.clone(), path, bearer).await;
            assert_eq!(answer.status, 500, "{method} {path}: {answer:?}");
            assert!(!format!("{answer:?}").contains(SECRET), "{method} {path}: {answer:?}");
            assert_eq!(answer.json()["detail"], FAULT);
        }
        // What refuses lets nothing out.
        site.get("/gone/", bearer).await.assert_refused(404, "No Post matches the given query.");
        let answer = site.ask(Method::OPTIONS, "/forgetful/", bearer).await;
        assert_eq!((answer.status, &answer.json()["name"]), (200, &json!("Forgetful")), "{answer:?}");
    }
    // Nothing was left to the handler.
    assert_eq!(site.get("/forgetful/", Some(&admin)).await.json()["secret"], SECRET);
    assert_eq!(site.get("/elsewhere/", Some(&admin)).await.status, 302);
}

async fn panics() -> HttpResponse {
    panic!("{SECRET}")
}

#[actix_web::test]
async fn a_handler_that_panics_is_a_fault_and_no_more() {
    let world = World::new();
    let token = world.newcomer("alice").await;
    let routes = routes().with(Endpoint::new("/panics/").get(panics)).with(at("/inside/"));
    let site = Site::of(world.application(routes)).await;
    for _ in 0..3 {
        let answer = site.get("/panics/", Some(&token)).await;
        answer.assert_refused(500, FAULT);
        assert!(!format!("{answer:?}").contains(SECRET), "{answer:?}");
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        site.get("/panics/", None).await.assert_refused(401, NO_CREDENTIALS);
        assert_eq!(site.get("/inside/", Some(&token)).await.status, 200);
    }
}

#[actix_web::test]
async fn a_denial_is_recorded_with_what_refused_and_the_answer_does_not_say() {
    let world = World::new();
    let (alice, bob) = (world.newcomer("alice").await, world.newcomer("bob").await);
    let declared = posts(IsOwner).declare("/plain", Rule::role("librarian"));
    let application = world.application(declared.with(at("/staff/").rule(IsAuthenticated & Rule::role("librarian"))));
    let site = Site::of(application.service(web::resource("/plain").to(inside))).await;
    world.events.taken();
    for (path, bearer, user, leaf) in [
        ("/staff/", &alice, 1, r#"role("librarian")"#),
        ("/staff/", &bob, 2, r#"role("librarian")"#),
        ("/plain", &bob, 2, r#"role("librarian")"#),
        ("/posts/1/", &bob, 2, "IsOwner"),
    ] {
        let answer = site.get(path, Some(bearer)).await;
        answer.assert_refused(403, FORBIDDEN);
        assert_eq!(world.denials(), [(user, leaf.to_owned())], "{path}");
        let told = format!("{answer:?}").to_lowercase();
        assert!(!told.contains("librarian") && !told.contains("owner"), "{answer:?}");
    }
    // Who is nobody is no news; nor is who was let in.
    for path in ["/staff/", "/plain", "/posts/1/"] {
        site.get(path, None).await.assert_refused(401, NO_CREDENTIALS);
    }
    assert_eq!(site.get("/posts/1/", Some(&alice)).await.status, 200);
    assert_eq!(world.events.taken(), []);
}

#[actix_web::test]
async fn who_is_nobody_is_challenged_and_who_may_not_is_not() {
    let mut world = World::new();
    let other = CredentialHeader::new("X-Access-Token", ["JWT", "Bearer"]).unwrap();
    for (credentials, header, challenge) in [
        (CredentialHeader::default(), "Authorization", r#"Bearer realm="api""#),
        (other, "X-Access-Token", r#"JWT realm="api""#),
    ] {
        world.credentials = credentials;
        let token = world.newcomer(&format!("of-{header}")).await;
        let scheme = challenge.split(' ').next().unwrap();
        let application = world.application(routes().with(at("/staff/").rule(IsAdmin)).declare("/plain", IsAdmin));
        let site = Site::of(application.service(web::resource("/plain").to(inside))).await;
        for path in ["/staff/", "/plain"] {
            let ask = async |values: &[&str]| {
                let with = |request: actix_web::test::TestRequest, value: &&str| {
                    request.append_header((header, (*value).to_owned()))
                };
                site.send(values.iter().fold(request(Method::GET, path, None), with)).await
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
    assert_eq!((user.caller().user.id, user.user().id), (user.id(), user.id()));
    HttpResponse::Ok().json(json!({"id": user.id().get(), "name": user.username(), "staff": user.is_staff()}))
}

async fn perhaps(user: Option<CurrentUser>) -> impl Responder {
    HttpResponse::Ok().json(json!({"name": user.map(|user| user.username().to_owned())}))
}

async fn lost(_: ObjectPermission) -> impl Responder {
    HttpResponse::new(StatusCode::IM_A_TEAPOT)
}

#[actix_web::test]
async fn handlers_are_told_who_asks() {
    let world = World::new();
    let (alice, dora) = (world.newcomer("alice").await, world.admin("dora").await);
    let routes = routes()
        .with(Endpoint::new("/whoami/").rule(AllowAny).get(whoami))
        .with(Endpoint::new("/perhaps/").rule(AllowAny).get(perhaps))
        .with(Endpoint::new("/unread/").without_credentials().get(perhaps))
        .declare("/foreign", AllowAny);
    let application = world.application(routes);
    let site = Site::of(application.service(web::resource("/foreign").to(whoami))).await;
    for path in ["/whoami/", "/foreign"] {
        let expected = json!({"id": 1, "name": "alice", "staff": false});
        assert_eq!(site.get(path, Some(&alice)).await.json(), expected);
        assert_eq!(site.get(path, Some(&dora)).await.json(), json!({"id": 2, "name": "dora", "staff": true}));
        // The rule lets them in, and the handler wants to know.
        site.get(path, None).await.assert_refused(401, NO_CREDENTIALS);
    }
    assert_eq!(site.get("/perhaps/", Some(&alice)).await.json(), json!({"name": "alice"}));
    assert_eq!(site.get("/perhaps/", None).await.json(), json!({"name": null}));
    site.get("/perhaps/", Some("a.b.c")).await.assert_refused(401, BAD_TOKEN);
    for bearer in [None, Some(&*alice), Some("a.b.c")] {
        assert_eq!(site.get("/unread/", bearer).await.json(), json!({"name": null}));
    }
    // A handler that asks where there is nothing to ask for is a fault, not an open door.
    let alone = actix_web::App::new().service(web::resource("/lost").to(lost));
    Site::of(alone).await.get("/lost", None).await.assert_refused(500, FAULT);
}

#[actix_web::test]
async fn those_without_credentials_are_throttled_and_the_others_are_not() {
    let mut world = World::new();
    world.rate = Rate::parse("2/min");
    let token = world.newcomer("alice").await;
    let site = Site::of(world.application(routes())).await;
    world.events.taken();
    let ask = |path: &str, bearer: Option<&str>, address: &str| {
        site.send(request(Method::GET, path, bearer).peer_addr(format!("{address}:1").parse().unwrap()))
    };
    for expected in [405, 405, 429, 429] {
        let answer = ask("/api/register/", None, "192.0.2.1").await;
        assert_eq!(answer.status, expected, "{answer:?}");
        if expected == 429 {
            assert_eq!(answer.header("retry-after"), Some("60"));
            answer.assert_refused(429, "Request was throttled. Expected available in 60 seconds.");
        }
    }
    let kinds: Vec<_> = world.events.taken().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::RequestThrottled; 2]);
    // Neither another address, nor whoever is logged in, nor what machines ask.
    assert_eq!(ask("/api/register/", None, "192.0.2.2").await.status, 405);
    for _ in 0..5 {
        assert_eq!(ask("/api/users/me/", Some(&token), "192.0.2.1").await.status, 200);
        assert_eq!(ask("/healthz", None, "192.0.2.1").await.status, 200);
    }
}
