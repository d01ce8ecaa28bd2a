//! A runtime in memory whose jobs do as they are told: for the engine's stories and for programs that embed core.
//!
//! It starts nothing and waits for nothing but its [`Clock`], so that it runs under virtual time.

mod world;

use crate::{
    JobId, Stage, Timestamp,
    egress::gate::GateLine,
    job::{JobSpec, Observed, RuntimeStatus},
    ports::{Clock, Collected, LogLine, Runtime, RuntimeError, Selector, Started},
};
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};
use world::World;

/// What a job of the fake does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Play {
    /// Its output, all of it at once when it starts, unless it has a pace.
    pub lines: Vec<LogLine>,
    /// Time before each line. A job with a pace that is stopped leaves `events.jsonl` with what it said until then, and nothing else.
    pub pace: Duration,
    /// What lies in `/out` when it has ended.
    pub out: BTreeMap<String, Vec<u8>>,
    /// Links that lie in `/out` as well.
    pub links: BTreeSet<String>,
    /// How it ends.
    pub end: End,
    /// How long it runs before it ends, for the ends that come by themselves.
    pub after: Duration,
}

impl Play {
    /// Ends at once with this code, saying and leaving nothing.
    #[must_use]
    pub fn exits(code: i64) -> Self {
        Self {
            lines: Vec::new(),
            pace: Duration::ZERO,
            out: BTreeMap::new(),
            links: BTreeSet::new(),
            end: End::Exits(code),
            after: Duration::ZERO,
        }
    }
}

/// How a job of the fake ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// By itself, with this code.
    Exits(i64),
    /// The kernel kills it for memory.
    OutOfMemory,
    /// Nobody knows how: the words say what is known.
    Vanishes(String),
    /// It runs on until it is stopped or [`FakeRuntime::end`] ends it.
    Runs,
    /// The same, and it takes no notice of being asked.
    RunsDeaf,
}

/// The runtime. Clones and [`FakeRuntime::instance`]s share the same jobs.
#[derive(Clone)]
pub struct FakeRuntime {
    world: Arc<World>,
    instance: String,
}

impl fmt::Debug for FakeRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FakeRuntime").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl FakeRuntime {
    /// A fake whose jobs do what `play` says for their specification, asked once per job, when it starts.
    pub fn new(
        instance: impl Into<String>,
        clock: Arc<dyn Clock>,
        play: impl Fn(&JobSpec) -> Play + Send + Sync + 'static,
    ) -> Self {
        Self { world: Arc::new(World::new(clock, Box::new(play))), instance: instance.into() }
    }

    /// A fake whose jobs do what the table says for their stage; a stage that it does not hold exits 0.
    #[must_use]
    pub fn per_stage(instance: impl Into<String>, clock: Arc<dyn Clock>, table: BTreeMap<Stage, Play>) -> Self {
        Self::new(instance, clock, move |spec| table.get(&spec.key.stage).cloned().unwrap_or_else(|| Play::exits(0)))
    }

    /// The same place as another installation sees it.
    #[must_use]
    pub fn instance(&self, name: impl Into<String>) -> Self {
        Self { world: Arc::clone(&self.world), instance: name.into() }
    }

    /// From now on every call fails with this error; `None` ends the outage.
    pub fn outage(&self, error: Option<RuntimeError>) {
        self.world.lock().outage = error;
    }

    /// Ends a running job as if from outside. False when it does not run.
    #[must_use]
    pub fn end(&self, job: &JobId, end: RuntimeStatus) -> bool {
        self.world.end(job, end)
    }

    /// Every job has a gate from now on, and it has told this.
    pub fn tell(&self, lines: Vec<GateLine>) {
        self.world.lock().gate = lines;
    }

    /// Something of a job that is not there (any more) is left from now on, until it is removed.
    pub fn leave(&self, job: JobId) {
        self.world.lock().remains.insert(job);
    }

    /// Every start that made a job, in order.
    #[must_use]
    pub fn started(&self) -> Vec<JobId> {
        self.world.lock().started.clone()
    }
}

#[async_trait]
impl Runtime for FakeRuntime {
    async fn start(&self, spec: &JobSpec) -> Result<Started, RuntimeError> {
        self.world.start(&self.instance, spec)
    }

    async fn list(&self, which: &Selector) -> Result<Vec<Observed>, RuntimeError> {
        self.world.list(&self.instance, which)
    }

    async fn follow(&self, job: &JobId) -> Result<BoxStream<'static, Result<LogLine, RuntimeError>>, RuntimeError> {
        World::follow(&self.world, job)
    }

    async fn collect(&self, job: &JobId, max_bytes: u64) -> Result<Collected, RuntimeError> {
        self.world.collect(job, max_bytes)
    }

    async fn told(&self, _: &JobId) -> Result<Vec<GateLine>, RuntimeError> {
        self.world.told()
    }

    async fn stop(&self, job: &JobId, grace: Duration) -> Result<(), RuntimeError> {
        if self.world.interrupt(job)? {
            return Ok(());
        }
        self.world.clock().sleep(grace).await;
        self.world.kill(job);
        Ok(())
    }

    async fn remove(&self, job: &JobId) -> Result<(), RuntimeError> {
        self.world.remove(job)
    }

    async fn remains(&self) -> Result<Vec<JobId>, RuntimeError> {
        self.world.remains()
    }
}

/// A status that says "ended with this code", at this time.
#[must_use]
pub fn exited(code: i64, at: Timestamp) -> RuntimeStatus {
    RuntimeStatus::Exited { code, oom: false, at }
}
