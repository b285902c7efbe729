//! The blacklist: token IDs that are refused until the tokens expire.

use async_trait::async_trait;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::ports::Blacklist;
use auth_core::time::UnixTime;
use auth_core::token::TokenId;
use diesel::dsl::exists;
use diesel::prelude::*;

use crate::connection::on_either;
use crate::prune::{Batch, in_batches};
use crate::rows::RefusedTokenRow;
use crate::schema::blacklist;
use crate::store::DieselStore;
use crate::types::DbTime;

#[async_trait]
impl Blacklist for DieselStore {
    async fn refuse(&self, jti: &TokenId, expires_at: UnixTime, reason: &str, _: &Effects) -> Result<bool, StoreError> {
        let (jti, reason) = (jti.as_str().to_owned(), reason.to_owned());
        self.write(move |connection| {
            let row = RefusedTokenRow { jti: jti.clone(), expires_at: expires_at.into(), reason: reason.clone() };
            let stored = on_either!(connection, connection => {
                diesel::insert_into(blacklist::table).values(row).on_conflict_do_nothing().execute(connection)?
            });
            Ok(stored == 1)
        })
        .await
    }

    async fn is_refused(&self, jti: &TokenId) -> Result<bool, StoreError> {
        let jti = jti.as_str().to_owned();
        self.read(move |connection| Ok(diesel::select(exists(blacklist::table.find(&jti))).get_result(connection)?))
            .await
    }

    async fn prune_blacklist(&self, now: UnixTime, limit: u32) -> Result<usize, StoreError> {
        let now = DbTime::from(now);
        in_batches(limit, |batch| {
            self.write(move |connection| {
                let others = diesel::alias!(blacklist as expired);
                let expired = others
                    .filter(others.field(blacklist::expires_at).lt(now))
                    .order(others.field(blacklist::expires_at))
                    .limit(batch.into())
                    .select(others.field(blacklist::jti));
                let expired = blacklist::table.filter(blacklist::jti.eq_any(expired));
                let deleted = diesel::delete(expired).execute(connection)?;
                Ok(Batch { deleted, more: deleted > 0 })
            })
        })
        .await
    }
}
