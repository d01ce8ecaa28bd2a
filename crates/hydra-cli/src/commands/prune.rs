//! `hydra prune`: what nobody owns.

use crate::{args::PruneArgs, context::Context, exit::Exit, failure::Failure};

pub(super) fn run(context: &Context, _args: &PruneArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    settings.check_complete()?;
    Err(Failure::not_built("prune"))
}
