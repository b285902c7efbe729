//! The rules of the service's own table, over HTTP.

use actix_web::http::Method;
use auth_core::permission::Rule::{self, AllowAny, IsAdmin, IsAuthenticated, IsAuthenticatedOrReadOnly, IsOwner};

use super::{SECRET, at, routes};
use crate::fixture::*;

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
