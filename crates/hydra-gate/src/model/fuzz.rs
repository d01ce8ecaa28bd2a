//! What an agent asks of a model and what a model answers, fuzzed.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a check that does not hold panics")]

pub mod answers;
pub mod paths;
pub mod requests;
