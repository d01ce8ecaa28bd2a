//! `hydra status`: what Hydra works on.

use crate::{args::StatusArgs, context::Context, exit::Exit, failure::Failure};

pub(super) fn run(context: &Context, _args: &StatusArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    settings.check_complete()?;
    Err(Failure::not_built("status"))
}
