//! What one cycle did, for the caller of the loop.

use hydra_core::{
    IssueKey, Timestamp,
    ports::{AccountsError, ForgeError, RuntimeError, WorkspaceError},
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What one cycle saw and did.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct CycleReport {
    /// Issues that the listings show.
    pub listed: usize,
    /// Issues that were looked at closely.
    pub looked_at: usize,
    /// Actions that were carried out, in order.
    pub actions: Vec<(IssueKey, &'static str)>,
    /// How many of them changed something outside of this process.
    pub writes: usize,
    /// What could not be observed or done.
    pub failures: Vec<Failure>,
    /// Why nothing more happens, for each issue that was looked at; not in a daemon, whose observer is told when they change.
    pub reasons: BTreeMap<IssueKey, Vec<String>>,
    /// Of these, the ones where a person must act or attempts are used up.
    pub handed_over: BTreeSet<IssueKey>,
    /// When to look again at the latest, without any event; none: only events matter.
    pub next_wake: Option<Timestamp>,
    /// Issues whose pipelines this process drives and that do not rest yet.
    pub busy: Vec<IssueKey>,
    /// The orchestrator was killed by its effect hook.
    pub died: bool,
}

/// Something that could not be observed or done. Nothing is stopped or closed because of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The issue, where it is one issue's.
    pub issue: Option<IssueKey>,
    /// What was tried.
    pub what: String,
    /// Why it failed.
    pub why: String,
    /// Who refused or did not answer.
    pub side: Side,
}

/// Who refused or did not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    /// The forge's API.
    Forge,
    /// Git, most likely the forge's.
    Git,
    /// Where jobs run.
    Runtime,
    /// This machine: the state folder, the audit log.
    Machine,
    /// Hydra itself refused to do it.
    Hydra,
}

/// An error that says whose it is.
pub(crate) trait Blamed {
    fn side(&self) -> Side;
}
impl<T: Blamed> Blamed for &T {
    fn side(&self) -> Side {
        (**self).side()
    }
}
impl Blamed for ForgeError {
    fn side(&self) -> Side {
        Side::Forge
    }
}
impl Blamed for WorkspaceError {
    fn side(&self) -> Side {
        use hydra_core::ports::WorkspaceErrorKind as Kind;
        match self.kind {
            Kind::Disk => Side::Machine,
            Kind::Auth | Kind::Missing | Kind::Transient | Kind::Refused | Kind::Failed => Side::Git,
        }
    }
}
impl Blamed for RuntimeError {
    fn side(&self) -> Side {
        Side::Runtime
    }
}
impl Blamed for AccountsError {
    fn side(&self) -> Side {
        Side::Machine
    }
}
impl Blamed for crate::store::StoreError {
    fn side(&self) -> Side {
        Side::Machine
    }
}
