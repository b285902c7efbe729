//! Replays the recorded wire contract over HTTP on every storage; each row is a trial. The server is the example blog, so
//! that rows about posts and settings are replayed too; without a database, it is the service's own routes.
//!
//! A row is sent as recorded, and the answer is compared with the recorded one: status, headers, body, and the claims of
//! tokens. Expected answers come from the recording, except for the rows in [`own_answers`].
//!
//! | topic | module |
//! |---|---|
//! | the recorded rows and their settings | [`recording`], [`variant`] |
//! | tokens, preparatory steps and complete requests for rows | [`token_plan`], [`recipes`], [`rewrites`] |
//! | rows that the service answers differently on purpose | [`own_answers`], [`differences`] |
//! | comparisons | [`answer`], [`claims`], [`posts`] |
//! | replaying a row | [`fixture`], [`users`], [`request`], [`sending`], [`forge`], [`keys`] |
//! | the servers, and which rows they replay | [`target`], [`in_process_server`], [`server_process`] |
//!
//! `cargo test --test wire -- REF-` replays some rows, with the rows that they depend on.

mod answer;
mod claims;
mod differences;
mod fixture;
mod forge;
mod in_process_server;
mod keys;
mod own_answers;
mod posts;
mod recipes;
mod recording;
mod request;
mod rewrites;
mod sending;
mod server_process;
mod target;
mod token_plan;
mod users;
mod variant;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use auth_tests::postgres;
use libtest_mimic::{Arguments, Failed, Trial};

use crate::contract::fixture::Fixture;
use crate::contract::own_answers::{OWN_WAY, own_way};
use crate::contract::recording::{Row, allowed_methods, matches, rows};
use crate::contract::target::Database;
use crate::contract::token_plan::CHAINS;
use crate::contract::variant::{VARIANTS, Variant};

/// Rows that are replayed in order on one fixture, once.
struct Chain {
    rows: Vec<Arc<Row>>,
    run: Arc<Run>,
    results: OnceLock<HashMap<String, Result<(), String>>>,
}

/// The rows on one database.
struct Run {
    database: Database,
    allowed: Arc<BTreeMap<String, String>>,
    recorded: AtomicUsize,
    own: AtomicUsize,
    failed: AtomicUsize,
}

impl Chain {
    fn result_of(&self, row: &Row) -> Result<(), Failed> {
        let results = self.results.get_or_init(|| self.replay());
        results[&row.id].clone().map_err(Failed::from)
    }

    fn replay(&self) -> HashMap<String, Result<(), String>> {
        let target = self.run.database.target(&self.rows[0]);
        let mut fixture = target.map(|target| Fixture::new(target, &self.run.allowed, &self.rows[0].id));
        let mut result_of = |row: &Row| match &mut fixture {
            Ok(fixture) => self.run.replay(fixture, row),
            Err(error) => Err(error.clone()),
        };
        self.rows.iter().map(|row| (row.id.clone(), result_of(row))).collect()
    }
}

impl Run {
    fn new(database: Database, allowed: &Arc<BTreeMap<String, String>>) -> Arc<Self> {
        let [recorded, own, failed] = [(); 3].map(|()| AtomicUsize::new(0));
        Arc::new(Self { database, allowed: allowed.clone(), recorded, own, failed })
    }

    fn replay(&self, fixture: &mut Fixture<'_>, row: &Row) -> Result<(), String> {
        let result_of = fixture.replay(row);
        let counter = match (&result_of, own_way(row)) {
            (Err(_), _) => &self.failed,
            (Ok(()), Some(_)) => &self.own,
            (Ok(()), None) => &self.recorded,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        result_of.map_err(|difference| {
            let Row { id, title, method, path, request, status, body, .. } = row;
            let exchange = format!("{method} {path} {request}\n        -> {status} ");
            let exchange = if method.is_empty() { "" } else { &exchange };
            format!("{id}, {title}: {difference}\n  recorded: {exchange}{body}")
        })
    }
}

/// All rows on all storages. Dropping it stops the servers.
pub(crate) struct Replay {
    rows: Vec<Arc<Row>>,
    runs: Vec<Arc<Run>>,
}

impl Replay {
    pub(crate) fn new() -> Self {
        let rows: Vec<_> = rows().into_iter().map(Arc::new).collect();
        let allowed = Arc::new(allowed_methods(&rows));
        let runs = Database::all().into_iter().map(|database| Run::new(database, &allowed)).collect();
        Self { rows, runs }
    }

