//! `outbox …`.

use std::sync::Arc;

use anyhow::{Result, bail};
use auth_accounts::email::{MessageId, OutboxEntry};
use auth_accounts::ports::{OutboxPage, Retry};
use auth_accounts::service::OutboxService;
use auth_core::time::UnixTime;
use auth_mail::NoMailer;

use super::terminal::printable;
use crate::application::Application;
use crate::cli::{Outbox, OutboxRetry};
use crate::compose::Composition;
use crate::config::Checked;

/// Entries that are read at once.
const PAGE: u32 = 500;

pub(super) async fn run(checked: &Checked, command: Outbox, application: &impl Application) -> Result<()> {
    let composition = Composition::without_keys(checked, application).await?;
    // Commands do not deliver emails; servers do.
    let outbox = composition.outbox(checked, Arc::new(NoMailer));
    match command {
        Outbox::List { failed } => list(&outbox, failed).await,
        Outbox::Retry(OutboxRetry { all: true, .. }) => {
            println!("rescheduled: {}", outbox.retry(Retry::AllFailed).await?);
            Ok(())
        }
        Outbox::Retry(OutboxRetry { ids, .. }) => retry(&outbox, &ids).await,
    }
}

async fn list(outbox: &OutboxService, only_failed: bool) -> Result<()> {
    println!("{}", row(["id", "kind", "to", "queued", "attempts", "state", "last error"]));
    let mut after = None;
    loop {
        let entries = outbox.list(OutboxPage { only_failed, after, limit: PAGE }).await?;
        for entry in &entries {
            println!("{}", formatted(entry));
        }
        match entries.last() {
            Some(last) => after = Some(last.id),
            None => return Ok(()),
        }
    }
}

fn formatted(entry: &OutboxEntry) -> String {
    let state = match (entry.failed_at, entry.next_attempt_at) {
        (Some(failed_at), _) => format!("failed {}", rfc_3339(failed_at)),
        (None, Some(next_attempt_at)) => format!("due {}", rfc_3339(next_attempt_at)),
        (None, None) => "due at once".to_owned(),
    };
    row([
        &entry.id.to_string(),
        entry.queued.name(),
        // The recipient and the error may contain the input of a client.
        &printable(&entry.to),
        &rfc_3339(entry.queued_at),
        &entry.attempts.to_string(),
        &state,
        &printable(entry.last_error.as_deref().unwrap_or_default()),
    ])
}

fn row([id, kind, to, queued, attempts, state, error]: [&str; 7]) -> String {
    let line = format!("{id:<32}  {kind:<28}  {to:<30}  {queued:<20}  {attempts:>8}  {state:<27}  {error}");
    line.trim_end().to_owned()
}

/// Formats a time as RFC 3339, in UTC.
fn rfc_3339(time: UnixTime) -> String {
    jiff::Timestamp::from_second(time.seconds()).map_or_else(|_| time.seconds().to_string(), |time| time.to_string())
}

async fn retry(outbox: &OutboxService, ids: &[String]) -> Result<()> {
    let (mut due, mut missing) = (0, Vec::new());
    for id in ids {
        let found = match MessageId::parse(id) {
            Some(id) => outbox.retry(Retry::One(id)).await?,
            None => 0,
        };
        match found {
            0 => missing.push(format!("{id:?}")),
            found => due += found,
        }
    }
    if !missing.is_empty() {
        bail!("there is no email {} in the outbox; rescheduled: {due}", missing.join(", "));
    }
    println!("rescheduled: {due}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use auth_accounts::email::{EmailKind, Queued};

    use super::*;

    #[test]
    fn a_row_is_one_line_for_any_content() {
        let entry = OutboxEntry {
            id: MessageId::from_bytes([7; 16]),
            queued: Queued::Email(EmailKind::PasswordReset),
            to: "a\u{1b}[2J\r\nb\u{202e}@example.com".to_owned(),
            queued_at: UnixTime::from_seconds(0),
            attempts: 3,
            next_attempt_at: None,
            failed_at: Some(UnixTime::from_seconds(60)),
            last_error: Some("550 no\u{9b}such\tuser\u{2028}".to_owned()),
        };
        let line = formatted(&entry);
        assert!(!line.chars().any(|c| c.is_control() || ['\u{202e}', '\u{2028}'].contains(&c)), "{line:?}");
        assert!(line.contains("failed 1970-01-01T00:01:00Z") && line.contains("password_reset "), "{line}");
    }
}
