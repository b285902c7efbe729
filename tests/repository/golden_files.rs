//! Golden files: outputs that change only on purpose. `just golden` writes them again, for review.

#![allow(clippy::expect_used, reason = "a test without its files has failed")]

use std::path::Path;

use auth_core::event::EventKind;
use auth_http::routes::{Routes, sliding, standard};

fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).expect("the golden file is writable");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{name} has changed; review it, then run `just golden`:\n{actual}");
}

#[test]
fn the_openapi_document_matches_its_golden_file() {
    let document = serde_json::to_string_pretty(&auth_http::openapi_document()).expect("JSON");
    check("openapi.json", &format!("{document}\n"));
}

#[test]
fn routes_and_rules_match_their_golden_file() {
    let all = standard().into_iter().chain(sliding());
    let routes = Routes::new(all).aliases(true).build().expect("routes");
    check("routes.txt", &routes.to_string());
}

#[test]
fn security_event_names_match_their_golden_file() {
    let names: String = EventKind::ALL.iter().map(|kind| format!("{}\n", kind.name())).collect();
    check("security_events.txt", &names);
}
