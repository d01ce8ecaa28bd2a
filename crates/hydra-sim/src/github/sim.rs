//! The running simulator: started, looked into, stopped.

use super::{
    SimClock,
    fault::{Fault, Faults, Injected},
    git::GitError,
    log::{Log, Logged, Record},
    notice::Refusal,
    server,
    traffic::Traffic,
    world::World,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::{net::TcpListener, task::JoinSet};

/// How a simulator is started.
#[derive(Debug, Clone)]
pub struct SimConfig {
    /// Its time of day; the machine's by default.
    pub clock: SimClock,
    /// What goes wrong; nothing by default.
    pub faults: Faults,
    /// Requests an hour and account; 5,000 by default.
    pub hourly_limit: u64,
    /// Answer `mergeable: null` once after head or base moved, as GitHub does while it computes; off by default.
    pub lazy_mergeable: bool,
    /// Keep whole requests and answers for [`crate::contracts::check`]; off by default.
    pub record: bool,
    /// Loopback port; 0 (any) by default.
    pub port: u16,
}

impl Default for SimConfig {
    fn default() -> Self {
        Self {
            clock: SimClock::real(),
            faults: Faults::default(),
            hourly_limit: 5_000,
            lazy_mergeable: false,
            record: false,
            port: 0,
        }
    }
}

/// What went wrong while starting or seeding.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// No port, no temporary folder.
    #[error("the simulated GitHub cannot start: {0}")]
    Start(#[from] std::io::Error),
    /// Git refused.
    #[error(transparent)]
    Git(#[from] GitError),
    /// The seed asks for what GitHub would refuse.
    #[error("the simulated GitHub refuses: {status} {message}")]
    Refused {
        /// The status that HTTP would show.
        status: u16,
        /// GitHub's message, with its details.
        message: String,
    },
}

impl From<Refusal> for SimError {
    fn from(refusal: Refusal) -> Self {
        let details = refusal.errors.map(|e| format!(" {e}")).unwrap_or_default();
        Self::Refused { status: refusal.status, message: format!("{}{details}", refusal.message) }
    }
}

pub(crate) struct Inner {
    pub world: Mutex<World>,
    pub faults: Mutex<Faults>,
    pub log: Mutex<Log>,
    pub record: bool,
    pub traffic: Option<Traffic>,
    folder: tempfile::TempDir,
}

impl Inner {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn log(&self) -> MutexGuard<'_, Log> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A simulated GitHub on a loopback port. It ends when it is dropped, with its connections; its repositories lie in a temporary folder and go with it.
pub struct Sim {
    pub(crate) inner: Arc<Inner>,
    base_url: String,
    server: JoinSet<()>,
}

impl std::fmt::Debug for Sim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sim").field("base_url", &self.base_url).finish_non_exhaustive()
    }
}

impl Sim {
    /// Binds a loopback port and serves.
    ///
    /// # Errors
    /// When there is no port or no temporary folder.
    pub async fn start(config: SimConfig) -> Result<Self, SimError> {
        let listener = TcpListener::bind(("127.0.0.1", config.port)).await?;
        let folder = tempfile::Builder::new().prefix("hydra-sim-").tempdir()?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let mut world = World::new(config.clock, folder.path().to_owned(), config.hourly_limit, config.lazy_mergeable);
        world.base_url.clone_from(&base_url);
        let inner = Arc::new(Inner {
            world: Mutex::new(world),
            faults: Mutex::new(config.faults),
            log: Mutex::new(Log::default()),
            record: config.record,
            traffic: Traffic::start()?,
            folder,
        });
        let mut server = JoinSet::new();
        server.spawn(server::serve(listener, Arc::clone(&inner)));
        Ok(Self { inner, base_url, server })
    }

    /// `http://127.0.0.1:port`: REST below it, GraphQL at `/graphql`, git at `/owner/name.git`.
    #[must_use]
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where git clones `owner/name` from.
    #[must_use]
    pub fn clone_url(&self, repo: &str) -> String {
        format!("{}/{repo}.git", self.base_url)
    }

    /// The folder that holds the bare repositories.
    #[must_use]
    pub fn folder(&self) -> &std::path::Path {
        self.inner.folder.path()
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> SimClock {
        self.inner.world().clock.clone()
    }

    /// Replaces all fault rules and what they counted.
    pub fn set_faults(&self, faults: Faults) {
        *self.inner.faults() = faults;
    }

    /// Adds one fault rule.
    pub fn add_fault(&self, fault: Fault) {
        self.inner.faults().push(fault);
    }

    /// The faults that struck, in order.
    #[must_use]
    pub fn injected(&self) -> Vec<Injected> {
        self.inner.faults().injected().to_vec()
    }

    /// Seed, rules and what struck, to print with a failing test.
    #[must_use]
    pub fn describe_faults(&self) -> String {
        self.inner.faults().describe()
    }

    /// All requests so far.
    #[must_use]
    pub fn log(&self) -> Vec<Logged> {
        self.inner.log().entries.clone()
    }

    /// Requests that asked for a change, refused and failed ones included.
    #[must_use]
    pub fn writes(&self) -> usize {
        self.inner.log().entries.iter().filter(|e| e.write).count()
    }

    /// Requests that asked for no change.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.inner.log().entries.iter().filter(|e| !e.write).count()
    }

    /// Forgets log and counters; records are kept.
    pub fn reset_log(&self) {
        self.inner.log().entries.clear();
    }

    /// Whole requests and answers, when [`SimConfig::record`] is set.
    #[must_use]
    pub fn records(&self) -> Vec<Record> {
        self.inner.log().records.clone()
    }

    /// Stops serving and waits until it has stopped.
    pub async fn stop(mut self) {
        self.server.shutdown().await;
    }
}
