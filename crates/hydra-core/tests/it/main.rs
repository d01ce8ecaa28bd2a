//! hydra-core from outside: golden scripts of the planner, and whatever is handed in, fuzzed.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod fuzz;
mod scripts;
mod world;
