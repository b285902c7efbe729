//! The keys of one secret, and what stands in the storage.
//!
//! What is stored outlives a release, so nothing here changes without a new form beside the old one:
//!
//! - keys: HKDF-SHA-256 without salt (RFC 5869), 32 bytes for each info string;
//! - hash: HMAC-SHA-256 of the length of the purpose's name (8 bytes, big-endian), that name, and the message;
//! - sealed: the form (1 byte), the id of the secret (8), the nonce (12), the encrypted text, the tag (16).

use auth_accounts::secret::{Mac, Sealed};
use aws_lc_rs::aead::{AES_256_GCM_SIV, Aad, Nonce, RandomizedNonceKey};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::{hkdf, hmac};
use zeroize::Zeroizing;

use crate::application_secret::{ApplicationSecret, ApplicationSecretError, SealFault, WhichSecret};
use crate::key::check_unpublished;

/// The one form there is. A hash does not say its form: another one needs info strings of its own.
const FORM: u8 = 1;

const MAC_INFO: &[u8] = b"auth vault 1: mac";
const SEAL_INFO: &[u8] = b"auth vault 1: seal";
const ID_INFO: &[u8] = b"auth vault 1: id";

const ID_LEN: usize = 8;
const NONCE_LEN: usize = 12;
const TAG_LEN: usize = 16;

/// Which secret something was sealed with. Derived like a key, so it tells nothing about the others.
type SecretId = [u8; ID_LEN];

/// The keys of one secret.
pub(super) struct SecretKeys {
    id: SecretId,
    mac: hmac::Key,
    /// AES-256-GCM-SIV (RFC 8452), whose nonces the library draws. A nonce that comes twice, as it may after a snapshot
    /// of a machine is restored, tells only whether two texts are the same; under plain GCM it would give away both,
    /// and let anybody seal.
    seal: RandomizedNonceKey,
}

impl SecretKeys {
    /// The keys of a secret, if it is good enough.
    pub(super) fn derive(which: WhichSecret, secret: &str) -> Result<Self, ApplicationSecretError> {
        let secret = secret.as_bytes();
        check_unpublished(secret).map_err(|fault| ApplicationSecretError::NotSecret { which, fault })?;
        if secret.len() < ApplicationSecret::MIN_SECRET_LEN {
            return Err(ApplicationSecretError::TooShort { which, bytes: secret.len() });
        }
        Self::expand(&hkdf::Salt::new(hkdf::HKDF_SHA256, &[]).extract(secret))
            .map_err(|Unspecified| ApplicationSecretError::NotDerived { which })
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

    /// The hash of a message for the purpose of this name.
    pub(super) fn mac(&self, purpose: &str, message: &[u8]) -> Mac {
        let mut context = hmac::Context::with_key(&self.mac);
        // The length says where the name ends: "a" and "bc" are not "ab" and "c".
        context.update(&(purpose.len() as u64).to_be_bytes());
        context.update(purpose.as_bytes());
        context.update(message);
        let mut bytes = [0; 32];
        bytes.copy_from_slice(context.sign().as_ref());
        Mac::from_bytes(bytes)
    }

    /// Seals a text for a context.
    pub(super) fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Sealed, SealFault> {
        let mut text = Zeroizing::new(plain.to_vec());
        let aad = associated_data(self.id, context);
        let sealed = self.seal.seal_in_place_separate_tag(Aad::from(aad), &mut text);
        let (nonce, tag) = sealed.map_err(|Unspecified| SealFault::NotSealed)?;
        Ok(Sealed::new([&[FORM][..], &self.id, nonce.as_ref(), &text, tag.as_ref()].concat()))
    }

    /// Whether it was sealed with this secret, as it says.
    pub(super) fn have_sealed(&self, sealed: &Parts<'_>) -> bool {
        *sealed.id == self.id
    }

    /// Opens what was sealed for a context.
    pub(super) fn open(&self, context: &[u8], sealed: &Parts<'_>) -> Result<Vec<u8>, SealFault> {
        // Holds what was decrypted before the tag is found to be wrong.
        let mut text = Zeroizing::new(sealed.text_and_tag.to_vec());
        let aad = associated_data(self.id, context);
        let opened = self.seal.open_in_place(Nonce::from(sealed.nonce), Aad::from(aad), &mut text);
        Ok(opened.map_err(|Unspecified| SealFault::Altered)?.to_vec())
    }
}

/// What is authenticated beside the text: all that stands before the nonce, of a fixed length, and the context.
fn associated_data(id: SecretId, context: &[u8]) -> Vec<u8> {
    [&[FORM][..], &id, context].concat()
}

/// Something sealed, taken apart; nothing in it is authenticated.
pub(super) struct Parts<'a> {
    id: &'a SecretId,
    nonce: &'a [u8; NONCE_LEN],
    text_and_tag: &'a [u8],
}

impl<'a> Parts<'a> {
    pub(super) fn of(sealed: &'a Sealed) -> Result<Self, SealFault> {
        let (form, rest) = sealed.bytes().split_first().ok_or(SealFault::CutShort)?;
        if *form != FORM {
            return Err(SealFault::UnknownForm(*form));
        }
        let (id, rest) = rest.split_first_chunk().ok_or(SealFault::CutShort)?;
        let (nonce, text_and_tag) = rest.split_first_chunk().ok_or(SealFault::CutShort)?;
        if text_and_tag.len() < TAG_LEN {
            return Err(SealFault::CutShort);
        }
        Ok(Self { id, nonce, text_and_tag })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_ends_where_its_message_begins() {
        let keys = SecretKeys::derive(WhichSecret::Current, "nobody else knows this: 2026-10-01").unwrap();
        let macs = ["", "a", "ab", "abc"].map(|name| keys.mac(name, &b"abc"[name.len()..]));
        for (place, mac) in macs.iter().enumerate() {
            assert!(!macs[..place].contains(mac), "{place}");
        }
    }
}
