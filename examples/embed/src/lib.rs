//! A runtime whose jobs are async functions of the program that embeds Hydra's core.
//!
//! For a linter that judges, an agent written in Rust, a test. It isolates nothing: whoever runs strangers' code needs a runtime that does.

mod desk;
mod folder;
pub mod review;

pub use desk::Desk;

use async_trait::async_trait;
use desk::Progress;
use futures_util::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use hydra_core::{
    JobId,
    job::{InputFile, JobSpec, Network, Observed, RuntimeStatus},
    ports::{Collected, LogLine, Runtime, RuntimeError, RuntimeErrorKind, Selector, Started},
};
use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tempfile::TempDir;
use tokio::{
    sync::watch,
    task::{AbortHandle, JoinSet},
};

/// 128 + SIGKILL: what a job reports that was ended without being asked.
const KILLED: i64 = 137;

/// What carries out a job; its number is the job's exit code.
pub type Work = dyn Fn(Desk) -> BoxFuture<'static, i64> + Send + Sync;

/// The runtime. Clones and [`TaskRuntime::instance`]s share the same jobs. They end with the last of them.
#[derive(Clone)]
pub struct TaskRuntime {
    place: Arc<Place>,
    instance: String,
}

struct Place {
    work: Box<Work>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    jobs: BTreeMap<JobId, Job>,
    /// Every task is owned: dropped with the place, it is aborted.
    tasks: JoinSet<()>,
}

struct Job {
    spec: JobSpec,
    /// As it prints, secrets masked by their type: what tells one specification from another.
    printed: String,
    instance: String,
    created_at: jiff::Timestamp,
    /// `/out`; removed with the job.
    out: TempDir,
    progress: watch::Sender<Progress>,
    interrupt: watch::Sender<bool>,
    task: AbortHandle,
}

fn error(kind: RuntimeErrorKind, message: impl Into<String>) -> RuntimeError {
    RuntimeError { kind, message: message.into(), hint: None }
}

fn missing(job: &JobId) -> RuntimeError {
    error(RuntimeErrorKind::NotFound, format!("there is no job {job}"))
}

impl TaskRuntime {
    /// A runtime whose jobs are carried out by `work`.
    pub fn new(
        instance: impl Into<String>,
        work: impl Fn(Desk) -> BoxFuture<'static, i64> + Send + Sync + 'static,
    ) -> Self {
        let place = Place { work: Box::new(work), state: Mutex::default() };
        Self { place: Arc::new(place), instance: instance.into() }
    }

