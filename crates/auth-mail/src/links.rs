//! The links in emails.

use std::cell::Cell;

use auth_accounts::email::EmailKind;
use url::{Host, ParseError, Url};

use crate::error::{Setting, SetupError};

/// The pages of the front end that links point to. Built only from the configuration: a link with the `Host` of a
/// request would send its token to any host that an attacker puts there (SEC-114).
///
/// ```
/// use auth_mail::Links;
/// assert!(Links::new("https://app.example", "/reset?token={token}", "/verify/{token}").is_ok());
/// assert!(Links::new("app.example", "/reset?token={token}", "/verify/{token}").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    base_url: String,
    password_reset_path: String,
    email_verification_path: String,
}

const TOKEN: &str = "{token}";

impl Links {
    /// Creates links to pages below `base_url`, an absolute `http` or `https` URL without user, query or fragment. It
    /// may have a path. Each path must start with `/` and contain `{token}` exactly once, and may have a query or a
    /// fragment. Changes of the email address use the page for email verification.
    ///
    /// # Errors
    /// [`SetupError`] with the invalid setting.
    pub fn new(base_url: &str, password_reset_path: &str, email_verification_path: &str) -> Result<Self, SetupError> {
        Ok(Self {
            base_url: check_base_url(base_url).map_err(|why| SetupError::new(Setting::BaseUrl, why))?,
            password_reset_path: check_path(Setting::PasswordResetPath, password_reset_path)?,
            email_verification_path: check_path(Setting::EmailVerificationPath, email_verification_path)?,
        })
    }

    /// Returns the link of an email of this kind, or `None` if it has no link.
    pub(crate) fn link(&self, kind: EmailKind, token: &str) -> Option<String> {
        let path = match kind {
            EmailKind::PasswordReset => &self.password_reset_path,
            EmailKind::EmailVerification | EmailKind::EmailChange => &self.email_verification_path,
            EmailKind::SecondFactorCode
            | EmailKind::EmailChangeRequested
            | EmailKind::EmailChanged
            | EmailKind::PasswordChanged
            | EmailKind::SecondFactorAdded
            | EmailKind::SecondFactorRemoved
            | EmailKind::RecoveryCodesReplaced
            | EmailKind::RecoveryCodeUsed
            | EmailKind::SessionReused => return None,
        };
        Some(self.base_url.clone() + &path.replace(TOKEN, &percent_encoded(token)))
    }
}

/// Checks the base URL and removes trailing slashes.
fn check_base_url(base_url: &str) -> Result<String, &'static str> {
    // The parser accepts URLs that browsers correct, such as one without a slash, but reports a syntax violation.
    let has_violation = Cell::new(false);
    let parsed = Url::options().syntax_violation_callback(Some(&|_| has_violation.set(true))).parse(base_url);
    let url = match parsed {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        Ok(_) | Err(ParseError::RelativeUrlWithoutBase) => return Err("must start with https:// or http://"),
        Err(_) => return Err("must have a valid host and port"),
    };
    match () {
        () if !url.username().is_empty() || url.password().is_some() => Err("must not have a username or password"),
        () if has_violation.get() || !base_url.is_ascii() => Err("is not a well-formed URL (RFC 3986)"),
        () if url.query().is_some() || url.fragment().is_some() => Err("must have neither query nor fragment"),
        () if !url.host().is_some_and(is_host) || url.port() == Some(0) => Err("must have a valid host and port"),
        () => Ok(url.as_str().trim_end_matches('/').to_owned()),
    }
}

/// Returns whether a host is an IP address, or has only letters, digits, hyphens, dots and underscores. RFC 3986 §3.2.2
/// allows other characters, but host names do not use them.
fn is_host(host: Host<&str>) -> bool {
    let is_name_char = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !matches!(host, Host::Domain(name) if !name.bytes().all(is_name_char))
}

