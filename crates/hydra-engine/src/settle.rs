//! One issue brought to rest at the forge after an operator's command: what a cycle would do for it, and no start.

use crate::{
    engine::{Died, Engine, EngineError},
    report::CycleReport,
};
use hydra_core::{IssueKey, plan::LeaseRead};

/// Lists of actions that are carried out, at most: the record and its display, then the lease.
const TURNS: usize = 5;

/// How far an issue was brought.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Settled {
    /// Actions that were carried out, in order.
    pub actions: Vec<&'static str>,
    /// Effects that changed something outside.
    pub writes: usize,
    /// Who holds the issue: then it is theirs to bring to rest.
    pub held_by: Option<String>,
    /// Why it is not at rest.
    pub failure: Option<String>,
}

impl Engine {
    /// Carries out what is due for one issue, as far as it needs no new job.
    ///
    /// # Errors
    /// When the issue, or what its plan depends on, cannot be read.
    pub async fn settle(&mut self, key: &IssueKey) -> Result<Settled, EngineError> {
        let mut settled = Settled::default();
        self.draining = true;
        for _ in 0..TURNS {
            let (world, seen) = self.look_at(key).await?;
            if let LeaseRead::Other(held) = &seen.lease {
                settled.held_by = Some(held.record.owner.clone());
                return Ok(settled);
            }
            self.remember_lease(&seen);
            let together = self.snapshot(&world, vec![seen]);
            let Some(plan) = (self.planner)(&together).issues.pop() else { return Ok(settled) };
            if plan.actions.is_empty() {
                return Ok(settled);
            }
            let mut report = CycleReport::default();
            let Some(seen) = together.issues.first() else { return Ok(settled) };
            match self.carry_out(&plan, seen, &world, &mut report).await {
                Ok(carried) => {
                    settled.actions.extend(report.actions.iter().map(|(_, name)| *name));
                    settled.writes += report.writes;
                    if let Some(why) = carried.failed.filter(|_| !carried.again) {
                        settled.failure = Some(why);
                        return Ok(settled);
                    }
                }
                Err(Died) => {
                    settled.failure = Some("the orchestrator was killed".to_owned());
                    return Ok(settled);
                }
            }
        }
        Ok(settled)
    }
}
