//! What a template may speak of.

use std::collections::BTreeMap;

use auth_accounts::mail::{Fact, Mail};
use auth_core::time::UnixTime;
use minijinja::Value;

use crate::line::{one_line, without_links};
use crate::links::Links;

/// Longest fact, in characters. A name may be longer; the mail still says whose it is.
const MAX_FACT: usize = 150;

/// Variables beside the facts.
pub(super) const OTHERS: [&str; 4] = ["link", "service_name", "to", "when"];

/// The variables of a mail. All of them are there for every mail: what is not known is empty.
pub(super) fn variables(mail: &Mail, service_name: &str, links: &Links) -> Value {
    let known = |fact: Fact| mail.content.get(fact).unwrap_or_default();
    let facts = Fact::ALL.iter().map(|fact| (fact.name(), cleaned(*fact, known(*fact))));
    let link = links.link(mail.kind, known(Fact::Token)).unwrap_or_default();
    let others = [link, service_name.to_owned(), one_line(&mail.to, MAX_FACT), readable(mail.caused_at)];
    facts.chain(OTHERS.into_iter().zip(others)).collect::<BTreeMap<_, _>>().into()
}

/// A fact as it may be written: on one line and bounded. Names and programs are what a stranger typed who may have had this
/// mail sent to somebody else, so no link of theirs goes with it.
fn cleaned(fact: Fact, value: &str) -> String {
    let line = one_line(value, MAX_FACT);
    let is_number = || value.len() < 10 && value.bytes().all(|byte| byte.is_ascii_digit());
    match fact {
        Fact::FirstName | Fact::UserAgent => without_links(&line),
        // A plain name may have dots in it, and is no link for that.
        Fact::Username if line.contains(['/', ':']) => without_links(&line),
        Fact::Minutes | Fact::Left if !is_number() => String::new(),
        Fact::Username
        | Fact::Address
        | Fact::NewEmail
        | Fact::Token
        | Fact::Code
        | Fact::Minutes
        | Fact::Method
        | Fact::Left => line,
    }
}

/// A moment as people read it, in UTC, to the minute: `2026-11-25 00:47 UTC`.
fn readable(moment: UnixTime) -> String {
    let moment = jiff::Timestamp::from_second(moment.seconds()).unwrap_or(jiff::Timestamp::MAX);
    moment.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_readable_and_in_utc() {
        for (seconds, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (1_795_567_679, "2026-11-25 00:47 UTC"),
            (UnixTime::MAX.seconds(), "9999-12-30 22:00 UTC"),
        ] {
            assert_eq!(readable(UnixTime::from_seconds(seconds)), text);
        }
    }

    #[test]
    fn numbers_are_digits_or_nothing() {
        for (value, kept) in [("30", "30"), ("0", "0"), ("", ""), ("-1", ""), ("<b>", ""), ("1234567890", "")] {
            assert_eq!(cleaned(Fact::Minutes, value), kept);
            assert_eq!(cleaned(Fact::Left, value), kept);
        }
    }
}
