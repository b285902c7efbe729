//! From a mail to a message (RFC 5322).

use std::time::SystemTime;

use auth_accounts::mail::Mail;
use auth_accounts::ports::EmailError;
use auth_core::time::UnixTime;
use lettre::Address;
use mail_builder::MessageBuilder;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;

use crate::error::{Setting, SetupError};
use crate::line::one_line;
use crate::templates::{Rendered, Templates};

/// Longest address, in bytes (RFC 5321 §4.5.3.1.3, without the brackets).
const MAX_ADDRESS: usize = 254;

/// Longest line of a body, in bytes (RFC 5322 §2.1.1).
const MAX_LINE: usize = 998;

/// Makes messages of mails: who they come from, and the texts.
///
/// A message is plain text and HTML side by side (RFC 2046 §5.1.4). Its `Message-ID` is the name of the mail, so that one
/// sent twice can be known; `Auto-Submitted: auto-generated` (RFC 3834 §5) keeps holiday notices from answering it.
#[derive(Debug)]
pub struct Composer {
    from_name: Option<String>,
    from: Address,
    templates: Templates,
}

/// A message on its way.
pub(crate) struct Letter {
    pub(crate) from: Address,
    pub(crate) to: Address,
    /// The message, lines end in `\r\n`.
    pub(crate) bytes: Vec<u8>,
}

impl Composer {
    /// Messages from `from`: an address, or a name and an address as in `Example <no-reply@example.com>`. What is before the
    /// `@` is ASCII, since not every server takes anything else.
    pub fn new(from: &str, templates: Templates) -> Result<Self, SetupError> {
        let (from_name, address) = match from.trim().strip_suffix('>').and_then(|rest| rest.rsplit_once('<')) {
            Some((name, address)) => (name.trim().trim_matches('"').trim(), address),
            None => ("", from.trim()),
        };
        let is_plain =
            |address: &Address| AsRef::<str>::as_ref(address).is_ascii() && !from.chars().any(char::is_control);
        let from = parse_address(address).filter(is_plain).ok_or_else(|| {
            SetupError::new(Setting::From, "must be an address, or a name and an address: Name <name@example.com>")
        })?;
        Ok(Self { from_name: (!from_name.is_empty()).then(|| from_name.to_owned()), from, templates })
    }

    /// The message of a mail that is sent `now`.
    pub(crate) fn compose(&self, mail: &Mail, now: UnixTime) -> Result<Letter, EmailError> {
        let to = parse_address(&mail.to).ok_or_else(|| {
            EmailError::Permanent(format!("no mail can be sent to the address {}", one_line(&mail.to, MAX_ADDRESS)))
        })?;
        let Rendered { subject, text, html } = self.templates.render(mail)?;
        let from =
            mail_builder::headers::address::Address::new_address(self.from_name.as_deref(), self.from.to_string());
        let message = MessageBuilder::new()
            .from(from)
            .to(to.to_string())
            .subject(subject)
            .date(now.seconds())
            .message_id(format!("{}@{}", mail.id, self.from.domain()))
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .header("X-Auto-Response-Suppress", Raw::new("All"))
            .body(MimePart::new("multipart/alternative", vec![part("text/plain", &text), part("text/html", &html)]));
        let bytes = message.write_to_vec().map_err(|error| EmailError::Temporary(error.to_string()))?;
        Ok(Letter { from: self.from.clone(), to, bytes })
    }
}

/// The moment of sending.
pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_seconds(i64::try_from(since.as_secs()).unwrap_or_default())
}

/// A text as a part of a message. What is ASCII stays as it is, so that a link can be copied out of a file.
fn part(content_type: &'static str, text: &str) -> MimePart<'static> {
    let is_plain = text.is_ascii() && text.lines().all(|line| line.len() <= MAX_LINE);
    let part = MimePart::new(content_type, text.replace('\n', "\r\n"));
    if is_plain { part.transfer_encoding("7bit") } else { part }
}

/// A single address without a name. Domains are written in ASCII (RFC 5890 §2.3.2.1), since few servers take others
/// (RFC 6531). Quoted local parts are valid (RFC 5321 §4.1.2) but not accepted: nobody has one, and some programs read a
/// second address out of them.
fn parse_address(text: &str) -> Option<Address> {
    let (user, domain) = text.rsplit_once('@')?;
    let is_plain = |c: char| !c.is_control() && !c.is_whitespace() && !"\"(),:;<>@[\\]".contains(c);
    let address = Address::new(user, idna::domain_to_ascii(domain).ok()?).ok()?;
    (text.len() <= MAX_ADDRESS && user.chars().all(is_plain)).then_some(address)
}
