//! An endpoint: a path with its methods, its handlers and its permission rule.

mod group;
mod options;

use std::fmt;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::HeaderValue;
use actix_web::{FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, ResponseError, Route, web};
use auth_core::permission::Rule;

pub(crate) use group::EndpointGroup;
pub(crate) use options::Description;

use crate::error::ApiError;

/// A path with its methods, its handlers and its permission rule. Without a [`rule`](Self::rule), it requires a caller
/// ([`Rule::IsAuthenticated`]).
#[derive(Clone)]
pub struct Endpoint {
    path: String,
    aliases: Vec<String>,
    routes: Vec<(Method, Arc<dyn Fn() -> Route + Send + Sync>)>,
    rule: Option<Rule>,
    reads_credentials: bool,
    group: Option<EndpointGroup>,
    prefix: String,
    about: Option<(String, String)>,
}

impl Endpoint {
    /// Creates an endpoint without methods. The path may have parameters as in actix-web, such as `{id}` and `{id:[0-9]+}`.
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

    /// Sets the permission rule. A refused request is answered 401 without credentials and 403 with them.
    ///
    /// A rule that depends on the owner of an object passes the request on to the handler, which must check its
    /// [`ObjectPermission`](crate::ObjectPermission) before it changes anything. If it does not, its response is withheld
    /// (500), but what it has changed stays changed.
    ///
    /// Invalid credentials are refused under every rule, even [`Rule::AllowAny`].
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rule = Some(rule);
        self
    }

    /// Allows every request and does not read credentials, so that invalid ones do no harm: for endpoints that issue
    /// credentials. Combining this with another rule is refused when the routes are built.
    pub fn without_credentials(mut self) -> Self {
        self.reads_credentials = false;
        self
    }

    /// Marks the endpoint as one of the service itself. Its bodies are limited to
    /// [`OWN_BODY_LIMIT`](crate::body::OWN_BODY_LIMIT).
    pub(crate) const fn in_group(mut self, group: EndpointGroup) -> Self {
        self.group = Some(group);
        self
    }

    /// Adds a prefix to the path and its aliases.
    pub(crate) fn with_prefix(mut self, prefix: &str) -> Self {
        self.path.insert_str(0, prefix);
        self.aliases.iter_mut().for_each(|alias| alias.insert_str(0, prefix));
        self.prefix.insert_str(0, prefix);
        self
    }

    /// Sets the name and description that `OPTIONS` returns. A named endpoint follows the wire contract: `OPTIONS` is answered,
    /// a client that does not accept JSON gets 406, and requests without credentials are rate-limited
    /// ([`App::throttle`](crate::App::throttle)).
    pub fn named(mut self, name: &str, description: &str) -> Self {
        self.about = Some((name.to_owned(), description.to_owned()));
        self
    }

    /// Adds another path, served if aliases are enabled.
    pub fn alias(mut self, path: &str) -> Self {
        self.aliases.push(path.to_owned());
        self
    }

    /// Adds a handler for `GET` and `HEAD`.
    pub fn get<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::GET, handler.clone()).method(Method::HEAD, handler)
    }

    /// Adds a handler for `POST`.
    pub fn post<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::POST, handler)
    }

    /// Adds a handler for `PUT`.
    pub fn put<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::PUT, handler)
    }

    /// Adds a handler for `PATCH`.
    pub fn patch<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::PATCH, handler)
    }

    /// Adds a handler for `DELETE`.
    pub fn delete<F, Args>(self, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        self.method(Method::DELETE, handler)
    }

    /// Adds a handler for `method`.
    pub fn method<F, Args>(mut self, method: Method, handler: F) -> Self
    where
        F: Handler<Args> + Send + Sync,
        Args: FromRequest + 'static,
        F::Output: Responder + 'static,
    {
        let matched = method.clone();
        self.routes.push((method, Arc::new(move || web::method(matched.clone()).to(handler.clone()))));
        self
    }

    /// The path.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The aliases of the path.
    pub fn aliases(&self) -> impl Iterator<Item = &str> {
        self.aliases.iter().map(String::as_str)
    }

    /// The methods, as in the `Allow` header.
    pub fn allow(&self) -> String {
        self.methods().map(Method::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The methods with a handler, and `OPTIONS` if the endpoint is named.
    fn methods(&self) -> impl Iterator<Item = &Method> {
        let options = self.about.as_ref().map(|_| &Method::OPTIONS);
        self.routes.iter().map(|(method, _)| method).chain(options)
    }

    /// The permission rule in force.
    pub const fn required_rule(&self) -> &Rule {
        match &self.rule {
            Some(rule) => rule,
            None if self.reads_credentials => &Rule::IsAuthenticated,
            None => &Rule::AllowAny,
        }
    }

    pub(crate) fn has_duplicate_method(&self) -> bool {
        self.methods().enumerate().any(|(place, method)| self.methods().take(place).any(|before| before == method))
    }

    /// Whether credentials are read.
    pub const fn reads_credentials(&self) -> bool {
        self.reads_credentials
    }

    /// Whether this is an endpoint of the service itself.
    pub(crate) const fn is_own(&self) -> bool {
        self.group.is_some()
    }

    /// The endpoint group; `None` for endpoints of the host.
    pub(crate) const fn group(&self) -> Option<EndpointGroup> {
        self.group
    }

    /// The path without the prefix, as in the OpenAPI document that is generated from the handlers.
    pub(crate) fn documented_path(&self) -> &str {
        &self.path[self.prefix.len()..]
    }

    /// Whether the endpoint follows the wire contract, unlike operational endpoints.
    pub(crate) const fn is_named(&self) -> bool {
        self.about.is_some()
    }

    pub(crate) fn allow_header(&self) -> HeaderValue {
        // Methods are tokens (RFC 9110 §9.1), so this is a valid header value.
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
