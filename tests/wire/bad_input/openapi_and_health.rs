//! The OpenAPI document and the health checks.

use std::collections::BTreeSet;

use auth_core::permission::Rule;
use auth_http::routes::standard;
use auth_tests::answers::assert_answer;
use auth_tests::{Answer, cases};
use libtest_mimic::Trial;
use serde_json::{Value, json};

use super::shared_servers::{Service, SharedServers};

pub(crate) fn trials(servers: &SharedServers) -> Vec<Trial> {
    cases![
        servers.simplejwt => openapi_lists_every_route_and_method, health_checks_succeed;
        servers.development =>
            openapi_lists_every_route_and_method,
            openapi_references_resolve,
            health_checks_succeed;
        servers.simplejwt_postgres => health_checks_succeed,
    ]
}

async fn get(service: &Service, path: &str) -> Answer {
    Answer::of(service.http.get(format!("{}{path}", service.url)).send().await.expect("an answer")).await
}

async fn openapi_lists_every_route_and_method(service: &Service) {
    let document = get(service, "/api/schema/").await.json();
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.1.")), "{}", document["openapi"]);
    let paths = document["paths"].as_object().expect("paths");
    let documented: BTreeSet<_> = paths.keys().map(String::as_str).collect();
    let endpoints = standard();
    let expected: BTreeSet<_> = endpoints.iter().map(|endpoint| endpoint.path()).collect();
    assert_eq!(documented, expected);
    for endpoint in &endpoints {
        let operations = paths[endpoint.path()].as_object().expect("operations");
        let documented: BTreeSet<_> = operations.keys().map(|method| method.to_uppercase()).collect();
        let allow = endpoint.allow();
        let allowed = allow.split(", ").filter(|method| !["OPTIONS", "HEAD"].contains(method));
        assert_eq!(documented, allowed.map(str::to_owned).collect(), "{}", endpoint.path());
        for (method, operation) in operations {
            let is_guarded = operation["security"] == json!([{"bearer": []}]);
            assert_eq!(is_guarded, *endpoint.required_rule() == Rule::IsAuthenticated, "{method} {}", endpoint.path());
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.keys().any(|status| status.starts_with('2')), "{method} {}", endpoint.path());
        }
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

async fn openapi_references_resolve(service: &Service) {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(list) => list.iter().for_each(|one| references(one, found)),
            _ => {}
        }
    }
    let document = get(service, "/api/schema/").await.json();
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(!found.is_empty());
    for reference in found {
        let pointer = reference.strip_prefix('#').expect("a reference within the document");
        assert!(document.pointer(pointer).is_some(), "{reference}");
    }
}

async fn health_checks_succeed(service: &Service) {
    for path in ["/healthz", "/readyz"] {
        assert_answer(&get(service, path).await, 200, &json!({"status": "ok"}));
    }
}
