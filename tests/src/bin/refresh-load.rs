//! Measures how many refreshes a running server completes per second (`refresh-load URL CLIENTS SECONDS`), or how many
//! requests to a guarded path (`refresh-load URL CLIENTS SECONDS /api/protected/`).
//!
//! Each client has its own session and sends requests back to back: it exchanges its refresh token, or sends its access
//! token. The program ends when the time is up.
#![allow(clippy::print_stdout, clippy::expect_used, reason = "a command-line tool")]

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use reqwest::Client;
use serde_json::{Value, json};

#[tokio::main]
async fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let ([url, clients, seconds], path) = (match arguments.as_slice() {
        [rest @ .., path] if rest.len() == 3 => (rest, Some(path.clone())),
        all => (all, None),
    }) else {
        println!("usage: refresh-load URL CLIENTS SECONDS [PATH]");
        std::process::exit(2);
    };
    let (clients, seconds): (u32, u64) = (clients.parse().expect("a number"), seconds.parse().expect("a number"));
    let client = Client::builder().no_proxy().build().expect("a client");
    let run = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time").as_millis();
    let mut tokens = Vec::new();
    for number in 0..clients {
        tokens.push(register_and_login(&client, url, &format!("load-{run}-{number}")).await);
    }
    let end = Instant::now() + Duration::from_secs(seconds);
    let tasks = tokens.into_iter().map(|pair| {
        let (client, url) = (client.clone(), url.clone());
        match &path {
            None => tokio::spawn(refresh_repeatedly(client, url, refresh_of(&pair), end)),
            Some(path) => tokio::spawn(get_repeatedly(client, format!("{url}{path}"), access_of(&pair), end)),
        }
    });
    let tasks: Vec<_> = tasks.collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await.expect("a client task"));
    }
    latencies.sort_unstable();
    let percentile =
        |fraction: f64| latencies.get((latencies.len() as f64 * fraction) as usize).copied().unwrap_or_default();
    let rate = latencies.len() as u64 / seconds;
    let what = path.as_deref().unwrap_or("refreshes");
    println!("{rate} {what} per second, {clients} clients, median {:?}, p99 {:?}", percentile(0.5), percentile(0.99));
}

async fn register_and_login(client: &Client, url: &str, name: &str) -> Value {
    let password = "Correct-horse-42";
    let account = json!({
        "username": name, "email": format!("{name}@example.com"), "first_name": "Load", "password": password,
        "password2": password,
    });
    post(client, url, "/api/register/", &account).await;
    post(client, url, "/api/token/", &json!({"username": name, "password": password})).await
}

async fn get_repeatedly(client: Client, url: String, token: String, end: Instant) -> Vec<Duration> {
    let mut latencies = Vec::new();
    while Instant::now() < end {
        let started = Instant::now();
        let answer = client.get(&url).bearer_auth(&token).send().await.expect("an answer");
        answer.error_for_status().expect("success").bytes().await.expect("a body");
        latencies.push(started.elapsed());
    }
    latencies
}

async fn refresh_repeatedly(client: Client, url: String, mut token: String, end: Instant) -> Vec<Duration> {
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

fn access_of(pair: &Value) -> String {
    pair["access"].as_str().expect("an access token").to_owned()
}

fn refresh_of(pair: &Value) -> String {
    pair["refresh"].as_str().expect("a refresh token").to_owned()
}
