//! Guesses at passwords and codes, from counting them to their outcome.

use auth_core::time::Seconds;

use crate::error::AccountError;
use crate::service::Ports;
use crate::throttle::{Limit, LimitKey, Reduction};

/// A guess that was counted before it is compared (SEC-124).
///
/// [`settle`](Self::settle) must be called with the outcome, including errors, so that a guess that was never compared is
/// refunded.
#[must_use = "a guess must be settled with its outcome"]
pub(in crate::service) struct Guess<'a> {
    ports: &'a Ports,
    limit_keys: Vec<(LimitKey, Reduction)>,
    /// The delay of the client IP, if that had too many failures. A wrong guess then gets the answer of a throttled one, so that
    /// the client does not learn that it was compared (SEC-125).
    exception: Option<Seconds>,
}

impl<'a> Guess<'a> {
    pub(super) const fn new(ports: &'a Ports, limit_keys: Vec<(LimitKey, Reduction)>) -> Self {
        Self { ports, limit_keys, exception: None }
    }

    /// Marks the guess as an exception to the limit of the client IP, whose delay is `retry_after`.
    pub(super) fn into_exception(self, retry_after: Seconds) -> Self {
        Self { exception: Some(retry_after), ..self }
    }

    /// Adds the limit keys of `other`, which counted the same guess.
    pub(in crate::service) fn add(&mut self, other: Self) {
        self.limit_keys.extend(other.limit_keys);
    }

    /// Settles the guess. A right one resets the delay, a wrong one stays counted and returns `refusal`, and one that could not be
    /// compared is refunded.
    ///
    /// # Errors
    /// `refusal`, or [`AccountError::Throttled`] if the client IP had too many failures; the error of `compared`; that of the
    /// storage.
    pub(in crate::service) async fn settle<T>(
        self,
        compared: Result<Option<T>, AccountError>,
        refusal: AccountError,
    ) -> Result<T, AccountError> {
        match compared {
            Ok(Some(right)) => {
                self.reset().await?;
                Ok(right)
            }
            Ok(None) => Err(self.refused_as(refusal)),
            Err(error) => {
                self.refund().await?;
                Err(error)
            }
        }
    }

    /// Settles an attempt that stays counted when it succeeds. It is refunded if it fails.
    ///
    /// # Errors
    /// The error of `done`, or that of the storage.
    pub(in crate::service) async fn settle_counted<T>(
        self,
        done: Result<T, impl Into<AccountError>>,
    ) -> Result<T, AccountError> {
        match done {
            Ok(done) => Ok(done),
            Err(error) => {
                self.refund().await?;
                Err(error.into())
            }
        }
    }

    /// Refunds a guess that another limit refused.
    ///
    /// # Errors
    /// `refused`, or [`AccountError::Throttled`] with the delay of the client IP if that had too many failures; that of the
    /// storage.
    pub(super) async fn settle_refused<T>(self, refused: AccountError) -> Result<T, AccountError> {
        let refused = self.refused_as(refused);
        self.refund().await?;
        Err(refused)
    }

    /// The limit for another limit key of the same guess: only the first attempt, if the guess is an exception.
    pub(super) const fn strict(&self, limit: Limit) -> Limit {
        match self.exception {
            Some(_) => limit.first_only(),
            None => limit,
        }
    }

    fn refused_as(&self, error: AccountError) -> AccountError {
        self.exception.map_or(error, |retry_after| AccountError::Throttled { retry_after })
    }

    async fn reset(self) -> Result<(), AccountError> {
        if self.limit_keys.is_empty() {
            return Ok(());
        }
        Ok(self.ports.store.reduce(&self.limit_keys).await?)
    }

    async fn refund(mut self) -> Result<(), AccountError> {
        self.limit_keys.iter_mut().for_each(|(_, reduction)| *reduction = Reduction::Refund);
        self.reset().await
    }
}
