//! How many refreshes a second a running server does: `refresh-load URL CLIENTS SECONDS`.
//!
//! Each client has a session of its own and exchanges its refresh token as fast as it is answered. Ends by itself.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a tool for the terminal")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::Client;
use serde_json::{Value, json};

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [url, clients, seconds] = arguments.as_slice() else {
        println!("usage: refresh-load URL CLIENTS SECONDS");
        std::process::exit(2);
    };
    let (clients, seconds): (u32, u64) = (clients.parse().expect("a number"), seconds.parse().expect("a number"));
    let client = Client::builder().no_proxy().build().expect("a client");
    let run = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis();
    let mut tokens = Vec::new();
    for number in 0..clients {
        tokens.push(newcomer(&client, url, &format!("load-{run}-{number}")).await);
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let loads: Vec<_> =
        tokens.into_iter().map(|token| tokio::spawn(load(client.clone(), url.clone(), token, end))).collect();
    let mut latencies = Vec::new();
    for load in loads {
        latencies.extend(load.await.expect("a client that ends"));
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or_default();
    let rate = latencies.len() as u64 / seconds;
    println!("{rate} refreshes a second, {clients} clients, median {:?}, p99 {:?}", at(0.5), at(0.99));
}

async fn newcomer(client: &Client, url: &str, name: &str) -> String {
    let password = "Correct-horse-42";
    let account = json!({
        "username": name, "email": format!("{name}@example.com"), "first_name": "Load", "password": password,
        "password2": password,
    });
    post(client, url, "/api/register/", &account).await;
    let pair = post(client, url, "/api/token/", &json!({"username": name, "password": password})).await;
    refresh_of(&pair)
}

async fn load(client: Client, url: String, mut token: String, end: Instant) -> Vec<Duration> {
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let started = Instant::now();
        let pair = post(&client, &url, "/api/token/refresh/", &json!({"refresh": token})).await;
        latencies.push(started.elapsed());
        token = refresh_of(&pair);
    }
    latencies
}

async fn post(client: &Client, url: &str, path: &str, body: &Value) -> Value {
    let answer = client.post(format!("{url}{path}")).json(body).send().await.expect("an answer");
    let answer = answer.error_for_status().expect("success");
    answer.json().await.expect("JSON")
}

fn refresh_of(pair: &Value) -> String {
    pair["refresh"].as_str().expect("a refresh token").to_owned()
}
