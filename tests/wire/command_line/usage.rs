//! Help, version, and invalid command lines.

use auth_tests::cases::Once;
use auth_tests::{ServerOptions, cases};
use libtest_mimic::Trial;

use super::fixture::CommandOutput;
use crate::SERVER;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        Once =>
            help_lists_every_command,
            every_command_has_help,
            prints_the_package_version,
            an_invalid_command_line_exits_with_code_2,
            there_is_no_option_for_a_secret
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
const USERS_COMMANDS: [&str; 9] = [
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
const OUTBOX_COMMANDS: [&str; 2] = ["list", "retry"];
const KEYS_COMMANDS: [&str; 3] = ["generate", "list", "retire"];

fn run(args: &[&str]) -> CommandOutput {
    CommandOutput::of(ServerOptions::new("development", None).run_to_exit(SERVER, args), args)
}

/// Returns the commands that a help text lists.
fn listed(help: &str) -> Vec<&str> {
    let commands = help.split_once("Commands:\n").map(|(_, rest)| rest).unwrap_or_default();
    let lines = commands.lines().take_while(|line| !line.is_empty());
    let names = lines.filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.filter(|name| *name != "help").collect()
}

async fn help_lists_every_command() {
    for args in [["--help"], ["-h"], ["help"]] {
        let output = run(&args);
        assert_eq!(listed(output.success()), COMMANDS, "{args:?}");
        for option in ["--profile", "--config", "--bind"] {
            assert!(output.result.contains(option), "{option}: {output}");
        }
    }
    assert_eq!(listed(run(&["users", "--help"]).success()), USERS_COMMANDS);
    assert_eq!(listed(run(&["outbox", "--help"]).success()), OUTBOX_COMMANDS);
    assert_eq!(listed(run(&["keys", "--help"]).success()), KEYS_COMMANDS);
}

async fn every_command_has_help() {
    let subcommands =
        |group: &'static str, names: &[&'static str]| names.iter().map(|name| vec![group, *name]).collect::<Vec<_>>();
    let mut commands: Vec<_> = COMMANDS.iter().map(|name| vec![*name]).collect();
    commands.extend(subcommands("users", &USERS_COMMANDS));
    commands.extend(subcommands("outbox", &OUTBOX_COMMANDS));
    commands.extend(subcommands("keys", &KEYS_COMMANDS));
    for command in commands {
        let args = [command.as_slice(), &["--help"]].concat();
        let output = run(&args);
        assert!(output.success().contains(&format!("{} ", command.join(" "))), "{output}");
        // The first line describes the command.
        assert!(output.result.lines().next().is_some_and(|line| line.len() > 10), "{output}");
    }
}

async fn prints_the_package_version() {
    let expected = format!("auth-server {}\n", env!("CARGO_PKG_VERSION"));
    for args in [["--version"], ["-V"]] {
        assert_eq!(run(&args).success(), expected);
    }
    assert!(run(&["users", "--version"]).success().ends_with(&format!(" {}\n", env!("CARGO_PKG_VERSION"))));
}

async fn an_invalid_command_line_exits_with_code_2() {
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
        run(args).usage_error();
    }
}

async fn there_is_no_option_for_a_secret() {
    // Every user of the machine can read command lines.
    for option in ["--signing-key", "--secret", "--password", "--database-url", "--url", "--key"] {
        for command in ["serve", "create-superuser", "users", "check-config"] {
            run(&[command, option, "x"]).usage_error();
        }
    }
}
