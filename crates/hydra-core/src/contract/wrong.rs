//! Runtimes that break one promise each: a suite that lets one of them pass is no suite.

use crate::{
    JobId,
    contract::fake::FakeRuntime,
    job::{JobSpec, Observed, RuntimeStatus},
    ports::{Collected, LogLine, Runtime, RuntimeError, RuntimeErrorKind, Selector, Started},
};
use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::{
    collections::BTreeSet,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Which promise is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Every start claims to have made the job.
    AlwaysNew,
    /// A conflict is taken for the same job.
    TakesAnyForItsOwn,
    /// What is refused is reported as started.
    RefusesNothing,
    /// Every exit code is 0.
    ForgetsExitCodes,
    /// Output can be followed once.
    FollowsOnce,
    /// Output comes when the job has ended.
    FollowsLate,
    /// Collecting a second time finds nothing.
    CollectsOnce,
    /// The limit on file sizes is ignored.
    CollectsEverything,
    /// Links are left out without a word.
    OverlooksLinks,
    /// What is not there is shown as empty.
    ShowsAbsenceAsEmpty,
    /// Ended jobs are not listed.
    ListsOnlyRunning,
    /// Jobs of other installations are listed as one's own.
    ListsEverybodys,
    /// Jobs are killed without being asked.
    KillsAtOnce,
    /// Jobs are asked and never killed.
    NeverKills,
    /// Stopping what does not run is an error.
    StopsOnlyWhatRuns,
    /// A removal does nothing.
    RemovesNothing,
    /// A removal of what is not there is an error.
    RemovesOnce,
    /// A running job cannot be removed.
    RemovesOnlyEnded,
}

impl Fault {
    /// Every one.
    pub const ALL: &'static [Self] = &[
        Self::AlwaysNew,
        Self::TakesAnyForItsOwn,
        Self::RefusesNothing,
        Self::ForgetsExitCodes,
        Self::FollowsOnce,
        Self::FollowsLate,
        Self::CollectsOnce,
        Self::CollectsEverything,
        Self::OverlooksLinks,
        Self::ShowsAbsenceAsEmpty,
        Self::ListsOnlyRunning,
        Self::ListsEverybodys,
        Self::KillsAtOnce,
        Self::NeverKills,
        Self::StopsOnlyWhatRuns,
        Self::RemovesNothing,
        Self::RemovesOnce,
        Self::RemovesOnlyEnded,
    ];
}

/// A fake that breaks one promise.
#[derive(Debug)]
pub struct WrongRuntime {
    inner: FakeRuntime,
    fault: Fault,
    seen: Mutex<BTreeSet<JobId>>,
}

impl WrongRuntime {
    /// Breaks `fault` over an otherwise right fake.
    #[must_use]
    pub fn new(inner: FakeRuntime, fault: Fault) -> Self {
        Self { inner, fault, seen: Mutex::default() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.fault == fault
    }

    /// Whether this is asked for the first time.
    fn first(&self, job: &JobId) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(job.clone())
    }

    async fn runs(&self, job: &JobId) -> Result<bool, RuntimeError> {
        let seen = self.inner.list(&Selector::Job(job.clone())).await?;
        Ok(seen.iter().any(|seen| seen.status == RuntimeStatus::Running))
    }
}

fn wrong(message: &str) -> RuntimeError {
    RuntimeError { kind: RuntimeErrorKind::Failed, message: message.to_owned(), hint: None }
}

#[async_trait]
impl Runtime for WrongRuntime {
    async fn start(&self, spec: &JobSpec) -> Result<Started, RuntimeError> {
        match self.inner.start(spec).await {
            Ok(_) if self.has(Fault::AlwaysNew) => Ok(Started::New),
            Err(e) if e.kind == RuntimeErrorKind::Conflict && self.has(Fault::TakesAnyForItsOwn) => {
                Ok(Started::Adopted)
            }
            Err(e) if e.kind == RuntimeErrorKind::Refused && self.has(Fault::RefusesNothing) => Ok(Started::New),
            right => right,
        }
    }

    async fn list(&self, which: &Selector) -> Result<Vec<Observed>, RuntimeError> {
        let which = if self.has(Fault::ListsEverybodys) && *which == Selector::Mine { &Selector::Any } else { which };
        let mut seen = self.inner.list(which).await?;
        if self.has(Fault::ListsOnlyRunning) && matches!(which, Selector::Mine | Selector::Any) {
            seen.retain(|seen| seen.status == RuntimeStatus::Running);
        }
        for one in &mut seen {
            if let RuntimeStatus::Exited { code, .. } = &mut one.status
                && self.has(Fault::ForgetsExitCodes)
            {
                *code = 0;
            }
        }
        Ok(seen)
    }

    async fn follow(&self, job: &JobId) -> Result<BoxStream<'static, Result<LogLine, RuntimeError>>, RuntimeError> {
        let lines = match self.inner.follow(job).await {
            Err(_) if self.has(Fault::ShowsAbsenceAsEmpty) => return Ok(stream::empty().boxed()),
            lines => lines?,
        };
        if self.has(Fault::FollowsOnce) && !self.first(job) {
            return Ok(stream::empty().boxed());
        }
        if self.has(Fault::FollowsLate) {
            return Ok(stream::once(lines.collect::<Vec<_>>()).flat_map(stream::iter).boxed());
        }
        Ok(lines)
    }

    async fn collect(&self, job: &JobId, max_bytes: u64) -> Result<Collected, RuntimeError> {
        let max_bytes = if self.has(Fault::CollectsEverything) { u64::MAX } else { max_bytes };
        match self.inner.collect(job, max_bytes).await {
            Err(e) if e.kind == RuntimeErrorKind::NotFound && self.has(Fault::ShowsAbsenceAsEmpty) => {
                Ok(Collected::default())
            }
            Err(e) if e.kind == RuntimeErrorKind::Refused && self.has(Fault::OverlooksLinks) => {
                Ok(Collected::default())
            }
            Ok(_) if self.has(Fault::CollectsOnce) && !self.first(job) => Ok(Collected::default()),
            right => right,
        }
    }

    async fn stop(&self, job: &JobId, grace: Duration) -> Result<(), RuntimeError> {
        if self.has(Fault::StopsOnlyWhatRuns) && !self.runs(job).await? {
            return Err(wrong("it does not run"));
        }
        if self.has(Fault::KillsAtOnce) {
            let at = crate::Timestamp::UNIX_EPOCH;
            // Whether it ran does not matter to one who kills.
            let _ = self.inner.end(job, super::fake::exited(137, at));
            return Ok(());
        }
        let grace = if self.has(Fault::NeverKills) { Duration::from_secs(3600) } else { grace };
        self.inner.stop(job, grace).await
    }

    async fn remains(&self) -> Result<Vec<JobId>, RuntimeError> {
        self.inner.remains().await
    }

    async fn remove(&self, job: &JobId) -> Result<(), RuntimeError> {
        if self.has(Fault::RemovesNothing) {
            return Ok(());
        }
        if self.has(Fault::RemovesOnce) && self.inner.list(&Selector::Job(job.clone())).await?.is_empty() {
            return Err(wrong("it is not there"));
        }
        if self.has(Fault::RemovesOnlyEnded) && self.runs(job).await? {
            return Err(wrong("it runs"));
        }
        self.inner.remove(job).await
    }
}
