//! Registering, logging in, and calling a protected path.

use auth_tests::{Database, PASSWORD, TokenPair};
use serde_json::json;

use super::fixture::Blog;

pub(crate) async fn walk_through(database: Database) {
    let blog = Blog::start(&database);
    // The path exists, and requires credentials.
    let closed = blog.get("/api/protected/", None).await;
    assert_eq!(closed.header("www-authenticate"), r#"Bearer realm="api""#);
    closed.assert_json(401, json!({"detail": "Authentication credentials were not provided."}));

    // Without an account, login fails.
    let no_account = json!({"detail": "No active account found with the given credentials"});
    blog.post("/api/token/", None, json!({"username": "alice", "password": PASSWORD}))
        .await
        .assert_json(401, no_account.clone());

    // Alice registers. No answer contains her password.
    let alice = blog.register("alice").await.expect_status(201);
    assert_eq!((&alice["username"], &alice["email"]), (&json!("alice"), &json!("alice@example.com")), "{alice}");
    assert!(!alice.to_string().contains(PASSWORD), "{alice}");

    // A second account with her username or email address is refused, and so are passwords that differ.
    blog.register("alice").await.assert_field_error("username", "User with this username already exists.");
    let account = json!({
        "username": "alicia", "email": "alice@example.com", "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
    });
    blog.post("/api/register/", None, account)
        .await
        .assert_field_error("email", "User with this email already exists.");
    let differs = json!({
        "username": "bob", "email": "bob@example.com", "first_name": "Bob", "password": PASSWORD, "password2": "Correct-horse-43",
    });
    blog.post("/api/register/", None, differs).await.assert_field_error("password", "Password fields didn't match.");

    // She logs in with her username or her email address.
    let by_name =
        TokenPair::of(&blog.post("/api/token/", None, json!({"username": "alice", "password": PASSWORD})).await);
    let by_email = TokenPair::of(
        &blog.post("/api/token/", None, json!({"email": "alice@example.com", "password": PASSWORD})).await,
    );
    assert_ne!(by_name.access, by_email.access);

    // Either access token opens the path; nothing else does.
    for tokens in [&by_name, &by_email] {
        blog.get("/api/protected/", Some(&tokens.access)).await.assert_json(200, json!({"message": "Hello, alice!"}));
    }
    let refused = blog.get("/api/protected/", Some("not.a.token")).await.expect_status(401);
    assert_eq!(refused["code"], "token_not_valid");
    let refused = blog.get("/api/protected/", Some(&by_name.refresh)).await.expect_status(401);
    assert_eq!(refused["messages"][0]["message"], "Token has wrong type");

    // A wrong password and an unknown username get the same answer; a missing field is named.
    for (name, password) in [("alice", "Wrong-horse-42"), ("unknown", PASSWORD), ("alice", "")] {
        let answer = blog.post("/api/token/", None, json!({"username": name, "password": password})).await;
        if password.is_empty() {
            answer.assert_field_error("password", "This field may not be blank.");
        } else {
            answer.assert_json(401, no_account.clone());
        }
    }
    blog.post("/api/token/", None, json!({"username": "alice"}))
        .await
        .assert_field_error("password", "This field is required.");
}
