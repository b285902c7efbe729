//! Replays the recorded wire contract over HTTP, on every storage: each row is a trial. What answers is the example
//! blog, so that the rows about posts and settings are replayed too; without a database, the routes of the service.
//!
//! A row is sent as it is recorded, and its answer compared with the recorded one: status, headers, body, and the
//! claims of tokens. Expected answers come from the recording, except for the rows in [`product`].
//!
//! | question | module |
//! |---|---|
//! | what was recorded, with which settings | [`recording`], [`variant`] |
//! | which token, which steps before a row, what was abbreviated | [`plan`], [`recipes`], [`rewrites`] |
//! | which rows are answered in the service's own way, and why | [`product`], [`differences`] |
//! | what is compared | [`answer`], [`claims`], [`posts`] |
//! | how a row is played | [`stage`], [`cast`], [`request`], [`wire`], [`forge`], [`keys`] |
//! | what runs, and which rows are replayed there | [`target`], [`memory`], `process` |
//!
//! `cargo test --test contract -- REF-` replays some rows; a row that follows from others brings them along.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test, though without the attribute")]

mod answer;
mod cast;
mod claims;
mod differences;
mod forge;
mod keys;
mod memory;
mod plan;
mod posts;
#[cfg(feature = "server")]
mod process;
mod product;
mod recipes;
mod recording;
mod request;
mod rewrites;
mod stage;
mod target;
mod variant;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use auth_tests::postgres;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::plan::CHAINS;
use crate::product::{OWN_WAY, own_way};
use crate::recording::{Row, allowed_methods, matches, rows};
use crate::stage::Stage;
use crate::target::Database;
use crate::variant::{VARIANTS, Variant};

/// Rows that are played one after the other on one stage, once.
struct Scene {
    rows: Vec<Arc<Row>>,
    run: Arc<Run>,
    played: OnceLock<HashMap<String, Result<(), String>>>,
}

/// Everything on one database.
struct Run {
    database: Database,
    allowed: Arc<BTreeMap<String, String>>,
    as_recorded: AtomicUsize,
    in_own_way: AtomicUsize,
    failed: AtomicUsize,
}

impl Scene {
    fn result(&self, row: &Row) -> Result<(), Failed> {
        let played = self.played.get_or_init(|| self.play());
        played[&row.id].clone().map_err(Failed::from)
    }

    fn play(&self) -> HashMap<String, Result<(), String>> {
        let target = self.run.database.target(&self.rows[0]);
        let mut stage = target.map(|target| Stage::new(target, &self.run.allowed, &self.rows[0].id));
        let mut result = |row: &Row| match &mut stage {
            Ok(stage) => self.run.play(stage, row),
            Err(complaint) => Err(complaint.clone()),
        };
        self.rows.iter().map(|row| (row.id.clone(), result(row))).collect()
    }
}

impl Run {
    fn new(database: Database, allowed: &Arc<BTreeMap<String, String>>) -> Arc<Self> {
        let [as_recorded, in_own_way, failed] = [(); 3].map(|()| AtomicUsize::new(0));
        Arc::new(Self { database, allowed: allowed.clone(), as_recorded, in_own_way, failed })
    }

