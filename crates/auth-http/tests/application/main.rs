//! Tests of an in-memory application over HTTP, in one executable.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot set up its fixture has failed")]

mod auth_cache;
mod claims_providers;
mod connections;
mod embedding;
mod fixture;
mod guards;
mod openapi;
mod profiles;
