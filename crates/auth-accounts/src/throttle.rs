//! How many attempts are let in, and how long the next one has to wait.
//!
//! An attempt is counted before it is looked at, so that any number of them at once cannot be more than the limit
//! (SEC-124). What is refused is not counted: nobody can make a wait longer by not waiting. No account is ever locked:
//! waits have a cap, and counts end by time (SEC-122).

use std::net::{IpAddr, Ipv6Addr};

use auth_core::time::{MAX_SKEW, Seconds, UnixTime};

/// Who or what attempts are counted for, as a keyed hash: what was typed does not stand in the storage.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LimitKey(String);

impl LimitKey {
    /// Longest name, in bytes.
    pub const MAX_LEN: usize = 128;

    /// A bucket with this name: a few plain characters.
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// How many attempts are let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many from the first one on, in so long.
    Window {
        /// How many.
        most: u32,
        /// In how long.
        window: Seconds,
    },
    /// So many in a row; then each one has to wait, twice as long each time.
    Growing {
        /// How many without a wait.
        free: u32,
        /// The first wait.
        first_wait: Seconds,
        /// The longest wait.
        longest_wait: Seconds,
        /// Without an attempt for so long, the count begins anew.
        forget: Seconds,
    },
}

/// What has been counted for a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counter {
    /// How many attempts.
    pub count: u32,
    /// When the first of them was.
    pub since: UnixTime,
    /// When the last of them was.
    pub last_at: UnixTime,
}

impl Limit {
    /// How far the clocks of two processes may differ.
    pub const MAX_SKEW: Seconds = MAX_SKEW;

    /// Counts an attempt, or says how long it has to wait. If the clock was moved back since, by more than
    /// [`MAX_SKEW`](Self::MAX_SKEW), the attempt is let in, and what was counted before counts from now on: nobody waits for
    /// the clock to catch up, and nobody is forgiven.
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
        let Some(counter) = counter.filter(|counter| self.is_remembered(counter, now)) else { return Ok(first) };
        if counter.last_at > now.plus(Self::MAX_SKEW) {
            let most = if let Self::Window { most, .. } = *self { most } else { u32::MAX };
            return Ok(Counter { count: counter.count.saturating_add(1).min(most), since: now, last_at: now });
        }
        let (from, wait) = match *self {
            Self::Window { most, window } if counter.count >= most => (counter.since, window),
            Self::Window { .. } => (counter.since, Seconds::default()),
            Self::Growing { .. } => (counter.last_at, self.wait_after(counter.count)),
        };
        let end = from.plus(wait);
        if wait > Seconds::default() && now < end {
            return Err(now.distance(end).min(wait));
        }
        Ok(Counter { count: counter.count.saturating_add(1), since: counter.since.min(now), last_at: now })
    }

    /// As strict as can be: only the first attempt, for as long as this limit remembers it. A counter of this limit can be
    /// asked with it, and expires as before.
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
            Self::Growing { forget, .. } => Self::Growing { free: 1, first_wait: forget, longest_wait: forget, forget },
        }
    }

    /// The same limit for `factor` times as many attempts.
    pub const fn times(self, factor: u32) -> Self {
        match self {
            Self::Window { most, window } => Self::Window { most: most.saturating_mul(factor), window },
            Self::Growing { free, first_wait, longest_wait, forget } => {
                Self::Growing { free: free.saturating_mul(factor), first_wait, longest_wait, forget }
            }
        }
    }

    /// When a counter can be forgotten.
    pub fn expires_at(&self, counter: &Counter) -> UnixTime {
        match *self {
            Self::Window { window, .. } => counter.since.plus(window),
            Self::Growing { forget, .. } => counter.last_at.plus(forget),
        }
    }

    fn is_remembered(&self, counter: &Counter, now: UnixTime) -> bool {
        now < self.expires_at(counter)
    }

    /// How long the next attempt has to wait after so many.
    fn wait_after(&self, count: u32) -> Seconds {
        match *self {
            Self::Growing { free, first_wait, longest_wait, .. } if count >= free => {
                let doublings = (count - free).min(32);
                Seconds::new(first_wait.get().saturating_mul(1 << doublings)).min(longest_wait)
            }
            _ => Seconds::default(),
        }
    }
}