    fn play(&self, stage: &mut Stage<'_>, row: &Row) -> Result<(), String> {
        let result = stage.play(row);
        let counter = match (&result, own_way(row)) {
            (Err(_), _) => &self.failed,
            (Ok(()), Some(_)) => &self.in_own_way,
            (Ok(()), None) => &self.as_recorded,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        result.map_err(|difference| {
            let Row { id, title, method, path, request, status, body, .. } = row;
            let exchange = format!("{method} {path} {request}\n        -> {status} ");
            let exchange = if method.is_empty() { "" } else { &exchange };
            format!("{id}, {title}: {difference}\n  recorded: {exchange}{body}")
        })
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let rows: Vec<_> = rows().into_iter().map(Arc::new).collect();
    let allowed = Arc::new(allowed_methods(&rows));
    let runs: Vec<_> = Database::all().into_iter().map(|database| Run::new(database, &allowed)).collect();
    let mut trials = vec![Trial::test("tables", {
        let rows = rows.clone();
        move || check_tables(&rows).and_then(|()| differences::check(&rows)).map_err(Failed::from)
    })];
    trials.extend(runs.iter().flat_map(|run| scenes(&rows, run)).flat_map(trials_of));
    let conclusion = libtest_mimic::run(&arguments, trials);
    let is_whole = arguments.filter.is_none() && arguments.skip.is_empty();
    let is_complete = arguments.list || report(&rows, &runs, is_whole);
    drop(runs); // The servers end here: a process that exits drops nothing.
    if conclusion.has_failed() || !is_complete { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn scenes(rows: &[Arc<Row>], run: &Arc<Run>) -> Vec<Arc<Scene>> {
    let mut scenes: Vec<Vec<Arc<Row>>> = Vec::new();
    let mut chains = HashMap::new();
    for row in rows.iter().filter(|row| run.database.plays(row)) {
        let chain = CHAINS.iter().position(|chain| chain.iter().any(|pattern| matches(pattern, &row.id)));
        let place = chain.map_or(scenes.len(), |chain| *chains.entry(chain).or_insert(scenes.len()));
        match scenes.get_mut(place) {
            Some(scene) => scene.push(row.clone()),
            None => scenes.push(vec![row.clone()]),
        }
    }
    let scene = |rows| Arc::new(Scene { rows, run: run.clone(), played: OnceLock::new() });
    scenes.into_iter().map(scene).collect()
}

fn trials_of(scene: Arc<Scene>) -> Vec<Trial> {
    let trial = |row: &Arc<Row>| {
        let (row, scene) = (row.clone(), scene.clone());
        let database = scene.run.database.name;
        let name = format!("{database}::{}", row.id);
        let run = move || scene.result(&row);
        if database == "postgres" { postgres::trial(name, run) } else { Trial::test(name, run) }
    };
    scene.rows.iter().map(trial).collect()
}

/// Prints how many rows were replayed. `false` if rows are missing from a run of all.
fn report(rows: &[Arc<Row>], runs: &[Arc<Run>], is_whole: bool) -> bool {
    println!("contract: {} rows recorded", rows.len());
    let mut is_complete = true;
    for run in runs {
        let meant = rows.iter().filter(|row| run.database.plays(row)).count();
        let [recorded, own, failed] =
            [&run.as_recorded, &run.in_own_way, &run.failed].map(|counter| counter.load(Ordering::Relaxed));
        let replayed = recorded + own + failed;
        println!(
            "contract on {:<8}  {replayed} of {meant} rows replayed: {recorded} as recorded, {own} in the product's own \
             way; {failed} failed",
            run.database.name,
        );
        // Where there is no PostgreSQL its rows are ignored; not so where everything has to be there.
        let is_ignored = replayed == 0 && std::env::var_os("CI").is_none();
        is_complete &= !is_whole || is_ignored || replayed == meant;
    }
    is_complete
}

/// Every entry of the tables names a row, no row is named twice where that would say two things, and there are settings
/// for each row.
fn check_tables(rows: &[Arc<Row>]) -> Result<(), String> {
    let own: Vec<_> = OWN_WAY.iter().flat_map(|(list, _, _)| list.split_whitespace()).collect();
    if own.iter().collect::<BTreeSet<_>>().len() != own.len() {
        return Err("a row is listed twice".to_owned());
    }
    let is_known = |pattern: &&str| rows.iter().any(|row| matches(pattern, &row.id));
    if let Some(pattern) = plan::patterns().chain(rewrites::patterns()).chain(own).find(|pattern| !is_known(pattern)) {
        return Err(format!("no row is meant by {pattern}"));
    }
    let used: BTreeSet<_> = rows.iter().map(|row| Variant::position_of(row)).collect::<Result<_, _>>()?;
    if used.len() == VARIANTS.len() { Ok(()) } else { Err("no row is about some settings".to_owned()) }
}
