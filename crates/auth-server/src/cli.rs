//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A token-authentication service: accounts, JWT pairs, rotating refresh tokens, logout that logs out.
#[derive(Debug, Parser)]
#[command(name = "auth-server", version, about, propagate_version = true)]
pub struct Cli {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub options: Options,
    /// What to do; without a command: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Set of defaults: development, production or simplejwt
    #[arg(long, global = true, value_name = "NAME", env = "AUTH_PROFILE", default_value = "development")]
    pub profile: String,
    /// Configuration file (TOML); config/default.toml in the sources names every key
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Address and port to listen on
    #[arg(long, global = true, value_name = "HOST:PORT")]
    pub bind: Option<String>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve requests (the default)
    Serve,
    /// Bring the tables of the database up to date
    Migrate,
    /// Make an administrator's account; asks for what is not given
    CreateSuperuser(CreateSuperuser),
    /// Make the first administrator's account with a random password, printed once; does nothing if there is one
    MakeSuperuser(MakeSuperuser),
    /// Look after accounts
    #[command(subcommand)]
    Users(Users),
    /// Manage emails that wait or were given up
    #[command(subcommand)]
    Outbox(Outbox),
    /// Forget sessions, blacklist entries, codes and counts of attempts that have expired
    FlushExpiredTokens,
    /// Look after the keys that the service made
    #[command(subcommand)]
    Keys(Keys),
    /// Check the configuration and print what is in force, secrets masked
    CheckConfig(CheckConfig),
    /// Print every route, its methods, and who may call it
    Routes,
    /// Print the OpenAPI document
    Openapi,
    /// Ask a running server whether it is ready; exit code 0 if it is
    Healthcheck,
}

/// `check-config`.
#[derive(Args, Debug)]
pub struct CheckConfig {
    /// Print instead the configuration that does what this SIMPLE_JWT dictionary does (a JSON file)
    #[arg(long, value_name = "FILE")]
    pub from_simplejwt: Option<PathBuf>,
}

/// `create-superuser`.
#[derive(Args, Debug)]
pub struct CreateSuperuser {
    /// Name of the account
    #[arg(long)]
    pub username: Option<String>,
    /// Its address
    #[arg(long)]
    pub email: Option<String>,
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    pub password_stdin: bool,
}

/// `make-superuser`.
#[derive(Args, Debug)]
pub struct MakeSuperuser {
    /// Name of the account
    #[arg(long, default_value = "admin")]
    pub username: String,
    /// Its address
    #[arg(long, default_value = "admin@example.com")]
    pub email: String,
}

/// `users …`.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// List all accounts
    List,
    /// Let an account log in and refresh again
    Activate(Account),
    /// Let an account neither log in nor refresh
    Deactivate(Account),
    /// Make an account an administrator's
    Promote(Account),
    /// Make an account an ordinary one
    Demote(Account),
    /// Put an account into these groups and no others
    SetGroups(SetGroups),
    /// Delete an account and all it owns
    Delete(Account),
    /// Set the password of an account, and end all its sessions
    SetPassword(SetPassword),
    /// Remove all second factors of a user who has lost them
    RemoveSecondFactors(Account),
}

/// The account that a command is about.
#[derive(Args, Debug)]
pub struct Account {
    /// Name of the account, exactly
    pub username: String,
}

/// `users set-groups`.
#[derive(Args, Debug)]
pub struct SetGroups {
    /// Name of the account, exactly
    pub username: String,
    /// Names of groups, each one argument, also with spaces in it; none: out of all
    pub groups: Vec<String>,
}

/// `users set-password`.
#[derive(Args, Debug)]
pub struct SetPassword {
    /// Name of the account, exactly
    pub username: String,
    /// Read the password from standard input instead of asking for it
    #[arg(long)]
    pub password_stdin: bool,
}

/// `outbox …`.
#[derive(Debug, Subcommand)]
pub enum Outbox {
    /// List emails that wait or were given up, oldest first, without their contents
    List {
        /// Only emails that were given up
        #[arg(long)]
        failed: bool,
    },
    /// Make emails due at once and reset their attempts
    Retry(OutboxRetry),
}

/// `outbox retry`.
#[derive(Args, Debug)]
pub struct OutboxRetry {
    /// Message IDs, as `outbox list` shows them
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "ID")]
    pub ids: Vec<String>,
    /// All emails that were given up
    #[arg(long)]
    pub all: bool,
}

/// `keys …`.
#[derive(Debug, Subcommand)]
pub enum Keys {
    /// Make a new signing key; tokens of the keys before stay good. Servers use it after a restart
    Generate,
    /// List the keys
    List,
    /// Refuse all tokens of a key from the next restart on
    Retire {
        /// Name of the key, as `keys list` shows it
        name: String,
    },
}
