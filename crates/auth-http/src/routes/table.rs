//! All routes of an application.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use actix_web::Resource;
use actix_web::dev::ResourceDef;
use actix_web::middleware::from_fn;
use actix_web::web;
use auth_core::permission::Rule;
use utoipa::openapi::OpenApi;

use crate::endpoint::Endpoint;
use crate::middleware::{endpoint_middleware, with_own_headers};
use crate::openapi::document_of;
use crate::routes::pattern::hides;
use crate::routes::prefix::normalized;
use crate::routes::unknown::unknown;
use crate::settings::CredentialHeader;

/// Routes as they are put together.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    endpoints: Vec<Endpoint>,
    prefix: String,
    replaced: Vec<(String, Rule)>,
    aliases: bool,
}

/// Why routes cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// Two routes have one path.
    Twice(String),
    /// A route is never reached, since an earlier one matches its path.
    Shadowed {
        /// The path of the route.
        path: String,
        /// The path of the earlier one.
        by: String,
    },
    /// A rule is for a path that no route has.
    NoSuchPath(String),
    /// A rule lets nobody in, whoever it is: a mistake, such as an empty list.
    AllowsNobody {
        /// The path.
        path: String,
        /// The rule.
        rule: Rule,
    },
    /// A rule is for a route where credentials are not looked at.
    NoCredentials(String),
    /// A path that does not begin with a slash.
    BadPath(String),
    /// A prefix that is not a path.
    BadPrefix(String),
    /// A route works with accounts, and no services of accounts are given.
    NoAccounts(String),
    /// Two handlers for one method.
    MethodTwice(String),
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(path) => write!(f, "there are two routes at {path}"),
            Self::NoSuchPath(path) => write!(f, "there is a rule for {path}, and no such route"),
            Self::AllowsNobody { path, rule } => write!(f, "the rule for {path} lets nobody in: {rule}"),
            Self::NoCredentials(path) => write!(f, "there is a rule for {path}, where credentials are not looked at"),
            Self::Shadowed { path, by } => {
                write!(f, "the route {path} is never reached: {by} comes first and matches it")
            }
            Self::BadPrefix(prefix) => write!(f, "the prefix {prefix:?} is not a path; use one such as /auth"),
            Self::NoAccounts(path) => {
                write!(f, "the route {path} works with accounts, and there are no services for them")
            }
            Self::MethodTwice(path) => write!(f, "there are two handlers for one method at {path}"),
            Self::BadPath(path) => write!(f, "the path {path:?} does not begin with a slash"),
        }
    }
}

impl Error for RouteError {}

impl Routes {
    /// These routes.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { endpoints: endpoints.into_iter().collect(), ..Self::default() }
    }

    /// With one more.
    pub fn with(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// With another rule for a route that is there, in place of its own: it may let in more, or fewer. The path is the one
    /// that is served, with its prefix.
    pub fn rule_for(mut self, path: &str, rule: Rule) -> Self {
        self.replaced.push((path.to_owned(), rule));
        self
    }

    /// With a prefix before the paths of the service, and before their other spellings. Those of an application stay as
    /// they are. Slashes at either end make no difference.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Without some of them.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&Endpoint) -> bool) {
        self.endpoints.retain(is_kept);
    }

    /// With the other spellings of the paths, or without.
    pub const fn aliases(mut self, served: bool) -> Self {
        self.aliases = served;
        self
    }

    /// Checks them.
    ///
    /// # Errors
    /// [`RouteError`], which names the path.
    ///
    /// # Panics
    /// If actix-web cannot read a path as a pattern, such as `/a/{`.
    pub fn build(mut self) -> Result<RouteTable, RouteError> {
        self.add_prefix()?;
        for (path, rule) in std::mem::take(&mut self.replaced) {
            let endpoint = self.endpoints.iter_mut().find(|endpoint| endpoint.path() == path);
            let endpoint = endpoint.ok_or(RouteError::NoSuchPath(path))?;
            *endpoint = endpoint.clone().rule(rule);
        }
        let mut patterns = Vec::new();
        for endpoint in &self.endpoints {
            check_endpoint(endpoint)?;
            for path in endpoint.paths(self.aliases) {
                check_path(path, endpoint.required_rule())?;
                check_reached(path, &patterns)?;
                patterns.push(ResourceDef::new(path));
            }
        }
        let endpoints = self.endpoints.into_iter().map(Arc::new).collect();
        Ok(RouteTable(Arc::new(Table { endpoints, aliases: self.aliases, patterns })))
    }

    fn add_prefix(&mut self) -> Result<(), RouteError> {
        let prefix = normalized(&self.prefix)?;
        for endpoint in self.endpoints.iter_mut().filter(|endpoint| endpoint.is_own()) {
            *endpoint = endpoint.clone().under(&prefix);
        }
        Ok(())
    }
}

