//! The route table.

use std::fmt;
use std::sync::Arc;

use actix_web::Resource;
use actix_web::dev::ResourceDef;
use actix_web::middleware::from_fn;
use actix_web::web;
use utoipa::openapi::OpenApi;

use crate::endpoint::Endpoint;
use crate::middleware::{endpoint_middleware, with_own_headers};
use crate::openapi::document_of;
use crate::routes::unknown::unknown;
use crate::settings::CredentialHeader;

/// Checked routes. Its `Display` prints a row for each route: path, methods, rule.
#[derive(Clone)]
pub struct RouteTable(Arc<Table>);

struct Table {
    endpoints: Vec<Arc<Endpoint>>,
    aliases: bool,
    patterns: Vec<ResourceDef>,
}

impl RouteTable {
    /// Creates a table of checked endpoints. `patterns` are those of their paths, and of their aliases if `aliases` is set.
    pub(super) fn new(endpoints: Vec<Endpoint>, aliases: bool, patterns: Vec<ResourceDef>) -> Self {
        let endpoints = endpoints.into_iter().map(Arc::new).collect();
        Self(Arc::new(Table { endpoints, aliases, patterns }))
    }

    /// The endpoints, in the order in which they were added.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.endpoints.iter().map(Arc::as_ref)
    }

    /// Registers every route with its middleware.
    pub(super) fn register(&self, config: &mut web::ServiceConfig, bound: &dyn Fn(Resource) -> Resource) {
        for endpoint in &self.0.endpoints {
            for path in endpoint.paths(self.0.aliases) {
                let own = endpoint.clone();
                let middleware = from_fn(move |request, next| endpoint_middleware(own.clone(), request, next));
                config.service(bound(endpoint.resource(path)).wrap(middleware));
            }
        }
    }

    /// Registers redirects from paths without the trailing slash, for an application that answers unknown paths itself.
    pub(super) fn register_redirects(&self, config: &mut web::ServiceConfig, bound: &dyn Fn(Resource) -> Resource) {
        let own = self.0.endpoints.iter().filter(|endpoint| endpoint.is_own());
        for bare in own.flat_map(|endpoint| endpoint.paths(self.0.aliases)).filter_map(|path| path.strip_suffix('/')) {
            config.service(bound(web::resource(bare).to(unknown)).wrap(from_fn(with_own_headers)));
        }
    }

    /// Whether a route matches exactly this path.
    pub(crate) fn has_route(&self, path: &str) -> bool {
        self.0.patterns.iter().any(|pattern| pattern.is_match(path))
    }

    /// Returns the OpenAPI 3.1 document of these routes, with the configured credential header. Endpoints of a host are not
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
    use crate::routes::{Routes, sliding, standard};

    async fn nothing() -> impl Responder {
        HttpResponse::Ok()
    }

    fn at(path: &str) -> Endpoint {
        Endpoint::new(path).get(nothing)
    }

    #[test]
    fn display_prints_paths_methods_and_rules() {
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
    fn the_openapi_document_has_the_served_routes_and_the_credential_header() {
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
    fn a_route_without_a_rule_requires_a_caller() {
        let table = Routes::new([at("/a/{id}/")]).build().unwrap();
        assert_eq!(table.endpoints().next().unwrap().required_rule(), &IsAuthenticated);
    }
}
