//! An application in memory, asked over HTTP: one executable for all tests.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot arrange its fixture has failed")]

mod auth_cache;
mod claims_providers;
mod connections;
mod embedding;
mod fixture;
mod guards;
mod openapi;
mod profiles;