    /// The same place as another installation sees it.
    #[must_use]
    pub fn instance(&self, name: impl Into<String>) -> Self {
        Self { place: Arc::clone(&self.place), instance: name.into() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.place.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for TaskRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskRuntime").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Job {
    fn observed(&self) -> Observed {
        Observed {
            id: self.spec.key.id(),
            key: Some(self.spec.key.clone()),
            instance: self.instance.clone(),
            credentials: self.spec.credentials.iter().map(ToString::to_string).collect(),
            created_at: self.created_at,
            status: self.progress.borrow().status.clone(),
        }
    }
    fn kill(&self) {
        self.task.abort();
        self.progress.send_if_modified(|progress| progress.end(KILLED));
    }
}

/// What no job may have. A function could not be kept from any of it, so it is not even asked for.
fn refuse(spec: &JobSpec) -> Result<(), RuntimeError> {
    let refused = |what: &str| Err(error(RuntimeErrorKind::Refused, format!("no job may have {what}")));
    if matches!(&spec.network, Network::Named(name) if name == "host" || name.contains(':')) {
        return refused("the network of this machine or of another job");
    }
    let is_socket = |file: &InputFile| matches!(file, InputFile::Path(path) if path.ends_with("docker.sock"));
    if spec.env.contains_key("DOCKER_HOST") || spec.inputs.values().any(is_socket) {
        return refused("a container engine");
    }
    let leaves = |path: &String| path.split('/').any(|part| matches!(part, "" | "." | ".."));
    if spec.inputs.keys().chain(spec.spec.keys()).any(leaves) {
        return refused("files outside of its folders");
    }
    Ok(())
}

#[async_trait]
impl Runtime for TaskRuntime {
    async fn start(&self, spec: &JobSpec) -> Result<Started, RuntimeError> {
        refuse(spec)?;
        let (id, printed) = (spec.key.id(), format!("{spec:?}"));
        let mut state = self.state();
        if let Some(job) = state.jobs.get(&id) {
            return if job.instance == self.instance && job.printed == printed {
                Ok(Started::Adopted)
            } else {
                Err(error(RuntimeErrorKind::Conflict, format!("{id} is there already, and is another one")))
            };
        }
        let out = tempfile::tempdir().map_err(|why| error(RuntimeErrorKind::Exhausted, why.to_string()))?;
        let (progress, interrupt) = (watch::Sender::new(Progress::default()), watch::Sender::new(false));
        let desk = Desk::new(spec.clone(), out.path().to_owned(), progress.clone(), interrupt.subscribe());
        let (work, ends) = ((self.place.work)(desk), progress.clone());
        let task = state.tasks.spawn(async move {
            let code = work.await;
            ends.send_if_modified(|progress| progress.end(code));
        });
        let (instance, created_at) = (self.instance.clone(), jiff::Timestamp::now());
        state
            .jobs
            .insert(id, Job { spec: spec.clone(), printed, instance, created_at, out, progress, interrupt, task });
        Ok(Started::New)
    }

    async fn list(&self, which: &Selector) -> Result<Vec<Observed>, RuntimeError> {
        let state = self.state();
        let wanted = |seen: &Observed| match which {
            Selector::Mine => seen.instance == self.instance,
            Selector::Any => true,
            Selector::Job(id) => seen.id == *id,
        };
        Ok(state.jobs.values().map(Job::observed).filter(wanted).collect())
    }

    async fn follow(&self, job: &JobId) -> Result<BoxStream<'static, Result<LogLine, RuntimeError>>, RuntimeError> {
        let progress = self.state().jobs.get(job).ok_or_else(|| missing(job))?.progress.subscribe();
        let lines = stream::unfold((progress, 0), |(mut progress, told)| async move {
            // A job that was removed has ended as well.
            let line = {
                let seen =
                    progress.wait_for(|now| now.lines.len() > told || now.status != RuntimeStatus::Running).await;
                seen.ok()?.lines.get(told).cloned()?
            };
            Some((Ok(line), (progress, told + 1)))
        });
        Ok(lines.boxed())
    }

    async fn collect(&self, job: &JobId, max_bytes: u64) -> Result<Collected, RuntimeError> {
        let path = self.state().jobs.get(job).ok_or_else(|| missing(job))?.out.path().to_owned();
        folder::collect(&path, max_bytes)
    }

    async fn stop(&self, job: &JobId, grace: Duration) -> Result<(), RuntimeError> {
        let found = self.state().jobs.get(job).map(|job| (job.interrupt.clone(), job.progress.subscribe()));
        let Some((interrupt, mut progress)) = found else { return Ok(()) };
        interrupt.send_replace(true);
        let ended = progress.wait_for(|now| now.status != RuntimeStatus::Running);
        if tokio::time::timeout(grace, ended).await.is_err()
            && let Some(job) = self.state().jobs.get(job)
        {
            job.kill();
        }
        Ok(())
    }

    async fn remove(&self, job: &JobId) -> Result<(), RuntimeError> {
        if let Some(job) = self.state().jobs.remove(job) {
            job.kill();
        }
        Ok(())
    }

    async fn remains(&self) -> Result<Vec<JobId>, RuntimeError> {
        // A job is in one piece, or not there.
        Ok(Vec::new())
    }
}
