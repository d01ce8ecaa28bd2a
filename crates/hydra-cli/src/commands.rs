//! One file per command, under the command's name.

mod completions;
mod config;
mod init;
mod man;

use crate::{args::Command, context::Context, exit::Exit, failure::Failure};

/// Does what the command line asks.
///
/// # Errors
/// Why it could not.
pub fn run(context: &Context, command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Init(args) => init::run(context, &args),
        Command::Config(command) => config::run(context, &command),
        Command::Completions(args) => completions::run(context, &args),
        Command::Man => man::run(context),
        Command::Demo(_) => Err(Failure::not_built("demo")),
        Command::Doctor(_) => Err(Failure::not_built("doctor")),
        Command::Poll(_) => Err(Failure::not_built("poll")),
        Command::Supervise(_) => Err(Failure::not_built("supervise")),
        Command::DevRun(_) => Err(Failure::not_built("dev-run")),
        Command::Change(_) => Err(Failure::not_built("change")),
        Command::Status(_) => Err(Failure::not_built("status")),
        Command::Explain(_) => Err(Failure::not_built("explain")),
        Command::Logs(_) => Err(Failure::not_built("logs")),
        Command::Cancel(_) => Err(Failure::not_built("cancel")),
        Command::Pause(_) => Err(Failure::not_built("pause")),
        Command::Resume(_) => Err(Failure::not_built("resume")),
        Command::Stop(_) => Err(Failure::not_built("stop")),
        Command::Prune(_) => Err(Failure::not_built("prune")),
        Command::Labels(_) => Err(Failure::not_built("labels")),
        Command::Render(_) => Err(Failure::not_built("render")),
        Command::Agent(_) => Err(Failure::not_built("agent")),
        Command::SimAgent(_) => Err(Failure::not_built("sim-agent")),
    }
}
