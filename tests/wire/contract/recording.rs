//! The rows of the recording.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde_json::Value;

/// A request to the reference implementation and its answer.
pub(crate) struct Row {
    pub(crate) id: String,
    pub(crate) area: String,
    pub(crate) title: String,
    /// Empty for a row that shows the claims of a token.
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) request: String,
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: String,
}

/// Returns all rows in recorded order; a repeated ID gets the suffix `-2`.
pub(crate) fn rows() -> Vec<Row> {
    let mut seen = HashSet::new();
    let distinct = |row: Row| Row { id: if seen.insert(row.id.clone()) { row.id } else { row.id + "-2" }, ..row };
    include_str!("../../data/simplejwt.jsonl").lines().map(row).map(distinct).collect()
}

fn row(line: &str) -> Row {
    let row: Value = serde_json::from_str(line).expect("a line of the recording is a JSON object");
    let text = |name: &str| row[name].as_str().unwrap_or_default().to_owned();
    let headers = row["headers"].as_object().expect("headers are an object").iter();
    Row {
        id: text("id"),
        area: text("area"),
        title: text("title"),
        method: text("method"),
        path: text("path"),
        request: text("request"),
        status: row["status"].as_u64().map_or(0, |status| status as u16),
        headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap_or_default().to_owned())).collect(),
        body: text("body"),
    }
}

/// Returns the recorded `Allow` header of each path.
pub(crate) fn allowed_methods(rows: &[Arc<Row>]) -> BTreeMap<String, String> {
    let recorded = rows.iter().filter_map(|row| Some((row.path.clone(), row.headers.get("allow")?.clone())));
    recorded.collect()
}

/// Returns whether a pattern matches the ID of a row: exactly, or with one `*` at its beginning or end.
pub(crate) fn matches(pattern: &str, id: &str) -> bool {
    match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
        (Some(end), _) => id.ends_with(end),
        (None, Some(beginning)) => id.starts_with(beginning),
        (None, None) => id == pattern,
    }
}
