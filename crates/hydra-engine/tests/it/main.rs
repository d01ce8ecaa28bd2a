//! The engine against fakes of every port, under virtual time: each test is a story.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test says how much it tried")]

mod credentials;
mod egress;
mod end;
mod faults;
mod forge;
mod gated;
mod git;
mod injection;
mod kills;
mod laws;
mod limits;
mod pipeline;
mod prune;
mod steps;
mod trouble;
mod world;
