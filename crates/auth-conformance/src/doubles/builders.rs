//! Builders of test values. They panic if the value is not valid, which is an error in the test.
#![allow(clippy::expect_used, reason = "an invalid value is an error in the test")]

use auth_accounts::account::{Email, NewEmail, NewUser, NewUserId, PersonName, Username, UsernameRules};
use auth_accounts::code::{CodeId, CodePurpose, OneTimeCode};
use auth_accounts::email::{EmailKind, EmailRequest, MessageId, OutgoingEmail, Queued};
use auth_accounts::password::PasswordHash;
use auth_accounts::secret::{Mac, Sealed};
use auth_core::effects::Effects;
use auth_core::time::{Seconds, Timestamp, UnixTime};
use auth_core::token::{ClientInfo, Generation, NextGeneration, Session, SessionId};
use auth_core::user::{User, UserId};

use super::PlainHasher;

/// The time at which the test values begin: 2001-09-09T01:46:40Z.
pub const BEGINNING: UnixTime = UnixTime::from_seconds(1_000_000_000);

/// The time `seconds` seconds after [`BEGINNING`].
pub const fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(BEGINNING.seconds() + seconds)
}

/// A username. Any visible characters are allowed, and letter case is ignored.
///
/// # Panics
/// If it is not valid.
pub fn username(text: &str) -> Username {
    Username::parse(text, UsernameRules { plain_alphabet: false, ignore_case: true }).expect("a valid username")
}

/// An email address.
///
/// # Panics
/// If it is not valid.
pub fn email(text: &str) -> Email {
    Email::parse(text).expect("a valid email address")
}

/// The email address of a new user, who logs in with it.
///
/// # Panics
/// If it is not valid.
pub fn login_email(text: &str) -> Option<NewEmail> {
    Some(NewEmail::LoginName(email(text)))
}

/// A first or last name.
///
/// # Panics
/// If it is not valid.
pub fn person_name(text: &str) -> PersonName {
    PersonName::parse(text).expect("a valid personal name")
}

/// A new account without special rights, whose user can also log in with the email address `name@example.com`.
///
/// ```
/// use auth_conformance::new_user;
/// use auth_accounts::account::NewUser;
/// let admin = NewUser { is_staff: true, is_superuser: true, ..new_user("olga") };
/// assert_eq!(admin.email, auth_conformance::login_email("olga@example.com"));
/// ```
///
/// # Panics
/// If `name` is not a valid username, or `name@example.com` is not a valid email address.
pub fn new_user(name: &str) -> NewUser {
    NewUser {
        id: NewUserId::Next,
        username: username(name),
        email: login_email(&format!("{name}@example.com")),
        first_name: person_name("First"),
        last_name: person_name("Last"),
        is_staff: false,
        is_superuser: false,
        is_imported: false,
        date_joined: Timestamp::from(BEGINNING),
        email_verified_at: None,
        effects: Effects::default(),
    }
}

/// The user of a store without accounts that corresponds to [`new_user`]: active, without special rights, with the
/// email address `name@example.com`.
pub fn user_of(id: UserId, name: &str) -> User {
    User {
        email: Some(format!("{name}@example.com")),
        email_is_login_name: true,
        first_name: "First".to_owned(),
        last_name: "Last".to_owned(),
        ..User::new(id, name, Timestamp::from(BEGINNING))
    }
}

/// The "hash" that a [`PlainHasher`] computes of this password.
pub fn hash_of(password: &str) -> PasswordHash {
    PasswordHash::new(format!("{}{password}", PlainHasher::PREFIX))
}

/// The session ID with this number.
pub const fn session_id(number: u64) -> SessionId {
    // With the version bits of a random UUID, which an adapter may check.
    SessionId::from_bytes((0x4000_8000_0000_0000_0000_u128 | number as u128).to_be_bytes())
}

/// A live session at the first rotation generation. It expires after one day without a refresh, and after 30 days in
/// any case.
pub fn session_of(user: &UserId, id: SessionId, started_at: UnixTime) -> Session {
    const DAY: u64 = 86_400;
    Session {
        id,
        user_id: user.clone(),
        generation: Generation::FIRST,
        rotated_at: started_at,
        created_at: started_at,
        last_used_at: started_at,
        expires_at: started_at.plus(Seconds::new(DAY)),
        absolute_expires_at: Some(started_at.plus(Seconds::new(30 * DAY))),
        revoked_at: None,
        revoke_reason: None,
        amr: "pwd".to_owned(),
        authenticated_at: started_at,
        client: ClientInfo::new(Some("192.0.2.7".to_owned()), Some("conformance/1")),
    }
}

/// The code ID with this number.
pub const fn code_id(number: u64) -> CodeId {
    CodeId::from_bytes(session_id(number).bytes())
}

/// An open code without a keyed hash, issued at `now`.
pub fn code_of(user: &UserId, id: CodeId, purpose: CodePurpose, now: UnixTime) -> OneTimeCode {
    OneTimeCode::new(id, user.clone(), purpose, now)
}

/// A keyed hash with every byte set to `number`.
pub const fn mac(number: u8) -> Mac {
    Mac::from_bytes([number; 32])
}

/// The message ID with this number.
pub const fn message_id(number: u64) -> MessageId {
    MessageId::from_bytes(session_id(number).bytes())
}

/// An email with this number to alice@example.com, enqueued at [`BEGINNING`]. Its content is not validly sealed.
pub fn new_email(number: u64) -> OutgoingEmail {
    OutgoingEmail {
        id: message_id(number),
        queued: Queued::Email(EmailKind::PasswordChanged),
        to: "alice@example.com".to_owned(),
        content: Sealed::new(format!("mail {number}").into_bytes()),
        queued_at: BEGINNING,
    }
}

/// The request for an email with this number; like [`new_email`] otherwise.
pub fn new_request(number: u64) -> OutgoingEmail {
    OutgoingEmail { queued: Queued::Request(EmailRequest::PasswordReset), ..new_email(number) }
}

/// What a rotation of this session at `now` writes; the successor expires after one day.
///
/// # Panics
/// If the session is at its last rotation generation.
pub fn successor_of(session: &Session, now: UnixTime) -> NextGeneration {
    session.next(now, Seconds::new(86_400)).expect("a session that is not at its last generation")
}
