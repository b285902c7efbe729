//! Parsing of stored password hashes in the formats of Django (wire contract section 10).
//!
//! Stored hashes are untrusted input. A hash that is malformed, has an unknown format, or exceeds the cost limits
//! (SEC-056) is rejected, and no password matches it.

use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use argon2::Version;
use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};

use crate::password::cost::Argon2Cost;
use crate::password::stored::{BCRYPT_TAG_LEN, Scheme, Stored};

/// Longest hash parsed, in bytes. The column of Django has 128 characters.
const MAX_LEN: usize = 512;

const PBKDF2_MAX_ROUNDS: u32 = 10_000_000;
/// Binary logarithm of the number of rounds.
const BCRYPT_COSTS: RangeInclusive<u32> = 4..=16;
/// Limits the memory of scrypt, and the total number of bytes that it writes to it.
const SCRYPT_MAX_BYTES: u64 = 256 * 1024 * 1024;

/// Parses a stored hash; returns `None` if no password can match it.
pub(super) fn parse(hash: &str) -> Option<Stored<'_>> {
    if hash.len() > MAX_LEN {
        return None;
    }
    let (name, rest) = hash.split_once('$')?;
    match name {
        "argon2" => argon2(rest),
        "pbkdf2_sha256" => pbkdf2(rest, pbkdf2::PBKDF2_HMAC_SHA256, 32),
        "pbkdf2_sha1" => pbkdf2(rest, pbkdf2::PBKDF2_HMAC_SHA1, 20),
        "bcrypt_sha256" => bcrypt(rest, true),
        "bcrypt" => bcrypt(rest, false),
        "scrypt" => scrypt(rest),
        "md5" => md5(rest),
        _ => None,
    }
}

/// Parses `argon2id$v=19$m=19456,t=2,p=1$salt$hash`. Without `v`, the version is 16. Django never writes Argon2d.
fn argon2(fields: &str) -> Option<Stored<'_>> {
    let fields: Vec<_> = fields.split('$').collect();
    let (variant, version, cost, salt, tag) = match *fields.as_slice() {
        [variant, "v=19", cost, salt, tag] => (variant, Version::V0x13, cost, salt, tag),
        [variant, "v=16", cost, salt, tag] | [variant, cost, salt, tag] => (variant, Version::V0x10, cost, salt, tag),
        _ => return None,
    };
    let variant = match variant {
        "argon2id" => argon2::Algorithm::Argon2id,
        "argon2i" => argon2::Algorithm::Argon2i,
        _ => return None,
    };
    let mut costs = cost.split(',');
    let mut next = |prefix| number(costs.next()?.strip_prefix(prefix)?);
    let cost = Argon2Cost::new(next("m=")?, next("t=")?, next("p=")?).ok()?;
    if costs.next().is_some() {
        return None;
    }
    let (salt, tag) = (STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(tag).ok()?);
    let in_bounds = (8..=64).contains(&salt.len()) && (16..=64).contains(&tag.len());
    in_bounds.then_some(Stored { scheme: Scheme::Argon2 { variant, version, cost, salt }, tag })
}

/// Parses `1000000$salt$hash`: rounds, salt, hash.
fn pbkdf2(fields: &str, algorithm: pbkdf2::Algorithm, len: usize) -> Option<Stored<'_>> {
    let [rounds, salt, tag] = split(fields)?;
    let rounds = NonZeroU32::new(number(rounds)?).filter(|rounds| rounds.get() <= PBKDF2_MAX_ROUNDS)?;
    let tag = STANDARD.decode(tag).ok().filter(|tag| tag.len() == len)?;
    Some(Stored { scheme: Scheme::Pbkdf2 { algorithm, rounds, salt }, tag })
}

/// Parses `$2b$12$`, followed by 22 characters of salt and 31 of hash.
fn bcrypt(fields: &str, digested: bool) -> Option<Stored<'_>> {
    let ["", version, cost, rest] = split(fields)? else { return None };
    // `2x` marks hashes of a faulty implementation.
    if !["2a", "2b", "2y"].contains(&version) || cost.len() != 2 {
        return None;
    }
    let cost = number(cost).filter(|cost| BCRYPT_COSTS.contains(cost))?;
    let (salt, tag) = rest.split_at_checked(22)?;
    let (salt, tag) = (bcrypt::BASE_64.decode(salt).ok()?, bcrypt::BASE_64.decode(tag).ok()?);
    let salt = salt.try_into().ok()?;
    (tag.len() == BCRYPT_TAG_LEN).then_some(Stored { scheme: Scheme::Bcrypt { digested, cost, salt }, tag })
}

