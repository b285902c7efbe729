//! The builder of a [`RouteTable`], and its checks.

use actix_web::dev::ResourceDef;
use auth_core::permission::Rule;

use crate::endpoint::Endpoint;
use crate::routes::pattern::hides;
use crate::routes::prefix::normalized;
use crate::routes::{RouteError, RouteTable};

/// Builder of a [`RouteTable`].
#[derive(Clone, Debug, Default)]
pub struct Routes {
    endpoints: Vec<Endpoint>,
    prefix: String,
    replaced: Vec<(String, Rule)>,
    aliases: bool,
}

impl Routes {
    /// Starts with these endpoints.
    pub fn new(endpoints: impl IntoIterator<Item = Endpoint>) -> Self {
        Self { endpoints: endpoints.into_iter().collect(), ..Self::default() }
    }

    /// Adds an endpoint.
    pub fn with(mut self, endpoint: Endpoint) -> Self {
        self.endpoints.push(endpoint);
        self
    }

    /// Replaces the rule of an existing route by a stricter or a weaker one. `path` is the path as served, with its prefix.
    pub fn rule_for(mut self, path: &str, rule: Rule) -> Self {
        self.replaced.push((path.to_owned(), rule));
        self
    }

    /// Sets a prefix for the paths of the service and their aliases, but not for those of the host. Leading and trailing
    /// slashes are ignored.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Keeps only the endpoints for which `is_kept` returns `true`.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&Endpoint) -> bool) {
        self.endpoints.retain(is_kept);
    }

    /// Whether aliases are served; off by default.
    pub const fn aliases(mut self, served: bool) -> Self {
        self.aliases = served;
        self
    }

    /// Checks the routes and builds the table.
    ///
    /// # Errors
    /// [`RouteError`], which names the path.
    ///
    /// # Panics
    /// If a path is not a valid pattern of actix-web, such as `/a/{`.
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
                check_reachable(path, &patterns)?;
                patterns.push(ResourceDef::new(path));
            }
        }
        Ok(RouteTable::new(self.endpoints, self.aliases, patterns))
    }

    fn add_prefix(&mut self) -> Result<(), RouteError> {
        let prefix = normalized(&self.prefix)?;
        for endpoint in self.endpoints.iter_mut().filter(|endpoint| endpoint.is_own()) {
            *endpoint = endpoint.clone().with_prefix(&prefix);
        }
        Ok(())
    }
}

fn check_endpoint(endpoint: &Endpoint) -> Result<(), RouteError> {
    let path = || endpoint.path().to_owned();
    if !endpoint.reads_credentials() && *endpoint.required_rule() != Rule::AllowAny {
        return Err(RouteError::NoCredentials(path()));
    }
    if endpoint.has_duplicate_method() { Err(RouteError::MethodTwice(path())) } else { Ok(()) }
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

/// Refuses a path that an earlier pattern shadows, as far as that can be decided without comparing regular expressions.
fn check_reachable(path: &str, earlier: &[ResourceDef]) -> Result<(), RouteError> {
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

#[cfg(test)]
mod tests {
    use actix_web::{HttpResponse, Responder};
    use auth_core::permission::Rule::{IsAdmin, IsAuthenticated};

    use super::*;
    use crate::routes::standard;

    async fn nothing() -> impl Responder {
        HttpResponse::Ok()
    }

    fn at(path: &str) -> Endpoint {
        Endpoint::new(path).get(nothing)
    }

    #[test]
    fn refuses_invalid_routes_and_names_the_path() {
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
            (
                Routes::new([at("/a/").named("A", "").method(actix_web::http::Method::OPTIONS, nothing)]),
                Some(RouteError::MethodTwice("/a/".to_owned())),
            ),
            (Routes::new([at("a/")]), Some(RouteError::BadPath("a/".to_owned()))),
            (Routes::new([at("/a/"), at("/b/").alias("/a/")]), None),
            (Routes::new([at("/a/"), at("/b/").alias("/a/")]).aliases(true), Some(RouteError::Twice("/a/".into()))),
        ] {
            assert_eq!(routes.clone().build().err(), expected, "{routes:?}");
        }
    }

    #[test]
    fn refuses_a_route_that_is_never_reached() {
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
    fn a_prefix_applies_only_to_the_paths_of_the_service() {
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
}
