//! One issue as plain facts: what is seen, what comes next, and if nothing does, why and what would change it.

use super::tell::tell;
use hydra_core::{
    JobId, Stage, Timestamp,
    job::{Observed, RuntimeStatus},
    money::Spend,
    plan::{Action, ChangeRead, IssuePlan, IssueSnapshot, JobSeen, LeaseRead, PinRead, Progress, Reason, RecordRead},
    record::{Hold, HoldKind, Phase, RunRecord, StageEntry, StageResult},
    verdict::Outcome,
    view::{IssueState, Mergeable, Permission, PullState, PullView, StatusState},
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
    /// When its last event came, as far as it was followed here.
    pub last_event: Option<Timestamp>,
    /// Spent so far, as far as it was followed here.
    pub spend: SpendFacts,
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

impl From<Spend> for SpendFacts {
    fn from(spend: Spend) -> Self {
        Self { usd_micros: spend.cost.0, tokens: spend.tokens.total(), turns: spend.turns }
    }
}

impl JobFacts {
    /// Of a job that the runtime shows.
    #[must_use]
    pub fn of(job: &Observed, progress: &Progress) -> Self {
        let (state, exit) = match &job.status {
            RuntimeStatus::Created => ("created", None),
            RuntimeStatus::Running => ("running", None),
            RuntimeStatus::Exited { code, .. } => ("exited", Some(*code)),
            RuntimeStatus::Lost { .. } => ("lost", None),
        };
        Self {
            job: job.id.clone(),
            issue: job.key.as_ref().map(|key| key.issue.to_string()),
            stage: job.key.as_ref().map(|key| key.stage),
            state,
            exit,
            created_at: job.created_at,
            credentials: job.credentials.clone(),
            doing: progress.doing.clone(),
            last_event: progress.last_event,
            spend: progress.spend.into(),
        }
    }
}

impl From<&Action> for NextFacts {
    fn from(action: &Action) -> Self {
        Self { action: action.name(), text: tell(action) }
    }
}
impl From<&Reason> for ReasonFacts {
    fn from(reason: &Reason) -> Self {
        Self { reason: reason.name(), text: reason.to_string(), remedy: reason.remedy() }
    }
}

impl IssueFacts {
    /// Of a look and its plan. Texts are as they are: whoever shows them redacts them.
    #[must_use]
    pub fn of(seen: &IssueSnapshot, plan: &IssuePlan, trigger: &str) -> Self {
        let record = match &seen.record {
            RecordRead::Valid(record) => Some(&**record),
            RecordRead::Absent | RecordRead::Bad { .. } => None,
        };
        let head = record.and_then(|record| record.head.clone());
        Self {
            issue: seen.key.to_string(),
            title: seen.issue.title.clone(),
            url: seen.issue.url.clone(),
            state: seen.issue.state,
            labels: seen.issue.labels.clone(),
            trigger: triggered(seen, trigger),
            pin: pin(&seen.pin),
            change: change(&seen.change),
            record: read(&seen.record),
            phase: record.map(|record| record.phase.kind().as_str()),
            detail: record.and_then(|record| detail(&record.phase)),
            generation: record.map(|record| record.generation.0),
            round: record.map_or(0, |record| record.round),
            attempt: record.map_or(1, |record| record.attempts + 1),
            failed_attempts: record.map_or(0, |record| record.attempts),
            due: record.and_then(|record| record.due),
            last_error: record.and_then(|record| record.last_error.clone()),
            errors: record.map(|record| record.errors.clone()).unwrap_or_default(),
            branch: branch(seen, record),
            branch_tip: seen.head_tip.as_ref().map(ToString::to_string),
            base: record.and_then(|record| record.base.as_ref()).map(ToString::to_string),
            base_tip: seen.base_tip.to_string(),
            conflicts: seen.conflicts,
            pull: seen.pulls.first().map(pull),
            stages: record.map(|record| record.stages.iter().map(stage).collect()).unwrap_or_default(),
            verdicts: seen
                .verdicts
                .iter()
                .map(|verdict| {
                    let envelope = &verdict.envelope;
                    VerdictFacts {
                        stage: envelope.stage,
                        outcome: envelope.outcome,
                        head: envelope.head.to_string(),
                        counts: head.as_ref() == Some(&envelope.head),
                        blocking: envelope.verdict.as_ref().map(|v| v.blocking.clone()).unwrap_or_default(),
                        void_reason: envelope.void_reason.clone(),
                    }
                })
                .collect(),
            head: head.map(|head| head.to_string()),
            jobs: seen.jobs.iter().map(|job: &JobSeen| JobFacts::of(&job.observed, &job.progress)).collect(),
            lease: lease(&seen.lease),
            hold: seen.hold.as_ref().or_else(|| record.and_then(|record| record.hold.as_ref())).map(hold),
            column: seen.column.clone(),
            spend: record.map(RunRecord::spend).unwrap_or_default().into(),
            next: plan.actions.iter().map(NextFacts::from).collect(),
            reasons: plan.reasons.iter().filter(|reason| !is_planned(reason, plan)).map(ReasonFacts::from).collect(),
            wake: plan.wake,
            rests: plan.rests,
        }
    }
}

/// The plan counts what it is about to start among what runs; a look starts nothing.
fn is_planned(reason: &Reason, plan: &IssuePlan) -> bool {
    let Reason::Running { stage, .. } = reason else { return false };
    plan.actions.iter().any(|action| matches!(action, Action::StartJob(order) if order.key.stage == *stage))
}

fn triggered(seen: &IssueSnapshot, trigger: &str) -> Option<TriggerFacts> {
    let is_set = seen.issue.labels.iter().any(|label| label.eq_ignore_ascii_case(trigger));
    let events = seen.issue.label_events.iter().filter(|e| e.added && e.label.eq_ignore_ascii_case(trigger));
    let event = events.max_by_key(|event| event.id).filter(|_| is_set)?;
    let permission = seen.people.get(&event.actor).copied();
    Some(TriggerFacts { label: event.label.clone(), by: event.actor.to_string(), at: event.at, permission })
}

fn pin(pin: &PinRead) -> PinFacts {
    let (state, hash, edited_at) = match pin {
        PinRead::NoTrigger => ("no-trigger", None, None),
        PinRead::Pinned { hash } => ("pinned", Some(hash.clone()), None),
        PinRead::Edited { at } => ("edited", None, Some(*at)),
        PinRead::Lost => ("lost", None, None),
    };
    PinFacts { state, hash, edited_at }
}

fn change(change: &ChangeRead) -> ChangeFacts {
    match change {
        ChangeRead::Unnamed => ChangeFacts::default(),
        ChangeRead::Broken { name, faults } => ChangeFacts {
            name: name.as_ref().map(ToString::to_string),
            faults: faults.clone(),
            ..ChangeFacts::default()
        },
        ChangeRead::Found { name, title, open_dependencies, cycle } => ChangeFacts {
            name: Some(name.to_string()),
            title: Some(title.clone()),
            faults: Vec::new(),
            open_dependencies: open_dependencies.clone(),
            cycle: cycle.clone(),
        },
    }
}

fn read(record: &RecordRead) -> RecordFacts {
    match record {
        RecordRead::Absent => RecordFacts { state: "absent", why: None },
        RecordRead::Valid(_) => RecordFacts { state: "valid", why: None },
        RecordRead::Bad { why, .. } => RecordFacts { state: "bad", why: Some(why.clone()) },
    }
}

fn detail(phase: &Phase) -> Option<String> {
    match phase {
        Phase::Build
        | Phase::Quality
        | Phase::FixQuality
        | Phase::Review
        | Phase::Fix
        | Phase::Apply
        | Phase::Ready => None,
        Phase::NeedsInput { detail, .. }
        | Phase::Maxed { detail }
        | Phase::Cancelled { detail }
        | Phase::Finished { detail } => Some(detail.clone()),
    }
}

fn branch(seen: &IssueSnapshot, record: Option<&RunRecord>) -> Option<String> {
    let recorded = record.and_then(|record| record.branch.as_ref()).map(ToString::to_string);
    recorded.or_else(|| change(&seen.change).name.map(|name| format!("hydra/{name}")))
}

fn pull(pull: &PullView) -> PullFacts {
    let status = |status: &hydra_core::view::StatusView| StatusFacts {
        context: status.context.clone(),
        state: status.state,
        description: status.description.clone(),
    };
    PullFacts {
        number: pull.number.0,
        state: pull.state,
        draft: pull.draft,
        head: pull.head.to_string(),
        mergeable: pull.mergeable,
        statuses: pull.statuses.iter().map(status).collect(),
        url: pull.url.clone(),
    }
}

fn stage(entry: &StageEntry) -> StageFacts {
    StageFacts {
        stage: entry.stage,
        round: entry.round,
        attempt: entry.attempt + 1,
        job: entry.job.clone(),
        result: entry.result,
        started_at: entry.started_at,
        ended_at: entry.ended_at,
        spend: entry.spend.into(),
        account: entry.account.as_ref().map(ToString::to_string),
        note: entry.note.clone(),
    }
}

fn lease(lease: &LeaseRead) -> LeaseFacts {
    let (state, held) = match lease {
        LeaseRead::Free => ("free", None),
        LeaseRead::Mine(held) | LeaseRead::Other(held) => ("held", Some(held)),
        LeaseRead::Stale(held) => ("stale", Some(held)),
    };
    let record = held.map(|held| &held.record);
    LeaseFacts {
        state,
        owner: record.map(|record| record.owner.clone()),
        expires_at: record.map(|record| record.expires_at),
    }
}

fn hold(hold: &Hold) -> IssueHold {
    IssueHold { kind: hold.kind, reason: hold.reason.clone(), since: hold.since, until: hold.until }
}
