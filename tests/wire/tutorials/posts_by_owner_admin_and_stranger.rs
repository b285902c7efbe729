//! Posts: everybody reads the list; an author and an administrator read, change and delete one.

use auth_tests::Database;
use serde_json::{Value, json};

use super::fixture::Blog;

pub(crate) async fn walk_through(database: Database) {
    let blog = Blog::start(&database);
    let (author, stranger) = (blog.newcomer("alice").await.access, blog.newcomer("bob").await.access);
    let admin = blog.newcomer("dora").await.access;
    blog.users("promote", "dora");
    let no_credentials = json!({"detail": "Authentication credentials were not provided."});
    let not_allowed = json!({"detail": "You do not have permission to perform this action."});
    let no_such_post = json!({"detail": "No Post matches the given query."});

    // There is nothing yet, and anybody may see that.
    blog.get("/api/posts/", None).await.is(200, json!([]));

    // Who writes is logged in, and is the author, whatever else the post says.
    let text = json!({"title": "First", "content": "Hello", "author": "bob", "id": 77});
    blog.post("/api/posts/create/", None, text.clone()).await.is(401, no_credentials.clone());
    let post = blog.post("/api/posts/create/", Some(&author), text).await.with(201);
    assert_eq!(
        (&post["title"], &post["content"], &post["author"]),
        (&json!("First"), &json!("Hello"), &json!("alice"))
    );
    assert!(post["created_at"].as_str().unwrap().ends_with('Z'), "{post}");
    let path = format!("/api/posts/{}/", post["id"]);
    assert_ne!(path, "/api/posts/77/");
    blog.post("/api/posts/create/", Some(&author), json!({"title": "", "content": "x"})).await.refuses("title", BLANK);
    blog.post("/api/posts/create/", Some(&author), json!({"title": "x"})).await.refuses("content", REQUIRED);

    // The newest comes first, for everybody.
    let second =
        blog.post("/api/posts/create/", Some(&stranger), json!({"title": "Second", "content": "Me too"})).await;
    let second = second.with(201);
    for bearer in [None, Some(&*stranger)] {
        blog.get("/api/posts/", bearer).await.is(200, json!([second, post]));
    }

    // One post is its author's, and the administrator's.
    blog.get(&path, None).await.is(401, no_credentials.clone());
    blog.get(&path, Some(&author)).await.is(200, post.clone());
    blog.get(&path, Some(&stranger)).await.is(403, not_allowed.clone());
    blog.becomes(&admin, &path, 200).await;
    blog.get("/api/posts/4711/", None).await.is(404, no_such_post.clone());
    blog.get("/api/posts/4711/", Some(&author)).await.is(404, no_such_post.clone());

    // So are its changes.
    let change = json!({"title": "Changed", "content": "Good bye"});
    blog.put(&path, None, change.clone()).await.is(401, no_credentials.clone());
    blog.put(&path, Some(&stranger), change.clone()).await.is(403, not_allowed.clone());
    blog.get(&path, Some(&author)).await.is(200, post.clone());
    let changed = blog.put(&path, Some(&author), change).await.with(200);
    is_changed(&changed, &post, "Changed", "Good bye");
    blog.put(&path, Some(&author), json!({"title": "Half"})).await.refuses("content", REQUIRED);
    let changed = blog.patch(&path, Some(&author), json!({"title": "Half"})).await.with(200);
    is_changed(&changed, &post, "Half", "Good bye");
    blog.patch(&path, None, json!({"title": "x"})).await.is(401, no_credentials.clone());
    blog.patch(&path, Some(&stranger), json!({"title": "x"})).await.is(403, not_allowed.clone());
    let changed = blog.patch(&path, Some(&admin), json!({"content": "Moderated"})).await.with(200);
    is_changed(&changed, &post, "Half", "Moderated");
    blog.get(&path, Some(&author)).await.is(200, changed);

    // And its end.
    blog.delete(&path, None).await.is(401, no_credentials);
    blog.delete(&path, Some(&stranger)).await.is(403, not_allowed);
    blog.delete(&path, Some(&author)).await.is(204, Value::Null);
    blog.get(&path, Some(&author)).await.is(404, no_such_post.clone());
    blog.delete(&path, Some(&author)).await.is(404, no_such_post);
    blog.delete(&format!("/api/posts/{}/", second["id"]), Some(&admin)).await.is(204, Value::Null);
    blog.get("/api/posts/", None).await.is(200, json!([]));
}

const BLANK: &str = "This field may not be blank.";
const REQUIRED: &str = "This field is required.";

/// The same post with another text: its author and its moment stay, whoever changed it.
fn is_changed(changed: &Value, post: &Value, title: &str, content: &str) {
    let mut expected = post.clone();
    expected["title"] = json!(title);
    expected["content"] = json!(content);
    assert_eq!(changed, &expected);
}
