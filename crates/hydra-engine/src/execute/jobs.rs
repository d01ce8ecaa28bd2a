//! Stops and removes jobs.

use super::{Effect, Fault};
use crate::{
    engine::Engine,
    stops::{Halt, StopNote},
    store, watch,
};
use hydra_core::{JobId, plan::StopReason};

impl Engine {
    pub(super) async fn stop_job(&mut self, job: &JobId, why: StopReason) -> Result<Effect, Fault> {
        let note = StopNote { why: Halt::Because(why), detail: why.to_string(), at: self.now() };
        watch::stop(&self.shared, job, &note).await.map_err(Fault::failed)?;
        Ok(Effect::made(format!("{job}: {why}")))
    }

    pub(super) async fn remove_job(&mut self, job: &JobId) -> Result<Effect, Fault> {
        self.shared.ports.runtime.remove(job).await?;
        self.shared.ledger.gone(job, self.now());
        self.shared.outcomes.forget(job);
        self.shared.forget(job);
        // Only caches by now: what the job did is in the record.
        for path in [self.shared.state.order(job), self.shared.state.stop(job)] {
            store::remove(&path).map_err(Fault::failed)?;
        }
        Ok(Effect::made(job.to_string()))
    }
}
