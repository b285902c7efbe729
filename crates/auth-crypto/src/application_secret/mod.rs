//! The secret of the installation: keyed hashes and encryption of what is stored, and the numbers of authenticators.
//!
//! From each secret come keys of its own for each use, so that no use tells anything about another, nor about a token
//! that is signed with the same text. Where the secrets are kept, and when they change, is the caller's business.

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

/// One secret that hashes and seals, and former ones whose work is still recognised.
///
/// Secret: keys are wiped when dropped, and never in `Debug`. What cannot be wiped: `aws-lc-rs` keeps the key of HMAC in
/// a value that Rust may have copied on the stack while the application secret was built and moved. The texts given to
/// [`new`](Self::new) are not kept; wiping them is the caller's business.
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
    /// The shortest secret accepted, in bytes: as long as its keys.
    pub const MIN_SECRET_LEN: usize = 32;

    /// The bytes of these texts as they are, not decoded from base64 or hexadecimal; [`generate_secret`] makes good ones.
    ///
    /// Before a new secret becomes the current one, every process should know it as a "former" one: otherwise those that
    /// do not have it yet refuse what those that have it hash and seal.
    ///
    /// # Errors
    /// [`ApplicationSecretError`] if one of them is shorter than [`MIN_SECRET_LEN`](Self::MIN_SECRET_LEN), a widely published
    /// example, or the text of a key or certificate.
    ///
    /// [`generate_secret`]: crate::generate_secret
    pub fn new(current: &str, former: &[&str]) -> Result<Self, ApplicationSecretError> {
        let former =
            former.iter().zip(1..).map(|(secret, place)| SecretKeys::derive(WhichSecret::Former(place), secret));
        Ok(Self {
            current: SecretKeys::derive(WhichSecret::Current, current)?,
            former: former.collect::<Result<_, _>>()?,
        })
    }

    fn all(&self) -> impl Iterator<Item = &SecretKeys> {
        once(&self.current).chain(&self.former)
    }
}

impl KeyedHash for ApplicationSecret {
    fn mac(&self, purpose: MacPurpose, message: &[u8]) -> Mac {
        self.current.mac(purpose.name(), message)
    }

    fn matches(&self, purpose: MacPurpose, message: &[u8], mac: &Mac) -> bool {
        // All of them are computed: the time does not tell under which one it was right.
        let equal = |keys: &SecretKeys| keys.mac(purpose.name(), message).bytes().ct_eq(mac.bytes());
        self.all().map(equal).fold(Choice::from(0), |found, equal| found | equal).into()
    }

    fn hotp(&self, secret: &[u8], counter: u64) -> u32 {
        hotp::number(secret, counter)
    }
}

impl SecretBox for ApplicationSecret {
    fn seal(&self, context: &[u8], plain: &[u8]) -> Result<Sealed, SealError> {
        Ok(self.current.seal(context, plain)?)
    }

    fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let sealed = keys::Parts::of(sealed)?;
        let keys = self.all().find(|keys| keys.have_sealed(&sealed)).ok_or(SealFault::UnknownSecret)?;
        Ok(keys.open(context, &sealed)?)
    }
}

impl fmt::Debug for ApplicationSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApplicationSecret").field("former", &self.former.len()).finish_non_exhaustive()
    }
}
