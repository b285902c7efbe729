//! No library has mutable state for the whole process: applications in one process share nothing, and tests can replace
//! everything.

#![allow(clippy::expect_used, reason = "a test without the sources has failed")]

use std::path::Path;

use syn::visit::Visit;
use syn::{ItemMod, ItemStatic};

use super::module_cycles::{is_test, sources};

/// Types with interior mutability.
const MUTABLE: [&str; 7] = ["Mutex", "RwLock", "Cell", "RefCell", "OnceCell", "OnceLock", "UnsafeCell"];

/// Collects the mutable statics of a file, except those of its tests.
#[derive(Default)]
struct Statics {
    /// The static whose type is being visited.
    current: Option<String>,
    mutable: Vec<String>,
}

impl<'ast> Visit<'ast> for Statics {
    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        if !item.attrs.iter().any(is_test) {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_static(&mut self, item: &'ast ItemStatic) {
        self.current = Some(item.ident.to_string());
        self.visit_type(&item.ty);
        self.current = None;
        self.visit_expr(&item.expr);
    }

    fn visit_path_segment(&mut self, segment: &'ast syn::PathSegment) {
        let name = segment.ident.to_string();
        if let Some(found) = &self.current
            && (MUTABLE.contains(&&*name) || name.starts_with("Atomic"))
        {
            self.mutable.push(found.clone());
        }
        syn::visit::visit_path_segment(self, segment);
    }
}

fn mutable_statics(text: &str) -> Vec<String> {
    let mut statics = Statics::default();
    statics.visit_file(&syn::parse_file(text).expect("Rust"));
    statics.mutable
}

#[test]
fn no_library_has_a_mutable_static() {
    for name in ["auth-core", "auth-accounts", "auth-crypto", "auth-diesel", "auth-http", "auth-mail", "auth-server"] {
        for file in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates").join(name).join("src")) {
            let text = std::fs::read_to_string(&file).expect("a source");
            assert_eq!(mutable_statics(&text), Vec::<String>::new(), "{}", file.display());
        }
    }
}

#[test]
fn detects_a_mutable_static() {
    for (text, found) in [
        ("static A: AtomicBool = AtomicBool::new(false);", true),
        ("fn f() { static A: LazyLock<Mutex<u8>> = LazyLock::new(Default::default); }", true),
        ("static A: LazyLock<HashSet<&str>> = LazyLock::new(HashSet::new);", false),
        ("#[cfg(test)] mod tests { static A: AtomicBool = AtomicBool::new(false); }", false),
        ("struct A(Mutex<u8>);", false),
    ] {
        assert_eq!(!mutable_statics(text).is_empty(), found, "{text}");
    }
}
