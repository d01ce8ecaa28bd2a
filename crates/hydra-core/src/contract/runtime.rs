//! The suite for [`Runtime`]: what the port's prose promises, as checks that run against any implementation.
//!
//! ```no_run
//! # async fn run(fixture: &dyn hydra_core::contract::runtime::Fixture) {
//! if let Err(violations) = hydra_core::contract::runtime::suite(fixture).await {
//!     for violation in violations {
//!         eprintln!("{violation}");
//!     }
//! }
//! # }
//! ```

mod identity;
mod results;
mod stopping;

use crate::{
    Generation, IssueKey, IssueNumber, JobId, Stage,
    job::{JobKey, JobSpec, Observed, RuntimeStatus},
    ports::{LogLine, Runtime, RuntimeError, RuntimeErrorKind, Selector},
};
use async_trait::async_trait;
use futures_util::{
    StreamExt,
    future::{BoxFuture, Either, select},
};
use std::{collections::BTreeMap, fmt, pin::pin, time::Duration};

/// What a job of the suite does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Ends at once with this code.
    Exits(i32),
    /// Prints these lines on its two outputs, then ends with 0.
    Prints {
        /// On standard output.
        stdout: Vec<String>,
        /// On standard error.
        stderr: Vec<String>,
    },
    /// Writes these files below `/out`, then ends with 0.
    Writes(BTreeMap<String, Vec<u8>>),
    /// Writes `/out/link`, a symbolic link to `/etc/hostname`, then ends with 0.
    WritesLink,
    /// Writes `/out/big.bin` of this many bytes, then ends with 0.
    WritesBig(u64),
    /// Prints `ready`, then runs for ten minutes or until SIGINT ends it.
    Runs,
    /// Prints `ready`, then runs for ten minutes and takes no notice of SIGINT.
    IgnoresInterrupt,
}

/// What the suite needs of the one who runs it.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The runtime under test, as one orchestrator sees it.
    fn runtime(&self) -> &dyn Runtime;
    /// The same place and installation, as an orchestrator sees it that was started afterwards.
    fn second(&self) -> &dyn Runtime;
    /// The same place, as another installation sees it.
    fn stranger(&self) -> &dyn Runtime;
    /// A specification with this key whose job does this. The same arguments give the same specification.
    fn spec(&self, key: JobKey, does: &Behaviour) -> JobSpec;
    /// Waits.
    async fn sleep(&self, duration: Duration);
    /// How long anything that must happen may take; afterwards the check fails.
    fn patience(&self) -> Duration;
}

/// A promise that was not kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The check's name.
    pub check: &'static str,
    /// What was seen instead.
    pub seen: String,
}
impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.seen)
    }
}

type Check = for<'a> fn(&'a Bench<'a>) -> BoxFuture<'a, Result<(), String>>;

/// Every check by its name.
const CHECKS: &[(&str, Check)] = &[
    ("an exit code is reported as it was", |b| Box::pin(results::exits(b))),
    ("output is followed from the first line, and twice the same", |b| Box::pin(results::follow_twice(b))),
    ("output is followed while the job runs, and dropping it stops nothing", |b| Box::pin(results::follow_live(b))),
    ("results are collected as often as asked", |b| Box::pin(results::collect(b))),
    ("a file over the limit is named, not read", |b| Box::pin(results::collect_big(b))),
    ("a link in the results is refused", |b| Box::pin(results::collect_link(b))),
    ("what is not there is not empty", |b| Box::pin(results::unknown(b))),
    ("a start is idempotent", |b| Box::pin(identity::idempotent(b))),
    ("starts at the same time make one job", |b| Box::pin(identity::concurrent(b))),
    ("another orchestrator adopts what runs", |b| Box::pin(identity::adopted(b))),
    ("another specification under the same name is a conflict", |b| Box::pin(identity::conflict(b))),
    ("another installation's job is left alone and told apart", |b| Box::pin(identity::stranger(b))),
    ("a listing is complete", |b| Box::pin(identity::listing(b))),
    ("what no job may have is refused and nothing is made", |b| Box::pin(identity::refused(b))),
    ("a stop asks first", |b| Box::pin(stopping::asks(b))),
    ("a stop kills after the grace", |b| Box::pin(stopping::kills(b))),
    ("a stop of what does not run is no error", |b| Box::pin(stopping::idle(b))),
    ("a removal leaves nothing", |b| Box::pin(stopping::removes(b))),
    ("a removal kills first", |b| Box::pin(stopping::removes_running(b))),
];

/// The names of all checks, in their order.
pub fn checks() -> impl Iterator<Item = &'static str> {
    CHECKS.iter().map(|(name, _)| *name)
}

/// Runs every check, one after the other, and removes what it made.
///
/// # Errors
/// Every promise that was not kept.
pub async fn suite(fixture: &dyn Fixture) -> Result<(), Vec<Violation>> {
    let mut violations = Vec::new();
    for (at, (check, run)) in CHECKS.iter().enumerate() {
        let bench = Bench { fixture, issue: 9_000 + at as u64 };
        bench.clear().await;
        let seen = match bench.within(run(&bench)).await {
            Ok(result) => result,
            Err(()) => Err(format!("it did not come to an end within {:?}", fixture.patience())),
        };
        bench.clear().await;
        violations.extend(seen.err().map(|seen| Violation { check, seen }));
    }
    if violations.is_empty() { Ok(()) } else { Err(violations) }
}

