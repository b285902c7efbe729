//! Paths that are no routes.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use crate::error::ApiError;
use crate::routes::RouteTable;

/// 308 where only the slash at the end is missing, so that method and body are sent again; else 404.
pub(super) async fn unknown(request: HttpRequest, routes: web::Data<RouteTable>) -> HttpResponse {
    let path = format!("{}/", request.path());
    if !routes.has_route(&path) {
        return ApiError::detail(StatusCode::NOT_FOUND, "Not found.").error_response();
    }
    let query = request.query_string();
    let location = if query.is_empty() { path } else { format!("{path}?{query}") };
    HttpResponse::PermanentRedirect()
        .insert_header((header::LOCATION, location))
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .finish()
}
