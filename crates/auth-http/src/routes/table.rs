//! All routes of an application.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::sync::{Arc, OnceLock};

use actix_web::dev::{ResourceDef, ResourceMap};
use actix_web::middleware::from_fn;
use actix_web::web::{self, Bytes};
use auth_core::permission::Rule;

use crate::app::App;
use crate::credentials::CredentialHeader;
use crate::gate::gate;
use crate::handlers::unknown::unknown;
use crate::openapi::document_of;
use crate::routes::Endpoint;

/// Routes as they are put together.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    endpoints: Vec<Endpoint>,
    declared: BTreeMap<String, Rule>,
    replaced: Vec<(String, Rule)>,
    aliases: bool,
}

/// Why routes cannot be served.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// Two routes have one path.
    Twice(String),
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
    /// A rule about the owner of an object, for what only actix-web knows: nobody there says who owns what.
    NoObject(String),
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
            Self::NoObject(path) => write!(f, "the rule for {path} is about owners, and only an Endpoint has objects"),
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

    /// With another rule for a route that is there, in place of its own: it may let in more, or fewer.
    pub fn rule_for(mut self, path: &str, rule: Rule) -> Self {
        self.replaced.push((path.to_owned(), rule));
        self
    }

    /// With a rule for something that is registered with actix-web and not here, by its pattern there. Without one,
    /// such a route is closed to all but the bearers of good tokens. Where actix-web has no such pattern, every request
    /// is answered 500: somebody believes to have guarded what is open, or the other way round. (Patterns with a
    /// regular expression or a tail are believed.)
    pub fn declare(mut self, pattern: &str, rule: Rule) -> Self {
        self.declared.insert(pattern.to_owned(), rule);
        self
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
        for (path, rule) in std::mem::take(&mut self.replaced) {
            let endpoint = self.endpoints.iter_mut().find(|endpoint| endpoint.path() == path);
            let endpoint = endpoint.ok_or(RouteError::NoSuchPath(path))?;
            *endpoint = endpoint.clone().rule(rule);
        }
        let mut seen = Vec::new();
        for endpoint in &self.endpoints {
            check_endpoint(endpoint)?;
            for path in endpoint.paths(self.aliases) {
                check_path(path, endpoint.required_rule())?;
                if seen.contains(&path) {
                    return Err(RouteError::Twice(path.to_owned()));
                }
                seen.push(path);
            }
        }
        for (path, rule) in &self.declared {
            check_path(path, rule)?;
            if rule.needs_object() {
                return Err(RouteError::NoObject(path.clone()));
            }
        }
        let patterns = seen.iter().map(|path| ResourceDef::new(*path)).collect();
        let endpoints = self.endpoints.into_iter().map(Arc::new).collect();
        Ok(RouteTable(Arc::new(Table {
            endpoints,
            declared: self.declared,
            aliases: self.aliases,
            patterns,
            missing: OnceLock::new(),
            document: OnceLock::new(),
        })))
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

/// Routes that can be served. Its `Display` is a table: methods, path, rule.
#[derive(Clone)]
pub struct RouteTable(Arc<Table>);

struct Table {
    endpoints: Vec<Arc<Endpoint>>,
    declared: BTreeMap<String, Rule>,
    aliases: bool,
    patterns: Vec<ResourceDef>,
    /// A declared pattern that actix-web does not have, once that was looked for.
    missing: OnceLock<Option<String>>,
    /// The OpenAPI document as JSON, with the header that it names, once it was asked for.
    document: OnceLock<(CredentialHeader, Bytes)>,
}

impl RouteTable {
    /// The routes, in the order in which they were added.
    pub fn endpoints(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.endpoints.iter().map(Arc::as_ref)
    }

    /// Adds every route, and the answer to paths that are none. The application needs the middleware
    /// [`outer`](fn@crate::outer) too; [`application`](fn@crate::application) has both.
    pub fn configure(&self, config: &mut web::ServiceConfig, app: &web::Data<App>) {
        config.app_data(app.clone()).app_data(web::Data::new(self.clone()));
        for endpoint in &self.0.endpoints {
            for path in endpoint.paths(self.0.aliases) {
                let own = endpoint.clone();
                let guard = from_fn(move |request, next| gate(own.clone(), request, next));
                config.service(endpoint.resource(path).wrap(guard));
            }
        }
        config.default_service(web::to(unknown));
    }

    /// Whether there is a route at exactly this path.
    pub(crate) fn has_route(&self, path: &str) -> bool {
        self.0.patterns.iter().any(|pattern| pattern.is_match(path))
    }

    /// The OpenAPI document of these routes as JSON. It is built once for all workers: building it takes milliseconds,
    /// and anybody may ask for it. (Only an application that serves one table under two headers builds it again.)
    pub(crate) fn document(&self, credentials: &CredentialHeader) -> Result<Bytes, serde_json::Error> {
        if let Some((_, json)) = self.0.document.get().filter(|(header, _)| header == credentials) {
            return Ok(json.clone());
        }
        let json = Bytes::from(serde_json::to_vec(&document_of(self, credentials))?);
        // Of two that built it at the same time, the first one is kept.
        let _ = self.0.document.set((credentials.clone(), json.clone()));
        Ok(json)
    }

    /// A pattern that has a rule, and that actix-web does not have.
    pub(crate) fn missing(&self, resources: &ResourceMap) -> Option<&str> {
        let missing = self.0.missing.get_or_init(|| {
            let is_there = |pattern: &String| {
                sample(pattern).is_none_or(|path| resources.match_pattern(&path).as_deref() == Some(pattern))
            };
            let missing = self.0.declared.keys().find(|pattern| !is_there(pattern)).cloned();
            if let Some(pattern) = &missing {
                tracing::error!(pattern, "there is a rule for a route that is not there: no request is served");
            }
            missing
        });
        missing.as_deref()
    }

    /// The rule of a route that only actix-web knows, by its pattern; `None` for the routes of this table, which have
    /// their own guard.
    pub(crate) fn rule_of_foreign(&self, pattern: &str) -> Option<&Rule> {
        let is_ours = self.0.patterns.iter().any(|known| known.pattern() == Some(pattern));
        (!is_ours).then(|| self.0.declared.get(pattern).unwrap_or(&Rule::IsAuthenticated))
    }
}

/// A path that a pattern matches; `None` where that would have to be guessed.
fn sample(pattern: &str) -> Option<String> {
    let mut path = String::new();
    let mut rest = pattern;
    while let Some((before, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}')?;
        if name.contains(':') || after.starts_with('*') {
            return None;
        }
        path.push_str(before);
        path.push('x');
        rest = after;
    }
    path.push_str(rest);
    Some(path)
}

impl fmt::Display for RouteTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: Vec<_> = self
            .endpoints()
            .flat_map(|endpoint| endpoint.paths(self.0.aliases).map(move |path| (path, endpoint)))
            .map(|(path, endpoint)| {
                let note = if endpoint.reads_credentials() { "" } else { ", credentials not read" };
                (path, endpoint.allow(), format!("{}{note}", endpoint.required_rule()))
            })
            .collect();
        rows.extend(self.0.declared.iter().map(|(path, rule)| (path.as_str(), "*".to_owned(), rule.to_string())));
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
            (Routes::new([]).declare("/c", !AllowAny), Some(nobody("/c", !AllowAny))),
            (
                Routes::new([Endpoint::new("/a/").without_credentials().rule(IsAdmin).get(nothing)]),
                Some(RouteError::NoCredentials("/a/".to_owned())),
            ),
            (Routes::new([at("/a/").get(nothing)]), Some(RouteError::MethodTwice("/a/".to_owned()))),
            (Routes::new([]).declare("/c", IsOwner), Some(RouteError::NoObject("/c".to_owned()))),
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
        let table = routes.declare("/metrics", IsAdmin).build().unwrap();
        assert_eq!(
            table.to_string(),
            "/posts/              GET, HEAD                   AllowAny\n\
             /posts/{id:[0-9]+}/  GET, HEAD, DELETE, OPTIONS  IsOwner | IsAdmin\n\
             /token/              POST                        AllowAny, credentials not read\n\
             /metrics             *                           IsAdmin\n"
        );
        assert!(table.has_route("/posts/12/") && !table.has_route("/posts/x/") && !table.has_route("/posts/12"));
    }

    #[test]
    fn the_description_is_built_once() {
        let table = Routes::new(crate::routes::standard()).with(at("/posts/").rule(AllowAny)).build().unwrap();
        let bearer = CredentialHeader::default();
        let first = table.document(&bearer).unwrap();
        let again = table.clone().document(&bearer).unwrap();
        assert_eq!(first.as_ptr(), again.as_ptr(), "the same bytes, not equal ones");
        let other = CredentialHeader::new("X-Access-Token", ["Token".to_owned()]).unwrap();
        assert!(String::from_utf8_lossy(&table.document(&other).unwrap()).contains("x-access-token"));
        assert_eq!(first, table.document(&bearer).unwrap());
    }

    #[test]
    fn samples_of_patterns() {
        for (pattern, expected) in [
            ("/metrics", Some("/metrics")),
            ("/a/{id}/b/{name}", Some("/a/x/b/x")),
            ("/a/{id:[0-9]+}", None),
            ("/files/{path}*", None),
            ("/a/{", None),
        ] {
            assert_eq!(sample(pattern).as_deref(), expected, "{pattern}");
        }
    }

    #[test]
    fn what_has_no_rule_is_closed() {
        let table = Routes::new([at("/a/{id}/")]).declare("/open", AllowAny).build().unwrap();
        assert_eq!(table.endpoints().next().unwrap().required_rule(), &IsAuthenticated);
        assert_eq!(table.rule_of_foreign("/a/{id}/"), None);
        assert_eq!(table.rule_of_foreign("/open"), Some(&AllowAny));
        assert_eq!(table.rule_of_foreign("/forgotten"), Some(&IsAuthenticated));
    }
}
