//! What one cycle did, for the caller of the loop.

use hydra_core::{IssueKey, Timestamp};
use std::collections::BTreeMap;

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
    /// Why nothing more happens, for each issue that was looked at.
    pub reasons: BTreeMap<IssueKey, Vec<String>>,
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
}
