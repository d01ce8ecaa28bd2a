//! Where jobs run.

use crate::{
    JobId,
    egress::gate::GateLine,
    job::{JobSpec, Observed},
};
use async_trait::async_trait;
use futures_util::stream::BoxStream;
use std::{collections::BTreeMap, time::Duration};

/// What went wrong in a runtime.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", hint.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
pub struct RuntimeError {
    /// The kind: what the caller can do about it.
    pub kind: RuntimeErrorKind,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// Kinds of runtime errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RuntimeErrorKind {
    /// The engine is not there or does not answer: an outage, costs no attempt.
    Unavailable,
    /// The engine is outside the supported range.
    Unsupported,
    /// The image is absent, or is not the one that was pinned.
    Image,
    /// The specification was refused, by us or by the engine.
    Refused,
    /// No room: disk, memory, pids.
    Exhausted,
    /// No such job.
    NotFound,
    /// The job exists under this name with another specification, or belongs to another installation.
    Conflict,
    /// Anything else.
    Failed,
}

/// Whether a start made the job or found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Started {
    /// It was made and started.
    New,
    /// It existed already (running or ended): nothing was done.
    Adopted,
}

/// Which jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selector {
    /// All of this installation's.
    Mine,
    /// Those of every installation on this runtime.
    Any,
    /// One.
    Job(JobId),
}

/// One line of a job's standard output (events) or error output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// From standard error.
    pub stderr: bool,
    /// Without its line end; cut at [`crate::agent_event::MAX_LINE`].
    pub text: String,
}

/// What a job left in `/out`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Collected {
    /// Files by relative path. No links, no absolute or parent paths: such entries are refused.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Files that were left out because they exceed the limit, with their size.
    pub too_large: BTreeMap<String, u64>,
    /// What its gate told, where it had one: nothing that the job itself could write.
    pub gate: Vec<GateLine>,
}

/// Where jobs run. Dropping a call never stops a job.
#[async_trait]
pub trait Runtime: Send + Sync {
    /// Starts a job, or finds it: the name decides. A job left in `Created` is started, never made twice.
    /// A specification that asks for what no job may have (host network, docker socket, host paths) is `Refused`.
    async fn start(&self, spec: &JobSpec) -> Result<Started, RuntimeError>;
    /// What is there, ended jobs included, by name. An engine that does not answer is an error, never an empty list.
    async fn list(&self, which: &Selector) -> Result<Vec<Observed>, RuntimeError>;
    /// Its output from the first line on, ending when the job ends. Following twice gives the same lines.
    async fn follow(&self, job: &JobId) -> Result<BoxStream<'static, Result<LogLine, RuntimeError>>, RuntimeError>;
    /// What it left in `/out`; files over `max_bytes` each are named, not read. Works for ended jobs, as often as asked, until removed.
    async fn collect(&self, job: &JobId, max_bytes: u64) -> Result<Collected, RuntimeError>;
    /// What its gate has told so far, while the gate serves on or after it has ended. Empty where there is none.
    async fn told(&self, _job: &JobId) -> Result<Vec<GateLine>, RuntimeError> {
        Ok(Vec::new())
    }
    /// Asks it to end (SIGINT), waits up to `grace`, then kills. Ok when it is not running afterwards, also when it never was.
    async fn stop(&self, job: &JobId, grace: Duration) -> Result<(), RuntimeError>;
    /// Removes it and everything that belongs to it (volumes). Ok when it is not there. A running job is killed first.
    async fn remove(&self, job: &JobId) -> Result<(), RuntimeError>;
    /// Jobs of this installation that are not there any more, of which something is left (a removal or a start that was cut off);
    /// [`Runtime::remove`] takes it away. A runtime that keeps a job in one piece has none.
    async fn remains(&self) -> Result<Vec<JobId>, RuntimeError>;
}
