//! Make an account, log in, and call a path that is for those who are logged in.

use auth_tests::{Database, PASSWORD, TokenPair};
use serde_json::json;

use super::fixture::Blog;

pub(crate) async fn walk_through(database: Database) {
    let blog = Blog::start(&database);
    // The path is there, and closed.
    let closed = blog.get("/api/protected/", None).await;
    assert_eq!(closed.header("www-authenticate"), r#"Bearer realm="api""#);
    closed.is(401, json!({"detail": "Authentication credentials were not provided."}));

    // There is no account yet, so nobody can log in.
    let nobody = json!({"detail": "No active account found with the given credentials"});
    blog.post("/api/token/", None, json!({"username": "alice", "password": PASSWORD})).await.is(401, nobody.clone());

    // Alice makes one. Her password is in no answer.
    let alice = blog.register("alice").await.with(201);
    assert_eq!((&alice["username"], &alice["email"]), (&json!("alice"), &json!("alice@example.com")), "{alice}");
    assert!(!alice.to_string().contains(PASSWORD), "{alice}");

    // Neither a second one of her name or address, nor one whose passwords differ.
    blog.register("alice").await.refuses("username", "User with this username already exists.");
    let account = json!({
        "username": "alicia", "email": "alice@example.com", "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
    });
    blog.post("/api/register/", None, account).await.refuses("email", "User with this email already exists.");
    let differs = json!({
        "username": "bob", "email": "bob@example.com", "first_name": "Bob", "password": PASSWORD, "password2": "Correct-horse-43",
    });
    blog.post("/api/register/", None, differs).await.refuses("password", "Password fields didn't match.");

    // She logs in with her name, or with her address.
    let by_name =
        TokenPair::of(&blog.post("/api/token/", None, json!({"username": "alice", "password": PASSWORD})).await);
    let by_address = TokenPair::of(
        &blog.post("/api/token/", None, json!({"email": "alice@example.com", "password": PASSWORD})).await,
    );
    assert_ne!(by_name.access, by_address.access);

    // With either token the path is open; with anything else it is not.
    for tokens in [&by_name, &by_address] {
        blog.get("/api/protected/", Some(&tokens.access)).await.is(200, json!({"message": "Hello, alice!"}));
    }
    let refused = blog.get("/api/protected/", Some("not.a.token")).await.with(401);
    assert_eq!(refused["code"], "token_not_valid");
    let refused = blog.get("/api/protected/", Some(&by_name.refresh)).await.with(401);
    assert_eq!(refused["messages"][0]["message"], "Token has wrong type");

    // A wrong password, and a name that nobody has, are answered alike; what is left out is named.
    for (name, password) in [("alice", "Wrong-horse-42"), ("nobody", PASSWORD), ("alice", "")] {
        let answer = blog.post("/api/token/", None, json!({"username": name, "password": password})).await;
        if password.is_empty() {
            answer.refuses("password", "This field may not be blank.");
        } else {
            answer.is(401, nobody.clone());
        }
    }
    blog.post("/api/token/", None, json!({"username": "alice"})).await.refuses("password", "This field is required.");
}
