//! Section `throttle`: rate limits.

use anyhow::{Result, anyhow};
use auth_accounts::throttle::{Limit, ThrottlePolicy};
use auth_core::time::Seconds;
use auth_http::Rate;
use serde::{Deserialize, Serialize};

use super::check::ensure_in_range;

const HOUR: u64 = 60 * 60;
const DAY: u64 = 24 * HOUR;

/// Section `throttle`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Throttle {
    /// Whether the rate limits apply, except `anonymous`.
    pub enabled: bool,
    /// Wrong passwords in a row that cause no delay.
    pub password_free_attempts: u32,
    /// The first delay.
    pub password_first_delay_seconds: u64,
    /// The longest delay.
    pub password_longest_delay_seconds: u64,
    /// Wrong second-factor codes for an account.
    pub second_factor_per_day: u32,
    /// Wrong passwords and codes from a client IP.
    pub failures_per_client_ip_per_hour: u32,
    /// Registrations from a client IP.
    pub registrations_per_client_ip_per_hour: u32,
    /// Requests for an email that name one email address.
    pub email_requests_per_email_address_per_hour: u32,
    /// Requests for an email from a client IP.
    pub email_requests_per_client_ip_per_hour: u32,
    /// Emails to an account that ask to verify an email address.
    pub emails_per_account_per_hour: u32,
    /// Second-factor challenges for an account.
    pub challenges_per_account_per_hour: u32,
    /// Second-factor challenges for an account from a client IP.
    pub challenges_per_account_and_client_ip_per_ten_minutes: u32,
    /// Emails with a code to an account.
    pub code_emails_per_account_per_hour: u32,
    /// Requests without credentials from a client IP, such as `3/min`; empty: unlimited.
    pub anonymous: String,
}

impl Throttle {
    /// Returns the rate limits, or `None` if they are turned off.
    pub(super) fn policy(&self) -> Result<Option<ThrottlePolicy>> {
        let many = 1_000_000;
        let (first_delay, max_delay) = (self.password_first_delay_seconds, self.password_longest_delay_seconds);
        ensure_in_range(&[
            ("throttle.password_free_attempts", self.password_free_attempts.into(), 1, many),
            ("throttle.password_first_delay_seconds", first_delay, 1, HOUR),
            ("throttle.password_longest_delay_seconds", max_delay, first_delay, DAY),
            ("throttle.second_factor_per_day", self.second_factor_per_day.into(), 1, many),
            ("throttle.failures_per_client_ip_per_hour", self.failures_per_client_ip_per_hour.into(), 1, many),
            (
                "throttle.registrations_per_client_ip_per_hour",
                self.registrations_per_client_ip_per_hour.into(),
                1,
                many,
            ),
            (
                "throttle.email_requests_per_email_address_per_hour",
                self.email_requests_per_email_address_per_hour.into(),
                1,
                many,
            ),
            (
                "throttle.email_requests_per_client_ip_per_hour",
                self.email_requests_per_client_ip_per_hour.into(),
                1,
                many,
            ),
            ("throttle.emails_per_account_per_hour", self.emails_per_account_per_hour.into(), 1, many),
            ("throttle.challenges_per_account_per_hour", self.challenges_per_account_per_hour.into(), 1, many),
            (
                "throttle.challenges_per_account_and_client_ip_per_ten_minutes",
                self.challenges_per_account_and_client_ip_per_ten_minutes.into(),
                1,
                many,
            ),
            ("throttle.code_emails_per_account_per_hour", self.code_emails_per_account_per_hour.into(), 1, many),
        ])?;
        let in_an_hour = |most| Limit::Window { most, window: Seconds::new(HOUR) };
        Ok(self.enabled.then_some(ThrottlePolicy {
            password: Limit::Growing {
                free: self.password_free_attempts,
                first_delay: Seconds::new(first_delay),
                max_delay: Seconds::new(max_delay),
                forget: Seconds::new(DAY),
            },
            second_factor: Limit::Window { most: self.second_factor_per_day, window: Seconds::new(DAY) },
            failures_per_client_ip: in_an_hour(self.failures_per_client_ip_per_hour),
            registrations_per_client_ip: in_an_hour(self.registrations_per_client_ip_per_hour),
            requests_per_email: in_an_hour(self.email_requests_per_email_address_per_hour),
            requests_per_client_ip: in_an_hour(self.email_requests_per_client_ip_per_hour),
            links: in_an_hour(self.emails_per_account_per_hour),
            challenges: in_an_hour(self.challenges_per_account_per_hour),
            challenges_per_client_ip: Limit::Window {
                most: self.challenges_per_account_and_client_ip_per_ten_minutes,
                window: Seconds::new(HOUR / 6),
            },
            codes: in_an_hour(self.code_emails_per_account_per_hour),
        }))
    }

    /// Returns the rate limit of requests without credentials, or `None` if there is none.
    pub(super) fn anonymous_rate(&self) -> Result<Option<Rate>> {
        let rate = self.anonymous.as_str();
        if rate.is_empty() {
            return Ok(None);
        }
        let invalid = || anyhow!("throttle.anonymous: {rate:?} is not a rate; use one such as \"100/hour\"");
        Rate::parse(rate).map(Some).ok_or_else(invalid)
    }
}

#[cfg(test)]
mod tests {
    use auth_accounts::throttle::ThrottlePolicy;

    use crate::config::{Sources, load};

    #[test]
    fn the_default_rate_limits_are_those_of_auth_accounts() {
        let development = || Sources { profile: "development".to_owned(), ..Sources::default() };
        let policy = load(&development()).unwrap().accounts.throttle;
        assert_eq!(policy, Some(ThrottlePolicy::default()));
        let environment = vec![("AUTH__THROTTLE__ENABLED".to_owned(), "false".to_owned())];
        assert_eq!(load(&Sources { environment, ..development() }).unwrap().accounts.throttle, None);
    }
}
