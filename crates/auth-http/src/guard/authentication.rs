//! Authentication: the caller that the access token of a request identifies.

use std::sync::Arc;

use actix_web::dev::ServiceRequest;
use actix_web::{HttpMessage, web};
use auth_core::AuthError;
use auth_core::service::Caller;

use crate::app::App;
use crate::error::ApiError;

/// Stores the caller in the request extensions, if the request has an access token. Invalid credentials are refused under
/// every rule.
pub(super) async fn authenticate(request: &ServiceRequest) -> Result<(), ApiError> {
    let app = request.app_data::<web::Data<App>>().ok_or_else(missing_app)?;
    if request.extensions().get::<AuthenticatedBy>().is_some_and(|by| Arc::ptr_eq(&by.0, app)) {
        return Ok(());
    }
    // Another service in the same application may have stored a caller, who is unknown here.
    request.extensions_mut().remove::<Caller>();
    let Some(token) = app.settings.credentials.token(request.headers())? else { return Ok(()) };
    let authenticated = match token {
        Ok(token) => app.tokens.authenticate(&token).await,
        Err(fault) => Err(AuthError::Token(fault)),
    };
    let caller = authenticated.map_err(|error| ApiError::at_guarded_path(error, app.explanation()))?;
    let mut extensions = request.extensions_mut();
    extensions.insert(caller);
    extensions.insert(AuthenticatedBy(Arc::clone(app)));
    Ok(())
}

/// Request extension: the service that authenticated the caller.
struct AuthenticatedBy(Arc<App>);

fn missing_app() -> ApiError {
    tracing::error!("the application data has no `auth_http::App`");
    ApiError::internal()
}
