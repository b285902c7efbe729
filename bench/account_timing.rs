//! Do response times reveal whether an account exists (SEC-081, SEC-112)?
//!
//! Sends requests for existing and unknown accounts in random order and compares the times; two groups of existing accounts
//! measure the noise of this machine. See `bench/README.md`.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a measurement without its server has failed")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use auth_tests::{ServerOptions, TestServer};
use reqwest::blocking::Client;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_server-under-test");
/// Requests of each kind, unless the command line says otherwise.
const SAMPLES: usize = 400;
/// Accounts in each group: so many that no account gets enough wrong passwords to be delayed.
const ACCOUNTS: usize = 100;
/// The p-value below which a difference counts as significant.
const SIGNIFICANCE: f64 = 0.001;

/// The accounts that requests are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// Existing accounts.
    Known,
    /// Other existing accounts, for the noise.
    AlsoKnown,
    /// Accounts that do not exist.
    Unknown,
}

const GROUPS: [Group; 3] = [Group::Known, Group::AlsoKnown, Group::Unknown];

impl Group {
    fn name(self, number: usize) -> String {
        let prefix = match self {
            Self::Known => "alpha",
            Self::AlsoKnown => "gamma",
            Self::Unknown => "omega",
        };
        format!("{prefix}{:04}", number % ACCOUNTS)
    }
}

/// A request to measure.
struct Measurement {
    title: &'static str,
    path: &'static str,
    body: fn(&str) -> Value,
    status: u16,
}

const MEASUREMENTS: [Measurement; 4] = [
    Measurement {
        title: "login by username",
        path: "/api/token/",
        body: |name| json!({"username": name, "password": "Wrong-horse-42"}),
        status: 401,
    },
    Measurement {
        title: "login by email",
        path: "/api/token/",
        body: |name| json!({"email": format!("{name}@example.com"), "password": "Wrong-horse-42"}),
        status: 401,
    },
    Measurement {
        title: "password reset",
        path: "/api/password-reset/",
        body: |name| json!({"email": format!("{name}@example.com")}),
        status: 202,
    },
    Measurement {
        title: "resend of link",
        path: "/api/email/verify/resend/",
        body: |name| json!({"email": format!("{name}@example.com")}),
        status: 202,
    },
];

fn main() -> ExitCode {
    let samples = std::env::args().skip(1).find_map(|text| text.parse().ok()).unwrap_or(SAMPLES);
    let server = start(samples);
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(60)).build().expect("a client");
    register(&client, &server);
    println!("{samples} requests of each kind, in random order; medians in microseconds\n");
    println!("{:<18}{:>10}{:>10}{:>8}{:>9}{:>14}{:>10}", "", "known", "unknown", "ratio", "p", "noise: ratio", "p");
    let results: Vec<_> =
        MEASUREMENTS.iter().map(|measurement| measure(&client, &server, measurement, samples)).collect();
    if results.iter().all(|passed| *passed) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Starts a server with all rate limits enabled, high enough for the measurement.
fn start(samples: usize) -> TestServer {
    let many = (GROUPS.len() * MEASUREMENTS.len() * samples * 2).to_string();
    let per_name = (4 * samples / ACCOUNTS + 10).to_string();
    let options =
        ServerOptions::new("development", None).with_real_hashing().env("AUTH__LOG__LEVEL", "error,auth_server=info");
    let options = options.env("AUTH__THROTTLE__FAILURES_PER_CLIENT_IP_PER_HOUR", &many);
    let options = options.env("AUTH__THROTTLE__EMAIL_REQUESTS_PER_CLIENT_IP_PER_HOUR", &many);
    let options = options.env("AUTH__THROTTLE__EMAIL_REQUESTS_PER_EMAIL_ADDRESS_PER_HOUR", &per_name);
    options.env("AUTH__THROTTLE__PASSWORD_FREE_ATTEMPTS", &per_name).start(BINARY)
}

fn register(client: &Client, server: &TestServer) {
    for group in [Group::Known, Group::AlsoKnown] {
        for number in 0..ACCOUNTS {
            let name = group.name(number);
            let body = json!({"username": name, "email": format!("{name}@example.com"), "first_name": "A",
                "password": "Correct-horse-42", "password2": "Correct-horse-42"});
            let answer = client.post(format!("{}/api/register/", server.url())).json(&body).send();
            assert_eq!(answer.expect("an answer").status(), 201);
        }
    }
}

/// Sends the requests, compares and prints the times; returns whether they reveal nothing.
fn measure(client: &Client, server: &TestServer, measurement: &Measurement, samples: usize) -> bool {
    let mut times: [Vec<f64>; 3] = Default::default();
    let mut order: Vec<_> = (0..samples * GROUPS.len()).collect();
    shuffle(&mut order);
    for index in order {
        let (group, number) = (index % GROUPS.len(), index / GROUPS.len());
        let body = (measurement.body)(&GROUPS[group].name(number));
        let request = client.post(format!("{}{}", server.url(), measurement.path)).json(&body);
        let start = Instant::now();
        let answer = request.send().expect("an answer");
        let status = answer.status();
        answer.bytes().expect("a body");
        times[group].push(start.elapsed().as_secs_f64() * 1e6);
        assert_eq!(status, measurement.status, "{}", measurement.title);
    }
    let [known, also_known, unknown] = &times;
    let (ratio, p) = (median(unknown) / median(known), p_value(known, unknown));
    let (noise_ratio, noise_p) = (median(also_known) / median(known), p_value(known, also_known));
    let (difference, noise) = ((ratio - 1.0).abs(), (noise_ratio - 1.0).abs().max(0.005));
    let passed = (0.9..=1.1).contains(&ratio) && (p >= SIGNIFICANCE || difference <= 3.0 * noise);
    println!(
        "{:<18}{:>10.0}{:>10.0}{:>8.3}{:>9.4}{:>14.3}{:>10.4}  {}",
        measurement.title,
        median(known),
        median(unknown),
        ratio,
        p,
        noise_ratio,
        noise_p,
        if passed { "ok" } else { "REVEALED" }
    );
    passed
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// The two-sided p-value of the Mann–Whitney test that both groups have the same distribution, with the normal approximation
/// (good from twenty samples on; ties do not occur among times).
fn p_value(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<_> = one.iter().map(|time| (*time, true)).chain(other.iter().map(|time| (*time, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ranks: f64 =
        all.iter().enumerate().filter(|(_, (_, is_one))| *is_one).map(|(index, _)| index as f64 + 1.0).sum();
    let (n, m) = (one.len() as f64, other.len() as f64);
    let (mean, deviation) = (n * (n + m + 1.0) / 2.0, (n * m * (n + m + 1.0) / 12.0).sqrt());
    2.0 * normal_tail(((ranks - mean) / deviation).abs())
}

/// The probability that a standard normal variable exceeds `z` (Abramowitz and Stegun 26.2.17; error below 7.5e-8).
fn normal_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial
}

/// Shuffles with a fixed seed (xorshift64), so that a run can be repeated.
fn shuffle(order: &mut [usize]) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for index in (1..order.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(index, (state % (index as u64 + 1)) as usize);
    }
}
