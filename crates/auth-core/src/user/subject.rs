//! How tokens name a user.

use crate::user::UserId;

/// The field of an account by which tokens name it (SimpleJWT: `USER_ID_FIELD`).
///
/// Numbers are never given twice here; names and addresses are, when an account gives one up, and an account that was
/// deleted elsewhere may have had any number. So a token of no session must be younger than the account that it names
/// (by a name, it must also say how old it is), and an account that took over somebody's
/// name after it was made may get tokens of no session that were meant for the one before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SubjectField {
    /// Its ID.
    #[default]
    Id,
    /// Its username.
    Username,
    /// Its email address, where that is a login name. Tokens can name no other users, and no session starts for them.
    Email,
}

impl SubjectField {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Id, Self::Username, Self::Email];

    /// Its name in a configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Username => "username",
            Self::Email => "email",
        }
    }

    /// Whether what it holds may be another account's later.
    pub const fn is_given_again(self) -> bool {
        !matches!(self, Self::Id)
    }
}

/// How a token names its user.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// By its ID; on the wire its canonical string.
    Id(UserId),
    /// By exactly its username.
    Username(String),
    /// By exactly its address.
    Email(String),
}

impl Subject {
    /// The text in the claim.
    pub fn to_claim(&self) -> String {
        match self {
            Self::Id(id) => id.to_string(),
            Self::Username(text) | Self::Email(text) => text.clone(),
        }
    }
}
