//! Posts: everybody reads the list; an author and an administrator read, change and delete one.

use serde_json::{Value, json};

use crate::visitor::Visitor;

pub(crate) fn story(visitor: &Visitor) {
    let (author, stranger) = (visitor.newcomer("alice").access, visitor.newcomer("bob").access);
    let admin = visitor.newcomer("dora").access;
    visitor.promotes("dora");
    let no_credentials = json!({"detail": "Authentication credentials were not provided."});
    let not_allowed = json!({"detail": "You do not have permission to perform this action."});
    let no_such_post = json!({"detail": "No Post matches the given query."});

    // There is nothing yet, and anybody may see that.
    visitor.get("/api/posts/", None).is(200, json!([]));

    // Who writes is logged in, and is the author, whatever else the post says.
    let text = json!({"title": "First", "content": "Hello", "author": "bob", "id": 77});
    visitor.post("/api/posts/create/", None, text.clone()).is(401, no_credentials.clone());
    let post = visitor.post("/api/posts/create/", Some(&author), text).with(201);
    assert_eq!(
        (&post["title"], &post["content"], &post["author"]),
        (&json!("First"), &json!("Hello"), &json!("alice"))
    );
    assert!(post["created_at"].as_str().unwrap().ends_with('Z'), "{post}");
    let path = format!("/api/posts/{}/", post["id"]);
    assert_ne!(path, "/api/posts/77/");
    visitor.post("/api/posts/create/", Some(&author), json!({"title": "", "content": "x"})).refuses("title", BLANK);
    visitor.post("/api/posts/create/", Some(&author), json!({"title": "x"})).refuses("content", REQUIRED);

    // The newest comes first, for everybody.
    let second = visitor.post("/api/posts/create/", Some(&stranger), json!({"title": "Second", "content": "Me too"}));
    let second = second.with(201);
    for bearer in [None, Some(&*stranger)] {
        visitor.get("/api/posts/", bearer).is(200, json!([second, post]));
    }

    // One post is its author's, and the administrator's.
    visitor.get(&path, None).is(401, no_credentials.clone());
    visitor.get(&path, Some(&author)).is(200, post.clone());
    visitor.get(&path, Some(&stranger)).is(403, not_allowed.clone());
    visitor.sees(&path, &admin, 200);
    visitor.get("/api/posts/4711/", None).is(404, no_such_post.clone());
    visitor.get("/api/posts/4711/", Some(&author)).is(404, no_such_post.clone());

    // So are its changes.
    let change = json!({"title": "Changed", "content": "Good bye"});
    visitor.put(&path, None, change.clone()).is(401, no_credentials.clone());
    visitor.put(&path, Some(&stranger), change.clone()).is(403, not_allowed.clone());
    visitor.get(&path, Some(&author)).is(200, post.clone());
    let changed = visitor.put(&path, Some(&author), change).with(200);
    is_changed(&changed, &post, "Changed", "Good bye");
    visitor.put(&path, Some(&author), json!({"title": "Half"})).refuses("content", REQUIRED);
    let changed = visitor.patch(&path, Some(&author), json!({"title": "Half"})).with(200);
    is_changed(&changed, &post, "Half", "Good bye");
    visitor.patch(&path, None, json!({"title": "x"})).is(401, no_credentials.clone());
    visitor.patch(&path, Some(&stranger), json!({"title": "x"})).is(403, not_allowed.clone());
    let changed = visitor.patch(&path, Some(&admin), json!({"content": "Moderated"})).with(200);
    is_changed(&changed, &post, "Half", "Moderated");
    visitor.get(&path, Some(&author)).is(200, changed);

    // And its end.
    visitor.delete(&path, None).is(401, no_credentials);
    visitor.delete(&path, Some(&stranger)).is(403, not_allowed);
    visitor.delete(&path, Some(&author)).is(204, Value::Null);
    visitor.get(&path, Some(&author)).is(404, no_such_post.clone());
    visitor.delete(&path, Some(&author)).is(404, no_such_post);
    visitor.delete(&format!("/api/posts/{}/", second["id"]), Some(&admin)).is(204, Value::Null);
    visitor.get("/api/posts/", None).is(200, json!([]));
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
