//! Permission: who asks, whether the rule of the route lets them, and whether the object is theirs.

mod authentication;
mod authorization;
mod current_user;
mod object_permission;
mod throttle;

use actix_web::{HttpRequest, web};
use auth_core::event::SecurityEvent;

pub(crate) use authorization::{Standing, authorize, authorize_without_object};
pub use current_user::CurrentUser;
pub use object_permission::ObjectPermission;
pub(crate) use throttle::throttle;

use crate::app::App;

fn record(request: &HttpRequest, event: SecurityEvent) {
    if let Some(app) = request.app_data::<web::Data<App>>() {
        app.tokens.ports().events.record(event);
    }
}
