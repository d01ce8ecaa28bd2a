//! `hydra dev-run STAGE`: one stage by hand.

use crate::{args::DevRunArgs, context::Context, exit::Exit, failure::Failure};

pub(super) fn run(_context: &Context, _args: &DevRunArgs) -> Result<Exit, Failure> {
    Err(Failure::not_built("dev-run"))
}
