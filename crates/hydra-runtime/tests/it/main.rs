//! The runtimes under the port's contract suite, and what is theirs alone.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod bench;
mod docker;
mod jobs;
mod process;
