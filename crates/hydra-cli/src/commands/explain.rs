//! `hydra explain ISSUE`: what Hydra sees, what it would do, or why it does nothing.

use crate::{args::IssueArgs, context::Context, exit::Exit, failure::Failure};

pub(super) fn run(context: &Context, args: &IssueArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    settings.check_complete()?;
    super::issue(&args.issue, &settings)?;
    Err(Failure::not_built("explain"))
}
