//! What `OPTIONS` says of an endpoint.

use actix_web::HttpResponse;
use serde::Serialize;

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
pub(super) fn describe((name, description): &(String, String)) -> HttpResponse {
    let mut response = HttpResponse::Ok().json(AboutBody {
        name,
        description,
        renders: ["application/json"],
        parses: ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"],
    });
    response.extensions_mut().insert(Description);
    response
}
