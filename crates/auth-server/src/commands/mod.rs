//! What the commands do. Each prints its result on standard output; a failure is one line on standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

mod accounts;
mod healthcheck;
mod keys;
mod maintenance;
mod superuser;
mod terminal;

use std::ffi::OsStr;
use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::cli::{Cli, Command, Options};
use crate::config::{self, Checked, Sources};
use crate::{logging, serve};

/// Runs a command line. Exit codes: 0 done, 1 failed; 2, wrong usage, is `clap`'s.
pub fn run(cli: Cli) -> ExitCode {
    let system = actix_web::rt::System::new();
    let outcome = system.block_on(execute(cli));
    // Ending the runtime would wait for a database that does not answer, however long that takes; the process need not.
    std::mem::forget(system);
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", format!("{error:#}").replace('\n', " "));
            ExitCode::FAILURE
        }
    }
}

async fn execute(cli: Cli) -> Result<()> {
    if let Some(Command::Openapi) = cli.command {
        println!("{}", serde_json::to_string_pretty(&auth_http::openapi_document())?);
        return Ok(());
    }
    let checked = load(&cli.options)?;
    match cli.command.unwrap_or(Command::Serve) {
        Command::CheckConfig => print_config(&checked),
        Command::Healthcheck => healthcheck::run(&checked),
        Command::Keys(command) => keys::run(&checked, &command),
        command => {
            logging::start(&checked.settings.log)?;
            with_database(&checked, command).await
        }
    }
}

async fn with_database(checked: &Checked, command: Command) -> Result<()> {
    match command {
        Command::Migrate => maintenance::migrate(checked).await,
        Command::FlushExpiredTokens => maintenance::flush(checked).await,
        Command::CreateSuperuser(options) => superuser::create(checked, options).await,
        Command::MakeSuperuser(options) => superuser::make(checked, options).await,
        Command::Users(command) => accounts::run(checked, command).await,
        _ => serve::serve(checked).await,
    }
}

fn load(options: &Options) -> Result<Checked> {
    let is_ours = |name: &OsStr| name == "DATABASE_URL" || name.as_encoded_bytes().starts_with(b"AUTH__");
    let mut environment = Vec::new();
    for (name, value) in std::env::vars_os().filter(|(name, _)| is_ours(name)) {
        match (name.into_string(), value.into_string()) {
            (Ok(name), Ok(value)) => environment.push((name, value)),
            (Ok(name), Err(_)) => bail!("{name}: is no text in UTF-8"),
            (Err(_), _) => bail!("AUTH__…: the name of a variable is no text in UTF-8"),
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
    Ok(())
}
