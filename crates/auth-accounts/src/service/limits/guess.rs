//! A guess at a password or a code, from its count to its outcome.

use auth_core::time::Seconds;

use crate::error::AccountError;
use crate::service::Ports;
use crate::throttle::{Forgiveness, Limit, LimitKey};

/// A guess that was counted before it was compared. Its outcome must be stated by [`settle`](Self::settle), in one place: no
/// error on the way can keep the count of a guess that nobody compared.
#[must_use = "the outcome of a guess must be stated"]
pub(in crate::service) struct Guess<'a> {
    ports: &'a Ports,
    buckets: Vec<(LimitKey, Forgiveness)>,
    /// Set if the client IP had too many failures: the guess counts only if it is right, and nothing may tell that it was
    /// compared. How long the client IP has to wait.
    exception: Option<Seconds>,
}

impl<'a> Guess<'a> {
    pub(super) const fn new(ports: &'a Ports, buckets: Vec<(LimitKey, Forgiveness)>) -> Self {
        Self { ports, buckets, exception: None }
    }

    /// The same as an exception to the limit of the client IP, which has to wait for so long.
    pub(super) fn into_exception(self, retry_after: Seconds) -> Self {
        Self { exception: Some(retry_after), ..self }
    }

    /// Adds the counts of `other`: both are one guess.
    pub(in crate::service) fn add(&mut self, other: Self) {
        self.buckets.extend(other.buckets);
    }

    /// States the outcome. A right guess resets the delay, a wrong one counts and is answered with `refusal`, and one that
    /// could not be compared is refunded.
    ///
    /// # Errors
    /// `refusal`, or the same as for a guess that was not allowed if the client IP had too many failures; the error of
    /// `compared`; that of the storage.
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

    /// States the outcome of what counts whatever comes of it, unless it failed: then it is refunded.
    ///
    /// # Errors
    /// That of `done`, or that of the storage.
    pub(in crate::service) async fn settle_spent<T>(
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
    /// `refused`, with the delay of the client IP if that has too many failures; that of the storage.
    pub(super) async fn settle_refused<T>(self, refused: AccountError) -> Result<T, AccountError> {
        let refused = self.refused_as(refused);
        self.refund().await?;
        Err(refused)
    }

    /// A limit for another count of the same guess.
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
        if self.buckets.is_empty() {
            return Ok(());
        }
        Ok(self.ports.store.forgive(&self.buckets).await?)
    }

    async fn refund(mut self) -> Result<(), AccountError> {
        self.buckets.iter_mut().for_each(|(_, forgiveness)| *forgiveness = Forgiveness::One);
        self.reset().await
    }
}
