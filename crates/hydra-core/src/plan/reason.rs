//! Why nothing (more) happens: a closed list, each a sentence with what would change it.

use crate::{IssueNumber, Login, Stage, Timestamp, record::HoldKind, view::Permission};
use std::fmt;

/// Why nothing (more) happens for an issue now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The issue does not carry the trigger label.
    NoTrigger {
        /// The label.
        label: String,
    },
    /// The issue is closed.
    Closed,
    /// The repository is archived.
    Archived,
    /// Somebody else holds the lease.
    Leased {
        /// Who.
        owner: String,
        /// Until when.
        until: Timestamp,
    },
    /// A job runs.
    Running {
        /// Which stage.
        stage: Stage,
        /// Since when.
        since: Timestamp,
        /// What it does now.
        doing: String,
    },
    /// Another issue with a lower number names the same change.
    Rival {
        /// The change.
        change: String,
        /// The issue that goes first.
        issue: IssueNumber,
    },
    /// A dependency is not closed.
    Dependency {
        /// In words.
        what: String,
    },
    /// A hold.
    Held {
        /// Where it was set: this issue, its repository, everything.
        scope: &'static str,
        /// Of which kind.
        kind: HoldKind,
        /// Why.
        reason: String,
        /// Until when.
        until: Option<Timestamp>,
    },
    /// No slot is free.
    NoSlot {
        /// For which stage.
        stage: Stage,
        /// Slots in use.
        used: u32,
        /// Slots in all.
        total: u32,
    },
    /// Every model account is set aside.
    NoAccount {
        /// The first that comes back, and when.
        until: Option<Timestamp>,
        /// Why.
        why: String,
    },
    /// A failed attempt is to be repeated later.
    BackOff {
        /// When.
        due: Timestamp,
        /// Which attempt that will be.
        attempt: u32,
        /// The last error.
        error: String,
    },
    /// The day's budget is spent.
    DayBudget {
        /// What it is, in words.
        limit: String,
    },
    /// GitHub has not computed yet whether the pull request can be merged.
    MergeUnknown,
    /// A person must act.
    NeedsInput {
        /// The whole reason.
        detail: String,
    },
    /// Attempts are used up.
    Maxed {
        /// All reasons.
        detail: String,
    },
    /// The pull request waits for a person.
    Ready {
        /// Its number.
        pull: u64,
    },
    /// `yolo` does not merge.
    NoYolo {
        /// Why.
        why: String,
    },
    /// Cancelled.
    Cancelled {
        /// By what.
        detail: String,
    },
    /// Merged, closed or finished otherwise.
    Finished {
        /// How.
        detail: String,
    },
    /// Actions are under way; the next cycle looks again.
    Working,
    /// A label that only Hydra sets was set by someone else; it counts for nothing.
    ForeignLabel {
        /// The label.
        label: String,
    },
    /// Something was asked for by a label that was set by someone who may not.
    NoRight {
        /// The label.
        label: String,
        /// Who set it.
        by: Login,
        /// The permission that is needed; `None`: no permission helps an identity of Hydra's own.
        needs: Option<Permission>,
    },
    /// A label event is not seen yet though the label is: ask again.
    NoEvent {
        /// The label.
        label: String,
        /// The permission that is needed.
        needs: Permission,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoTrigger { label } => write!(f, "the label `{label}` is not set; set it to start"),
            Self::Closed => f.write_str("the issue is closed; open it again to go on"),
            Self::Archived => f.write_str("the repository is archived and refuses every write"),
            Self::Leased { owner, until } => {
                write!(f, "the orchestrator {owner} works on it and holds its lease until {until:.0}")
            }
            Self::Running { stage, since, doing } if doing.is_empty() => write!(f, "{stage} runs since {since:.0}"),
            Self::Running { stage, since, doing } => write!(f, "{stage} runs since {since:.0}: {doing}"),
            Self::Rival { change, issue } => {
                write!(
                    f,
                    "issue #{issue} names the same change `{change}` and goes first; close it or name another change"
                )
            }
            Self::Dependency { what } => write!(f, "it depends on {what}, which is not closed"),
            Self::Held { scope, reason, until: Some(until), .. } => {
                write!(f, "{scope} is on hold until {until:.0}: {reason}")
            }
            Self::Held { scope, reason, until: None, kind: HoldKind::Fault } => {
                write!(f, "{scope} is on hold: {reason}; it goes on by itself when that is over")
            }
            Self::Held { scope, reason, until: None, .. } => {
                write!(f, "{scope} is on hold: {reason}; `hydra resume` lifts it")
            }
            Self::NoSlot { stage, used, total } => write!(f, "no slot for {stage}: {used} of {total} are in use"),
            Self::NoAccount { until: Some(until), why } => {
                write!(f, "every model account is set aside ({why}); the first is back at {until:.0}")
            }
            Self::NoAccount { until: None, why } => write!(f, "no model account can be used: {why}"),
            Self::BackOff { due, attempt, error } => write!(f, "attempt {attempt} is due at {due:.0}, after: {error}"),
            Self::DayBudget { limit } => {
                write!(f, "the budget of the day ({limit}) is spent; it begins anew at 00:00 UTC")
            }
            Self::MergeUnknown => f.write_str("GitHub has not computed yet whether the pull request can be merged"),
            Self::NeedsInput { detail } => write!(f, "needs input: {detail}"),
            Self::Maxed { detail } => {
                write!(f, "attempts are used up: {detail}; set `retry:queued` or the trigger label again")
            }
            Self::Ready { pull } => write!(f, "pull request #{pull} is ready and waits for a person"),
            Self::NoYolo { why } => write!(f, "`yolo` does not merge: {why}"),
            Self::Cancelled { detail } => write!(f, "cancelled: {detail}; set the trigger label again to go on"),
            Self::Finished { detail } => write!(f, "finished: {detail}"),
            Self::Working => f.write_str("actions are under way"),
            Self::ForeignLabel { label } => write!(f, "the label `{label}` was set by hand and counts for nothing"),
            Self::NoRight { label, by, needs: Some(needs) } => {
                write!(f, "`{label}` was set by {by}, who may not: it takes the permission {needs:?}")
            }
            Self::NoRight { label, by, needs: None } => {
                write!(
                    f,
                    "`{label}` was set by {by}, an identity of Hydra's own, and counts for nothing: it takes a person"
                )
            }
            Self::NoEvent { label, needs } => {
                write!(f, "GitHub does not show yet who set `{label}` (it takes the permission {needs:?})")
            }
        }
    }
}
