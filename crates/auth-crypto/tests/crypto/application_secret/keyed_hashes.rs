//! Keyed hashes.

use auth_accounts::ports::KeyedHash as _;
use auth_accounts::secret::{Mac, MacPurpose};
use auth_crypto::ApplicationSecret;

use super::{application_secret, from_hex, rotated, unrelated};
use crate::fixture::*;

const PURPOSES: [MacPurpose; 5] =
    [MacPurpose::Link, MacPurpose::Challenge, MacPurpose::Code, MacPurpose::RecoveryCode, MacPurpose::LimitKey];

/// Stored hashes must match in later releases. These were computed with another library.
#[test]
fn hashes_of_earlier_releases_match() {
    for (purpose, expected) in PURPOSES.into_iter().zip([
        "66122de97c46ab37bff51ae9ad913a6f8c64d16b698839b3b5af426bb028e4e3",
        "c6ad53d6167ff5ecfd95bf75076e7893559fa3128997d6ed5b37ea5594817ae6",
        "ba860fdc429c63fe5ce94bf808ecb9d8f5db3cb58b593c1e915b9bbe0b411097",
        "1de58d236614769a1f436ec8403591c0e183dd8fb5e3bc5dde10f50c75062ce3",
        "a858fc87b8d18ba0ec3be94f3d6037402fa61855714575a60bd52dc180045aeb",
    ]) {
        assert_eq!(application_secret().mac(purpose, b"a message").bytes()[..], from_hex(expected), "{purpose:?}");
    }
}

#[test]
fn a_hash_matches_one_purpose_and_one_message_only() {
    let application_secret = application_secret();
    for purpose in PURPOSES {
        let mac = application_secret.mac(purpose, b"message");
        for other in PURPOSES {
            assert_eq!(application_secret.matches(other, b"message", &mac), other == purpose, "{purpose:?} {other:?}");
        }
        for other in [&b""[..], b"messag", b"message\0", b"Message", &[b'm'; 100_000]] {
            assert!(!application_secret.matches(purpose, other, &mac));
            assert!(application_secret.matches(purpose, other, &application_secret.mac(purpose, other)));
        }
    }
}

#[test]
fn a_hash_with_any_bit_changed_does_not_match() {
    let application_secret = application_secret();
    let mac = application_secret.mac(MacPurpose::Code, b"message");
    for bit in 0..256 {
        let mut bytes = *mac.bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(!application_secret.matches(MacPurpose::Code, b"message", &Mac::from_bytes(bytes)), "{bit}");
    }
}

#[test]
fn former_secrets_match_but_create_no_hashes() {
    let (old, new) = (application_secret(), rotated());
    let mac = old.mac(MacPurpose::Link, b"message");
    assert!(new.matches(MacPurpose::Link, b"message", &mac));
    assert!(!unrelated().matches(MacPurpose::Link, b"message", &mac));
    let mac = new.mac(MacPurpose::Link, b"message");
    assert_eq!(mac, unrelated().mac(MacPurpose::Link, b"message"));
    assert!(new.matches(MacPurpose::Link, b"message", &mac));
    assert!(!old.matches(MacPurpose::Link, b"message", &mac));
}

#[test]
fn the_same_secret_may_be_configured_twice() {
    let application_secret = ApplicationSecret::new(SECRET, &[SECRET, SECRET]).unwrap();
    let mac = application_secret.mac(MacPurpose::Link, b"message");
    assert!(application_secret.matches(MacPurpose::Link, b"message", &mac));
    assert!(!application_secret.matches(MacPurpose::Link, b"other", &mac));
}
