//! What Hydra sees at one moment: everything the planner may look at.

use super::{JobOutcome, PlanPolicy, StopReason};
use crate::{
    ChangeName, CommitSha, IssueKey, IssueNumber, JobId, Login, Timestamp,
    job::{JobKey, Observed},
    money::Spend,
    ports::{AccountView, Held},
    record::{Hold, RunRecord},
    verdict::Envelope,
    view::{IssueView, Permission, PullView, RepoView},
};
use std::collections::{BTreeMap, BTreeSet};

/// One observation of the world.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// When it was made.
    pub now: Timestamp,
    /// The configuration that decisions depend on.
    pub policy: PlanPolicy,
    /// Issues that were looked at closely.
    pub issues: Vec<IssueSnapshot>,
    /// Slots taken by jobs of issues that are not in `issues`.
    pub slots_elsewhere: u32,
    /// Model accounts.
    pub accounts: Vec<AccountView>,
    /// Spent today over all issues, live jobs included.
    pub day_spend: Spend,
    /// A hold on every start: `hydra pause`, the breaker, an audit log that cannot be written.
    pub hold: Option<Hold>,
    /// Holds on repositories.
    pub repo_holds: BTreeMap<String, Hold>,
    /// Under an open breaker: the one issue that may try.
    pub trial: Option<IssueKey>,
}

/// One issue, as it is seen.
#[derive(Debug, Clone)]
pub struct IssueSnapshot {
    /// Which.
    pub key: IssueKey,
    /// The issue.
    pub issue: IssueView,
    /// Its repository.
    pub repo: RepoView,
    /// The permission, now, of everyone whose label or comment matters. Who is not in it has none.
    pub people: BTreeMap<Login, Permission>,
    /// The record in the status comment.
    pub record: RecordRead,
    /// The pinned snapshot of the issue. Of the newest trigger (or `rebuild:queued`) label event when there is no record, or when that
    /// event's id is greater than the record's `answered`; else the one that the record names.
    pub pin: PinRead,
    /// The lease.
    pub lease: LeaseRead,
    /// The change folder at the pinned (or, before, the present) base.
    pub change: ChangeRead,
    /// Other open issues with the trigger that name the same change; lowest number first.
    pub rivals: Vec<IssueNumber>,
    /// Pull requests of the work branch, newest first, whoever opened them.
    pub pulls: Vec<PullView>,
    /// Tip of the base branch.
    pub base_tip: CommitSha,
    /// Tip of the work branch, if it exists.
    pub head_tip: Option<CommitSha>,
    /// Whether `head_tip` descends from the record's head (true when they are equal).
    pub head_descends: bool,
    /// Whether the work branch conflicts with the base branch as it is now.
    pub conflicts: bool,
    /// The target's own commands at the pinned base (`.hydra.toml`): whether there are any, or why it cannot be used.
    pub commands: Result<bool, String>,
    /// Verified verdicts: signature good, author the right identity, this issue and generation. Any head.
    pub verdicts: Vec<VerdictSeen>,
    /// Jobs of this issue, ended ones included, any generation.
    pub jobs: Vec<JobSeen>,
    /// The card's column, if the issue is on the board.
    pub column: Option<String>,
    /// A hold of this issue kept by this installation (`cancel`, `pause`); merged with the record's.
    pub hold: Option<Hold>,
    /// Logins of Hydra's own identities: what they wrote is not a person's.
    pub own: BTreeSet<Login>,
}

/// The record as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RecordRead {
    /// There is none, and nothing says that there ever was.
    Absent,
    /// It verifies.
    Valid(Box<RunRecord>),
    /// It is missing though work exists, was altered, or cannot be read.
    Bad {
        /// Which.
        why: String,
        /// When the comment was last changed, if there is one.
        changed_at: Option<Timestamp>,
        /// The highest generation that lease, branch or pull request show.
        generation: crate::Generation,
    },
}

/// The pinned snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PinRead {
    /// No trigger label is set and none is recorded.
    NoTrigger,
    /// As it was when the label was set; SHA-256, hexadecimal.
    Pinned {
        /// The hash.
        hash: String,
    },
    /// Title or body were edited after the label and before the first look.
    Edited {
        /// When.
        at: Timestamp,
    },
    /// The record names a hash that can no longer be reproduced (edited since, and the state folder is lost).
    Lost,
}

/// The lease as this process sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LeaseRead {
    /// Nobody's.
    Free,
    /// This process holds it.
    Mine(Held),
    /// It lapsed, or its holder was a process of this machine that is gone.
    Stale(Held),
    /// Somebody else holds it.
    Other(Held),
}

/// The change folder as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChangeRead {
    /// The issue has no line `Change: <name>`.
    Unnamed,
    /// The folder is missing or broken: one line per fault, `file:line: message`.
    Broken {
        /// The name, where the line could be read.
        name: Option<ChangeName>,
        /// The faults.
        faults: Vec<String>,
    },
    /// It is well.
    Found {
        /// Its name.
        name: ChangeName,
        /// Its title, for the pull request.
        title: String,
        /// Dependencies that are not closed, each with its issue's number where known, in words.
        open_dependencies: Vec<String>,
        /// A cycle among dependencies, `a -> b -> a`.
        cycle: Option<String>,
    },
}

/// A verified verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictSeen {
    /// The review's id.
    pub review: u64,
    /// What was signed.
    pub envelope: Envelope,
}

/// One job, as it is seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSeen {
    /// Its key.
    pub key: JobKey,
    /// What the runtime sees.
    pub observed: Observed,
    /// While it runs: what its events say.
    pub progress: Progress,
    /// Once it ended and its outputs were read: how it went.
    pub outcome: Option<JobOutcome>,
    /// Why Hydra stopped it, where it did.
    pub stop: Option<StopReason>,
    /// The commits that it was given, where that is still known.
    pub given: Option<Given>,
}

/// The commits that a job was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The base that its generation was built on.
    pub base: CommitSha,
    /// The head that it works on or judges.
    pub head: CommitSha,
}

impl JobSeen {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> &JobId {
        &self.observed.id
    }
}

/// What a running job's events say so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Spent so far.
    pub spend: Spend,
    /// Tool calls so far.
    pub tools: u32,
    /// When its last event came.
    pub last_event: Option<Timestamp>,
    /// One line: what it does now.
    pub doing: String,
    /// The account it uses.
    pub account: Option<crate::AccountName>,
}
