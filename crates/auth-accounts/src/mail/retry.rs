//! When a mail that could not be sent is tried again.

use auth_core::time::Seconds;

/// How often, and when, a mail is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often at most; at least 1.
    pub max_attempts: u32,
    /// How long after the first attempt the second one comes; doubles from then on.
    pub first_wait: Seconds,
}

impl Default for RetryPolicy {
    /// Ten attempts, the second one after 15 seconds: the last one comes after a little more than two hours.
    fn default() -> Self {
        Self { max_attempts: 10, first_wait: Seconds::new(15) }
    }
}

impl RetryPolicy {
    /// Longest wait between two attempts. A mail that is to wait for longer was put off before the clock was moved back.
    pub const MAX_WAIT: Seconds = Seconds::new(60 * 60);

    /// How long to wait after a failed attempt, counted from 1; `None`: it was the last one.
    ///
    /// ```
    /// use auth_accounts::mail::RetryPolicy;
    /// use auth_core::time::Seconds;
    /// let policy = RetryPolicy { max_attempts: 3, first_wait: Seconds::new(10) };
    /// assert_eq!(policy.wait_after(1), Some(Seconds::new(10)));
    /// assert_eq!(policy.wait_after(2), Some(Seconds::new(20)));
    /// assert_eq!(policy.wait_after(3), None);
    /// ```
    pub fn wait_after(&self, attempt: u32) -> Option<Seconds> {
        let doublings = attempt.saturating_sub(1).min(32);
        let wait = self.first_wait.get().saturating_mul(1 << doublings);
        (attempt < self.max_attempts).then(|| Seconds::new(wait).min(Self::MAX_WAIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour() {
        let policy = RetryPolicy { max_attempts: 100, first_wait: Seconds::new(60) };
        let waits: Vec<_> = [1, 2, 3, 6, 7, 99].map(|attempt| policy.wait_after(attempt).unwrap().get()).to_vec();
        assert_eq!(waits, [60, 120, 240, 1_920, 3_600, 3_600]);
        assert_eq!(policy.wait_after(100), None);
        assert_eq!(policy.wait_after(u32::MAX), None);
    }
}
