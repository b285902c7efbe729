//! Roles are in the tokens, for clients to look at; the profile is its owner's to change.

use serde_json::json;

use crate::visitor::{Tokens, Visitor, claims};

pub(crate) fn story(visitor: &Visitor) {
    let alice = visitor.newcomer("alice");
    let role = |token: &str| claims(token)["role"].clone();
    assert_eq!((role(&alice.access), role(&alice.refresh)), (json!("user"), json!("user")));

    // The operator makes her an administrator. The tokens she has say what they said; the next ones say the new role,
    // whether she logs in again or refreshes.
    visitor.promotes("alice");
    assert_eq!(role(&visitor.login("alice").access), "admin");
    let next = Tokens::of(visitor.refresh(&alice.refresh));
    assert_eq!((role(&next.access), role(&next.refresh)), (json!("admin"), json!("admin")));
    visitor.demotes("alice");
    let alice = Tokens::of(visitor.refresh(&next.refresh));
    assert_eq!(role(&alice.access), "user");

    // Her profile.
    let me = "/api/users/me/";
    visitor.get(me, None).with(401);
    let profile = visitor.get(me, Some(&alice.access)).with(200);
    for (name, expected) in [("username", "alice"), ("email", "alice@example.com"), ("first_name", "Al")] {
        assert_eq!(profile[name], expected, "{profile}");
    }
    assert!(!profile.to_string().to_lowercase().contains("password"), "{profile}");

    // PATCH changes what is named, and nothing else.
    let changed = visitor.patch(me, Some(&alice.access), json!({"first_name": "Alice"})).with(200);
    let mut expected = profile.clone();
    expected["first_name"] = json!("Alice");
    assert_eq!(changed, expected);
    visitor.get(me, Some(&alice.access)).is(200, expected.clone());

    // PUT wants the whole profile.
    let missing = visitor.put(me, Some(&alice.access), json!({"first_name": "Alice"})).with(400);
    assert_eq!(missing["username"], json!(["This field is required."]), "{missing}");
    let whole = json!({
        "username": "alicia", "email": "alicia@example.com", "first_name": "Alicia", "last_name": "Jones",
    });
    let changed = visitor.put(me, Some(&alice.access), whole.clone()).with(200);
    for (name, value) in whole.as_object().unwrap() {
        assert_eq!(&changed[name], value, "{changed}");
    }
    visitor.get(me, Some(&alice.access)).is(200, changed.clone());
    visitor.get("/api/protected/", Some(&alice.access)).is(200, json!({"message": "Hello, alicia!"}));
    assert_eq!(claims(&visitor.login("alicia").access)["email"], "alicia@example.com");

    // A name or address that is somebody else's stays theirs.
    visitor.newcomer("bob");
    let taken = "A user with that username already exists.";
    visitor.patch(me, Some(&alice.access), json!({"username": "bob"})).refuses("username", taken);
    let taken = "user with this email address already exists.";
    visitor.patch(me, Some(&alice.access), json!({"email": "bob@example.com"})).refuses("email", taken);
    visitor.patch(me, Some(&alice.access), json!({"email": "bob"})).refuses("email", "Enter a valid email address.");
    let unchanged = visitor.get(me, Some(&alice.access)).with(200);
    assert_eq!((&unchanged["username"], &unchanged["email"]), (&json!("alicia"), &json!("alicia@example.com")));

    // Nobody makes an administrator of themselves, nor another account of theirs.
    let unasked = json!({"id": 77, "is_staff": true, "is_superuser": true, "role": "admin", "groups": ["admin"]});
    let still = visitor.patch(me, Some(&alice.access), unasked).with(200);
    assert_eq!((&still["id"], &still["is_staff"]), (&profile["id"], &json!(false)), "{still}");
    let tokens = visitor.login("alicia");
    assert_eq!(role(&tokens.access), "user");
    let still = visitor.get(me, Some(&tokens.access)).with(200);
    assert_eq!((&still["id"], &still["is_staff"]), (&profile["id"], &json!(false)), "{still}");
}
