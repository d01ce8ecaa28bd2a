//! The simulator as its users meet it: over HTTP, by its agent, and by the real coding agent.
#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

mod claude;
mod desk;
mod faults;
mod github;
mod scenarios;
mod wire;
