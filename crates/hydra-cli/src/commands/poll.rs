//! `hydra poll`: one cycle, then wait until the pipelines that it holds rest.

use crate::{args::PollArgs, context::Context, exit::Exit, failure::Failure};

pub(super) fn run(context: &Context, _args: &PollArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    settings.check_complete()?;
    Err(Failure::not_built("poll"))
}
