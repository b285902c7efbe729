//! Rate limits: how many attempts are allowed, and the delay before the next one.
//!
//! An attempt is counted before it is evaluated, so that concurrent attempts cannot exceed the limit (SEC-124). A refused
//! attempt is not counted, so trying too early does not prolong the delay. Accounts are never locked: delays have a maximum,
//! and counts expire (SEC-122).

use std::net::{IpAddr, Ipv6Addr};

use auth_core::time::{MAX_SKEW, Seconds, UnixTime};

/// What attempts are counted for, such as an account or a client IP, as a keyed hash. The storage does not contain login names
/// as they were entered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey(String);

impl LimitKey {
    /// The maximum length, in bytes.
    pub const MAX_LEN: usize = 128;

    /// Wraps a key: a short ASCII string of at most [`MAX_LEN`](Self::MAX_LEN) bytes.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The key as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A rate limit for one limit key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// A number of attempts in a window that starts with the first of them.
    Window {
        /// The maximum number of attempts.
        most: u32,
        /// The length of the window.
        window: Seconds,
    },
    /// A number of attempts in a row without a delay, then a delay that doubles with each attempt.
    Growing {
        /// The number of attempts without a delay.
        free: u32,
        /// The first delay.
        first_delay: Seconds,
        /// The maximum delay.
        max_delay: Seconds,
        /// The time without an attempt after which the count starts again.
        forget: Seconds,
    },
}

/// The count for one limit key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// The number of attempts.
    pub count: u32,
    /// When the first attempt was made.
    pub since: UnixTime,
    /// When the last attempt was made.
    pub last_at: UnixTime,
}

impl Limit {
    /// How far the clocks of two processes may differ before the clock counts as moved back.
    pub const MAX_SKEW: Seconds = MAX_SKEW;

    /// Counts an attempt and returns the new count, or the delay if it is refused.
    ///
    /// If the clock was moved back by more than [`MAX_SKEW`](Self::MAX_SKEW) since the last attempt, the attempt is allowed, and
    /// the existing count is kept with the current time: no user waits for the clock to catch up, and no attempt is refunded.
    ///
    /// # Errors
    /// The delay until the next attempt is allowed; at least one second.
    ///
    /// ```
    /// use auth_accounts::throttle::Limit;
    /// use auth_core::time::{Seconds, UnixTime};
    /// let limit = Limit::Window { most: 2, window: Seconds::new(60) };
    /// let at = UnixTime::from_seconds;
    /// let one = limit.count(None, at(0)).unwrap();
    /// let two = limit.count(Some(one), at(10)).unwrap();
    /// assert_eq!(limit.count(Some(two), at(20)), Err(Seconds::new(40)));
    /// assert_eq!(limit.count(Some(two), at(60)).unwrap().count, 1);
    /// ```
    pub fn count(&self, counter: Option<Counter>, now: UnixTime) -> Result<Counter, Seconds> {
        let first = Counter { count: 1, since: now, last_at: now };
        let Some(counter) = counter.filter(|counter| self.is_current(counter, now)) else { return Ok(first) };
        if counter.last_at > now.plus(Self::MAX_SKEW) {
            let most = if let Self::Window { most, .. } = *self { most } else { u32::MAX };
            return Ok(Counter { count: counter.count.saturating_add(1).min(most), since: now, last_at: now });
        }
        let (from, delay) = match *self {
            Self::Window { most, window } if counter.count >= most => (counter.since, window),
            Self::Window { .. } => (counter.since, Seconds::default()),
            Self::Growing { .. } => (counter.last_at, self.delay_after(counter.count)),
        };
        let end = from.plus(delay);
        if delay > Seconds::default() && now < end {
            return Err(now.distance(end).min(delay));
        }
        Ok(Counter { count: counter.count.saturating_add(1), since: counter.since.min(now), last_at: now })
    }

    /// A limit that allows a single attempt until the count of this limit would expire. It can be applied to a counter of this
    /// limit, without changing when that expires.
    ///
    /// ```
    /// use auth_accounts::throttle::Limit;
    /// use auth_core::time::{Seconds, UnixTime};
    /// let limit = Limit::Window { most: 20, window: Seconds::new(60) };
    /// let now = UnixTime::from_seconds(0);
    /// let one = limit.count(None, now).unwrap();
    /// assert!(limit.count(Some(one), now).is_ok());
    /// assert!(limit.first_only().count(None, now).is_ok());
    /// assert!(limit.first_only().count(Some(one), now).is_err());
    /// ```
    pub const fn first_only(self) -> Self {
        match self {
            Self::Window { window, .. } => Self::Window { most: 1, window },
            Self::Growing { forget, .. } => Self::Growing { free: 1, first_delay: forget, max_delay: forget, forget },
        }
    }

