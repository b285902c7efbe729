//! The rate limit for requests without credentials, as `AnonRateThrottle` of Django REST Framework.
//!
//! It keeps the times of the last requests of each client IP, because `Retry-After` must be exact to the second. Counts are
//! per process and not persistent.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use auth_accounts::throttle::network;
use lru::LruCache;

/// A number of requests in a period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    requests: usize,
    period: Duration,
}

impl Rate {
    /// Most requests of a rate.
    pub const MAX_REQUESTS: usize = 10_000;

    /// Parses a rate in the notation of Django REST Framework, such as `3/min` or `100/day`. Only the first letter of the period
    /// counts: second, minute, hour, day. Returns `None` for anything else, and if the number is not from 1 to
    /// [`MAX_REQUESTS`](Self::MAX_REQUESTS).
    ///
    /// ```
    /// use auth_http::Rate;
    /// assert!(Rate::parse("3/min").is_some());
    /// assert!(Rate::parse("0/min").is_none());
    /// ```
    pub fn parse(text: &str) -> Option<Self> {
        let (requests, period) = text.split_once('/')?;
        let requests = requests.parse().ok().filter(|requests| (1..=Self::MAX_REQUESTS).contains(requests))?;
        let seconds = match period.chars().next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            _ => return None,
        };
        Some(Self { requests, period: Duration::from_secs(seconds) })
    }
}

/// Counts the requests of each client IP (in IPv6, of each /64).
#[derive(Debug)]
pub struct AnonymousThrottle {
    rate: Rate,
    seen: Mutex<LruCache<IpAddr, VecDeque<Instant>>>,
}

impl AnonymousThrottle {
    /// Most client IPs that are counted; the least recently seen one is dropped first. Each takes up to 16 bytes for each
    /// request of the rate.
    pub const MAX_CLIENT_IPS: usize = 100_000;

    /// Creates a rate limit of `rate` for each client IP.
    pub fn new(rate: Rate) -> Self {
        Self { rate, seen: Mutex::new(LruCache::unbounded()) }
    }

    /// Allows and counts a request, or returns the delay until the next one is allowed. A refused request is not counted.
    pub(crate) fn allow(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let times = seen.get_or_insert_mut(network(address), VecDeque::new);
        // A sliding window: only requests of the last period count.
        while times.front().is_some_and(|time| now.duration_since(*time) >= self.rate.period) {
            times.pop_front();
        }
        let allowed = match times.front() {
            Some(oldest) if times.len() >= self.rate.requests => Err(self.rate.period - now.duration_since(*oldest)),
            _ => {
                times.push_back(now);
                Ok(())
            }
        };
        if seen.len() > Self::MAX_CLIENT_IPS {
            seen.pop_lru();
        }
        allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn parses_rates_as_django_rest_framework_does() {
        let rate = |requests, seconds| Some(Rate { requests, period: Duration::from_secs(seconds) });
        for (text, expected) in [
            ("3/min", rate(3, 60)),
            ("3/m", rate(3, 60)),
            ("1/s", rate(1, 1)),
            ("100/hour", rate(100, 3_600)),
            ("1000/day", rate(1_000, 86_400)),
            ("0/min", None),
            ("10001/min", None),
            ("-1/min", None),
            ("3", None),
            ("3/", None),
            ("3/year", None),
            ("min/3", None),
        ] {
            assert_eq!(Rate::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn a_request_is_allowed_once_the_oldest_has_expired() {
        let throttle = AnonymousThrottle::new(Rate::parse("2/min").unwrap());
        let (start, address) = (Instant::now(), IpAddr::from([192, 0, 2, 1]));
        for (after, expected) in
            [(0, Ok(())), (10, Ok(())), (10, Err(50)), (59, Err(1)), (60, Ok(())), (60, Err(10)), (70, Ok(()))]
        {
            let allowed = throttle.allow(address, start + after * SECOND).map_err(|delay| delay.as_secs());
            assert_eq!(allowed, expected, "after {after} s");
        }
        assert_eq!(throttle.allow(IpAddr::from([192, 0, 2, 2]), start), Ok(()), "another client IP");
    }

    #[test]
    fn an_ipv6_subnet_counts_as_one_client_ip() {
        for (one, other, same) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
            ("192.0.2.1", "::ffff:192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
        ] {
            assert_eq!(network(one.parse().unwrap()) == network(other.parse().unwrap()), same, "{one} {other}");
        }
    }

    #[test]
    fn the_number_of_counted_client_ips_is_bounded() {
        let throttle = AnonymousThrottle::new(Rate::parse("2/day").unwrap());
        let (start, first) = (Instant::now(), IpAddr::from([0, 0, 0, 0]));
        let most = AnonymousThrottle::MAX_CLIENT_IPS as u32;
        assert_eq!(throttle.allow(first, start), Ok(()));
        for number in 0..most {
            assert_eq!(throttle.allow(IpAddr::from((0x0100_0000 + number).to_be_bytes()), start), Ok(()));
        }
        assert_eq!(throttle.seen.lock().unwrap().len(), most as usize);
        assert!(!throttle.seen.lock().unwrap().contains(&first));
    }
}
