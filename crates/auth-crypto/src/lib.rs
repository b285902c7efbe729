//! Cryptography for `auth-core`: signatures of tokens, password hashes, secrets at rest, the system's clock and
//! randomness.
//!
//! | port of `auth-core` | here |
//! |---|---|
//! | `TokenSigner` | [`KeyRing`]: one key that signs, or none, and any number that verify |
//! | | [`RemoteKeyRing`]: the same, and the keys that another issuer publishes |
//! | `PasswordHasher` | `BoundedHasher`: Argon2id on its own few threads, and every hash that Django has written |
//! | `KeyedHash`, `SecretBox` | `ApplicationSecret`: one secret that hashes and seals, and former ones that are still recognised |
//! | `Clock` | [`SystemClock`] |
//! | `Randomness` | [`SystemRandomness`] |
//!
//! `BoundedHasher` is behind the feature `passwords` and `ApplicationSecret` behind `sealing`, both on by default: a program that
//! only verifies tokens compiles neither, nor `auth-accounts`.
//!
//! Primitives come from `aws-lc-rs` (through `jsonwebtoken` for signatures), `argon2`, `bcrypt` and `scrypt`; nothing
//! here invents one. Keys arrive as text: this crate opens no file and no connection, and reads no environment.

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
