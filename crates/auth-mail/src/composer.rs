//! Composition of messages (RFC 5322).

use std::time::SystemTime;

use auth_accounts::email::UnsealedEmail;
use auth_accounts::ports::EmailError;
use auth_core::time::UnixTime;
use lettre::Address;
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;

use crate::error::{Setting, SetupError};
use crate::line::one_line;
use crate::templates::{Rendered, Templates};

/// Longest email address, in bytes (RFC 5321 §4.5.3.1.3, without the angle brackets).
const MAX_ADDRESS_LEN: usize = 254;

/// Longest line of a body, in bytes (RFC 5322 §2.1.1).
const MAX_LINE_LEN: usize = 998;

/// Composes messages from a sender and templates.
///
/// A message has a plain text and an HTML alternative (RFC 2046 §5.1.4). Its `Message-ID` contains the message ID of
/// the email, so that a second delivery can be recognised. `Auto-Submitted: auto-generated` (RFC 3834 §5) suppresses
/// automatic replies.
#[derive(Debug)]
pub struct Composer {
    from_name: Option<String>,
    from: Address,
    templates: Templates,
}

/// A composed message and its envelope (RFC 5321 §2.3.1).
pub(crate) struct Message {
    pub(crate) from: Address,
    pub(crate) to: Address,
    /// The message, with lines that end in `\r\n`.
    pub(crate) bytes: Vec<u8>,
}

impl Composer {
    /// Creates a composer with the sender `from`: an email address, optionally with a name, such as
    /// `Example <no-reply@example.com>`. The local part must be ASCII, because not every server supports others
    /// (RFC 6531).
    ///
    /// # Errors
    /// [`Setting::From`] if `from` has another format.
    pub fn new(from: &str, templates: Templates) -> Result<Self, SetupError> {
        let (from_name, address) = match from.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"').trim(), address),
            None => ("", from.trim()),
        };
        let is_plain =
            |address: &Address| AsRef::<str>::as_ref(address).is_ascii() && !from.chars().any(char::is_control);
        let from = parse_address(address).filter(is_plain).ok_or_else(|| {
            SetupError::new(Setting::From, "must be an email address, optionally with a name: Name <name@example.com>")
        })?;
        Ok(Self { from_name: (!from_name.is_empty()).then(|| from_name.to_owned()), from, templates })
    }

    /// Composes the message of `email`, with `now` as its date.
    ///
    /// # Errors
    /// [`EmailError::Permanent`] if the recipient is not a supported email address, [`EmailError::Temporary`] if a
    /// template fails.
    pub(crate) fn compose(&self, email: &UnsealedEmail, now: UnixTime) -> Result<Message, EmailError> {
        let to = parse_address(&email.to).ok_or_else(|| {
            EmailError::Permanent(format!("not a valid email address: {}", one_line(&email.to, MAX_ADDRESS_LEN)))
        })?;
        let Rendered { subject, text, html } = self.templates.render(email)?;
        let from =
            mail_builder::headers::address::Address::new_address(self.from_name.as_deref(), self.from.to_string());
        let message = MessageBuilder::new()
            .from(from)
            .to(to.to_string())
            .subject(subject)
            .date(now.seconds())
            .message_id(format!("{}@{}", email.id, self.from.domain()))
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .header("X-Auto-Response-Suppress", Raw::new("All"))
            .body(MimePart::new("multipart/alternative", vec![part("text/plain", &text), part("text/html", &html)]));
        let bytes = message.write_to_vec().map_err(|error| EmailError::Temporary(error.to_string()))?;
        Ok(Message { from: self.from.clone(), to, bytes })
    }
}

/// Returns the current time.
pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_seconds(i64::try_from(since.as_secs()).unwrap_or_default())
}

/// Returns a text part of a message. ASCII is not encoded, so that links can be copied from an `.eml` file.
fn part(content_type: &'static str, text: &str) -> MimePart<'static> {
    let is_plain = text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE_LEN);
    let part = MimePart::new(content_type, text.replace('\n', "\r\n"));
    if is_plain { part.transfer_encoding("7bit") } else { part }
}

/// Parses a single email address without a name. The domain is converted to ASCII (RFC 5890 §2.3.2.1), because few
/// servers support others (RFC 6531). Quoted local parts are valid (RFC 5321 §4.1.2) but rejected: they are hardly
/// used, and some programs misread them as a second email address.
fn parse_address(address: &str) -> Option<Address> {
    let (local_part, domain) = address.rsplit_once('@')?;
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && !"\"(),:;<>@[\\]".contains(c);
    let parsed = Address::new(local_part, idna::domain_to_ascii(domain).ok()?).ok()?;
    (address.len() <= MAX_ADDRESS_LEN && local_part.chars().all(is_plain)).then_some(parsed)
}
