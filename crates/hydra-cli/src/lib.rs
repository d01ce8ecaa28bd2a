//! The hydra command: arguments, configuration, output, and the place where the adapters are joined.

pub mod accounts;
pub mod args;
pub mod clock;
pub mod commands;
pub mod compose;
pub mod config;
pub mod context;
pub mod demo;
pub mod doctor;
pub mod exit;
pub mod failure;
pub mod images;
pub mod output;
pub mod preflight;
pub mod secrets;

use clap::{ArgMatches, CommandFactory, FromArgMatches};
use exit::Exit;
use std::process::ExitCode;

/// Reads arguments and environment, does what they ask, and says how it went.
#[must_use]
pub fn main() -> ExitCode {
    let (cli, command) = match parse() {
        Ok(parsed) => parsed,
        Err(error) => return refuse(&error),
    };
    let context = match context::Context::of_process(&cli.global) {
        Ok(context) => context,
        Err(failure) => {
            output::errors::show(&failure, cli.global.json, false);
            return failure.exit().into();
        }
    };
    match commands::run(&context, cli.command) {
        Ok(code) => code,
        Err(failure) if failure.is_broken_pipe() => Exit::Ok.into(),
        Err(failure) => {
            let failure = failure.of_command(&command);
            output::errors::show(&failure, cli.global.json, context.screen.color_on_stderr);
            failure.exit().into()
        }
    }
}

/// The arguments, and the command's name as it was called: `change check`.
fn parse() -> Result<(args::Cli, String), clap::Error> {
    let mut program = args::Cli::command();
    let matches = program.try_get_matches_from_mut(std::env::args_os())?;
    let mut names = Vec::new();
    let mut at: Option<(&str, &ArgMatches)> = matches.subcommand();
    while let Some((name, inner)) = at {
        names.push(name);
        at = inner.subcommand();
    }
    let cli = args::Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut program))?;
    Ok((cli, names.join(" ")))
}

/// Help and version are no errors; a reader that has gone away is none either.
fn refuse(error: &clap::Error) -> ExitCode {
    let shown = error.print();
    match (error.use_stderr(), shown) {
        (false, _) => Exit::Ok.into(),
        (true, _) => Exit::Usage.into(),
    }
}
