//! Jobs as plain processes of this machine, for the demo and for tests. **It isolates nothing**: a job can do whatever this user can.
//!
//! Each job is a folder below `<state>/jobs`, complete before it appears under its name, so that any orchestrator can adopt it by reading it.
//! A small shell around the program waits for the word to go, records the exit code and ends what the program left behind.
//! Limits other than the wrapper's own deadline are not enforced here.

mod collect;
mod folder;
mod follow;
mod launch;
mod probe;
mod stop;
mod sweep;

pub use sweep::sweep;

use crate::{
    check,
    error::{hinted, io_error, join_error},
    naming,
};
use async_trait::async_trait;
use folder::JobFolder;
use futures_util::stream::BoxStream;
use hydra_core::{
    JobId,
    job::{JobSpec, Observed, RuntimeStatus},
    ports::{Collected, LogLine, Runtime, RuntimeError, RuntimeErrorKind, Selector, Started},
};
use std::{
    collections::BTreeMap,
    path::PathBuf,
    process::Child,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// How processes are started.
#[derive(Debug, Clone)]
pub struct ProcessConfig {
    /// Hydra's state folder; jobs lie in `jobs/` below it.
    pub state_dir: PathBuf,
    /// The program that carries a job out: the `hydra` executable.
    pub program: PathBuf,
    /// What comes before `--in DIR --out DIR --workspace DIR --spec DIR`: `["agent"]`.
    pub args: Vec<String>,
    /// This installation's name.
    pub instance: String,
    /// Variables for every job besides those of its specification, which win.
    pub extra_env: BTreeMap<String, String>,
}

/// The runtime whose jobs are processes.
#[derive(Debug, Clone)]
pub struct ProcessRuntime {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: ProcessConfig,
    /// Children of this very process, kept so that they are reaped; jobs of earlier orchestrators are not among them.
    children: Mutex<Vec<Child>>,
}

impl ProcessRuntime {
    /// Opens the state folder.
    ///
    /// # Errors
    /// `Refused` when the program is not there, `Failed` when the folder cannot be made.
    pub fn new(mut config: ProcessConfig) -> Result<Self, RuntimeError> {
        if !config.program.is_file() {
            return Err(hinted(
                RuntimeErrorKind::Refused,
                format!("the program for jobs is not there: {}", config.program.display()),
                "it is the hydra executable itself",
            ));
        }
        let jobs = config.state_dir.join("jobs");
        std::fs::create_dir_all(&jobs).map_err(|cause| io_error("cannot make", &jobs, &cause))?;
        // Jobs run in folders of their own: a relative path would mean another place there.
        config.state_dir = std::path::absolute(&config.state_dir)
            .map_err(|cause| io_error("cannot resolve", &config.state_dir, &cause))?;
        config.program = std::path::absolute(&config.program)
            .map_err(|cause| io_error("cannot resolve", &config.program, &cause))?;
        Ok(Self { shared: Arc::new(Shared { config, children: Mutex::new(Vec::new()) }) })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, RuntimeError> + Send + 'static,
    ) -> Result<T, RuntimeError> {
        let shared = Arc::clone(&self.shared);
        tokio::task::spawn_blocking(move || work(&shared)).await.map_err(|cause| join_error(&cause))?
    }
}

impl Shared {
    fn folder(&self, job: &JobId) -> JobFolder {
        JobFolder::new(&self.config.state_dir.join("jobs"), job)
    }

    /// Takes note of children that ended, so that none stays a zombie.
    fn reap(&self) {
        let mut children = self.children.lock().unwrap_or_else(PoisonError::into_inner);
        children.retain_mut(|child| matches!(child.try_wait(), Ok(None)));
    }

    fn start(&self, spec: &JobSpec) -> Result<Started, RuntimeError> {
        check::check(spec)?;
        let id = spec.key.id();
        let labels = naming::labels(&self.config.instance, spec)?;
        let folder = self.folder(&id);
        if !folder.exists()? {
            folder.create(spec, &labels)?;
        }
        naming::same(id.as_str(), &labels, &folder.labels()?)?;
        // Two orchestrators, or two tasks of one, meet here: only one of them finds the job without a process.
        let lock = folder.lock()?;
        self.reap();
        if folder.status()? != RuntimeStatus::Created {
            return Ok(Started::Adopted);
        }
        let child = launch::launch(&folder, &self.config, spec)?;
        self.children.lock().unwrap_or_else(PoisonError::into_inner).push(child);
        drop(lock);
        Ok(Started::New)
    }

    fn list(&self, which: &Selector) -> Result<Vec<Observed>, RuntimeError> {
        self.reap();
        let mut seen = Vec::new();
        for id in folder::ids(&self.config.state_dir.join("jobs"))? {
            if matches!(which, Selector::Job(wanted) if *wanted != id) {
                continue;
            }
            // Removed between the listing and the look: then it is not there.
            let Some(observed) = self.folder(&id).observe(id)? else { continue };
            if !matches!(which, Selector::Mine) || observed.instance == self.config.instance {
                seen.push(observed);
            }
        }
        Ok(seen)
    }
}

#[async_trait]
impl Runtime for ProcessRuntime {
    async fn start(&self, spec: &JobSpec) -> Result<Started, RuntimeError> {
        let spec = spec.clone();
        self.blocking(move |shared| shared.start(&spec)).await
    }

    async fn list(&self, which: &Selector) -> Result<Vec<Observed>, RuntimeError> {
        let which = which.clone();
        self.blocking(move |shared| shared.list(&which)).await
    }

    async fn follow(&self, job: &JobId) -> Result<BoxStream<'static, Result<LogLine, RuntimeError>>, RuntimeError> {
        let folder = self.shared.folder(job);
        folder.found()?;
        Ok(follow::follow(folder, self.clone()))
    }

    async fn collect(&self, job: &JobId, max_bytes: u64) -> Result<Collected, RuntimeError> {
        let folder = self.shared.folder(job);
        self.blocking(move |_| {
            folder.found()?;
            collect::collect(&folder, max_bytes)
        })
        .await
    }

    async fn stop(&self, job: &JobId, grace: Duration) -> Result<(), RuntimeError> {
        let folder = self.shared.folder(job);
        self.blocking(move |shared| stop::stop(&folder, grace, || shared.reap())).await
    }

    /// A job is one folder: it is there or it is not.
    async fn remains(&self) -> Result<Vec<JobId>, RuntimeError> {
        Ok(Vec::new())
    }

    async fn remove(&self, job: &JobId) -> Result<(), RuntimeError> {
        let folder = self.shared.folder(job);
        self.blocking(move |shared| {
            stop::stop(&folder, Duration::ZERO, || shared.reap())?;
            folder.remove()
        })
        .await
    }
}