fn check_path(setting: Setting, path: &str) -> Result<String, SetupError> {
    let why = match () {
        () if !path.starts_with('/') || path.starts_with("//") => "must start with a single /",
        () if path.matches(TOKEN).count() != 1 => "must contain {token} exactly once",
        () if !path.replace(TOKEN, "").bytes().all(is_url_char) => "contains characters that are not allowed in a URL",
        () => return Ok(path.to_owned()),
    };
    Err(SetupError::new(setting, why))
}

/// Returns whether a character is allowed in a URL (RFC 3986 §2): reserved, unreserved, or the percent sign.
const fn is_url_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// Percent-encodes all but the unreserved characters (RFC 3986 §2.3), so that a token cannot change the URL around it.
fn percent_encoded(token: &str) -> String {
    let mut encoded = String::with_capacity(token.len());
    for byte in token.bytes() {
        match byte {
            b'-' | b'.' | b'_' | b'~' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            _ => encoded += &format!("%{byte:02X}"),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "/verify/{token}";

    #[test]
    fn a_base_url_is_absolute_without_user_query_and_fragment() {
        for (base, link) in [
            ("https://app.example", "https://app.example/verify/t"),
            ("https://app.example/", "https://app.example/verify/t"),
            ("http://localhost:3000/app/", "http://localhost:3000/app/verify/t"),
            ("http://[::1]:8080", "http://[::1]:8080/verify/t"),
            ("http://[::1]", "http://[::1]/verify/t"),
            // Normalised according to the URL Standard.
            ("HTTPS://App.Example:443/App/", "https://app.example/App/verify/t"),
            ("http://127.1", "http://127.0.0.1/verify/t"),
        ] {
            let links = Links::new(base, PATH, PATH).unwrap();
            assert_eq!(links.link(EmailKind::EmailChange, "t").unwrap(), link);
        }
        for base in [
            "",
            "app.example",
            "//app.example",
            "ftp://app.example",
            "javascript:alert(1)",
            "https://",
            "https:///path",
            "https:/app.example",
            "https:app.example",
            "https:\\\\app.example",
            " https://app.example",
            "https://ap\tp.example",
            "https://@app.example",
            "https://*.example",
            "https://app.example;x",
            "https://app.example:65536",
            "https://256.0.0.1",
            "https://app.example/%zz",
            "https://user@app.example",
            "https://user:pw@app.example",
            "https://app.example?x",
            "https://app.example#x",
            "https://app.example:0",
            "https://app.example:http",
            "https://[::g]",
            "https://app.example/ x",
            "https://app.example\r\n",
            "https://app.example/\"",
            "https://äpp.example",
        ] {
            assert_eq!(Links::new(base, PATH, PATH).unwrap_err().setting, Setting::BaseUrl, "{base:?}");
        }
    }

    #[test]
    fn a_path_contains_the_token_exactly_once() {
        for path in [
            "",
            "verify/{token}",
            "//evil/{token}",
            "/verify",
            "/{token}/{token}",
            "/{token} ",
            "/<{token}>",
            "/{x}/{token}",
        ] {
            let error = Links::new("https://app.example", path, PATH).unwrap_err();
            assert_eq!(error.setting, Setting::PasswordResetPath, "{path:?}");
            let error = Links::new("https://app.example", PATH, path).unwrap_err();
            assert_eq!(error.setting, Setting::EmailVerificationPath, "{path:?}");
        }
    }

    #[test]
    fn each_kind_links_to_its_page() {
        let links = Links::new("https://app.example", "/#/reset/{token}", "/verify?token={token}").unwrap();
        let with_link: Vec<_> = EmailKind::ALL.iter().filter_map(|kind| links.link(*kind, "a&b/..\"")).collect();
        assert_eq!(
            with_link,
            [
                "https://app.example/#/reset/a%26b%2F..%22",
                "https://app.example/verify?token=a%26b%2F..%22",
                "https://app.example/verify?token=a%26b%2F..%22",
            ]
        );
    }
}
