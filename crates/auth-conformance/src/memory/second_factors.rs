//! Second factors in memory, stored with their account.

use async_trait::async_trait;
use auth_accounts::code::CodeId;
use auth_accounts::ports::SecondFactors;
use auth_accounts::second_factor::{Factors, Method, NewFactor, TotpFactor};
use auth_accounts::secret::Mac;
use auth_core::StoreError;
use auth_core::effects::Effects;
use auth_core::time::{Timestamp, UnixTime};
use auth_core::user::{SecurityStamp, UserId};

use super::effects::Pending;
use super::{Account, MemoryStore};

/// Adds a factor. If it replaces one of the same method, that one's start time is kept.
fn switch_on(account: &mut Account, factor: &NewFactor, now: UnixTime) {
    account.user.multi_factor_since = Some(*account.first_factor_at.get_or_insert(now));
    match factor {
        NewFactor::Email => account.factors.email_since = account.factors.email_since.or(Some(now)),
        NewFactor::Totp { secret, step } => {
            let since = account.factors.totp.as_ref().map_or(now, |totp| totp.since);
            account.factors.totp = Some(TotpFactor { secret: secret.clone(), last_step: Some(*step), since });
        }
    }
}

/// Removes a method, and the recovery codes with the last one.
fn switch_off(account: &mut Account, method: Method) {
    let factors = &mut account.factors;
    match method {
        Method::Email => factors.email_since = None,
        Method::Totp => factors.totp = None,
        _ => factors.recovery_codes.clear(),
    }
    if !factors.is_on() {
        factors.recovery_codes.clear();
        account.user.multi_factor_since = None;
    }
}

#[async_trait]
impl SecondFactors for MemoryStore {
    async fn factors_of(&self, user: &UserId) -> Result<Factors, StoreError> {
        let state = self.state();
        Ok(state.accounts.get(user).map(|account| account.factors.clone()).unwrap_or_default())
    }

    async fn add_factor(
        &self,
        user: &UserId,
        factor: &NewFactor,
        enrolment: CodeId,
        recovery_codes: &[Mac],
        effects: &Effects,
        now: Timestamp,
    ) -> Result<Option<bool>, StoreError> {
        let effects = Pending::try_from(effects)?;
        let mut state = self.state();
        if !state.codes.is_unused(enrolment, user) {
            return Ok(None);
        }
        let mut are_used = false;
        state.change_security(user, |account| {
            switch_on(account, factor, now.unix());
            if factor.method() == Method::Email && account.user.email.is_some() {
                account.user.email_verified_at.get_or_insert(now);
            }
            are_used = account.factors.recovery_codes.is_empty();
            if are_used {
                account.factors.recovery_codes = recovery_codes.to_vec();
            }
        });
        state.codes.consume(enrolment, now.unix());
        state.codes.end_with_factors_of(user);
        state.commit(user, effects);
        Ok(Some(are_used))
    }

    async fn remove_factors(
        &self,
        user: &UserId,
        methods: &[Method],
        only_at: Option<SecurityStamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        let effects = Pending::try_from(effects)?;
        let mut state = self.state();
        let Some(account) = state.accounts.get(user) else { return Ok(false) };
        if !account.has_stamp(only_at) || !methods.iter().any(|method| account.factors.has(*method)) {
            return Ok(false);
        }
        let switch_off = |account: &mut Account| methods.iter().for_each(|one| switch_off(account, *one));
        state.change_security(user, switch_off);
        state.codes.end_with_factors_of(user);
        state.commit(user, effects);
        Ok(true)
    }

    async fn replace_recovery_codes(
        &self,
        user: &UserId,
        codes: &[Mac],
        only_at: Option<SecurityStamp>,
        effects: &Effects,
    ) -> Result<bool, StoreError> {
        let effects = Pending::try_from(effects)?;
        let mut state = self.state();
        if !state.accounts.get(user).is_some_and(|account| account.has_stamp(only_at) && account.factors.is_on()) {
            return Ok(false);
        }
        state.change_security(user, |account| account.factors.recovery_codes = codes.to_vec());
        state.codes.end_with_factors_of(user);
        state.commit(user, effects);
        Ok(true)
    }
}
