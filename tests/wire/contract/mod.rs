//! Replays the recorded wire contract over HTTP, on every storage: each row is a trial. What answers is the example
//! blog, so that the rows about posts and settings are replayed too; without a database, the routes of the service.
//!
//! A row is sent as it is recorded, and its answer compared with the recorded one: status, headers, body, and the
//! claims of tokens. Expected answers come from the recording, except for the rows in [`own_answers`].
//!
//! | question | module |
//! |---|---|
//! | what was recorded, with which settings | [`recording`], [`variant`] |
//! | which token, which steps before a row, what was abbreviated | [`token_plan`], [`recipes`], [`rewrites`] |
//! | which rows are answered in the service's own way, and why | [`own_answers`], [`differences`] |
//! | what is compared | [`answer`], [`claims`], [`posts`] |
//! | how a row is played | [`fixture`], [`users`], [`request`], [`sending`], [`forge`], [`keys`] |
//! | what runs, and which rows are replayed there | [`target`], [`in_process_server`], [`server_process`] |
//!
//! `cargo test --test wire -- REF-` replays some rows; a row that follows from others brings them along.

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

/// Rows that are played one after the other on one fixture, once.
struct Chain {
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

impl Chain {
    fn result(&self, row: &Row) -> Result<(), Failed> {
        let played = self.played.get_or_init(|| self.play());
        played[&row.id].clone().map_err(Failed::from)
    }

    fn play(&self) -> HashMap<String, Result<(), String>> {
        let target = self.run.database.target(&self.rows[0]);
        let mut fixture = target.map(|target| Fixture::new(target, &self.run.allowed, &self.rows[0].id));
        let mut result = |row: &Row| match &mut fixture {
            Ok(fixture) => self.run.play(fixture, row),
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

    fn play(&self, fixture: &mut Fixture<'_>, row: &Row) -> Result<(), String> {
        let result = fixture.play(row);
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

/// All rows on all storages. The servers that rows share end with it.
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

    /// Prints how many rows were replayed. `false` if rows are missing from a run of all.
    pub(crate) fn is_complete(&self, arguments: &Arguments) -> bool {
        let is_whole = arguments.filter.is_none() && arguments.skip.is_empty() && !arguments.ignored;
        arguments.list || !is_whole || report(&self.rows, &self.runs)
    }
}

fn chains(rows: &[Arc<Row>], run: &Arc<Run>) -> Vec<Arc<Chain>> {
    let mut chains: Vec<Vec<Arc<Row>>> = Vec::new();
    let mut places = HashMap::new();
    for row in rows.iter().filter(|row| run.database.plays(row)) {
        let chain = CHAINS.iter().position(|chain| chain.iter().any(|pattern| matches(pattern, &row.id)));
        let place = chain.map_or(chains.len(), |chain| *places.entry(chain).or_insert(chains.len()));
        match chains.get_mut(place) {
            Some(chain) => chain.push(row.clone()),
            None => chains.push(vec![row.clone()]),
        }
    }
    let chain = |rows| Arc::new(Chain { rows, run: run.clone(), played: OnceLock::new() });
    chains.into_iter().map(chain).collect()
}

fn trials_of(chain: Arc<Chain>) -> Vec<Trial> {
    let trial = |row: &Arc<Row>| {
        let (row, chain) = (row.clone(), chain.clone());
        let database = chain.run.database.name;
        let name = format!("contract::{database}::{}", row.id);
        let run = move || chain.result(&row);
        if database == "postgres" { postgres::trial(name, run) } else { Trial::test(name, run) }
    };
    chain.rows.iter().map(trial).collect()
}

/// Prints how many rows were replayed. `false` if rows are missing from a run of all.
#[expect(clippy::print_stdout, reason = "part of the result of the tests")]
fn report(rows: &[Arc<Row>], runs: &[Arc<Run>]) -> bool {
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
        is_complete &= is_ignored || replayed == meant;
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
    if let Some(pattern) =
        token_plan::patterns().chain(rewrites::patterns()).chain(own).find(|pattern| !is_known(pattern))
    {
        return Err(format!("no row is meant by {pattern}"));
    }
    let used: BTreeSet<_> = rows.iter().map(|row| Variant::position_of(row)).collect::<Result<_, _>>()?;
    if used.len() == VARIANTS.len() { Ok(()) } else { Err("no row is about some settings".to_owned()) }
}
