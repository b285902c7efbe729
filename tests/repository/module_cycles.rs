//! No two modules of a folder depend on each other, directly or through others: someone who reads one module knows which
//! ones to read first. A folder and its children may depend on each other.

#![allow(clippy::expect_used, reason = "a test that cannot read the sources has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use syn::visit::Visit;
use syn::{Attribute, ItemMod, ItemUse, UseTree};

/// The modules that each module of a folder names; both are children of the folder.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// The names of a module or an item, from the top of its crate.
type ModulePath = Vec<String>;

/// Collects the paths that a file names by `crate`, `self` or `super`.
struct ModuleNames {
    module: ModulePath,
    paths: BTreeSet<ModulePath>,
}

impl ModuleNames {
    /// Adds a path, unless it leads to another crate.
    fn add(&mut self, path: &[String]) {
        let mut rest = path;
        let mut base = match rest.split_first() {
            Some((first, after)) if first == "crate" => {
                rest = after;
                ModulePath::new()
            }
            Some((first, _)) if first == "self" || first == "super" => self.module.clone(),
            _ => return,
        };
        while let Some((first, after)) =
            rest.split_first().filter(|(first, _)| ["self", "super"].contains(&first.as_str()))
        {
            if first == "super" {
                base.pop();
            }
            rest = after;
        }
        base.extend_from_slice(rest);
        self.paths.insert(base);
    }

    fn add_tree(&mut self, prefix: &[String], tree: &UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            UseTree::Name(name) => self.add(&with(&name.ident)),
            UseTree::Rename(name) => self.add(&with(&name.ident)),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(prefix, tree)),
            UseTree::Glob(_) => self.add(prefix),
        }
    }
}

impl<'ast> Visit<'ast> for ModuleNames {
    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.add(&path.segments.iter().map(|segment| segment.ident.to_string()).collect::<Vec<_>>());
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

/// The path of the module in a file below the sources of a crate. `None` for the top of the crate and for tests.
fn module_of(file: &Path) -> Option<ModulePath> {
    let mut path: ModulePath = file.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    path.pop_if(|last| last == "mod");
    let is_in_crate = path.first().is_some_and(|top| top != "lib") && path.last().is_some_and(|last| last != "tests");
    is_in_crate.then_some(path)
}

/// For each folder of a crate, the modules in it that name each other.
fn graphs(source: &Path) -> BTreeMap<ModulePath, Graph> {
    let mut graphs = BTreeMap::<ModulePath, Graph>::new();
    for file in sources(source) {
        let Some(module) = module_of(file.strip_prefix(source).expect("a source")) else { continue };
        for depth in 0..module.len() {
            graphs.entry(module[..depth].to_vec()).or_default().entry(module[depth].clone()).or_default();
        }
        let mut named = ModuleNames { module: module.clone(), paths: BTreeSet::new() };
        let text = std::fs::read_to_string(&file).expect("a source");
        named.visit_file(&syn::parse_file(&text).expect("Rust"));
        for path in named.paths {
            let shared = module.iter().zip(&path).take_while(|(one, other)| one == other).count();
            // Otherwise one of the two is in the folder of the other.
            if let (Some(from), Some(to)) = (module.get(shared), path.get(shared)) {
                let graph = graphs.entry(module[..shared].to_vec()).or_default();
                graph.entry(from.clone()).or_default().insert(to.clone());
            }
        }
    }
    graphs
}

/// What is left of a graph without the modules that depend on nothing else that is left: the cycles, and the modules that lead to them.
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
        let graphs = graphs(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(name).join("src"));
        assert!(
            graphs[&[][..]].values().map(BTreeSet::len).sum::<usize>() > 10,
            "{name}: the modules of the crate were not found"
        );
        for (folder, graph) in graphs {
            assert_eq!(cycles(graph), Graph::new(), "{name}: {folder:?}");
        }
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
