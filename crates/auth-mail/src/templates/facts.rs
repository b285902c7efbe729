//! The variables of templates.

use std::collections::BTreeMap;

use auth_accounts::email::{Fact, UnsealedEmail};
use auth_core::time::UnixTime;
use minijinja::Value;

use crate::line::{one_line, without_links};
use crate::links::Links;

/// Longest value of a fact, in characters. Longer values, such as names, are truncated.
const MAX_FACT_LEN: usize = 150;

/// Variables that are not facts.
pub(super) const OTHERS: [&str; 4] = ["link", "service_name", "to", "when"];

/// Returns the variables of an email. Every email has all of them; unknown ones are empty.
pub(super) fn variables(email: &UnsealedEmail, service_name: &str, links: &Links) -> Value {
    let value = |fact: Fact| email.content.get(fact).unwrap_or_default();
    let facts = Fact::ALL.iter().map(|fact| (fact.name(), sanitised(*fact, value(*fact))));
    let link = links.link(email.kind, value(Fact::Token)).unwrap_or_default();
    let others = [link, service_name.to_owned(), one_line(&email.to, MAX_FACT_LEN), formatted(email.caused_at)];
    facts.chain(OTHERS.into_iter().zip(others)).collect::<BTreeMap<_, _>>().into()
}

/// Sanitises the value of a fact: one line of bounded length. Links are removed from names and user agents, because an
/// attacker may enter them to have the service send a link to another person.
fn sanitised(fact: Fact, value: &str) -> String {
    let line = one_line(value, MAX_FACT_LEN);
    let is_number = || value.len() < 10 && value.bytes().all(|byte| byte.is_ascii_digit());
    match fact {
        Fact::FirstName | Fact::UserAgent => without_links(&line),
        // A username may contain dots, so only these characters count as a sign of a link.
        Fact::Username if line.contains(['/', ':']) => without_links(&line),
        Fact::Minutes | Fact::Left if !is_number() => String::new(),
        Fact::Username
        | Fact::ClientIp
        | Fact::NewEmail
        | Fact::Token
        | Fact::Code
        | Fact::Minutes
        | Fact::Method
        | Fact::Left => line,
    }
}

/// Formats a time in UTC, to the minute: `2026-11-25 00:47 UTC`.
fn formatted(time: UnixTime) -> String {
    let time = jiff::Timestamp::from_second(time.seconds()).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_times_in_utc_to_the_minute() {
        for (seconds, expected) in [
            (0, "1970-01-01 00:00 UTC"),
            (1_795_567_679, "2026-11-25 00:47 UTC"),
            (UnixTime::MAX.seconds(), "9999-12-30 22:00 UTC"),
        ] {
            assert_eq!(formatted(UnixTime::from_seconds(seconds)), expected);
        }
    }

    #[test]
    fn invalid_numbers_are_left_out() {
        for (value, expected) in [("30", "30"), ("0", "0"), ("", ""), ("-1", ""), ("<b>", ""), ("1234567890", "")] {
            assert_eq!(sanitised(Fact::Minutes, value), expected);
            assert_eq!(sanitised(Fact::Left, value), expected);
        }
    }
}
