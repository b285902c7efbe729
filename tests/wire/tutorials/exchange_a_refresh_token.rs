//! Exchanging a refresh token for new tokens, once.

use auth_tests::tokens::claims_of;
use auth_tests::{Database, TokenPair};
use serde_json::{Value, json};

use super::fixture::Blog;

pub(crate) async fn walk_through(database: Database) {
    let blog = Blog::start(&database);
    let first = blog.register_and_login("alice").await;

    // The claims of the tokens: user, type and lifetime.
    let (access, refresh) = (claims_of(&first.access), claims_of(&first.refresh));
    assert_eq!((&access["token_type"], &refresh["token_type"]), (&json!("access"), &json!("refresh")));
    for claims in [&access, &refresh] {
        assert_eq!(claims["user_id"], "1");
        assert_eq!((&claims["email"], &claims["role"]), (&json!("alice@example.com"), &json!("user")));
    }
    assert_ne!(access["jti"], refresh["jti"], "every token has its own ID");
    let lifetime = |claims: &Value| claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(lifetime(&access), 30 * 60, "half an hour");
    assert_eq!(lifetime(&refresh), 7 * 24 * 60 * 60, "a week");

    // Both tokens are valid.
    for token in [&first.access, &first.refresh] {
        blog.post("/api/token/verify/", None, json!({"token": token})).await.assert_json(200, json!({}));
    }
    let forged = blog.post("/api/token/verify/", None, json!({"token": format!("{}x", first.access)})).await;
    forged.assert_json(401, json!({"detail": "Token is invalid", "code": "token_not_valid"}));

    // Alice exchanges her refresh token for two new tokens.
    let second = TokenPair::of(&blog.refresh(&first.refresh).await);
    assert!(second.access != first.access && second.refresh != first.refresh);
    assert_eq!(claims_of(&second.refresh)["user_id"], "1");
    blog.get("/api/protected/", Some(&second.access)).await.assert_json(200, json!({"message": "Hello, alice!"}));

    // The first token is used now, and cannot be exchanged again.
    let used = json!({"detail": "Token is blacklisted", "code": "token_not_valid"});
    blog.refresh(&first.refresh).await.assert_json(401, used);
    let verified = blog.post("/api/token/verify/", None, json!({"token": first.refresh})).await;
    verified.assert_json(400, json!({"non_field_errors": ["Token is blacklisted"]}));

    // An access token is not a refresh token, and a token is required.
    let wrong = blog.refresh(&second.access).await;
    wrong.assert_json(401, json!({"detail": "Token has wrong type", "code": "token_not_valid"}));
    blog.post("/api/token/refresh/", None, json!({})).await.assert_field_error("refresh", "This field is required.");
    blog.post("/api/token/verify/", None, json!({"token": ""}))
        .await
        .assert_field_error("token", "This field may not be blank.");
}
