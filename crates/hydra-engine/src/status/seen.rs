//! What a look saw becomes facts.

use super::{facts::*, tell::tell};
use crate::{egress_note, store::StateDir};
use hydra_core::{
    job::{Observed, RuntimeStatus},
    money::Spend,
    plan::{Action, ChangeRead, IssuePlan, IssueSnapshot, JobSeen, LeaseRead, PinRead, Progress, Reason, RecordRead},
    record::{Hold, Phase, RunRecord, StageEntry},
    view::PullView,
};

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
            refused: None,
            last_event: progress.last_event,
            spend: progress.spend.into(),
        }
    }
    /// With what is kept of its gate.
    #[must_use]
    pub(crate) fn heard(self, state: &StateDir) -> Self {
        // What cannot be read says nothing of the gate; the job itself is shown all the same.
        let note = egress_note::read(state, &self.job).ok().flatten();
        let refused = note.filter(|note| note.created_at == self.created_at).and_then(|note| note.refused());
        Self { refused, ..self }
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