/// An attempt to be counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// For whom.
    pub bucket: LimitKey,
    /// How many are let in.
    pub limit: Limit,
}

/// Whether an attempt was let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It was counted.
    Admitted,
    /// It was not counted, and has to wait for so long: at least one second.
    Refused(Seconds),
}

/// How much of a count an attempt that turned out well takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Forgiveness {
    /// Itself.
    One,
    /// All of it.
    All,
}

/// Limits of attempts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ThrottlePolicy {
    /// Wrong passwords for one account (SEC-120).
    pub password: Limit,
    /// Wrong second factors of one account, whatever they were shown for.
    pub second_factor: Limit,
    /// Wrong passwords and second factors from one client IP (SEC-125). Beyond it, the first guess at an account still
    /// counts if it is right: see [`EXCEPTIONS`](Self::EXCEPTIONS).
    pub failures_per_address: Limit,
    /// Registrations from one client IP whose fields are valid, whether or not the names are taken.
    pub registrations_per_client_ip: Limit,
    /// Requests for a mail that name one address.
    pub requests_per_email: Limit,
    /// Requests for a mail from one client address.
    pub requests_per_address: Limit,
    /// Verification emails to one account, which anyone can request (SEC-117). Password-reset emails are limited by the
    /// links that are open instead, so that an exhausted limit cannot keep the user from getting one.
    pub links: Limit,
    /// Second-factor challenges for one account, which take its password; and, counted separately, those for
    /// reauthentication, which take an access token.
    pub challenges: Limit,
    /// The same for one account from one client IP. At most half of [`MAX_OPEN`](crate::code::OneTimeCode::MAX_OPEN) within
    /// the lifetime of a challenge: then nobody who knows the password can end the challenge of its owner from one client IP
    /// by opening newer ones.
    pub challenges_per_client_ip: Limit,
    /// Mails with a code to one account, which only those can ask for who know its password; for logins,
    /// [`LOGIN_CODES`](Self::LOGIN_CODES) times as many, counted separately. Apart from the links, so that no
    /// stranger can use it up.
    pub codes: Limit,
}

impl ThrottlePolicy {
    /// How many times [`failures_per_address`](Self::failures_per_address) are compared at most beyond that limit: guesses
    /// at accounts that have no recent failure. Many people may share one client IP (carrier-grade NAT), and a stranger
    /// among them must not be able to keep the others from logging in.
    pub const EXCEPTIONS: u32 = 10;

    /// How many times [`codes`](Self::codes) logins may cause: more than they can from one client IP, so that an attacker who
    /// knows the password cannot use up what the owner needs to log in.
    pub const LOGIN_CODES: u32 = 5;

    /// What is let in of requests that name one address beyond [`requests_per_email`](Self::requests_per_email): a
    /// stranger who makes them must not keep the owner of the address from being answered.
    pub const REQUESTS_BEYOND: Limit = Limit::Window { most: 1, window: Seconds::new(5 * 60) };
}

