//! The OpenAPI document describes the bodies that handlers read.

use std::collections::BTreeSet;

use actix_web::http::Method;
use auth_http::routes::{Routes, sliding, standard};
use serde_json::{Map, Value, json};

use crate::fixture::*;

/// A request body as the document describes it.
struct Described {
    method: Method,
    path: String,
    properties: BTreeSet<String>,
    required: BTreeSet<String>,
}

fn names(value: &Value) -> BTreeSet<String> {
    match value {
        Value::Array(names) => names.iter().map(|name| name.as_str().unwrap().to_owned()).collect(),
        Value::Object(members) => members.keys().cloned().collect(),
        _ => BTreeSet::new(),
    }
}

/// The properties of a schema, and those that are required.
fn fields(document: &Value, schema: &Value) -> (BTreeSet<String>, BTreeSet<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        return fields(document, document.pointer(reference.strip_prefix('#').unwrap()).unwrap());
    }
    let parts = schema["allOf"].as_array().into_iter().flatten().map(|part| fields(document, part));
    parts.fold((names(&schema["properties"]), names(&schema["required"])), |(all, required), part| {
        (&all | &part.0, &required | &part.1)
    })
}

fn described() -> Vec<Described> {
    let document = serde_json::to_value(auth_http::openapi_document()).unwrap();
    let mut bodies = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let schema = &operation["requestBody"]["content"]["application/json"]["schema"];
            if !schema.is_null() {
                let (properties, required) = fields(&document, schema);
                let method = method.to_uppercase().parse().unwrap();
                bodies.push(Described { method, path: path.clone(), properties, required });
            }
        }
    }
    bodies
}

/// The fields that are refused in a body where each of these fields has this value.
async fn refused(client: &TestClient, token: &str, body: &Described, given: &BTreeSet<String>) -> BTreeSet<String> {
    let value: Map<_, _> = given.iter().map(|name| (name.clone(), json!([]))).collect();
    let answer = client.send(request(body.method.clone(), &body.path, Some(token)).set_json(value)).await;
    if answer.status == 400 { names(&answer.json()) } else { BTreeSet::new() }
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[actix_web::test]
async fn the_document_describes_the_fields_that_are_read() {
    let fixture = Fixture::new();
    let token = fixture.access_token("alice").await;
    let client = TestClient::of(fixture.application(Routes::new(standard().into_iter().chain(sliding())))).await;
    // The errors of a logout do not name a field.
    let bodies: Vec<_> = described().into_iter().filter(|body| body.path != "/api/logout/").collect();
    assert!(bodies.len() > 15, "the document was not read");
    for body in &bodies {
        let (ignored, also_required, required_later) = match body.path.as_str() {
            // Only one of the two is read.
            "/api/token/" | "/api/token/sliding/" => (set(&["email"]), set(&["username"]), set(&[])),
            // `PATCH` has the same schema. An invalid field of the reauthentication is treated as missing.
            "/api/users/me/" if body.method == Method::PUT => {
                (set(&["password", "challenge", "code"]), set(&["username", "email"]), set(&[]))
            }
            "/api/users/me/" => (set(&["password", "challenge", "code"]), set(&[]), set(&[])),
            // The handler does not require them; the service does.
            "/api/users/me/second-factors/recovery-codes/" => (set(&[]), set(&[]), set(&["challenge", "code"])),
            _ => (set(&[]), set(&[]), set(&[])),
        };
        let place = format!("{} {}", body.method, body.path);
        let malformed = refused(&client, &token, body, &body.properties).await;
        assert_eq!(malformed, &body.properties - &ignored, "{place}: fields that are read");
        let missing = refused(&client, &token, body, &BTreeSet::new()).await;
        let required = &(&body.required | &also_required) - &required_later;
        assert_eq!(missing, required, "{place}: fields that are required");
    }
}
