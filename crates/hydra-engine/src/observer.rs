//! What happens while it happens: for live lines of a terminal. Never for decisions.

use crate::status::RefusedFacts;
use hydra_core::{
    IssueKey, JobId, Stage, Timestamp,
    job::JobKey,
    plan::{JobOutcome, Progress},
};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A job was started.
    StageStarted {
        /// Which.
        key: JobKey,
        /// Its name.
        job: JobId,
        /// When.
        at: Timestamp,
        /// The persona's display name; empty for quality.
        who: String,
    },
    /// A running job's events say something new.
    StageProgress {
        /// Which.
        key: JobKey,
        /// What.
        progress: Progress,
    },
    /// The gate of a running job refused something more.
    Refused {
        /// Which job.
        key: JobKey,
        /// All of it so far.
        refused: RefusedFacts,
    },
    /// The gate of a running job broke down, and another stands in its place. In between the job reached nothing.
    GateBack {
        /// Which job.
        key: JobKey,
        /// How often so far.
        times: u32,
    },
    /// A job ended and its outputs were read.
    StageEnded {
        /// Which.
        key: JobKey,
        /// When it was started.
        started_at: Timestamp,
        /// When it ended.
        at: Timestamp,
        /// How it went.
        outcome: Box<JobOutcome>,
    },
    /// An effect was made.
    ActionDone {
        /// For which issue.
        issue: IssueKey,
        /// Its kind.
        action: &'static str,
        /// One line.
        detail: String,
    },
    /// An effect failed.
    ActionFailed {
        /// For which issue.
        issue: IssueKey,
        /// Its kind.
        action: &'static str,
        /// Why.
        why: String,
    },
    /// Why nothing more happens changed.
    ReasonChanged {
        /// For which issue.
        issue: IssueKey,
        /// The reasons, as sentences.
        reasons: Vec<String>,
        /// Their kinds, in the same order.
        kinds: Vec<&'static str>,
    },
    /// Something could not be observed.
    Trouble {
        /// What, and why.
        what: String,
    },
}

/// Is told what happens. Must not block.
pub trait Observer: Send + Sync {
    /// One happening.
    fn saw(&self, happening: &Happening);
}

/// Looks away.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoObserver;
impl Observer for NoObserver {
    fn saw(&self, _: &Happening) {}
}

/// The stage's persona name for people.
#[must_use]
pub(crate) fn who(policy: &hydra_core::plan::PlanPolicy, stage: Stage) -> String {
    policy.personas.get(&stage).map(|persona| persona.name.clone()).unwrap_or_default()
}
