//! The commands. Each prints its result to standard output; an error is one line on standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

mod accounts;
mod healthcheck;
mod keys;
mod maintenance;
mod outbox;
mod routes;
mod simplejwt;
mod superuser;
mod terminal;

use std::ffi::OsStr;
use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::{CommandFactory, FromArgMatches};

use crate::application::Application;
use crate::cli::{CheckConfig, Cli, Command, Options};
use crate::config::{self, Checked, Sources};
use crate::{logging, serve};

/// Runs the command line of this process for the service and an application. Exit codes: 0 success, 1 failure, 2 wrong usage
/// (from `clap`).
pub fn run(application: impl Application) -> ExitCode {
    let matches = Cli::command().name(application.name()).about(application.about()).get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let system = actix_web::rt::System::new();
    let outcome = system.block_on(execute(cli, &application));
    // Dropping the runtime would wait, without a time limit, for blocking calls to an unresponsive database.
    std::mem::forget(system);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

async fn execute(cli: Cli, application: &impl Application) -> Result<()> {
    if let Some(Command::CheckConfig(CheckConfig { from_simplejwt: Some(path) })) = &cli.command {
        return simplejwt::run(path);
    }
    let checked = load(&cli.options)?;
    match cli.command.unwrap_or(Command::Serve) {
        Command::CheckConfig(_) => print_config(&checked),
        Command::Routes => routes::table(&checked, application),
        Command::Openapi => routes::document(&checked, application),
        Command::Healthcheck => healthcheck::run(&checked),
        Command::Keys(command) => keys::run(&checked, &command),
        command => {
            logging::start(&checked.settings.log)?;
            with_database(&checked, command, application).await
        }
    }
}

async fn with_database(checked: &Checked, command: Command, application: &impl Application) -> Result<()> {
    match command {
        Command::Migrate => maintenance::migrate(checked, application).await,
        Command::Outbox(command) => outbox::run(checked, command, application).await,
        Command::FlushExpiredTokens => maintenance::flush(checked, application).await,
        Command::CreateSuperuser(options) => superuser::create(checked, options, application).await,
        Command::MakeSuperuser(options) => superuser::make(checked, options, application).await,
        Command::Users(command) => accounts::run(checked, command, application).await,
        _ => serve::serve(checked, application).await,
    }
}

fn load(options: &Options) -> Result<Checked> {
    let is_setting = |name: &OsStr| name == "DATABASE_URL" || name.as_encoded_bytes().starts_with(b"AUTH__");
    let mut environment = Vec::new();
    for (name, value) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => environment.push((name, value)),
            (Ok(name), Err(_)) => bail!("{name}: is not valid UTF-8"),
            (Err(_), _) => bail!("AUTH__…: the name of a variable is not valid UTF-8"),
        }
    }
    config::load(&Sources {
        profile: options.profile.clone(),
        file: options.config.clone(),
        bind: options.bind.clone(),
        environment,
    })
}

fn print_config(checked: &Checked) -> Result<()> {
    print!("{}", toml::to_string(&checked.settings)?);
    if checked.accounts.throttle.is_some() && checked.settings.server.trusted_proxies.is_empty() {
        eprintln!(
            "warning: server.trusted_proxies: is empty; behind a reverse proxy all users share one client IP, and with it \
             the limits of [throttle] such as throttle.registrations_per_client_ip_per_hour"
        );
    }
    for warning in checked.warnings() {
        eprintln!("warning: {warning}");
    }
    Ok(())
}
