//! `hydra demo`: the simulated GitHub, the scripted model and the real pipeline, all on loopback.

use crate::{args::DemoArgs, context::Context, exit::Exit, failure::Failure};

pub(super) fn run(_context: &Context, _args: &DemoArgs) -> Result<Exit, Failure> {
    Err(Failure::not_built("demo"))
}
