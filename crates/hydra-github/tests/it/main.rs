//! The adapter against GitHub's own error shapes, and against the simulator.

mod errors;
mod guard;
mod leases;
mod reads;
mod shape;
mod writes;
