//! Golden files: what may only change on purpose. `just golden` writes them anew, for review.

#![allow(clippy::expect_used, reason = "a test that cannot reach its files has failed")]

use std::fmt::Write;
use std::path::Path;

use auth_core::event::EventKind;

fn check(name: &str, actual: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).expect("a golden file is written");
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == actual, "{name} has changed; look at it, then run `just golden`:\n{actual}");
}

#[test]
fn the_openapi_document() {
    let document = serde_json::to_string_pretty(&auth_http::openapi_document()).expect("JSON");
    check("openapi.json", &format!("{document}\n"));
}

#[test]
fn the_routes_and_who_may_call_them() {
    let mut table = String::new();
    for endpoint in auth_http::routes::ENDPOINTS {
        let paths = std::iter::once(&endpoint.path).chain(endpoint.aliases).copied().collect::<Vec<_>>().join(" ");
        writeln!(table, "{paths}\n    {} -> {:?}", endpoint.allow, endpoint.access).expect("a line");
    }
    check("routes.txt", &table);
}

#[test]
fn the_names_of_security_events() {
    let names: String = EventKind::ALL.iter().map(|kind| format!("{}\n", kind.name())).collect();
    check("security_events.txt", &names);
}
