//! What the executor does: a closed list. It chooses nothing. Each action's natural key makes it safe to repeat.

use super::{Reason, StopReason};
use crate::{
    AccountName, BranchName, CommitSha, Generation, IssueKey, JobId, ModelName, Timestamp, TokenRole,
    job::JobKey,
    ports::ForgeWrite,
    record::RunRecord,
    verdict::{Envelope, Finding},
};

/// What is to be done now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Per issue, in order. The first action that fails ends the issue's list; the next cycle looks again.
    pub issues: Vec<IssuePlan>,
}

/// What is to be done for one issue, and why not more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuePlan {
    /// Which.
    pub key: IssueKey,
    /// In order.
    pub actions: Vec<Action>,
    /// Why nothing more happens now. Never empty when there is nothing to do.
    pub reasons: Vec<Reason>,
    /// When to look again without any outside event, if ever.
    pub wake: Option<Timestamp>,
    /// True when nothing will happen until the forge changes: the issue may be left alone.
    pub rests: bool,
}

/// One effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Key: the lease ref and its old object id. Losing it ends the issue's list.
    TakeLease {
        /// What stands there now.
        before: Option<CommitSha>,
        /// For which generation.
        generation: Generation,
    },
    /// Key: the lease ref and its old object id.
    ReleaseLease {
        /// What stands there now.
        before: CommitSha,
    },
    /// Key: the job's name.
    StartJob(Box<StartOrder>),
    /// Key: the job's name. The reason is kept before the stop.
    StopJob {
        /// Which.
        job: JobId,
        /// Why.
        why: StopReason,
    },
    /// Key: the job's name. Only after everything of its outputs was made good.
    RemoveJob {
        /// Which.
        job: JobId,
    },
    /// Key: the account; a later time wins.
    SetAside {
        /// Which.
        account: AccountName,
        /// Until when.
        until: Timestamp,
        /// Why.
        why: String,
    },
    /// Key: the branch and its old id. `Moved` ends the issue's list.
    Push {
        /// The branch.
        branch: BranchName,
        /// Where it stands (`None`: absent).
        expected: Option<CommitSha>,
        /// Where it is to stand (`None`: deleted).
        to: Option<CommitSha>,
        /// Whose token.
        role: TokenRole,
    },
    /// Key: as the write's own doc says.
    Write {
        /// Whose token.
        role: TokenRole,
        /// What.
        write: ForgeWrite,
    },
    /// Key: the marker `verdict` with generation, stage, head and attempt. Signed by the executor, posted as the persona.
    PostVerdict {
        /// The pull request.
        number: crate::PullNumber,
        /// Whose token.
        role: TokenRole,
        /// What is signed.
        envelope: Box<Envelope>,
    },
    /// Key: the marker `status`. Signed by the executor, edited in place, not sent when the text is the same.
    SaveRecord {
        /// What is signed.
        record: Box<RunRecord>,
        /// One line: why it stands where it stands.
        reason: String,
    },
    /// Key: the issue and the column.
    PlaceCard {
        /// Where.
        column: String,
    },
}

impl Action {
    /// The kind's name, for the audit log and fault injection.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::TakeLease { .. } => "take-lease",
            Self::ReleaseLease { .. } => "release-lease",
            Self::StartJob(_) => "start-job",
            Self::StopJob { .. } => "stop-job",
            Self::RemoveJob { .. } => "remove-job",
            Self::SetAside { .. } => "set-aside",
            Self::Push { .. } => "push",
            Self::Write { .. } => "write",
            Self::PostVerdict { .. } => "post-verdict",
            Self::SaveRecord { .. } => "save-record",
            Self::PlaceCard { .. } => "place-card",
        }
    }
}

/// What a job is started with. The engine turns it into a [`crate::job::JobSpec`]: prompt, bundle, image, environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StartOrder {
    /// Which.
    pub key: JobKey,
    /// The pinned base.
    pub base: CommitSha,
    /// The head to work on or to judge.
    pub head: CommitSha,
    /// The work branch.
    pub branch: BranchName,
    /// The model account; none for quality.
    pub account: Option<AccountName>,
    /// The model; none for quality.
    pub model: Option<ModelName>,
    /// What the agent must know besides the issue and the change.
    pub task: Task,
}

/// What a job must know of what came before, as data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Task {
    /// Blocking findings to mend, with their review's stage in words.
    pub findings: Vec<Finding>,
    /// Red commands to mend: name, command, exit code, tail.
    pub red: Vec<crate::contract_files::CommandResult>,
    /// For the applier: the verdicts and what was fixed, in words.
    pub history: Vec<String>,
    /// Questions that were asked and are answered in the issue by now.
    pub answered: Vec<String>,
}
