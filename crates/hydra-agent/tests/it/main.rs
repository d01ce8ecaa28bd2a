//! The wrapper as a program, with small scripts in the coding agent's place; and its parsers on real streams.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod bad_input;
mod jobs;
mod stage;
mod streams;
