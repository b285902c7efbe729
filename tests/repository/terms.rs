//! Phrases that `docs/glossary.md` replaces. `typos.toml` lists the single words.

#![allow(clippy::expect_used, reason = "a test that cannot read the sources has failed")]

use std::path::{Path, PathBuf};

/// A phrase, and what to write in its place.
const PHRASES: [(&[&str], &str); 5] = [
    (&["for", "good"], "permanently"),
    (&["has", "to", "be"], "must be"),
    (&["have", "to", "be"], "must be"),
    (&["is", "away"], "is unavailable"),
    (&["are", "away"], "are unavailable"),
];

/// What is wrong with a line, if anything is.
fn fault_of(line: &str) -> Option<String> {
    let lower = line.to_lowercase();
    let words: Vec<_> =
        lower.split(|c: char| !c.is_alphanumeric() && c != '\'').filter(|word| !word.is_empty()).collect();
    let phrase = PHRASES.iter().find(|(phrase, _)| words.windows(phrase.len()).any(|part| part == *phrase));
    if let Some((phrase, better)) = phrase {
        return Some(format!("{:?} should be {better:?}", phrase.join(" ")));
    }
    words.windows(4).find(|part| negates_a_noun(part)).map(|part| format!("{:?} should use \"not\"", part.join(" ")))
}

/// Whether four words are like "this is no key": "this is not a key" is English. "There is no key" is as well.
fn negates_a_noun(words: &[&str]) -> bool {
    let [subject, verb, "no", noun] = words else { return false };
    ["is", "are", "was", "were"].contains(verb)
        && !["there", "where"].contains(subject)
        && !["longer", "more", "less", "fewer", "such", "different", "older"].contains(noun)
}

/// The root of the repository.
pub(super) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The files below a folder that people read.
pub(super) fn texts(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    entries
        .flat_map(|path| match (path.is_dir(), path.file_name().and_then(|name| name.to_str())) {
            (true, Some("target" | "data" | "vectors" | ".git")) => Vec::new(),
            (true, _) => texts(&path),
            (false, Some("CHANGELOG.md" | "glossary.md" | "terms.rs" | "citations.rs")) => Vec::new(),
            (false, _) => vec![path],
        })
        .filter(|path| path.extension().is_some_and(|kind| ["md", "rs", "toml"].iter().any(|text| kind == *text)))
        .collect()
}

#[test]
fn texts_use_no_phrase_that_the_glossary_replaces() {
    let mut found = Vec::new();
    for path in texts(&root()) {
        let text = std::fs::read_to_string(&path).expect("UTF-8");
        let faults = text.lines().zip(1..).filter_map(|(line, number)| Some((number, fault_of(line)?)));
        found.extend(faults.map(|(number, fault)| format!("{}:{number}: {fault}", path.display())));
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn phrases_are_found() {
    for (line, is_found) in [
        ("/// The server is away.", true),
        ("// It has to be signed.", true),
        ("the file is no JSON", true),
        ("    /// `None` if there is no session.", false),
        ("the token is no longer accepted", false),
        ("a good reason", false),
    ] {
        assert_eq!(fault_of(line).is_some(), is_found, "{line}");
    }
}
