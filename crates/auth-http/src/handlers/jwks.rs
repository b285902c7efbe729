//! `/.well-known/jwks.json`.

use actix_web::http::header;
use actix_web::{HttpResponse, web};

use crate::app::App;

/// The public keys that tokens verify with: a JWK set (RFC 7517 §5). Empty where keys are shared secrets.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "operations", operation_id = "jwks",
    responses((status = 200, description = "A JWK set.", body = serde_json::Value)))]
pub(crate) async fn jwks(app: web::Data<App>) -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "public, max-age=300")).json(&app.jwks)
}
