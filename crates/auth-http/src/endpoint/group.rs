//! The groups of the service's routes: each is served or left out as a whole.

/// A group of routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RouteGroup {
    /// Refresh, verification, blacklist, logout.
    Tokens,
    /// The login with a password.
    Login,
    /// New accounts.
    Registration,
    /// The profile, passwords, email addresses.
    Accounts,
    /// Second factors, and the login that one completes.
    SecondFactors,
    /// The OpenAPI document and the JWK set.
    Documents,
    /// Health and readiness.
    Health,
}

impl RouteGroup {
    /// Whether its handlers work with accounts, so that tokens alone are not enough.
    pub(crate) const fn needs_accounts(self) -> bool {
        matches!(self, Self::Login | Self::Registration | Self::Accounts | Self::SecondFactors)
    }
}
