//! Rules of the route table, over HTTP.

use actix_web::http::Method;
use auth_core::permission::Rule::{self, AllowAny, IsAdmin, IsAuthenticated, IsAuthenticatedOrReadOnly, IsOwner};

use super::{SECRET, at, routes};
use crate::fixture::*;

#[actix_web::test]
async fn a_route_without_a_rule_requires_a_caller() {
    let fixture = Fixture::new();
    let token = fixture.access_token("alice").await;
    let client = TestClient::of(fixture.application(routes().with(at("/inside/")))).await;
    client.get("/inside/", None).await.assert_refused(401, NO_CREDENTIALS);
    client.get("/inside/", Some("a.b.c")).await.assert_refused(401, BAD_TOKEN);
    assert_eq!(client.get("/inside/", Some(&token)).await.status, 200);
}

/// Each kind of rule, and the status of `GET` and `POST` for: a request without credentials, a user, an editor, a banned
/// user, a staff user. `+` is 200, `1` is 401, `3` is 403, `5` is 500.
#[actix_web::test]
async fn rules_are_enforced_over_http() {
    let role = |name: &'static str| Rule::role(name);
    let table = [
        (AllowAny, ["++", "++", "++", "++", "++"]),
        (IsAuthenticated, ["11", "++", "++", "++", "++"]),
        (IsAdmin, ["11", "33", "33", "33", "++"]),
        (IsAuthenticatedOrReadOnly, ["+1", "++", "++", "++", "++"]),
        (role("chief editor"), ["11", "33", "++", "33", "33"]),
        (role("admin"), ["11", "33", "33", "33", "++"]),
        (role("user"), ["11", "++", "++", "++", "33"]),
        (!role("banned"), ["++", "++", "++", "33", "++"]),
        (IsAuthenticated & !role("banned"), ["11", "++", "++", "33", "++"]),
        (IsAdmin | role("chief editor"), ["11", "33", "++", "33", "++"]),
        (IsAuthenticatedOrReadOnly & !role("banned"), ["+1", "++", "++", "33", "++"]),
        // The handler does not check the owner, so its response is withheld.
        (IsAdmin & IsOwner, ["11", "33", "33", "33", "55"]),
    ];
    let fixture = Fixture::new();
    let mut bearers = vec![None, Some(fixture.access_token("carol").await)];
    for (name, group) in [("edith", "chief editor"), ("bob", "banned")] {
        bearers.push(Some(fixture.member(name, group).await));
    }
    bearers.push(Some(fixture.staff("dora").await));
    let path = |number: usize| format!("/rule/{number}/");
    let with_all = table
        .iter()
        .enumerate()
        .fold(routes(), |routes, (number, (rule, _))| routes.with(at(&path(number)).rule(rule.clone())));
    let client = TestClient::of(fixture.application(with_all)).await;
    for (number, (rule, expected)) in table.iter().enumerate() {
        let mut found = Vec::new();
        for bearer in &bearers {
            let mut letters = String::new();
            for method in [Method::GET, Method::POST] {
                let answer = client.ask(method, &path(number), bearer.as_deref()).await;
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
        // Invalid credentials are refused even where none are needed.
        for method in [Method::GET, Method::POST] {
            client.ask(method, &path(number), Some("a.b.c")).await.assert_refused(401, BAD_TOKEN);
        }
    }
}
