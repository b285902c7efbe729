//! Claims that are an application's own.

use std::error::Error;
use std::fmt;

use serde_json::Value;

use crate::token::{ClaimNames, Payload};
use crate::user::{GroupName, User};

/// The claims beside this service's own. Those of RFC 7519 §4.1 and of this service cannot be among them.
#[derive(Clone, Debug)]
pub struct CustomClaims {
    names: ClaimNames,
    claims: Payload,
}

/// The name of a claim that an application cannot write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReservedClaim(String);

impl fmt::Display for ReservedClaim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the claim {:?} is written by the service itself", self.0)
    }
}

impl Error for ReservedClaim {}

impl CustomClaims {
    /// None so far, in an installation with these names.
    pub fn new(names: ClaimNames) -> Self {
        Self { names, claims: Payload::new() }
    }

    /// Those of an older token: every claim that the service does not write itself, nor could take from the account:
    /// rights and addresses are never older than their token (SEC-026).
    pub(crate) fn inherited(names: ClaimNames, mut claims: Payload) -> Self {
        let is_of_account = |name: &str| ProfileClaim::ALL.iter().any(|claim| claim.name() == name);
        claims.retain(|name, _| !names.is_own(name) && !is_of_account(name));
        Self { names, claims }
    }

    /// Sets a claim; replaces one of the same name.
    ///
    /// ```
    /// use auth_core::token::{ClaimNames, CustomClaims};
    /// let mut claims = CustomClaims::new(ClaimNames::default());
    /// assert!(claims.insert("tenant", "acme").is_ok());
    /// assert!(claims.insert("exp", 9_999_999_999_i64).is_err());
    /// ```
    ///
    /// # Errors
    /// [`ReservedClaim`] for a name that the service writes itself, or that RFC 7519 §4.1 registers.
    pub fn insert(&mut self, name: &str, value: impl Into<Value>) -> Result<(), ReservedClaim> {
        if self.names.is_reserved(name) {
            return Err(ReservedClaim(name.to_owned()));
        }
        self.claims.insert(name.to_owned(), value.into());
        Ok(())
    }

    /// A claim that was set.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.claims.get(name)
    }

    pub(crate) const fn as_payload(&self) -> &Payload {
        &self.claims
    }
}

/// A claim that is taken from the account: the claims_providers that an installation can choose by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProfileClaim {
    /// `email`: the address.
    Email,
    /// `role`: `admin` for staff, else `user`.
    Role,
    /// `username`: the name to log in with.
    Username,
    /// `groups`: the names of the groups, in alphabetical order.
    Groups,
}

impl ProfileClaim {
    /// All of them.
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

    /// Its value for a user. There is no email claim without an email address that is a login name: other addresses may
    /// belong to several users, and services that read tokens identify users by this claim.
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
    fn no_claim_of_the_service_can_be_written() {
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
    fn what_an_older_token_leaves_to_its_successors() {
        let old = json!({"token_type": "refresh", "exp": 1, "iat": 1, "jti": "a", "user_id": "3", "sid": "b", "gen": 4,
            "refresh_exp": 1, "nbf": 1, "aud": "x", "tenant": "acme", "role": "admin", "email": "a@b.c", "username": "a",
            "groups": ["editors"]});
        let kept = CustomClaims::inherited(ClaimNames::default(), old.as_object().unwrap().clone());
        assert_eq!(Value::from(kept.as_payload().clone()), json!({"nbf": 1, "aud": "x", "tenant": "acme"}));
    }
}
