//! Claim names.

use std::error::Error;
use std::fmt;

/// The configurable claim names. The other claims have the names of RFC 7519 §4.1, or are called `sid`, `gen` and
/// `amr`.
///
/// ```
/// use auth_core::token::ClaimNames;
/// assert_eq!(ClaimNames::default().subject(), "user_id");
/// let names = ClaimNames::new("typ_", "id_", "sub", "refresh_exp").unwrap();
/// assert_eq!(names.subject(), "sub");
/// assert!(ClaimNames::new("token_type", "jti", "exp", "refresh_exp").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNames {
    kind: String,
    id: String,
    subject: String,
    refresh_expiry: String,
}

/// The error for a claim name that is empty or that of another claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNameClash(pub String);

impl fmt::Display for ClaimNameClash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str("a claim name must not be empty")
        } else {
            write!(f, "the claim name {:?} is used by another claim", self.0)
        }
    }
}

impl Error for ClaimNameClash {}

impl ClaimNames {
    /// Names whose meaning is fixed by RFC 7519 §4.1 or by this service.
    const FIXED: [&'static str; 8] = ["exp", "iat", "nbf", "iss", "aud", "sid", "gen", "amr"];

    /// The claim names for the token type (SimpleJWT: `TOKEN_TYPE_CLAIM`), the token ID (`JTI_CLAIM`), the subject
    /// (`USER_ID_CLAIM`) and the end of the refresh period of sliding tokens (`SLIDING_TOKEN_REFRESH_EXP_CLAIM`).
    ///
    /// # Errors
    /// [`ClaimNameClash`] if two are the same, one is empty, or one has a fixed meaning.
    pub fn new(kind: &str, id: &str, subject: &str, refresh_expiry: &str) -> Result<Self, ClaimNameClash> {
        let names = [kind, id, subject, refresh_expiry];
        for (index, name) in names.iter().enumerate() {
            if name.is_empty() || Self::FIXED.contains(name) || names[..index].contains(name) {
                return Err(ClaimNameClash((*name).to_owned()));
            }
        }
        let [kind, id, subject, refresh_expiry] = names.map(str::to_owned);
        Ok(Self { kind, id, subject, refresh_expiry })
    }

    /// The claim of the token type.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The claim of the token ID.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The claim of the subject.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// The claim of the end of the refresh period.
    pub fn refresh_expiry(&self) -> &str {
        &self.refresh_expiry
    }

    /// Whether this service writes the claim itself, so that it is never inherited from an older token.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        let own = [&self.kind, &self.id, &self.subject, &self.refresh_expiry];
        own.iter().any(|own| *own == name) || ["exp", "iat", "sid", "gen", "amr"].contains(&name)
    }

    /// Whether claims providers may not write the claim: those of this service, and those that RFC 7519 §4.1 registers.
    pub(crate) fn is_reserved(&self, name: &str) -> bool {
        self.is_own(name) || Self::FIXED.contains(&name) || ["jti", "sub"].contains(&name)
    }
}

impl Default for ClaimNames {
    /// The names of SimpleJWT: `token_type`, `jti`, `user_id`, `refresh_exp`.
    fn default() -> Self {
        let [kind, id, subject, refresh_expiry] = ["token_type", "jti", "user_id", "refresh_exp"].map(str::to_owned);
        Self { kind, id, subject, refresh_expiry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_claim_has_a_name_of_its_own() {
        for (names, clash) in [
            (["token_type", "jti", "user_id", "refresh_exp"], None),
            (["typ_", "id_", "sub", "until"], None),
            (["jti", "jti", "user_id", "refresh_exp"], Some("jti")),
            (["token_type", "jti", "jti", "refresh_exp"], Some("jti")),
            (["token_type", "jti", "exp", "refresh_exp"], Some("exp")),
            (["sid", "jti", "user_id", "refresh_exp"], Some("sid")),
            (["token_type", "jti", "user_id", "iat"], Some("iat")),
            (["token_type", "", "user_id", "refresh_exp"], Some("")),
        ] {
            let result = ClaimNames::new(names[0], names[1], names[2], names[3]);
            assert_eq!(result.err().map(|clash| clash.0), clash.map(str::to_owned), "{names:?}");
        }
        assert_eq!(ClaimNames::new("token_type", "jti", "user_id", "refresh_exp"), Ok(ClaimNames::default()));
    }
}
