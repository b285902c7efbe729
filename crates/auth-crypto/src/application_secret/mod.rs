//! The application secret: keyed hashes, authenticated encryption of stored values, and HOTP values.
//!
//! Each use has its own key, derived from the secret: none reveals anything about another, nor about tokens signed with
//! the same string. Storing and replacing the secrets is the responsibility of the host.

mod error;
mod hotp;
mod keys;

use std::fmt;
use std::iter::once;

use auth_accounts::ports::{KeyedHash, SealError, SecretBox};
use auth_accounts::secret::{Mac, MacPurpose, Sealed};
use subtle::{Choice, ConstantTimeEq as _};

use crate::application_secret::keys::SecretKeys;

pub use error::{ApplicationSecretError, SealFault, WhichSecret};

/// The current application secret, which hashes and seals, and former ones, which still verify and open.
///
/// Secret: keys are wiped when dropped and never appear in `Debug` output. One copy cannot be wiped: `aws-lc-rs` keeps
/// the HMAC key in a value that may have been copied on the stack when it was moved. The strings passed to
/// [`new`](Self::new) are not kept; wiping them is the responsibility of the host.
///
/// ```
/// use auth_accounts::ports::{KeyedHash, SecretBox};
/// use auth_crypto::{ApplicationSecret, generate_secret};
/// let (former, current) = (generate_secret()?, generate_secret()?);
/// let sealed = ApplicationSecret::new(&former, &[])?.seal(b"totp of 7", b"known to one app")?;
/// let application_secret = ApplicationSecret::new(&current, &[&former])?;
/// assert_eq!(application_secret.open(b"totp of 7", &sealed)?, b"known to one app");
/// assert!(application_secret.open(b"totp of 8", &sealed).is_err());
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub struct ApplicationSecret {
    current: SecretKeys,
    former: Vec<SecretKeys>,
}

impl ApplicationSecret {
    /// Shortest secret accepted, in bytes: the length of the derived keys.
    pub const MIN_SECRET_LEN: usize = 32;

    /// Derives the keys of the current secret and of the former ones. The bytes of the strings are used as they are,
    /// not decoded from base64 or hex; [`generate_secret`] generates suitable ones.
    ///
    /// Before a new secret becomes the current one, configure it as a former one in every process. Otherwise processes
    /// that do not have it yet reject what the others hash and seal with it.
    ///
    /// # Errors
    /// [`ApplicationSecretError`] if a secret is shorter than [`MIN_SECRET_LEN`](Self::MIN_SECRET_LEN), a widely
    /// published example, or a key or certificate.
    ///
    /// [`generate_secret`]: crate::generate_secret
    pub fn new(current: &str, former: &[&str]) -> Result<Self, ApplicationSecretError> {
        let former =
            former.iter().zip(1..).map(|(secret, position)| SecretKeys::derive(WhichSecret::Former(position), secret));
        Ok(Self {
            current: SecretKeys::derive(WhichSecret::Current, current)?,
            former: former.collect::<Result<_, _>>()?,
        })
    }

    /// Returns the current secret and then the former ones.
    fn all(&self) -> impl Iterator<Item = &SecretKeys> {
        once(&self.current).chain(&self.former)
    }
}

impl KeyedHash for ApplicationSecret {
    fn mac(&self, purpose: MacPurpose, message: &[u8]) -> Mac {
        self.current.mac(purpose.name(), message)
    }

    fn matches(&self, purpose: MacPurpose, message: &[u8], mac: &Mac) -> bool {
        // Compares under every secret, so that the time does not reveal which one matched.
        let equal = |keys: &SecretKeys| keys.mac(purpose.name(), message).bytes().ct_eq(mac.bytes());
        self.all().map(equal).fold(Choice::from(0), |found, equal| found | equal).into()
    }

    fn hotp(&self, secret: &[u8], counter: u64) -> u32 {
        hotp::value(secret, counter)
    }
}

impl SecretBox for ApplicationSecret {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Sealed, SealError> {
        Ok(self.current.seal(context, plain)?)
    }

    fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let sealed = keys::SealedParts::parse(sealed)?;
        let keys = self.all().find(|keys| keys.matches_id(&sealed)).ok_or(SealFault::UnknownSecret)?;
        Ok(keys.open(context, &sealed)?)
    }
}

impl fmt::Debug for ApplicationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplicationSecret").field("former", &self.former.len()).finish_non_exhaustive()
    }
}
