//! Classification of SMTP errors as permanent or temporary.

use std::error::Error as _;
use std::{fmt, io};

use auth_accounts::ports::EmailError;
use lettre::transport::smtp::Error;

use crate::line::one_line;

/// Longest error message, in characters.
const MAX_REASON_LEN: usize = 300;

/// The stage of an SMTP session in which an error occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    Connection,
    Login,
    Sender,
    Recipient,
    Content,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connection => "connection",
            Self::Login => "login",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Content => "content",
        })
    }
}

/// Converts an SMTP error to an [`EmailError`] whose message is one line.
///
/// It is permanent if the server permanently rejects the recipient or the content (5yz, RFC 5321 §4.2.1). Errors before
/// the recipient concern this client (its IP address, certificate, login or sender), and so do a missing login or
/// missing TLS at any stage (RFC 4954 §6). They are temporary, because an operator can correct them while the email
/// waits in the outbox.
pub(super) fn failure(server: &str, stage: Stage, error: &Error) -> EmailError {
    let code = error.status().map(u16::from);
    let message = one_line(&format!("{server}: {stage}: {}", reason(stage, code, error)), MAX_REASON_LEN);
    let concerns_the_email = matches!(stage, Stage::Recipient | Stage::Content)
        && error.is_permanent()
        && !matches!(code, Some(530 | 534 | 535 | 538));
    if concerns_the_email { EmailError::Permanent(message) } else { EmailError::Temporary(message) }
}

/// Converts an error of the TCP connection, which is temporary.
pub(super) fn unreachable(server: &str, error: &io::Error) -> EmailError {
    EmailError::Temporary(one_line(&format!("{server}: {}: {error}", Stage::Connection), MAX_REASON_LEN))
}

/// Returns the innermost reason of an error.
fn reason(stage: Stage, code: Option<u16>, error: &Error) -> String {
    // Errors are wrapped by the layers of the connection; the innermost is the most specific.
    let mut inner = error;
    while let Some(next) = inner.source().and_then(|source| source.downcast_ref::<Error>()) {
        inner = next;
    }
    let text = inner.source().map_or_else(|| inner.to_string(), ToString::to_string);
    match (code, stage) {
        // The text may quote the content, including the link: keep only the codes.
        (Some(code), Stage::Content) => format!("{code} {}", enhanced_code(&text)),
        (Some(code), _) => format!("{code} {text}"),
        (None, _) => text,
    }
}

/// Returns the enhanced status code at the start of a reply, such as `5.7.1` (RFC 3463 §2), or an empty string.
fn enhanced_code(text: &str) -> &str {
    let word = text.split(' ').next().unwrap_or_default();
    let is_number = |part: &str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    let is_code = word.split('.').count() == 3 && word.split('.').all(is_number);
    if is_code { word } else { "" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extracts_enhanced_status_codes_only() {
        for (reply, code) in [
            ("5.7.1 blocked", "5.7.1"),
            ("5.7.509 blocked", "5.7.509"),
            ("5.7.1", "5.7.1"),
            ("blocked 5.7.1", ""),
            ("5.7", ""),
            ("5.7.1.2 x", ""),
            ("5.7.1234 x", ""),
            ("", ""),
        ] {
            assert_eq!(enhanced_code(reply), code, "{reply:?}");
        }
    }
}
