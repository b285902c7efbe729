//! Posts: anyone can list them; the author and staff can read, change and delete one.

use auth_tests::Database;
use serde_json::{Value, json};

use super::fixture::Blog;

pub(crate) async fn walk_through(database: Database) {
    let blog = Blog::start(&database);
    let (author, other) = (blog.register_and_login("alice").await.access, blog.register_and_login("bob").await.access);
    let admin = blog.register_and_login("dora").await.access;
    blog.users("promote", "dora");
    let no_credentials = json!({"detail": "Authentication credentials were not provided."});
    let not_allowed = json!({"detail": "You do not have permission to perform this action."});
    let no_such_post = json!({"detail": "No Post matches the given query."});

    // The list is empty, and public.
    blog.get("/api/posts/", None).await.assert_json(200, json!([]));

    // Creating a post requires a login; the caller is the author, whatever the body says.
    let text = json!({"title": "First", "content": "Hello", "author": "bob", "id": 77});
    blog.post("/api/posts/create/", None, text.clone()).await.assert_json(401, no_credentials.clone());
    let post = blog.post("/api/posts/create/", Some(&author), text).await.expect_status(201);
    assert_eq!(
        (&post["title"], &post["content"], &post["author"]),
        (&json!("First"), &json!("Hello"), &json!("alice"))
    );
    assert!(post["created_at"].as_str().unwrap().ends_with('Z'), "{post}");
    let path = format!("/api/posts/{}/", post["id"]);
    assert_ne!(path, "/api/posts/77/");
    blog.post("/api/posts/create/", Some(&author), json!({"title": "", "content": "x"}))
        .await
        .assert_field_error("title", BLANK);
    blog.post("/api/posts/create/", Some(&author), json!({"title": "x"})).await.assert_field_error("content", REQUIRED);

    // The newest post comes first, for every caller.
    let second = blog.post("/api/posts/create/", Some(&other), json!({"title": "Second", "content": "Me too"})).await;
    let second = second.expect_status(201);
    for bearer in [None, Some(&*other)] {
        blog.get("/api/posts/", bearer).await.assert_json(200, json!([second, post]));
    }

    // Only the author and staff can read a post.
    blog.get(&path, None).await.assert_json(401, no_credentials.clone());
    blog.get(&path, Some(&author)).await.assert_json(200, post.clone());
    blog.get(&path, Some(&other)).await.assert_json(403, not_allowed.clone());
    blog.wait_for_status(&admin, &path, 200).await;
    blog.get("/api/posts/4711/", None).await.assert_json(404, no_such_post.clone());
    blog.get("/api/posts/4711/", Some(&author)).await.assert_json(404, no_such_post.clone());

    // Only they can change it.
    let change = json!({"title": "Changed", "content": "Good bye"});
    blog.put(&path, None, change.clone()).await.assert_json(401, no_credentials.clone());
    blog.put(&path, Some(&other), change.clone()).await.assert_json(403, not_allowed.clone());
    blog.get(&path, Some(&author)).await.assert_json(200, post.clone());
    let changed = blog.put(&path, Some(&author), change).await.expect_status(200);
    assert_changed(&changed, &post, "Changed", "Good bye");
    blog.put(&path, Some(&author), json!({"title": "Half"})).await.assert_field_error("content", REQUIRED);
    let changed = blog.patch(&path, Some(&author), json!({"title": "Half"})).await.expect_status(200);
    assert_changed(&changed, &post, "Half", "Good bye");
    blog.patch(&path, None, json!({"title": "x"})).await.assert_json(401, no_credentials.clone());
    blog.patch(&path, Some(&other), json!({"title": "x"})).await.assert_json(403, not_allowed.clone());
    let changed = blog.patch(&path, Some(&admin), json!({"content": "Moderated"})).await.expect_status(200);
    assert_changed(&changed, &post, "Half", "Moderated");
    blog.get(&path, Some(&author)).await.assert_json(200, changed);

    // Only they can delete it.
    blog.delete(&path, None).await.assert_json(401, no_credentials);
    blog.delete(&path, Some(&other)).await.assert_json(403, not_allowed);
    blog.delete(&path, Some(&author)).await.assert_json(204, Value::Null);
    blog.get(&path, Some(&author)).await.assert_json(404, no_such_post.clone());
    blog.delete(&path, Some(&author)).await.assert_json(404, no_such_post);
    blog.delete(&format!("/api/posts/{}/", second["id"]), Some(&admin)).await.assert_json(204, Value::Null);
    blog.get("/api/posts/", None).await.assert_json(200, json!([]));
}

const BLANK: &str = "This field may not be blank.";
const REQUIRED: &str = "This field is required.";

/// Checks that only title and content have changed.
fn assert_changed(changed: &Value, post: &Value, title: &str, content: &str) {
    let mut expected = post.clone();
    expected["title"] = json!(title);
    expected["content"] = json!(content);
    assert_eq!(changed, &expected);
}
