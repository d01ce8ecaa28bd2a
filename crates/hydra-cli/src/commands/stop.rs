//! `hydra stop --credential NAME`: every job that holds or uses it.

use crate::{args::StopArgs, context::Context, exit::Exit, failure::Failure};

pub(super) fn run(context: &Context, _args: &StopArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    settings.check_complete()?;
    Err(Failure::not_built("stop"))
}
