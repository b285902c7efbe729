//! The routes of the blog with their rules, unknown paths, and the log records of refusals.

use auth_tests::ServerOptions;
use std::path::Path;

use auth_tests::answers::Findings;
use auth_tests::cases::{OnSqlite, Once};
use auth_tests::concurrency::eventually;
use auth_tests::{Answer, Database, cases};
use libtest_mimic::Trial;
use reqwest::Method;
use serde_json::{Value, json};

use crate::BLOG;
use crate::guarded_routes::fixture::Blog;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        Once => routes_match_their_golden_file;
        OnSqlite =>
            unknown_paths_are_404_for_every_caller,
            a_refusal_logs_the_rule_but_does_not_reveal_it]
}

/// `just golden` writes the file again, for review.
async fn routes_match_their_golden_file() {
    let output = ServerOptions::new("simplejwt", None).run_to_exit(BLOG, &["routes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let actual = String::from_utf8(output.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/blog_routes.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "blog_routes.txt has changed; review it, then run `just golden`:\n{actual}");
}

async fn send(blog: &Blog, method: &Method, path: &str, bearer: Option<&str>) -> Answer {
    let mut request = blog.client.http.request(method.clone(), format!("{}{path}", blog.client.url));
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    Answer::of(request.send().await.unwrap()).await
}

async fn unknown_paths_are_404_for_every_caller(database: Database) {
    let blog = Blog::start(database.server("development"));
    let user = blog.client.register_and_login("alice").await.access;
    blog.client.register_and_login("dora").await;
    blog.command(&["users", "promote", "dora"]);
    let admin = blog.client.login("dora").await.access;
    let mut findings = Findings::default();
    for path in [
        "/nothing/",
        "/api/nothing/",
        "/api/protected/x/",
        "/api/protected//",
        "/api//protected/",
        "/API/protected/",
        "/api/posts/x/",
        "/api/posts/-1/",
        "/api/posts/1/x/",
        "/api/posts/create/x/",
        "/api/posts/%31x/",
        "/api/users/",
        "/admin/",
    ] {
        for method in [Method::GET, Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
            for bearer in [None, Some(&*user), Some(&*admin), Some("a.b.c")] {
                let answer = send(&blog, &method, path, bearer).await;
                findings.check(format!("{method} {path}"), &answer, &[404]);
                let body = json!({"detail": "Not found."});
                findings.check_that(answer.json() == body, || format!("{method} {path}: {}", answer.text));
            }
        }
    }
    // The route exists, but the post does not.
    for path in ["/api/posts/4711/", "/api/posts/99999999999999999999/"] {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            for bearer in [None, Some(&*user), Some(&*admin)] {
                let answer = send(&blog, &method, path, bearer).await;
                findings.check(format!("{method} {path}"), &answer, &[404]);
                let body = json!({"detail": "No Post matches the given query."});
                findings.check_that(answer.json() == body, || format!("{method} {path}: {}", answer.text));
            }
        }
    }
    findings.assert_none();
}

async fn a_refusal_logs_the_rule_but_does_not_reveal_it(database: Database) {
    let blog = Blog::start(database.server("development"));
    let (owner, other) =
        (blog.client.register_and_login("alice").await.access, blog.client.register_and_login("bob").await.access);
    let path = blog.post(&owner).await;
    for (number, method) in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE].into_iter().enumerate() {
        let id = format!("refusal-{number}");
        let request = blog.client.http.request(method, format!("{}{path}", blog.client.url)).bearer_auth(&other);
        let answer = Answer::of(request.header("X-Request-Id", &id).send().await.unwrap()).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert_eq!(answer.json(), json!({"detail": "You do not have permission to perform this action."}));
        assert_eq!(answer.headers["x-request-id"], *id);
        assert!(!answer.headers.contains_key("www-authenticate"), "{answer:?}");
        let answer_text = format!("{answer:?}").to_lowercase();
        assert!(!answer_text.contains("isadmin") && !answer_text.contains("isowner"), "{answer:?}");
        let is_refusal =
            |record: &Value| record["fields"]["event"] == "permission_denied" && record["span"]["request_id"] == *id;
        eventually("the refusal is in the log", async || records(&blog).iter().any(is_refusal)).await;
        let found: Vec<_> = records(&blog).into_iter().filter(is_refusal).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        let fields = &found[0]["fields"];
        // Bob's user ID, and the last rule that could have allowed the request.
        assert_eq!((&fields["user"], &fields["refused_by"]), (&json!(2), &json!("IsAdmin")), "{found:?}");
        assert_eq!(found[0]["target"], "security", "{found:?}");
    }
    // Refusals of anonymous requests are not logged.
    assert_eq!(blog.client.get(&path).await.status, 401);
    assert_eq!(blog.get(&path, &owner).await.status, 200);
    let denied = records(&blog).into_iter().filter(|record| record["fields"]["event"] == "permission_denied");
    assert_eq!(denied.count(), 4);
}

fn records(blog: &Blog) -> Vec<Value> {
    blog.server.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
