//! The adapter against GitHub's own error shapes, and against the simulator.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod contracts;
mod errors;
mod fuzz;
mod guard;
mod leases;
mod reads;
mod shape;
mod sim;
mod sim_chaos;
mod sim_leases;
mod writes;
