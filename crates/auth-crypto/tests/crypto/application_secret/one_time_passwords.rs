//! Codes of authenticator apps: the test values of RFC 4226 and RFC 6238, and the accepted time steps.

use auth_accounts::code::SixDigitCode;
use auth_accounts::ports::KeyedHash as _;
use auth_accounts::second_factor::{TotpSecret, matching_step, step_of};
use auth_core::time::UnixTime;
use serde_json::Value;

use super::application_secret;

fn vectors() -> Value {
    serde_json::from_str(include_str!("../../vectors/rfc/otp_4226_6238.json")).unwrap()
}

fn secret() -> TotpSecret {
    TotpSecret::from_bytes(vectors()["secret_ascii"].as_str().unwrap().into())
}

/// Returns the codes of the time steps from 0.
fn codes() -> Vec<SixDigitCode> {
    let vectors = vectors();
    let codes = vectors["hotp_sha1_6"].as_array().unwrap();
    codes.iter().map(|code| SixDigitCode::parse(code.as_str().unwrap()).unwrap()).collect()
}

fn at(seconds: i64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

#[test]
fn hotp_codes_match_rfc_4226_appendix_d() {
    let codes = codes();
    assert_eq!(codes.len(), 10);
    for (counter, code) in (0..).zip(codes) {
        assert_eq!(SixDigitCode::of_number(application_secret().hotp(secret().expose(), counter)), code, "{counter}");
    }
    // The values of the same table before they are reduced to 6 digits.
    assert_eq!(application_secret().hotp(secret().expose(), 0), 1_284_755_224);
    assert_eq!(application_secret().hotp(secret().expose(), 9), 645_520_489);
}

#[test]
fn totp_codes_match_rfc_6238_appendix_b() {
    let vectors = vectors();
    let rows = vectors["totp_sha1_8"].as_array().unwrap();
    assert_eq!(rows.len(), 6);
    for row in rows {
        let now = at(row["t"].as_i64().unwrap());
        let number = application_secret().hotp(secret().expose(), step_of(now));
        assert_eq!(format!("{:08}", number % 100_000_000), row["code"].as_str().unwrap(), "{row}");
        let code = SixDigitCode::of_number(number);
        assert_eq!(matching_step(&secret(), code, None, now, &application_secret()), Some(step_of(now)), "{row}");
    }
}

#[test]
fn hotp_values_have_31_bits_for_secrets_of_any_length() {
    for len in [0, 1, 20, 64, 65, 1000] {
        let secret = vec![7; len];
        for counter in (0..100).chain([u64::MAX]) {
            assert!(application_secret().hotp(&secret, counter) < 1 << 31, "{len} {counter}");
        }
    }
}

#[test]
fn a_code_is_accepted_once_and_at_most_one_step_early_or_late() {
    for (now, code, last_step, expected) in [
        // 59 is the last second of step 1.
        (59, 0, None, Some(0)),
        (59, 1, None, Some(1)),
        (59, 2, None, Some(2)),
        (59, 3, None, None),
        (60, 0, None, None),
        (60, 3, None, Some(3)),
        (29, 0, None, Some(0)),
        (29, 1, None, Some(1)),
        (29, 2, None, None),
        (0, 0, None, Some(0)),
        (0, 1, None, Some(1)),
        // The first second at which the code is too late.
        (119, 2, None, Some(2)),
        (120, 2, None, None),
        (150, 4, None, Some(4)),
        (149, 6, None, None),
        (150, 6, None, Some(6)),
        // No code is accepted twice, nor after the code of a later step.
        (59, 1, Some(0), Some(1)),
        (59, 1, Some(1), None),
        (59, 0, Some(1), None),
        (59, 2, Some(1), Some(2)),
        (60, 2, Some(2), None),
        (89, 1, Some(2), None),
        (89, 3, Some(2), Some(3)),
        (59, 0, Some(0), None),
    ] {
        let step = matching_step(&secret(), codes()[code], last_step, at(now), &application_secret());
        assert_eq!(step, expected, "step {code} at {now} after {last_step:?}");
    }
}

#[test]
fn codes_of_another_secret_are_rejected() {
    let other = TotpSecret::from_bytes(b"12345678901234567891".to_vec());
    assert!((0..9).all(|step| matching_step(&other, codes()[step], None, at(30 * 4), &application_secret()).is_none()));
}
