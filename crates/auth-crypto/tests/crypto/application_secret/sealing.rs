//! Encryption of stored secrets.

use auth_accounts::ports::SecretBox as _;
use auth_accounts::secret::Sealed;
use auth_crypto::{ApplicationSecret, SealFault};
use proptest::prelude::*;

use super::{application_secret, from_hex, rotated, unrelated};

/// Length of the format, the ID of the secret, the nonce and the tag.
const OVERHEAD: usize = 1 + 8 + 12 + 16;

fn fault(application_secret: &ApplicationSecret, context: &[u8], sealed: &Sealed) -> SealFault {
    *application_secret.open(context, sealed).unwrap_err().downcast().unwrap()
}

/// Stored values must open in later releases. These were sealed with another library.
#[test]
fn opens_values_of_earlier_releases() {
    for (context, plain, sealed) in [
        (
            &b"totp of 7"[..],
            &b"known to one app"[..],
            "015ce4890c7530d722000102030405060708090a0b959aee84322df487b4f31699b794b68db6d59c1353b39fb182eca036305e82e5",
        ),
        (b"", b"", "015ce4890c7530d722000102030405060708090a0bb95e8ac456679ed915e24bb7c7b9706b"),
    ] {
        let sealed = Sealed::new(from_hex(sealed));
        assert_eq!(application_secret().open(context, &sealed).unwrap(), plain);
        assert_eq!(rotated().open(context, &sealed).unwrap(), plain);
    }
}

#[test]
fn opens_values_of_any_length() {
    let application_secret = application_secret();
    for len in (0..=66).chain([4095, 4096, 1_000_003]) {
        let plain = vec![7; len];
        let sealed = application_secret.seal(b"context", &plain).unwrap();
        assert_eq!(sealed.bytes().len(), len + OVERHEAD);
        assert_eq!(application_secret.open(b"context", &sealed).unwrap(), plain);
    }
}

#[test]
fn opens_for_the_same_context_only() {
    let application_secret = application_secret();
    let sealed = application_secret.seal(b"totp 1", b"text").unwrap();
    for other in [&b""[..], b"totp 2", b"totp 11", b"totp ", b"TOTP 1"] {
        assert_eq!(fault(&application_secret, other, &sealed), SealFault::Altered);
    }
    let sealed = application_secret.seal(b"", b"text").unwrap();
    assert_eq!(application_secret.open(b"", &sealed).unwrap(), b"text");
    assert_eq!(fault(&application_secret, b"\0", &sealed), SealFault::Altered);
}

#[test]
fn does_not_open_if_any_byte_is_altered() {
    let application_secret = rotated();
    let sealed = application_secret.seal(b"context", b"some text").unwrap();
    for index in 0..sealed.bytes().len() {
        for change in 1..=255 {
            let mut bytes = sealed.bytes().to_vec();
            bytes[index] ^= change;
            let format = bytes[0];
            let found = fault(&application_secret, b"context", &Sealed::new(bytes));
            let expected = match index {
                0 => SealFault::UnknownFormat(format),
                1..9 => SealFault::UnknownSecret,
                _ => SealFault::Altered,
            };
            assert_eq!(found, expected, "{index} {change}");
        }
    }
}

#[test]
fn does_not_open_if_truncated_or_extended() {
    let application_secret = application_secret();
    let sealed = application_secret.seal(b"context", b"some text").unwrap();
    for len in 0..sealed.bytes().len() {
        let expected = if len < OVERHEAD { SealFault::Truncated } else { SealFault::Altered };
        let truncated = Sealed::new(sealed.bytes()[..len].to_vec());
        assert_eq!(fault(&application_secret, b"context", &truncated), expected, "{len}");
    }
    for more in [&b"\0"[..], sealed.bytes()] {
        let extended = Sealed::new([sealed.bytes(), more].concat());
        assert_eq!(fault(&application_secret, b"context", &extended), SealFault::Altered);
    }
}

#[test]
fn former_secrets_open_but_do_not_seal() {
    let (old, new) = (application_secret(), rotated());
    let sealed = old.seal(b"context", b"text").unwrap();
    assert_eq!(new.open(b"context", &sealed).unwrap(), b"text");
    assert_eq!(fault(&unrelated(), b"context", &sealed), SealFault::UnknownSecret);
    let sealed = new.seal(b"context", b"text").unwrap();
    assert_eq!(unrelated().open(b"context", &sealed).unwrap(), b"text");
    assert_eq!(fault(&old, b"context", &sealed), SealFault::UnknownSecret);
}

#[test]
fn does_not_open_with_the_id_of_another_secret() {
    let (old, new) = (application_secret(), rotated());
    let id = old.seal(b"context", b"text").unwrap().bytes()[1..9].to_vec();
    let mut bytes = new.seal(b"context", b"text").unwrap().bytes().to_vec();
    bytes[1..9].copy_from_slice(&id);
    assert_eq!(fault(&new, b"context", &Sealed::new(bytes)), SealFault::Altered);
}

#[test]
fn the_same_value_is_sealed_differently_each_time() {
    let application_secret = application_secret();
    let seal = || application_secret.seal(b"context", b"some text").unwrap().bytes().to_vec();
    let (one, other) = (seal(), seal());
    assert_eq!(one[..9], other[..9]);
    for part in [9..21, 21..30, 30..46] {
        assert_ne!(one[part.clone()], other[part]);
    }
}

#[test]
fn errors_distinguish_a_missing_secret_from_an_altered_value() {
    let sealed = application_secret().seal(b"context", b"text").unwrap();
    let message = |application_secret: &ApplicationSecret, context: &[u8]| {
        application_secret.open(context, &sealed).unwrap_err().to_string()
    };
    assert_eq!(message(&unrelated(), b"context"), "sealed with an application secret that is not configured");
    assert_eq!(message(&application_secret(), b"other"), "the value was altered, or sealed for another context");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Also checks that a sealed value does not contain the plaintext.
    #[test]
    fn opens_any_value_for_its_own_context_only(
        context: Vec<u8>,
        other: Vec<u8>,
        plain in proptest::collection::vec(any::<u8>(), 0..300),
    ) {
        let sealed = application_secret().seal(&context, &plain).unwrap();
        prop_assert_eq!(&rotated().open(&context, &sealed).unwrap(), &plain);
        prop_assert_eq!(application_secret().open(&other, &sealed).is_ok(), other == context);
        prop_assert!(plain.len() < 8 || !sealed.bytes().windows(plain.len()).any(|part| part == plain));
    }

    #[test]
    fn random_bytes_do_not_open_and_do_not_panic(bytes: Vec<u8>, context: Vec<u8>) {
        prop_assert!(application_secret().open(&context, &Sealed::new(bytes)).is_err());
    }
}
