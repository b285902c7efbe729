//! The keys derived from one secret, and the formats of stored values.
//!
//! Stored values outlive a release: a change here needs a new format that is accepted beside the old one.
//!
//! - keys: HKDF-SHA-256 without salt (RFC 5869), 32 bytes for each info string;
//! - keyed hash: HMAC-SHA-256 of the length of the purpose's name (8 bytes, big-endian), that name, and the message;
//! - sealed value: the format (1 byte), the ID of the secret (8), the nonce (12), the ciphertext, the tag (16).

use auth_accounts::secret::{Mac, Sealed};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::application_secret::{ApplicationSecret, ApplicationSecretError, SealFault, WhichSecret};
use crate::key::check_unpublished;

/// The only format so far. A keyed hash does not carry its format: a new one needs new info strings.
const FORMAT: u8 = 1;

const MAC_INFO: &[u8] = b"auth vault 1: mac";
const SEAL_INFO: &[u8] = b"auth vault 1: seal";
const ID_INFO: &[u8] = b"auth vault 1: id";

const ID_LEN: usize = 8;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// Identifies the secret that a value was sealed with. Derived like the keys, so it reveals nothing about them.
type SecretId = [u8; ID_LEN];

/// The keys derived from one secret.
pub(super) struct SecretKeys {
    id: SecretId,
    mac: hmac::Key,
    /// AES-256-GCM-SIV (RFC 8452) with random nonces. A repeated nonce, as after the restore of a virtual machine
    /// snapshot, reveals only whether two plaintexts are equal. With AES-GCM it would reveal their XOR and allow
    /// forgeries.
    seal: RandomizedNonceKey,
}

impl SecretKeys {
    /// Derives the keys of a secret, unless it is too short or known to others.
    pub(super) fn derive(which: WhichSecret, secret: &str) -> Result<Self, ApplicationSecretError> {
        let secret = secret.as_bytes();
        check_unpublished(secret).map_err(|fault| ApplicationSecretError::NotSecret { which, fault })?;
        if secret.len() < ApplicationSecret::MIN_SECRET_LEN {
            return Err(ApplicationSecretError::TooShort { which, bytes: secret.len() });
        }
        Self::expand(&hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret))
            .map_err(|Unspecified| ApplicationSecretError::DerivationFailed { which })
    }

    fn expand(secret: &hkdf::Prk) -> Result<Self, Unspecified> {
        let key = |info: &[u8]| {
            let mut key = Zeroizing::new([0; 32]);
            secret.expand(&[info], hkdf::HKDF_SHA256)?.fill(key.as_mut_slice())?;
            Ok::<_, Unspecified>(key)
        };
        let mut id = SecretId::default();
        id.copy_from_slice(&key(ID_INFO)?[..ID_LEN]);
        Ok(Self {
            id,
            mac: hmac::Key::new(hmac::HMAC_SHA256, key(MAC_INFO)?.as_slice()),
            seal: RandomizedNonceKey::new(&AES_256_GCM_SIV, key(SEAL_INFO)?.as_slice())?,
        })
    }

    /// Returns the keyed hash of `message` for the purpose with this name.
    pub(super) fn mac(&self, purpose: &str, message: &[u8]) -> Mac {
        let mut context = hmac::Context::with_key(&self.mac);
        // The length marks the end of the name: ("a", "bc") and ("ab", "c") must have different hashes.
        context.update(&(purpose.len() as u64).to_be_bytes());
        context.update(purpose.as_bytes());
        context.update(message);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.sign().as_ref());
        Mac::from_bytes(bytes)
    }

    /// Seals `plain` for `context`.
    pub(super) fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Sealed, SealFault> {
        let mut buffer = Zeroizing::new(plain.to_vec());
        let aad = associated_data(self.id, context);
        let sealed = self.seal.seal_in_place_separate_tag(Aad::from(aad), &mut buffer);
        let (nonce, tag) = sealed.map_err(|Unspecified| SealFault::SealingFailed)?;
        Ok(Sealed::new([&[FORMAT][..], &self.id, nonce.as_ref(), &buffer, tag.as_ref()].concat()))
    }

    /// Returns whether `sealed` carries the ID of this secret, which is not authenticated yet.
    pub(super) fn matches_id(&self, sealed: &SealedParts<'_>) -> bool {
        *sealed.id == self.id
    }

    /// Opens a value that was sealed for `context`.
    pub(super) fn open(&self, context: &[u8], sealed: &SealedParts<'_>) -> Result<Vec<u8>, SealFault> {
        // Zeroized even if the tag is wrong: the buffer may hold decrypted bytes by then.
        let mut buffer = Zeroizing::new(sealed.ciphertext_and_tag.to_vec());
        let aad = associated_data(self.id, context);
        let opened = self.seal.open_in_place(Nonce::from(sealed.nonce), Aad::from(aad), &mut buffer);
        Ok(opened.map_err(|Unspecified| SealFault::Altered)?.to_vec())
    }
}

/// Returns the data authenticated beside the plaintext: the format and the ID, which have a fixed length, and the
/// context.
fn associated_data(id: SecretId, context: &[u8]) -> Vec<u8> {
    [&[FORMAT][..], &id, context].concat()
}

/// The parts of a sealed value, none of them authenticated.
pub(super) struct SealedParts<'a> {
    id: &'a SecretId,
    nonce: &'a [u8; NONCE_LEN],
    ciphertext_and_tag: &'a [u8],
}

impl<'a> SealedParts<'a> {
    pub(super) fn parse(sealed: &'a Sealed) -> Result<Self, SealFault> {
        let (format, rest) = sealed.bytes().split_first().ok_or(SealFault::Truncated)?;
        if *format != FORMAT {
            return Err(SealFault::UnknownFormat(*format));
        }
        let (id, rest) = rest.split_first_chunk().ok_or(SealFault::Truncated)?;
        let (nonce, ciphertext_and_tag) = rest.split_first_chunk().ok_or(SealFault::Truncated)?;
        if ciphertext_and_tag.len() < TAG_LEN {
            return Err(SealFault::Truncated);
        }
        Ok(Self { id, nonce, ciphertext_and_tag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_of_different_purpose_and_message_splits_differ() {
        let keys = SecretKeys::derive(WhichSecret::Current, "nobody else knows this: 2026-10-01").unwrap();
        let macs = ["", "a", "ab", "abc"].map(|name| keys.mac(name, &b"abc"[name.len()..]));
        for (index, mac) in macs.iter().enumerate() {
            assert!(!macs[..index].contains(mac), "{index}");
        }
    }
}
