//! `/api/schema/`.

use actix_web::{HttpResponse, web};

use crate::app::App;
use crate::error::ApiError;
use crate::routes::RouteTable;

/// The OpenAPI 3.1 document of this service, with the paths that are served here.
#[utoipa::path(get, path = "/api/schema/", tag = "operations", operation_id = "schema",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = serde_json::Value)))]
pub(crate) async fn schema(app: web::Data<App>, routes: web::Data<RouteTable>) -> Result<HttpResponse, ApiError> {
    let document = routes.document(&app.settings.credentials).map_err(|error| {
        tracing::error!(%error, "the OpenAPI document cannot be written as JSON");
        ApiError::internal()
    })?;
    Ok(HttpResponse::Ok().content_type("application/json").body(document))
}
