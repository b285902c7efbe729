//! Log out: of one device, or of all.

use auth_tests::{Database, TokenPair};
use serde_json::{Value, json};

use super::fixture::Blog;

pub(crate) async fn walk_through(database: Database) {
    let blog = Blog::start(&database);
    blog.register("alice").await.with(201);
    let (phone, tablet) = (blog.login("alice").await, blog.login("alice").await);
    let (laptop, desk) = (blog.login("alice").await, blog.login("alice").await);

    // Logging out is for those who are logged in, and says of what.
    blog.post("/api/logout/", None, json!({"refresh": phone.refresh})).await.with(401);
    let nothing_named = blog.post("/api/logout/", Some(&phone.access), json!({})).await.with(400);
    assert!(nothing_named["error"].is_string(), "{nothing_named}");
    blog.post("/api/logout/", Some(&phone.access), json!({"refresh": "not.a.token"}))
        .await
        .is(400, json!({"error": "Token is invalid"}));

    // Of the phone: its refresh token is named, in either spelling.
    logs_out(&blog, &phone, json!({"refresh": phone.refresh}), "detail").await;
    is_out(&blog, &phone).await;
    logs_out(&blog, &tablet, json!({"refresh_token": tablet.refresh}), "status").await;
    is_out(&blog, &tablet).await;

    // Twice is an error.
    blog.post("/api/logout/", Some(&laptop.access), json!({"refresh": phone.refresh}))
        .await
        .is(400, json!({"error": "Token is blacklisted"}));

    // The others are as they were.
    let laptop = TokenPair::of(&blog.refresh(&laptop.refresh).await);
    let desk = TokenPair::of(&blog.refresh(&desk.refresh).await);

    // What is Bob's is not Alice's to end.
    let bob = blog.newcomer("bob").await;
    blog.post("/api/logout/", Some(&desk.access), json!({"refresh": bob.refresh})).await.with(400);
    let bob = TokenPair::of(&blog.refresh(&bob.refresh).await);

    // Of all that are left. Bob stays.
    logs_out(&blog, &desk, json!({"all": true}), "status").await;
    is_out(&blog, &laptop).await;
    is_out(&blog, &desk).await;
    TokenPair::of(&blog.refresh(&bob.refresh).await);

    // She can log in again.
    blog.login("alice").await;
}

async fn logs_out(blog: &Blog, tokens: &TokenPair, body: Value, says: &str) {
    let answer = blog.post("/api/logout/", Some(&tokens.access), body).await.with(200);
    assert!(answer[says].is_string(), "{answer}");
}

async fn is_out(blog: &Blog, tokens: &TokenPair) {
    blog.refresh(&tokens.refresh).await.is(401, json!({"detail": "Token is blacklisted", "code": "token_not_valid"}));
}
