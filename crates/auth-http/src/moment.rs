//! Timestamps in responses.

use auth_core::time::Timestamp;

/// Formats a timestamp as Django REST Framework does: RFC 3339, always in UTC and with six fractional digits.
///
/// ```
/// use auth_core::time::Timestamp;
/// assert_eq!(auth_http::rfc_3339(Timestamp::from_micros(1_795_328_749_500_000)), "2026-11-22T06:25:49.500000Z");
/// ```
pub fn rfc_3339(timestamp: Timestamp) -> String {
    let timestamp = jiff::Timestamp::from_microsecond(timestamp.micros()).unwrap_or_default();
    format!("{timestamp:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_utc_with_six_fractional_digits() {
        for (micros, expected) in [
            (1_795_328_749_508_725, "2026-11-22T06:25:49.508725Z"),
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_795_328_749_500_000, "2026-11-22T06:25:49.500000Z"),
        ] {
            assert_eq!(rfc_3339(Timestamp::from_micros(micros)), expected);
        }
    }
}
