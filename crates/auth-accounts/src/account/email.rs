//! Email addresses.

use crate::account::AccountFault;

/// A single email address: at most 254 characters (RFC 5321 §4.5.3.1.3), ASCII only, one `@`, and a domain with a dot.
///
/// Compared without regard to letter case. Only ASCII is accepted, because Unicode case folding can map two different email
/// addresses to the same string (SEC-061, CVE-2019-19844).
///
/// ```
/// use auth_accounts::account::Email;
/// let email = Email::parse("Alice@Example.com").unwrap();
/// assert_eq!(email.as_str(), "Alice@Example.com");
/// assert_eq!(email.canonical(), "alice@example.com");
/// assert!(Email::parse("alice@example.com, bob@example.com").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Email {
    original: String,
    canonical: String,
}

impl Email {
    /// The maximum length, in characters.
    pub const MAX_CHARS: usize = 254;

    /// Parses an email address.
    ///
    /// # Errors
    /// [`AccountFault::TooLong`] or [`AccountFault::BadEmail`].
    pub fn parse(input: &str) -> Result<Self, AccountFault> {
        if input.chars().count() > Self::MAX_CHARS {
            return Err(AccountFault::TooLong(Self::MAX_CHARS));
        }
        match input.rsplit_once('@') {
            Some((local, domain)) if is_local_part(local) && is_domain(domain) => {
                Ok(Self { original: input.to_owned(), canonical: input.to_ascii_lowercase() })
            }
            _ => Err(AccountFault::BadEmail),
        }
    }

    /// The email address as it was entered.
    pub fn as_str(&self) -> &str {
        &self.original
    }

    /// The canonical form, which is unique among login names.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }
}

/// Whether a local part is a dot-atom (RFC 5322 §3.2.3) of at most 64 bytes. Quoted local parts are refused: they are hardly
/// used, and make header injection easier.
fn is_local_part(input: &str) -> bool {
    let is_atom = |atom: &str| {
        !atom.is_empty() && atom.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b))
    };
    input.len() <= 64 && input.split('.').all(is_atom)
}

/// Whether a domain has two or more labels of letters, digits and inner hyphens (RFC 1123 §2.1), the last of which is not a
/// number.
fn is_domain(input: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_top_level_label = |last: &str| last.len() >= 2 && !last.bytes().all(|b| b.is_ascii_digit());
    input.contains('.') && input.split('.').all(is_label) && input.rsplit('.').next().is_some_and(is_top_level_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn email_addresses_are_single_ascii_mailboxes() {
        let long =
            format!("{}@{}.example.com", "a".repeat(60), ["b".repeat(60), "c".repeat(60), "d".repeat(58)].join("."));
        for accepted in
            ["alice@example.com", "a+b@x-y.example", "o'neil@example.co.uk", "R0B@EXAMPLE.COM", "1@xn--80ak6aa92e.com"]
        {
            assert!(Email::parse(accepted).is_ok(), "{accepted:?}");
        }
        for bad in [
            "nope",
            "x",
            "@example.com",
            "alice@",
            "alice@localhost",
            "a@b@c.com",
            "a b@example.com",
            "alice@example.com\r\nBcc: x@y.com",
            "alice@exa mple.com",
            "alice@-example.com",
            "alice@example-.com",
            "alice@.com",
            "alice@example..com",
            "alice@10.0.0.1",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "\"a b\"@example.com",
            "ali\u{131}e@example.com",
            "alice@exampl\u{e9}.com",
            "a@x.com,b@x.com",
            "<a@x.com>",
            "alice@example.c",
        ] {
            assert_eq!(Email::parse(bad), Err(AccountFault::BadEmail), "{bad:?}");
        }
        assert!(long.len() < 255 && Email::parse(&long).is_ok());
        assert_eq!(Email::parse(&format!("{long}{}", "m".repeat(20))), Err(AccountFault::TooLong(254)));
    }
}
