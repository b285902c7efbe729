//! Errors in a set of routes.

use std::error::Error;
use std::fmt;

use auth_core::permission::Rule;

/// An error in a set of routes.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RouteError {
    /// Two routes have the same path.
    Twice(String),
    /// A route is never reached, because an earlier one matches its path.
    Shadowed {
        /// The path of the route.
        path: String,
        /// The path of the earlier route.
        by: String,
    },
    /// A rule was set for a path that no route has.
    NoSuchPath(String),
    /// A rule refuses every request: a mistake, such as an empty list.
    AllowsNobody {
        /// The path.
        path: String,
        /// The rule.
        rule: Rule,
    },
    /// A rule was set for a route that does not read credentials.
    NoCredentials(String),
    /// A path does not begin with a slash.
    BadPath(String),
    /// The prefix is not a path.
    BadPrefix(String),
    /// A route needs account services, but none were given.
    NoAccounts(String),
    /// A route has two handlers for one method.
    MethodTwice(String),
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Twice(path) => write!(f, "there are two routes at {path}"),
            Self::NoSuchPath(path) => write!(f, "there is a rule for {path}, but no such route"),
            Self::AllowsNobody { path, rule } => write!(f, "the rule for {path} refuses every request: {rule}"),
            Self::NoCredentials(path) => write!(f, "there is a rule for {path}, which does not read credentials"),
            Self::Shadowed { path, by } => {
                write!(f, "the route {path} is never reached: {by} comes first and matches it")
            }
            Self::BadPrefix(prefix) => write!(f, "the prefix {prefix:?} is not a path; use one such as /auth"),
            Self::NoAccounts(path) => {
                write!(f, "the route {path} needs account services, but none were given")
            }
            Self::MethodTwice(path) => write!(f, "there are two handlers for one method at {path}"),
            Self::BadPath(path) => write!(f, "the path {path:?} does not begin with a slash"),
        }
    }
}

impl Error for RouteError {}
