//! Trouble on demand: every call of every fake asks here whether it goes well, and how long it takes.

use crate::{
    laws::{self, Laws},
    steps,
};
use async_trait::async_trait;
use futures_util::{StreamExt as _, stream::BoxStream};
use hydra_core::{
    IssueNumber, JobId, Timestamp,
    contract::fake::FakeRuntime,
    egress::gate::GateLine,
    job::{JobSpec, Observed},
    ports::{
        Collected, ForgeError, ForgeErrorKind, LogLine, Runtime, RuntimeError, RuntimeErrorKind, Selector, Started,
        WorkspaceError, WorkspaceErrorKind,
    },
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

/// Who is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Whom {
    Forge,
    Git,
    Runtime,
}

/// One call of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) whom: Whom,
    pub(crate) name: &'static str,
    pub(crate) writes: bool,
}
impl Call {
    pub(crate) const fn read(whom: Whom, name: &'static str) -> Self {
        Self { whom, name, writes: false }
    }
    pub(crate) const fn write(whom: Whom, name: &'static str) -> Self {
        Self { whom, name, writes: true }
    }
}

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Woe {
    /// 5xx, a time-out, an engine that is not there.
    Outage,
    /// 403 with a time.
    Limited(Timestamp),
}
impl From<Woe> for ForgeError {
    fn from(woe: Woe) -> Self {
        let (kind, message) = match woe {
            Woe::Outage => (ForgeErrorKind::Transient, "502 Bad Gateway"),
            Woe::Limited(until) => (ForgeErrorKind::LimitedUntil(until), "403: a secondary rate limit"),
        };
        Self { kind, message: message.into(), hint: None }
    }
}
impl From<Woe> for WorkspaceError {
    fn from(_: Woe) -> Self {
        Self { kind: WorkspaceErrorKind::Transient, message: "the remote end hung up".into() }
    }
}
impl From<Woe> for RuntimeError {
    fn from(_: Woe) -> Self {
        Self { kind: RuntimeErrorKind::Unavailable, message: "the engine does not answer".into(), hint: None }
    }
}

/// How one call goes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Fate {
    /// On the way there, and on the way back.
    pub(crate) takes: Duration,
    /// It fails before it has any effect.
    pub(crate) before: Option<Woe>,
    /// It has its effect, and its answer is lost.
    pub(crate) after: Option<Woe>,
}

type Decide = Box<dyn FnMut(Call) -> Fate + Send>;

/// Decides; everything goes well and at once until it is told otherwise.
#[derive(Clone, Default)]
pub(crate) struct Trouble(Arc<Mutex<Option<Decide>>>);

impl Trouble {
    pub(crate) fn by(&self, decide: impl FnMut(Call) -> Fate + Send + 'static) {
        *self.0.lock().unwrap() = Some(Box::new(decide));
    }
    pub(crate) fn over(&self) {
        *self.0.lock().unwrap() = None;
    }
    fn fate(&self, call: Call) -> Fate {
        self.0.lock().unwrap().as_mut().map_or_else(Fate::default, |decide| decide(call))
    }
    pub(crate) async fn call<T, E: From<Woe>>(
        &self,
        call: Call,
        work: impl AsyncFnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        steps::one();
        let fate = self.fate(call);
        pass(fate.takes).await;
        if let Some(woe) = fate.before {
            return Err(woe.into());
        }
        let done = work().await;
        pass(fate.takes).await;
        match fate.after {
            Some(woe) => Err(woe.into()),
            None => done,
        }
    }
}

async fn pass(time: Duration) {
    if !time.is_zero() {
        tokio::time::sleep(time).await;
    }
}

/// The fake runtime, in trouble.
pub(crate) struct Troubled {
    pub(crate) inner: FakeRuntime,
    pub(crate) trouble: Trouble,
    pub(crate) laws: Laws,
    pub(crate) turns: Turns,
}

/// Model turns by issue and job.
pub(crate) type Turns = Arc<Mutex<BTreeMap<(IssueNumber, JobId), u32>>>;

impl Troubled {
    /// What a job has really said, counted when it is removed.
    async fn count(&self, job: &JobId) -> Result<(), RuntimeError> {
        let Some(seen) = self.inner.list(&Selector::Job(job.clone())).await?.pop() else { return Ok(()) };
        let out = self.inner.collect(job, u64::MAX).await?;
        let text = out.files.get("events.jsonl").map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let turns = text.unwrap_or_default().lines().filter(|line| line.contains("\"turn\"")).count();
        let number = seen.key.unwrap().issue.number;
        *self.turns.lock().unwrap().entry((number, job.clone())).or_default() += turns as u32;
        Ok(())
    }
}

#[async_trait]
impl Runtime for Troubled {
    async fn start(&self, spec: &JobSpec) -> Result<Started, RuntimeError> {
        let start = async || {
            let started = self.inner.start(spec).await;
            self.laws.broken(laws::of_jobs(&self.inner.list(&Selector::Any).await?));
            started
        };
        self.trouble.call(Call::write(Whom::Runtime, "start"), start).await
    }
    async fn list(&self, which: &Selector) -> Result<Vec<Observed>, RuntimeError> {
        self.trouble.call(Call::read(Whom::Runtime, "list"), async || self.inner.list(which).await).await
    }
    async fn follow(&self, job: &JobId) -> Result<BoxStream<'static, Result<LogLine, RuntimeError>>, RuntimeError> {
        let follow = async || self.inner.follow(job).await;
        let lines = self.trouble.call(Call::read(Whom::Runtime, "follow"), follow).await?;
        // The stream may break at any line.
        let trouble = self.trouble.clone();
        let lines = lines.then(move |line| {
            let trouble = trouble.clone();
            async move { trouble.call(Call::read(Whom::Runtime, "line"), async || line).await }
        });
        Ok(lines.boxed())
    }
    async fn collect(&self, job: &JobId, max_bytes: u64) -> Result<Collected, RuntimeError> {
        self.trouble.call(Call::read(Whom::Runtime, "collect"), async || self.inner.collect(job, max_bytes).await).await
    }
    async fn told(&self, job: &JobId) -> Result<Vec<GateLine>, RuntimeError> {
        self.inner.told(job).await
    }
    async fn stop(&self, job: &JobId, grace: Duration) -> Result<(), RuntimeError> {
        self.trouble.call(Call::write(Whom::Runtime, "stop"), async || self.inner.stop(job, grace).await).await
    }
    async fn remains(&self) -> Result<Vec<JobId>, RuntimeError> {
        self.trouble.call(Call::read(Whom::Runtime, "remains"), async || self.inner.remains().await).await
    }
    async fn remove(&self, job: &JobId) -> Result<(), RuntimeError> {
        let remove = async || {
            self.count(job).await?;
            self.inner.remove(job).await
        };
        self.trouble.call(Call::write(Whom::Runtime, "remove"), remove).await
    }
}
