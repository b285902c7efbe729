//! `/healthz` and `/readyz`.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{ApiError, DetailBody};

/// A sign of life.
#[derive(Serialize, ToSchema)]
pub(crate) struct HealthBody {
    /// `ok`.
    status: &'static str,
}

/// Says that the process answers. Asks nothing of the storage.
#[utoipa::path(get, path = "/healthz", tag = "operations", operation_id = "healthz",
    responses((status = 200, description = "The process answers.", body = HealthBody)))]
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().json(HealthBody { status: "ok" })
}

/// Says whether requests can be served.
#[utoipa::path(get, path = "/readyz", tag = "operations", operation_id = "readyz",
    responses(
        (status = 200, description = "The storage answers.", body = HealthBody),
        (status = 503, description = "It does not.", body = DetailBody)))]
pub(crate) async fn ready(app: web::Data<App>) -> Result<HttpResponse, ApiError> {
    if app.readiness.is_ready().await {
        Ok(HttpResponse::Ok().json(HealthBody { status: "ok" }))
    } else {
        Err(ApiError::unavailable(2))
    }
}
