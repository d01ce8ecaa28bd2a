//! The loop around the cycle: until everything rests (`poll`), or for ever (`supervise`).

use crate::{
    engine::{Engine, EngineError},
    report::{CycleReport, Failure},
    stops::{Halt, StopNote},
    watch,
};
use hydra_core::{IssueKey, JobId, Timestamp, job::RuntimeStatus, plan::StopReason, ports::Selector};
use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::pin,
    time::Duration,
};

/// How a loop ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// Cycles that were made.
    pub cycles: u64,
    /// Actions that were carried out.
    pub actions: usize,
    /// Effects that changed something outside.
    pub writes: usize,
    /// The last cycle's report.
    pub last: CycleReport,
    /// What was seen and done of each issue; only where the loop ends by itself, so that it does not grow for ever.
    pub issues: BTreeMap<IssueKey, Driven>,
}

/// What a loop saw and did of one issue.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Driven {
    /// Actions that were carried out.
    pub actions: usize,
    /// Why nothing more happens, as it was last seen.
    pub reasons: Vec<String>,
    /// A person must act, or attempts are used up.
    pub handed_over: bool,
    /// What could not be seen or done when it was last looked at.
    pub failure: Option<Failure>,
}

impl Ended {
    fn take(&mut self, report: &CycleReport) {
        for (key, reasons) in &report.reasons {
            let driven = self.issues.entry(key.clone()).or_default();
            driven.reasons.clone_from(reasons);
            driven.handed_over = report.handed_over.contains(key);
            driven.failure = None;
        }
        for failure in &report.failures {
            if let Some(key) = &failure.issue {
                self.issues.entry(key.clone()).or_default().failure = Some(failure.clone());
            }
        }
        for (key, _) in &report.actions {
            self.issues.entry(key.clone()).or_default().actions += 1;
        }
    }
}

impl Engine {
    /// Cycles until every pipeline that this process drives rests: ready, handed over, or waiting for a limit, a hold or another.
    /// Ends early, jobs running on, when `stop` does.
    pub async fn run_until_rest(&mut self, stop: impl Future<Output = ()>) -> Ended {
        self.run(stop, true).await
    }

    /// Cycles until `drain` ends; then the effects of the cycle under way are finished, and containers run on: the next start adopts them.
    pub async fn supervise(&mut self, drain: impl Future<Output = ()>) -> Ended {
        self.run(drain, false).await
    }

    async fn run(&mut self, stop: impl Future<Output = ()>, until_rest: bool) -> Ended {
        let mut stop = pin!(stop);
        self.terse = !until_rest;
        let mut ended =
            Ended { cycles: 0, actions: 0, writes: 0, last: CycleReport::default(), issues: BTreeMap::new() };
        loop {
            // The first cycle over a long list says why of each of its issues: not twice at a time.
            ended.last = CycleReport::default();
            // A cycle is never cut: an effect that was begun is finished, and what it did is known.
            let report = self.cycle().await;
            ended.cycles += 1;
            ended.actions += report.actions.len();
            ended.writes += report.writes;
            if until_rest {
                ended.take(&report);
            }
            let rests = report.busy.is_empty() && report.actions.is_empty();
            let (died, wake) = (report.died, report.next_wake);
            ended.last = report;
            if died || (until_rest && rests) {
                break;
            }
            let shared = self.shared.clone();
            tokio::select! {
                biased;
                () = &mut stop => break,
                () = shared.wake.notified() => {}
                () = shared.ports.clock.sleep(self.pause(wake)) => {}
            }
        }
        self.drain().await;
        ended
    }

    /// How long to wait for the next cycle.
    fn pause(&self, wake: Option<Timestamp>) -> Duration {
        let poll = self.shared.config.poll_interval;
        let Some(wake) = wake else { return poll };
        Duration::try_from(wake.duration_since(self.now())).unwrap_or_default().min(poll)
    }

    /// Follows no job any more and starts none; what runs runs on.
    pub async fn drain(&mut self) {
        self.watches.stop().await;
    }

    /// Wakes the loop: something outside happened (a webhook, an operator's command).
    pub fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// The running jobs of this installation.
    ///
    /// # Errors
    /// When the runtime does not answer.
    pub async fn running_jobs(&self) -> Result<Vec<JobId>, EngineError> {
        let jobs = self.shared.ports.runtime.list(&Selector::Mine).await;
        let jobs = jobs.map_err(|error| EngineError::Runtime(error.to_string()))?;
        Ok(jobs.into_iter().filter(|job| matches!(job.status, RuntimeStatus::Running)).map(|job| job.id).collect())
    }

    /// Stops every running job of this installation, the reason kept first. Returns those that could not be stopped, with why.
    pub async fn stop_jobs(&mut self) -> Vec<(JobId, String)> {
        self.draining = true;
        self.stop_where(StopReason::Shutdown, "the orchestrator was told to stop its jobs", |_| true).await.1
    }

    /// Stops running jobs that `which` says yes to. Returns those that were stopped and those that were not.
    pub(crate) async fn stop_where(
        &self,
        why: StopReason,
        detail: &str,
        which: impl Fn(&hydra_core::job::Observed) -> bool,
    ) -> (BTreeSet<JobId>, Vec<(JobId, String)>) {
        let (mut stopped, mut failed) = (BTreeSet::new(), Vec::new());
        let jobs = match self.shared.ports.runtime.list(&Selector::Mine).await {
            Ok(jobs) => jobs,
            Err(error) => {
                tracing::error!(%error, "the runtime cannot be asked for jobs to stop");
                return (stopped, failed);
            }
        };
        for job in jobs.into_iter().filter(|job| matches!(job.status, RuntimeStatus::Running) && which(job)) {
            let note = StopNote { why: Halt::Because(why), detail: detail.into(), at: self.now() };
            match watch::stop(&self.shared, &job.id, &note).await {
                Ok(()) => _ = stopped.insert(job.id),
                Err(why) => failed.push((job.id, why)),
            }
        }
        (stopped, failed)
    }
}
