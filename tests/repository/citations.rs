//! What texts of the repository refer to exists: requirements, files and sections.

#![allow(clippy::expect_used, reason = "a test without the sources has failed")]

use std::collections::BTreeSet;
use std::path::Path;

use super::terms::{root, texts};

/// The requirements, such as `SEC-042`, that a text names.
fn requirements(text: &str) -> BTreeSet<&str> {
    let ids = ["SEC-", "REL-"].into_iter().flat_map(|prefix| text.match_indices(prefix));
    ids.filter_map(|(start, _)| text.get(start..start + 7))
        .filter(|id| id[4..].bytes().all(|byte| byte.is_ascii_digit()))
        .collect()
}

/// The paths in backticks that begin at the root of the repository, or beside the document.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted.filter(|path| {
        let is_path =
            ["crates/", "tests/", "docs/", "migrations/", "examples/"].iter().any(|top| path.starts_with(top));
        is_path && path.chars().all(|c| c.is_ascii_alphanumeric() || "/_-.".contains(c))
    })
}

/// The relative links of a Markdown text, each split at `#`.
fn links(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let targets = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    targets
        .filter(|target| !target.contains("://") && !target.contains(' '))
        .map(|target| target.split_once('#').map_or((target, None), |(file, section)| (file, Some(section))))
}

/// The anchors of the headings of a Markdown text, as GitHub makes them.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    let anchor = |heading: &str| {
        let kept =
            heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).collect::<String>();
        kept.replace(' ', "-")
    };
    headings.map(anchor).collect()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("UTF-8")
}

#[test]
fn cited_requirements_are_documented() {
    let security = read(&root().join("docs/security.md"));
    let documented = security.lines().filter_map(|line| line.strip_prefix("### ")).collect::<BTreeSet<_>>();
    assert!(documented.len() > 50, "the requirements were not found");
    for path in texts(&root()) {
        let text = read(&path);
        let unknown: Vec<_> = requirements(&text).into_iter().filter(|id| !documented.contains(id)).collect();
        assert!(unknown.is_empty(), "{}: {unknown:?}", path.display());
    }
}

#[test]
fn paths_and_links_in_documents_lead_somewhere() {
    let mut broken = Vec::new();
    for path in texts(&root()).into_iter().filter(|path| path.extension().is_some_and(|kind| kind == "md")) {
        let text = read(&path);
        let missing = paths(&text).filter(|cited| !root().join(cited).exists() && !path.with_file_name(cited).exists());
        broken.extend(missing.map(|cited| format!("{}: {cited}", path.display())));
        for (file, section) in links(&text) {
            let target = if file.is_empty() { path.clone() } else { path.with_file_name(file) };
            let exists = target.exists() && section.is_none_or(|section| anchors(&read(&target)).contains(section));
            if !exists {
                broken.push(format!("{}: {file}#{}", path.display(), section.unwrap_or_default()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn broken_citations_are_found() {
    assert_eq!(requirements("see SEC-042, REL-9 and SEC-abc").into_iter().collect::<Vec<_>>(), ["SEC-042"]);
    assert_eq!(paths("`crates/a/b.rs` and `cargo run` and `crates/*/x`").collect::<Vec<_>>(), ["crates/a/b.rs"]);
    assert_eq!(links("[a](b.md#c-d) [e](https://f)").collect::<Vec<_>>(), [("b.md", Some("c-d"))]);
    assert!(anchors("## One `TWO`, 3\n").contains("one-two-3"));
}
