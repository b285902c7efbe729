//! Why a key is rejected.

use crate::key::Algorithm;

/// Why a key or a key ring is rejected. No message contains any part of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The algorithm is not supported.
    #[error(
        "unknown algorithm: use one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA"
    )]
    UnknownAlgorithm,
    /// The algorithm does not work with this kind of key.
    #[error("{algorithm} does not work with a key of type {key}")]
    WrongKind {
        /// The requested algorithm.
        algorithm: Algorithm,
        /// The kind of the key.
        key: &'static str,
    },
    /// The shared secret is shorter than the hash output of its algorithm (RFC 7518 §3.2).
    #[error("the secret has {bytes} bytes; {algorithm} needs at least {min}")]
    SecretTooShort {
        /// The algorithm.
        algorithm: Algorithm,
        /// Length of the secret, in bytes.
        bytes: usize,
        /// Shortest length accepted, in bytes.
        min: usize,
    },
    /// The shared secret is public: an example from a tutorial or the default of a product.
    #[error("the secret is a widely published example; generate one of your own")]
    SecretPublished,
    /// The shared secret is a public key, a certificate or another PEM block (RFC 8725 §2.1).
    #[error("the secret is a key or certificate; generate a random string as the shared secret")]
    SecretIsKey,
    /// The input does not have exactly one PEM block (RFC 7468).
    #[error("expected exactly one PEM block (-----BEGIN …)")]
    NotPem,
    /// The private key is encrypted with a passphrase.
    #[error("the private key is encrypted; store it without a passphrase")]
    Encrypted,
    /// The input is a certificate instead of a key.
    #[error("this is a certificate; extract its key with `openssl x509 -pubkey -noout`")]
    Certificate,
    /// The input is a public key instead of a private key.
    #[error("this is a public key; signing requires the private key")]
    NotPrivate,
    /// The input is a private key instead of a public key.
    #[error("this is a private key; verification requires the public key (`openssl pkey -pubout`)")]
    NotPublic,
    /// The input is not a JWK (RFC 7517 §4): not a JSON object, or a member is missing, not a string or not base64url.
    #[error("not a JSON Web Key: a member is missing or malformed")]
    NotJwk,
    /// The JWK is a shared secret instead of a public key.
    #[error("this JSON Web Key is a shared secret (oct); only public keys are accepted")]
    SecretJwk,
    /// The `use` or `key_ops` of the JWK does not allow verification (RFC 7517 §4.2, §4.3).
    #[error("this JSON Web Key is not for verifying signatures")]
    NotForVerifying,
    /// The `alg` of the JWK is not the requested algorithm (RFC 8725 §3.1).
    #[error("this JSON Web Key is for {declared}, not for {requested}")]
    AlgorithmMismatch {
        /// The requested algorithm.
        requested: Algorithm,
        /// The algorithm in `alg`.
        declared: Algorithm,
    },
    /// The key is malformed, inconsistent, or of a kind that no supported algorithm works with.
    #[error("the key is malformed or of an unsupported type: use RSA, P-256, P-384 or Ed25519")]
    Unsupported,
    /// The RSA key does not have 2,048 to 8,192 bits (RFC 7518 §3.3).
    #[error("RSA keys must have 2048 to 8192 bits")]
    RsaSize,
    /// The key ID would be rejected in the header of a token.
    #[error("a key ID must have 1 to 128 characters, each one of A-Z a-z 0-9 . _ ~ : = + - @")]
    InvalidKeyId,
    /// Two keys have the same key ID, which is not a secret.
    #[error("two keys have the key ID {0}")]
    DuplicateKeyId(String),
    /// The key ring has no signing key.
    #[error("no signing key: this key ring can only verify")]
    NoSigningKey,
    /// No random bytes are available, or the library failed.
    #[error("key generation failed")]
    GenerationFailed,
}
