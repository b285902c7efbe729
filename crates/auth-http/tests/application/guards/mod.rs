//! Permission rules and guards over HTTP.

mod object_permissions;
mod refusals;
mod rules;

use actix_web::{HttpResponse, Responder};
use auth_http::routes::{Endpoint, Routes, standard};
use serde_json::json;

/// Must not appear in any refusal.
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
