//! What an agent sends to the gate, fuzzed: whatever it is, it is judged as it reads, and never as more than it is.
//!
//! Each target is defined here once: `seeds` are inputs as they come, `check` judges one and panics where the judgement does not hold. The tests
//! below them mutate the seeds and ask for every kind of answer; `fuzz/` runs the same checks under libFuzzer.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a check that does not hold panics")]

pub mod connect;
pub mod dns;
pub mod extensions;
pub mod hello;

pub use crate::model::fuzz::{answers, paths, requests};
