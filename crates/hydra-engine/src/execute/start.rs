//! Starts a job: what it is started with is kept first, so that its outputs can be judged whatever happens in between.

use super::{Effect, Fault};
use crate::{
    engine::Engine,
    observe::World,
    observer::{Happening, who},
    order, store,
    watch::Watched,
};
use hydra_core::{
    job::RuntimeStatus,
    plan::{IssueSnapshot, StartOrder},
    ports::{RuntimeErrorKind, Started},
};

impl Engine {
    pub(super) async fn start_job(
        &mut self,
        seen: &IssueSnapshot,
        order: &StartOrder,
        world: &World,
    ) -> Result<Effect, Fault> {
        if self.draining {
            return Err(Fault::failed("the orchestrator is draining and starts nothing"));
        }
        let shared = self.shared.clone();
        let now = shared.ports.clock.now();
        let job = order.key.id();
        let built = order::build(&shared, seen, order, &world.accounts, now).await;
        let (spec, note) =
            built.map_err(|refused| Fault::Failed { why: refused.why, until: None, side: refused.side })?;
        // A large repository takes its time: another may have done it all meanwhile, and a job that is gone by now would be started once more.
        if self.leases.get(&seen.key).is_none_or(|mine| mine.held.record.expires_at <= self.now()) {
            return Err(Fault::Moved("the lease lapsed while the job was prepared".into()));
        }
        store::write_json(&shared.state.order(&job), &note).map_err(Fault::failed)?;
        // A stop of an earlier job of this name (a lost disk, a removed container) says nothing about this one.
        store::remove(&shared.state.stop(&job)).map_err(Fault::failed)?;
        let started = match shared.ports.runtime.start(&spec).await {
            Ok(started) => started,
            Err(error) => {
                let made = seen.jobs.iter().find(|seen| *seen.id() == job);
                let half_made = made.is_some_and(|seen| matches!(seen.observed.status, RuntimeStatus::Created));
                if error.kind == RuntimeErrorKind::Conflict && half_made {
                    // It was made with another specification and never ran: it is made anew next time.
                    shared.ports.runtime.remove(&job).await?;
                }
                if matches!(error.kind, RuntimeErrorKind::Unavailable | RuntimeErrorKind::Exhausted) {
                    self.breaker_failed("engine", &seen.key, &error.to_string());
                }
                return Err(error.into());
            }
        };
        let watched = Watched {
            key: order.key.clone(),
            bounds: order::bounds(&shared.config, order.key.stage, note.limits, now),
            model: order.model.clone(),
            account: order.account.clone(),
        };
        self.watches.follow(&shared, &job, watched);
        let who = who(&shared.config.policy, order.key.stage);
        shared.observer.saw(&Happening::StageStarted { key: order.key.clone(), job: job.clone(), at: now, who });
        Ok(match started {
            Started::New => Effect::made(job.to_string()),
            Started::Adopted => Effect::there(format!("{job} was there already")),
        })
    }
}
