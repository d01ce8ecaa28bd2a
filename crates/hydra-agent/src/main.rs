//! The program that an agent image starts first; the library does the work.

use std::process::ExitCode;

fn main() -> ExitCode {
    let code = match hydra_agent::AgentArgs::parse(std::env::args_os().skip(1)) {
        Ok(args) => hydra_agent::run(args),
        Err(error) => hydra_agent::refuse_arguments(&error),
    };
    ExitCode::from(u8::try_from(code).unwrap_or(1))
}
