//! Running jobs are followed by joined tasks: what they spend, what they do, and when they must be stopped. Their end wakes the loop.

mod follow;
mod hear;
mod judge;

pub(crate) use follow::stop;
pub use judge::{Bounds, judge, next_check};

use crate::{
    config::{EngineConfig, Ports},
    ledger::Ledger,
    observer::Observer,
    outcome::Outcomes,
    store::StateDir,
    tally::Tally,
};
use hydra_core::{JobId, job::JobKey, plan::Progress};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::{
    sync::Notify,
    task::{AbortHandle, JoinSet},
};

/// What the tasks share with the loop.
pub struct Shared {
    /// The configuration.
    pub(crate) config: Arc<EngineConfig>,
    /// The world.
    pub(crate) ports: Ports,
    /// The state folder.
    pub(crate) state: StateDir,
    /// Spend.
    pub(crate) ledger: Ledger,
    /// How ended jobs went.
    pub(crate) outcomes: Outcomes,
    /// Who is told.
    pub(crate) observer: Arc<dyn Observer>,
    /// Wakes the loop.
    pub(crate) wake: Notify,
    tallies: Mutex<BTreeMap<JobId, Tally>>,
}

impl Shared {
    pub(crate) fn new(config: Arc<EngineConfig>, ports: Ports, state: StateDir, observer: Arc<dyn Observer>) -> Self {
        Self {
            config,
            ports,
            state,
            ledger: Ledger::default(),
            outcomes: Outcomes::default(),
            observer,
            wake: Notify::new(),
            tallies: Mutex::default(),
        }
    }
    /// What a job's events say so far.
    pub(crate) fn progress(&self, job: &JobId) -> Progress {
        self.lock().get(job).map(|tally| tally.progress.clone()).unwrap_or_default()
    }
    pub(crate) fn forget(&self, job: &JobId) {
        self.lock().remove(job);
    }
    pub(crate) fn put(&self, job: &JobId, tally: &Tally) {
        self.lock().insert(job.clone(), tally.clone());
    }
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<JobId, Tally>> {
        self.tallies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The tasks.
#[derive(Default)]
pub struct Watches {
    tasks: JoinSet<JobId>,
    running: BTreeMap<JobId, AbortHandle>,
}

impl Watches {
    /// Follows a running job, unless it is followed already.
    pub(crate) fn follow(&mut self, shared: &Arc<Shared>, job: &JobId, watched: Watched) {
        self.reap();
        if self.running.contains_key(job) {
            return;
        }
        let handle = self.tasks.spawn(follow::follow(Arc::clone(shared), job.clone(), watched));
        self.running.insert(job.clone(), handle);
    }
    /// Whether a job is followed.
    pub(crate) fn follows(&self, job: &JobId) -> bool {
        self.running.contains_key(job)
    }
    /// Takes in what ended by itself.
    pub(crate) fn reap(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            match ended {
                Ok(job) => _ = self.running.remove(&job),
                Err(error) => {
                    // A task that died is replaced at the next cycle; its cause must not be lost.
                    tracing::error!(%error, "a watching task died");
                    self.running.retain(|_, handle| !handle.is_finished());
                }
            }
        }
    }
    /// Stops following; the jobs run on.
    pub(crate) async fn stop(&mut self) {
        self.tasks.shutdown().await;
        self.running.clear();
    }
}

/// What a task must know of its job.
#[derive(Debug, Clone)]
pub struct Watched {
    /// Its key.
    pub key: JobKey,
    /// Its limits in time and turns.
    pub bounds: Bounds,
    /// The model it was started with.
    pub model: Option<hydra_core::ModelName>,
    /// The account it uses.
    pub account: Option<hydra_core::AccountName>,
}
