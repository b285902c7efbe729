//! `healthcheck`, which containers run as their health check.

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
            succeeds_if_the_server_is_ready;
        Once =>
            fails_without_a_server,
            checks_an_unspecified_bind_address_on_loopback,
            fails_if_another_program_answers;
        OnCluster => fails_without_the_database
    ]
}

fn healthcheck(fixture: &Fixture, bind: &str) -> CommandOutput {
    fixture.run(&["healthcheck", "--bind", bind])
}

async fn succeeds_if_the_server_is_ready(database: Database) {
    let mut fixture = Fixture::new(database, "development");
    let address = fixture.server.address().to_string();
    assert_eq!(healthcheck(&fixture, &address).success(), "ready\n");
    fixture.server.kill();
    assert!(healthcheck(&fixture, &address).failure().contains(&address));
    fixture.restart();
    healthcheck(&fixture, &address).success();
}

async fn fails_without_a_server() {
    // A port that nothing listens on.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let args = ["healthcheck", "--bind", &address.to_string()];
    let output = ServerOptions::new("development", None).run_to_exit(SERVER, &args);
    assert!(CommandOutput::of(output, &args).failure().contains(&address.to_string()));
    // The bind address may also come from the environment.
    let options = ServerOptions::new("development", None).env("AUTH__SERVER__BIND", &address.to_string());
    assert!(
        CommandOutput::of(options.run_to_exit(SERVER, &args[..1]), &args[..1]).failure().contains(&address.to_string())
    );
}

async fn checks_an_unspecified_bind_address_on_loopback() {
    let database = Database::sqlite();
    let options = database.server("development").with_bind_ip(Ipv4Addr::UNSPECIFIED);
    let fixture = Fixture::with(database, options);
    let everywhere = fixture.server.address().to_string();
    assert!(everywhere.starts_with("0.0.0.0:"), "{everywhere}");
    healthcheck(&fixture, &everywhere).success();
}

async fn fails_if_another_program_answers() {
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
        CommandOutput::of(ServerOptions::new("development", None).run_to_exit(SERVER, &args), &args).failure();
        other.join().unwrap();
    }
}

async fn fails_without_the_database() {
    let mut cluster = Cluster::start();
    let fixture = Fixture::with(Database::sqlite(), ServerOptions::new("development", Some(&cluster.url())));
    let address = fixture.server.address().to_string();
    healthcheck(&fixture, &address).success();
    cluster.stop();
    healthcheck(&fixture, &address).failure();
    // The process is alive, which `/healthz` reports; `/readyz` reports that it is not ready.
    assert_eq!(fixture.client.get("/healthz").await.status, 200);
    let ready = fixture.client.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.headers.contains_key("retry-after"));
}
