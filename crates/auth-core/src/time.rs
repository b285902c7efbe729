//! Points in time and durations. They are plain values: nothing in this crate reads a clock.

/// How far the clocks of two machines are assumed to differ, at most.
pub const MAX_SKEW: Seconds = Seconds::new(60);

/// A point in time, in whole seconds since 1970-01-01T00:00:00Z: the JWT NumericDate (RFC 7519 §2).
///
/// ```
/// use auth_core::time::{Seconds, UnixTime};
/// let issued_at = UnixTime::from_seconds(1_000);
/// assert_eq!(issued_at.plus(Seconds::new(300)).seconds(), 1_300);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime(i64);

impl UnixTime {
    /// 9999-12-31T23:59:59Z, the last second with a four-digit year, as RFC 3339 requires it.
    pub const MAX: Self = Self(253_402_300_799);

    /// The time `seconds` after the Unix epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// The seconds since the Unix epoch.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// The time `duration` later, at most [`MAX`](Self::MAX).
    pub fn plus(self, duration: Seconds) -> Self {
        Self(self.0.saturating_add_unsigned(duration.0)).min(Self::MAX)
    }

    /// The time `duration` earlier; saturates at the bounds of the type.
    pub fn minus(self, duration: Seconds) -> Self {
        Self(self.0.saturating_sub_unsigned(duration.0))
    }

    /// The absolute difference between two times.
    pub const fn distance(self, other: Self) -> Seconds {
        Seconds(self.0.abs_diff(other.0))
    }
}

/// A point in time, in microseconds since 1970-01-01T00:00:00Z, for what is displayed, such as when an account was
/// created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The time `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// The microseconds since the Unix epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The same time, rounded down to whole seconds.
    pub const fn unix(self) -> UnixTime {
        UnixTime(self.0.div_euclid(1_000_000))
    }
}

impl From<UnixTime> for Timestamp {
    fn from(time: UnixTime) -> Self {
        Self(time.0.saturating_mul(1_000_000))
    }
}

/// A duration in whole seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Seconds(u64);

impl Seconds {
    /// A duration of `seconds`.
    pub const fn new(seconds: u64) -> Self {
        Self(seconds)
    }

    /// The number of seconds.
    pub const fn get(self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_rounded_down_to_seconds() {
        assert_eq!(Timestamp::from_micros(-1).unix(), UnixTime::from_seconds(-1));
        assert_eq!(Timestamp::from_micros(1_999_999).unix(), UnixTime::from_seconds(1));
    }

    #[test]
    fn addition_saturates_at_the_maximum() {
        assert_eq!(UnixTime::from_seconds(5).plus(Seconds::new(u64::MAX)), UnixTime::MAX);
    }
}
