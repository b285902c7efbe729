//! Moments on the wire.

use auth_core::time::Timestamp;

/// A moment as Django REST Framework writes it (RFC 3339): always UTC, always six digits.
///
/// ```
/// use auth_core::time::Timestamp;
/// assert_eq!(auth_http::rfc_3339(Timestamp::from_micros(1_795_328_749_500_000)), "2026-11-22T06:25:49.500000Z");
/// ```
pub fn rfc_3339(moment: Timestamp) -> String {
    let moment = jiff::Timestamp::from_microsecond(moment.micros()).unwrap_or_default();
    format!("{moment:.6}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_six_digits_and_a_z() {
        for (micros, expected) in [
            (1_795_328_749_508_725, "2026-11-22T06:25:49.508725Z"),
            (0, "1970-01-01T00:00:00.000000Z"),
            (1_795_328_749_500_000, "2026-11-22T06:25:49.500000Z"),
        ] {
            assert_eq!(rfc_3339(Timestamp::from_micros(micros)), expected);
        }
    }
}
