//! `hydra completions SHELL`.

use crate::{
    args::{Cli, CompletionsArgs},
    context::Context,
    exit::Exit,
    failure::Failure,
};
use clap::CommandFactory;

pub(super) fn run(context: &Context, args: &CompletionsArgs) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "hydra", &mut text);
    context.screen.text(&text)?;
    Ok(Exit::Ok)
}
