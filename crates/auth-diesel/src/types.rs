//! The two SQL types that the databases spell differently: IDs and times.

use std::io::Write;

use auth_accounts::code::CodeId;
use auth_accounts::email::MessageId;
use auth_core::time::{Timestamp, UnixTime};
use auth_core::token::SessionId;
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, HasSqlType, SqlType};
use diesel::sqlite::{Sqlite, SqliteValue};

use crate::connection::MultiBackend;

/// A 128-bit ID: `uuid` in PostgreSQL, a BLOB of 16 bytes in SQLite.
#[derive(Clone, Copy, Debug, QueryId, SqlType)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951))]
#[diesel(sqlite_type(name = "Binary"))]
pub struct Id;

/// A point in time: `timestamptz` in PostgreSQL, an INTEGER of microseconds since 1970-01-01T00:00:00Z in SQLite.
#[derive(Clone, Copy, Debug, QueryId, SqlType)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185))]
#[diesel(sqlite_type(name = "Long"))]
pub struct Moment;

/// A column value of the type [`Id`].
#[derive(AsExpression, Clone, Copy, Debug, FromSqlRow, PartialEq, Eq)]
#[diesel(sql_type = Id)]
pub(crate) struct DbId([u8; 16]);

macro_rules! ids {
    ($($id:ty),*) => {
        $(
            impl From<$id> for DbId {
                fn from(id: $id) -> Self {
                    Self(id.bytes())
                }
            }

            impl From<DbId> for $id {
                fn from(id: DbId) -> Self {
                    Self::from_bytes(id.0)
                }
            }
        )*
    };
}

ids!(SessionId, CodeId, MessageId);

/// A column value of the type [`Moment`], in microseconds since 1970-01-01T00:00:00Z.
#[derive(AsExpression, Clone, Copy, Debug, FromSqlRow, PartialEq, Eq, PartialOrd, Ord)]
#[diesel(sql_type = Moment)]
pub(crate) struct DbTime(i64);

impl DbTime {
    /// 2000-01-01T00:00:00Z, the epoch of PostgreSQL.
    const POSTGRES_EPOCH: i64 = 946_684_800_000_000;
    /// The least and the greatest `timestamptz`, in microseconds since the epoch of PostgreSQL.
    const POSTGRES_RANGE: (i64, i64) = (-211_813_488_000_000_000, 9_223_371_331_199_999_999);

    fn to_postgres(self) -> i64 {
        let (least, greatest) = Self::POSTGRES_RANGE;
        self.0.saturating_sub(Self::POSTGRES_EPOCH).clamp(least, greatest)
    }

    fn from_postgres(micros: i64) -> Self {
        Self(micros.saturating_add(Self::POSTGRES_EPOCH))
    }
}

impl From<Timestamp> for DbTime {
    fn from(moment: Timestamp) -> Self {
        Self(moment.micros())
    }
}

impl From<UnixTime> for DbTime {
    fn from(moment: UnixTime) -> Self {
        Timestamp::from(moment).into()
    }
}

impl From<DbTime> for Timestamp {
    fn from(moment: DbTime) -> Self {
        Self::from_micros(moment.0)
    }
}

impl From<DbTime> for UnixTime {
    fn from(moment: DbTime) -> Self {
        Timestamp::from(moment).unix()
    }
}

impl ToSql<Id, Pg> for DbId {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.0)?;
        Ok(IsNull::No)
    }
}

impl FromSql<Id, Pg> for DbId {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self(value.as_bytes().try_into()?))
    }
}

impl ToSql<Id, Sqlite> for DbId {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_slice());
        Ok(IsNull::No)
    }
}

impl FromSql<Id, Sqlite> for DbId {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?;
        Ok(Self(bytes.as_slice().try_into()?))
    }
}

impl ToSql<Moment, Pg> for DbTime {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&self.to_postgres().to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Moment, Pg> for DbTime {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        <i64 as FromSql<BigInt, Pg>>::from_sql(value).map(Self::from_postgres)
    }
}

impl ToSql<Moment, Sqlite> for DbTime {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0);
        Ok(IsNull::No)
    }
}

impl FromSql<Moment, Sqlite> for DbTime {
    fn from_sql(value: SqliteValue<'_, '_, '_>) -> deserialize::Result<Self> {
        <i64 as FromSql<BigInt, Sqlite>>::from_sql(value).map(Self)
    }
}

/// The same types for a connection to either database.
macro_rules! on_either_database {
    ($sql_type:ident, $rust_type:ident) => {
        impl HasSqlType<$sql_type> for MultiBackend {
            fn metadata(lookup: &mut Self::MetadataLookup) -> Self::TypeMetadata {
                Self::lookup_sql_type::<$sql_type>(lookup)
            }
        }

        impl ToSql<$sql_type, MultiBackend> for $rust_type {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, MultiBackend>) -> serialize::Result {
                out.set_value(($sql_type, self));
                Ok(IsNull::No)
            }
        }

        impl FromSql<$sql_type, MultiBackend> for $rust_type {
            fn from_sql(value: <MultiBackend as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                value.from_sql::<Self, $sql_type>()
            }
        }
    };
}

on_either_database!(Id, DbId);
on_either_database!(Moment, DbTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn converts_times_to_the_epoch_of_postgresql() {
        for (micros, expected) in [
            (946_684_800_000_000, 0),
            (946_684_800_000_001, 1),
            (0, -946_684_800_000_000),
            (-1, -946_684_800_000_001),
            (253_402_300_799_999_999, 252_455_615_999_999_999),
            (i64::MAX, i64::MAX - 946_684_800_000_000),
            (i64::MIN, -211_813_488_000_000_000),
        ] {
            assert_eq!(DbTime(micros).to_postgres(), expected, "{micros}");
        }
        for micros in [0, -1, 1, 946_684_800_000_000, 253_402_300_799_999_999] {
            assert_eq!(DbTime::from_postgres(DbTime(micros).to_postgres()), DbTime(micros));
        }
    }
}
