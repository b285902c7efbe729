//! HMAC-based one-time passwords (HOTP, RFC 4226).

use aws_lc_rs::hmac;

/// Returns the HMAC-SHA-1 of the counter, truncated to 31 bits (RFC 4226 §5.3, steps 1 and 2).
///
/// Authenticator apps use SHA-1. Its collisions do not weaken HMAC (RFC 6194 §3.3).
pub(super) fn value(secret: &[u8], counter: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = bytes.last().map_or(0, |last| usize::from(last & 0xF));
    // The offset is at most 15, so all 4 bytes lie within the 20 of the tag.
    let value = bytes.iter().skip(offset).take(4).fold(0, |value, byte| value << 8 | u32::from(*byte));
    value & 0x7FFF_FFFF
}
