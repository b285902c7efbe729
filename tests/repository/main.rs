//! Rules that the repository itself follows: dependencies, module structure, process state and golden files.

mod architecture;
mod citations;
mod golden_files;
mod module_cycles;
mod process_state;
mod terms;
