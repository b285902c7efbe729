//! `healthcheck`: what a container's health check runs.

use std::net::Ipv4Addr;

use auth_tests::cases::{OnCluster, OnSqlite, Once};
use auth_tests::postgres::Cluster;
use auth_tests::{Database, ServerOptions, cases};
use libtest_mimic::Trial;

use super::fixture::{CommandOutput, Fixture};
use crate::SERVER;

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        OnSqlite =>
            a_server_that_is_ready_is_healthy;
        Once =>
            without_a_server_nothing_is_healthy,
            a_server_that_listens_everywhere_is_asked_at_home,
            something_else_on_the_port_is_not_healthy;
        OnCluster => a_server_without_its_database_is_not_healthy
    ]
}

fn healthcheck(fixture: &Fixture, bind: &str) -> CommandOutput {
    fixture.run(&["healthcheck", "--bind", bind])
}

async fn a_server_that_is_ready_is_healthy(database: Database) {
    let mut fixture = Fixture::new(database, "development");
    let address = fixture.server.address().to_string();
    assert_eq!(healthcheck(&fixture, &address).done(), "ready\n");
    fixture.server.kill();
    assert!(healthcheck(&fixture, &address).failed().contains(&address));
    fixture.restart();
    healthcheck(&fixture, &address).done();
}

async fn without_a_server_nothing_is_healthy() {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let args = ["healthcheck", "--bind", &address.to_string()];
    let output = ServerOptions::new("development", None).run_to_end(SERVER, &args);
    assert!(CommandOutput::of(output, &args).failed().contains(&address.to_string()));
    // The address may come from the environment too.
    let options = ServerOptions::new("development", None).env("AUTH__SERVER__BIND", &address.to_string());
    assert!(
        CommandOutput::of(options.run_to_end(SERVER, &args[..1]), &args[..1]).failed().contains(&address.to_string())
    );
}

async fn a_server_that_listens_everywhere_is_asked_at_home() {
    let database = Database::sqlite();
    let options = database.server("development").bound_to(Ipv4Addr::UNSPECIFIED);
    let fixture = Fixture::with(database, options);
    let everywhere = fixture.server.address().to_string();
    assert!(everywhere.starts_with("0.0.0.0:"), "{everywhere}");
    healthcheck(&fixture, &everywhere).done();
}

async fn something_else_on_the_port_is_not_healthy() {
    use std::io::{Read, Write};
    for answer in [
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HELO\r\n",
        "",
    ] {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let other = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 1024]);
            let _ = stream.write_all(answer.as_bytes());
        });
        let args = ["healthcheck", "--bind", &address];
        CommandOutput::of(ServerOptions::new("development", None).run_to_end(SERVER, &args), &args).failed();
        other.join().unwrap();
    }
}

async fn a_server_without_its_database_is_not_healthy() {
    let mut cluster = Cluster::start();
    let fixture = Fixture::with(Database::sqlite(), ServerOptions::new("development", Some(&cluster.url())));
    let address = fixture.server.address().to_string();
    healthcheck(&fixture, &address).done();
    cluster.stop();
    healthcheck(&fixture, &address).failed();
    // It lives all the same, and says so to whoever asks for no more.
    assert_eq!(fixture.client.get("/healthz").await.status, 200);
    let ready = fixture.client.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.headers.contains_key("retry-after"));
}
