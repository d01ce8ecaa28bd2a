//! The run's record: the signed JSON block of the status comment. With labels, pull request, statuses and lease it is the whole truth about an issue.

use crate::{
    AccountName, BranchName, ChangeName, CommitSha, Generation, JobId, Login, PullNumber, Stage, Timestamp,
    money::Spend,
};
use serde::{Deserialize, Serialize};

/// Version of the record; a reader takes this one and the one before.
pub const SCHEMA: u32 = 1;

/// Where a run stands. Closed: a new phase breaks the build of everything that must know it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "kebab-case")]
pub enum Phase {
    /// The builder works, or is due.
    Build,
    /// Quality runs, or is due.
    Quality,
    /// The builder mends red quality.
    FixQuality,
    /// Both reviews run, or are due.
    Review,
    /// The builder mends blocking findings.
    Fix,
    /// The applier judges.
    Apply,
    /// Ready for a person (or merged by `yolo`).
    Ready,
    /// A person must act.
    NeedsInput {
        /// Why: from the closed list.
        need: Need,
        /// The whole reason for people, with what to do.
        detail: String,
    },
    /// Attempts are used up.
    Maxed {
        /// All reasons.
        detail: String,
    },
    /// A person cancelled it, or took the label off.
    Cancelled {
        /// Who or why.
        detail: String,
    },
    /// The pull request was closed or merged by a person, or the issue was closed.
    Finished {
        /// Which.
        detail: String,
    },
}

crate::stage::closed!(
    /// Why a person must act.
    Need, "need" {
    /// The builder asks for information.
    Information = "information",
    /// The issue was edited between the label and the first look.
    Relabel = "relabel",
    /// The label was set by someone without permission.
    Permission = "permission",
    /// The change folder is missing or broken.
    Change = "change",
    /// Fix rounds are used up with findings open.
    Rounds = "rounds",
    /// Quality stayed red.
    Quality = "quality",
    /// A review stayed void.
    VoidReview = "void-review",
    /// What was delivered was refused (protected files, secrets, escape).
    Delivery = "delivery",
    /// The builder ended without a change.
    NoChange = "no-change",
    /// It conflicts with the base branch.
    Conflict = "conflict",
    /// A person pushed in the meantime.
    Diverged = "diverged",
    /// The budget is spent.
    Budget = "budget",
    /// The spend record is missing, altered or unreadable.
    Record = "record",
    /// The applier said no-go.
    NoGo = "no-go",
    /// Configuration: a model without a price, a token that is missing.
    Configuration = "configuration",
});

/// Bytes of an entry's `egress`.
pub(crate) const EGRESS: usize = 600;

/// How one stage of one round stands or went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StageEntry {
    /// Which stage.
    pub stage: Stage,
    /// In which round.
    pub round: u32,
    /// Which attempt.
    pub attempt: u32,
    /// The job.
    pub job: JobId,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it was settled; absent while it runs.
    pub ended_at: Option<Timestamp>,
    /// How it went.
    pub result: StageResult,
    /// What it cost.
    pub spend: Spend,
    /// The account it used.
    pub account: Option<AccountName>,
    /// One line.
    pub note: String,
    /// What left its container and what was refused, in one line of harmless Markdown; empty where nothing saw it, and where the stage ran again since.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub egress: String,
}

crate::stage::closed!(
    /// How a stage went.
    StageResult, "stage result" {
    /// It runs.
    Running = "running",
    /// It did its work: built, green, pass, go.
    Pass = "pass",
    /// It did its work: red, fail, no-go.
    Fail = "fail",
    /// It judged without evidence.
    Void = "void",
    /// It asked for information.
    Rfi = "rfi",
    /// It broke: counts as an attempt.
    Broken = "broken",
    /// An outage ended it: counts as nothing.
    Outage = "outage",
    /// A limit of its account ended it: counts as nothing.
    Limited = "limited",
    /// It was stopped: label removed, cancelled, budget, superseded.
    Stopped = "stopped",
});

/// A hold: no start until it is lifted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// What it does.
    pub kind: HoldKind,
    /// Why.
    pub reason: String,
    /// Since when: a request (trigger, retry, rebuild) that a person makes later lifts a cancellation.
    pub since: Timestamp,
    /// Until when; absent: until a person resumes.
    pub until: Option<Timestamp>,
}

crate::stage::closed!(
    /// What a hold does.
    HoldKind, "hold" {
    /// No start; what runs goes on (`hydra pause`).
    Pause = "pause",
    /// No start until something works again; it lifts itself (the breaker, an audit log that cannot be written).
    Fault = "fault",
    /// No start, and what runs is stopped (`hydra cancel`).
    Cancel = "cancel",
});

/// Which label event the run answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// The label event's id.
    pub event: u64,
    /// Who set it.
    pub by: Login,
    /// When.
    pub at: Timestamp,
}

/// The record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunRecord {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Generation.
    pub generation: Generation,
    /// The trigger that the run answers.
    pub request: Request,
    /// Newest request label (`retry:queued`, `rebuild:queued`, the trigger again) that was answered.
    pub answered: u64,
    /// SHA-256 of the pinned issue.
    pub snapshot: String,
    /// The change.
    pub change: Option<ChangeName>,
    /// The pinned base commit.
    pub base: Option<CommitSha>,
    /// The work branch.
    pub branch: Option<BranchName>,
    /// The head that Hydra knows as its own.
    pub head: Option<CommitSha>,
    /// The pull request.
    pub pull: Option<PullNumber>,
    /// Where it stands.
    pub phase: Phase,
    /// Fix rounds used.
    pub round: u32,
    /// `fix-quality` runs used in this generation.
    pub quality_fixes: u32,
    /// Failed attempts of the current stage.
    pub attempts: u32,
    /// Not before then: back-off, or an account's reset.
    pub due: Option<Timestamp>,
    /// The last error or reason.
    pub last_error: Option<String>,
    /// All reasons of failed attempts, at most 20.
    pub errors: Vec<String>,
    /// Every stage, oldest first; at most 60, of one stage at most 12 that count as nothing. Older ones are folded into `spend_before`.
    pub stages: Vec<StageEntry>,
    /// Spend of stages that were folded, and of earlier generations.
    pub spend_before: Spend,
    /// A hold.
    pub hold: Option<Hold>,
}

impl RunRecord {
    /// Everything spent on the issue, all generations.
    #[must_use]
    pub fn spend(&self) -> Spend {
        self.spend_before + self.stages.iter().map(|stage| stage.spend).sum()
    }
}
