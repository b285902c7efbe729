//! The table of differences in `docs/compatibility.md`: every row that the service answers differently on purpose, with the
//! recorded answer and the reason. It is generated from [`OWN_WAY`]; `just golden` writes it again.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::contract::own_answers::{Answer, OWN_WAY, is_listed};
use crate::contract::recording::Row;

const BEGIN: &str = "<!-- differences: begin -->";
const END: &str = "<!-- differences: end -->";

/// Differences that affect many rows: which rows, the recorded answer, the service's answer, and the reason.
const EVERYWHERE: [[&str; 4]; 4] = [
    ["every path without a trailing slash", "301", "308", "12a: a 308 keeps the method and the body"],
    [
        "every registration",
        "201, no body",
        "201 with `id`, `username`, `email` and `first_name`",
        "12a: the client need not request the account it has just created",
    ],
    [
        "every token",
        "the claims of SimpleJWT",
        "`sid` and `amr` too, in refresh tokens `gen`, and `kid` in the header",
        "12a: the session, its authentication methods and the rotation generation; the signing key",
    ],
    [
        "every answer",
        "the headers of Django",
        "additional headers, such as `Cache-Control: no-store` on answers with tokens",
        "12 and 12a: caches do not store secrets",
    ],
];

/// Checks that the table in the documentation is current. Writes it if `UPDATE_GOLDEN` is set.
pub(crate) fn check(rows: &[Arc<Row>]) -> Result<(), String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/compatibility.md");
    let page = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    let (before, rest) = page.split_once(BEGIN).ok_or("docs/compatibility.md has no table of differences")?;
    let (_, after) = rest.split_once(END).ok_or("the table in docs/compatibility.md does not end")?;
    let current = format!("{before}{BEGIN}\n\n{}\n{END}{after}", table(rows));
    if current == page {
        return Ok(());
    }
    if std::env::var_os("UPDATE_GOLDEN").is_none() {
        return Err("the table in docs/compatibility.md is out of date; run `just golden` and review the change".into());
    }
    std::fs::write(&path, current).map_err(|error| error.to_string())
}

fn table(rows: &[Arc<Row>]) -> String {
    let own_rows = OWN_WAY.iter().map(|(ids, answer, reason)| {
        let listed: Vec<_> = rows.iter().filter(|row| is_listed(ids, row)).collect();
        let mut recorded: Vec<_> = listed.iter().map(|row| recorded_cell(row, answer)).collect();
        recorded.dedup();
        let ids: Vec<_> = listed.iter().map(|row| code(&row.id)).collect();
        let first = listed.first().map_or("", |row| row.body.as_str());
        [ids.join(" "), recorded.join(" or "), own_cell(answer, first), (*reason).to_owned()]
    });
    let everywhere = EVERYWHERE.map(|cells| cells.map(str::to_owned));
    let lines = everywhere.into_iter().chain(own_rows).map(|cells| format!("| {} |\n", cells.join(" | ")));
    let head = "| rows of [the recording](../tests/data/simplejwt.jsonl) | recorded | here | reason, with a section of the \
        wire contract or a requirement |\n|---|---|---|---|\n";
    format!("{head}{}", lines.collect::<String>())
}

fn recorded_cell(row: &Row, own_rows: &Answer) -> String {
    match own_rows {
        Answer::Without(claim) => format!("the claim {}", code(claim)),
        Answer::Claims(claims) => code(&only_in(&row.body, claims)),
        _ => exchange(row.status, &row.body),
    }
}

fn own_cell(answer: &Answer, recorded: &str) -> String {
    match (answer, answer.status_and_text()) {
        (_, Some((status, body))) => exchange(status, &body),
        (Answer::Claims(claims), None) => code(&only_in(claims, recorded)),
        _ => "no such claim".to_owned(),
    }
}

/// Returns the claims of one JSON object that differ from those of another.
fn only_in(text: &str, other: &str) -> String {
    let [mut claims, other]: [Map<String, Value>; 2] =
        [text, other].map(|text| serde_json::from_str(text).unwrap_or_default());
    claims.retain(|name, value| other.get(name) != Some(value));
    Value::Object(claims).to_string()
}

fn exchange(status: u16, body: &str) -> String {
    match body.trim_start().chars().next() {
        None => format!("{status}, no body"),
        Some('<') => format!("{status}, HTML"),
        Some(_) => format!("{status} {}", code(body)),
    }
}

/// Formats a string as code in a table cell.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', r"\|"))
}
