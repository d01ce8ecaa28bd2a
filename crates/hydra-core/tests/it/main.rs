//! hydra-core from outside: golden scripts of the planner.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails the test")]

mod properties;
mod scripts;
mod world;
