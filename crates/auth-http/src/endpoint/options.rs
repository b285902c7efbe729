//! The response to `OPTIONS`.

use actix_web::HttpResponse;
use serde::Serialize;

/// The body of the response to `OPTIONS`.
#[derive(Serialize)]
struct AboutBody<'a> {
    name: &'a str,
    description: &'a str,
    renders: [&'static str; 1],
    parses: [&'static str; 3],
}

/// Response extension that marks the response to `OPTIONS`, which shows no object.
pub(crate) struct Description;

/// Describes an endpoint, as Django REST Framework does.
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
