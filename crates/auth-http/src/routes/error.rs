//! Why routes cannot be served.

use std::error::Error;
use std::fmt;

use auth_core::permission::Rule;

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