    /// The same limit with `factor` times as many attempts.
    pub const fn times(self, factor: u32) -> Self {
        match self {
            Self::Window { most, window } => Self::Window { most: most.saturating_mul(factor), window },
            Self::Growing { free, first_delay, max_delay, forget } => {
                Self::Growing { free: free.saturating_mul(factor), first_delay, max_delay, forget }
            }
        }
    }

    /// When a counter expires.
    pub fn expires_at(&self, counter: &Counter) -> UnixTime {
        match *self {
            Self::Window { window, .. } => counter.since.plus(window),
            Self::Growing { forget, .. } => counter.last_at.plus(forget),
        }
    }

    fn is_current(&self, counter: &Counter, now: UnixTime) -> bool {
        now < self.expires_at(counter)
    }

    /// The delay after this number of attempts.
    fn delay_after(&self, count: u32) -> Seconds {
        match *self {
            Self::Growing { free, first_delay, max_delay, .. } if count >= free => {
                let doublings = (count - free).min(32);
                Seconds::new(first_delay.get().saturating_mul(1 << doublings)).min(max_delay)
            }
            _ => Seconds::default(),
        }
    }
}

/// An attempt to be counted for one limit key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// The limit key.
    pub limit_key: LimitKey,
    /// The limit that applies to it.
    pub limit: Limit,
}

/// Whether an attempt was allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It was allowed and counted.
    Admitted,
    /// It was refused and not counted. The delay before the next attempt; at least one second.
    Refused(Seconds),
}

/// How a count is reduced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// Removes one attempt.
    Refund,
    /// Sets the count back to zero.
    Reset,
}

/// The rate limits of a deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottlePolicy {
    /// Wrong passwords for one account (SEC-120).
    pub password: Limit,
    /// Wrong codes for one account, whatever their purpose (SEC-132).
    pub second_factor: Limit,
    /// Wrong passwords and codes from one client IP (SEC-125). Beyond this limit, the first guess for an account is still
    /// compared: see [`EXCEPTIONS`](Self::EXCEPTIONS).
    pub failures_per_client_ip: Limit,
    /// Registrations from one client IP whose fields are valid, whether or not the login names are taken (SEC-126).
    pub registrations_per_client_ip: Limit,
    /// Requests for an email to one email address.
    pub requests_per_email: Limit,
    /// Requests for an email from one client IP.
    pub requests_per_client_ip: Limit,
    /// Verification emails to one account, which anyone can request (SEC-117). Password-reset emails are limited by the open
    /// links instead, so that an attacker cannot use up the limit and keep the user from getting one.
    pub links: Limit,
    /// Challenges for one account, which require its password. Those for reauthentication, which require an access token, are
    /// counted separately.
    pub challenges: Limit,
    /// Challenges for one account from one client IP. Must allow at most half of
    /// [`MAX_OPEN`](crate::code::OneTimeCode::MAX_OPEN) within the lifetime of a challenge, so that an attacker who knows the
    /// password cannot end the user's challenge from one client IP by opening newer ones.
    pub challenges_per_client_ip: Limit,
    /// Emails with a code to one account, which require its password or an access token; for logins,
    /// [`LOGIN_CODES`](Self::LOGIN_CODES) times as many, counted separately. They are also counted separately from emails with
    /// a link, so that an attacker without credentials cannot use up this limit.
    pub codes: Limit,
}

impl ThrottlePolicy {
    /// How many times [`failures_per_client_ip`](Self::failures_per_client_ip) guesses are compared beyond that limit, for
    /// accounts without a recent failure. Many users may share one client IP (carrier-grade NAT), and an attacker among them
    /// must not be able to keep the others from logging in.
    pub const EXCEPTIONS: u32 = 10;

    /// How many times [`codes`](Self::codes) emails logins may cause. This is more than one client IP can cause, so that an
    /// attacker who knows the password cannot use up the emails that the user needs to log in.
    pub const LOGIN_CODES: u32 = 5;

    /// The limit for requests beyond [`requests_per_email`](Self::requests_per_email), so that an attacker who sends many
    /// requests for an email address does not block those of its owner.
    pub const REQUESTS_BEYOND: Limit = Limit::Window { most: 1, window: Seconds::new(5 * 60) };
}

