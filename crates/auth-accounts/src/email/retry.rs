//! The delay between delivery attempts.

use auth_core::time::Seconds;

/// How many times delivery is attempted, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The maximum number of attempts; at least 1.
    pub max_attempts: u32,
    /// The delay between the first and the second attempt. It doubles with each further attempt.
    pub first_delay: Seconds,
}

impl Default for RetryPolicy {
    /// Ten attempts: the second after 15 seconds, the last after a little more than two hours.
    fn default() -> Self {
        Self { max_attempts: 10, first_delay: Seconds::new(15) }
    }
}

impl RetryPolicy {
    /// The maximum delay between two attempts. A longer one in the outbox means that the clock was set back.
    pub const MAX_DELAY: Seconds = Seconds::new(60 * 60);

    /// The delay after a failed attempt, numbered from 1; `None` if it was the last one.
    ///
    /// ```
    /// use auth_accounts::email::RetryPolicy;
    /// use auth_core::time::Seconds;
    /// let policy = RetryPolicy { max_attempts: 3, first_delay: Seconds::new(10) };
    /// assert_eq!(policy.delay_after(1), Some(Seconds::new(10)));
    /// assert_eq!(policy.delay_after(2), Some(Seconds::new(20)));
    /// assert_eq!(policy.delay_after(3), None);
    /// ```
    pub fn delay_after(&self, attempt: u32) -> Option<Seconds> {
        let doublings = attempt.saturating_sub(1).min(32);
        let delay = self.first_delay.get().saturating_mul(1 << doublings);
        (attempt < self.max_attempts).then(|| Seconds::new(delay).min(Self::MAX_DELAY))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_an_hour() {
        let policy = RetryPolicy { max_attempts: 100, first_delay: Seconds::new(60) };
        let delays: Vec<_> = [1, 2, 3, 6, 7, 99].map(|attempt| policy.delay_after(attempt).unwrap().get()).to_vec();
        assert_eq!(delays, [60, 120, 240, 1_920, 3_600, 3_600]);
        assert_eq!(policy.delay_after(100), None);
        assert_eq!(policy.delay_after(u32::MAX), None);
    }
}
