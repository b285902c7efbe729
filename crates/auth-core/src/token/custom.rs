//! Custom claims.

use std::error::Error;
use std::fmt;

use serde_json::Value;

use crate::token::{ClaimNames, Payload};
use crate::user::{GroupName, User};

/// The custom claims of a token: all except those of RFC 7519 §4.1 and those that this service writes.
#[derive(Clone, Debug)]
pub struct CustomClaims {
    names: ClaimNames,
    claims: Payload,
}

/// The error for a claim that a claims provider may not write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedClaim(String);

impl fmt::Display for ReservedClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the claim {:?} is written by the service itself", self.0)
    }
}

impl Error for ReservedClaim {}

impl CustomClaims {
    /// Creates an empty set, for a deployment with these claim names.
    pub fn new(names: ClaimNames) -> Self {
        Self { names, claims: Payload::new() }
    }

    /// The claims that a successor inherits: all except those that the service writes itself and those of
    /// [`ProfileClaim`], so that rights and email addresses are never older than their token (SEC-026).
    pub(crate) fn inherited(names: ClaimNames, mut claims: Payload) -> Self {
        let is_profile_claim = |name: &str| ProfileClaim::ALL.iter().any(|claim| claim.name() == name);
        claims.retain(|name, _| !names.is_own(name) && !is_profile_claim(name));
        Self { names, claims }
    }

    /// Sets a claim, replacing one of the same name.
    ///
    /// ```
    /// use auth_core::token::{ClaimNames, CustomClaims};
    /// let mut claims = CustomClaims::new(ClaimNames::default());
    /// assert!(claims.insert("tenant", "acme").is_ok());
    /// assert!(claims.insert("exp", 9_999_999_999_i64).is_err());
    /// ```
    ///
    /// # Errors
    /// [`ReservedClaim`] for a claim that the service writes itself, or that RFC 7519 §4.1 registers.
    pub fn insert(&mut self, name: &str, value: impl Into<Value>) -> Result<(), ReservedClaim> {
        if self.names.is_reserved(name) {
            return Err(ReservedClaim(name.to_owned()));
        }
        self.claims.insert(name.to_owned(), value.into());
        Ok(())
    }

    /// The value of a claim, if it is set.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    pub(crate) const fn as_payload(&self) -> &Payload {
        &self.claims
    }
}

/// A claim with a field of the account: the claims providers that the configuration can choose by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProfileClaim {
    /// `email`: the email address, if it is a login name.
    Email,
    /// `role`: `admin` for staff, otherwise `user`.
    Role,
    /// `username`: the username.
    Username,
    /// `groups`: the names of the groups, in alphabetical order.
    Groups,
}

impl ProfileClaim {
    /// All profile claims.
    pub const ALL: [Self; 4] = [Self::Email, Self::Role, Self::Username, Self::Groups];

    /// The name of the claim.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Role => "role",
            Self::Username => "username",
            Self::Groups => "groups",
        }
    }

    /// The value for a user. A contact is never an email claim, because several users may have the same one, and other
    /// services identify users by this claim.
    pub fn value(self, user: &User) -> Option<Value> {
        Some(match self {
            Self::Email => user.login_email()?.into(),
            Self::Role => user.role().into(),
            Self::Username => user.username.as_str().into(),
            Self::Groups => user.groups.iter().map(GroupName::as_str).collect::<Vec<_>>().into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reserved_claims_cannot_be_written() {
        let names = ClaimNames::new("typ_", "id_", "who", "until").unwrap();
        let mut claims = CustomClaims::new(names);
        for name in ["exp", "iat", "nbf", "iss", "aud", "jti", "sub", "sid", "gen", "typ_", "id_", "who", "until"] {
            assert_eq!(claims.insert(name, 1), Err(ReservedClaim(name.to_owned())));
        }
        for name in ["email", "token_type", "user_id", "refresh_exp"] {
            assert_eq!(claims.insert(name, 1), Ok(()), "{name}");
        }
        assert_eq!(claims.as_payload().len(), 4);
    }

    #[test]
    fn successors_inherit_neither_claims_of_the_service_nor_of_the_profile() {
        let old = json!({"token_type": "refresh", "exp": 1, "iat": 1, "jti": "a", "user_id": "3", "sid": "b", "gen": 4,
            "refresh_exp": 1, "nbf": 1, "aud": "x", "tenant": "acme", "role": "admin", "email": "a@b.c", "username": "a",
            "groups": ["editors"]});
        let kept = CustomClaims::inherited(ClaimNames::default(), old.as_object().unwrap().clone());
        assert_eq!(Value::from(kept.as_payload().clone()), json!({"nbf": 1, "aud": "x", "tenant": "acme"}));
    }
}
