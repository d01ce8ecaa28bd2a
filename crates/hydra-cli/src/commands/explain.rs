//! `hydra explain ISSUE`: what Hydra sees, what it would do, or why it does nothing and what would change that.

use super::operator::{clean, looking};
use crate::{args::IssueArgs, context::Context, exit::Exit, failure::Failure, output::issue};
use hydra_core::Timestamp;
use hydra_engine::status::IssueFacts;
use serde::Serialize;

#[derive(Serialize)]
struct Report<'a> {
    now: Timestamp,
    #[serde(flatten)]
    facts: &'a IssueFacts,
}

pub(super) fn run(context: &Context, args: &IssueArgs) -> Result<Exit, Failure> {
    let settings = context.load()?.settings;
    let key = super::issue(&args.issue, &settings)?;
    let facts = super::block_on(async { Ok::<_, Failure>(looking(context, &settings).await?.explain(&key).await?) })??;
    let (clean, now) = (clean(&settings), Timestamp::now());
    if context.screen.json {
        clean.json(&context.screen, "explain", &Report { now, facts: &facts })?;
    } else {
        issue::explain(&context.screen, &clean, &facts, now)?;
    }
    Ok(Exit::Ok)
}
