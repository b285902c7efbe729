//! What the commands do. Each prints its result on standard output; a failure is one line on standard error.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command line program prints")]

mod accounts;
mod healthcheck;
mod keys;
mod maintenance;
mod superuser;
mod terminal;

use std::process::ExitCode;

use anyhow::Result;

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
    config::load(&Sources {
        profile: options.profile.clone(),
        file: options.config.clone(),
        bind: options.bind.clone(),
        environment: std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .collect(),
    })
}

fn print_config(checked: &Checked) -> Result<()> {
    print!("{}", toml::to_string(&checked.settings)?);
    Ok(())
}
