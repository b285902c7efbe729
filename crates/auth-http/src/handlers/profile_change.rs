//! The body of `PUT` and `PATCH /api/users/me/`, and the profile change that it requests.

use auth_accounts::account::{Email, PersonName, ProfileChange, Username, UsernameRules};
use auth_accounts::service::Reauthentication;
use auth_core::token::ClientInfo;
use auth_core::user::User;
use utoipa::ToSchema;

use super::register::parse;
use super::second_factors::reauthentication;
use crate::body::{BLANKABLE, FieldErrors, FieldReader, Fields, TEXT, TextRules};

/// The order of the fields in error responses.
const ORDER: [&str; 4] = ["username", "email", "first_name", "last_name"];

/// Whether the username and the email address are required.
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
    /// The password, for a change of the email address.
    #[schema(format = Password)]
    password: Option<String>,
    /// A challenge, for a change of the email address if a login requires a second factor.
    challenge: Option<String>,
    /// The code for the challenge.
    code: Option<String>,
}

impl ProfileChangeBody {
    /// Reads the body and returns the errors in the profile fields. An invalid field of the reauthentication is treated as
    /// missing, because most changes do not require it.
    pub(super) fn read(
        fields: &Fields,
        completeness: Completeness,
        user: &User,
        password: TextRules,
    ) -> (Self, FieldErrors) {
        let (mut reader, mut lenient) = (FieldReader::new(fields), FieldReader::new(fields));
        let mut key = |name, rules| match completeness {
            Completeness::Whole => reader.required(name, rules),
            Completeness::Partial => reader.optional(name, rules),
        };
        // The profile of a user without an email address shows an empty one, which a client may send back.
        let email_rules = if displayed_email(user).is_empty() { BLANKABLE } else { TEXT };
        let profile = ProfileBody {
            username: key("username", TEXT),
            email: key("email", email_rules),
            first_name: reader.optional("first_name", BLANKABLE),
            last_name: reader.optional("last_name", BLANKABLE),
        };
        let body = Self {
            profile,
            password: lenient.optional("password", password),
            challenge: lenient.optional("challenge", TEXT),
            code: lenient.optional("code", TEXT),
        };
        (body, reader.into_errors())
    }

    /// Returns the reauthentication, if the body has a password.
    pub(super) fn reauthentication(&self, client: ClientInfo) -> Option<Reauthentication> {
        Some(reauthentication(self.password.clone()?, self.challenge.clone().zip(self.code.clone()), client))
    }

    /// Returns the change to `user`, or `errors` with further errors added. `usernames` are the rules of registration.
    pub(super) fn into_change(
        self,
        mut errors: FieldErrors,
        user: &User,
        usernames: UsernameRules,
    ) -> Result<ProfileChange, FieldErrors> {
        let Self { mut profile, .. } = self;
        // An unchanged username is not validated: the rules may have changed since it was chosen.
        profile.username.take_if(|name| *name == user.username);
        profile.email.take_if(|email| *email == displayed_email(user));
        // Like the reference implementation, allow only the plain alphabet here, regardless of the rules of registration.
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

/// The email address as the profile shows it: empty if there is none.
fn displayed_email(user: &User) -> &str {
    user.email.as_deref().unwrap_or_default()
}

/// Changes to the caller's profile.
#[derive(ToSchema)]
pub(crate) struct ProfileBody {
    /// The username.
    #[schema(nullable = false, max_length = 150)]
    username: Option<String>,
    /// The email address.
    #[schema(nullable = false, max_length = 254, format = Email)]
    email: Option<String>,
    /// First name; may be empty.
    #[schema(nullable = false, max_length = 150)]
    first_name: Option<String>,
    /// Last name; may be empty.
    #[schema(nullable = false, max_length = 150)]
    last_name: Option<String>,
}
