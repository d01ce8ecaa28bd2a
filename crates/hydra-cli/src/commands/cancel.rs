//! `hydra cancel ISSUE`: stops it and holds it.

use crate::{args::CancelArgs, context::Context, exit::Exit, failure::Failure};

pub(super) fn run(context: &Context, args: &CancelArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    settings.check_complete()?;
    super::issue(&args.issue, &settings)?;
    Err(Failure::not_built("cancel"))
}
