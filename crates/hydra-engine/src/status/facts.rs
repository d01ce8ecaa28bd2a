//! One issue as plain facts: what is seen, what comes next, and if nothing does, why and what would change it.

use hydra_core::{
    JobId, Stage, Timestamp,
    egress::{DenyReason, gate::Denial},
    record::{HoldKind, StageResult},
    verdict::Outcome,
    view::{IssueState, Mergeable, Permission, PullState, StatusState},
};
use serde::Serialize;

/// One issue.
#[derive(Debug, Clone, Serialize)]
pub struct IssueFacts {
    /// `owner/name#n`.
    pub issue: String,
    /// Its title.
    pub title: String,
    /// Its page.
    pub url: String,
    /// Open or closed.
    pub state: IssueState,
    /// Its labels.
    pub labels: Vec<String>,
    /// Who set the trigger label that stands now, and whether they may.
    pub trigger: Option<TriggerFacts>,
    /// What became of the text that was pinned when the label was set.
    pub pin: PinFacts,
    /// The change that it names.
    pub change: ChangeFacts,
    /// The run's record in the status comment.
    pub record: RecordFacts,
    /// Where the run stands: a phase's name; absent before there is a run.
    pub phase: Option<&'static str>,
    /// What the phase says besides, where a person must act.
    pub detail: Option<String>,
    /// The run's generation.
    pub generation: Option<u32>,
    /// Fix rounds used.
    pub round: u32,
    /// The attempt of the present stage that runs or comes next; 1 for the first.
    pub attempt: u32,
    /// Failed attempts of the present stage.
    pub failed_attempts: u32,
    /// Nothing starts before then.
    pub due: Option<Timestamp>,
    /// The last error or reason.
    pub last_error: Option<String>,
    /// All reasons of failed attempts.
    pub errors: Vec<String>,
    /// The work branch.
    pub branch: Option<String>,
    /// Where it stands at the forge.
    pub branch_tip: Option<String>,
    /// The head that Hydra knows as its own.
    pub head: Option<String>,
    /// The base that is built on.
    pub base: Option<String>,
    /// Where the base branch stands now.
    pub base_tip: String,
    /// Whether the work conflicts with the base branch as it is now.
    pub conflicts: bool,
    /// The newest pull request of the work branch.
    pub pull: Option<PullFacts>,
    /// Every stage of the run, oldest first.
    pub stages: Vec<StageFacts>,
    /// Verified verdicts; only those of the present head count.
    pub verdicts: Vec<VerdictFacts>,
    /// Jobs in the runtime.
    pub jobs: Vec<JobFacts>,
    /// Who works on it.
    pub lease: LeaseFacts,
    /// A hold on this very issue.
    pub hold: Option<IssueHold>,
    /// The column of its card.
    pub column: Option<String>,
    /// Spent so far, all generations.
    pub spend: SpendFacts,
    /// What Hydra would do now, in order.
    pub next: Vec<NextFacts>,
    /// Why nothing (more) happens.
    pub reasons: Vec<ReasonFacts>,
    /// When Hydra looks again by itself, whatever happens.
    pub wake: Option<Timestamp>,
    /// Nothing happens until somebody does something at the forge.
    pub rests: bool,
}

/// Who asked.
#[derive(Debug, Clone, Serialize)]
pub struct TriggerFacts {
    /// The label.
    pub label: String,
    /// Who set it.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What they may do in the repository; absent when it was not asked.
    pub permission: Option<Permission>,
}

/// The pinned text.
#[derive(Debug, Clone, Serialize)]
pub struct PinFacts {
    /// `pinned`, `edited`, `no-trigger` or `lost`.
    pub state: &'static str,
    /// SHA-256 of what is pinned.
    pub hash: Option<String>,
    /// When it was edited.
    pub edited_at: Option<Timestamp>,
}

/// The change folder.
#[derive(Debug, Clone, Default, Serialize)]
pub struct ChangeFacts {
    /// Its name.
    pub name: Option<String>,
    /// Its title.
    pub title: Option<String>,
    /// What is wrong with it.
    pub faults: Vec<String>,
    /// Dependencies that are not closed.
    pub open_dependencies: Vec<String>,
    /// A cycle of dependencies.
    pub cycle: Option<String>,
}

/// The record.
#[derive(Debug, Clone, Serialize)]
pub struct RecordFacts {
    /// `absent`, `valid` or `bad`.
    pub state: &'static str,
    /// Why it is bad.
    pub why: Option<String>,
}

