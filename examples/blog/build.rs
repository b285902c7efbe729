//! Rebuilds when a migration changes: the macro that embeds them cannot declare the folder.
#![allow(clippy::print_stdout, reason = "build scripts instruct cargo on standard output")]

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=migrations");
}
