//! What the log says of security events, and what it never says: passwords, tokens, keys, hashes (SEC-042, SEC-150).

mod forgery;
mod secrets;
mod tour;

use std::collections::BTreeSet;

use auth_core::event::EventKind;
use libtest_mimic::Trial;
use serde_json::Value;

use crate::stage::cases;
use crate::support::Database;
use forgery::{nothing_sent_forges_a_line_for_people, nothing_sent_forges_a_record_for_machines};
use tour::Tour;

pub(crate) fn trials() -> Vec<Trial> {
    cases![on_both:
        no_secret_is_logged_by_a_development_server,
        no_secret_is_logged_by_a_production_server,
        no_secret_is_logged_by_a_simplejwt_server,
        every_security_event_names_user_session_request_and_address,
        nothing_sent_forges_a_record_for_machines,
        nothing_sent_forges_a_line_for_people,
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn no_secret_is_logged_by_a_development_server(database: Database) {
    no_secret_is_logged(&database, "development").await;
}

async fn no_secret_is_logged_by_a_production_server(database: Database) {
    no_secret_is_logged(&database, "production").await;
}

async fn no_secret_is_logged_by_a_simplejwt_server(database: Database) {
    no_secret_is_logged(&database, "simplejwt").await;
}

async fn no_secret_is_logged(database: &Database, profile: &str) {
    let tour = Tour::make(database, profile).await;
    assert!(tour.log.contains(r#""level":"TRACE""#), "the server does not say all that it can");
    tour.secrets.assert_absent("the log of the server", &tour.log);
    tour.secrets.assert_absent("the standard output of the server", &tour.printed);
    for command in &tour.commands {
        tour.secrets.assert_absent(&format!("{} (standard error)", command.line), &command.log);
        tour.secrets.assert_absent(&format!("{} (standard output)", command.line), &command.printed);
    }
}

async fn every_security_event_names_user_session_request_and_address(database: Database) {
    // The profile in which everything can happen.
    let tour = Tour::make(&database, "simplejwt").await;
    let records = records(&tour.log);
    for expected in &tour.events {
        let matching = |record: &&Value| {
            record["fields"]["event"] == expected.name && record["span"]["request_id"] == expected.request_id.as_str()
        };
        let found: Vec<_> = records.iter().filter(matching).collect();
        assert_eq!(found.len(), 1, "{expected:?}: {found:?}");
        let (record, fields) = (found[0], &found[0]["fields"]);
        assert_eq!(record["target"], "security", "{record}");
        assert_eq!(record["level"], "INFO", "{record}");
        assert_eq!(fields["user"].as_i64(), expected.user, "{expected:?}: {record}");
        assert_eq!(fields["session"].as_str(), expected.session.as_deref(), "{expected:?}: {record}");
        assert_eq!(record["span"]["address"], "127.0.0.1", "{record}");
        assert!(record["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')), "{record}");
    }
    let of_commands = tour.commands.iter().flat_map(|command| {
        let records = self::records(&command.log).into_iter();
        records.filter(|record| record["target"] == "security").map(move |record| (command, record))
    });
    let of_commands: Vec<_> = of_commands.collect();
    for (command, record) in &of_commands {
        assert_eq!(record["fields"]["user"].as_i64(), command.user, "{}: {record}", command.line);
        assert_eq!(Some(record["fields"]["event"].as_str().expect("a name")), command.event, "{}", command.line);
    }
    assert_eq!(of_commands.len(), tour.commands.iter().filter(|command| command.event.is_some()).count());

    let seen = tour.events.iter().map(|event| event.name).chain(tour.commands.iter().filter_map(|it| it.event));
    let seen: BTreeSet<_> = seen.collect();
    assert_eq!(seen, EventKind::ALL.iter().map(|kind| kind.name()).collect(), "the tour comes past every event");
    let logged = records.iter().filter(|record| record["target"] == "security").count();
    assert_eq!(logged, tour.events.len(), "an event that nobody expected");
}

/// The records of a log. What a command says to a person at its end is none.
fn records(log: &str) -> Vec<Value> {
    let lines = log.lines().filter(|line| !line.starts_with("error: "));
    lines.map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("no record: {line}"))).collect()
}
