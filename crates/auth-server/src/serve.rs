//! Start and stop of the server.

use std::io::Write;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::{App as Application, HttpServer, web};
use anyhow::{Context, Result};
use auth_core::service::prune;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::compose::{Composition, database_url};
use crate::config::Checked;

/// Serves requests until SIGTERM or Ctrl-C; then finishes those in flight, within the configured time.
pub(crate) async fn serve(checked: &Checked) -> Result<()> {
    // First of all: from here on, a signal is heard.
    let signals = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let composition = Composition::new(checked).await?;
    let app = web::Data::new(composition.app(checked));
    let server = &checked.settings.server;
    let workers = match server.workers {
        0 => std::thread::available_parallelism().map_or(1, usize::from),
        configured => configured,
    };
    let http = HttpServer::new(move || {
        let app = app.clone();
        Application::new()
            .wrap(from_fn(auth_http::outer))
            .configure(move |config| auth_http::routes::configure(config, &app))
    })
    .workers(workers)
    .client_request_timeout(Duration::from_secs(server.header_timeout_seconds))
    .shutdown_timeout(server.shutdown_timeout_seconds)
    .disable_signals()
    .bind(checked.bind)
    .with_context(|| format!("server.bind: {} cannot be listened on", checked.bind))?;
    let addresses = http.addrs();
    let running = http.run();
    let stopping = tokio::spawn(stop_on_signal(signals, running.handle()));
    let pruning = tokio::spawn(prune_regularly(composition.ports.clone(), checked.clone()));
    announce(checked, &addresses)?;
    running.await.context("server")?;
    stopping.abort();
    pruning.abort();
    tracing::info!("stopped");
    Ok(())
}

async fn stop_on_signal((mut terminate, mut interrupt): (Signal, Signal), server: ServerHandle) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    tracing::info!("stopping: no new requests; those in flight finish");
    server.stop(true).await;
}

/// Forgets expired rows from time to time. A failure is logged and tried again the next time.
async fn prune_regularly(ports: auth_core::service::Ports, checked: Checked) {
    let maintenance = &checked.settings.maintenance;
    if maintenance.prune_interval_seconds == 0 {
        return;
    }
    let mut interval = tokio::time::interval(Duration::from_secs(maintenance.prune_interval_seconds));
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        interval.tick().await;
        match prune(ports.store.as_ref(), ports.clock.as_ref(), maintenance.prune_batch).await {
            Ok(pruned) => tracing::debug!(pruned.sessions, pruned.blacklisted, "forgot expired rows"),
            Err(error) => tracing::warn!(error = %error, "expired rows could not be forgotten"),
        }
    }
}

/// Says where the server is to be found: to a person with lines to try, to a machine with a record.
fn announce(checked: &Checked, addresses: &[SocketAddr]) -> Result<()> {
    let address = addresses.first().copied().unwrap_or(checked.bind);
    let database = database_url(checked)?;
    tracing::info!(%address, %database, "listening");
    if checked.settings.log.format != "text" {
        return Ok(());
    }
    // Nobody there to read it is no reason not to serve.
    let _ = writeln!(
        std::io::stdout(),
        r#"
Listening on  http://{address}
Data in       {database}

Try it:

  curl -X POST http://{address}/api/register/ -H 'Content-Type: application/json' -d '{{"username":"alice","email":"alice@example.com","first_name":"Alice","password":"Correct-horse-42","password2":"Correct-horse-42"}}'
  curl -X POST http://{address}/api/token/ -H 'Content-Type: application/json' -d '{{"username":"alice","password":"Correct-horse-42"}}'
  curl http://{address}/api/users/me/ -H "Authorization: Bearer $ACCESS"    # ACCESS: the "access" of the answer before
"#
    );
    Ok(())
}
