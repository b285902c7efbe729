//! Exchange a refresh token for new tokens: once.

use auth_tests::tokens::claims_of;
use auth_tests::{Database, TokenPair};
use serde_json::{Value, json};

use super::fixture::Blog;

pub(crate) async fn walk_through(database: Database) {
    let blog = Blog::start(&database);
    let first = blog.newcomer("alice").await;

    // What is in the tokens: whose they are, what they are for, and until when.
    let (access, refresh) = (claims_of(&first.access), claims_of(&first.refresh));
    assert_eq!((&access["token_type"], &refresh["token_type"]), (&json!("access"), &json!("refresh")));
    for claims in [&access, &refresh] {
        assert_eq!(claims["user_id"], "1");
        assert_eq!((&claims["email"], &claims["role"]), (&json!("alice@example.com"), &json!("user")));
    }
    assert_ne!(access["jti"], refresh["jti"], "each token has an id of its own");
    let lives_for = |claims: &Value| claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap();
    assert_eq!(lives_for(&access), 30 * 60, "half an hour");
    assert_eq!(lives_for(&refresh), 7 * 24 * 60 * 60, "a week");

    // Both are good.
    for token in [&first.access, &first.refresh] {
        blog.post("/api/token/verify/", None, json!({"token": token})).await.is(200, json!({}));
    }
    let forged = blog.post("/api/token/verify/", None, json!({"token": format!("{}x", first.access)})).await;
    forged.is(401, json!({"detail": "Token is invalid", "code": "token_not_valid"}));

    // Alice exchanges her refresh token for two new tokens.
    let second = TokenPair::of(&blog.refresh(&first.refresh).await);
    assert!(second.access != first.access && second.refresh != first.refresh);
    assert_eq!(claims_of(&second.refresh)["user_id"], "1");
    blog.get("/api/protected/", Some(&second.access)).await.is(200, json!({"message": "Hello, alice!"}));

    // The first one is spent now. Whoever comes with it again gets nothing.
    let spent = json!({"detail": "Token is blacklisted", "code": "token_not_valid"});
    blog.refresh(&first.refresh).await.is(401, spent);
    let verified = blog.post("/api/token/verify/", None, json!({"token": first.refresh})).await;
    verified.is(400, json!({"non_field_errors": ["Token is blacklisted"]}));

    // An access token is no refresh token, and no token is no token.
    let wrong = blog.refresh(&second.access).await;
    wrong.is(401, json!({"detail": "Token has wrong type", "code": "token_not_valid"}));
    blog.post("/api/token/refresh/", None, json!({})).await.refuses("refresh", "This field is required.");
    blog.post("/api/token/verify/", None, json!({"token": ""})).await.refuses("token", "This field may not be blank.");
}
