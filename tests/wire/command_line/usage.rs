//! Help, versions, and command lines that are not understood.

use auth_tests::cases::Once;
use auth_tests::{ServerOptions, cases};
use libtest_mimic::Trial;

use super::fixture::CommandOutput;
use crate::SERVER;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        Once =>
            the_help_names_every_command,
            every_command_has_a_help,
            the_version_is_that_of_the_package,
            what_is_not_understood_is_exit_code_2,
            no_secret_is_an_option
    ]
}

const COMMANDS: [&str; 12] = [
    "serve",
    "migrate",
    "create-superuser",
    "make-superuser",
    "users",
    "outbox",
    "flush-expired-tokens",
    "keys",
    "check-config",
    "routes",
    "openapi",
    "healthcheck",
];
const OF_USERS: [&str; 9] = [
    "list",
    "activate",
    "deactivate",
    "promote",
    "demote",
    "set-groups",
    "delete",
    "set-password",
    "remove-second-factors",
];
const OF_OUTBOX: [&str; 2] = ["list", "retry"];
const OF_KEYS: [&str; 3] = ["generate", "list", "retire"];

fn run(args: &[&str]) -> CommandOutput {
    CommandOutput::of(ServerOptions::new("development", None).run_to_end(SERVER, args), args)
}

/// The commands that a help lists.
fn listed(help: &str) -> Vec<&str> {
    let commands = help.split_once("Commands:\n").map(|(_, rest)| rest).unwrap_or_default();
    let lines = commands.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.filter(|name| *name != "help").collect()
}

async fn the_help_names_every_command() {
    for args in [["--help"], ["-h"], ["help"]] {
        let said = run(&args);
        assert_eq!(listed(said.done()), COMMANDS, "{args:?}");
        for option in ["--profile", "--config", "--bind"] {
            assert!(said.result.contains(option), "{option}: {said}");
        }
    }
    assert_eq!(listed(run(&["users", "--help"]).done()), OF_USERS);
    assert_eq!(listed(run(&["outbox", "--help"]).done()), OF_OUTBOX);
    assert_eq!(listed(run(&["keys", "--help"]).done()), OF_KEYS);
}

async fn every_command_has_a_help() {
    let of =
        |group: &'static str, names: &[&'static str]| names.iter().map(|name| vec![group, *name]).collect::<Vec<_>>();
    let mut commands: Vec<_> = COMMANDS.iter().map(|name| vec![*name]).collect();
    commands.extend(of("users", &OF_USERS));
    commands.extend(of("outbox", &OF_OUTBOX));
    commands.extend(of("keys", &OF_KEYS));
    for command in commands {
        let args = [command.as_slice(), &["--help"]].concat();
        let said = run(&args);
        assert!(said.done().contains(&format!("{} ", command.join(" "))), "{said}");
        // The first line says what it does.
        assert!(said.result.lines().next().is_some_and(|line| line.len() > 10), "{said}");
    }
}

async fn the_version_is_that_of_the_package() {
    let expected = format!("auth-server {}\n", env!("CARGO_PKG_VERSION"));
    for args in [["--version"], ["-V"]] {
        assert_eq!(run(&args).done(), expected);
    }
    assert!(run(&["users", "--version"]).done().ends_with(&format!(" {}\n", env!("CARGO_PKG_VERSION"))));
}

async fn what_is_not_understood_is_exit_code_2() {
    for args in [
        ["fly"].as_slice(),
        &["--fly"],
        &["serve", "--fly"],
        &["serve", "here"],
        &["serve", "migrate"],
        &["--bind"],
        &["--profile"],
        &["--config"],
        &["Serve"],
        &["users"],
        &["users", "fly"],
        &["users", "activate"],
        &["users", "activate", "alice", "bob"],
        &["users", "list", "alice"],
        &["users", "delete", "--all"],
        &["users", "set-password"],
        &["users", "remove-second-factors"],
        &["outbox"],
        &["outbox", "list", "all"],
        &["outbox", "retry"],
        &["outbox", "retry", "--all", "0123456789abcdef0123456789abcdef"],
        &["keys"],
        &["keys", "fly"],
        &["keys", "retire"],
        &["keys", "generate", "name"],
        &["create-superuser", "root"],
        &["create-superuser", "--username"],
        &["make-superuser", "--password-stdin"],
        &["migrate", "--yes"],
        &["flush-expired-tokens", "now"],
        &["healthcheck", "http://localhost"],
        &["check-config", "--bind", "a", "--bind", "b"],
    ] {
        run(args).misused();
    }
}

async fn no_secret_is_an_option() {
    // What stands in a command line, every user of the machine can read.
    for option in ["--signing-key", "--secret", "--password", "--database-url", "--url", "--key"] {
        for command in ["serve", "create-superuser", "users", "check-config"] {
            run(&[command, option, "x"]).misused();
        }
    }
}
