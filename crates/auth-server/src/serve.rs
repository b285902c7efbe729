//! Startup and shutdown of the server.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use anyhow::{Context, Result};
use auth_accounts::service::prune;
use auth_core::StoreError;
use auth_core::auth_cache::follow;
use auth_core::ports::InvalidationFeed;
use auth_http::{ConnectionLimits, ServeOptions, application as http_application, listen};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::application::Application;
use crate::compose::Composition;
use crate::config::choice::LogFormat;
use crate::config::{Checked, Transport};
use crate::descriptors::max_connections;
use crate::mail::{folder, mailer};
use crate::outbox::{Stopper, Workers};
use crate::storage::Storage;

/// Serves requests and delivers emails until SIGTERM or Ctrl-C, then finishes those in flight within
/// `server.shutdown_timeout_seconds`.
pub(crate) async fn serve(checked: &Checked, application: &impl Application) -> Result<()> {
    // Before anything else, so that a signal during startup is not lost.
    let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let composition = Composition::new(checked, application).await?;
    let routes = composition.routes(checked, application)?;
    let server = &checked.settings.server;
    let options = serve_options(checked)?;
    let listener = listen(checked.bind);
    let listener = listener.with_context(|| format!("server.bind: cannot listen on {}", checked.bind))?;
    let address = listener.local_addr().context("server.bind")?;
    let mailing = match mailer(checked, address)? {
        Some(mailer) => Workers::start(&composition.outbox(checked, mailer), checked.settings.mail.workers),
        None => Workers::default(),
    };
    let running = auth_http::serve(listener, &options, move || http_application(&routes));
    let running = running.context("server")?;
    let stopping = tokio::spawn(stop_on_signal(signals, running.handle(), mailing.stopper()));
    let pruning = tokio::spawn(prune_regularly(composition.ports.clone(), checked.clone()));
    let following = tokio::spawn(follow_changes(composition.ports.clone(), composition.store.changes()));
    for warning in checked.warnings() {
        tracing::warn!("{warning}");
    }
    announce(checked, address, &composition.store.location());
    running.await.context("server")?;
    mailing.finish(Duration::from_secs(server.shutdown_timeout_seconds)).await;
    stopping.abort();
    pruning.abort();
    following.abort();
    tracing::info!("stopped");
    Ok(())
}

/// The options of the server, from the configuration and the limits of the process.
fn serve_options(checked: &Checked) -> Result<ServeOptions> {
    let server = &checked.settings.server;
    let defaults = ServeOptions::default();
    let workers = if server.workers == 0 { defaults.workers } else { server.workers };
    Ok(ServeOptions {
        workers,
        shutdown_timeout_seconds: server.shutdown_timeout_seconds,
        limits: ConnectionLimits {
            max_connections: max_connections(checked)?,
            max_unanswered_per_client_ip: server.max_unanswered_per_client_ip,
            header_timeout: Duration::from_secs(server.header_timeout_seconds),
            keep_alive: Duration::from_secs(server.keep_alive_seconds),
            idle_timeout: Duration::from_secs(server.idle_timeout_seconds),
        },
        trusted_proxies: checked.http.trusted_proxies.clone(),
    })
}

async fn stop_on_signal((mut terminate, mut interrupt): (Signal, Signal), server: ServerHandle, mailing: Stopper) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: finishing requests and emails in flight; accepting no new ones");
    mailing.stop();
    server.stop(true).await;
}

/// Prunes expired rows at the configured interval. A failure is logged, and the next tick tries again.
async fn prune_regularly(ports: auth_accounts::service::Ports, checked: Checked) {
    let maintenance = &checked.settings.maintenance;
    if maintenance.prune_interval_seconds == 0 {
        return;
    }
    let mut interval = tokio::time::interval(Duration::from_secs(maintenance.prune_interval_seconds));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match prune(ports.store.as_ref(), ports.clock.as_ref(), maintenance.prune_batch).await {
            Ok(pruned) => tracing::debug!(?pruned, "pruned expired rows"),
            Err(error) => tracing::warn!(error = %error, "cannot prune expired rows; retrying at the next interval"),
        }
    }
}

/// Invalidates the auth cache when other processes report changes.
async fn follow_changes(ports: auth_accounts::service::Ports, mut feed: Box<dyn InvalidationFeed>) {
    let Some(auth_cache) = &ports.auth_cache else { return };
    let report = |error: &StoreError| {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        tracing::warn!(%error, cause, "invalidation feed unavailable; guarded routes fall back to reading the database");
    };
    follow(auth_cache, feed.as_mut(), ports.clock.as_ref(), report).await;
}

/// Logs the address of the server. With the text format, also prints commands to try.
fn announce(checked: &Checked, address: SocketAddr, database: &str) {
    tracing::info!(%address, %database, "listening");
    if checked.settings.log.format != LogFormat::Text {
        return;
    }
    let mail_folder = match checked.transport {
        Some(Transport::Folder) => format!("\nEmails in     {}", folder(checked).display()),
        _ => String::new(),
    };
    // The server runs even if standard output is closed.
    let _ = writeln!(
        std::io::stdout(),
        r#"
Listening on  http://{address}
Data in       {database}{mail_folder}

Try it:

  curl -X POST http://{address}/api/register/ -H 'Content-Type: application/json' -d '{{"username":"alice","email":"alice@example.com","first_name":"Alice","password":"Correct-horse-42","password2":"Correct-horse-42"}}'
  curl -X POST http://{address}/api/token/ -H 'Content-Type: application/json' -d '{{"username":"alice","password":"Correct-horse-42"}}'
  curl http://{address}/api/users/me/ -H "Authorization: Bearer $ACCESS"    # ACCESS: "access" of the previous response
"#
    );
}