impl Default for ThrottlePolicy {
    /// For each account: ten wrong passwords in a row, then delays from one second to half an hour, which allows at most 67
    /// guesses on the first day and 48 on each following day; 20 wrong codes a day; 5 verification emails, 240 challenges and
    /// 20 emails with a code an hour; and 10 challenges in ten minutes from one client IP. For each client IP: 100 wrong
    /// passwords and codes, 20 registrations and 60 requests for an email an hour. For each email address: 20 requests an hour.
    fn default() -> Self {
        let hour = Seconds::new(60 * 60);
        let day = Seconds::new(24 * 60 * 60);
        Self {
            password: Limit::Growing {
                free: 10,
                first_delay: Seconds::new(1),
                max_delay: Seconds::new(30 * 60),
                forget: day,
            },
            second_factor: Limit::Window { most: 20, window: day },
            failures_per_client_ip: Limit::Window { most: 100, window: hour },
            registrations_per_client_ip: Limit::Window { most: 20, window: hour },
            requests_per_email: Limit::Window { most: 20, window: hour },
            requests_per_client_ip: Limit::Window { most: 60, window: hour },
            links: Limit::Window { most: 5, window: hour },
            challenges: Limit::Window { most: 240, window: hour },
            challenges_per_client_ip: Limit::Window { most: 10, window: Seconds::new(10 * 60) },
            codes: Limit::Window { most: 20, window: hour },
        }
    }
}

/// The network that counts as one client IP: the IPv4 address or, in IPv6, the /64 of the subnet (RFC 4291 §2.5.1).
///
/// ```
/// use auth_accounts::throttle::network;
/// assert_eq!(network("2001:db8::1".parse().unwrap()), network("2001:db8::2".parse().unwrap()));
/// assert_ne!(network("192.0.2.1".parse().unwrap()), network("192.0.2.2".parse().unwrap()));
/// ```
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_seconds(seconds)
    }

    #[test]
    fn a_window_starts_with_its_first_attempt() {
        let limit = Limit::Window { most: 2, window: Seconds::new(60) };
        let counter = |count, since, last| Counter { count, since: at(since), last_at: at(last) };
        for (before, now, expected) in [
            (None, 1_000, Ok(counter(1, 1_000, 1_000))),
            (Some(counter(1, 1_000, 1_000)), 1_059, Ok(counter(2, 1_000, 1_059))),
            (Some(counter(2, 1_000, 1_030)), 1_059, Err(1)),
            (Some(counter(2, 1_000, 1_030)), 1_060, Ok(counter(1, 1_060, 1_060))),
            // The clock was moved back: the count is kept, with the current time.
            (Some(counter(2, 9_000, 9_000)), 1_000, Ok(counter(2, 1_000, 1_000))),
            (Some(counter(2, 1_000, 1_000)), 1_001, Err(59)),
            (Some(counter(1, 9_000, 9_000)), 1_000, Ok(counter(2, 1_000, 1_000))),
            // The clock of another process is slightly ahead.
            (Some(counter(2, 1_000, 1_050)), 1_000, Err(60)),
        ] {
            assert_eq!(limit.count(before, at(now)).map_err(Seconds::get), expected, "{before:?} at {now}");
        }
    }

    #[test]
    fn delays_double_up_to_the_maximum() {
        let limit = ThrottlePolicy::default().password;
        let (mut counter, mut now, mut delays) = (None, at(0), Vec::new());
        for _ in 0..24 {
            match limit.count(counter, now) {
                Ok(next) => counter = Some(next),
                Err(delay) => {
                    delays.push(delay.get());
                    now = now.plus(delay);
                    counter = Some(limit.count(counter, now).unwrap());
                }
            }
        }
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_800, 1_800, 1_800]);
    }

    #[test]
    fn continuous_guessing_gets_67_attempts_on_the_first_day() {
        let limit = ThrottlePolicy::default().password;
        let (mut counter, mut guesses, mut now) = (None, 0, at(0));
        while now < at(24 * 60 * 60) {
            match limit.count(counter, now) {
                Ok(next) => {
                    counter = Some(next);
                    guesses += 1;
                }
                Err(delay) => now = now.plus(delay),
            }
        }
        assert_eq!(guesses, 67);
    }

    #[test]
    fn a_count_expires_after_a_day_without_attempts() {
        let limit = ThrottlePolicy::default().password;
        let many = Counter { count: 40, since: at(0), last_at: at(100_000) };
        assert_eq!(limit.count(Some(many), at(100_001)), Err(Seconds::new(1_799)));
        assert_eq!(limit.count(Some(many), at(100_000 + 86_400)).unwrap().count, 1);
        // After the clock was moved back, the delay starts again.
        let moved = limit.count(Some(many), at(5)).unwrap();
        assert_eq!((moved.count, limit.count(Some(moved), at(6))), (41, Err(Seconds::new(1_799))));
    }
}
