//! Rows as JSON. The types of `auth-core` prescribe no format: what a store keeps is its own business.

use std::collections::BTreeSet;
use std::error::Error;

use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::{ClientInfo, Generation, RevokeReason, Session, SessionId, Subject};
use auth_core::user::{GroupName, SecurityStamp, User, UserId};
use serde::{Deserialize, Serialize};

/// Why a row cannot be read or written, or a transaction failed.
pub(crate) type Fault = Box<dyn Error + Send + Sync>;

/// A user of the application. What else it knows about its users would stand here, such as their passkeys.
#[derive(Serialize, Deserialize)]
pub(crate) struct UserRow {
    id: i64,
    username: String,
    email: Option<String>,
    email_is_login_name: bool,
    is_active: bool,
    is_staff: bool,
    groups: BTreeSet<String>,
    joined_at: i64,
    last_login: Option<i64>,
    token_epoch: i64,
    multi_factor_since: Option<i64>,
    security_stamp: i64,
}

impl UserRow {
    /// Whether tokens with this username or email address as their subject mean this user.
    pub(crate) fn is_named(&self, subject: &Subject) -> bool {
        match subject {
            Subject::Username(name) => *name == self.username,
            Subject::Email(email) => self.email_is_login_name && self.email.as_ref() == Some(email),
            Subject::Id(_) => false,
        }
    }
}

impl TryFrom<&User> for UserRow {
    type Error = Fault;

    /// The users of the application have integer IDs.
    fn try_from(user: &User) -> Result<Self, Fault> {
        Ok(Self {
            id: integer(&user.id)?,
            username: user.username.clone(),
            email: user.email.clone(),
            email_is_login_name: user.email_is_login_name,
            is_active: user.is_active,
            is_staff: user.is_staff,
            groups: user.groups.iter().map(|group| group.as_str().to_owned()).collect(),
            joined_at: user.date_joined.micros(),
            last_login: user.last_login.map(Timestamp::micros),
            token_epoch: user.token_epoch.seconds(),
            multi_factor_since: user.multi_factor_since.map(UnixTime::seconds),
            security_stamp: user.security_stamp.get(),
        })
    }
}

pub(crate) fn integer(id: &UserId) -> Result<i64, Fault> {
    id.as_integer().ok_or_else(|| "the ID of a user is not an integer".into())
}

impl From<UserRow> for User {
    /// What the application does not have stays empty.
    fn from(row: UserRow) -> Self {
        Self {
            id: UserId::new(row.id),
            username: row.username,
            email: row.email,
            email_is_login_name: row.email_is_login_name,
            first_name: String::new(),
            last_name: String::new(),
            is_active: row.is_active,
            is_staff: row.is_staff,
            is_superuser: false,
            groups: row.groups.iter().filter_map(|group| GroupName::parse(group).ok()).collect(),
            date_joined: Timestamp::from_micros(row.joined_at),
            last_login: row.last_login.map(Timestamp::from_micros),
            email_verified_at: None,
            token_epoch: UnixTime::from_seconds(row.token_epoch),
            multi_factor_since: row.multi_factor_since.map(UnixTime::from_seconds),
            security_stamp: SecurityStamp::new(row.security_stamp),
        }
    }
}

/// A session, and until when any refresh token of it was ever good: so long it must be kept.
pub(crate) struct SessionRow {
    pub(crate) session: Session,
    pub(crate) kept_until: UnixTime,
}

/// The fields of a session in the order in which they are stored.
type Fields = ((i64, u32, Option<String>, String), [i64; 5], [Option<i64>; 2], (Option<String>, Option<String>), i64);

impl SessionRow {
    pub(crate) fn new(session: &Session) -> Self {
        Self { session: session.clone(), kept_until: session.expires_at }
    }

    pub(crate) fn encode(&self) -> Result<Vec<u8>, Fault> {
        let s = &self.session;
        let reason = s.revoke_reason.map(|reason| reason.name().to_owned());
        let moments = [s.rotated_at, s.created_at, s.last_used_at, s.expires_at, s.authenticated_at];
        let fields: Fields = (
            (integer(&s.user_id)?, s.generation.get(), reason, s.amr.clone()),
            moments.map(UnixTime::seconds),
            [s.absolute_expires_at, s.revoked_at].map(|at| at.map(UnixTime::seconds)),
            (s.client.ip.clone(), s.client.user_agent.clone()),
            self.kept_until.seconds(),
        );
        Ok(serde_json::to_vec(&fields)?)
    }

    pub(crate) fn decode(id: SessionId, row: &[u8]) -> Result<Self, Fault> {
        let fields: Fields = serde_json::from_slice(row)?;
        let ((user_id, generation, reason, amr), moments, ends, (ip, user_agent), kept_until) = fields;
        let [rotated_at, created_at, last_used_at, expires_at, authenticated_at] = moments.map(UnixTime::from_seconds);
        let [absolute_expires_at, revoked_at] = ends.map(|at| at.map(UnixTime::from_seconds));
        let session = Session {
            id,
            user_id: UserId::new(user_id),
            generation: Generation::new(generation),
            rotated_at,
            created_at,
            last_used_at,
            expires_at,
            absolute_expires_at,
            revoked_at,
            revoke_reason: reason.map(|name| RevokeReason::from_name(&name).ok_or("unknown reason")).transpose()?,
            amr,
            authenticated_at,
            client: ClientInfo { ip, user_agent },
        };
        Ok(Self { session, kept_until: UnixTime::from_seconds(kept_until) })
    }

    /// Whether the session has not ended.
    pub(crate) fn is_live(&self) -> bool {
        self.session.revoked_at.is_none()
    }
}