/// One check's place: its own issue number, so that its jobs are its own.
struct Bench<'a> {
    fixture: &'a dyn Fixture,
    issue: u64,
}

/// Jobs that one check may make.
const JOBS: u32 = 4;

impl Bench<'_> {
    fn runtime(&self) -> &dyn Runtime {
        self.fixture.runtime()
    }

    /// The key of one of the check's jobs, 0 to 3.
    fn key(&self, number: u32) -> Result<JobKey, String> {
        let repo = "contract/suite".parse().map_err(|e| format!("{e}"))?;
        let issue = IssueKey { repo, number: IssueNumber(self.issue) };
        Ok(JobKey { issue, generation: Generation(1), stage: Stage::Build, round: 0, attempt: number })
    }

    fn spec(&self, number: u32, does: &Behaviour) -> Result<JobSpec, String> {
        Ok(self.fixture.spec(self.key(number)?, does))
    }

    /// Starts a job and gives its name.
    async fn start(&self, number: u32, does: &Behaviour) -> Result<JobId, String> {
        let spec = self.spec(number, does)?;
        self.runtime().start(&spec).await.map_err(said("start"))?;
        Ok(spec.key.id())
    }

    /// Starts a job that runs on, and waits until it says `ready`.
    async fn start_running(&self, number: u32, does: &Behaviour) -> Result<JobId, String> {
        let job = self.start(number, does).await?;
        let mut lines = self.runtime().follow(&job).await.map_err(said("follow"))?;
        while let Some(line) = lines.next().await {
            if line.map_err(said("follow"))?.text == "ready" {
                return Ok(job);
            }
        }
        Err("its output ended before it said that it is ready".to_owned())
    }

    async fn observe(&self, runtime: &dyn Runtime, job: &JobId) -> Result<Option<Observed>, String> {
        let mut seen = runtime.list(&Selector::Job(job.clone())).await.map_err(said("list"))?;
        if seen.len() > 1 {
            return Err(format!("asked for one job, the listing has {}", seen.len()));
        }
        Ok(seen.pop())
    }

    async fn status(&self, job: &JobId) -> Result<RuntimeStatus, String> {
        self.observe(self.runtime(), job).await?.map(|seen| seen.status).ok_or_else(|| format!("{job} is not listed"))
    }

    /// Waits until the job ended; the suite's patience bounds it.
    async fn ended(&self, job: &JobId) -> Result<(i64, bool), String> {
        loop {
            match self.status(job).await? {
                RuntimeStatus::Exited { code, oom, .. } => return Ok((code, oom)),
                RuntimeStatus::Lost { why } => return Err(format!("{job} is lost: {why}")),
                RuntimeStatus::Created | RuntimeStatus::Running => {
                    self.fixture.sleep(Duration::from_millis(20)).await;
                }
            }
        }
    }

    /// Every line, standard output and standard error apart: the order between the two is not promised.
    async fn lines(&self, runtime: &dyn Runtime, job: &JobId) -> Result<(Vec<String>, Vec<String>), String> {
        let mut stream = runtime.follow(job).await.map_err(said("follow"))?;
        let (mut out, mut err) = (Vec::new(), Vec::new());
        while let Some(line) = stream.next().await {
            let LogLine { stderr, text } = line.map_err(said("follow"))?;
            if stderr { err.push(text) } else { out.push(text) }
        }
        Ok((out, err))
    }

    async fn within<T>(&self, work: impl Future<Output = T> + Send) -> Result<T, ()> {
        match select(pin!(work), pin!(self.fixture.sleep(self.fixture.patience()))).await {
            Either::Left((done, _)) => Ok(done),
            Either::Right(((), _)) => Err(()),
        }
    }

    /// Takes away what the check made, whoever it belongs to. What cannot be taken away shows in the checks themselves.
    async fn clear(&self) {
        for number in 0..JOBS {
            let Ok(key) = self.key(number) else { continue };
            let removal = async { self.runtime().remove(&key.id()).await.is_ok() };
            if self.within(removal).await.is_err() {
                return;
            }
        }
    }
}

fn said(what: &'static str) -> impl Fn(RuntimeError) -> String {
    move |error| format!("{what} failed with {:?}: {error}", error.kind)
}

/// Holds an error against the kind that it must have.
fn must_fail<T: fmt::Debug>(what: &str, result: Result<T, RuntimeError>, kind: RuntimeErrorKind) -> Result<(), String> {
    match result {
        Err(error) if error.kind == kind => Ok(()),
        Err(error) => Err(format!("{what} failed with {:?} instead of {kind:?}: {error}", error.kind)),
        Ok(value) => Err(format!("{what} succeeded with {value:?} instead of failing with {kind:?}")),
    }
}

/// Holds what is seen against what must be.
fn must_equal<T: PartialEq + fmt::Debug>(what: &str, seen: &T, must: &T) -> Result<(), String> {
    if seen == must { Ok(()) } else { Err(format!("{what} is {seen:?} and must be {must:?}")) }
}
