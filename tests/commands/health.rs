//! `healthcheck`: what a container's health check runs.

use auth_tests::postgres::Cluster;
use auth_tests::server::ServerOptions;
use libtest_mimic::Trial;

use crate::desk::{Desk, Said, affordable, cases};
use crate::support::{BINARY, Database};

pub(crate) fn trials() -> Vec<Trial> {
    cases![
        on_both: a_server_that_is_ready_is_healthy;
        once:
            without_a_server_nothing_is_healthy,
            a_server_that_listens_everywhere_is_asked_at_home,
            something_else_on_the_port_is_not_healthy;
        on_postgres: a_server_without_its_database_is_not_healthy
    ]
}

fn healthcheck(desk: &Desk, bind: &str) -> Said {
    desk.run(&["healthcheck", "--bind", bind])
}

async fn a_server_that_is_ready_is_healthy(database: Database) {
    let mut desk = Desk::new(database, "development");
    let address = desk.server.address().to_string();
    assert_eq!(healthcheck(&desk, &address).done(), "ready\n");
    desk.server.kill();
    assert!(healthcheck(&desk, &address).failed().contains(&address));
    desk.restart();
    healthcheck(&desk, &address).done();
}

async fn without_a_server_nothing_is_healthy() {
    // A port that was free a moment ago.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let args = ["healthcheck", "--bind", &address.to_string()];
    let output = ServerOptions::new("development", None).run_to_end(BINARY, &args);
    assert!(Said::of(output, &args).failed().contains(&address.to_string()));
    // The address may come from the environment too.
    let options = ServerOptions::new("development", None).env("AUTH__SERVER__BIND", &address.to_string());
    assert!(Said::of(options.run_to_end(BINARY, &args[..1]), &args[..1]).failed().contains(&address.to_string()));
}

async fn a_server_that_listens_everywhere_is_asked_at_home() {
    let desk = Desk::new(Database::Sqlite, "development");
    let everywhere = format!("0.0.0.0:{}", desk.server.address().port());
    healthcheck(&desk, &everywhere).done();
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
        Said::of(ServerOptions::new("development", None).run_to_end(BINARY, &args), &args).failed();
        other.join().unwrap();
    }
}

async fn a_server_without_its_database_is_not_healthy() {
    let mut cluster = Cluster::start();
    let desk = Desk::with(Database::Sqlite, affordable(ServerOptions::new("development", Some(&cluster.url()))));
    let address = desk.server.address().to_string();
    healthcheck(&desk, &address).done();
    cluster.stop();
    healthcheck(&desk, &address).failed();
    // It lives all the same, and says so to whoever asks for no more.
    assert_eq!(desk.api.get("/healthz").await.status, 200);
    let ready = desk.api.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.headers.contains_key("retry-after"));
}
