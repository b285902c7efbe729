//! Guards: authentication of the caller, the permission rule of the route, and ownership of objects.

mod authentication;
mod authorization;
mod current_user;
mod object_permission;
mod throttle;

use actix_web::{HttpRequest, web};
use auth_core::event::SecurityEvent;

pub(crate) use authorization::{Authorization, authorize, authorize_without_object};
pub use current_user::CurrentUser;
pub use object_permission::ObjectPermission;
pub(crate) use throttle::throttle;

use crate::app::App;

fn record(request: &HttpRequest, event: SecurityEvent) {
    if let Some(app) = request.app_data::<web::Data<App>>() {
        app.tokens.ports().events.record(event);
    }
}
