//! Where the links of mails lead.

use std::cell::Cell;

use auth_accounts::mail::EmailKind;
use url::{Host, ParseError, Url};

use crate::error::{Setting, SetupError};

/// The pages of the front end that links lead to. They come from the configuration alone: a link that began with the
/// `Host` of a request would hand its token to whoever sent that request.
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
    /// Links to pages below `base_url`, an absolute `http` or `https` URL without user, query and fragment; it may have a
    /// path. Each path starts with `/`, has `{token}` in it once, and may have a query or a fragment. New addresses are
    /// confirmed on the same page as others.
    pub fn new(base_url: &str, password_reset_path: &str, email_verification_path: &str) -> Result<Self, SetupError> {
        Ok(Self {
            base_url: checked_base(base_url).map_err(|why| SetupError::new(Setting::BaseUrl, why))?,
            password_reset_path: checked_path(Setting::PasswordResetPath, password_reset_path)?,
            email_verification_path: checked_path(Setting::EmailVerificationPath, email_verification_path)?,
        })
    }

    /// The link of a mail; `None`: mails of this kind have none.
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

fn checked_base(text: &str) -> Result<String, &'static str> {
    // The parser accepts what browsers repair, such as a missing slash, and reports it as a violation.
    let has_violation = Cell::new(false);
    let parsed = Url::options().syntax_violation_callback(Some(&|_| has_violation.set(true))).parse(text);
    let url = match parsed {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        Ok(_) | Err(ParseError::RelativeUrlWithoutBase) => return Err("must start with https:// or http://"),
        Err(_) => return Err("must name a host, and a port if any"),
    };
    match () {
        () if !url.username().is_empty() || url.password().is_some() => Err("must not name a user"),
        () if has_violation.get() || !text.is_ascii() => Err("is not a well-formed URL (RFC 3986)"),
        () if url.query().is_some() || url.fragment().is_some() => Err("must have neither query nor fragment"),
        () if !url.host().is_some_and(is_host) || url.port() == Some(0) => Err("must name a host, and a port if any"),
        () => Ok(url.as_str().trim_end_matches('/').to_owned()),
    }
}

/// Whether a host is an IP address or has only letters, digits, hyphens, dots and underscores: other characters that a URL
/// may have there (RFC 3986 §3.2.2) are in no name that a browser looks up.
fn is_host(host: Host<&str>) -> bool {
    let is_of_a_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    !matches!(host, Host::Domain(name) if !name.bytes().all(is_of_a_name))
}

fn checked_path(setting: Setting, text: &str) -> Result<String, SetupError> {
    let why = match () {
        () if !text.starts_with('/') || text.starts_with("//") => "must start with a single /",
        () if text.matches(TOKEN).count() != 1 => "must have {token} in it, once",
        () if !text.replace(TOKEN, "").bytes().all(is_of_a_url) => "has characters that no URL has",
        () => return Ok(text.to_owned()),
    };
    Err(SetupError::new(setting, why))
}

/// Whether RFC 3986 §2 knows it: reserved, unreserved, or the percent sign.
const fn is_of_a_url(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
}

/// Everything but the unreserved characters of RFC 3986 §2.3 is encoded, so a token cannot end the link.
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
    fn base_urls_are_absolute_and_say_no_more_than_where() {
        for (base, link) in [
            ("https://app.example", "https://app.example/verify/t"),
            ("https://app.example/", "https://app.example/verify/t"),
            ("http://localhost:3000/app/", "http://localhost:3000/app/verify/t"),
            ("http://[::1]:8080", "http://[::1]:8080/verify/t"),
            ("http://[::1]", "http://[::1]/verify/t"),
            // As the URL standard writes it.
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
    fn paths_have_one_place_for_the_token() {
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
            let why = Links::new("https://app.example", path, PATH).unwrap_err();
            assert_eq!(why.setting, Setting::PasswordResetPath, "{path:?}");
            let why = Links::new("https://app.example", PATH, path).unwrap_err();
            assert_eq!(why.setting, Setting::EmailVerificationPath, "{path:?}");
        }
    }

    #[test]
    fn each_kind_leads_to_its_page() {
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
