//! Rules and guards over HTTP: which callers are allowed where, and what is left to handlers.

mod object_permissions;
mod refusals;
mod rules;

use actix_web::{HttpResponse, Responder};
use auth_http::routes::{Endpoint, Routes, standard};
use serde_json::json;

/// What no refused caller may read.
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
