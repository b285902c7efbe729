//! Log out: of one device, or of all.

use serde_json::{Value, json};

use crate::visitor::{Tokens, Visitor};

pub(crate) fn story(visitor: &Visitor) {
    visitor.register("alice").with(201);
    let [phone, tablet, laptop, desk] = ["phone", "tablet", "laptop", "desk"].map(|_| visitor.login("alice"));

    // Logging out is for those who are logged in, and says of what.
    visitor.post("/api/logout/", None, json!({"refresh": phone.refresh})).with(401);
    let nothing_named = visitor.post("/api/logout/", Some(&phone.access), json!({})).with(400);
    assert!(nothing_named["error"].is_string(), "{nothing_named}");
    visitor
        .post("/api/logout/", Some(&phone.access), json!({"refresh": "not.a.token"}))
        .is(400, json!({"error": "Token is invalid"}));

    // Of the phone: its refresh token is named, in either spelling.
    logs_out(visitor, &phone, json!({"refresh": phone.refresh}), "detail");
    is_out(visitor, &phone);
    logs_out(visitor, &tablet, json!({"refresh_token": tablet.refresh}), "status");
    is_out(visitor, &tablet);

    // Twice is an error.
    visitor
        .post("/api/logout/", Some(&laptop.access), json!({"refresh": phone.refresh}))
        .is(400, json!({"error": "Token is blacklisted"}));

    // The others are as they were.
    let laptop = Tokens::of(visitor.refresh(&laptop.refresh));
    let desk = Tokens::of(visitor.refresh(&desk.refresh));

    // What is Bob's is not Alice's to end.
    let bob = visitor.newcomer("bob");
    visitor.post("/api/logout/", Some(&desk.access), json!({"refresh": bob.refresh})).with(400);
    let bob = Tokens::of(visitor.refresh(&bob.refresh));

    // Of all that are left. Bob stays.
    logs_out(visitor, &desk, json!({"all": true}), "status");
    is_out(visitor, &laptop);
    is_out(visitor, &desk);
    Tokens::of(visitor.refresh(&bob.refresh));

    // She can log in again.
    visitor.login("alice");
}

fn logs_out(visitor: &Visitor, tokens: &Tokens, body: Value, says: &str) {
    let answer = visitor.post("/api/logout/", Some(&tokens.access), body).with(200);
    assert!(answer[says].is_string(), "{answer}");
}

fn is_out(visitor: &Visitor, tokens: &Tokens) {
    visitor.refresh(&tokens.refresh).is(401, json!({"detail": "Token is blacklisted", "code": "token_not_valid"}));
}
