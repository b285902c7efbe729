//! The subjects of tokens.

use crate::user::UserId;

/// The field of an account that is the subject of its tokens (SimpleJWT: `USER_ID_FIELD`).
///
/// A user ID is never assigned twice, but a username or an email address can pass to another account, and an external
/// issuer may have had another account with the same ID. A token without a session must therefore have been issued
/// after the account that it names was created; one that names it by username or email address must have `iat`. One gap
/// remains: an account that takes over a username or an email address also accepts tokens without a session that were
/// issued to the former holder after the account was created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SubjectField {
    /// The user ID.
    #[default]
    Id,
    /// The username.
    Username,
    /// The email address, if it is a login name. No session starts for a user without one.
    Email,
}

impl SubjectField {
    /// All fields.
    pub const ALL: [Self; 3] = [Self::Id, Self::Username, Self::Email];

    /// The name in the configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Username => "username",
            Self::Email => "email",
        }
    }

    /// Whether the value of one account can later be that of another.
    pub const fn is_reassignable(self) -> bool {
        !matches!(self, Self::Id)
    }
}

/// The subject of a token: the user that it names.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// The user with this ID; the claim has its canonical string.
    Id(UserId),
    /// The user with exactly this username.
    Username(String),
    /// The user with exactly this email address as a login name.
    Email(String),
}

impl Subject {
    /// The string in the claim.
    pub fn to_claim(&self) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Username(string) | Self::Email(string) => string.clone(),
        }
    }
}
