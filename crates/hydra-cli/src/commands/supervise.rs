//! `hydra supervise`: the same loop as a daemon.

use crate::{args::SuperviseArgs, context::Context, exit::Exit, failure::Failure};

pub(super) fn run(context: &Context, _args: &SuperviseArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    settings.check_complete()?;
    Err(Failure::not_built("supervise"))
}
