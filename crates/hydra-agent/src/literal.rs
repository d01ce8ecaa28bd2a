//! The documented command line, taken literally: no `/in/job.json`, a token in the environment.
use crate::{args::AgentArgs, environment::Environment, scrub::Scrub};
use std::time::Instant;
pub(crate) fn run(_args: &AgentArgs, _env: &Environment, _scrub: &Scrub, _started: Instant) -> i32 {
    20
}
