//! `/api/schema/`.

use actix_web::HttpResponse;

/// The OpenAPI 3.1 document of this service.
#[utoipa::path(get, path = "/api/schema/", tag = "operations", operation_id = "schema",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = serde_json::Value)))]
pub(crate) async fn schema() -> HttpResponse {
    HttpResponse::Ok().json(crate::openapi_document())
}
