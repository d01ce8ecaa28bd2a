//! The state folder is lost, and a job is there: what it must have been started with, by what the record, the base commit and the
//! configuration say. Enough to judge a delivery, which git itself holds against its parent; not enough to sign a verdict with.

use crate::{
    frame,
    observe::{Unseen, read_target},
    order::{self, OrderNote},
    watch::Shared,
};
use hydra_core::{
    job::{JobKey, Observed},
    record::RunRecord,
};

/// What stands where nobody knows any more.
const UNKNOWN: &str = "unknown";

/// The order of a recorded job that writes code; `None` for every other one.
pub(crate) async fn again(
    shared: &Shared,
    record: &RunRecord,
    key: &JobKey,
    job: &Observed,
) -> Result<Option<OrderNote>, Unseen> {
    if !key.stage.writes_code() {
        return Ok(None);
    }
    let (Some(base), Some(branch)) = (record.base.clone(), record.branch.clone()) else { return Ok(None) };
    let Ok(target) = read_target(shared, &key.issue.repo, &base).await? else { return Ok(None) };
    let config = &shared.config;
    let persona = config.policy.personas.get(&key.stage);
    Ok(Some(OrderNote {
        schema: 1,
        key: key.clone(),
        head: record.head.clone().unwrap_or_else(|| base.clone()),
        base,
        branch,
        change: record.change.clone(),
        account: super::account_of(job),
        model: persona.map(|persona| persona.model.clone()),
        persona: persona.map(|persona| persona.id.clone()),
        author: order::author(persona),
        snapshot: record.snapshot.clone(),
        policy: UNKNOWN.into(),
        prompt: UNKNOWN.into(),
        image: UNKNOWN.into(),
        commands: target.quality().iter().map(|command| command.name.clone()).collect(),
        protected: config.protected_paths.iter().chain(&target.protected).cloned().collect(),
        scope: target.scope.clone(),
        started_at: job.created_at,
        limits: frame::limits(config, key.stage),
    }))
}
