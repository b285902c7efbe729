//! Moments and durations. Values only: no rule and no type in this crate reads a clock.

/// How far the clocks of two processes may differ.
pub const MAX_SKEW: Seconds = Seconds::new(60);

/// A moment in whole seconds since 1970-01-01T00:00:00Z: the JWT NumericDate (RFC 7519 §2).
///
/// ```
/// use auth_core::time::{Seconds, UnixTime};
/// let issued_at = UnixTime::from_seconds(1_000);
/// assert_eq!(issued_at.plus(Seconds::new(300)).seconds(), 1_300);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct UnixTime(i64);

impl UnixTime {
    /// 9999-12-31T23:59:59Z, the last moment that a database column or an RFC 3339 text can hold.
    pub const MAX: Self = Self(253_402_300_799);

    /// The moment `seconds` after the epoch.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds)
    }

    /// Seconds since the epoch.
    pub const fn seconds(self) -> i64 {
        self.0
    }

    /// This moment moved later, at most to [`MAX`](Self::MAX).
    pub fn plus(self, duration: Seconds) -> Self {
        Self(self.0.saturating_add_unsigned(duration.0)).min(Self::MAX)
    }

    /// This moment moved earlier.
    pub fn minus(self, duration: Seconds) -> Self {
        Self(self.0.saturating_sub_unsigned(duration.0))
    }

    /// How far apart two moments are, whichever comes first.
    pub const fn distance(self, other: Self) -> Seconds {
        Seconds(self.0.abs_diff(other.0))
    }
}

/// A moment in microseconds since 1970-01-01T00:00:00Z, for what people read: when an account was made or last used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The moment `micros` microseconds after the epoch.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the epoch.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The same moment, cut to whole seconds.
    pub const fn unix(self) -> UnixTime {
        UnixTime(self.0.div_euclid(1_000_000))
    }
}

impl From<UnixTime> for Timestamp {
    fn from(moment: UnixTime) -> Self {
        Self(moment.0.saturating_mul(1_000_000))
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
    fn seconds_are_cut_towards_the_past() {
        assert_eq!(Timestamp::from_micros(-1).unix(), UnixTime::from_seconds(-1));
        assert_eq!(Timestamp::from_micros(1_999_999).unix(), UnixTime::from_seconds(1));
    }

    #[test]
    fn adding_stops_at_the_last_representable_moment() {
        assert_eq!(UnixTime::from_seconds(5).plus(Seconds::new(u64::MAX)), UnixTime::MAX);
    }
}
