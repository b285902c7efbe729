//! The single use of what a code was verified with.

use auth_accounts::second_factor::{Method, VerifiedFactor};
use diesel::prelude::*;

use crate::connection::AnyConnection;
use crate::error::out_of_range;
use crate::keys::UserKey;
use crate::schema::{recovery_codes, second_factors};

/// Uses up what verified a code: the time step of an authenticator or a recovery code. `false` if it does not exist or
/// was used before.
pub(crate) fn use_up(connection: &mut AnyConnection, user: UserKey, factor: VerifiedFactor) -> QueryResult<bool> {
    let used = match factor {
        VerifiedFactor::Email => 1, // The 6-digit code belongs to the one-time code itself.
        VerifiedFactor::Totp(step) => {
            let step = i64::try_from(step).map_err(out_of_range)?;
            let is_new = second_factors::last_step.is_null().or(second_factors::last_step.lt(step));
            let totp = second_factors::table.find((user, Method::Totp.name()));
            diesel::update(totp.filter(is_new)).set(second_factors::last_step.eq(step)).execute(connection)?
        }
        VerifiedFactor::RecoveryCode(mac) => {
            diesel::delete(recovery_codes::table.find((user, mac.bytes().as_slice()))).execute(connection)?
        }
    };
    Ok(used == 1)
}
