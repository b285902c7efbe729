//! The tables as one transaction sees them.

use auth_core::token::{SessionId, Subject, TokenId};
use auth_core::user::{User, UserId};
use redb::{ReadOnlyTable, ReadTransaction, ReadableTable, Table, TableDefinition, TableError, WriteTransaction};

use crate::rows::{Fault, SessionRow, UserRow, integer};

type Json = &'static [u8];

const USERS: TableDefinition<'_, i64, Json> = TableDefinition::new("users");
const SESSIONS: TableDefinition<'_, [u8; 16], Json> = TableDefinition::new("sessions");
/// The IDs of refused tokens, and when those expire.
const REFUSED: TableDefinition<'_, &str, i64> = TableDefinition::new("refused_tokens");

/// The tables, which a transaction reads or writes.
pub(crate) struct Tables<U, S, R> {
    users: U,
    sessions: S,
    pub(crate) refused: R,
}

/// The tables at one moment.
pub(crate) type Snapshot =
    Tables<ReadOnlyTable<i64, Json>, ReadOnlyTable<[u8; 16], Json>, ReadOnlyTable<&'static str, i64>>;

/// The tables in a transaction that writes.
pub(crate) type Writing<'t> = Tables<Table<'t, i64, Json>, Table<'t, [u8; 16], Json>, Table<'t, &'static str, i64>>;

impl Snapshot {
    pub(crate) fn of(transaction: &ReadTransaction) -> Result<Self, TableError> {
        let (users, sessions) = (transaction.open_table(USERS)?, transaction.open_table(SESSIONS)?);
        Ok(Self { users, sessions, refused: transaction.open_table(REFUSED)? })
    }
}

impl<U, S, R> Tables<U, S, R>
where
    U: ReadableTable<i64, Json>,
    S: ReadableTable<[u8; 16], Json>,
    R: ReadableTable<&'static str, i64>,
{
    pub(crate) fn user(&self, id: &UserId) -> Result<Option<User>, Fault> {
        let Some(id) = id.as_integer() else { return Ok(None) };
        let row = self.users.get(id)?;
        row.map(|row| Ok(serde_json::from_slice::<UserRow>(row.value())?.into())).transpose()
    }

    /// By ID, or by exactly the username or email address: a store with many users keeps an index of those.
    pub(crate) fn user_by(&self, subject: &Subject) -> Result<Option<User>, Fault> {
        if let Subject::Id(id) = subject {
            return self.user(id);
        }
        for row in self.users.iter()? {
            let row: UserRow = serde_json::from_slice(row?.1.value())?;
            if row.is_named(subject) {
                return Ok(Some(row.into()));
            }
        }
        Ok(None)
    }

    pub(crate) fn session(&self, id: SessionId) -> Result<Option<SessionRow>, Fault> {
        let row = self.sessions.get(id.bytes())?;
        row.map(|row| SessionRow::decode(id, row.value())).transpose()
    }

    /// Those that match: a store with many sessions keeps indexes by user and by expiry.
    pub(crate) fn sessions(&self, is_wanted: impl Fn(&SessionRow) -> bool) -> Result<Vec<SessionRow>, Fault> {
        let mut found = Vec::new();
        for row in self.sessions.iter()? {
            let (id, row) = row?;
            let row = SessionRow::decode(SessionId::from_bytes(id.value()), row.value())?;
            if is_wanted(&row) {
                found.push(row);
            }
        }
        Ok(found)
    }

    pub(crate) fn is_refused(&self, jti: &TokenId) -> Result<bool, Fault> {
        Ok(self.refused.get(jti.as_str())?.is_some())
    }
}

impl<'t> Writing<'t> {
    /// Opens the tables, and creates them if they are not there.
    pub(crate) fn of(transaction: &'t WriteTransaction) -> Result<Self, TableError> {
        let (users, sessions) = (transaction.open_table(USERS)?, transaction.open_table(SESSIONS)?);
        Ok(Self { users, sessions, refused: transaction.open_table(REFUSED)? })
    }

    pub(crate) fn put_user(&mut self, user: &User) -> Result<(), Fault> {
        self.users.insert(integer(&user.id)?, &*serde_json::to_vec(&UserRow::try_from(user)?)?)?;
        Ok(())
    }

    pub(crate) fn delete_user(&mut self, id: &UserId) -> Result<(), Fault> {
        self.users.remove(integer(id)?)?;
        for row in self.sessions(|row| row.session.user_id == *id)? {
            self.delete_session(row.session.id)?;
        }
        Ok(())
    }

    pub(crate) fn put_session(&mut self, row: &SessionRow) -> Result<(), Fault> {
        self.sessions.insert(row.session.id.bytes(), &*row.encode()?)?;
        Ok(())
    }

    pub(crate) fn delete_session(&mut self, id: SessionId) -> Result<(), Fault> {
        self.sessions.remove(id.bytes())?;
        Ok(())
    }
}