fn check_endpoint(endpoint: &Endpoint) -> Result<(), RouteError> {
    let path = || endpoint.path().to_owned();
    if !endpoint.reads_credentials() && *endpoint.required_rule() != Rule::AllowAny {
        return Err(RouteError::NoCredentials(path()));
    }
    if endpoint.has_method_twice() { Err(RouteError::MethodTwice(path())) } else { Ok(()) }
}

fn check_path(path: &str, rule: &Rule) -> Result<(), RouteError> {
    if !path.starts_with('/') {
        return Err(RouteError::BadPath(path.to_owned()));
    }
    if rule.allows_nobody() {
        return Err(RouteError::AllowsNobody { path: path.to_owned(), rule: rule.clone() });
    }
    Ok(())
}

/// Refuses a path that is taken by one of these, which come before it, as far as that can be told without comparing regular
/// expressions.
fn check_reached(path: &str, earlier: &[ResourceDef]) -> Result<(), RouteError> {
    for known in earlier {
        let by = known.pattern().unwrap_or_default();
        if by == path {
            return Err(RouteError::Twice(path.to_owned()));
        }
        let is_literal = !path.contains('{');
        if hides(by, path) || (is_literal && known.is_match(path)) {
            return Err(RouteError::Shadowed { path: path.to_owned(), by: by.to_owned() });
        }
    }
    Ok(())
}

/// Routes that can be served. Its `Display` is a table: methods, path, rule.
#[derive(Clone)]
pub struct RouteTable(Arc<Table>);

struct Table {
    endpoints: Vec<Arc<Endpoint>>,
    aliases: bool,
    patterns: Vec<ResourceDef>,
}

impl RouteTable {
    /// The routes, in the order in which they were added.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.endpoints.iter().map(Arc::as_ref)
    }

    /// Adds every route, each behind its guard.
    pub(super) fn register(&self, config: &mut web::ServiceConfig, bound: &dyn Fn(Resource) -> Resource) {
        for endpoint in &self.0.endpoints {
            for path in endpoint.paths(self.0.aliases) {
                let own = endpoint.clone();
                let guard = from_fn(move |request, next| endpoint_middleware(own.clone(), request, next));
                config.service(bound(endpoint.resource(path)).wrap(guard));
            }
        }
    }

    /// Adds redirects for the paths of the service that end with a slash, to be used where the answer to unknown paths is
    /// another one's.
    pub(super) fn register_redirects(&self, config: &mut web::ServiceConfig, bound: &dyn Fn(Resource) -> Resource) {
        let own = self.0.endpoints.iter().filter(|endpoint| endpoint.is_own());
        for bare in own.flat_map(|endpoint| endpoint.paths(self.0.aliases)).filter_map(|path| path.strip_suffix('/')) {
            config.service(bound(web::resource(bare).to(unknown)).wrap(from_fn(with_own_headers)));
        }
    }

    /// Whether there is a route at exactly this path.
    pub(crate) fn has_route(&self, path: &str) -> bool {
        self.0.patterns.iter().any(|pattern| pattern.is_match(path))
    }

    /// The OpenAPI 3.1 document of these routes, with the header that brings a token. An application's own routes are not
    /// described.
    pub fn openapi_document(&self, credentials: &CredentialHeader) -> OpenApi {
        document_of(self.endpoints(), credentials)
    }
}

