//! The workspace on real git, over paths of this machine and over a small HTTP server on loopback.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod delivery;
mod fixture;
mod fuzz;
mod mirror;
mod pushing;
mod trouble;
