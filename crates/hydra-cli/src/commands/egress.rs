//! `hydra egress`: what containers may reach, whether that holds, and what they were refused.

mod check;
mod denials;
mod probe;
mod repository;

use crate::{args::EgressCommand, context::Context, exit::Exit, failure::Failure};

pub(super) fn run(context: &Context, command: &EgressCommand) -> Result<Exit, Failure> {
    match command {
        EgressCommand::Check(args) => check::run(context, args),
        EgressCommand::Probe(args) => probe::run(context, args),
        EgressCommand::Denials(args) => denials::run(context, args),
    }
}