/// Parses `16384$salt$8$5$hash`: N, salt, r, p (RFC 7914 §2), hash.
fn scrypt(fields: &str) -> Option<Stored<'_>> {
    let [n, salt, r, p, tag] = split(fields)?;
    let (n, r, p) = (number(n)?, number(r)?, number(p)?);
    // scrypt writes 128 * N * r bytes, p times (RFC 7914 §6).
    let blocks = u64::from(n).checked_mul(u64::from(r))?.checked_mul(u64::from(p))?;
    if !n.is_power_of_two() || n < 2 || blocks.checked_mul(128)? > SCRYPT_MAX_BYTES {
        return None;
    }
    let params = scrypt::Params::new(u8::try_from(n.ilog2()).ok()?, r, p).ok()?;
    let tag = STANDARD.decode(tag).ok().filter(|tag| tag.len() == 64)?;
    Some(Stored { scheme: Scheme::Scrypt { params, salt }, tag })
}

/// Parses `salt$hash`; the hash is in hex.
fn md5(fields: &str) -> Option<Stored<'_>> {
    let [salt, tag] = split(fields)?;
    (tag.len() == 32).then(|| Stored { scheme: Scheme::Md5 { salt }, tag: tag.as_bytes().to_vec() })
}

/// Splits at `$` into exactly `N` fields.
fn split<const N: usize>(fields: &str) -> Option<[&str; N]> {
    fields.split('$').collect::<Vec<_>>().try_into().ok()
}

