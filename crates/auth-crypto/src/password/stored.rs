//! Creation and verification of stored password hashes.

use std::num::NonZeroU32;

use argon2::Version;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::pbkdf2;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use md5::{Digest as _, Md5};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::password::WorkError;
use crate::password::cost::{Argon2Cost, Scratch};

/// Length of a new salt, in bytes (RFC 9106 §3.1).
pub(super) const SALT_LEN: usize = 16;

/// Length of a new hash, in bytes.
const TAG_LEN: usize = 32;

/// Hashes a password with Argon2id, in the format of Django: `argon2` followed by a PHC string.
pub(super) fn create(
    password: &[u8],
    salt: &[u8; SALT_LEN],
    cost: Argon2Cost,
    scratch: &mut Scratch,
) -> Result<String, WorkError> {
    let mut tag = [0; TAG_LEN];
    scratch.argon2((argon2::Algorithm::Argon2id, Version::V0x13, cost), password, salt, &mut tag)?;
    let (memory, passes, lanes) = (cost.memory_kib(), cost.passes(), cost.lanes());
    let (salt, tag) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(tag));
    Ok(format!("argon2$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${tag}"))
}

/// A parsed password hash.
pub(super) struct Stored<'a> {
    pub(super) scheme: Scheme<'a>,
    /// The output of the scheme for the right password.
    pub(super) tag: Vec<u8>,
}

/// An algorithm with its cost and salt.
pub(super) enum Scheme<'a> {
    Argon2 {
        variant: argon2::Algorithm,
        version: Version,
        cost: Argon2Cost,
        salt: Vec<u8>,
    },
    Pbkdf2 {
        algorithm: pbkdf2::Algorithm,
        rounds: NonZeroU32,
        salt: &'a str,
    },
    /// `digested`: hashes the SHA-256 of the password in hex, so that a password may be longer than 72 bytes.
    Bcrypt {
        digested: bool,
        cost: u32,
        salt: [u8; 16],
    },
    Scrypt {
        params: scrypt::Params,
        salt: &'a str,
    },
    Md5 {
        salt: &'a str,
    },
}

impl Stored<'_> {
    /// Returns whether it has the parameters of a hash that [`create`] returns at the cost `wanted`.
    pub(super) fn is_current(&self, wanted: Argon2Cost) -> bool {
        let Scheme::Argon2 { variant, version, cost, salt } = &self.scheme else { return false };
        *variant == argon2::Algorithm::Argon2id
            && *version == Version::V0x13
            && *cost == wanted
            && salt.len() >= SALT_LEN
            && self.tag.len() == TAG_LEN
    }

    /// Returns whether the scheme gives this password the same hash as a shorter one because of its NUL bytes.
    fn has_ambiguous_nul(&self, password: &[u8]) -> bool {
        match self.scheme {
            // HMAC pads its key with NUL bytes (RFC 2104 §2): "a\0" has the hash of "a".
            Scheme::Pbkdf2 { .. } | Scheme::Scrypt { .. } => password.ends_with(&[0]),
            // bcrypt repeats its key, separated by NUL bytes: "a\0a" has the hash of "a".
            Scheme::Bcrypt { digested: false, .. } => password.contains(&0),
            Scheme::Bcrypt { digested: true, .. } | Scheme::Argon2 { .. } | Scheme::Md5 { .. } => false,
        }
    }

    /// Returns whether `password` matches the hash. Compares in constant time.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub(super) fn matches(&self, password: &[u8], scratch: &mut Scratch) -> Result<bool, WorkError> {
        let mut tag = Zeroizing::new(vec![0; self.tag.len()]);
        match &self.scheme {
            Scheme::Argon2 { variant, version, cost, salt } => {
                scratch.argon2((*variant, *version, *cost), password, salt, &mut tag)?;
            }
            Scheme::Pbkdf2 { algorithm, rounds, salt } => {
                pbkdf2::derive(*algorithm, *rounds, salt.as_bytes(), password, &mut tag);
            }
            Scheme::Bcrypt { digested: true, cost, salt } => bcrypt(*cost, *salt, &sha256_hex(password), &mut tag),
            Scheme::Bcrypt { digested: false, cost, salt } => bcrypt(*cost, *salt, password, &mut tag),
            Scheme::Scrypt { params, salt } => scrypt::scrypt(password, salt.as_bytes(), params, &mut tag)?,
            Scheme::Md5 { salt } => {
                tag.copy_from_slice(&hex(&Md5::new().chain_update(salt).chain_update(password).finalize()));
            }
        }
        Ok(bool::from(tag.ct_eq(&self.tag)) && !self.has_ambiguous_nul(password))
    }
}

/// Number of bytes stored of the 24 that bcrypt returns.
pub(super) const BCRYPT_TAG_LEN: usize = 23;

/// Computes bcrypt of the first 72 bytes of `key` and a final NUL.
fn bcrypt(cost: u32, salt: [u8; 16], key: &[u8], tag: &mut [u8]) {
    const MAX_KEY_LEN: usize = 72;
    let key: Zeroizing<Vec<u8>> = Zeroizing::new(key.iter().copied().chain([0]).take(MAX_KEY_LEN).collect());
    let full = Zeroizing::new(bcrypt::bcrypt(cost, salt, &key));
    full.iter().zip(tag).for_each(|(from, to)| *to = *from);
}

/// Returns the SHA-256 of `bytes` in lowercase hex.
fn sha256_hex(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    hex(digest(&SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let encoded = |byte: &u8| [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]];
    Zeroizing::new(bytes.iter().flat_map(encoded).collect())
}
