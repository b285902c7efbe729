//! An application secret that is public.

use std::hash::{DefaultHasher, Hasher as _};

use auth_accounts::ports::{KeyedHash, SealError, SecretBox};
use auth_accounts::secret::{Mac, MacPurpose, Sealed};

/// **Protects nothing**: its keyed hashes are checksums (SipHash under a seed), and anyone can read what it seals. A
/// sealed value opens only with its context and under the same seed, which is enough for tests that need secrets but no
/// cryptography.
///
/// ```
/// use auth_conformance::PlainSecret;
/// use auth_accounts::ports::{KeyedHash, SecretBox};
/// use auth_accounts::secret::MacPurpose;
/// let application_secret = PlainSecret::default();
/// let sealed = application_secret.seal(b"mail 1", b"123456").unwrap();
/// assert_eq!(sealed.bytes(), b"plain:0:mail 1:123456");
/// assert_eq!(application_secret.open(b"mail 1", &sealed).unwrap(), b"123456");
/// assert!(application_secret.open(b"mail 2", &sealed).is_err());
/// ```
#[derive(Clone, Debug, Default)]
pub struct PlainSecret {
    seed: u64,
}

impl PlainSecret {
    /// An application secret whose "key" is this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The prefix of everything that is sealed with this context.
    fn marker(&self, context: &[u8]) -> Vec<u8> {
        [format!("plain:{}:", self.seed).as_bytes(), context, b":"].concat()
    }
}

fn checksum(parts: &[&[u8]]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        hasher.write_usize(part.len());
        hasher.write(part);
    }
    hasher.finish()
}

impl KeyedHash for PlainSecret {
    fn mac(&self, purpose: MacPurpose, message: &[u8]) -> Mac {
        let mut bytes = [0; 32];
        for (place, chunk) in (0_u8..).zip(bytes.chunks_exact_mut(8)) {
            let parts = [&self.seed.to_le_bytes(), purpose.name().as_bytes(), message, &[place]];
            chunk.copy_from_slice(&checksum(&parts).to_le_bytes());
        }
        Mac::from_bytes(bytes)
    }

    fn matches(&self, purpose: MacPurpose, message: &[u8], mac: &Mac) -> bool {
        self.mac(purpose, message) == *mac
    }

    fn hotp(&self, secret: &[u8], counter: u64) -> u32 {
        // The upper 31 bits.
        u32::try_from(checksum(&[secret, &counter.to_be_bytes()]) >> 33).unwrap_or_default()
    }
}

impl SecretBox for PlainSecret {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Sealed, SealError> {
        Ok(Sealed::new([&self.marker(context), plain].concat()))
    }

    fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let plain = sealed.bytes().strip_prefix(&*self.marker(context));
        plain.map(<[u8]>::to_vec).ok_or_else(|| "sealed for another context or under another secret".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_depend_on_seed_purpose_and_message() {
        let application_secret = PlainSecret::new(1);
        let mac = application_secret.mac(MacPurpose::Code, b"123456");
        assert!(application_secret.matches(MacPurpose::Code, b"123456", &mac));
        assert!(!application_secret.matches(MacPurpose::Link, b"123456", &mac));
        assert!(!application_secret.matches(MacPurpose::Code, b"123457", &mac));
        assert!(!PlainSecret::new(2).matches(MacPurpose::Code, b"123456", &mac));
    }

    #[test]
    fn opens_only_with_the_same_context_and_seed() {
        let application_secret = PlainSecret::new(1);
        let sealed = application_secret.seal(b"a", b"\0secret").unwrap();
        assert_eq!(application_secret.open(b"a", &sealed).unwrap(), b"\0secret");
        assert!(application_secret.open(b"b", &sealed).is_err());
        assert!(PlainSecret::new(2).open(b"a", &sealed).is_err());
    }

    #[test]
    fn hotp_values_depend_on_secret_and_counter_only() {
        let number = PlainSecret::new(1).hotp(b"secret", 1);
        assert!(number < 1 << 31);
        assert_eq!(PlainSecret::new(2).hotp(b"secret", 1), number, "HOTP uses the secret of the user, not the seed");
        assert_ne!(PlainSecret::new(1).hotp(b"secret", 2), number);
        assert_ne!(PlainSecret::new(1).hotp(b"Secret", 1), number);
    }
}