/// Parses a number of ASCII digits only, without a sign.
fn number(digits: &str) -> Option<u32> {
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SEC-056.
    #[test]
    fn rejects_hashes_that_are_malformed_or_exceed_the_cost_limits() {
        const TAG: &str = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        const TAG_64: &str = "g1axRrQq9XTkYDALRBNrKEx5bX5z2BseUGmyZfnaFDmzV3oGBIKfEiPmiCAHV5mkeze7hvDKiK3tdsTpen6fHA==";
        const BCRYPT: &str = "ogPqTh2rNdIDOuJfLVdoNeWBD2bn47GnUuar8AtL7fhZ9fujY.xvG";
        let argon2 = |middle: &str| format!("argon2${middle}$c29tZXNhbHQ${TAG}");
        let pbkdf2 = |rounds: &str| format!("pbkdf2_sha256${rounds}$salt${TAG}=");
        let scrypt = |n: &str, r: &str, p: &str| format!("scrypt${n}$salt${r}${p}${TAG_64}");
        let bcrypt = |middle: &str| format!("bcrypt${middle}${BCRYPT}");
        for (hash, accepted) in [
            (argon2("argon2id$v=19$m=262144,t=16,p=16"), true),
            (argon2("argon2i$v=19$m=8,t=1,p=1"), true),
            (argon2("argon2i$v=16$m=8,t=1,p=1"), true),
            (argon2("argon2i$m=8,t=1,p=1"), true),
            (argon2("argon2id$v=19$m=262145,t=16,p=16"), false),
            (argon2("argon2id$v=19$m=262144,t=17,p=16"), false),
            (argon2("argon2id$v=19$m=262144,t=16,p=17"), false),
            (argon2("argon2id$v=19$m=4294967296,t=1,p=1"), false),
            (argon2("argon2id$v=19$m=7,t=1,p=1"), false),
            (argon2("argon2id$v=19$m=8,t=0,p=1"), false),
            (argon2("argon2id$v=19$m=8,t=1,p=0"), false),
            (argon2("argon2id$v=19$m=+8,t=1,p=1"), false),
            (argon2("argon2id$v=19$m=-8,t=1,p=1"), false),
            (argon2("argon2id$v=19$m=,t=1,p=1"), false),
            (argon2("argon2id$v=19$t=1,m=8,p=1"), false),
            (argon2("argon2id$v=19$m=8,t=1"), false),
            (argon2("argon2id$v=19$m=8,t=1,p=1,data=AAAA"), false),
            (argon2("argon2id$v=20$m=8,t=1,p=1"), false),
            (argon2("argon2d$v=19$m=8,t=1,p=1"), false),
            (argon2("$argon2id$v=19$m=8,t=1,p=1"), false),
            (format!("argon2$argon2id$v=19$m=8,t=1,p=1$c2hvcnQ${TAG}"), false),
            (format!("argon2$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ=${TAG}"), false),
            (format!("argon2$argon2id$v=19$m=8,t=1,p=1${}${TAG}", "A".repeat(88)), false),
            ("argon2$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$AAAA".to_owned(), false),
            (format!("argon2$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ${}", "A".repeat(88)), false),
            (format!("argon2$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ${TAG}$"), false),
            ("argon2$argon2id".to_owned(), false),
            (pbkdf2("10000000"), true),
            (pbkdf2("1"), true),
            (pbkdf2("10000001"), false),
            (pbkdf2("0"), false),
            (pbkdf2("4294967297"), false),
            (pbkdf2(""), false),
            (pbkdf2(" 1"), false),
            (format!("pbkdf2_sha1$1$salt${TAG}="), false),
            (format!("pbkdf2_sha256$1$salt${TAG}"), false),
            (format!("pbkdf2_sha512$1$salt${TAG}="), false),
            ("pbkdf2_sha256$1$salt$".to_owned(), false),
            (format!("pbkdf2_sha256$1${TAG}="), false),
            (bcrypt("$2b$04"), true),
            (bcrypt("$2a$16"), true),
            (bcrypt("$2y$12"), true),
            (bcrypt("$2x$12"), false),
            (bcrypt("$2b$17"), false),
            (bcrypt("$2b$31"), false),
            (bcrypt("$2b$03"), false),
            (bcrypt("$2b$4"), false),
            (bcrypt("$2b$+4"), false),
            (bcrypt("2b$12"), false),
            ("bcrypt$$2b$12$ogPqTh2rNdIDOuJfLVdoNe".to_owned(), false),
            ("bcrypt$$2b$12$".to_owned(), false),
            (format!("bcrypt$$2b$12${BCRYPT}."), false),
            (format!("bcrypt$$2b$12$\u{e4}{BCRYPT}"), false),
            (format!("bcrypt$$2b$12$ogPqTh2rNdIDOuJfLVdoN\u{e4}{}", &BCRYPT[23..]), false),
            (format!("bcrypt_sha256$$2b$12${BCRYPT}"), true),
            (scrypt("262144", "8", "1"), true),
            (scrypt("16384", "8", "16"), true),
            (scrypt("2", "1", "1"), true),
            (scrypt("262144", "8", "2"), false),
            (scrypt("524288", "8", "1"), false),
            (scrypt("2", "4294967295", "4294967295"), false),
            (scrypt("16385", "8", "1"), false),
            (scrypt("1", "8", "1"), false),
            (scrypt("0", "8", "1"), false),
            (scrypt("2", "0", "1"), false),
            (scrypt("2", "1", "0"), false),
            (format!("scrypt$2$salt$1$1${TAG}="), false),
            ("md5$salt$964796ecabd0bbbb25f32e80f9deb041".to_owned(), true),
            ("md5$$964796ecabd0bbbb25f32e80f9deb041".to_owned(), true),
            ("md5$964796ecabd0bbbb25f32e80f9deb041".to_owned(), false),
            ("md5$salt$".to_owned(), false),
            (format!("md5${}$964796ecabd0bbbb25f32e80f9deb041", "s".repeat(512)), false),
            ("!iRCGoHjauwVqAb0dIxY2f9SJAWts8UswgL6yOT0M".to_owned(), false),
            ("!argon2$argon2i$m=8,t=1,p=1$c29tZXNhbHQ".to_owned() + "$" + TAG, false),
            (" md5$salt$964796ecabd0bbbb25f32e80f9deb041".to_owned(), false),
            ("MD5$salt$964796ecabd0bbbb25f32e80f9deb041".to_owned(), false),
            (String::new(), false),
            ("$".repeat(512), false),
        ] {
            assert_eq!(parse(&hash).is_some(), accepted, "{hash}");
        }
    }
}
