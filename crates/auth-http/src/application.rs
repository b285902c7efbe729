//! An application that serves the routes of the service and nothing else.

use actix_http::Request;
use actix_service::IntoServiceFactory;
use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, ServiceFactory, ServiceResponse};
use actix_web::middleware::from_fn;
use actix_web::{App as Application, Error};

use crate::middleware::application_middleware;
use crate::routes::AuthRoutes;

/// Returns an application that serves only `routes`, so that every route has a rule. All other paths are answered 404.
///
/// ```no_run
/// # async fn run(routes: auth_http::routes::AuthRoutes) -> std::io::Result<()> {
/// let listener = auth_http::listen(([127, 0, 0, 1], 8000).into())?;
/// let options = auth_http::ServeOptions::default();
/// auth_http::serve(listener, &options, move || auth_http::application(&routes))?.await
/// # }
/// ```
///
/// `actix_web::HttpServer` can serve it too, but does not enforce [`ConnectionLimits`](crate::ConnectionLimits). A host adds
/// the routes to its own application with [`AuthRoutes::configure`].
pub fn application(
    routes: &AuthRoutes,
) -> impl ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<BoxBody>, Error = Error, InitError = ()>
+ use<> {
    let app = routes.app();
    let middleware = from_fn(move |request, next| application_middleware(app.clone(), request, next));
    Application::new().wrap(middleware).configure(|config| routes.configure_alone(config)).into_factory()
}
