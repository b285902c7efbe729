//! The top-level modules of a crate have no cyclic dependencies, so that they can be read in order.

#![allow(clippy::expect_used, reason = "a test without the sources has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, ItemMod, ItemUse, UseTree};

/// The top-level modules of a crate, each with the top-level modules it names.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Collects the top-level modules that a file names with `crate::`, or with `super::` where that is the crate root.
struct ModuleNames {
    super_is_crate_root: bool,
    modules: BTreeSet<String>,
}

impl ModuleNames {
    fn is_crate(&self, first: &syn::Ident) -> bool {
        first == "crate" || (first == "super" && self.super_is_crate_root)
    }

    fn add(&mut self, tree: &UseTree) {
        match tree {
            UseTree::Path(path) => drop(self.modules.insert(path.ident.to_string())),
            UseTree::Name(name) => drop(self.modules.insert(name.ident.to_string())),
            UseTree::Rename(name) => drop(self.modules.insert(name.ident.to_string())),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add(tree)),
            UseTree::Glob(_) => {}
        }
    }
}

impl<'ast> Visit<'ast> for ModuleNames {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if let UseTree::Path(path) = &item.tree
            && self.is_crate(&path.ident)
        {
            self.add(&path.tree);
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let mut segments = path.segments.iter();
        if let (Some(first), Some(second)) = (segments.next(), segments.next())
            && self.is_crate(&first.ident)
        {
            self.modules.insert(second.ident.to_string());
        }
        syn::visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !item.attrs.iter().any(is_test) {
            syn::visit::visit_item_mod(self, item);
        }
    }
}

pub(super) fn is_test(attribute: &Attribute) -> bool {
    attribute.path().is_ident("cfg") && attribute.parse_args::<syn::Ident>().is_ok_and(|flag| flag == "test")
}

pub(super) fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a folder of sources");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let files = paths.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] });
    files.filter(|file| file.extension().is_some_and(|extension| extension == "rs")).collect()
}

/// Returns the dependencies between the top-level modules of a crate with these sources.
fn graph(source: &Path) -> Graph {
    let mut graph = Graph::new();
    for file in sources(source) {
        let path = file.strip_prefix(source).expect("a source").with_extension("");
        let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        let [top, inner @ ..] = parts.as_slice() else { continue };
        let is_test = parts.last().is_some_and(|name| name == "tests");
        if top == "lib" || is_test {
            continue;
        }
        let super_is_crate_root = inner.is_empty() || inner == ["mod"];
        let mut named = ModuleNames { super_is_crate_root, modules: BTreeSet::new() };
        let text = std::fs::read_to_string(&file).expect("a source");
        named.visit_file(&syn::parse_file(&text).expect("Rust"));
        named.modules.remove(top);
        graph.entry(top.clone()).or_default().extend(named.modules);
    }
    graph
}

/// Removes modules that depend on no remaining module until none is left: what remains are the cycles and the modules
/// that lead to them.
fn cycles(mut graph: Graph) -> Graph {
    loop {
        let known: BTreeSet<_> = graph.keys().cloned().collect();
        graph.values_mut().for_each(|named| named.retain(|module| known.contains(module)));
        let before = graph.len();
        graph.retain(|_, named| !named.is_empty());
        if graph.len() == before {
            return graph;
        }
    }
}

#[test]
fn modules_have_no_cyclic_dependencies() {
    for name in ["auth-core", "auth-accounts", "auth-diesel", "auth-http"] {
        let graph = graph(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(name).join("src"));
        assert!(graph.values().map(BTreeSet::len).sum::<usize>() > 10, "{name}: its modules were not found");
        assert_eq!(cycles(graph), Graph::new(), "{name}");
    }
}

#[test]
fn detects_a_cycle() {
    let graph = |edges: &[(&str, &str)]| {
        let mut graph = Graph::new();
        for (from, to) in edges {
            graph.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            graph.entry((*to).to_owned()).or_default();
        }
        graph
    };
    assert_eq!(cycles(graph(&[("a", "b"), ("b", "c"), ("a", "c")])), Graph::new());
    let found = cycles(graph(&[("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
}
