//! What claims are called.

use std::error::Error;
use std::fmt;

/// The names of the claims that an installation may call as it likes. The others have the names of RFC 7519 §4.1, and
/// `sid`, `gen` and `amr`.
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

/// Names that cannot be: one of them stands for another claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimNameClash(pub String);

impl fmt::Display for ClaimNameClash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            f.write_str("a claim needs a name")
        } else {
            write!(f, "the name {:?} is that of another claim", self.0)
        }
    }
}

impl Error for ClaimNameClash {}

impl ClaimNames {
    /// Names that always mean what RFC 7519 §4.1 and this service mean by them.
    const FIXED: [&'static str; 8] = ["exp", "iat", "nbf", "iss", "aud", "sid", "gen", "amr"];

    /// Names for the kind (SimpleJWT: `TOKEN_TYPE_CLAIM`), the id (`JTI_CLAIM`), the user (`USER_ID_CLAIM`) and the end
    /// of the refresh period of sliding tokens (`SLIDING_TOKEN_REFRESH_EXP_CLAIM`).
    ///
    /// # Errors
    /// [`ClaimNameClash`] if two are the same, one is empty, or one always means something else.
    pub fn new(kind: &str, id: &str, subject: &str, refresh_expiry: &str) -> Result<Self, ClaimNameClash> {
        let names = [kind, id, subject, refresh_expiry];
        for (place, name) in names.iter().enumerate() {
            if name.is_empty() || Self::FIXED.contains(name) || names[..place].contains(name) {
                return Err(ClaimNameClash((*name).to_owned()));
            }
        }
        let [kind, id, subject, refresh_expiry] = names.map(str::to_owned);
        Ok(Self { kind, id, subject, refresh_expiry })
    }

    /// That of the kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// That of the id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// That of the user.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// That of the end of the refresh period of a sliding token.
    pub fn refresh_expiry(&self) -> &str {
        &self.refresh_expiry
    }

    /// Whether this service writes the claim itself, so that it is never taken over from an older token.
    pub(crate) fn is_own(&self, name: &str) -> bool {
        let own = [&self.kind, &self.id, &self.subject, &self.refresh_expiry];
        own.iter().any(|own| *own == name) || ["exp", "iat", "sid", "gen", "amr"].contains(&name)
    }

    /// Whether an application may not write the claim: this service's own, and those that RFC 7519 §4.1 registers.
    pub(crate) fn is_reserved(&self, name: &str) -> bool {
        self.is_own(name) || Self::FIXED.contains(&name) || ["jti", "sub"].contains(&name)
    }
}

impl Default for ClaimNames {
    /// Those of SimpleJWT: `token_type`, `jti`, `user_id`, `refresh_exp`.
    fn default() -> Self {
        let [kind, id, subject, refresh_expiry] = ["token_type", "jti", "user_id", "refresh_exp"].map(str::to_owned);
        Self { kind, id, subject, refresh_expiry }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_means_one_claim() {
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
            let made = ClaimNames::new(names[0], names[1], names[2], names[3]);
            assert_eq!(made.err().map(|clash| clash.0), clash.map(str::to_owned), "{names:?}");
        }
        assert_eq!(ClaimNames::new("token_type", "jti", "user_id", "refresh_exp"), Ok(ClaimNames::default()));
    }
}
