//! One file per command, under the command's name.

mod agent;
mod change;
mod completions;
mod config;
mod doctor;
mod init;
mod labels;
mod man;
mod render;

use crate::{args::Command, context::Context, exit::Exit, failure::Failure};
use std::process::ExitCode;

/// Does what the command line asks.
///
/// # Errors
/// Why it could not.
pub fn run(context: &Context, command: Command) -> Result<ExitCode, Failure> {
    let exit = match command {
        Command::Agent(passed) => return Ok(agent::wrapper(passed)),
        Command::SimAgent(passed) => return agent::simulated(passed),
        Command::Init(args) => init::run(context, &args),
        Command::Config(command) => config::run(context, &command),
        Command::Completions(args) => completions::run(context, &args),
        Command::Man => man::run(context),
        Command::Demo(_) => Err(Failure::not_built("demo")),
        Command::Doctor(args) => doctor::run(context, &args),
        Command::Poll(_) => Err(Failure::not_built("poll")),
        Command::Supervise(_) => Err(Failure::not_built("supervise")),
        Command::DevRun(_) => Err(Failure::not_built("dev-run")),
        Command::Change(command) => change::run(context, &command),
        Command::Status(_) => Err(Failure::not_built("status")),
        Command::Explain(_) => Err(Failure::not_built("explain")),
        Command::Logs(_) => Err(Failure::not_built("logs")),
        Command::Cancel(_) => Err(Failure::not_built("cancel")),
        Command::Pause(_) => Err(Failure::not_built("pause")),
        Command::Resume(_) => Err(Failure::not_built("resume")),
        Command::Stop(_) => Err(Failure::not_built("stop")),
        Command::Prune(_) => Err(Failure::not_built("prune")),
        Command::Labels(command) => labels::run(context, &command),
        Command::Render(command) => render::run(context, &command),
    }?;
    Ok(exit.into())
}

/// Runs what needs a reactor, and joins it.
fn block_on<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format!("no threads could be started: {error}")))?;
    Ok(runtime.block_on(work))
}
