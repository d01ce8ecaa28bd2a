//! The engine: what it holds between cycles, and how it is made.

use crate::{
    breaker::Breaker,
    config::{EngineConfig, Ports},
    hook::{EffectHook, EffectPoint, NoHook, Proceed},
    known::Known,
    observer::{NoObserver, Observer},
    store::{StateDir, StoreError},
    watch::{Shared, Watches},
};
use hydra_core::{
    Generation, IssueKey, RepoName, Timestamp,
    plan::{Plan, Snapshot},
    ports::Held,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The engine could not be made, or a command could not be carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EngineError {
    /// The state folder.
    #[error("the state folder cannot be used: {0}")]
    State(#[from] StoreError),
    /// The runtime.
    #[error("the runtime cannot be asked: {0}")]
    Runtime(String),
    /// The forge.
    #[error("the forge cannot be asked: {0}")]
    Forge(String),
    /// What a stage by hand came to, or would come to, may not be published.
    #[error("nothing was published: {0}")]
    NotPublished(String),
    /// Anything else that was tried.
    #[error("{what}: {why}")]
    Failed {
        /// What was tried.
        what: String,
        /// Why it failed.
        why: String,
    },
}

/// A lease that this process holds.
#[derive(Debug, Clone)]
pub(crate) struct Mine {
    pub(crate) held: Held,
    /// The generation to name at the next renewal.
    pub(crate) generation: Generation,
}

/// Observes, plans, executes.
pub struct Engine {
    pub(crate) shared: Arc<Shared>,
    pub(crate) watches: Watches,
    pub(crate) known: Known,
    pub(crate) leases: BTreeMap<IssueKey, Mine>,
    pub(crate) planner: fn(&Snapshot) -> Plan,
    pub(crate) audit_broken: Option<(Timestamp, String)>,
    pub(crate) draining: bool,
    /// Nobody asks a report for the reasons: a daemon's observer is told when they change.
    pub(crate) terse: bool,
    /// What holds and accounts looked like in the last cycle: what waits for them is looked at when they change.
    pub(crate) last_waits: u64,
    pub(crate) breaker: Breaker,
    /// Repositories whose leases were asked for: once is enough, for what this process does it knows.
    pub(crate) asked: BTreeSet<RepoName>,
    hook: Arc<dyn EffectHook>,
    effects: u64,
    dead: bool,
}

impl Engine {
    /// Makes an engine. It touches nothing but its state folder.
    ///
    /// # Errors
    /// When the state folder cannot be made or is not writable.
    pub fn new(config: EngineConfig, ports: Ports) -> Result<Self, EngineError> {
        let state = StateDir::open(&config.state_dir)?;
        let breaker = Breaker::read(&state)?;
        let shared = Shared::new(Arc::new(config), ports, state, Arc::new(NoObserver));
        Ok(Self {
            shared: Arc::new(shared),
            watches: Watches::default(),
            known: Known::default(),
            leases: BTreeMap::new(),
            planner: hydra_core::plan::plan,
            audit_broken: None,
            draining: false,
            terse: false,
            last_waits: 0,
            breaker,
            asked: BTreeSet::new(),
            hook: Arc::new(NoHook),
            effects: 0,
            dead: false,
        })
    }
    /// Tells an observer what happens.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn observed_by(mut self, observer: Arc<dyn Observer>) -> Result<Self, EngineError> {
        let shared = &self.shared;
        let state = StateDir::open(&shared.config.state_dir)?;
        self.shared = Arc::new(Shared::new(Arc::clone(&shared.config), shared.ports.clone(), state, observer));
        Ok(self)
    }
    /// Asks a hook around every effect.
    #[must_use]
    pub fn hooked_by(mut self, hook: Arc<dyn EffectHook>) -> Self {
        self.hook = hook;
        self
    }
    /// Plans with another planner.
    #[must_use]
    pub fn planned_by(mut self, planner: fn(&Snapshot) -> Plan) -> Self {
        self.planner = planner;
        self
    }
    /// The configuration.
    #[must_use]
    pub fn config(&self) -> &EngineConfig {
        &self.shared.config
    }
    /// Effects that were begun so far.
    #[must_use]
    pub const fn effects(&self) -> u64 {
        self.effects
    }
    /// Whether an effect hook killed it.
    #[must_use]
    pub const fn is_dead(&self) -> bool {
        self.dead
    }

    /// Before an effect; `Err` when the orchestrator dies here.
    pub(crate) fn before(&mut self, name: &'static str) -> Result<(), Died> {
        self.effects += 1;
        self.ask(name, true)
    }
    /// After an effect.
    pub(crate) fn after(&mut self, name: &'static str) -> Result<(), Died> {
        self.ask(name, false)
    }
    fn ask(&mut self, name: &'static str, before: bool) -> Result<(), Died> {
        match self.hook.at(EffectPoint { number: self.effects, name, before }) {
            Proceed::Yes => Ok(()),
            Proceed::Die => {
                self.dead = true;
                Err(Died)
            }
        }
    }
    /// A failure of this class happened to an issue.
    pub(crate) fn breaker_failed(&mut self, class: &str, issue: &IssueKey, why: &str) {
        let now = self.now();
        let why = self.shared.config.scrub(why);
        if self.breaker.failed(&self.shared.config.breaker, class, issue, &why, now) {
            tracing::error!(class, why, "the breaker is open: nothing starts");
        }
        self.keep_breaker();
    }
    /// A job of an issue did its work.
    pub(crate) fn breaker_worked(&mut self, issue: &IssueKey) {
        let before = self.breaker.clone();
        if self.breaker.worked(issue) {
            tracing::info!(%issue, "the trial worked: the breaker is closed");
            self.known.wake_all(|memory| memory.waits.any(crate::known::Waits::HOLD));
        }
        if before != self.breaker {
            self.keep_breaker();
        }
    }
    pub(crate) fn keep_breaker(&self) {
        // A breaker that is forgotten at a restart costs some failed starts, nothing more.
        if let Err(error) = self.breaker.keep(&self.shared.state) {
            tracing::warn!(%error, "the breaker's state is not kept");
        }
    }
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.ports.clock.now()
    }
}

/// The effect hook killed the orchestrator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Died;
