//! The dependency rule: dependencies point inwards (docs/architecture.md). One table lists what each crate may use; a new
//! dependency is one reviewed line in it.

#![allow(clippy::expect_used, reason = "a test without cargo metadata has failed")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand};
use syn::visit::Visit;

/// Each crate with the dependencies of its library or program; crates of this workspace come first.
const ALLOWED: &[(&str, &[&str])] = &[
    ("auth-core", &["async-trait", "lru", "serde_json", "sha2", "thiserror", "uuid"]),
    ("auth-accounts", &["auth-core", "async-trait", "serde_json", "thiserror", "unicode-normalization", "uuid"]),
    (
        "auth-conformance",
        &[
            "auth-accounts",
            "auth-core",
            "async-trait",
            "inventory",
            "libtest-mimic",
            "macro_rules_attribute",
            "serde_json",
            "tokio",
            "uuid",
        ],
    ),
    (
        "auth-crypto",
        &[
            "auth-accounts",
            "auth-core",
            "argon2",
            "async-trait",
            "aws-lc-rs",
            "base64",
            "bcrypt",
            "getrandom",
            "jsonwebtoken",
            "md-5",
            "pem",
            "scrypt",
            "serde",
            "serde_json",
            "subtle",
            "thiserror",
            "tokio",
            "zeroize",
        ],
    ),
    (
        "auth-diesel",
        &[
            "auth-accounts",
            "auth-core",
            "async-trait",
            "diesel",
            "diesel_migrations",
            "libsqlite3-sys",
            "openssl-sys",
            "pq-sys",
            "r2d2",
            "thiserror",
            "tokio",
            "tracing",
        ],
    ),
    (
        "auth-http",
        &[
            "auth-accounts",
            "auth-core",
            "actix-http",
            "actix-service",
            "actix-web",
            "async-trait",
            "base64",
            "form_urlencoded",
            "futures-util",
            "ipnet",
            "jiff",
            "lru",
            "mime",
            "multer",
            "png",
            "qrcode",
            "serde",
            "serde-transcode",
            "serde_json",
            "tokio",
            "tracing",
            "utoipa",
        ],
    ),
    (
        "auth-mail",
        &[
            "auth-accounts",
            "auth-core",
            "async-trait",
            "idna",
            "jiff",
            "lettre",
            "mail-builder",
            "minijinja",
            "tokio",
            "tracing",
            "url",
        ],
    ),
    (
        "auth-server",
        &[
            "auth-accounts",
            "auth-core",
            "auth-crypto",
            "auth-diesel",
            "auth-http",
            "auth-mail",
            "actix-web",
            "anyhow",
            "async-trait",
            "clap",
            "config",
            "jiff",
            "rpassword",
            "rustix",
            "rustls",
            "serde",
            "serde_ignored",
            "serde_json",
            "tokio",
            "toml",
            "tracing",
            "tracing-subscriber",
            "ureq",
            "url",
        ],
    ),
];

fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let mut command = MetadataCommand::new();
    command.no_deps().other_options(vec!["--offline".to_owned()]);
    let metadata = command.exec().expect("cargo metadata");
    let normal = |package: &cargo_metadata::Package| {
        let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
        normal.map(|dependency| dependency.name.clone()).collect()
    };
    metadata.packages.iter().map(|package| (package.name.to_string(), normal(package))).collect()
}

#[test]
fn crates_have_only_the_allowed_dependencies() {
    let mut found = dependencies();
    // The tests may use everything, and the examples stand for code outside this repository.
    ["auth-tests", "axum-guard", "blog", "embedded", "own-store"].iter().for_each(|name| drop(found.remove(*name)));
    assert_eq!(found.keys().collect::<Vec<_>>(), {
        let mut names: Vec<_> = ALLOWED.iter().map(|(name, _)| *name).collect();
        names.sort_unstable();
        names
    });
    for (name, allowed) in ALLOWED {
        let allowed: BTreeSet<_> = allowed.iter().map(|name| (*name).to_owned()).collect();
        let extra: Vec<_> = found[*name].difference(&allowed).collect();
        assert!(extra.is_empty(), "{name} uses {extra:?}: add a line to the table, or remove the dependency");
        let unused: Vec<_> = allowed.difference(&found[*name]).collect();
        assert!(unused.is_empty(), "{name} does not use {unused:?}: remove it from the table");
    }
}

#[test]
fn adapters_do_not_depend_on_each_other() {
    let found = dependencies();
    for adapter in ["auth-crypto", "auth-diesel", "auth-http", "auth-mail", "auth-conformance"] {
        let ours: Vec<_> = found[adapter].iter().filter(|name| name.starts_with("auth-")).collect();
        assert_eq!(ours, ["auth-accounts", "auth-core"], "{adapter}");
    }
    let ours = |rules: &str| found[rules].iter().filter(|name| name.starts_with("auth-")).cloned().collect::<Vec<_>>();
    assert_eq!((ours("auth-accounts"), ours("auth-core")), (vec!["auth-core".to_owned()], vec![]));
}

/// The example shows that these crates are enough.
#[test]
fn the_axum_example_uses_neither_actix_nor_a_database() {
    let found = dependencies();
    let all: Vec<_> = found["axum-guard"].iter().collect();
    assert_eq!(all, ["auth-core", "auth-crypto", "axum", "serde_json", "tokio"]);
}

#[test]
fn the_store_example_uses_neither_accounts_nor_a_web_framework() {
    let found = dependencies();
    let all: Vec<_> = found["own-store"].iter().collect();
    assert_eq!(all, ["async-trait", "auth-core", "auth-crypto", "tokio"]);
}

#[test]
fn migrations_have_the_same_names_for_both_databases() {
    let names = |database: &str| -> BTreeSet<_> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations/");
        let entries = std::fs::read_dir(format!("{folder}{database}")).expect("a folder of migrations");
        entries.map(|entry| entry.expect("an entry").file_name()).collect()
    };
    assert!(!names("sqlite").is_empty());
    assert_eq!(names("sqlite"), names("postgres"));
}

/// A host with its own login needs none of these.
#[test]
fn no_port_of_auth_core_mentions_emails_codes_or_passwords() {
    #[derive(Default)]
    struct Identifiers(BTreeSet<String>);
    impl<'ast> Visit<'ast> for Identifiers {
        fn visit_ident(&mut self, ident: &'ast syn::Ident) {
            self.0.insert(ident.to_string().to_lowercase());
        }
    }
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/auth-core/src/ports");
    let mut found = Identifiers::default();
    for entry in std::fs::read_dir(folder).expect("the folder of ports") {
        let source = std::fs::read_to_string(entry.expect("a file").path()).expect("a source file");
        found.visit_file(&syn::parse_file(&source).expect("Rust"));
    }
    assert!(found.0.contains("revoke_all"), "the ports were not read");
    let forbidden = |name: &&String| ["mail", "code", "password"].iter().any(|word| name.contains(word));
    assert_eq!(found.0.iter().filter(forbidden).collect::<Vec<_>>(), Vec::<&String>::new());
}
