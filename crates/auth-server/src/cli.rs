//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A token authentication service: accounts, JWT pairs, rotating refresh tokens, sessions that can be revoked.
#[derive(Debug, Parser)]
#[command(name = "auth-server", version, about, propagate_version = true)]
pub struct Cli {
    /// Where the configuration comes from.
    #[command(flatten)]
    pub options: Options,
    /// The command; `None`: serve.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of every command.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Set of defaults: development, production or simplejwt
    #[arg(long, global = true, value_name = "NAME", env = "AUTH_PROFILE", default_value = "development")]
    pub profile: String,
    /// Configuration file (TOML); config/default.toml in the sources lists every key
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
    /// Apply pending database migrations
    Migrate,
    /// Create a superuser; prompts for what is not given
    CreateSuperuser(CreateSuperuser),
    /// Create the first superuser with a random password, printed once; does nothing if there is a superuser
    MakeSuperuser(MakeSuperuser),
    /// Manage users
    #[command(subcommand)]
    Users(Users),
    /// Manage emails that wait for delivery or were given up
    #[command(subcommand)]
    Outbox(Outbox),
    /// Delete expired sessions, blacklist entries, codes and counts of attempts
    FlushExpiredTokens,
    /// Manage the signing keys that the service has generated
    #[command(subcommand)]
    Keys(Keys),
    /// Check the configuration and print the settings in effect, with secrets masked
    CheckConfig(CheckConfig),
    /// Print every route with its methods and its permission rule
    Routes,
    /// Print the OpenAPI document
    Openapi,
    /// Check whether a running server is ready; exit code 0 if it is
    Healthcheck,
}

/// `check-config`.
#[derive(Args, Debug)]
pub struct CheckConfig {
    /// Print the configuration that is equivalent to this SIMPLE_JWT dictionary (a JSON file) instead
    #[arg(long, value_name = "FILE")]
    pub from_simplejwt: Option<PathBuf>,
}

/// `create-superuser`.
#[derive(Args, Debug)]
pub struct CreateSuperuser {
    /// Username
    #[arg(long)]
    pub username: Option<String>,
    /// Email address
    #[arg(long)]
    pub email: Option<String>,
    /// Read the password from standard input instead of prompting for it
    #[arg(long)]
    pub password_stdin: bool,
}

/// `make-superuser`.
#[derive(Args, Debug)]
pub struct MakeSuperuser {
    /// Username
    #[arg(long, default_value = "admin")]
    pub username: String,
    /// Email address
    #[arg(long, default_value = "admin@example.com")]
    pub email: String,
}

/// `users …`.
#[derive(Debug, Subcommand)]
pub enum Users {
    /// List all users
    List,
    /// Let a user log in and refresh tokens again
    Activate(Account),
    /// Stop a user from logging in and refreshing tokens
    Deactivate(Account),
    /// Give a user staff rights
    Promote(Account),
    /// Take the staff rights from a user
    Demote(Account),
    /// Set the groups of a user, replacing the previous ones
    SetGroups(SetGroups),
    /// Delete a user and all data of the account
    Delete(Account),
    /// Set the password of a user, and revoke all sessions of the user
    SetPassword(SetPassword),
    /// Remove all second factors of a user who has lost them
    RemoveSecondFactors(Account),
}

/// The user that a command acts on.
#[derive(Args, Debug)]
pub struct Account {
    /// Username, spelt exactly as stored
    pub username: String,
}

/// `users set-groups`.
#[derive(Args, Debug)]
pub struct SetGroups {
    /// Username, spelt exactly as stored
    pub username: String,
    /// Group names, one for each argument (they may contain spaces); without any, the user is in no group
    pub groups: Vec<String>,
}

/// `users set-password`.
#[derive(Args, Debug)]
pub struct SetPassword {
    /// Username, spelt exactly as stored
    pub username: String,
    /// Read the password from standard input instead of prompting for it
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
    /// Generate a signing key, used after a restart; tokens of earlier keys stay valid
    Generate,
    /// List the generated keys
    List,
    /// Refuse all tokens of a key after a restart
    Retire {
        /// Name of the key, as `keys list` shows it
        name: String,
    },
}
