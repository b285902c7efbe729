//! Python durations in JSON.

use jiff::{Span, SpanRelativeTo};
use serde_json::{Number, Value};

const SHAPE: &str =
    "must be a number of seconds, or a duration such as \"0:05:00\", \"1 day, 0:00:00\" or \"P1DT00H05M00S\"";
const NEGATIVE: &str = "is negative";
const FRACTION: &str = "has a fraction of a second; only whole seconds are supported";

/// Converts a duration to whole seconds: a number, `str(timedelta)`, or ISO 8601 as written by Django.
pub(super) fn whole_seconds(value: &Value) -> Result<u64, String> {
    match value {
        Value::Number(number) => from_number(number),
        Value::String(text) => from_text(text),
        _ => Err(SHAPE),
    }
    .map_err(str::to_owned)
}

fn from_number(number: &Number) -> Result<u64, &'static str> {
    match (number.as_u64(), number.as_f64()) {
        (Some(seconds), _) => Ok(seconds),
        (None, Some(seconds)) if seconds < 0.0 => Err(NEGATIVE),
        (None, Some(seconds)) if seconds.fract() != 0.0 => Err(FRACTION),
        // The cast saturates: a number that does not fit becomes the maximum, which every setting refuses.
        (None, Some(seconds)) => Ok(seconds as u64),
        (None, None) => Err(SHAPE),
    }
}

fn from_text(text: &str) -> Result<u64, &'static str> {
    if text.starts_with('-') {
        return Err(NEGATIVE);
    }
    let iso = if text.starts_with('P') { Some(text.to_owned()) } else { iso_from_python(text) };
    // Days are 24 hours, as in a timedelta; months and years are refused.
    let span: Option<Span> = iso.and_then(|iso| iso.parse().ok());
    let duration = span.and_then(|span| span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()).ok_or(SHAPE)?;
    if duration.subsec_nanos() != 0 {
        return Err(FRACTION);
    }
    u64::try_from(duration.as_secs()).map_err(|_| NEGATIVE)
}

/// Converts `str(timedelta)`, such as `7 days, 12:30:00.500000`, to ISO 8601.
fn iso_from_python(text: &str) -> Option<String> {
    let (days, clock) = match text.split_once(", ") {
        Some((days, clock)) => (days.strip_suffix(" days").or_else(|| days.strip_suffix(" day"))?, clock),
        None => ("0", text),
    };
    let mut parts = clock.split(':');
    let (hours, minutes, seconds) = (parts.next()?, parts.next()?, parts.next()?);
    let are_numbers = [days, hours, minutes].iter().all(|part| part.bytes().all(|byte| byte.is_ascii_digit()));
    let is_all = are_numbers && parts.next().is_none();
    is_all.then(|| format!("P{days}DT{hours}H{minutes}M{seconds}S"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn converts_every_form_of_a_duration() {
        const DAY: u64 = 24 * 60 * 60;
        for (value, expected) in [
            (json!(0), Ok(0)),
            (json!(300), Ok(300)),
            (json!(300.0), Ok(300)),
            (json!(0.5), Err(FRACTION)),
            (json!(-1), Err(NEGATIVE)),
            (json!(-0.5), Err(NEGATIVE)),
            (json!(1e300), Ok(u64::MAX)),
            (json!("0:00:00"), Ok(0)),
            (json!("0:05:00"), Ok(300)),
            (json!("23:59:59"), Ok(DAY - 1)),
            (json!("1 day, 0:00:00"), Ok(DAY)),
            (json!("7 days, 12:30:01"), Ok(7 * DAY + 45_001)),
            (json!("0:00:00.500000"), Err(FRACTION)),
            (json!("1 day, 0:00:00.000001"), Err(FRACTION)),
            (json!("-1 day, 23:59:30"), Err(NEGATIVE)),
            (json!("P0DT00H05M00S"), Ok(300)),
            (json!("P7D"), Ok(7 * DAY)),
            (json!("P1W"), Ok(7 * DAY)),
            (json!("PT5M"), Ok(300)),
            (json!("P7DT12H30M01S"), Ok(7 * DAY + 45_001)),
            (json!("P0DT00H00M00.500000S"), Err(FRACTION)),
            (json!("-P0DT00H00M30S"), Err(NEGATIVE)),
            // Months and years have no fixed length.
            (json!("P1M"), Err(SHAPE)),
            (json!("P1Y"), Err(SHAPE)),
            (json!("P"), Err(SHAPE)),
            (json!("PT-5M"), Err(SHAPE)),
            (json!("P99999999999D"), Err(SHAPE)),
            (json!("5:00"), Err(SHAPE)),
            (json!("0:05:00:00"), Err(SHAPE)),
            (json!("0:05:"), Err(SHAPE)),
            (json!("::"), Err(SHAPE)),
            (json!("1H5:0:0"), Err(SHAPE)),
            (json!("0:0:1H"), Err(SHAPE)),
            (json!("0:0:-1"), Err(SHAPE)),
            (json!("1 week, 0:00:00"), Err(SHAPE)),
            (json!("1 day"), Err(SHAPE)),
            (json!("300"), Err(SHAPE)),
            (json!("5 minutes"), Err(SHAPE)),
            (json!("datetime.timedelta(seconds=300)"), Err(SHAPE)),
            (json!(""), Err(SHAPE)),
            (json!(null), Err(SHAPE)),
            (json!(true), Err(SHAPE)),
            (json!([300]), Err(SHAPE)),
        ] {
            assert_eq!(whole_seconds(&value), expected.map_err(str::to_owned), "{value}");
        }
    }
}
