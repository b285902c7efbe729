//! Roles, which tokens carry for clients, and the profile, which users can change.

use auth_tests::tokens::claims_of;
use auth_tests::{Database, TokenPair};
use serde_json::json;

use super::fixture::Blog;

pub(crate) async fn walk_through(database: Database) {
    let blog = Blog::start(&database);
    let alice = blog.register_and_login("alice").await;
    let role = |token: &str| claims_of(token)["role"].clone();
    assert_eq!((role(&alice.access), role(&alice.refresh)), (json!("user"), json!("user")));

    // The operator promotes her. Existing tokens keep the old role; new ones from a login or a refresh have the new role.
    blog.users("promote", "alice");
    assert_eq!(role(&blog.login("alice").await.access), "admin");
    let next = TokenPair::of(&blog.refresh(&alice.refresh).await);
    assert_eq!((role(&next.access), role(&next.refresh)), (json!("admin"), json!("admin")));
    blog.users("demote", "alice");
    let alice = TokenPair::of(&blog.refresh(&next.refresh).await);
    assert_eq!(role(&alice.access), "user");

    // The profile.
    let me = "/api/users/me/";
    blog.get(me, None).await.expect_status(401);
    let profile = blog.get(me, Some(&alice.access)).await.expect_status(200);
    for (name, expected) in [("username", "alice"), ("email", "alice@example.com"), ("first_name", "Al")] {
        assert_eq!(profile[name], expected, "{profile}");
    }
    assert!(!profile.to_string().to_lowercase().contains("password"), "{profile}");

    // PATCH changes only the given fields.
    let changed = blog.patch(me, Some(&alice.access), json!({"first_name": "Alice"})).await.expect_status(200);
    let mut expected = profile.clone();
    expected["first_name"] = json!("Alice");
    assert_eq!(changed, expected);
    blog.get(me, Some(&alice.access)).await.assert_json(200, expected.clone());

    // PUT requires the whole profile.
    let missing = blog.put(me, Some(&alice.access), json!({"first_name": "Alice"})).await.expect_status(400);
    assert_eq!(missing["username"], json!(["This field is required."]), "{missing}");
    let whole = json!({
        "username": "alicia", "email": "alicia@example.com", "first_name": "Alicia", "last_name": "Jones",
    });
    let changed = blog.put(me, Some(&alice.access), whole.clone()).await.expect_status(200);
    for (name, value) in whole.as_object().unwrap() {
        assert_eq!(&changed[name], value, "{changed}");
    }
    blog.get(me, Some(&alice.access)).await.assert_json(200, changed.clone());
    blog.get("/api/protected/", Some(&alice.access)).await.assert_json(200, json!({"message": "Hello, alicia!"}));
    assert_eq!(claims_of(&blog.login("alicia").await.access)["email"], "alicia@example.com");

    // Usernames and email addresses of other users are refused.
    blog.register_and_login("bob").await;
    let taken = "A user with that username already exists.";
    blog.patch(me, Some(&alice.access), json!({"username": "bob"})).await.assert_field_error("username", taken);
    let taken = "user with this email address already exists.";
    blog.patch(me, Some(&alice.access), json!({"email": "bob@example.com"})).await.assert_field_error("email", taken);
    blog.patch(me, Some(&alice.access), json!({"email": "bob"}))
        .await
        .assert_field_error("email", "Enter a valid email address.");
    let unchanged = blog.get(me, Some(&alice.access)).await.expect_status(200);
    assert_eq!((&unchanged["username"], &unchanged["email"]), (&json!("alicia"), &json!("alicia@example.com")));

    // Users cannot give themselves rights, nor change their user ID.
    let unasked = json!({"id": 77, "is_staff": true, "is_superuser": true, "role": "admin", "groups": ["admin"]});
    let still = blog.patch(me, Some(&alice.access), unasked).await.expect_status(200);
    assert_eq!((&still["id"], &still["is_staff"]), (&profile["id"], &json!(false)), "{still}");
    let tokens = blog.login("alicia").await;
    assert_eq!(role(&tokens.access), "user");
    let still = blog.get(me, Some(&tokens.access)).await.expect_status(200);
    assert_eq!((&still["id"], &still["is_staff"]), (&profile["id"], &json!(false)), "{still}");
}
