//! `hydra man`: one page for the program and each of its commands, made of the help texts.

use crate::{args::Cli, context::Context, exit::Exit, failure::Failure};
use clap::CommandFactory;

pub(super) fn run(context: &Context) -> Result<Exit, Failure> {
    let mut text = Vec::new();
    let mut command = Cli::command();
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
        clap_mangen::Man::new(sub.clone()).render(&mut text)?;
    }
    context.screen.text(&text)?;
    Ok(Exit::Ok)
}
