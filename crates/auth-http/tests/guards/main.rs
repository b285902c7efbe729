//! Who gets in where: rules, guards and what they leave to handlers, asked over HTTP of an application in memory.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test has no better answer")]

mod answers;
mod foreign;
mod objects;
mod rules;
#[path = "../world/mod.rs"]
mod world;

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