impl Default for ThrottlePolicy {
    /// Ten wrong passwords in a row, then waits from one second to half an hour: at most 67 on the first day, and 48 on each
    /// that follows. Twenty wrong second factors a day. 100 failures, 20 registrations and 60 requests an hour from one client
    /// IP. Twenty requests an hour that name one address, of which five are answered with a mail to verify it. 240
    /// challenges and twenty codes by mail an hour; of the challenges, ten in ten minutes from one client IP.
    fn default() -> Self {
        let hour = Seconds::new(60 * 60);
        let day = Seconds::new(24 * 60 * 60);
        Self {
            password: Limit::Growing {
                free: 10,
                first_wait: Seconds::new(1),
                longest_wait: Seconds::new(30 * 60),
                forget: day,
            },
            second_factor: Limit::Window { most: 20, window: day },
            failures_per_address: Limit::Window { most: 100, window: hour },
            registrations_per_client_ip: Limit::Window { most: 20, window: hour },
            requests_per_email: Limit::Window { most: 20, window: hour },
            requests_per_address: Limit::Window { most: 60, window: hour },
            links: Limit::Window { most: 5, window: hour },
            challenges: Limit::Window { most: 240, window: hour },
            challenges_per_client_ip: Limit::Window { most: 10, window: Seconds::new(10 * 60) },
            codes: Limit::Window { most: 20, window: hour },
        }
    }
}

/// Who counts as one client: an address, or of IPv6 the /64 of one subnet (RFC 4291 §2.5.1).
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
    fn a_window_begins_with_its_first_attempt() {
        let limit = Limit::Window { most: 2, window: Seconds::new(60) };
        let counter = |count, since, last| Counter { count, since: at(since), last_at: at(last) };
        for (before, now, expected) in [
            (None, 1_000, Ok(counter(1, 1_000, 1_000))),
            (Some(counter(1, 1_000, 1_000)), 1_059, Ok(counter(2, 1_000, 1_059))),
            (Some(counter(2, 1_000, 1_030)), 1_059, Err(1)),
            (Some(counter(2, 1_000, 1_030)), 1_060, Ok(counter(1, 1_060, 1_060))),
            // The clock went back: what was counted counts from now on.
            (Some(counter(2, 9_000, 9_000)), 1_000, Ok(counter(2, 1_000, 1_000))),
            (Some(counter(2, 1_000, 1_000)), 1_001, Err(59)),
            (Some(counter(1, 9_000, 9_000)), 1_000, Ok(counter(2, 1_000, 1_000))),
            // Another process is a little ahead.
            (Some(counter(2, 1_000, 1_050)), 1_000, Err(60)),
        ] {
            assert_eq!(limit.count(before, at(now)).map_err(Seconds::get), expected, "{before:?} at {now}");
        }
    }

    #[test]
    fn waits_grow_to_their_cap() {
        let limit = ThrottlePolicy::default().password;
        let (mut counter, mut now, mut waits) = (None, at(0), Vec::new());
        for _ in 0..24 {
            match limit.count(counter, now) {
                Ok(next) => counter = Some(next),
                Err(wait) => {
                    waits.push(wait.get());
                    now = now.plus(wait);
                    counter = Some(limit.count(counter, now).unwrap());
                }
            }
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024, 1_800, 1_800, 1_800]);
    }

    #[test]
    fn an_attacker_who_never_rests_gets_few_guesses_a_day() {
        let limit = ThrottlePolicy::default().password;
        let (mut counter, mut guesses, mut now) = (None, 0, at(0));
        while now < at(24 * 60 * 60) {
            match limit.count(counter, now) {
                Ok(next) => {
                    counter = Some(next);
                    guesses += 1;
                }
                Err(wait) => now = now.plus(wait),
            }
        }
        assert_eq!(guesses, 67);
    }

    #[test]
    fn a_row_is_forgotten_after_a_quiet_day() {
        let limit = ThrottlePolicy::default().password;
        let tired = Counter { count: 40, since: at(0), last_at: at(100_000) };
        assert_eq!(limit.count(Some(tired), at(100_001)), Err(Seconds::new(1_799)));
        assert_eq!(limit.count(Some(tired), at(100_000 + 86_400)).unwrap().count, 1);
        // After the clock went back, the next wait begins anew.
        let moved = limit.count(Some(tired), at(5)).unwrap();
        assert_eq!((moved.count, limit.count(Some(moved), at(6))), (41, Err(Seconds::new(1_799))));
    }
}
