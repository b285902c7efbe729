//! Paths that are no routes, and what `OPTIONS` says of those that are.

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use serde::Serialize;

use crate::error::ApiError;
use crate::routes::RouteTable;

/// What `OPTIONS` answers.
#[derive(Serialize)]
struct AboutBody<'a> {
    name: &'a str,
    description: &'a str,
    renders: [&'static str; 1],
    parses: [&'static str; 3],
}

/// Marks an answer that describes a route.
pub(crate) struct Description;

/// Describes a route, as Django REST Framework does.
pub(crate) fn describe((name, description): &(String, String)) -> HttpResponse {
    let mut response = HttpResponse::Ok().json(AboutBody {
        name,
        description,
        renders: ["application/json"],
        parses: ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
    });
    response.extensions_mut().insert(Description);
    response
}

/// 308 where only the slash at the end is missing, so that method and body are sent again; else 404.
pub(crate) async fn unknown(request: HttpRequest, routes: web::Data<RouteTable>) -> HttpResponse {
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
