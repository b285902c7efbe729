use super::*;

#[test]
fn unavailable_trials_are_ignored_except_in_ci() {
    let reason = || "no PostgreSQL".to_owned();
    assert!(
        matches!(unavailable(reason(), false), Ok(Completion::Ignored { reason: Some(shown) }) if shown == reason())
    );
    assert!(matches!(unavailable(reason(), true), Err(failed) if failed.message() == Some("no PostgreSQL")));
}

#[test]
fn with_database_replaces_only_the_database() {
    for (url, expected) in [
        ("postgres://u:p@h:1/postgres", "postgres://u:p@h:1/new"),
        ("postgres://u@h", "postgres://u@h/new"),
        ("postgres://u@h/?sslmode=require", "postgres://u@h/new?sslmode=require"),
        ("postgres://h/x?host=/tmp/a", "postgres://h/new?host=/tmp/a"),
    ] {
        assert_eq!(with_database(url, "new"), expected);
    }
}
