//! How many requests somebody without credentials may make: the anonymous throttle of Django REST Framework.
//!
//! It keeps the times of the last requests of each address, so that it can say when the next one is let in, to the
//! second of the wire contract. Counts are those of one process, and end with it.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use auth_accounts::throttle::network;
use lru::LruCache;

/// So many requests in so long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    requests: usize,
    period: Duration,
}

impl Rate {
    /// Most requests that are counted.
    pub const MAX_REQUESTS: usize = 10_000;

    /// Reads a rate as Django REST Framework writes it: `3/min`, `100/day`. Of the period the first letter counts:
    /// second, minute, hour, day. `None` for anything else, and unless it is from 1 to
    /// [`MAX_REQUESTS`](Self::MAX_REQUESTS) requests.
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

/// Counts the requests of each address.
#[derive(Debug)]
pub struct AnonymousThrottle {
    rate: Rate,
    seen: Mutex<LruCache<IpAddr, VecDeque<Instant>>>,
}

impl AnonymousThrottle {
    /// How many addresses are counted; the one not seen for longest is forgotten first. Each takes 16 bytes for each
    /// request of its rate.
    pub const MAX_ADDRESSES: usize = 100_000;

    /// At most this rate for each address.
    pub fn new(rate: Rate) -> Self {
        Self { rate, seen: Mutex::new(LruCache::unbounded()) }
    }

    /// Counts a request, or says how long to wait: one that is refused is not counted.
    pub(crate) fn admit(&self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let times = seen.get_or_insert_mut(network(address), VecDeque::new);
        while times.front().is_some_and(|time| now.duration_since(*time) >= self.rate.period) {
            times.pop_front();
        }
        let admitted = match times.front() {
            Some(oldest) if times.len() >= self.rate.requests => Err(self.rate.period - now.duration_since(*oldest)),
            _ => {
                times.push_back(now);
                Ok(())
            }
        };
        if seen.len() > Self::MAX_ADDRESSES {
            seen.pop_lru();
        }
        admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn rates_as_django_rest_framework_writes_them() {
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
    fn the_next_request_is_let_in_when_the_oldest_leaves() {
        let throttle = AnonymousThrottle::new(Rate::parse("2/min").unwrap());
        let (start, address) = (Instant::now(), IpAddr::from([192, 0, 2, 1]));
        for (after, expected) in
            [(0, Ok(())), (10, Ok(())), (10, Err(50)), (59, Err(1)), (60, Ok(())), (60, Err(10)), (70, Ok(()))]
        {
            let admitted = throttle.admit(address, start + after * SECOND).map_err(|wait| wait.as_secs());
            assert_eq!(admitted, expected, "after {after} s");
        }
        assert_eq!(throttle.admit(IpAddr::from([192, 0, 2, 2]), start), Ok(()), "another address");
    }

    #[test]
    fn the_addresses_of_one_subnet_count_as_one() {
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
    fn the_addresses_that_are_counted_are_bounded() {
        let throttle = AnonymousThrottle::new(Rate::parse("2/day").unwrap());
        let (start, first) = (Instant::now(), IpAddr::from([0, 0, 0, 0]));
        let most = AnonymousThrottle::MAX_ADDRESSES as u32;
        assert_eq!(throttle.admit(first, start), Ok(()));
        for number in 0..most {
            assert_eq!(throttle.admit(IpAddr::from((0x0100_0000 + number).to_be_bytes()), start), Ok(()));
        }
        assert_eq!(throttle.seen.lock().unwrap().len(), most as usize);
        assert!(!throttle.seen.lock().unwrap().contains(&first));
    }
}
