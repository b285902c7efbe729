use super::*;

#[test]
fn what_cannot_be_run_is_ignored_except_in_ci() {
    let reason = || "no PostgreSQL".to_owned();
    assert!(matches!(unable(reason(), false), Ok(Completion::Ignored { reason: Some(shown) }) if shown == reason()));
    assert!(matches!(unable(reason(), true), Err(failed) if failed.message() == Some("no PostgreSQL")));
}

#[test]
fn a_url_keeps_all_but_its_database() {
    for (url, expected) in [
        ("postgres://u:p@h:1/postgres", "postgres://u:p@h:1/new"),
        ("postgres://u@h", "postgres://u@h/new"),
        ("postgres://u@h/?sslmode=require", "postgres://u@h/new?sslmode=require"),
        ("postgres://h/x?host=/tmp/a", "postgres://h/new?host=/tmp/a"),
    ] {
        assert_eq!(with_database(url, "new"), expected);
    }
}
