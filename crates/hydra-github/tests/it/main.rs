//! The adapter against GitHub's own error shapes, and against the simulator.

mod errors;
mod guard;
mod shape;
mod writes;
