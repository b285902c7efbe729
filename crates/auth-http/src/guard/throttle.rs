//! The rate limit for requests without credentials.

use std::time::Instant;

use actix_web::dev::ServiceRequest;
use actix_web::{HttpMessage, web};
use auth_core::event::{EventKind, SecurityEvent};
use auth_core::service::Caller;

use super::record;
use crate::app::App;
use crate::client::client_ip;
use crate::error::ApiError;

/// Counts a request without credentials, or refuses it with a 429.
pub(crate) fn throttle(request: &ServiceRequest) -> Result<(), ApiError> {
    let app = request.app_data::<web::Data<App>>().map(|app| app.get_ref());
    let throttle = app.and_then(|app| app.throttle.as_ref());
    match (throttle, client_ip(request.peer_addr(), request.headers(), app)) {
        (Some(throttle), Some(ip)) if !request.extensions().contains::<Caller>() => {
            throttle.allow(ip, Instant::now()).map_err(|delay| {
                record(request.request(), SecurityEvent::without_user(EventKind::RequestThrottled));
                ApiError::throttled(delay)
            })
        }
        _ => Ok(()),
    }
}
