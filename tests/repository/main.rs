//! What the repository itself must keep: which crate may depend on which, and what may only change on purpose.

mod architecture;
mod golden_files;
mod module_cycles;
mod process_state;
mod terms;
