//! Keys in PEM (RFC 7468).

use zeroize::Zeroizing;

use crate::key::KeyError;

/// The label of a PEM block and the format that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    /// `PRIVATE KEY`: PKCS#8 (RFC 5958).
    Private,
    /// `RSA PRIVATE KEY`: PKCS#1 (RFC 8017 §A.1.2).
    RsaPrivate,
    /// `EC PRIVATE KEY`: SEC 1 (RFC 5915).
    EcPrivate,
    /// `PUBLIC KEY`: SubjectPublicKeyInfo (RFC 5280 §4.1).
    Public,
    /// `RSA PUBLIC KEY`: PKCS#1 (RFC 8017 §A.1.1).
    RsaPublic,
}

/// The content of a PEM block with a key, which is not parsed yet.
pub(super) struct Block {
    pub(super) label: Label,
    pub(super) der: Zeroizing<Vec<u8>>,
}

impl Block {
    /// Parses a string with exactly one key. Ignores `EC PARAMETERS`, which `openssl ecparam` writes before the key.
    pub(super) fn parse(pem: &str) -> Result<Self, KeyError> {
        // The source of the error is dropped because it may contain part of the key.
        let mut blocks = pem::parse_many(pem).map_err(|_| KeyError::NotPem)?;
        blocks.retain(|block| block.tag() != "EC PARAMETERS");
        let [block] = <[pem::Pem; 1]>::try_from(blocks).map_err(|_| KeyError::NotPem)?;
        let label = match block.tag() {
            // `Proc-Type: 4,ENCRYPTED`, the encryption of older formats (RFC 1421 §4.6.1.1).
            _ if block.headers().get("Proc-Type").is_some() => return Err(KeyError::Encrypted),
            "PRIVATE KEY" => Label::Private,
            "RSA PRIVATE KEY" => Label::RsaPrivate,
            "EC PRIVATE KEY" => Label::EcPrivate,
            "PUBLIC KEY" => Label::Public,
            "RSA PUBLIC KEY" => Label::RsaPublic,
            "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
            "CERTIFICATE" => return Err(KeyError::Certificate),
            _ => return Err(KeyError::Unsupported),
        };
        Ok(Self { label, der: Zeroizing::new(block.into_contents()) })
    }

    /// Encodes the content as a `PRIVATE KEY` block.
    pub(super) fn to_private_key_pem(&self) -> Zeroizing<String> {
        Zeroizing::new(pem::encode(&pem::Pem::new("PRIVATE KEY", self.der.as_slice())))
    }
}
