//! The hidden commands `agent` and `sim-agent`: other programs that live in this one, so that one build gives all a demo needs. Their exit codes are their own.

use crate::{args::Passed, exit::Exit, failure::Failure};
use std::process::ExitCode;

/// Runs as a job's wrapper.
pub(crate) fn wrapper(passed: Passed) -> ExitCode {
    let code = match hydra_agent::AgentArgs::parse(passed.args) {
        Ok(args) => hydra_agent::run(hydra_agent::AgentArgs { contained: false, ..args }),
        Err(error) => hydra_agent::refuse_arguments(&error),
    };
    exit_code(code)
}

/// Runs as the simulator's coding agent.
pub(crate) fn simulated(passed: Passed) -> Result<ExitCode, Failure> {
    let args: Result<Vec<String>, _> = passed.args.into_iter().map(std::ffi::OsString::into_string).collect();
    let args = args.map_err(|_| Failure::new(Exit::Usage, "the arguments must be UTF-8"))?;
    Ok(exit_code(super::block_on(hydra_sim::agent::run(&args))?))
}

fn exit_code(code: i32) -> ExitCode {
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
