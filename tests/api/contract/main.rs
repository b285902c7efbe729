//! Replays the recorded wire contract over HTTP, on every storage: each row is a trial.
//!
//! A row is sent as it is recorded, and its answer compared with the recorded one: status, headers, body, and the claims
//! of tokens. Expected answers come from the recording, except for the rows in [`product`].
//!
//! | question | module |
//! |---|---|
//! | what was recorded, and which rows do not apply | [`recording`] |
//! | which token, which steps before a row, what was abbreviated | [`plan`], [`forge`] |
//! | which rows are answered in the service's own way, and why | [`product`] |
//! | what is compared | [`answer`], [`claims`] |
//! | what runs | [`target`], [`memory`], `process` |
//!
//! `cargo test --test contract -- REF-` replays some rows; a row that follows from others brings them along.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a test, though without the attribute")]

mod answer;
mod claims;
mod forge;
mod memory;
mod plan;
#[cfg(feature = "server")]
mod process;
mod product;
mod recording;
mod request;
mod stage;
mod target;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use auth_tests::postgres;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::plan::CHAINS;
use crate::product::{OWN_WAY, own_way};
use crate::recording::{NOT_APPLICABLE, Row, allowed_methods, matches, rows, why_not_applicable};
use crate::stage::Stage;
use crate::target::Database;

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
    replayed: AtomicUsize,
    in_own_way: AtomicUsize,
    failed: AtomicUsize,
}

impl Scene {
    fn result(&self, row: &Row) -> Result<(), Failed> {
        let played = self.played.get_or_init(|| self.play());
        played[&row.id].clone().map_err(Failed::from)
    }

    fn play(&self) -> HashMap<String, Result<(), String>> {
        let target = self.run.database.target();
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
        let [replayed, in_own_way, failed] = [(); 3].map(|()| AtomicUsize::new(0));
        Arc::new(Self { database, allowed: allowed.clone(), replayed, in_own_way, failed })
    }

    fn play(&self, stage: &mut Stage<'_>, row: &Row) -> Result<(), String> {
        let result = stage.play(row);
        self.replayed.fetch_add(1, Ordering::Relaxed);
        self.in_own_way.fetch_add(own_way(row).is_some().into(), Ordering::Relaxed);
        self.failed.fetch_add(result.is_err().into(), Ordering::Relaxed);
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
        move || check_tables(&rows).map_err(Failed::from)
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
    for row in rows.iter().filter(|row| why_not_applicable(row).is_none()) {
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
    let not_applicable = rows.iter().filter(|row| why_not_applicable(row).is_some()).count();
    let mut is_complete = true;
    for run in runs {
        let count = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        let (replayed, own) = (count(&run.replayed), count(&run.in_own_way));
        println!(
            "contract on {:<8}  {replayed} rows replayed: {} as recorded, {own} in the product's own way; {} failed",
            run.database.name,
            replayed - own,
            count(&run.failed),
        );
        if is_whole && replayed > 0 && replayed + not_applicable != rows.len() {
            println!("  but there are {} rows, of which {not_applicable} do not apply", rows.len());
            is_complete = false;
        }
    }
    println!("contract: {} rows recorded, {not_applicable} not applicable", rows.len());
    is_complete
}

/// Every entry of the tables names a row, and no row is named twice where that would say two things.
fn check_tables(rows: &[Arc<Row>]) -> Result<(), String> {
    let ids = |list: &'static str| list.split_whitespace();
    let left_out: Vec<_> = NOT_APPLICABLE.iter().flat_map(|(_, list)| ids(list)).collect();
    let own: Vec<_> = OWN_WAY.iter().flat_map(|(list, _, _)| ids(list)).collect();
    for list in [&left_out, &own] {
        let distinct: BTreeSet<_> = list.iter().collect();
        if distinct.len() != list.len() {
            return Err("a row is listed twice".to_owned());
        }
    }
    if let Some(id) = own.iter().find(|id| left_out.contains(id)) {
        return Err(format!("{id} does not apply, and has an answer of its own"));
    }
    let is_known = |pattern: &&str| rows.iter().any(|row| matches(pattern, &row.id));
    match plan::patterns().chain(left_out).chain(own).find(|pattern| !is_known(pattern)) {
        Some(pattern) => Err(format!("no row is meant by {pattern}")),
        None => Ok(()),
    }
}