/// A pull request.
#[derive(Debug, Clone, Serialize)]
pub struct PullFacts {
    /// Its number.
    pub number: u64,
    /// Open, closed or merged.
    pub state: PullState,
    /// A draft.
    pub draft: bool,
    /// Its head.
    pub head: String,
    /// Whether it could be merged.
    pub mergeable: Mergeable,
    /// The newest status of each context.
    pub statuses: Vec<StatusFacts>,
    /// Its page.
    pub url: String,
}

/// A commit status.
#[derive(Debug, Clone, Serialize)]
pub struct StatusFacts {
    /// Its name.
    pub context: String,
    /// Its state.
    pub state: StatusState,
    /// One line.
    pub description: String,
}

/// Money, tokens and turns.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub struct SpendFacts {
    /// Millionths of a US dollar.
    pub usd_micros: u64,
    /// Tokens of all kinds.
    pub tokens: u64,
    /// Model turns.
    pub turns: u32,
}

/// One stage of the record.
#[derive(Debug, Clone, Serialize)]
pub struct StageFacts {
    /// Which.
    pub stage: Stage,
    /// In which fix round.
    pub round: u32,
    /// Which attempt, 1 for the first.
    pub attempt: u32,
    /// The job's name.
    pub job: JobId,
    /// How it went.
    pub result: StageResult,
    /// When it was started.
    pub started_at: Timestamp,
    /// When it was settled.
    pub ended_at: Option<Timestamp>,
    /// What it cost.
    pub spend: SpendFacts,
    /// The model account.
    pub account: Option<String>,
    /// One line.
    pub note: String,
}

/// A verified verdict.
#[derive(Debug, Clone, Serialize)]
pub struct VerdictFacts {
    /// Whose.
    pub stage: Stage,
    /// How it judged.
    pub outcome: Outcome,
    /// What it judged.
    pub head: String,
    /// Whether that is the head now.
    pub counts: bool,
    /// Sentences that block.
    pub blocking: Vec<String>,
    /// Why it is void, where it is.
    pub void_reason: Option<String>,
}

/// One job in the runtime.
#[derive(Debug, Clone, Serialize)]
pub struct JobFacts {
    /// Its name.
    pub job: JobId,
    /// The issue, where its labels can be read.
    pub issue: Option<String>,
    /// The stage, where its labels can be read.
    pub stage: Option<Stage>,
    /// `created`, `running`, `exited` or `lost`.
    pub state: &'static str,
    /// Its exit code.
    pub exit: Option<i64>,
    /// When it was created.
    pub created_at: Timestamp,
    /// The credentials that it holds or uses, by name.
    pub credentials: Vec<String>,
    /// What it does now.
    pub doing: String,
    /// What its gate refused so far, where something was.
    pub refused: Option<RefusedFacts>,
    /// When its last event came, as far as it was followed here.
    pub last_event: Option<Timestamp>,
    /// Spent so far, as far as it was followed here.
    pub spend: SpendFacts,
}

/// What a gate refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RefusedFacts {
    /// How often; at least, while the job runs.
    pub times: u64,
    /// What was refused last for the first time: a name, or an address with its port.
    pub last: String,
    /// Why.
    pub reason: DenyReason,
}

impl RefusedFacts {
    /// `None` where nothing was refused.
    #[must_use]
    pub fn of(denied: &[Denial]) -> Option<Self> {
        let last = denied.iter().max_by_key(|denial| denial.ts)?;
        let times = denied.iter().fold(0, |sum: u64, denial| sum.saturating_add(denial.count));
        Some(Self { times, last: last.about(), reason: last.reason })
    }
}

impl std::fmt::Display for RefusedFacts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "egress: {} refused, last {} ({})", self.times, self.last, self.reason)
    }
}

/// The lease.
#[derive(Debug, Clone, Serialize)]
pub struct LeaseFacts {
    /// `free`, `held` or `stale`.
    pub state: &'static str,
    /// Who holds it.
    pub owner: Option<String>,
    /// Until when.
    pub expires_at: Option<Timestamp>,
}

/// A hold on an issue.
#[derive(Debug, Clone, Serialize)]
pub struct IssueHold {
    /// Pause or cancel.
    pub kind: HoldKind,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Option<Timestamp>,
}

/// One action that would come next.
#[derive(Debug, Clone, Serialize)]
pub struct NextFacts {
    /// Its kind.
    pub action: &'static str,
    /// In words.
    pub text: String,
}

/// One reason.
#[derive(Debug, Clone, Serialize)]
pub struct ReasonFacts {
    /// Its kind.
    pub reason: &'static str,
    /// In words.
    pub text: String,
    /// What would change it.
    pub remedy: String,
}
