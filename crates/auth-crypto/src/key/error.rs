//! Why a key is refused.

use crate::key::Algorithm;

/// Why a key, or a set of keys, is refused. No message contains a part of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The algorithm is not on offer.
    #[error(
        "unknown algorithm: use one of HS256, HS384, HS512, RS256, RS384, RS512, PS256, PS384, PS512, ES256, ES384, EdDSA"
    )]
    UnknownAlgorithm,
    /// A key of one kind for an algorithm of another.
    #[error("{algorithm} does not work with a key of the kind {key}")]
    WrongKind {
        /// What was asked for.
        algorithm: Algorithm,
        /// What the key is.
        key: &'static str,
    },
    /// A shared secret shorter than the hash of its algorithm (RFC 7518 §3.2).
    #[error("the secret has {bytes} bytes; {algorithm} needs at least {least}")]
    SecretTooShort {
        /// What it is for.
        algorithm: Algorithm,
        /// Its length.
        bytes: usize,
        /// The shortest length accepted, in bytes.
        least: usize,
    },
    /// A shared secret that everybody can look up: the example of a tutorial or the default of a product.
    #[error("the secret is a widely published example; generate one of your own")]
    SecretPublished,
    /// A public key, a certificate or another PEM text where a shared secret belongs (RFC 8725 §2.1).
    #[error("the secret is the text of a key or certificate; a shared secret must be random text that nobody else has")]
    SecretIsKeyText,
    /// Not one PEM block (RFC 7468).
    #[error("not a single PEM block (-----BEGIN …)")]
    NotPem,
    /// A private key under a passphrase.
    #[error("the private key is encrypted; store it without a passphrase")]
    Encrypted,
    /// A certificate where a key belongs.
    #[error("this is a certificate; extract its key with `openssl x509 -pubkey -noout`")]
    Certificate,
    /// A public key where a private one belongs.
    #[error("this is a public key; signing needs the private one")]
    NotPrivate,
    /// A private key where a public one belongs.
    #[error("this is a private key; verification takes the public one (`openssl pkey -pubout`)")]
    NotPublic,
    /// Not the JSON of a key (RFC 7517 §4): no object, or a member that is missing, no text, or no base64url.
    #[error("not a JSON Web Key: a member is missing or malformed")]
    NotJwk,
    /// A shared secret where a public key belongs.
    #[error("this JSON Web Key is a shared secret (oct); only public keys are taken")]
    SecretJwk,
    /// A key for something else, as its `use` or `key_ops` says (RFC 7517 §4.2, §4.3).
    #[error("this JSON Web Key is not for verifying signatures")]
    NotForVerifying,
    /// A JSON Web Key that is for another algorithm than the one asked for (RFC 8725 §3.1).
    #[error("this JSON Web Key is for {named}, not for {asked}")]
    OtherAlgorithm {
        /// What was asked for.
        asked: Algorithm,
        /// What the key is for.
        named: Algorithm,
    },
    /// Damaged, inconsistent, or of a kind that no algorithm on offer works with.
    #[error("the key is damaged or of an unsupported kind: use RSA, P-256, P-384 or Ed25519")]
    Unsupported,
    /// An RSA key outside 2,048 to 8,192 bits (RFC 7518 §3.3).
    #[error("RSA keys must have 2048 to 8192 bits")]
    RsaSize,
    /// A key id that could not be recognised in a token.
    #[error("a key id has 1 to 128 characters of A-Z a-z 0-9 . _ ~ : = + - @")]
    BadKeyId,
    /// Two keys with the same id; it is not secret.
    #[error("two keys have the id {0}")]
    DuplicateKeyId(String),
    /// Nothing to sign with: the ring was made for verification only.
    #[error("there is no key to sign with: these keys only verify")]
    NoSigningKey,
    /// No randomness, or the library failed.
    #[error("a key could not be generated")]
    GenerationFailed,
}