    pub(crate) fn trials(&self) -> Vec<Trial> {
        let rows = self.rows.clone();
        let tables = Trial::test("contract::tables", move || {
            check_tables(&rows).and_then(|()| differences::check(&rows)).map_err(Failed::from)
        });
        let chains = self.runs.iter().flat_map(|run| chains(&self.rows, run));
        [tables].into_iter().chain(chains.flat_map(trials_of)).collect()
    }

    /// Prints how many rows were replayed. Returns `false` if an unfiltered run has skipped rows.
    pub(crate) fn is_complete(&self, arguments: &Arguments) -> bool {
        let is_unfiltered = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.ignored;
        arguments.list || !is_unfiltered || report(&self.rows, &self.runs)
    }
}

fn chains(rows: &[Arc<Row>], run: &Arc<Run>) -> Vec<Arc<Chain>> {
    let mut chains: Vec<Vec<Arc<Row>>> = Vec::new();
    let mut indexes = HashMap::new();
    for row in rows.iter().filter(|row| run.database.selects(row)) {
        let chain = CHAINS.iter().position(|chain| chain.iter().any(|pattern| matches(pattern, &row.id)));
        let index = chain.map_or(chains.len(), |chain| *indexes.entry(chain).or_insert(chains.len()));
        match chains.get_mut(index) {
            Some(chain) => chain.push(row.clone()),
            None => chains.push(vec![row.clone()]),
        }
    }
    let chain = |rows| Arc::new(Chain { rows, run: run.clone(), results: OnceLock::new() });
    chains.into_iter().map(chain).collect()
}

fn trials_of(chain: Arc<Chain>) -> Vec<Trial> {
    let trial = |row: &Arc<Row>| {
        let (row, chain) = (row.clone(), chain.clone());
        let database = chain.run.database.name;
        let name = format!("contract::{database}::{}", row.id);
        let run = move || chain.result_of(&row);
        if database == "postgres" { postgres::trial(name, run) } else { Trial::test(name, run) }
    };
    chain.rows.iter().map(trial).collect()
}

/// Prints how many rows were replayed. Returns `false` if rows were skipped.
#[expect(clippy::print_stdout, reason = "part of the result of the tests")]
fn report(rows: &[Arc<Row>], runs: &[Arc<Run>]) -> bool {
    println!("contract: {} rows recorded", rows.len());
    let mut is_complete = true;
    for run in runs {
        let selected = rows.iter().filter(|row| run.database.selects(row)).count();
        let [recorded, own, failed] =
            [&run.recorded, &run.own, &run.failed].map(|counter| counter.load(Ordering::Relaxed));
        let replayed = recorded + own + failed;
        println!(
            "contract on {:<8}  {replayed} of {selected} rows replayed: {recorded} as recorded, {own} with the service's own \
             way; {failed} failed",
            run.database.name,
        );
        // Without PostgreSQL its rows are ignored, except in CI.
        let is_ignored = replayed == 0 && std::env::var_os("CI").is_none();
        is_complete &= is_ignored || replayed == selected;
    }
    is_complete
}

/// Checks that every entry of the tables matches a row, that no row is listed twice, and that all settings are used.
fn check_tables(rows: &[Arc<Row>]) -> Result<(), String> {
    let own: Vec<_> = OWN_WAY.iter().flat_map(|(list, _, _)| list.split_whitespace()).collect();
    if own.iter().collect::<BTreeSet<_>>().len() != own.len() {
        return Err("a row is listed twice".to_owned());
    }
    let is_known = |pattern: &&str| rows.iter().any(|row| matches(pattern, &row.id));
    if let Some(pattern) =
        token_plan::patterns().chain(rewrites::patterns()).chain(own).find(|pattern| !is_known(pattern))
    {
        return Err(format!("no row matches {pattern}"));
    }
    let used: BTreeSet<_> = rows.iter().map(|row| Variant::position_of(row)).collect::<Result<_, _>>()?;
    if used.len() == VARIANTS.len() { Ok(()) } else { Err("some settings have no row".to_owned()) }
}
