//! Which paths the blog has and who may call them; what is none; and what a refusal leaves in the log.

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
        Once => the_table_of_routes_is_the_golden_one;
        OnSqlite =>
            what_is_no_route_is_404_for_everybody,
            a_refusal_is_in_the_log_with_what_refused_and_the_answer_does_not_say]
}

/// `just golden` writes it anew, for review.
async fn the_table_of_routes_is_the_golden_one() {
    let output = ServerOptions::new("simplejwt", None).run_to_end(BLOG, &["routes"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let actual = String::from_utf8(output.stdout).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/blog_routes.txt");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "blog_routes.txt has changed; look at it, then run `just golden`:\n{actual}");
}

async fn ask(blog: &Blog, method: &Method, path: &str, bearer: Option<&str>) -> Answer {
    let mut request = blog.client.http.request(method.clone(), format!("{}{path}", blog.client.url));
    if let Some(token) = bearer {
        request = request.bearer_auth(token);
    }
    Answer::of(request.send().await.unwrap()).await
}

async fn what_is_no_route_is_404_for_everybody(database: Database) {
    let blog = Blog::start(database.server("development"));
    let user = blog.client.newcomer("alice").await.access;
    blog.client.newcomer("dora").await;
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
                let answer = ask(&blog, &method, path, bearer).await;
                findings.check(format!("{method} {path}"), &answer, &[404]);
                let body = json!({"detail": "Not found."});
                findings.note(answer.json() == body, || format!("{method} {path}: {}", answer.text));
            }
        }
    }
    // A route, and nothing at it.
    for path in ["/api/posts/4711/", "/api/posts/99999999999999999999/"] {
        for method in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE] {
            for bearer in [None, Some(&*user), Some(&*admin)] {
                let answer = ask(&blog, &method, path, bearer).await;
                findings.check(format!("{method} {path}"), &answer, &[404]);
                let body = json!({"detail": "No Post matches the given query."});
                findings.note(answer.json() == body, || format!("{method} {path}: {}", answer.text));
            }
        }
    }
    findings.close();
}

async fn a_refusal_is_in_the_log_with_what_refused_and_the_answer_does_not_say(database: Database) {
    let blog = Blog::start(database.server("development"));
    let (owner, stranger) = (blog.client.newcomer("alice").await.access, blog.client.newcomer("bob").await.access);
    let path = blog.post(&owner).await;
    for (number, method) in [Method::GET, Method::PUT, Method::PATCH, Method::DELETE].into_iter().enumerate() {
        let id = format!("refusal-{number}");
        let request = blog.client.http.request(method, format!("{}{path}", blog.client.url)).bearer_auth(&stranger);
        let answer = Answer::of(request.header("X-Request-Id", &id).send().await.unwrap()).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert_eq!(answer.json(), json!({"detail": "You do not have permission to perform this action."}));
        assert_eq!(answer.headers["x-request-id"], *id);
        assert!(!answer.headers.contains_key("www-authenticate"), "{answer:?}");
        let told = format!("{answer:?}").to_lowercase();
        assert!(!told.contains("isadmin") && !told.contains("isowner"), "{answer:?}");
        let is_it =
            |record: &Value| record["fields"]["event"] == "permission_denied" && record["span"]["request_id"] == *id;
        eventually("the refusal is in the log", async || records(&blog).iter().any(is_it)).await;
        let found: Vec<_> = records(&blog).into_iter().filter(is_it).collect();
        assert_eq!(found.len(), 1, "{found:?}");
        let fields = &found[0]["fields"];
        // Bob's number, and the last part that could have let him in.
        assert_eq!((&fields["user"], &fields["refused_by"]), (&json!(2), &json!("IsAdmin")), "{found:?}");
        assert_eq!(found[0]["target"], "security", "{found:?}");
    }
    // Who has no credentials is nobody to be named.
    assert_eq!(blog.client.get(&path).await.status, 401);
    assert_eq!(blog.get(&path, &owner).await.status, 200);
    let denied = records(&blog).into_iter().filter(|record| record["fields"]["event"] == "permission_denied");
    assert_eq!(denied.count(), 4);
}

fn records(blog: &Blog) -> Vec<Value> {
    blog.server.log().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
