//! Logging out of one session, and of all.

use auth_tests::{Database, TokenPair};
use serde_json::{Value, json};

use super::fixture::Blog;

pub(crate) async fn walk_through(database: Database) {
    let blog = Blog::start(&database);
    blog.register("alice").await.expect_status(201);
    let (phone, tablet) = (blog.login("alice").await, blog.login("alice").await);
    let (laptop, desk) = (blog.login("alice").await, blog.login("alice").await);

    // A logout requires credentials and a target.
    blog.post("/api/logout/", None, json!({"refresh": phone.refresh})).await.expect_status(401);
    let no_target = blog.post("/api/logout/", Some(&phone.access), json!({})).await.expect_status(400);
    assert!(no_target["error"].is_string(), "{no_target}");
    blog.post("/api/logout/", Some(&phone.access), json!({"refresh": "not.a.token"}))
        .await
        .assert_json(400, json!({"error": "Token is invalid"}));

    // Logout of one session: the refresh token identifies it, in either field.
    log_out(&blog, &phone, json!({"refresh": phone.refresh}), "detail").await;
    assert_logged_out(&blog, &phone).await;
    log_out(&blog, &tablet, json!({"refresh_token": tablet.refresh}), "status").await;
    assert_logged_out(&blog, &tablet).await;

    // A second logout is an error.
    blog.post("/api/logout/", Some(&laptop.access), json!({"refresh": phone.refresh}))
        .await
        .assert_json(400, json!({"error": "Token is blacklisted"}));

    // The other sessions are not affected.
    let laptop = TokenPair::of(&blog.refresh(&laptop.refresh).await);
    let desk = TokenPair::of(&blog.refresh(&desk.refresh).await);

    // Alice cannot revoke Bob's session.
    let bob = blog.register_and_login("bob").await;
    blog.post("/api/logout/", Some(&desk.access), json!({"refresh": bob.refresh})).await.expect_status(400);
    let bob = TokenPair::of(&blog.refresh(&bob.refresh).await);

    // Logout of all remaining sessions. Bob's session stays live.
    log_out(&blog, &desk, json!({"all": true}), "status").await;
    assert_logged_out(&blog, &laptop).await;
    assert_logged_out(&blog, &desk).await;
    TokenPair::of(&blog.refresh(&bob.refresh).await);

    // Alice can log in again.
    blog.login("alice").await;
}

async fn log_out(blog: &Blog, tokens: &TokenPair, body: Value, says: &str) {
    let answer = blog.post("/api/logout/", Some(&tokens.access), body).await.expect_status(200);
    assert!(answer[says].is_string(), "{answer}");
}

async fn assert_logged_out(blog: &Blog, tokens: &TokenPair) {
    blog.refresh(&tokens.refresh)
        .await
        .assert_json(401, json!({"detail": "Token is blacklisted", "code": "token_not_valid"}));
}
