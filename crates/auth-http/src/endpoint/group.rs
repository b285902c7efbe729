//! Endpoint groups: endpoints that are served or left out together.

/// A group of the service's own endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EndpointGroup {
    /// Refresh, verification, blacklist, logout.
    Tokens,
    /// Login with a password.
    Login,
    /// Registration.
    Registration,
    /// Profile, passwords, email addresses.
    Accounts,
    /// Second factors, and logins that are completed with one.
    SecondFactors,
    /// The OpenAPI document and the JWK set.
    Documents,
    /// Liveness and readiness.
    Health,
}

impl EndpointGroup {
    /// Whether the handlers need [`AccountServices`](crate::AccountServices).
    pub(crate) const fn needs_accounts(self) -> bool {
        matches!(self, Self::Login | Self::Registration | Self::Accounts | Self::SecondFactors)
    }
}
