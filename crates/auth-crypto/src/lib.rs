//! Cryptography for `auth-core`: token signatures, password hashes, encryption of stored secrets, the system clock and
//! random bytes.
//!
//! | port | implementation |
//! |---|---|
//! | `TokenSigner` | [`KeyRing`]: at most one signing key and any number of verifying keys |
//! | | [`RemoteKeyRing`]: a key ring and the JWK set of another issuer |
//! | `PasswordHasher` | `BoundedHasher`: Argon2id on a bounded thread pool; verifies every password hash format of Django |
//! | `KeyedHash`, `SecretBox` | `ApplicationSecret`: the current application secret, and former ones that are still accepted |
//! | `Clock` | [`SystemClock`] |
//! | `Randomness` | [`SystemRandomness`] |
//!
//! The feature `passwords` enables `BoundedHasher` and the feature `sealing` enables `ApplicationSecret`; both are on
//! by default. A program that only verifies tokens can disable them, and then does not compile `auth-accounts` either.
//!
//! All primitives come from `aws-lc-rs` (through `jsonwebtoken` for signatures), `argon2`, `bcrypt`, `scrypt` and
//! `md-5`. Keys are passed in as strings: this crate opens no files or connections and reads no environment variables.

#[cfg(feature = "sealing")]
mod application_secret;
mod clock;
mod key;
#[cfg(feature = "passwords")]
mod password;
mod randomness;
mod remote;
mod ring;
#[cfg(test)]
mod vectors;

#[cfg(feature = "sealing")]
pub use application_secret::{ApplicationSecret, ApplicationSecretError, SealFault, WhichSecret};
pub use clock::SystemClock;
pub use key::{Algorithm, KeyError, SigningKey, VerifyingKey, generate_ed25519_pem, generate_secret};
#[cfg(feature = "passwords")]
pub use password::{Argon2Cost, BoundedHasher, CostOutOfBounds, HasherOptions};
pub use randomness::SystemRandomness;
pub use remote::{KeySetError, KeySource, RemoteKeyRing, RemoteOptions};
pub use ring::{KeyRing, RingOptions};