impl fmt::Display for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rows: Vec<_> = self
            .endpoints()
            .flat_map(|endpoint| endpoint.paths(self.0.aliases).map(move |path| (path, endpoint)))
            .map(|(path, endpoint)| {
                let note = if endpoint.reads_credentials() { "" } else { ", credentials not read" };
                (path, endpoint.allow(), format!("{}{note}", endpoint.required_rule()))
            })
            .collect();
        let width = |cells: &mut dyn Iterator<Item = usize>| cells.max().unwrap_or(0);
        let paths = width(&mut rows.iter().map(|(path, _, _)| path.len()));
        let methods = width(&mut rows.iter().map(|(_, methods, _)| methods.len()));
        rows.iter().try_for_each(|(path, allow, rule)| writeln!(f, "{path:<paths$}  {allow:<methods$}  {rule}"))
    }
}

impl fmt::Debug for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.endpoints()).finish()
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{HttpResponse, Responder};
    use auth_core::permission::Rule::{AllowAny, IsAdmin, IsAuthenticated, IsOwner};

    use super::*;
    use crate::routes::{sliding, standard};

    async fn nothing() -> impl Responder {
        HttpResponse::Ok()
    }

    fn at(path: &str) -> Endpoint {
        Endpoint::new(path).get(nothing)
    }

    #[test]
    fn mistakes_are_refused_by_name() {
        let nobody = |path: &str, rule: Rule| RouteError::AllowsNobody { path: path.to_owned(), rule };
        for (routes, expected) in [
            (Routes::new([at("/a/"), at("/b/")]), None),
            (Routes::new([at("/a/"), at("/a/")]), Some(RouteError::Twice("/a/".to_owned()))),
            (Routes::new([at("/a/")]).rule_for("/b/", IsAdmin), Some(RouteError::NoSuchPath("/b/".to_owned()))),
            (Routes::new([at("/a/")]).rule_for("/a/", IsAdmin), None),
            (
                Routes::new([at("/a/").without_credentials()]).rule_for("/a/", IsAdmin),
                Some(RouteError::NoCredentials("/a/".to_owned())),
            ),
            (Routes::new([at("/a/").rule(Rule::Any(vec![]))]), Some(nobody("/a/", Rule::Any(vec![])))),
            (
                Routes::new([at("/a/").rule(IsAdmin & !IsAuthenticated)]),
                Some(nobody("/a/", IsAdmin & !IsAuthenticated)),
            ),
            (
                Routes::new([Endpoint::new("/a/").without_credentials().rule(IsAdmin).get(nothing)]),
                Some(RouteError::NoCredentials("/a/".to_owned())),
            ),
            (
                Routes::new([Endpoint::new("/a/").rule(IsAdmin).without_credentials().get(nothing)]),
                Some(RouteError::NoCredentials("/a/".to_owned())),
            ),
            (Routes::new([at("/a/").get(nothing)]), Some(RouteError::MethodTwice("/a/".to_owned()))),
            (Routes::new([at("a/")]), Some(RouteError::BadPath("a/".to_owned()))),
            (Routes::new([at("/a/"), at("/b/").alias("/a/")]), None),
            (Routes::new([at("/a/"), at("/b/").alias("/a/")]).aliases(true), Some(RouteError::Twice("/a/".into()))),
        ] {
            assert_eq!(routes.clone().build().err(), expected, "{routes:?}");
        }
    }

    #[test]
    fn the_table_shows_who_may_call_what() {
        let routes = Routes::new([
            at("/posts/").rule(AllowAny),
            at("/posts/{id:[0-9]+}/").rule(IsOwner | IsAdmin).delete(nothing).named("Post", ""),
            Endpoint::new("/token/").without_credentials().post(nothing),
        ]);
        let table = routes.build().unwrap();
        assert_eq!(
            table.to_string(),
            "/posts/              GET, HEAD                   AllowAny\n\
             /posts/{id:[0-9]+}/  GET, HEAD, DELETE, OPTIONS  IsOwner | IsAdmin\n\
             /token/              POST                        AllowAny, credentials not read\n"
        );
        assert!(table.has_route("/posts/12/") && !table.has_route("/posts/x/") && !table.has_route("/posts/12"));
    }

    #[test]
    fn the_document_has_the_routes_that_are_served_and_the_header_that_is_read() {
        let all = standard().into_iter().chain(sliding());
        let mut paths: Vec<_> = all.clone().map(|endpoint| endpoint.path().to_owned()).collect();
        paths.sort_unstable();
        let table = Routes::new(all).with(at("/posts/")).build().unwrap();
        let bearer = table.openapi_document(&CredentialHeader::default());
        assert_eq!(bearer.paths.paths.into_keys().collect::<Vec<_>>(), paths);
        let complete = crate::openapi::document();
        assert_eq!(complete.paths.paths.into_keys().collect::<Vec<_>>(), paths, "nothing else is described");
        let other = CredentialHeader::new("X-Access-Token", ["Token"]).unwrap();
        let other = serde_json::to_string(&table.openapi_document(&other)).unwrap();
        assert!(other.contains("x-access-token"));
    }

    #[test]
    fn a_route_that_is_never_reached_is_refused() {
        let shadowed = |path: &str, by: &str| Some(RouteError::Shadowed { path: path.to_owned(), by: by.to_owned() });
        for (first, second, expected) in [
            ("/posts/{id}/", "/posts/{name}/", shadowed("/posts/{name}/", "/posts/{id}/")),
            ("/posts/{id:[0-9]+}/", "/posts/{name:[0-9]+}/", shadowed("/posts/{name:[0-9]+}/", "/posts/{id:[0-9]+}/")),
            ("/posts/{id}/", "/posts/new/", shadowed("/posts/new/", "/posts/{id}/")),
            ("/posts/{id:[0-9]+}/", "/posts/new/", None),
            ("/posts/{id:[0-9]{3}}/", "/posts/{id:[0-9]{4}}/", None),
            ("/posts/{id}/", "/posts/{id:[0-9]+}/", shadowed("/posts/{id:[0-9]+}/", "/posts/{id}/")),
            ("/posts/{id}/", "/posts/v{id}.json/", shadowed("/posts/v{id}.json/", "/posts/{id}/")),
            ("/posts/{id}/", r"/posts/{id:\d+}/", shadowed(r"/posts/{id:\d+}/", "/posts/{id}/")),
            ("/posts/{id}/", "/posts/{path:.*}", None),
            ("/posts/{id}/", "/posts/{path:[a-z/]+}/", None),
            ("/posts/{id}", "/posts/{path}*", None),
            ("/{kind}/{id}/", "/posts/{id:[0-9]+}/", shadowed("/posts/{id:[0-9]+}/", "/{kind}/{id}/")),
            ("/files/{path}*", "/files/{id}/keys", shadowed("/files/{id}/keys", "/files/{path}*")),
            ("/files/{path:.*}", "/files/{id}/keys", shadowed("/files/{id}/keys", "/files/{path:.*}")),
            ("/files/{path}*", "/folders/{id}/keys", None),
            ("/files/{path}*", "/{kind}/keys", None),
            ("/posts/new/", "/posts/{id}/", None),
            ("/posts/{id}/", "/posts/{id}/comments/", None),
        ] {
            assert_eq!(Routes::new([at(first), at(second)]).build().err(), expected, "{first} {second}");
        }
    }

    #[test]
    fn a_prefix_stands_before_the_paths_of_the_service_alone() {
        let routes = Routes::new(standard()).with(at("/posts/")).aliases(true);
        let table = routes.clone().prefix("auth/").rule_for("/auth/api/logout/", IsAdmin).build().unwrap();
        for path in ["/auth/api/token/", "/auth/accounts/token/", "/auth/.well-known/jwks.json", "/posts/"] {
            assert!(table.has_route(path), "{path}");
        }
        assert!(!table.has_route("/api/token/") && !table.has_route("/auth/posts/"));
        let error = routes.clone().prefix("/a b").build().unwrap_err();
        assert_eq!(error.to_string(), "the prefix \"/a b\" is not a path; use one such as /auth");
        let error = routes.prefix("/auth").with(at("/auth/api/logout/")).build().unwrap_err();
        assert_eq!(error.to_string(), "there are two routes at /auth/api/logout/");
    }

    #[test]
    fn a_route_without_a_rule_is_closed() {
        let table = Routes::new([at("/a/{id}/")]).build().unwrap();
        assert_eq!(table.endpoints().next().unwrap().required_rule(), &IsAuthenticated);
    }
}
