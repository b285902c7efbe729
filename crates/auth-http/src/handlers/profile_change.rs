//! What changes of the caller's account, as a body of `PUT` or `PATCH` asks for it.

use auth_accounts::account::{Email, PersonName, ProfileChange, Username, UsernameRules};
use auth_accounts::service::Reauthentication;
use auth_core::token::ClientInfo;
use auth_core::user::User;
use utoipa::ToSchema;

use super::register::parse;
use super::second_factors::shown;
use crate::body::{BLANKABLE, FieldErrors, FieldReader, Fields, TEXT, TextRules};

/// The fields in the order in which their errors are answered.
const ORDER: [&str; 4] = ["username", "email", "first_name", "last_name"];

/// Whether username and email address must be given.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Completeness {
    /// `PUT`.
    Whole,
    /// `PATCH`.
    Partial,
}

/// Changes to the caller's profile, and the reauthentication that another email address requires. Other fields are ignored.
#[derive(ToSchema)]
pub(crate) struct ProfileChangeBody {
    #[serde(flatten)]
    profile: ProfileBody,
    /// The password, for another address.
    #[schema(format = Password)]
    password: Option<String>,
    /// A challenge, for another address where a login takes a second factor.
    challenge: Option<String>,
    /// And the code that answers it.
    code: Option<String>,
}

impl ProfileChangeBody {
    /// Reads it, and says what is wrong with the fields of the profile. A proof that is not a string is as good as absent:
    /// most changes need none.
    pub(super) fn read(
        fields: &Fields,
        completeness: Completeness,
        user: &User,
        password: TextRules,
    ) -> (Self, FieldErrors) {
        let (mut reader, mut proof) = (FieldReader::new(fields), FieldReader::new(fields));
        let mut key = |name, rules| match completeness {
            Completeness::Whole => reader.required(name, rules),
            Completeness::Partial => reader.optional(name, rules),
        };
        // A user without an address is shown an empty one, and may send it back.
        let email_rules = if shown_email(user).is_empty() { BLANKABLE } else { TEXT };
        let profile = ProfileBody {
            username: key("username", TEXT),
            email: key("email", email_rules),
            first_name: reader.optional("first_name", BLANKABLE),
            last_name: reader.optional("last_name", BLANKABLE),
        };
        let body = Self {
            profile,
            password: proof.optional("password", password),
            challenge: proof.optional("challenge", TEXT),
            code: proof.optional("code", TEXT),
        };
        (body, reader.into_errors())
    }

    /// The proof, if there is one.
    pub(super) fn shown(&self, client: ClientInfo) -> Option<Reauthentication> {
        Some(shown(self.password.clone()?, self.challenge.clone().zip(self.code.clone()), client))
    }

    /// What is to be changed of this user, or what is wrong besides these errors. `usernames` are the rules of registration.
    pub(super) fn into_change(
        self,
        mut errors: FieldErrors,
        user: &User,
        usernames: UsernameRules,
    ) -> Result<ProfileChange, FieldErrors> {
        let Self { mut profile, .. } = self;
        // A user keeps the name they have, even one that could not be chosen today.
        profile.username.take_if(|name| *name == user.username);
        profile.email.take_if(|email| *email == shown_email(user));
        // The reference implementation has the plain alphabet here, whatever it accepts at registration.
        let rules = UsernameRules { plain_alphabet: true, ..usernames };
        let change = ProfileChange {
            username: parse(&mut errors, "username", &profile.username, |text| Username::parse(text, rules)),
            email: parse(&mut errors, "email", &profile.email, Email::parse),
            first_name: parse(&mut errors, "first_name", &profile.first_name, PersonName::parse),
            last_name: parse(&mut errors, "last_name", &profile.last_name, PersonName::parse),
            ..ProfileChange::default()
        };
        errors.sort_by(&ORDER);
        if errors.is_empty() { Ok(change) } else { Err(errors) }
    }
}

/// The address that a user is shown: empty if there is none.
fn shown_email(user: &User) -> &str {
    user.email.as_deref().unwrap_or_default()
}

/// Changes to the caller's profile.
#[derive(ToSchema)]
pub(crate) struct ProfileBody {
    /// The name to log in with.
    #[schema(nullable = false, max_length = 150)]
    username: Option<String>,
    /// The address.
    #[schema(nullable = false, max_length = 254, format = Email)]
    email: Option<String>,
    /// First name; may be empty.
    #[schema(nullable = false, max_length = 150)]
    first_name: Option<String>,
    /// Last name; may be empty.
    #[schema(nullable = false, max_length = 150)]
    last_name: Option<String>,
}
