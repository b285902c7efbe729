//! The header that carries an access token.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use auth_core::token::{RawToken, TokenFault};

use crate::error::ApiError;

/// The header that carries an access token, and the accepted schemes (SimpleJWT: `AUTH_HEADER_NAME`,
/// `AUTH_HEADER_TYPES`).
///
/// ```
/// use auth_http::CredentialHeader;
/// assert!(CredentialHeader::new("X-Access-Token", ["JWT", "Bearer"]).is_ok());
/// assert!(CredentialHeader::new("X-Access-Token", ["two words"]).is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialHeader {
    name: HeaderName,
    schemes: Vec<String>,
    challenge: HeaderValue,
}

/// Why a [`CredentialHeader`] is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CredentialHeaderError {
    /// The name is not a header name (RFC 9110 §5.1), or is reserved for another purpose.
    BadName,
    /// A scheme is not valid (RFC 9110 §11.1), or there is none.
    BadScheme,
}

impl fmt::Display for CredentialHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadName => "not the name of a header that can carry a token",
            Self::BadScheme => "not the name of a scheme; use one such as Bearer",
        })
    }
}

impl std::error::Error for CredentialHeaderError {}

impl CredentialHeader {
    /// Headers that servers and proxies interpret, change or drop.
    const RESERVED: [&'static str; 8] =
        ["host", "cookie", "content-length", "content-type", "connection", "transfer-encoding", "accept", "te"];

    /// Creates a header with its schemes, which are case-sensitive. `WWW-Authenticate` names the first one.
    ///
    /// # Errors
    /// [`CredentialHeaderError`] if the name or a scheme is not valid, or there is no scheme.
    pub fn new(
        name: &str,
        schemes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Result<Self, CredentialHeaderError> {
        let name = HeaderName::try_from(name).map_err(|_| CredentialHeaderError::BadName)?;
        if Self::RESERVED.contains(&name.as_str()) {
            return Err(CredentialHeaderError::BadName);
        }
        let schemes: Vec<String> = schemes.into_iter().map(Into::into).collect();
        let is_token = |scheme: &String| {
            !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
        };
        let first = schemes.first().filter(|_| schemes.iter().all(is_token)).ok_or(CredentialHeaderError::BadScheme)?;
        let challenge = HeaderValue::from_str(&format!(r#"{first} realm="api""#));
        let challenge = challenge.map_err(|_| CredentialHeaderError::BadScheme)?;
        Ok(Self { name, schemes, challenge })
    }

    /// Whether this is exactly `Authorization: Bearer` (RFC 6750 §2.1).
    pub(crate) fn is_standard(&self) -> bool {
        *self == Self::default()
    }

    pub(crate) fn name(&self) -> &str {
        self.name.as_str()
    }

    /// The first scheme.
    pub(crate) fn scheme(&self) -> &str {
        self.schemes.first().map_or("", String::as_str)
    }

    /// The `WWW-Authenticate` challenge of a 401 (RFC 6750 §3).
    pub(crate) const fn challenge(&self) -> &HeaderValue {
        &self.challenge
    }

    /// Returns the token in the header; `None` if the header is missing or has another scheme.
    ///
    /// # Errors
    /// 401 if the header is malformed or repeated.
    pub(crate) fn token(&self, headers: &HeaderMap) -> Result<Option<Result<RawToken, TokenFault>>, ApiError> {
        let mut values = headers.get_all(&self.name);
        let (Some(value), second) = (values.next(), values.next()) else { return Ok(None) };
        let mut parts = value.as_bytes().split(u8::is_ascii_whitespace).filter(|part| !part.is_empty());
        let scheme = parts.next().unwrap_or_default();
        if !self.schemes.iter().any(|known| known.as_bytes() == scheme) {
            return Ok(None);
        }
        match (parts.next(), parts.next(), second) {
            (Some(token), None, None) => {
                let token = std::str::from_utf8(token).map_err(|_| TokenFault::NotOurs);
                Ok(Some(token.and_then(RawToken::parse)))
            }
            _ => {
                let detail = "Authorization header must contain two space-delimited values";
                Err(ApiError::coded(StatusCode::UNAUTHORIZED, detail, "bad_authorization_header"))
            }
        }
    }
}

impl Default for CredentialHeader {
    /// `Authorization: Bearer …` (RFC 6750 §2.1).
    fn default() -> Self {
        let challenge = HeaderValue::from_static(r#"Bearer realm="api""#);
        Self { name: header::AUTHORIZATION, schemes: vec!["Bearer".to_owned()], challenge }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError;

    use super::*;

    fn read(header: &CredentialHeader, values: &[&[u8]]) -> Result<Option<bool>, StatusCode> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header.name.clone(), HeaderValue::from_bytes(value).unwrap());
        }
        let token = header.token(&headers).map_err(|error| error.status_code())?;
        Ok(token.map(|token| token.is_ok()))
    }

    const MALFORMED: Result<Option<bool>, StatusCode> = Err(StatusCode::UNAUTHORIZED);

    #[test]
    fn reads_only_a_scheme_and_one_token() {
        for (values, expected) in [
            (&[][..], Ok(None)),
            (&[b"".as_slice()], Ok(None)),
            (&[b"Bearer a.b.c"], Ok(Some(true))),
            (&[b"Bearer  a.b.c"], Ok(Some(true))),
            (&[b"Bearer\ta.b.c"], Ok(Some(true))),
            (&[b"Bearer abc"], Ok(Some(false))),
            (&[b"Bearer \"a.b.c\""], Ok(Some(false))),
            (&[b"Bearer \xff\xfe"], Ok(Some(false))),
            (&[b"Bearer"], MALFORMED),
            (&[b"Bearer a.b.c x"], MALFORMED),
            (&[b"Bearer a.b.c", b"Bearer a.b.c"], MALFORMED),
            (&[b"bearer a.b.c"], Ok(None)),
            (&[b"Bearerx a.b.c"], Ok(None)),
            (&[b"Basic YTpi"], Ok(None)),
            (&[b"a.b.c"], Ok(None)),
        ] {
            assert_eq!(read(&CredentialHeader::default(), values), expected, "{values:?}");
        }
    }

    #[test]
    fn reads_the_configured_header_and_schemes() {
        let header = CredentialHeader::new("X-Access-Token", ["JWT", "Bearer"]).unwrap();
        assert_eq!(header.challenge(), r#"JWT realm="api""#);
        for (value, expected) in [
            ("JWT a.b.c", Ok(Some(true))),
            ("Bearer a.b.c", Ok(Some(true))),
            ("jwt a.b.c", Ok(None)),
            ("JWT", MALFORMED),
        ] {
            assert_eq!(read(&header, &[value.as_bytes()]), expected, "{value}");
        }
        let mut standard = HeaderMap::new();
        standard.insert(header::AUTHORIZATION, HeaderValue::from_static("Bearer a.b.c"));
        assert!(matches!(header.token(&standard), Ok(None)));
    }

    #[test]
    fn refuses_invalid_names_and_schemes() {
        use CredentialHeaderError::{BadName, BadScheme};
        for (name, schemes, expected) in [
            ("Authorization", &["Bearer"][..], None),
            ("X Access", &["Bearer"], Some(BadName)),
            ("", &["Bearer"], Some(BadName)),
            ("Cookie", &["Bearer"], Some(BadName)),
            ("Authorization", &[], Some(BadScheme)),
            ("Authorization", &[""], Some(BadScheme)),
            ("Authorization", &["Bearer", "a b"], Some(BadScheme)),
            ("Authorization", &["Be\"arer"], Some(BadScheme)),
        ] {
            assert_eq!(CredentialHeader::new(name, schemes.iter().copied()).err(), expected, "{name} {schemes:?}");
        }
    }
}
