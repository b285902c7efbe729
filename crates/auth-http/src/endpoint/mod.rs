//! One route: a path, its methods, and who may call it.

mod group;
mod options;

use std::fmt;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError, Route, web};
use auth_core::permission::Rule;

pub(crate) use group::RouteGroup;
pub(crate) use options::Description;

use crate::error::ApiError;

/// A path, its methods, and who may call it. Closed to all but the bearers of good tokens, unless a
/// [`rule`](Self::rule) says otherwise.
#[derive(Clone)]
pub struct Endpoint {
    path: String,
    aliases: Vec<String>,
    routes: Vec<(Method, Arc<dyn Fn() -> Route + Send + Sync>)>,
    rule: Option<Rule>,
    reads_credentials: bool,
    group: Option<RouteGroup>,
    prefix: String,
    about: Option<(String, String)>,
}

impl Endpoint {
    /// A route without methods as yet. The path may have parts such as `{id}` and `{id:[0-9]+}`, as those of actix-web.
    pub fn new(path: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            aliases: Vec::new(),
            routes: Vec::new(),
            rule: None,
            reads_credentials: true,
            group: None,
            prefix: String::new(),
            about: None,
        }
    }

    /// Who may call it: 401 without credentials, 403 with. A rule that needs to know who owns the object lets the
    /// request through to the handler, which then has to ask its [`ObjectPermission`](crate::ObjectPermission), before
    /// it changes anything: an answer of a handler that did not is withheld, what it has done is done.
    ///
    /// Whoever shows credentials must show good ones, also under [`Rule::AllowAny`].
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Open to anybody; credentials are not looked at, so that bad ones do no harm. For routes where credentials are
    /// got. Another rule for it is refused when the routes are built.
    pub fn without_credentials(mut self) -> Self {
        self.reads_credentials = false;
        self
    }

    /// A route of the service itself: bodies are short, whatever an application allows for its own.
    pub(crate) const fn in_group(mut self, group: RouteGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// The same with a prefix before the path and its other spellings.
    pub(crate) fn under(mut self, prefix: &str) -> Self {
        self.path.insert_str(0, prefix);
        self.aliases.iter_mut().for_each(|alias| alias.insert_str(0, prefix));
        self.prefix.insert_str(0, prefix);
        self
    }

    /// What `OPTIONS` calls it. Then it is a route of the wire contract: `OPTIONS` is answered, a client that accepts no
    /// JSON is answered 406, and requests without credentials are counted ([`App::throttle`](crate::App::throttle)).
    pub fn named(mut self, name: &str, description: &str) -> Self {
        self.about = Some((name.to_owned(), description.to_owned()));
        self
    }

    /// Another spelling of the path, served where aliases are on.
    pub fn alias(mut self, path: &str) -> Self {
        self.aliases.push(path.to_owned());
        self
    }

    /// Answers `GET`, and `HEAD`.
    pub fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::GET, handler.clone()).method(Method::HEAD, handler)
    }

    /// Answers `POST`.
    pub fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::POST, handler)
    }

    /// Answers `PUT`.
    pub fn put<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::PUT, handler)
    }

    /// Answers `PATCH`.
    pub fn patch<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::PATCH, handler)
    }

    /// Answers `DELETE`.
    pub fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::DELETE, handler)
    }

    /// Answers any other method.
    pub fn method<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let wanted = method.clone();
        self.routes.push((method, Arc::new(move || web::method(wanted.clone()).to(handler.clone()))));
        self
    }

    /// Its path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Other spellings of the path.
    pub fn aliases(&self) -> impl Iterator<Item = &str> {
        self.aliases.iter().map(String::as_str)
    }

    /// Its methods, as the `Allow` header names them.
    pub fn allow(&self) -> String {
        let options = self.about.as_ref().map(|_| Method::OPTIONS);
        let methods = self.routes.iter().map(|(method, _)| method.clone()).chain(options);
        methods.map(|method| method.to_string()).collect::<Vec<_>>().join(", ")
    }

    /// Who may call it.
    pub const fn required_rule(&self) -> &Rule {
        match &self.rule {
            Some(rule) => rule,
            None if self.reads_credentials => &Rule::IsAuthenticated,
            None => &Rule::AllowAny,
        }
    }

    pub(crate) fn has_method_twice(&self) -> bool {
        let methods = || self.routes.iter().map(|(method, _)| method);
        methods().enumerate().any(|(place, method)| methods().take(place).any(|before| before == method))
    }

    /// Whether credentials are looked at.
    pub const fn reads_credentials(&self) -> bool {
        self.reads_credentials
    }

    /// Whether it is a route of the service itself.
    pub(crate) const fn is_own(&self) -> bool {
        self.group.is_some()
    }

    /// Which routes of the service it belongs to; `None` for those of an application.
    pub(crate) const fn group(&self) -> Option<RouteGroup> {
        self.group
    }

    /// Its path as the OpenAPI document of the service has it: without a prefix.
    pub(crate) fn documented_path(&self) -> &str {
        &self.path[self.prefix.len()..]
    }

    /// Whether it is a route of the wire contract; others are operational.
    pub(crate) const fn is_named(&self) -> bool {
        self.about.is_some()
    }

    pub(crate) fn allow_header(&self) -> HeaderValue {
        // Methods are tokens (RFC 9110 §9.1), which a header value may hold.
        HeaderValue::from_str(&self.allow()).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    pub(crate) fn paths(&self, aliases: bool) -> impl Iterator<Item = &str> {
        std::iter::once(self.path()).chain(self.aliases().filter(move |_| aliases))
    }

    pub(crate) fn resource(&self, path: &str) -> Resource {
        let mut resource = web::resource(path);
        for (_, route) in &self.routes {
            resource = resource.route(route());
        }
        if let Some(about) = self.about.clone() {
            let options = move || {
                let about = about.clone();
                async move { options::describe(&about) }
            };
            resource = resource.route(web::method(Method::OPTIONS).to(options));
        }
        resource.default_service(web::to(method_not_allowed))
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Endpoint({} {} {})", self.allow(), self.path, self.required_rule())
    }
}

async fn method_not_allowed(request: HttpRequest) -> HttpResponse {
    let detail = format!("Method \"{}\" not allowed.", request.method());
    ApiError::detail(actix_web::http::StatusCode::METHOD_NOT_ALLOWED, detail).error_response()
}
