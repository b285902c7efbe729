//! Does the time of an answer tell whether there is an account? (SEC-081, SEC-112.)
//!
//! Asks about accounts that are there and about nobody, in random order, and compares the times; beside that, two groups of
//! accounts that are both there, which is the noise of this machine. See `bench/README.md`.
#![allow(clippy::expect_used, clippy::print_stdout, reason = "a measurement that cannot be made has failed")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use auth_tests::{ServerOptions, TestServer};
use reqwest::blocking::Client;
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_server-under-test");
/// Requests of each kind, unless the command line says otherwise.
const SAMPLES: usize = 400;
/// Accounts in each group: few enough wrong passwords for each that none has to wait.
const ACCOUNTS: usize = 100;
/// From when on a difference is not by chance.
const UNLIKELY: f64 = 0.001;

/// Who is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// Accounts that are there.
    Known,
    /// Others that are there.
    AlsoKnown,
    /// Nobody.
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

/// What is asked.
struct Question {
    title: &'static str,
    path: &'static str,
    body: fn(&str) -> Value,
    status: u16,
}

const QUESTIONS: [Question; 4] = [
    Question {
        title: "login by name",
        path: "/api/token/",
        body: |name| json!({"username": name, "password": "Wrong-horse-42"}),
        status: 401,
    },
    Question {
        title: "login by address",
        path: "/api/token/",
        body: |name| json!({"email": format!("{name}@example.com"), "password": "Wrong-horse-42"}),
        status: 401,
    },
    Question {
        title: "password reset",
        path: "/api/password-reset/",
        body: |name| json!({"email": format!("{name}@example.com")}),
        status: 202,
    },
    Question {
        title: "resend of a link",
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
    let verdicts: Vec<_> = QUESTIONS.iter().map(|question| judge(&client, &server, question, samples)).collect();
    if verdicts.iter().all(|is_good| *is_good) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A server with all limits on, wide enough for the measurement.
fn start(samples: usize) -> TestServer {
    let many = (GROUPS.len() * QUESTIONS.len() * samples * 2).to_string();
    let per_name = (4 * samples / ACCOUNTS + 10).to_string();
    let options =
        ServerOptions::new("development", None).with_real_hashing().env("AUTH__LOG__LEVEL", "error,auth_server=info");
    let options = options.env("AUTH__THROTTLE__FAILURES_PER_ADDRESS_PER_HOUR", &many);
    let options = options.env("AUTH__THROTTLE__MAIL_REQUESTS_PER_ADDRESS_PER_HOUR", &many);
    let options = options.env("AUTH__THROTTLE__MAIL_REQUESTS_PER_EMAIL_PER_HOUR", &per_name);
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

/// Asks, compares and prints; whether the times tell nothing.
fn judge(client: &Client, server: &TestServer, question: &Question, samples: usize) -> bool {
    let mut times: [Vec<f64>; 3] = Default::default();
    let mut order: Vec<_> = (0..samples * GROUPS.len()).collect();
    shuffle(&mut order);
    for place in order {
        let (group, number) = (place % GROUPS.len(), place / GROUPS.len());
        let body = (question.body)(&GROUPS[group].name(number));
        let request = client.post(format!("{}{}", server.url(), question.path)).json(&body);
        let start = Instant::now();
        let answer = request.send().expect("an answer");
        let status = answer.status();
        answer.bytes().expect("a body");
        times[group].push(start.elapsed().as_secs_f64() * 1e6);
        assert_eq!(status, question.status, "{}", question.title);
    }
    let [known, also_known, unknown] = &times;
    let (ratio, chance) = (median(unknown) / median(known), chance_of_difference(known, unknown));
    let (noise_ratio, noise_chance) = (median(also_known) / median(known), chance_of_difference(known, also_known));
    let (difference, noise) = ((ratio - 1.0).abs(), (noise_ratio - 1.0).abs().max(0.005));
    let is_good = (0.9..=1.1).contains(&ratio) && (chance >= UNLIKELY || difference <= 3.0 * noise);
    println!(
        "{:<18}{:>10.0}{:>10.0}{:>8.3}{:>9.4}{:>14.3}{:>10.4}  {}",
        question.title,
        median(known),
        median(unknown),
        ratio,
        chance,
        noise_ratio,
        noise_chance,
        if is_good { "tells nothing" } else { "TELLS" }
    );
    is_good
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// How likely a difference at least like this is if both groups are of one kind: the test of Mann and Whitney, two-sided,
/// with the normal approximation (good from twenty samples on; ties do not occur among times).
fn chance_of_difference(one: &[f64], other: &[f64]) -> f64 {
    let mut all: Vec<_> = one.iter().map(|time| (*time, true)).chain(other.iter().map(|time| (*time, false))).collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let ranks: f64 =
        all.iter().enumerate().filter(|(_, (_, is_one))| *is_one).map(|(place, _)| place as f64 + 1.0).sum();
    let (n, m) = (one.len() as f64, other.len() as f64);
    let (mean, deviation) = (n * (n + m + 1.0) / 2.0, (n * m * (n + m + 1.0) / 12.0).sqrt());
    2.0 * normal_tail(((ranks - mean) / deviation).abs())
}

/// The chance that a normal variable is greater than `z` (Abramowitz and Stegun 26.2.17; error below 7.5e-8).
fn normal_tail(z: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * z);
    let polynomial =
        t * (0.319_381_530 + t * (-0.356_563_782 + t * (1.781_477_937 + t * (-1.821_255_978 + t * 1.330_274_429))));
    (-z * z / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt() * polynomial
}

/// The same order each time (xorshift64), so that a run can be repeated.
fn shuffle(order: &mut [usize]) {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for place in (1..order.len()).rev() {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        order.swap(place, (state % (place as u64 + 1)) as usize);
    }
}
