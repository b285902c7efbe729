//! Claims providers.

use std::error::Error;

use async_trait::async_trait;

use crate::token::{CustomClaims, ProfileClaim};
use crate::user::User;

/// Why a claims provider failed. No token is issued then, and nothing is stored.
pub type ClaimsError = Box<dyn Error + Send + Sync>;

/// A host's own source of claims. It is called whenever tokens are issued, at login and at each refresh, so that no
/// claim is older than its token (SEC-026). SimpleJWT has a serializer for this (`TOKEN_OBTAIN_SERIALIZER`).
///
/// If all providers together take longer than [`claims_timeout`](crate::service::TokenPolicy::claims_timeout), or one
/// of them fails or panics, the login or refresh fails with [`AuthError::Unavailable`](crate::AuthError::Unavailable).
///
/// ```
/// use async_trait::async_trait;
/// use auth_core::user::User;
/// use auth_core::ports::{ClaimsProvider, ClaimsError};
/// use auth_core::token::CustomClaims;
///
/// struct Tenant;
///
/// #[async_trait]
/// impl ClaimsProvider for Tenant {
///     async fn add_claims(&self, user: &User, claims: &mut CustomClaims) -> Result<(), ClaimsError> {
///         let tenant = user.email.as_deref().and_then(|email| email.rsplit('@').next()).unwrap_or_default();
///         claims.insert("tenant", tenant)?;
///         Ok(())
///     }
/// }
/// ```
#[async_trait]
pub trait ClaimsProvider: Send + Sync {
    /// Adds the claims of this user.
    async fn add_claims(&self, user: &User, claims: &mut CustomClaims) -> Result<(), ClaimsError>;
}

#[async_trait]
impl ClaimsProvider for ProfileClaim {
    async fn add_claims(&self, user: &User, claims: &mut CustomClaims) -> Result<(), ClaimsError> {
        if let Some(value) = self.value(user) {
            claims.insert(self.name(), value)?;
        }
        Ok(())
    }
}
