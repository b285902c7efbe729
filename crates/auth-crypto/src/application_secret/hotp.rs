//! One-time passwords that are counted (RFC 4226).

use aws_lc_rs::hmac;

/// HMAC-SHA-1 of the counter, truncated to 31 bits (RFC 4226 §5.3, steps 1 and 2).
///
/// SHA-1 is what authenticators have; its collisions do not weaken HMAC (RFC 6194 §3.3).
pub(super) fn number(secret: &[u8], counter: u64) -> u32 {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
    let tag = hmac::sign(&key, &counter.to_be_bytes());
    let bytes = tag.as_ref();
    let offset = bytes.last().map_or(0, |last| usize::from(last & 0xF));
    // 15 + 4 bytes at the most, of 20.
    let number = bytes.iter().skip(offset).take(4).fold(0, |number, byte| number << 8 | u32::from(*byte));
    number & 0x7FFF_FFFF
}
