//! The handler for unknown paths.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};

use crate::error::ApiError;
use crate::routes::RouteTable;

/// Answers 308 if only the trailing slash is missing, so that the client repeats method and body; otherwise 404.
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
