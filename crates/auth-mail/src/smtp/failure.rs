//! What a failed conversation means for the mail.

use std::error::Error as _;
use std::{fmt, io};

use auth_accounts::ports::EmailError;
use lettre::transport::smtp::Error;

use crate::line::one_line;

/// Longest explanation, in characters.
const MAX_WHY: usize = 300;

/// How far a conversation has come.
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

/// Whether to try again, and one line for the operator.
///
/// A mail is given up when the server refuses its recipient or what it says for good (5yz, RFC 5321 §4.2.1). Until it has
/// heard of the recipient its refusals are about us (the network we come from, our certificate, login, sender address), and
/// so are a missing login or missing TLS at any time (RFC 4954 §6): an operator mends those, and the mail waits.
pub(super) fn failure(server: &str, stage: Stage, error: &Error) -> EmailError {
    let code = error.status().map(u16::from);
    let why = one_line(&format!("{server}: {stage}: {}", reason(stage, code, error)), MAX_WHY);
    let is_about_the_mail = matches!(stage, Stage::Recipient | Stage::Content)
        && error.is_permanent()
        && !matches!(code, Some(530 | 534 | 535 | 538));
    if is_about_the_mail { EmailError::Permanent(why) } else { EmailError::Temporary(why) }
}

/// There is no connection.
pub(super) fn unreachable(server: &str, error: &io::Error) -> EmailError {
    EmailError::Temporary(one_line(&format!("{server}: {}: {error}", Stage::Connection), MAX_WHY))
}

fn reason(stage: Stage, code: Option<u16>, error: &Error) -> String {
    // The layers of the connection wrap each other's errors; the innermost says what happened.
    let mut inner = error;
    while let Some(next) = inner.source().and_then(|source| source.downcast_ref::<Error>()) {
        inner = next;
    }
    let text = inner.source().map_or_else(|| inner.to_string(), ToString::to_string);
    match (code, stage) {
        // A filter may quote the very link that it dislikes.
        (Some(code), Stage::Content) => format!("{code} {}", enhanced_code(&text)),
        (Some(code), _) => format!("{code} {text}"),
        (None, _) => text,
    }
}

/// The status code that a reply begins with, such as `5.7.1` (RFC 3463 §2), or nothing.
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
    fn only_a_status_code_is_taken_for_one() {
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
