//! Who gets in where: rules, guards and what they leave to handlers, asked over HTTP of an application in memory.

mod object_permissions;
mod refusals;
mod rules;
mod undeclared_routes;

use actix_web::{HttpResponse, Responder};
use auth_http::routes::{Endpoint, Routes, standard};
use serde_json::json;

/// What no refusal may contain.
const SECRET: &str = "what is inside";

async fn inside() -> impl Responder {
    HttpResponse::Ok().json(json!({"secret": SECRET}))
}

fn at(path: &str) -> Endpoint {
    Endpoint::new(path).get(inside).post(inside)
}

fn routes() -> Routes {
    Routes::new(standard())
}
