//! What tests over the wire need of the machine they run on. A dev-dependency only.

pub mod postgres;
pub mod server;
