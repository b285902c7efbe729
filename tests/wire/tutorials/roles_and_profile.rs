//! Roles are in the tokens, for clients to look at; the profile is its owner's to change.

use auth_tests::tokens::claims_of;
use auth_tests::{Database, TokenPair};
use serde_json::json;

use super::fixture::Blog;

pub(crate) async fn walk_through(database: Database) {
    let blog = Blog::start(&database);
    let alice = blog.newcomer("alice").await;
    let role = |token: &str| claims_of(token)["role"].clone();
    assert_eq!((role(&alice.access), role(&alice.refresh)), (json!("user"), json!("user")));

    // The operator makes her an administrator. The tokens she has say what they said; the next ones say the new role,
    // whether she logs in again or refreshes.
    blog.users("promote", "alice");
    assert_eq!(role(&blog.login("alice").await.access), "admin");
    let next = TokenPair::of(&blog.refresh(&alice.refresh).await);
    assert_eq!((role(&next.access), role(&next.refresh)), (json!("admin"), json!("admin")));
    blog.users("demote", "alice");
    let alice = TokenPair::of(&blog.refresh(&next.refresh).await);
    assert_eq!(role(&alice.access), "user");

    // Her profile.
    let me = "/api/users/me/";
    blog.get(me, None).await.with(401);
    let profile = blog.get(me, Some(&alice.access)).await.with(200);
    for (name, expected) in [("username", "alice"), ("email", "alice@example.com"), ("first_name", "Al")] {
        assert_eq!(profile[name], expected, "{profile}");
    }
    assert!(!profile.to_string().to_lowercase().contains("password"), "{profile}");

    // PATCH changes what is named, and nothing else.
    let changed = blog.patch(me, Some(&alice.access), json!({"first_name": "Alice"})).await.with(200);
    let mut expected = profile.clone();
    expected["first_name"] = json!("Alice");
    assert_eq!(changed, expected);
    blog.get(me, Some(&alice.access)).await.is(200, expected.clone());

    // PUT wants the whole profile.
    let missing = blog.put(me, Some(&alice.access), json!({"first_name": "Alice"})).await.with(400);
    assert_eq!(missing["username"], json!(["This field is required."]), "{missing}");
    let whole = json!({
        "username": "alicia", "email": "alicia@example.com", "first_name": "Alicia", "last_name": "Jones",
    });
    let changed = blog.put(me, Some(&alice.access), whole.clone()).await.with(200);
    for (name, value) in whole.as_object().unwrap() {
        assert_eq!(&changed[name], value, "{changed}");
    }
    blog.get(me, Some(&alice.access)).await.is(200, changed.clone());
    blog.get("/api/protected/", Some(&alice.access)).await.is(200, json!({"message": "Hello, alicia!"}));
    assert_eq!(claims_of(&blog.login("alicia").await.access)["email"], "alicia@example.com");

    // A name or address that is somebody else's stays theirs.
    blog.newcomer("bob").await;
    let taken = "A user with that username already exists.";
    blog.patch(me, Some(&alice.access), json!({"username": "bob"})).await.refuses("username", taken);
    let taken = "user with this email address already exists.";
    blog.patch(me, Some(&alice.access), json!({"email": "bob@example.com"})).await.refuses("email", taken);
    blog.patch(me, Some(&alice.access), json!({"email": "bob"})).await.refuses("email", "Enter a valid email address.");
    let unchanged = blog.get(me, Some(&alice.access)).await.with(200);
    assert_eq!((&unchanged["username"], &unchanged["email"]), (&json!("alicia"), &json!("alicia@example.com")));

    // Nobody makes an administrator of themselves, nor another account of theirs.
    let unasked = json!({"id": 77, "is_staff": true, "is_superuser": true, "role": "admin", "groups": ["admin"]});
    let still = blog.patch(me, Some(&alice.access), unasked).await.with(200);
    assert_eq!((&still["id"], &still["is_staff"]), (&profile["id"], &json!(false)), "{still}");
    let tokens = blog.login("alicia").await;
    assert_eq!(role(&tokens.access), "user");
    let still = blog.get(me, Some(&tokens.access)).await.with(200);
    assert_eq!((&still["id"], &still["is_staff"]), (&profile["id"], &json!(false)), "{still}");
}
