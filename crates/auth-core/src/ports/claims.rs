//! Claims of an application's own.

use std::error::Error;

use async_trait::async_trait;

use crate::token::{CustomClaims, ProfileClaim};
use crate::user::User;

/// Why claims could not be found out. Nothing is issued then, and nothing stored.
pub type ClaimsError = Box<dyn Error + Send + Sync>;

/// Adds claims to the tokens of a user, each time some are issued: at login and at each refresh, so that no claim is
/// older than its token (SEC-026). What SimpleJWT's users do in a serializer (`TOKEN_OBTAIN_SERIALIZER`).
///
/// It may take its time, within [`claims_timeout`](crate::service::TokenPolicy::claims_timeout). If it takes longer,
/// fails or panics, the login or refresh fails with [`AuthError::Unavailable`](crate::AuthError::Unavailable).
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
    /// Adds the claims for this user.
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
