//! Make an account, log in, and call a path that is for those who are logged in.

use serde_json::json;

use crate::visitor::{PASSWORD, Tokens, Visitor};

pub(crate) fn story(visitor: &Visitor) {
    // The path is there, and closed.
    let closed = visitor.get("/api/protected/", None);
    assert_eq!(closed.challenge.as_deref(), Some(r#"Bearer realm="api""#));
    closed.is(401, json!({"detail": "Authentication credentials were not provided."}));

    // There is no account yet, so nobody can log in.
    let nobody = json!({"detail": "No active account found with the given credentials"});
    visitor.post("/api/token/", None, json!({"username": "alice", "password": PASSWORD})).is(401, nobody.clone());

    // Alice makes one. Her password is in no answer.
    let alice = visitor.register("alice").with(201);
    assert_eq!((&alice["username"], &alice["email"]), (&json!("alice"), &json!("alice@example.com")), "{alice}");
    assert!(!alice.to_string().contains(PASSWORD), "{alice}");

    // Neither a second one of her name or address, nor one whose passwords differ.
    visitor.register("alice").refuses("username", "User with this username already exists.");
    let account = json!({
        "username": "alicia", "email": "alice@example.com", "first_name": "Al", "password": PASSWORD, "password2": PASSWORD,
    });
    visitor.post("/api/register/", None, account).refuses("email", "User with this email already exists.");
    let differs = json!({
        "username": "bob", "email": "bob@example.com", "first_name": "Bob", "password": PASSWORD, "password2": "Correct-horse-43",
    });
    visitor.post("/api/register/", None, differs).refuses("password", "Password fields didn't match.");

    // She logs in with her name, or with her address.
    let by_name = Tokens::of(visitor.post("/api/token/", None, json!({"username": "alice", "password": PASSWORD})));
    let by_address =
        Tokens::of(visitor.post("/api/token/", None, json!({"email": "alice@example.com", "password": PASSWORD})));
    assert_ne!(by_name.access, by_address.access);

    // With either token the path is open; with anything else it is not.
    for tokens in [&by_name, &by_address] {
        visitor.get("/api/protected/", Some(&tokens.access)).is(200, json!({"message": "Hello, alice!"}));
    }
    let refused = visitor.get("/api/protected/", Some("not.a.token")).with(401);
    assert_eq!(refused["code"], "token_not_valid");
    let refused = visitor.get("/api/protected/", Some(&by_name.refresh)).with(401);
    assert_eq!(refused["messages"][0]["message"], "Token has wrong type");

    // A wrong password, and a name that nobody has, are answered alike; what is left out is named.
    for (name, password) in [("alice", "Wrong-horse-42"), ("nobody", PASSWORD), ("alice", "")] {
        let answer = visitor.post("/api/token/", None, json!({"username": name, "password": password}));
        if password.is_empty() {
            answer.refuses("password", "This field may not be blank.");
        } else {
            answer.is(401, nobody.clone());
        }
    }
    visitor.post("/api/token/", None, json!({"username": "alice"})).refuses("password", "This field is required.");
}
